#!/usr/bin/env python3
"""The file server of the examples against sockets, Python's http.client and curl."""

import http.client
import os
import random
import shutil
import subprocess
import tempfile
import time
import unittest

import program
from program import receive

LARGE = bytes(i % 251 for i in range(5_000_000))


class Site(program.ServerTest):
    """A server and its files."""

    name = "file_server"
    patience = 50

    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.root = os.path.join(place.name, "www")
        os.makedirs(os.path.join(self.root, "folder"))
        self.write("index.html", b"<h1>the front</h1>")
        self.write("small.txt", b"some words\n")
        self.write("two words.css", b"a {}")
        self.write("empty", b"")
        self.write("large.bin", LARGE)
        self.write("folder/index.html", b"inside")
        self.write("../secret", b"the secret")
        self.write("../www-secret", b"the secret")
        os.symlink("../secret", os.path.join(self.root, "out"))
        os.symlink("..", os.path.join(self.root, "up"))
        os.symlink("small.txt", os.path.join(self.root, "in"))
        os.mkfifo(os.path.join(self.root, "pipe"))
        self.arguments = ("--root", self.root, "--patience", self.patience)
        super().setUp()

    def write(self, name, data):
        with open(os.path.join(self.root, name), "wb") as out:
            out.write(data)

    def ask(self, method, path, connection=None, body=None):
        connection = connection or http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=program.PATIENCE)
        self.addCleanup(connection.close)
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer, answer.read()

    def expect(self, path, status, body=None, connection=None):
        answer, got = self.ask("GET", path, connection)
        self.assertEqual(answer.status, status, path)
        if body is not None:
            self.assertEqual(got, body)
        self.assertNotIn(b"the secret", got)
        return answer

    def talk(self, sent):
        """Sends raw bytes, and returns all that comes until the server closes."""
        client = self.connect()
        client.sendall(sent)
        try:
            return receive(client)
        except ConnectionResetError:
            return b""


