#!/usr/bin/env python3
"""README.md and README.ru.md show the same code, and its server does what they say.

(That their programs compile and print what is shown: test_code.py.)
"""

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import unittest

SOURCE = pathlib.Path(os.environ.get("TUSK_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ.get("TUSK_BUILD_DIR", SOURCE / "build" / "default")).resolve()
KITCHEN = BUILD / "examples" / "kitchen"
# Ends what hangs.
PATIENCE = 30


def text(name):
    return (SOURCE / name).read_text(encoding="utf-8")


def blocks(page):
    return re.findall(r"^```\w*\n.*?^```$", page, re.S | re.M)


def sections(page):
    return len(re.findall(r"^## ", page, re.M)), len(re.findall(r"^- ", page, re.M)), len(re.findall(r"^\|", page, re.M))


def links(page):
    """Where they lead to, in either language."""
    return [link.replace("/ru/", "/en/") for link in re.findall(r"\]\(([^)]*)\)", page)]


class Readme(unittest.TestCase):
    def test_both_say_the_same(self):
        """The same code, the same links in the same places, as many chapters, items and rows."""
        english, russian = text("README.md"), text("README.ru.md")
        self.assertEqual(blocks(russian), blocks(english))
        self.assertEqual(sections(russian), sections(english))
        self.assertEqual(links(russian)[1:], links(english)[1:])
        self.assertEqual((links(english)[0], links(russian)[0]), ("README.ru.md", "README.md"))

    def order(self, port, dish):
        guest = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.addCleanup(guest.close)
        guest.sendall(f"GET /{dish} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return guest

    def answer(self, guest):
        data = b""
        while more := guest.recv(4096):
            data += more
        status, _, body = data.decode().partition("\r\n\r\n")
        self.assertEqual(status, "HTTP/1.0 200 OK")
        return body

    def test_three_guests_at_once(self):
        """They get what the README shows, and all three dishes are begun before one is ready."""
        kitchen = subprocess.Popen([KITCHEN, "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        self.addCleanup(kitchen.kill)
        port = int(kitchen.stdout.readline().rsplit(":", 1)[1])
        guests = [self.order(port, dish) for dish in ("salad", "steak", "soup")]
        shown = re.search(r"<!-- guests -->\n```text\n(.*?)```", text("README.md"), re.S)[1]
        self.assertEqual("".join(map(self.answer, guests)), shown)
        kitchen.send_signal(signal.SIGINT)
        printed, errors = kitchen.communicate(timeout=PATIENCE)
        self.assertEqual((kitchen.returncode, errors), (0, ""))
        self.assertEqual([line.split(": ")[1] for line in printed.split("\n")[:6]], ["begun"] * 3 + ["ready"] * 3)


if __name__ == "__main__":
    if not KITCHEN.exists():
        print("skipped: the examples are not built")
        sys.exit(77)
    unittest.main()
