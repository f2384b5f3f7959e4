"""Plays a session of the tutorial: what is typed in some terminals, and what they show.

The steps stand in examples/tutorial/<name>.session, one a line, each with the name of its terminal:

    ann $ nc 127.0.0.1 8888     a command; the one before it there must have ended
    ann > hello                 a line is typed
    ann | hello                 the next line that comes
    ann ^C                      SIGINT, as Ctrl-C sends it; ^D: the end of what is typed
    ann .                       the program ends, and has shown nothing more; ". 1": with this status
    ann ?                       the same, whatever it has shown

Port 8888 is replaced by one that is free, and back in what is shown. Numbers of descriptors may differ.
"""

import os
import pty
import queue
import random
import re
import shlex
import signal
import socket
import subprocess
import sys
import termios
import threading
import time

# Nothing takes that long; it is what ends a test that hangs.
PATIENCE = 40


class Failed(Exception):
    pass


def free_port():
    """Below those that the system gives out by itself, so that nobody gets it meanwhile."""
    while True:
        port = random.randrange(15000, 30000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def is_listening(port):
    """Without a connection, which a listener that takes only one would mistake for its client."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        return any(row.split()[1].endswith(f":{port:04X}") and row.split()[3] == "0A" for row in list(table)[1:])


def without_numbers(line):
    """The system gives the numbers of descriptors out; the rest of a line is ours."""
    return re.sub(r"descriptor \d+", "descriptor N", line)


class Terminal:
    """Runs commands one after the other on a terminal, without echo."""

    def __init__(self, folder, environment, port):
        self.folder = folder
        self.environment = environment
        self.port = port
        self.process = None
        self.reader = None

    def start(self, command):
        if self.process:
            self.end(0, self.rest())
        command = self.with_port(command)
        words = ["sh", "-c", command] if re.search(r"[|;&()$<>]", command) else shlex.split(command)
        self.master, slave = pty.openpty()
        settings = termios.tcgetattr(slave)
        settings[1] &= ~termios.OPOST
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, settings)
        self.process = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, cwd=self.folder,
                                        env=self.environment, start_new_session=True)
        os.close(slave)
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=self.read, args=(self.master, self.lines))
        self.reader.start()
        if words[:2] == ["nc", "-l"]:
            self.wait_for_listener()

    def with_port(self, command):
        """A server of ours is told the port as its argument, if the command does not name one."""
        match = re.match(r"\./(\w+)$", command)
        if match:
            with open(os.path.join(self.folder, match[1] + ".c"), encoding="utf-8") as source:
                if "argv[1]) : 8888" in source.read():
                    return f"{command} {self.port}"
        return command.replace("8888", str(self.port))

    def wait_for_listener(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            if sys.platform != "linux":
                time.sleep(0.5)
                return
            if is_listening(self.port):
                return
            time.sleep(0.01)
        raise Failed("nc does not listen")

    @staticmethod
    def read(master, lines):
        data = b""
        try:
            while more := os.read(master, 65536):
                *whole, data = (data + more).split(b"\n")
                for line in whole:
                    lines.put(line.decode("utf-8", "replace").rstrip("\r"))
        except OSError:
            pass  # that is how a terminal ends on Linux
        if data:
            lines.put(data.decode("utf-8", "replace"))
        lines.put(None)

    def line(self):
        try:
            line = self.lines.get(timeout=PATIENCE)
        except queue.Empty:
            raise Failed("nothing came") from None
        return line if line is None else line.replace(str(self.port), "8888")

    def expect(self, wanted):
        line = self.line()
        if line is None or without_numbers(line) != without_numbers(wanted):
            raise Failed(f"it shows {line!r}, and should show {wanted!r}")

    def type(self, data):
        os.write(self.master, data)

    def rest(self):
        lines = []
        while (line := self.line()) is not None:
            lines.append(line)
        return lines

    def end(self, status, rest):
        if rest:
            raise Failed(f"it shows more: {rest}")
        got = self.process.wait(timeout=PATIENCE)
        self.reader.join()
        os.close(self.master)
        self.process = None
        if got != status:
            raise Failed(f"it ends with status {got}, and should with {status}")

    def kill(self):
        if not self.process:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.reader.join()
        os.close(self.master)
        self.process = None


def do(terminal, kind, text):
    if kind == "$":
        terminal.start(text)
    elif kind == ">":
        terminal.type(text.encode() + b"\n")
    elif kind == "|":
        terminal.expect(text)
    elif kind == "^C":
        os.killpg(terminal.process.pid, signal.SIGINT)
    elif kind == "^D":
        terminal.type(b"\x04")
    elif kind == ".":
        terminal.end(int(text or 0), terminal.rest())
    else:
        terminal.rest()
        terminal.end(int(text or 0), [])


def play(steps, folder, environment):
    """Returns what is wrong, or None."""
    port = free_port()
    terminals = {name: Terminal(folder, environment, port) for name, _, _ in steps}
    try:
        for name, kind, text in steps:
            try:
                do(terminals[name], kind, text)
            except (Failed, subprocess.TimeoutExpired) as failed:
                return f"{name} {kind} {text}: {failed}"
    finally:
        for terminal in terminals.values():
            terminal.kill()
    return None