class FileServer(Site):
    def test_files(self):
        for path, body, kind in [("/", b"<h1>the front</h1>", "text/html; charset=utf-8"),
                                 ("/small.txt", b"some words\n", "text/plain; charset=utf-8"),
                                 ("/small.txt?a=b/../..", b"some words\n", "text/plain; charset=utf-8"),
                                 ("/two%20words.css", b"a {}", "text/css"), ("/empty", b"", "application/octet-stream"),
                                 ("/folder/", b"inside", "text/html; charset=utf-8"), ("/in", b"some words\n", None),
                                 ("/large.bin", LARGE, "application/octet-stream")]:
            for _ in range(2):
                answer = self.expect(path, 200, body)
                self.assertEqual(answer.getheader("Content-Length"), str(len(body)))
                if kind:
                    self.assertEqual(answer.getheader("Content-Type"), kind)

    def test_head(self):
        for path, size in [("/small.txt", 11), ("/large.bin", len(LARGE)), ("/small.txt", 11)]:
            answer, body = self.ask("HEAD", path)
            self.assertEqual((answer.status, body, answer.getheader("Content-Length")), (200, b"", str(size)))
        answer, body = self.ask("HEAD", "/none")
        self.assertEqual((answer.status, body), (404, b""))

    def test_not_there(self):
        for path in ["/none", "/folder", "/folder/none", "/small.txt/", "/pipe", "/%2e%2e%2e/x"]:
            self.expect(path, 404)

    def test_forbidden(self):
        for path in ["/../secret", "/folder/../../secret", "/%2e%2e/secret", "/..%2fsecret", "/out", "/up/secret",
                     "/up/www-secret", "/..", "/../none"]:
            self.expect(path, 403)
        self.write("private", b"")
        os.chmod(os.path.join(self.root, "private"), 0)
        if os.geteuid() != 0:
            self.expect("/private", 403)

    def test_bad_requests(self):
        for path in ["/%", "/%2", "/%zz", "/a%00b", "*", "no-slash"]:
            self.expect(path, 400)
        self.expect("/" + "x" * 3000, 414)
        for sent in [b"nonsense\r\n\r\n", b"GET / HTTP/9.9.9\r\n\r\n", b"\0" * 100, b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
                     b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"GET /" + b"x" * 200_000]:
            got = self.talk(sent)
            self.assertTrue(got.startswith(b"HTTP/1.1 4") or got == b"", got[:100])
        self.expect("/", 200)

    def test_other_methods(self):
        for method in ["POST", "PUT", "DELETE", "OPTIONS"]:
            answer, _ = self.ask(method, "/small.txt", body=b"x" * 10_000)
            self.assertEqual((answer.status, answer.getheader("Allow")), (405, "GET, HEAD"))

    def test_keep_alive(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=program.PATIENCE)
        for _ in range(20):
            self.expect("/small.txt", 200, b"some words\n", connection)
            self.expect("/none", 404, None, connection)
            self.expect("/large.bin", 200, LARGE, connection)
            self.assertEqual(self.ask("POST", "/", connection, b"body")[0].status, 405)

    def test_close(self):
        for sent in [b"GET /small.txt HTTP/1.0\r\n\r\n", b"GET /small.txt HTTP/1.1\r\nConnection: close\r\n\r\n"]:
            head, body = self.talk(sent).split(b"\r\n\r\n", 1)
            self.assertTrue(head.endswith(b"Connection: close"), head)
            self.assertEqual(body, b"some words\n")

    def test_pipelined_in_any_pieces(self):
        seed = random.randrange(2**32)
        dice = random.Random(seed)
        paths = [dice.choice([b"/small.txt", b"/", b"/large.bin", b"/none"]) for _ in range(20)]
        sent = b"".join(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in paths)
        sent += b"GET /empty HTTP/1.1\r\nConnection: close\r\n\r\n"
        client = self.connect()
        while sent:
            size = dice.randrange(1, 300)
            client.sendall(sent[:size])
            sent = sent[size:]
        got = receive(client)
        for path in paths:
            head, got = got.split(b"\r\n\r\n", 1)
            size = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            self.assertEqual(head.split()[1], b"404" if path == b"/none" else b"200", f"seed {seed}")
            if path == b"/large.bin":
                self.assertEqual(got[:size], LARGE)
            got = got[size:]
        self.assertEqual(got.count(b"HTTP/1.1"), 1)

    def test_upgrade_is_ignored(self):
        got = self.talk(b"GET /small.txt HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
                        b"GET /small.txt HTTP/1.1\r\nConnection: close\r\n\r\n")
        self.assertEqual(got.count(b"some words"), 2)

    def test_changed_file(self):
        """Open files are kept for a second, so one that takes another's place is found soon."""
        self.expect("/small.txt", 200, b"some words\n")
        self.write("new", b"others")
        os.replace(os.path.join(self.root, "new"), os.path.join(self.root, "small.txt"))
        while self.ask("GET", "/small.txt")[1] != b"others":
            pass

    def test_client_that_does_not_read_holds_nobody_up(self):
        stuck = self.connect()
        stuck.sendall(b"GET /large.bin HTTP/1.1\r\n\r\n" * 10)
        self.expect("/large.bin", 200, LARGE)

    def test_file_that_shrinks(self):
        """Its answer cannot be completed, so the connection is cut off, and the next one is right."""
        self.expect("/large.bin", 200, LARGE)
        os.truncate(os.path.join(self.root, "large.bin"), 10)
        while True:
            try:
                self.expect("/large.bin", 200, LARGE[:10])
                break
            except (ConnectionResetError, http.client.IncompleteRead):
                pass

    @unittest.skipUnless(shutil.which("curl"), "there is no curl")
    def test_curl(self):
        base = f"http://127.0.0.1:{self.server.port}"
        done = subprocess.run(["curl", "-s", "-w", "%{http_code} %{num_connects}\n", "--path-as-is", f"{base}/small.txt",
                               f"{base}/../secret", f"{base}/small.txt"], capture_output=True, timeout=program.PATIENCE)
        self.assertEqual(done.stdout, b"some words\n200 1\n403 Forbidden\n403 0\nsome words\n200 0\n")


class Impatient(Site):
    """Clients that take too long are cut off, whatever they do."""

    patience = 1

    def test_half_a_request(self):
        client = self.connect()
        client.sendall(b"GET / HT")
        self.assertRaises(ConnectionResetError, receive, client)

    def test_a_byte_now_and_then(self):
        client = self.connect()
        client.settimeout(0.1)
        with self.assertRaises((ConnectionResetError, BrokenPipeError)):
            while True:
                client.sendall(b"G")
                try:
                    client.recv(1)
                except TimeoutError:
                    pass

    def test_nobody_reads(self):
        client = self.connect()
        client.sendall(b"GET /large.bin HTTP/1.1\r\n\r\n" * 20)
        # The server's end is gone when it does not take what is sent any more.
        with self.assertRaises((ConnectionResetError, BrokenPipeError)):
            while True:
                time.sleep(0.1)
                client.sendall(b"GET")


if __name__ == "__main__":
    program.main("file_server")
