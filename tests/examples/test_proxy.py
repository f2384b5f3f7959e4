#!/usr/bin/env python3
"""The proxy of the examples, between Python's sockets, Python's TLS and openssl's client."""

import os
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import unittest

import program
from program import receive

MUCH = bytes(i * 31 % 251 for i in range(251)) * 20_000


class Proxy(unittest.TestCase):
    def setUp(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(program.PATIENCE)
        self.addCleanup(self.listener.close)

    def start(self, *options):
        self.proxy = program.Server("proxy", *options, 0, f"localhost:{self.listener.getsockname()[1]}")
        self.expected_errors = ""
        self.addCleanup(lambda: self.assertEqual(self.proxy.interrupt(), (0, self.expected_errors)))

    def pair(self):
        """A client of the proxy, and the server's side of its connection."""
        client = self.proxy.connect()
        self.addCleanup(client.close)
        server, _ = self.listener.accept()
        server.settimeout(program.PATIENCE)
        self.addCleanup(server.close)
        return client, server

    def exchange(self, client, server):
        client.sendall(b"question")
        self.assertEqual(receive(server, 8), b"question")
        server.sendall(b"answer")
        self.assertEqual(receive(client, 6), b"answer")

    def test_plain(self):
        self.start()
        self.exchange(*self.pair())

    def test_half_close(self):
        """Each side ends in its own time, and all that was sent arrives."""
        self.start()
        for first, second in [(0, 1), (1, 0)]:
            ends = self.pair()
            one, other = ends[first], ends[second]
            writer = threading.Thread(target=lambda: (one.sendall(MUCH), one.shutdown(socket.SHUT_WR)))
            writer.start()
            self.assertEqual(receive(other), MUCH)
            writer.join()
            other.sendall(b"and now I")
            other.close()
            self.assertEqual(receive(one), b"and now I")

    def test_reset_is_passed_on(self):
        self.start()
        client, server = self.pair()
        self.exchange(client, server)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        self.assertRaises(ConnectionResetError, receive, client)
        self.exchange(*self.pair())

    def test_nobody_there(self):
        self.start()
        self.listener.close()
        client = self.proxy.connect()
        self.addCleanup(client.close)
        with self.assertRaises(ConnectionResetError):
            receive(client)
        status, errors = self.proxy.interrupt()
        self.assertEqual(status, 0)
        self.assertIn("proxy: 127.0.0.1:", errors)
        self.expected_errors = errors

    def test_idle_client_at_the_end(self):
        self.start()
        self.exchange(*self.pair())
        self.assertEqual(self.proxy.interrupt(), (0, ""))

    def test_arguments(self):
        for arguments in [(), (0,), (0, "nothing"), ("x", "localhost:1"), (0, "localhost:x"), ("--nonsense",)]:
            self.assertEqual(program.run("proxy", *arguments).returncode, 2, arguments)
        done = program.run("proxy", "--cert", "/nowhere", 0, "localhost:1")
        self.assertEqual(done.returncode, 1)
        self.assertNotEqual(done.stderr, "")


@unittest.skipUnless(shutil.which("openssl"), "there is no openssl")
class Tls(Proxy):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.place.cleanup)
        cls.pem = os.path.join(cls.place.name, "pem")
        key = os.path.join(cls.place.name, "key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cls.pem],
                       check=True, capture_output=True)
        with open(key, encoding="ascii") as lines, open(cls.pem, "a", encoding="ascii") as out:
            out.write(lines.read())

    def start(self, *options):
        try:
            super().start(*options)
        except EOFError as error:
            if "without OpenSSL" in str(error):
                self.skipTest("built without OpenSSL")
            raise

    def trusting(self):
        return ssl.create_default_context(cafile=self.pem)

    def test_clients_speak_tls(self):
        self.start("--cert", self.pem)
        # Python's handshake needs the proxy only, so the server's side may be looked at later.
        with self.trusting().wrap_socket(self.proxy.connect(), server_hostname="localhost") as client:
            server, _ = self.listener.accept()
            with server:
                self.exchange(client, server)
                server.sendall(MUCH)
                server.shutdown(socket.SHUT_WR)
                self.assertEqual(receive(client), MUCH)

    def accept_tls(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem)
        return context.wrap_socket(self.listener.accept()[0], server_side=True)

    def test_server_speaks_tls(self):
        self.start("--tls", "yes", "--ca", self.pem)
        with self.proxy.connect() as client, self.accept_tls() as server:
            self.exchange(client, server)
            client.sendall(MUCH)
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(receive(server), MUCH)

    def test_server_that_nobody_trusts(self):
        self.start("--tls", "yes")
        with self.proxy.connect() as client:
            self.assertRaises(ssl.SSLError, self.accept_tls)
            self.assertRaises(ConnectionResetError, receive, client)
        status, self.expected_errors = self.proxy.interrupt()
        self.assertIn("certificate", self.expected_errors)

    def test_openssl_client(self):
        self.start("--cert", self.pem)
        with subprocess.Popen(["openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile", self.pem, "-connect",
                               f"localhost:{self.proxy.port}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as client:
            server, _ = self.listener.accept()
            with server:
                client.stdin.write(b"hello\n")
                client.stdin.flush()
                self.assertEqual(receive(server, 6), b"hello\n")
                server.sendall(b"you too\n")
                self.assertEqual(client.stdout.readline(), b"you too\n")
            client.communicate(timeout=program.PATIENCE)


# What is inherited is run once.
for name in [name for name in vars(Proxy) if name.startswith("test_")]:
    setattr(Tls, name, None)


if __name__ == "__main__":
    program.main("proxy")
