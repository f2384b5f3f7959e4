"""What is measured, one row each, and the goals."""

import dataclasses

from loads import FILES, Calls, CallsApart, Client, Idle, Instructions, Load, RedisBenchmark

RIVALS = "every peer"


@dataclasses.dataclass(frozen=True)
class Goal:
    """For tusk, in one column: a limit, or a limit of the ratio to a peer's, or to the best peer's."""

    column: str
    words: str  # "at least", "above" or "at most"
    limit: float
    of: str = None

    def met(self, value):
        """What is at most something is judged as it is printed: 1.003 reads for a request are one."""
        return {"at least": value >= self.limit, "above": value > self.limit,
                "at most": round(value, 2) <= self.limit}[self.words]

    def __str__(self):
        limit = f"{self.limit:g}"
        return f"{self.words} {self.of if self.limit == 1 else f'{limit} x {self.of}'}" if self.of else \
            f"{self.words} {limit}"


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    heading: str
    service: str
    load: Load
    # The peer that all are compared with.
    reference: str
    goals: tuple = ()
    # Runs only when it is named.
    on_demand: bool = False


def connections(count):
    return Case(f"connections/{count}", f"64-byte echo, {count:,} connection{'s' if count > 1 else ''}", "echo",
                Client("--connections", str(count)), "floor_epoll", on_demand=True)


NEARLY_THE_FLOOR = Goal("rate", "at least", 0.95, "floor_epoll")

CASES = [
    Case("echo64", "64-byte echo, 100 connections", "echo", Client(), "floor_epoll",
         (NEARLY_THE_FLOOR, Goal("rate", "above", 1, RIVALS), Goal("user", "at most", 0.25))),
    Case("echo16k", "16 KiB echo, 100 connections", "echo", Client("--size", "16384"), "floor_epoll",
         (NEARLY_THE_FLOOR,)),
    Case("idle", "64-byte echo, 100 connections beside 10,000 idle ones", "echo", Idle("--idle", "10000"),
         "floor_epoll", (Goal("kept", "at least", 0.97), Goal("kib", "at most", 5))),
    Case("calls", "system calls of a 64-byte echo, 100 connections, on one processor", "echo", Calls(), "floor_epoll",
         (Goal("reads", "at most", 1), Goal("writes", "at most", 1), Goal("others", "at most", 0.05))),
    Case("calls_apart", "the same, the client on another processor", "echo", CallsApart(), "floor_epoll",
         on_demand=True),
    Case("instructions", "user-mode instructions of a 64-byte echo, 100 connections", "echo", Instructions(),
         "floor_epoll"),
    *(connections(count) for count in (1, 10, 100, 1000, 10000)),
    Case("kv", "key-value server, 50 connections of redis-benchmark", "kv", RedisBenchmark(80000), "redis",
         (Goal("get", "at least", 1.3, "redis"), Goal("set", "at least", 1.3, "redis"))),
    Case("kv_pipelined", "key-value server, 50 connections of redis-benchmark -P 16", "kv",
         RedisBenchmark(500000, "-P", "16"), "redis",
         (Goal("get", "at least", 1.3, "redis"), Goal("set", "at least", 1.3, "redis"))),
    Case("files", "HTTP, files of 4 KiB with keep-alive, 100 connections", "files",
         Client("--http", "/", "--files", str(FILES)), "nginx", (Goal("rate", "at least", 1, "nginx"),)),
]

# A name for several.
GROUPS = {"connections": [case.name for case in CASES if case.name.startswith("connections/")]}
