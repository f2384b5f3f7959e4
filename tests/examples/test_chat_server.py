#!/usr/bin/env python3
"""The chat server of the examples, with clients that talk, leave, and do not listen."""

import socket

import program


class ChatServer(program.ServerTest):
    name = "chat_server"

    def setUp(self):
        super().setUp()
        self.hang_up = {}

    def enter(self, name):
        """A client that has said its name, and heard who is there."""
        connection = self.connect()
        client = connection.makefile("rw", encoding="utf-8", newline="\n")
        self.addCleanup(client.close)
        self.hang_up[name] = lambda: connection.shutdown(socket.SHUT_RDWR)
        self.expect(client, "What is your name?")
        self.say(client, name)
        return client

    def say(self, client, line):
        client.write(line + "\n")
        client.flush()

    def expect(self, client, line):
        self.assertEqual(client.readline(), line + "\n")

    def two(self):
        ann = self.enter("ann")
        self.expect(ann, "* here are: ann")
        bob = self.enter("bob")
        self.expect(bob, "* here are: bob ann")
        self.expect(ann, "* bob is here")
        return ann, bob

    def test_talk(self):
        ann, bob = self.two()
        self.say(ann, "hello")
        self.expect(bob, "ann: hello")
        self.say(bob, "how %s are you\r")
        self.expect(ann, "bob: how %s are you")
        self.say(ann, "x" * 5000)
        self.assertTrue(bob.readline().startswith("ann: xxx"))
        self.say(ann, "/names")
        self.expect(ann, "* here are: bob ann")

    def test_quit(self):
        ann, bob = self.two()
        self.say(bob, "bye")
        self.say(bob, "/quit")
        self.expect(ann, "bob: bye")
        self.expect(ann, "* bob has left")
        self.assertEqual(bob.readline(), "")

    def test_hang_up(self):
        ann, bob = self.two()
        self.hang_up["bob"]()
        self.expect(ann, "* bob has left")

    def test_names(self):
        ann, _ = self.two()
        third = self.enter("bob")
        self.expect(third, "* that name is taken")
        for name in ["", "/quit", "   \r"]:
            self.expect(third, "What is your name?")
            self.say(third, name)
        self.expect(third, "* here are:     bob ann")
        self.expect(ann, "*     is here")

    def test_long_line_is_the_end(self):
        ann, bob = self.two()
        self.say(bob, "x" * 1_000_000)
        self.assertTrue(ann.readline().endswith(" has left\n"))

    def test_slow_client_holds_nobody_up(self):
        """Everything that the slow one does not read is for nobody else to wait for."""
        ann, bob = self.two()
        slow = self.enter("slow")
        self.expect(slow, "* here are: slow bob ann")
        self.expect(ann, "* slow is here")
        self.expect(bob, "* slow is here")
        for i in range(20_000):
            self.say(ann, f"{i} " + "x" * 400)
            self.assertEqual(bob.readline().split()[1], str(i))
        self.say(slow, "I am here")
        self.expect(ann, "slow: I am here")
        while "* you missed" not in (line := slow.readline()):
            self.assertNotEqual(line, "")

    def test_goodbye(self):
        ann, bob = self.two()
        self.assertEqual(self.server.interrupt(), (0, ""))
        for client in (ann, bob):
            rest = client.read()
            self.assertTrue(rest.endswith("* the server ends. Goodbye!\n"), rest)


if __name__ == "__main__":
    program.main("chat_server")
