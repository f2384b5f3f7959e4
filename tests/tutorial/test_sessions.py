#!/usr/bin/env python3
"""Builds the programs of the tutorial as its readers do, and plays its sessions.

    TUSK_BUILD_DIR=build/default tests/tutorial/test_sessions.py [NAME...]

tusk is installed to a folder, each program is built there by the command that the tutorial shows (with all
warnings, as errors), and what its terminals show is compared with examples/tutorial/*.session. That the text
shows just this is checked by tools/tutorial. With names, only these sessions.
"""

import concurrent.futures
import functools
import importlib.machinery
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import session

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = SOURCE / "examples" / "tutorial"
BUILD = pathlib.Path(os.environ.get("TUSK_BUILD_DIR", SOURCE / "build" / "default")).resolve()
CC = shutil.which(os.environ.get("TUSK_CC", "cc"))
CMAKE = os.environ.get("TUSK_CMAKE", "cmake")
COMMAND = "cc {0}.c $(pkg-config --cflags --libs tusk) -o {0}"


def load_tool():
    loader = importlib.machinery.SourceFileLoader("tutorial", str(SOURCE / "tools" / "tutorial"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("tutorial", loader))
    loader.exec_module(module)
    return module


def put_tool(folder, name, *lines):
    path = folder / name
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]), encoding="utf-8")
    path.chmod(0o755)


class Reader:
    """A reader's machine: tusk is installed, and the programs lie in a folder."""

    def __init__(self, place):
        self.folder = place / "tutorial"
        prefix = place / "tusk"
        tools = place / "tools"
        tools.mkdir()
        shutil.copytree(PROGRAMS, self.folder)
        subprocess.run([CMAKE, "--install", str(BUILD), "--prefix", str(prefix)], check=True, stdout=subprocess.DEVNULL)
        library = next(path for pattern in ("libtusk.so", "libtusk.dylib") for path in prefix.rglob(pattern)).parent
        put_tool(tools, "cc", f'exec {CC} -Wall -Wextra -Werror "$@"')
        if not shutil.which("pkg-config"):
            put_tool(tools, "pkg-config", f"echo -I{prefix}/include -L{library} -ltusk")
        if "OpenBSD" not in self.output_of("nc", "-h"):
            put_tool(tools, "nc", f'exec {sys.executable} {SOURCE}/tests/tutorial/nc.py "$@"')
        self.environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "LC_ALL": "C",
                            "LD_LIBRARY_PATH": str(library), "DYLD_LIBRARY_PATH": str(library),
                            "PKG_CONFIG_PATH": str(library / "pkgconfig")}
        for name in ("TUSK_DEBUG", "TUSK_POLLER", "TUSK_SCHEDULE_SEED"):
            self.environment.pop(name, None)

    @staticmethod
    def output_of(*command):
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10)
        except OSError:
            return ""
        return done.stdout + done.stderr

    def build(self, name):
        """What the compiler says."""
        done = subprocess.run(COMMAND.format(name), shell=True, cwd=self.folder, env=self.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return None if done.returncode == 0 and not done.stdout else done.stdout or "the compiler fails"

    def lacks_tls(self):
        done = subprocess.run(["./12_tls_client", "1"], cwd=self.folder, env=self.environment,
                              capture_output=True, text=True, timeout=session.PATIENCE)
        return "OpenSSL" in done.stderr or not shutil.which("openssl")


def needs_tls(steps):
    return any(text.startswith("openssl ") for _, _, text in steps)


def main():
    tool = load_tool()
    failed = 0
    with tempfile.TemporaryDirectory() as place, concurrent.futures.ThreadPoolExecutor(2) as builders, \
            concurrent.futures.ThreadPoolExecutor(8) as players:
        reader = Reader(pathlib.Path(place))
        names = [path.stem for path in sorted(PROGRAMS.glob("*.c"))]
        for name, said in zip(names, builders.map(reader.build, names)):
            if said:
                failed += 1
                print(f"{name}.c: {said}")
        if failed:
            return 1
        chosen = sys.argv[1:] or [path.stem for path in sorted(PROGRAMS.glob("*.session"))]
        sessions = {name: tool.read_session(PROGRAMS / f"{name}.session") for name in chosen}
        without_tls = reader.lacks_tls()
        for name in list(sessions):
            if without_tls and needs_tls(sessions[name]):
                print(f"{name}: skipped, for there is no OpenSSL")
                del sessions[name]
        play = functools.partial(session.play, folder=reader.folder, environment=reader.environment)
        for name, wrong in zip(sessions, players.map(play, sessions.values())):
            print(f"{name}: {wrong or 'ok'}")
            failed += wrong is not None
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
