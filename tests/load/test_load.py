#!/usr/bin/env python3
"""The load benchmark: its client knows right answers from wrong ones, its counts are exact,
and what it says of goals follows from the numbers."""

import contextlib
import http.server
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = os.environ.get("TUSK_SOURCE_DIR") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.environ.get("TUSK_BUILD_DIR") or os.path.join(ROOT, "build", "default")
PROGRAMS = os.path.join(BUILD, "bench", "load")
sys.path.insert(0, os.path.join(ROOT, "bench", "load"))
sys.dont_write_bytecode = True

SHORT = ["--warm-up", "0"]


def run(program, *words, text=None):
    command = [os.path.join(PROGRAMS, program), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, input=text, timeout=50)
    return done.returncode, done.stdout, done.stderr


class Case(unittest.TestCase):
    def port_of(self, handle):
        """A server that runs handle(connection) for each connection, in a thread of its own."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=guarded, args=(connection,), daemon=True).start()

        def guarded(connection):
            with connection, contextlib.suppress(OSError):
                handle(connection)

        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1]

    def floor(self, program="floor_epoll"):
        """Starts an echo server of ours; returns its port and process."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = subprocess.Popen([os.path.join(PROGRAMS, program), "--port", str(port)], stderr=subprocess.PIPE)
        self.addCleanup(server.stderr.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        while server.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                return port, server
            time.sleep(0.01)
        self.skipTest(server.stderr.read().decode().strip())

    def load(self, port, *words):
        status, out, err = run("client", "--port", port, *SHORT, *words)
        self.assertEqual((status, err), (0, ""))
        return json.loads(out)

    def assert_refused(self, message, port, *words):
        status, out, err = run("client", "--port", port, *SHORT, *words)
        self.assertEqual((status, out), (1, ""))
        self.assertIn(message, err)


class Client(Case):
    def test_all_requests_are_made_and_answered(self):
        for program in ("floor_epoll", "floor_uring", "tusk_echo"):
            if not os.path.exists(os.path.join(PROGRAMS, program)):
                continue
            port, server = self.floor(program)
            for size in (1, 64, 16384, 100000):
                for connections in (1, 50):
                    with self.subTest(program=program, size=size, connections=connections):
                        told = self.load(port, "--size", size, "--connections", connections, "--requests", 300)
                        self.assertEqual(told["requests"], 300)
            self.assertIsNone(server.poll())

    def test_fewer_requests_than_connections(self):
        self.assertEqual(self.load(self.floor()[0], "--requests", 3)["requests"], 3)

    def test_measures_with_and_without_idle_connections(self):
        told = self.load(self.floor()[0], "--connections", 5, "--idle", 50, "--requests", 20)
        self.assertEqual((told["idle"], told["requests"], told["alone"]["requests"]), (50, 20, 20))

    def test_stops_at_its_marks(self):
        words = ["--port", self.floor()[0], "--step", "--idle", 2, "--requests", 10]
        status, out, err = run("client", *words, text="\n" * 5)
        marks = [line for line in out.splitlines() if line.startswith("mark ")]
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(marks, ["mark " + name for name in ("warm", "measured", "opened", "warm", "measured")])
        status, _, err = run("client", *words, text="\n")
        self.assertEqual((status, err), (1, "standard input has ended at the mark 'measured'\n"))

    def test_a_changed_byte(self):
        def flip(connection):
            count = 0
            while data := connection.recv(65536):
                count += 1
                connection.sendall(data if count < 5 else bytes([data[0] ^ 1]) + data[1:])

        self.assert_refused("a wrong answer", self.port_of(flip), "--connections", 1, "--requests", 100)

    def test_answers_swapped_between_connections(self):
        waiting = []

        def swap(connection):
            connection.sendall(connection.recv(64))
            waiting.append((connection, connection.recv(64)))
            if len(waiting) == 2:
                (one, first), (other, second) = waiting
                one.sendall(second)
                other.sendall(first)
            connection.recv(64)

        self.assert_refused("a wrong answer", self.port_of(swap), "--connections", 2, "--requests", 100)

    def test_more_than_was_asked_for(self):
        def double(connection):
            connection.sendall(connection.recv(64))
            while data := connection.recv(64):
                connection.sendall(data + b"x")

        self.assert_refused("longer than 64 bytes", self.port_of(double), "--requests", 100)

    def test_a_closed_connection(self):
        def close(connection):
            connection.sendall(connection.recv(64))
            connection.recv(64)

        self.assert_refused("the server closed a connection", self.port_of(close), "--requests", 100)

    def test_nobody_there(self):
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            self.assert_refused("Connection refused", nobody.getsockname()[1])

    def test_bad_arguments(self):
        for words in (["--port", "0"], ["--port", "1", "--size", "x"], ["--port", "1", "--idle", "1.5"],
                      ["--port", "1", "--seconds", "nan"], ["--size", "1"], ["--port", "1", "what"], ["--what"]):
            with self.subTest(words=words):
                status, out, err = run("client", *words)
                self.assertEqual((status, out), (1, ""))
                self.assertNotEqual(err, "")

    def test_http(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            asked = []

            def do_GET(self):
                self.asked.append(self.path)
                self.send_response(200 if len(self.asked) <= 30 else 404)
                self.send_header("Content-Length", "4096")
                self.end_headers()
                self.wfile.write(b"x" * 4096)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                """The client ends with a reset."""

        server = Server(("127.0.0.1", 0), Handler)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        words = ["--http", "/f", "--files", 3, "--connections", 2, "--requests", 20]
        self.assertEqual(self.load(server.server_port, *words)["requests"], 20)
        self.assertEqual(set(Handler.asked), {"/f0", "/f1", "/f2"})
        self.assert_refused("a wrong answer", server.server_port, *words)


class Programs(Case):
    def test_all_have_help(self):
        for name in ("client", "calls", "floor_epoll", "floor_uring", "tusk_echo"):
            if os.path.exists(os.path.join(PROGRAMS, name)):
                status, out, err = run(name, "--help")
                self.assertEqual((status, err), (0, ""))
                self.assertIn("usage: ", out)

    def count(self, method, requests):
        """The system calls that the floor makes for one connection's requests."""
        port, server = self.floor()
        command = [os.path.join(PROGRAMS, "client"), "--port", str(port), *SHORT, "--step", "--connections", "1",
                   "--requests", str(requests)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
            client.stdout.readline()
            words = [os.path.join(PROGRAMS, "calls"), "--pid", str(server.pid), "--method", method]
            with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True) as counter:
                begun = counter.stdout.readline()
                client.stdin.write("\n")
                client.stdin.flush()
                client.stdout.readline()
                out, err = counter.communicate("\n" if begun else "")
            client.communicate("\n")
        if not begun:
            self.skipTest(err.strip())
        self.assertIsNone(server.poll())
        return json.loads(out)

    def check_counts(self, method):
        counts = self.count(method, 500)
        self.assertEqual(counts["method"], method)
        self.assertEqual((counts["calls"]["read"], counts["calls"]["write"]), (500, 500))
        self.assertEqual(counts["all"], sum(counts["calls"].values()))

    def test_calls_by_trace(self):
        self.check_counts("trace")

    def test_calls_by_ptrace(self):
        self.check_counts("ptrace")

    def test_calls_of_nobody(self):
        status, _, err = run("calls", "--pid", 2**22 + 1)
        self.assertEqual(status, 1)
        self.assertIn("No such", err)


class Report(unittest.TestCase):
    """Numbers in, goals out."""

    def results(self, case_name, **values):
        import cases
        import peers
        import report

        known = {peer.name: peer for peer in peers.all_peers(BUILD)}
        results = report.Results(next(case for case in cases.CASES if case.name == case_name))
        for name, runs in values.items():
            for run_values in runs:
                every = {column.key: 1.0 for column in results.case.load.columns}
                results.add(known[name], {**every, **run_values})
        return results

    def lines(self, results):
        import report

        with contextlib.redirect_stdout(io.StringIO()) as out:
            report.print_table(results)
        return [line.strip() for line in out.getvalue().splitlines()]

    def goals(self, results):
        return [line.rpartition(", ")[2] for line in self.lines(results) if line.startswith("goal: ")]

    def test_ratio_is_that_within_the_rounds(self):
        floor = [{"rate": rate} for rate in (100, 200, 300)]
        tusk = [{"rate": rate, "user": 0.2} for rate in (99, 198, 30)]
        results = self.results("echo64", floor_epoll=floor, tusk=tusk, go=[{"rate": 50}] * 3)
        self.assertAlmostEqual(results.ratio("tusk", "floor_epoll", "rate"), 0.99)
        self.assertEqual(self.goals(results), ["met", "met", "met"])

    def test_a_better_peer(self):
        results = self.results("echo64", floor_epoll=[{"rate": 100}], tusk=[{"rate": 94, "user": 0.26}],
                               go=[{"rate": 95}], libuv=[{"rate": 90}])
        self.assertEqual(self.goals(results), ["MISSED"] * 3)
        self.assertTrue(any("every peer (go" in line for line in self.lines(results)))

    def test_counts_are_judged_as_printed(self):
        good = self.results("calls", tusk=[{"reads": 1.004, "writes": 1, "others": 0.05}])
        bad = self.results("calls", tusk=[{"reads": 1.006, "writes": 2, "others": 0.06}])
        self.assertEqual(self.goals(good), ["met"] * 3)
        self.assertEqual(self.goals(bad), ["MISSED"] * 3)

    def test_without_tusk(self):
        lines = self.lines(self.results("files", nginx=[{"rate": 5}]))
        self.assertEqual(lines[-1], "goal: requests/s at least nginx (that is 5.00): tusk not measured")

    def test_a_failed_peer_has_no_numbers(self):
        results = self.results("echo64", floor_epoll=[{"rate": 100}], go=[{"rate": 1000}])
        results.fail(results.peers["go"], "it broke")
        self.assertIsNone(results.best_rival("rate"))
        self.assertTrue(any(line.endswith("failed: it broke") for line in self.lines(results)))

    def test_results_are_merged(self):
        import report

        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "results.json")
            with open(path, "w", encoding="utf-8") as out:
                out.write('{"name": "spawn"}\n{"name": "old", "load": "files"}\n{"name": "kept", "load": "kv"}\n')
            report.write_results(path, [self.results("files", nginx=[{"rate": 5}, {"rate": 7}])])
            with open(path, encoding="utf-8") as text:
                lines = [json.loads(line) for line in text]
        names = [line["name"] for line in lines]
        self.assertEqual(names[:2], ["spawn", "kept"])
        self.assertNotIn("old", names)
        rate = next(line for line in lines if line["name"] == "load/files/rate")
        self.assertEqual((rate["median"], rate["min"], rate["runs"]), (6, 5, 2))


class Runner(Case):
    def test_runs_the_floors(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "results.json")
            command = [sys.executable, os.path.join(ROOT, "bench", "load", "run"), "echo64", "--no-build",
                       "--build-dir", BUILD, "--peers", "", "--runs", "1", "--seconds", "0.05", "--output", path]
            done = subprocess.run(command, capture_output=True, text=True, timeout=50)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertRegex(done.stdout, r"floor_epoll +\S+ +[0-9,]+ ")
            with open(path, encoding="utf-8") as text:
                rates = [line for line in map(json.loads, text) if line["name"] == "load/echo64/rate"]
        self.assertGreater(min(line["median"] for line in rates if line["median"] is not None), 0)

    def test_unknown_case(self):
        done = subprocess.run([sys.executable, os.path.join(ROOT, "bench", "load", "run"), "echo65"],
                              capture_output=True, text=True, timeout=50)
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no case 'echo65'", done.stderr)


if __name__ == "__main__":
    if os.environ.get("TUSK_TEST_WRAPPER"):
        print("skipped: servers and clients are not run under a wrapper")
        sys.exit(77)
    if not os.path.exists(os.path.join(PROGRAMS, "client")):
        print("skipped: the load benchmark is not built")
        sys.exit(77)
    unittest.main()
