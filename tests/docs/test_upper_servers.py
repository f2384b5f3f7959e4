#!/usr/bin/env python3
"""The servers of docs/asyncio.md and docs/from-*.md do the same: tusk's, and those of the peers that are installed.

libdill: TUSK_PEER_LIBDILL=<prefix>, or by pkg-config. Each is asked for lines in capitals, shows out
who says nothing, and ends in order.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ.get("TUSK_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ.get("TUSK_BUILD_DIR", SOURCE / "build" / "default")).resolve()
PEERS = SOURCE / "docs" / "peers"
CC = [os.environ.get("TUSK_CC", "cc"), "-O1", "-Wall", "-Wextra", "-Werror"]
# Nothing here takes more than a second or two; it is what ends a test that hangs.
PATIENCE = 50


def package(name):
    """The compiler's options for a library, or None."""
    if not shutil.which("pkg-config"):
        return None
    found = subprocess.run(["pkg-config", "--cflags", "--libs", name], capture_output=True, text=True)
    return found.stdout.split() if found.returncode == 0 else None


def libdill():
    prefix = os.environ.get("TUSK_PEER_LIBDILL")
    return [f"-I{prefix}/include", f"{prefix}/lib/libdill.a", "-pthread"] if prefix else package("libdill")


class Servers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)

    def program(self, name):
        return os.path.join(self.folder.name, name)

    def build(self, name, command):
        done = subprocess.run(command, cwd=self.folder.name, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return self.program(name)

    def compile(self, name, options):
        source = PEERS / f"{name}.c"
        return self.build(name, [*CC, str(source), "-o", self.program(name), *options])

    def start(self, program, patience):
        command = [sys.executable, program] if program.endswith(".py") else [program]
        process = subprocess.Popen([*command, "0", str(patience)], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, int(process.stdout.readline().rsplit(":", 1)[1])

    def connect(self, port):
        client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.addCleanup(client.close)
        return client

    def talk(self, client, text):
        client.sendall(text.encode())
        answer = b""
        while len(answer) < len(text) and (more := client.recv(4096)):
            answer += more
        self.assertEqual(answer.decode(), text.upper())

    def rest(self, client):
        try:
            return client.recv(4096)
        except ConnectionResetError:
            return None

    def check_lines_and_end(self, program, signum):
        """Two clients at once; then a signal ends the program though both are still there."""
        process, port = self.start(program, 30)
        first, second = self.connect(port), self.connect(port)
        self.talk(first, "one\ntwo\n")
        self.talk(second, "three\n")
        self.talk(first, "four\n")
        process.send_signal(signum)
        self.assertEqual(process.wait(timeout=PATIENCE), 0)
        self.assertIn(self.rest(first), (b"", None))

    def check_idle(self, program, farewell):
        process, port = self.start(program, 0.1)
        self.assertIn(self.rest(self.connect(port)), farewell)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=PATIENCE), 0)

    def check(self, program, farewell=(b"bye\n",)):
        self.check_lines_and_end(program, signal.SIGTERM)
        self.check_idle(program, farewell)

    def test_tusk(self):
        program = str(BUILD / "examples" / "upper_server")
        self.check(program)
        done = subprocess.run([program, "99999"], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("upper_server: ", done.stderr)

    @unittest.skipIf(sys.version_info < (3, 11), "asyncio.timeout came with Python 3.11")
    def test_asyncio(self):
        self.check(str(PEERS / "upper.py"))

    def test_threads(self):
        self.check(self.compile("upper_threads", ["-pthread"]))

    def test_libuv(self):
        options = package("libuv")
        if options is None:
            self.skipTest("libuv is not installed (Debian: libuv1-dev)")
        self.check(self.compile("upper_libuv", options))

    def test_libdill(self):
        options = libdill()
        if options is None:
            self.skipTest("no libdill (TUSK_PEER_LIBDILL=<prefix>)")
        # After a deadline it can only reset the connection, and the farewell may be lost.
        self.check(self.compile("upper_libdill", options), (b"bye\n", None))

    def test_go(self):
        if not shutil.which("go"):
            self.skipTest("there is no go")
        self.check(self.build("go", ["go", "build", "-o", self.program("go"), str(PEERS / "upper.go")]))


if __name__ == "__main__":
    if not (BUILD / "examples" / "upper_server").exists():
        print("skipped: the examples are not built")
        sys.exit(77)
    unittest.main()
