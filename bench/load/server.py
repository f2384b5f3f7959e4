"""A server that runs: started on its processor, ended with all that it started, and looked at from outside."""

import dataclasses
import os
import resource
import signal
import socket
import subprocess
import tempfile
import time

from shared import Skip

DESCRIPTORS = 16384
LONGEST_START = 60


@dataclasses.dataclass(frozen=True)
class Usage:
    """Seconds of processor time. user is counted in ticks of the system, and total exactly."""

    user: float
    total: float
    # How long it could have run and did not, because others had its processor.
    waited: float

    def since(self, before):
        return Usage(self.user - before.user, self.total - before.total, self.waited - before.waited)


def processors():
    """One for servers and one for clients; the same if there is but one. Interrupts prefer the first."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[-1], allowed[0]


def raise_limit():
    """For our children too: a server has a descriptor for each connection."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, DESCRIPTORS)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def pinned(processor):
    return lambda: os.sched_setaffinity(0, {processor})


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def read(path):
    """The text of a file of /proc; "" when its process is gone."""
    try:
        with open(path, encoding="utf-8", errors="replace") as text:
            return text.read()
    except OSError:
        return ""


def tree(pid):
    """The process and all its descendants."""
    found = [pid]
    for parent in found:
        for task in threads(parent):
            found += [int(child) for child in read(f"/proc/{parent}/task/{task}/children").split()]
    return found


def threads(pid):
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


class Server:
    """Accepts connections within "with", which ends it."""

    def __init__(self, command, port, place, wrap=()):
        self.command = [*wrap, *command]
        self.port = port
        self.place = place

    def __enter__(self):
        self.errors = tempfile.TemporaryFile(dir=self.place)
        try:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            stderr=self.errors, start_new_session=True, cwd=self.place,
                                            preexec_fn=pinned(processors()[0]))
        except OSError as error:
            raise Skip(f"{self.command[0]}: {error.strerror}") from error
        try:
            self.wait_until_it_accepts()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    def wait_until_it_accepts(self):
        deadline = time.monotonic() + LONGEST_START
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Skip(f"the server ended with {self.process.returncode}: {self.last_words()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise Skip(f"the server accepted no connection for {LONGEST_START} s")

    def has_ended(self):
        """Also if it is just about to."""
        try:
            self.process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            return False
        return True

    def last_words(self):
        lines = self.all_words().strip().splitlines()
        return lines[-1] if lines else "no message"

    def all_words(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def end(self):
        """SIGTERM, and for those who do not care SIGKILL. The session is our own child's."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def usage(self):
        user = total = waited = 0.0
        for pid in tree(self.process.pid):
            fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
            if len(fields) < 13:
                continue
            user += int(fields[11]) / os.sysconf("SC_CLK_TCK")
            ticks = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            exact = [read(f"/proc/{pid}/task/{task}/schedstat").split() for task in threads(pid)]
            exact = [words for words in exact if len(words) == 3]
            total += sum(int(words[0]) for words in exact) / 1e9 if exact else ticks
            waited += sum(int(words[1]) for words in exact) / 1e9
        return Usage(user, total, waited)

    def resident(self):
        """Bytes of memory in use now."""
        kib = 0
        for pid in tree(self.process.pid):
            for line in read(f"/proc/{pid}/status").splitlines():
                if line.startswith("VmRSS:"):
                    kib += int(line.split()[1])
        return kib * 1024
