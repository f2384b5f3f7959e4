"""How a server is loaded, and what is measured: for each way a class, whose columns say what comes out.

measure() starts a server, loads it once, and returns what it measured by the names of
its columns. It raises Skip when that failed.
"""

import contextlib
import csv
import dataclasses
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading

from server import Server, free_port, pinned, processors
from shared import Skip

FILES = 100
FILE_SIZE = 4096


@dataclasses.dataclass(frozen=True)
class Column:
    key: str
    title: str
    # Of all runs. The mean is for what one run measures too coarsely: the ticks of user time.
    mean: bool = False


@dataclasses.dataclass
class Bench:
    """Where things are, and what the arguments say."""

    programs: str
    folder: str
    seconds: float
    timeout: float


RATE = Column("rate", "requests/s")
PROCESSOR = [
    Column("user", "user us", mean=True),
    Column("system", "system us", mean=True),
    Column("cpu", "cpu us", mean=True),
    Column("waited", "waited %"),
]


class Place:
    """A folder for one start of a server, with the files to serve."""

    def __init__(self, bench):
        self.bench = bench

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="load-", dir=self.bench.folder)
        os.mkdir(os.path.join(self.folder.name, "www"))
        for i in range(FILES):
            with open(os.path.join(self.folder.name, "www", str(i)), "w", encoding="ascii") as out:
                out.write("0123456789abcdef" * (FILE_SIZE // 16))
        return self.folder.name

    def __exit__(self, *_):
        self.folder.cleanup()


class Load:
    # The first is what peers are compared by.
    columns = [RATE]
    # Of what is counted exactly, one run says all.
    runs = None

    def __init__(self, *arguments):
        self.arguments = list(arguments)

    def can_load(self, peer):
        return True

    def missing(self):
        """What has to be installed first; None: nothing."""
        return None

    def measure(self, peer, service, bench):
        port = free_port()
        with Place(bench) as place, Server(peer.command(service, port, place), port, place) as server:
            try:
                return self.run(server, bench)
            except Skip as problem:
                if server.has_ended():
                    problem = Skip(f"the server ended with {server.process.returncode}: {server.last_words()}")
                raise problem from None

    def run(self, server, bench):
        raise NotImplementedError


class Program:
    """A program of ours or of others on one processor, killed if it takes too long."""

    def __init__(self, command, timeout, processor):
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                preexec_fn=pinned(processor))
        except OSError as error:
            raise Skip(f"{command[0]}: {error.strerror}") from error
        self.name = os.path.basename(command[0])
        self.late = threading.Event()
        self.timeout = timeout
        self.timer = threading.Timer(timeout, self.kill)
        self.timer.start()

    def kill(self):
        self.late.set()
        self.process.kill()

    def close(self):
        self.timer.cancel()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def say(self, text):
        try:
            self.process.stdin.write(text)
            self.process.stdin.flush()
        except BrokenPipeError:
            self.fail()

    def lines(self):
        """All that it prints; raises Skip if it ended with an error."""
        yield from self.process.stdout
        if self.process.wait() != 0:
            self.fail()

    def fail(self):
        self.process.wait()
        last = (self.process.stderr.read().strip().splitlines() or ["no message"])[-1]
        if self.late.is_set():
            last = f"no end after {self.timeout:g} s"
        raise Skip(f"{self.name}: {last}")


def per_request(used, requests, seconds):
    """What the server used for each request, in microseconds."""
    return {
        "user": used.user / requests * 1e6,
        "system": (used.total - used.user) / requests * 1e6,
        "cpu": used.total / requests * 1e6,
        "waited": 100 * used.waited / seconds,
    }


class Watch:
    """Looks at the server when the client has reached a mark; nothing is under way then."""

    def __init__(self, server, bench):
        self.server = server
        self.bench = bench

    def on_mark(self, name):
        if name == "warm":
            self.before = self.server.usage()
        elif name == "measured":
            self.used = self.server.usage().since(self.before)
            self.resident = self.server.resident()

    def results(self, told):
        """What came out, with what the client tells."""
        return {**told, **per_request(self.used, told["requests"], told["seconds"]),
                "client": 100 * told["client"]}

    def close(self):
        pass


class Client(Load):
    """Our client, with these arguments."""

    columns = [RATE, Column("p50", "p50 us"), Column("p99", "p99 us"), Column("p999", "p99.9 us"), *PROCESSOR,
               Column("client", "client %")]
    watch = Watch

    def length(self, bench):
        return ["--seconds", str(bench.seconds)]

    def processor(self):
        return processors()[1]

    def run(self, server, bench):
        command = [os.path.join(bench.programs, "client"), "--port", str(server.port), "--step",
                   *self.arguments, *self.length(bench)]
        told = None
        watch = self.watch(server, bench)
        with Program(command, bench.timeout, self.processor()) as client, contextlib.closing(watch):
            for line in client.lines():
                if line.startswith("mark "):
                    watch.on_mark(line.split()[1])
                    client.say("\n")
                else:
                    told = json.loads(line)
        if told is None:
            raise Skip("the client said nothing")
        return watch.results(told)


class IdleWatch(Watch):
    def on_mark(self, name):
        if name == "opened":
            self.grown = self.server.resident() - self.resident
        else:
            super().on_mark(name)

    def results(self, told):
        return {**super().results(told), "kept": told["rate"] / told["alone"]["rate"],
                "kib": self.grown / 1024 / told["idle"]}


class Idle(Client):
    """The same with many silent connections more, beside the same without, one after the other in one process."""

    columns = [*Client.columns, Column("kept", "x alone"), Column("kib", "KiB/idle")]
    watch = IdleWatch


READS = {"read", "readv", "recvfrom", "recvmsg"}
WRITES = {"write", "writev", "sendto", "sendmsg", "sendfile64"}
WAITS = {"epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "io_uring_enter"}


class CallsWatch(Watch):
    counter = None

    def on_mark(self, name):
        if name == "warm":
            # Beside the server: by ptrace, one of the two always waits for the other.
            self.counter = Program([os.path.join(self.bench.programs, "calls"), "--pid",
                                    str(self.server.process.pid)], self.bench.timeout, processors()[0])
            if not self.counter.process.stdout.readline().startswith("counting"):
                self.counter.fail()
        elif name == "measured":
            self.counter.say("\n")
            self.counts = json.loads("".join(self.counter.lines()))

    def results(self, told):
        def each(names):
            return sum(count for name, count in self.counts["calls"].items() if name in names) / told["requests"]

        every = self.counts["all"] / told["requests"]
        return {"all": every, "reads": each(READS), "writes": each(WRITES), "waits": each(WAITS),
                "others": every - each(READS) - each(WRITES), "note": "counted by " + self.counts["method"]}

    def close(self):
        if self.counter:
            self.counter.close()


class Calls(Client):
    """
    System calls of each request. The client shares the server's processor, so that both take
    turns and each finds all that the other has done: apart, how often a server waits is a matter of
    which of the two is faster at the moment, and of who else uses the machine.
    """

    columns = [Column("all", "calls"), Column("reads", "reads"), Column("writes", "writes"),
               Column("others", "others"), Column("waits", "waits among them")]
    watch = CallsWatch
    REQUESTS = 50000

    def length(self, bench):
        return ["--requests", str(self.REQUESTS)]

    def processor(self):
        return processors()[0]


class CallsApart(Calls):
    def processor(self):
        return processors()[1]


class Instructions(Client):
    """User-mode instructions of each request, by callgrind: the difference between two runs of other lengths."""

    columns = [Column("instructions", "instructions")]
    runs = 1
    REQUESTS = (2000, 42000)
    CALLGRIND = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]

    def can_load(self, peer):
        return peer.is_native

    def missing(self):
        return None if shutil.which("valgrind") else "there is no valgrind"

    def measure(self, peer, service, bench):
        few, many = (self.count(peer, service, bench, requests) for requests in self.REQUESTS)
        return {"instructions": (many - few) / (self.REQUESTS[1] - self.REQUESTS[0])}

    def count(self, peer, service, bench, requests):
        port = free_port()
        command = [os.path.join(bench.programs, "client"), "--port", str(port), *self.arguments,
                   "--warm-up", "0", "--requests", str(requests)]
        with Place(bench) as place:
            with Server(peer.command(service, port, place), port, place, self.CALLGRIND) as server:
                with Program(command, bench.timeout, self.processor()) as client:
                    list(client.lines())
                server.end()
                found = re.search(r"Collected : (\d+)", server.all_words())
        if not found:
            raise Skip("callgrind counted nothing")
        return int(found.group(1))


class RedisBenchmark(Load):
    """redis-benchmark's SET and GET, with these arguments. Its setting up is in the processor time."""

    columns = [Column("get", "GET/s"), Column("set", "SET/s"), *PROCESSOR]
    CONNECTIONS = 50
    VALUE = 64
    KEYS = 100000

    def __init__(self, per_second, *arguments):
        super().__init__(*arguments)
        # About what a server does in a second; redis-benchmark cannot be told a time.
        self.per_second = per_second

    def missing(self):
        return None if shutil.which("redis-benchmark") else "there is no redis-benchmark (Debian: redis-tools)"

    def run(self, server, bench):
        requests = int(self.per_second * bench.seconds)
        command = ["redis-benchmark", "-h", "127.0.0.1", "-p", str(server.port), "-t", "set,get", "--csv",
                   "-c", str(self.CONNECTIONS), "-d", str(self.VALUE), "-r", str(self.KEYS),
                   "-n", str(requests), *self.arguments]
        before = server.usage()
        with Program(command, bench.timeout, processors()[1]) as client:
            rows = list(csv.DictReader(client.lines()))
        rates = {row["test"].lower(): float(row["rps"]) for row in rows}
        if set(rates) != {"get", "set"}:
            raise Skip("redis-benchmark said something else than rates of GET and SET")
        seconds = requests / rates["get"] + requests / rates["set"]
        return {**rates, **per_request(server.usage().since(before), 2 * requests, seconds)}
