#!/usr/bin/env python3
"""The supervisor of the examples, with programs of the shell."""

import os
import signal
import unittest

import program


class Supervisor(unittest.TestCase):
    def start(self, *arguments):
        self.supervisor = program.Program("supervisor", *arguments)
        self.addCleanup(self.supervisor.wait)
        self.addCleanup(self.supervisor.process.terminate)

    def end(self, signum=signal.SIGINT):
        self.supervisor.send_signal(signum)
        self.assertEqual(self.supervisor.wait(), (0, ""))

    def pid(self, name):
        return int(self.supervisor.expect(f"{name}: started as process").split()[-1])

    def assert_gone(self, pid):
        self.assertRaises(ProcessLookupError, os.kill, pid, 0)

    def test_outputs(self):
        self.start("a=echo one; echo two >&2; printf three; sleep 1000")
        pid = self.pid("a")
        self.assertEqual(sorted(self.supervisor.line() for _ in range(2)), ["a: one", "a: two"])
        self.end()
        self.assert_gone(pid)

    def test_restarts(self):
        self.start("bad=exit 3", "good=sleep 1000")
        for _ in range(3):
            self.supervisor.expect("bad: ended with status 3")
        self.end()

    def test_signal_status(self):
        self.start("killed=kill -9 $$")
        self.supervisor.expect("killed: ended by signal 9")
        self.supervisor.expect("killed: started")
        self.end()

    def test_sigterm_is_passed_on(self):
        self.start("a=trap 'echo bye; exit' TERM; echo ready; while :; do sleep 0.05; done")
        pid = self.pid("a")
        self.supervisor.expect("a: ready")
        self.supervisor.send_signal(signal.SIGTERM)
        self.supervisor.expect("a: bye")
        self.assertEqual(self.supervisor.wait(), (0, ""))
        self.assert_gone(pid)

    def test_one_that_does_not_end(self):
        self.start("--deadline", 1, "deaf=trap '' TERM INT; echo ready; while :; do sleep 0.05; done")
        pid = self.pid("deaf")
        self.supervisor.expect("deaf: ready")
        self.supervisor.send_signal(signal.SIGINT)
        self.supervisor.expect("deaf: does not end, and is killed")
        self.assertEqual(self.supervisor.wait(), (0, ""))
        self.assert_gone(pid)

    def test_command_without_a_name(self):
        self.start("sleep 1000")
        self.pid("sleep")
        self.end()

    def test_wrong_arguments(self):
        for arguments in [(), ("--deadline", "x", "a=b"), ("--nonsense",)]:
            self.assertEqual(program.run("supervisor", *arguments).returncode, 2)


if __name__ == "__main__":
    program.main("supervisor")
