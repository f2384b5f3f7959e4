"""An example that runs, for the tests of the examples."""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

BUILD_DIR = os.environ.get("TUSK_BUILD_DIR", "build")
WRAPPER = os.environ.get("TUSK_TEST_WRAPPER", "").split()
# Nothing here takes a second; it is what ends a test that hangs.
PATIENCE = 50


def path(name):
    return os.path.join(BUILD_DIR, "examples", name)


def command(name, *arguments):
    return [*WRAPPER, path(name), *map(str, arguments)]


def run(name, *arguments, **options):
    """Runs it to its end."""
    return subprocess.run(command(name, *arguments), capture_output=True, text=True, timeout=PATIENCE, **options)


class Program:
    """A program in the background, whose lines are there as they come: expect()."""

    def __init__(self, name, *arguments, **options):
        self.process = subprocess.Popen(command(name, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, **options)
        self.lines = queue.Queue()
        self.errors = []
        self.threads = [threading.Thread(target=self._read_lines), threading.Thread(target=self._read_errors)]
        for thread in self.threads:
            thread.start()

    def _read_lines(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def _read_errors(self):
        self.errors.append(self.process.stderr.read())

    def line(self):
        line = self.lines.get(timeout=PATIENCE)
        if line is None:
            raise EOFError("the program has ended: %s, %s" % self.wait())
        return line

    def expect(self, words):
        """The next line that has these words."""
        while words not in (line := self.line()):
            pass
        return line

    def send_signal(self, signum):
        # ThreadSanitizer keeps a signal for the task in which it came, until that one runs again. So all are to wait.
        if os.environ.get("TUSK_SANITIZE") == "thread":
            time.sleep(0.3)
        self.process.send_signal(signum)

    def wait(self):
        """The exit status, and what was written to standard error."""
        try:
            self.process.wait(timeout=PATIENCE)
        finally:
            self.process.kill()
            for thread in self.threads:
                thread.join()
            self.process.stdout.close()
            self.process.stderr.close()
        return self.process.returncode, "".join(self.errors)

    def interrupt(self):
        if self.process.poll() is None:
            self.send_signal(signal.SIGINT)
        return self.wait()


class Server(Program):
    """One that says where it serves."""

    def __init__(self, name, *arguments, **options):
        super().__init__(name, *arguments, **options)
        self.port = int(self.expect("serving on ").rsplit(":", 1)[1])

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)


class ServerTest(unittest.TestCase):
    """setUp starts the server `name` with `arguments`; at the end one Ctrl-C must end it without a word."""

    name = None
    arguments = ()

    def setUp(self):
        self.server = Server(self.name, "--port", 0, *self.arguments)
        self.addCleanup(lambda: self.assertEqual(self.server.interrupt(), (0, "")))

    def connect(self):
        client = self.server.connect()
        self.addCleanup(client.close)
        return client


def receive(client, size=None):
    """So many bytes, or all until the end."""
    data = b""
    while (size is None or len(data) < size) and (more := client.recv(65536 if size is None else size - len(data))):
        data += more
    return data


def main(name):
    if not os.path.exists(path(name)):
        print(f"there is no {path(name)}")
        sys.exit(77)
    unittest.main()
