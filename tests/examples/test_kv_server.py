#!/usr/bin/env python3
"""The key-value server of the examples against sockets, redis-cli and redis-benchmark."""

import random
import shutil
import subprocess
import time
import unittest

import program
from program import receive


def request(*words):
    """A request as clients send it."""
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def bulk(data):
    return b"$%d\r\n%s\r\n" % (len(data), data)


class KvServer(program.ServerTest):
    name = "kv_server"

    def expect(self, client, sent, answer):
        client.sendall(sent)
        self.assertEqual(receive(client, len(answer)), answer, sent[:100])

    def expect_error(self, client, sent, error):
        """The line of an error."""
        client.sendall(sent)
        line = b""
        while not line.endswith(b"\r\n"):
            line += receive(client, 1)
        self.assertTrue(line.startswith(b"-ERR " + error), line)

    def test_commands(self):
        client = self.connect()
        for words, answer in [
            (("PING",), b"+PONG\r\n"), (("ping", "hello"), bulk(b"hello")), (("ECHO", "hi"), bulk(b"hi")),
            (("GET", "a"), b"$-1\r\n"), (("SET", "a", "one"), b"+OK\r\n"), (("GET", "a"), bulk(b"one")),
            (("SET", "a", "longer than it was"), b"+OK\r\n"), (("GET", "a"), bulk(b"longer than it was")),
            (("SET", "", b"\r\n\0"), b"+OK\r\n"), (("GET", ""), bulk(b"\r\n\0")),
            (("EXISTS", "a", "b", "a"), b":2\r\n"), (("DEL", "a", "b", "a"), b":1\r\n"), (("EXISTS", "a"), b":0\r\n"),
            (("INCR", "n"), b":1\r\n"), (("INCR", "n"), b":2\r\n"), (("GET", "n"), bulk(b"2")),
            (("SET", "n", "-1"), b"+OK\r\n"), (("INCR", "n"), b":0\r\n"),
            (("SET", "n", 2**63 - 2), b"+OK\r\n"), (("INCR", "n"), b":%d\r\n" % (2**63 - 1)),
            (("TTL", "n"), b":-1\r\n"), (("TTL", "none"), b":-2\r\n"), (("EXPIRE", "none", 5), b":0\r\n"),
            (("EXPIRE", "n", 1000), b":1\r\n"), (("TTL", "n"), b":1000\r\n"), (("EXPIRE", "n", -1), b":1\r\n"),
            (("EXISTS", "n"), b":0\r\n"), (("SET", "t", "x", "ex", 500), b"+OK\r\n"), (("TTL", "t"), b":500\r\n"),
            (("SET", "t", "x"), b"+OK\r\n"), (("TTL", "t"), b":-1\r\n"), (("COMMAND", "DOCS"), b"*0\r\n"),
            (("CONFIG", "GET", "save"), b"*2\r\n" + bulk(b"save") + bulk(b"")),
        ]:
            self.expect(client, request(*words), answer)

    def test_expiry(self):
        """Waits for the end of a key, whenever that is, in both ways: asked for, and swept away."""
        client = self.connect()
        self.expect(client, request("SET", "a", "x", "EX", 1), b"+OK\r\n")
        client.sendall(request("GET", "a"))
        while receive(client, 1) != b"$" or receive(client, 1) != b"-":
            receive(client, 5)
            time.sleep(0.05)
            client.sendall(request("GET", "a"))

    def test_errors(self):
        client = self.connect()
        self.expect(client, request("SET", "word", "x"), b"+OK\r\n")
        self.expect(client, request("SET", "most", 2**63 - 1), b"+OK\r\n")
        for words, error in [
            (("NONSENSE", "x"), b"unknown command 'NONSENSE'"), (("GET",), b"wrong number of arguments for 'get' command"),
            (("GET", "a", "b"), b"wrong number of arguments"), (("SET", "a"), b"wrong number of arguments"),
            (("SET", "a", "b", "XX"), b"syntax error"), (("SET", "a", "b", "EX"), b"syntax error"),
            (("SET", "a", "b", "EX", 0), b"invalid expire time"), (("SET", "a", "b", "EX", "x"), b"value is not an integer"),
            (("INCR", "word"), b"value is not an integer"), (("INCR", "most"), b"increment or decrement would overflow"),
            (("EXPIRE", "a", " 1"), b"value is not an integer"), (("x" * 1000,), b"unknown command 'xxx"),
            ((b"\r\n-ERR",), b"unknown command"),
        ]:
            self.expect_error(client, request(*words), error)
        self.expect(client, request("EXISTS", "a"), b":0\r\n")

    def test_nonsense_ends_the_connection(self):
        for sent, error in [(b"*x\r\n", b"Protocol error: invalid multibulk length"),
                            (b"*99999999999999999999\r\n", b"Protocol error: invalid multibulk length"),
                            (b"*1\r\n:1\r\n", b"Protocol error: expected '$'"),
                            (b"*1\r\n$-1\r\n", b"Protocol error: invalid bulk length"),
                            (b"*1\r\n$999999999\r\n", b"Protocol error: invalid bulk length"),
                            (b"x" * 70_000, b"Protocol error: too big inline request")]:
            client = self.connect()
            self.expect_error(client, sent, error)
            self.assertEqual(receive_rest(client), b"")

    def test_quit(self):
        client = self.connect()
        client.sendall(request("QUIT") + request("PING"))
        self.assertEqual(receive_rest(client), b"+OK\r\n")

    def test_inline(self):
        client = self.connect()
        self.expect(client, b"\r\n  set  a\tb \r\nGET a\nping\r\n", b"+OK\r\n" + bulk(b"b") + b"+PONG\r\n")

    def test_any_pieces(self):
        """Requests that come cut anywhere."""
        seed = random.randrange(2**32)
        dice = random.Random(seed)
        client = self.connect()
        sent = b"".join(request("SET", i, "v" * (i % 50)) + request("GET", i) for i in range(100))
        answers = b"".join(b"+OK\r\n" + bulk(b"v" * (i % 50)) for i in range(100))
        while sent:
            size = dice.randrange(1, 200)
            client.sendall(sent[:size])
            sent = sent[size:]
        self.assertEqual(receive(client, len(answers)), answers, f"seed {seed}")

    def test_large_values(self):
        client = self.connect()
        value = bytes(i % 251 for i in range(3_000_000))
        self.expect(client, request("SET", "large", value), b"+OK\r\n")
        self.expect(client, request("GET", "large"), bulk(value))

    def test_value_changes_while_it_is_sent(self):
        reader, writer = self.connect(), self.connect()
        self.expect(writer, request("SET", "large", b"a" * 8_000_000), b"+OK\r\n")
        reader.sendall(request("GET", "large"))
        self.assertEqual(receive(reader, 1), b"$")
        self.expect(writer, request("SET", "large", b"b" * 8_000_000) + request("DEL", "large"), b"+OK\r\n:1\r\n")
        self.assertEqual(receive(reader, 8_000_000 + 11)[9:], b"a" * 8_000_000 + b"\r\n")

    def test_many_keys(self):
        """The table grows several times."""
        client = self.connect()
        for first in range(0, 20_000, 1000):
            keys = range(first, first + 1000)
            self.expect(client, b"".join(request("SET", f"key:{i}", i) for i in keys), b"+OK\r\n" * 1000)
        for i in range(0, 20_000, 1000):
            keys = range(i, i + 1000)
            self.expect(client, b"".join(request("GET", f"key:{i}") for i in keys),
                        b"".join(bulk(b"%d" % i) for i in keys))
        for i in range(0, 20_000, 200):
            self.expect(client, request("DEL", *(f"key:{i + j}" for j in range(200))), b":200\r\n")

    def test_slow_client_holds_nobody_up(self):
        slow, other = self.connect(), self.connect()
        self.expect(other, request("SET", "large", b"x" * 1_000_000), b"+OK\r\n")
        slow.setblocking(False)
        try:
            while True:
                slow.send(request("GET", "large") * 100)
        except BlockingIOError:
            pass
        self.expect(other, request("PING"), b"+PONG\r\n")

    @unittest.skipUnless(shutil.which("redis-cli"), "there is no redis-cli")
    def test_redis_cli(self):
        lines = "set dish soup\nget dish\nincr n\nttl dish\nget\nnonsense\n"
        done = subprocess.run(["redis-cli", "-p", str(self.server.port)], input=lines, capture_output=True, text=True,
                              timeout=program.PATIENCE)
        self.assertEqual(done.stdout.split("\n"),
                         ["OK", "soup", "1", "-1", "ERR wrong number of arguments for 'get' command", "",
                          "ERR unknown command 'nonsense'", "", ""])

    @unittest.skipUnless(shutil.which("redis-benchmark"), "there is no redis-benchmark")
    def test_redis_benchmark(self):
        for pipeline in ("1", "16"):
            done = subprocess.run(["redis-benchmark", "-p", str(self.server.port), "-n", "2000", "-r", "1000", "-c", "20",
                                   "-t", "ping,set,get,incr", "-P", pipeline, "--csv"],
                                  capture_output=True, text=True, timeout=program.PATIENCE)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(done.stdout.count("\n"), 6, done.stdout)


def receive_rest(client):
    """All until the end; a server that closes with unread data resets the connection."""
    try:
        return receive(client)
    except ConnectionResetError:
        return b""


class Arguments(unittest.TestCase):
    def test_help(self):
        done = program.run("kv_server", "--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("--port PORT", done.stdout)

    def test_wrong_arguments(self):
        for arguments in (["--port", "x"], ["--port", "65536"], ["--nonsense"], ["nonsense"]):
            done = program.run("kv_server", *arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertNotEqual(done.stderr, "")


if __name__ == "__main__":
    program.main("kv_server")
