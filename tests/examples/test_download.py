#!/usr/bin/env python3
"""The downloader of the examples against Python's HTTP server, with and without TLS."""

import functools
import http.server
import os
import pty
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

import program

LARGE = bytes(i % 251 for i in range(3_000_000))


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Download(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.root = os.path.join(place.name, "www")
        self.here = os.path.join(place.name, "here")
        os.mkdir(self.root)
        os.mkdir(self.here)
        self.files = {"large.bin": LARGE, "empty": b"", **{f"{i}.txt": b"%d\n" % i for i in range(30)}}
        for name, data in self.files.items():
            with open(os.path.join(self.root, name), "wb") as out:
                out.write(data)
        self.base = self.serve()

    def serve(self, tls=None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=self.root))
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        return f"{'https' if tls else 'http'}://localhost:{server.server_address[1]}"

    def download(self, *arguments, **options):
        return program.run("download", *arguments, cwd=self.here, **options)

    def expect_files(self, names):
        self.assertEqual(sorted(os.listdir(self.here)), sorted(names))
        for name in names:
            with open(os.path.join(self.here, name), "rb") as got:
                self.assertEqual(got.read(), self.files[name], name)

    def answer(self, *pieces):
        """The base URL of a server that sends these whatever it is asked, and ends."""
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(5)
        self.addCleanup(listener.close)

        def run():
            connection, _ = listener.accept()
            with connection:
                connection.recv(10_000)
                for piece in pieces:
                    connection.sendall(piece)

        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    def test_many(self):
        done = self.download("--at-once", 5, *(f"{self.base}/{name}" for name in self.files))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("large.bin: 3000000 bytes\n", done.stdout)
        self.expect_files(self.files)

    def test_failures_beside_successes(self):
        done = self.download(f"{self.base}/none", f"{self.base}/1.txt", "http://localhost:1/x")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/none: the server says 404\n", done.stderr)
        self.assertIn("http://localhost:1/x: ", done.stderr)
        self.expect_files(["1.txt"])

    def test_answers_that_end_too_early(self):
        for pieces in [(b"",), (b"HTTP/1.1 200 OK\r\n",), (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", b"short"),
                       (b"nonsense\r\n\r\n",), (b"x" * 200_000,)]:
            done = self.download(self.answer(*pieces) + "/file")
            self.assertEqual((done.returncode, done.stdout), (1, ""), pieces[0][:20])
            self.assertEqual(os.listdir(self.here), [])

    def test_answer_without_a_length(self):
        self.files = {"file": b"all of it"}
        done = self.download(self.answer(b"HTTP/1.0 200 OK\r\n\r\n", b"all of ", b"it") + "/file?x=/y")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_server_that_sends_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            done = self.download("--patience", 1, f"http://127.0.0.1:{silent.getsockname()[1]}/x")
        self.assertEqual(done.returncode, 1)
        self.assertIn("timed out", done.stderr.lower())

    def test_bars_at_a_terminal(self):
        master, slave = pty.openpty()
        done = subprocess.run(program.command("download", f"{self.base}/large.bin"), cwd=self.here, stderr=slave,
                              stdout=subprocess.PIPE, timeout=program.PATIENCE)
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"\x1b[J", os.read(master, 10_000))
        os.close(master)
        os.close(slave)
        self.expect_files(["large.bin"])

    def test_wrong_arguments(self):
        for arguments in [(), ("ftp://x/y",), ("http://",), ("http://x:0/",), ("http://x:99999/",), ("http://x/a b",),
                          ("--at-once", 0, "http://x/")]:
            self.assertEqual(self.download(*arguments).returncode, 2, arguments)

    @unittest.skipUnless(shutil.which("openssl"), "there is no openssl to make a certificate")
    def test_tls(self):
        pem, key = os.path.join(self.root, "pem"), os.path.join(self.root, "key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", pem],
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, key)
        base = self.serve(context)
        done = self.download("--ca", pem, f"{base}/large.bin", f"{base}/1.txt")
        if "without OpenSSL" in done.stderr:
            self.skipTest("built without OpenSSL")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.expect_files(["large.bin", "1.txt"])
        done = self.download(f"{base}/2.txt")
        self.assertEqual(done.returncode, 1)
        self.assertIn("certificate", done.stderr)


if __name__ == "__main__":
    program.main("download")
