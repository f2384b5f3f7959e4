"""What the tests of the documentation's tools share: trees of files, and a run of a tool."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.environ.get("TUSK_SOURCE_DIR") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def run(tool, *arguments):
    done = subprocess.run([sys.executable, os.path.join(ROOT, "tools", tool), *arguments],
                          capture_output=True, text=True, encoding="utf-8")
    return done.returncode, done.stdout + done.stderr


class Case(unittest.TestCase):
    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return folder.name

    def tree(self, files):
        folder = self.folder()
        for path, text in files.items():
            full = os.path.join(folder, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(text)
        return folder

    def copy(self, *paths):
        """A tree with these files and folders of the project."""
        folder = self.folder()
        for path in paths:
            source, target = os.path.join(ROOT, path), os.path.join(folder, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if os.path.isdir(source):
                shutil.copytree(source, target)
            else:
                shutil.copy(source, target)
        return folder

    def change(self, root, path, old, new):
        """Replaces the one place where old stands."""
        full = os.path.join(root, path)
        with open(full, encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(text.count(old), 1, f"{path} does not have this once: {old}")
        with open(full, "w", encoding="utf-8") as file:
            file.write(text.replace(old, new))

    def assert_good(self, tool, *arguments):
        status, output = run(tool, *arguments)
        self.assertEqual(status, 0, output)

    def assert_bad(self, expected, tool, *arguments):
        status, output = run(tool, *arguments)
        self.assertEqual(status, 1, output)
        self.assertIn(expected, output)
