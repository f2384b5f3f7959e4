"""Whose servers are loaded, how they are built, and how they are started.

A server is started with --port PORT, listens on 127.0.0.1, and runs until it is
ended. For each service there is a command:

    echo    what is read is written back, TCP_NODELAY, one thread
    kv      GET and SET of redis, in memory alone, and an error for redis's other commands
    files   HTTP/1.1 with keep-alive: the files of --root DIR
"""

import os
import re
import shlex
import shutil
import subprocess

from shared import HERE, Skip, bench

SERVICES = ["echo", "kv", "files"]


def first_line(*command):
    """What a program says of its version; None if it says nothing."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else None


def number_in(text):
    found = re.search(r"\d+(\.\d+)+", text or "")
    return found.group(0) if found else None


class Peer(bench.Peer):
    """prepare() fills in commands, by service; reasons says why one is missing."""

    services = ["echo"]
    # Neither tusk nor one of its rivals.
    is_floor = False
    # callgrind can count its instructions, and they are its own and not an interpreter's.
    is_native = True

    def __init__(self, name):
        super().__init__(name)
        self.reasons = {}

    def command(self, service, port, place):
        """place: the folder of this start; files are in its parent's "www"."""
        words = self.commands[service] + ["--port", str(port)]
        return words + ["--root", os.path.join(place, "www")] if service == "files" else words

    def source(self, *path):
        return os.path.join(HERE, "peers", *path)


class Built(Peer):
    """Built by CMake with tusk."""

    def __init__(self, name, build_dir, programs, missing):
        super().__init__(name)
        self.programs = programs
        self.missing = missing
        self.folder = os.path.join(build_dir, "bench", "load")

    def prepare(self, services, folder):
        for service, program in self.programs.items():
            path = os.path.join(self.folder, program)
            if os.path.exists(path):
                self.commands[service] = [path]
            else:
                self.reasons[service] = self.missing.format(program=program)


class Floor(Built):
    is_floor = True

    def __init__(self, name, build_dir, missing="{program} is not built", is_native=True):
        super().__init__(name, build_dir, {"echo": name}, missing)
        self.version = os.uname().release
        self.is_native = is_native


class Tusk(Built):
    """Its own echo server, and two of the examples."""

    services = SERVICES

    def __init__(self, build_dir):
        examples = os.path.join(build_dir, "examples")
        super().__init__("tusk", build_dir, {"echo": "tusk_echo", "kv": os.path.join(examples, "kv_server"),
                                             "files": os.path.join(examples, "file_server")}, "{program} is not built")


class Library(Peer):
    """An echo server in C, or C++, with a library: in a prefix named by the environment, or installed."""

    def __init__(self, name, package=None, variable=None, archive=None, libraries=()):
        super().__init__(name)
        self.package = package
        self.variable = variable
        self.archive = archive
        self.libraries = list(libraries)

    def flags(self):
        prefix = os.environ.get(self.variable, "") if self.variable else ""
        if prefix:
            return bench.prefix_flags(prefix, self.archive)
        found = bench.pkg_config(self.package) if self.package else None
        if found:
            self.version = first_line("pkg-config", "--modversion", self.package)
            return found
        if self.variable:
            raise Skip(f"set {self.variable} to its prefix")
        raise Skip("not installed with its headers, or there is no pkg-config")

    def compiler(self):
        return [*shlex.split(os.environ.get("CC", "cc")), "-std=gnu11", "-D_GNU_SOURCE="], "echo.c"

    def prepare(self, services, folder):
        compile_flags, link_flags = self.flags()
        compiler, source = self.compiler()
        program = os.path.join(folder, self.name + "_echo")
        bench.build([*compiler, "-O2", "-g", "-Wall", "-Wextra", *compile_flags, "-o", program,
                     self.source(self.name, source), *link_flags, *self.libraries],
                    os.path.join(folder, self.name + ".log"))
        self.commands["echo"] = [program]


class Photon(Library):
    is_native = False

    def __init__(self):
        super().__init__("photon", variable="TUSK_PEER_PHOTON", archive="libphoton.so")

    def flags(self):
        compile_flags, link_flags = super().flags()
        return compile_flags, [*link_flags, "-Wl,-rpath," + os.path.dirname(os.path.abspath(link_flags[0]))]

    def compiler(self):
        return [*shlex.split(os.environ.get("CXX", "c++")), "-std=c++17"], "echo.cpp"


class Go(Peer):
    is_native = False

    def prepare(self, services, folder):
        if not shutil.which("go"):
            raise Skip("there is no go")
        self.version = number_in(first_line("go", "version"))
        programs = os.path.join(folder, "go")
        os.makedirs(programs, exist_ok=True)
        bench.build(["go", "build", "-o", programs + os.sep, "./..."], os.path.join(folder, "go.log"),
                    cwd=self.source("go"))
        self.commands["echo"] = [os.path.join(programs, "echo")]


