#!/usr/bin/env python3
"""tools/check-layers: silent on the real tree, and finds each kind of slip in made-up ones."""

import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.environ.get("TUSK_SOURCE_DIR") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TOOL = os.path.join(ROOT, "tools", "check-layers")


def check(root):
    done = subprocess.run([sys.executable, TOOL, "--root", root], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


class Layers(unittest.TestCase):
    def tree(self, files):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for path, text in files.items():
            full = os.path.join(folder.name, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(text)
        return folder.name

    def assert_good(self, files):
        status, output = check(self.tree(files))
        self.assertEqual(status, 0, output)

    def assert_bad(self, files, expected):
        status, output = check(self.tree(files))
        self.assertEqual(status, 1, output)
        self.assertIn(expected, output)

    def test_the_tree(self):
        status, output = check(ROOT)
        self.assertEqual(status, 0, output)

    def test_includes_of_own_and_earlier_layers_are_good(self):
        self.assert_good({
            "src/base/list.h": "",
            "src/loop/timer.h": '#include "base/list.h"\n',
            "src/loop/timer.c": '#include "timer.h"\n#include <tusk/loop.h>\n#include <stdio.h>\n',
            "src/coro/stack.h": '#include "../base/list.h"\n',
            "src/task/task.c": '#include "coro/stack.h"\n#include "loop/timer.h"\n',
        })

    def test_include_of_later_layer(self):
        self.assert_bad({"src/task/task.h": "", "src/base/a.c": '#include "task/task.h"\n'},
                        "src/base/a.c:1: base includes task/task.h")

    def test_include_of_later_layer_by_relative_path(self):
        self.assert_bad({"src/task/task.h": "", "src/base/a.c": '\n#include "../task/task.h"\n'},
                        "src/base/a.c:2:")

    def test_loop_knows_nothing_of_coro(self):
        self.assert_bad({"src/coro/stack.h": "", "src/loop/a.c": '#include "coro/stack.h"\n'},
                        "loop must not know of coro")

    def test_public_header_of_later_layer(self):
        self.assert_bad({"src/loop/a.c": "#include <tusk/task.h>\n"}, "belongs to task")
        self.assert_bad({"include/tusk/loop.h": "#include <tusk/task.h>\n"}, "belongs to task")

    def test_public_header_without_a_layer(self):
        self.assert_bad({"src/loop/a.c": "#include <tusk/surprise.h>\n"}, "add it to PUBLIC")

    def test_unknown_layer(self):
        self.assert_bad({"src/misc/a.c": ""}, "src/misc is no layer")

    def test_conditions_on_the_machine(self):
        for line in ("#ifdef __linux__", "#if defined(__APPLE__)", "# elif X || __x86_64__", "#if X && \\\n__aarch64__"):
            with self.subTest(line):
                self.assert_bad({"src/loop/a.c": line + "\n#endif\n"}, "#if on __")

    def test_conditions_have_their_places(self):
        text = "#ifdef __linux__\n#endif\n"
        for path in ("src/base/sys.c", "src/base/sys.h", "src/base/compiler.h", "src/loop/poll/epoll.c",
                     "src/coro/arch/x86_64/switch.S"):
            with self.subTest(path):
                self.assert_good({path: text})

    def test_other_conditions_are_good(self):
        self.assert_good({"src/loop/a.c": "#ifdef TUSK_HAVE_VALGRIND\n#endif\n/* #ifdef __linux__ */\n"})


if __name__ == "__main__":
    unittest.main()
