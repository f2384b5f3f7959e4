#!/usr/bin/env python3
"""The port scanner of the examples, on ports that are open for it."""

import os
import pty
import socket
import subprocess
import unittest

import program


def neighbour(port):
    """A listener on a free port near this one."""
    for other in range(port + 1, port + 100):
        try:
            return socket.create_server(("127.0.0.1", other))
        except OSError:
            pass
    raise unittest.SkipTest("no two ports near each other are free")


class PortScanner(unittest.TestCase):
    def test_open_ports(self):
        with socket.create_server(("127.0.0.1", 0)) as one, neighbour(one.getsockname()[1]) as two:
            ports = [listener.getsockname()[1] for listener in (one, two)]
            done = program.run("port_scanner", "--at-once", 20, "127.0.0.1", max(ports[0] - 100, 1), ports[1])
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            found = [int(line) for line in done.stdout.split()]
            self.assertEqual(found, sorted(found))
            self.assertLessEqual(set(ports), set(found))
        done = program.run("port_scanner", "127.0.0.1", ports[0], ports[0])
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_progress_at_a_terminal(self):
        master, slave = pty.openpty()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            done = subprocess.run(program.command("port_scanner", "127.0.0.1", port, port), stdout=subprocess.PIPE,
                                  stderr=slave, timeout=program.PATIENCE)
        self.assertEqual((done.returncode, done.stdout), (0, b"%d\n" % port))
        self.assertIn(b"of 1 ports", os.read(master, 1000))
        os.close(master)
        os.close(slave)

    def test_wrong_arguments(self):
        for arguments in [(), ("localhost",), ("localhost", 2, 1), ("localhost", 0, 1), ("localhost", 1, 65536),
                          ("--at-once", 0, "localhost", 1, 2)]:
            self.assertEqual(program.run("port_scanner", *arguments).returncode, 2, arguments)


if __name__ == "__main__":
    program.main("port_scanner")