class Tokio(Peer):
    def prepare(self, services, folder):
        if not shutil.which("cargo"):
            raise Skip("there is no cargo")
        # A copy: cargo writes a lock file beside the manifest, which names a registry.
        copy = os.path.join(folder, "tokio")
        shutil.copytree(self.source("tokio"), copy, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("target", "Cargo.lock"))
        bench.build(["cargo", "build", "--release"], os.path.join(folder, "tokio.log"), cwd=copy)
        with open(os.path.join(copy, "Cargo.lock"), encoding="utf-8") as lock:
            self.version = re.search(r'name = "tokio"\nversion = "([^"]+)"', lock.read()).group(1)
        self.commands["echo"] = [os.path.join(copy, "target", "release", "echo")]


class Python(Peer):
    """asyncio's streams, or a protocol; on its own loop or on uvloop's."""

    is_native = False

    def __init__(self, name, *options):
        super().__init__(name)
        self.options = list(options)

    def prepare(self, services, folder):
        python = bench.Asyncio.python()
        if not shutil.which(python):
            raise Skip(f"there is no {python}; set TUSK_PEER_PYTHON to a Python 3")
        self.version = number_in(first_line(python, "--version"))
        if "--uvloop" in self.options:
            self.version = number_in(first_line(python, "-c", "import uvloop; print(uvloop.__version__)"))
            if self.version is None:
                raise Skip(f"{python} has no uvloop; set TUSK_PEER_PYTHON to a Python that has")
        self.commands["echo"] = [python, self.source("asyncio", "echo.py"), *self.options]


class Redis(Peer):
    services = ["kv"]
    is_native = False

    def prepare(self, services, folder):
        if not shutil.which("redis-server"):
            raise Skip("there is no redis-server (Debian: redis-server)")
        self.version = number_in(first_line("redis-server", "--version"))
        self.commands["kv"] = ["redis-server", "--save", "", "--appendonly", "no", "--bind", "127.0.0.1",
                               "--loglevel", "warning"]


NGINX = """
daemon off;
worker_processes 1;
pid {place}/nginx.pid;
error_log stderr crit;
{user}
events {{ worker_connections 16384; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    open_file_cache max=10000 inactive=1h;
    open_file_cache_valid 1h;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    server {{ listen 127.0.0.1:{port} backlog=4096; root {place}/www; }}
}}
"""


class Nginx(Peer):
    """One worker, and all that makes it serve small files faster: it keeps them open."""

    services = ["files"]
    is_native = False

    def prepare(self, services, folder):
        self.path = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        if not self.path:
            raise Skip("there is no nginx (Debian: nginx-light)")
        self.version = number_in(first_line(self.path, "-v"))
        self.commands["files"] = [self.path]

    def command(self, service, port, place):
        # As root, the worker would be someone else, who may not read our files.
        user = "user root;" if os.geteuid() == 0 else ""
        conf = os.path.join(place, "nginx.conf")
        with open(conf, "w", encoding="utf-8") as out:
            out.write(NGINX.format(place=place, port=port, user=user))
        return [self.path, "-c", conf, "-p", place, "-e", "stderr"]


def all_peers(build_dir):
    return [
        Floor("floor_epoll", build_dir),
        # valgrind 3.19 sees no signal while a program waits in io_uring_enter(), and thus never ends.
        Floor("floor_uring", build_dir, "liburing 2.3 was not there when tusk was configured", is_native=False),
        Tusk(build_dir),
        Library("libuv", package="libuv"),
        Library("libdill", package="libdill", variable="TUSK_PEER_LIBDILL", archive="libdill.a",
                libraries=["-pthread"]),
        Library("st", variable="TUSK_PEER_ST", archive="libst.a"),
        Library("neco", variable="TUSK_PEER_NECO", archive="libneco.a", libraries=["-pthread"]),
        Photon(),
        Go("go"),
        Tokio("tokio"),
        Python("asyncio"),
        Python("asyncio-protocol", "--protocol"),
        Python("uvloop", "--uvloop"),
        Python("uvloop-protocol", "--uvloop", "--protocol"),
        Redis("redis"),
        Nginx("nginx"),
    ]


def build_ours(build_dir, log):
    """What CMake builds."""
    cache = bench.Tusk(build_dir).cache()
    if cache.get("CMAKE_BUILD_TYPE") not in ("RelWithDebInfo", "Release") or cache.get("TUSK_SANITIZE"):
        bench.say(f"load: {build_dir} is not an optimised build; its numbers mean nothing")
    try:
        bench.build(["cmake", "--build", build_dir, "--parallel", "2", "--target", "load_programs"], log)
    except Skip as problem:
        raise SystemExit(f"load: tusk: {problem}. Is TUSK_BUILD_BENCH on in {build_dir}?") from None


def prepare(peers, services, folder):
    """Builds the peers; those that are left can run something. Says who cannot, and why."""
    ready = []
    for peer in peers:
        if not set(services) & set(peer.services):
            continue
        bench.say(f"load: preparing {peer.name} ...")
        log = os.path.join(folder, peer.name + ".log")
        if os.path.exists(log):
            os.remove(log)
        try:
            peer.prepare(services, folder)
        except Skip as reason:
            print(f"{peer.name}: skipped, {reason}", flush=True)
            continue
        for service in services:
            if service in peer.reasons:
                print(f"{peer.name}: {service} skipped, {peer.reasons[service]}", flush=True)
        if peer.commands:
            ready.append(peer)
    return ready

