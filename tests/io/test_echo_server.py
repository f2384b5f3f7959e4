#!/usr/bin/env python3
"""The echo server of the examples against clients that are not tusk's: Python's sockets, and curl if it is there."""

import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import unittest

PROGRAM = os.path.join(os.environ.get("TUSK_BUILD_DIR", "build"), "examples/echo_server")
COMMAND = os.environ.get("TUSK_TEST_WRAPPER", "").split() + [PROGRAM]
# Nothing here takes a second; it is what ends a test that hangs.
PATIENCE = 50


class EchoServer(unittest.TestCase):
    def setUp(self):
        self.start()

    def start(self, **options):
        self.process = subprocess.Popen([*COMMAND, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
        self.address = self.process.stdout.readline().split()[-1]
        self.port = int(self.address.split(":")[-1])

    def tearDown(self):
        errors = self.stop()
        self.assertEqual(errors, "")

    def stop(self):
        """One Ctrl-C ends it, whoever is connected. What it wrote to standard error."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=PATIENCE)
        self.assertEqual(self.process.returncode, 0)
        return errors

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def expect_echo(self, client, data=b"hello"):
        client.sendall(data)
        self.assertEqual(self.receive(client, len(data)), data)

    def receive(self, client, size):
        data = b""
        while len(data) < size and (more := client.recv(65536)):
            data += more
        return data

    def test_words(self):
        with self.connect() as client:
            for i in range(100):
                self.expect_echo(client, b"word %d" % i)

    def test_half_close(self):
        with self.connect() as client:
            client.sendall(b"the end")
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(self.receive(client, 100), b"the end")

    def test_much(self):
        """More than fits anywhere, so both sides must read and write at a time."""
        data = bytes(i * 31 % 251 for i in range(251)) * 40_000
        with self.connect() as client:
            writer = threading.Thread(target=client.sendall, args=(data,))
            writer.start()
            self.assertEqual(self.receive(client, len(data)), data)
            writer.join()

    def test_many_clients(self):
        clients = [self.connect() for _ in range(300)]
        for client in clients:
            client.sendall(b"x")
        for client in clients:
            self.assertEqual(client.recv(1), b"x")
        for client in clients:
            client.close()

    def test_resets(self):
        for i in range(50):
            client = self.connect()
            if i % 2:
                client.sendall(b"x" * 100_000)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        with self.connect() as client:
            self.expect_echo(client)

    def test_interrupt_with_idle_client(self):
        with self.connect() as client:
            self.expect_echo(client)
            self.assertEqual(self.stop(), "")

    def test_interrupt_with_stuck_client(self):
        """It has much to send to someone who does not read."""
        with self.connect() as client:
            client.setblocking(False)
            try:
                while True:
                    client.send(b"x" * 100_000)
            except BlockingIOError:
                pass
            self.assertEqual(self.stop(), "")

    def test_port_in_use(self):
        done = subprocess.run([*COMMAND, "--port", str(self.port)], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"cannot listen on 127.0.0.1:{self.port}", done.stderr)

    @unittest.skipIf(len(COMMAND) > 1, "what runs the program needs descriptors of its own")
    def test_out_of_descriptors(self):
        """It says so once, serves those it has, and the others when there is room."""
        self.stop()
        self.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32)))
        clients = [self.connect() for _ in range(40)]
        self.expect_echo(clients[0])
        for client in clients[:20]:
            client.close()
        self.expect_echo(clients[39])
        for client in clients[20:]:
            client.close()
        errors = self.stop()
        self.assertEqual(errors.count("out of system resource"), 1, errors)
        self.start()

    @unittest.skipUnless(shutil.which("curl"), "there is no curl")
    def test_curl(self):
        done = subprocess.run(
            ["curl", "--silent", "--no-buffer", "--http0.9", "--max-time", "1", f"http://{self.address}/path"],
            capture_output=True, timeout=PATIENCE)
        self.assertTrue(done.stdout.startswith(b"GET /path HTTP/1.1\r\n"), done.stdout)


if __name__ == "__main__":
    if not os.path.exists(PROGRAM):
        print(f"there is no {PROGRAM}")
        sys.exit(77)
    unittest.main()
