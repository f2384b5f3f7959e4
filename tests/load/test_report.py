#!/usr/bin/env python3
"""The page of the benchmarks: it says what the results say, no more and no less."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.environ.get("TUSK_SOURCE_DIR") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
REPORT = os.path.join(ROOT, "bench", "report")


def entry(name, peer, median, **more):
    return {"name": name, "peer": peer, "version": "1.2", "unit": "ns", "median": median, "min": median,
            "max": median, "mean": median, "runs": 5, "machine": "a machine of the test", **more}


RESULTS = [
    entry("switch", "tusk", 7.5, goal=8, met=True),
    entry("switch", "go", 93.25),
    entry("timeout", "tusk", 44.5, goal=30, met=False),
    entry("gather", "tusk", 61.5),
    entry("gather", "libdill", None, failed="reached 32,753"),
    *(entry(f"tasks/{count}", peer, count * 3.0) for count in (1, 1000) for peer in ("tusk", "go")),
    *(entry(f"load/connections/{count}/rate", "tusk", 55555.0, load=f"connections/{count}") for count in (1, 10)),
    entry("load/echo64/rate", "tusk", 123456.0, load="echo64",
          goals=[{"goal": "at least 0.95 x floor_epoll", "value": 0.9, "of": "floor_epoll", "met": False}]),
    entry("load/echo64/rate", "floor_epoll", 137173.0, load="echo64"),
]


class Report(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = place.name
        self.results = os.path.join(self.place, "results.json")

    def run_report(self, text):
        with open(self.results, "w", encoding="utf-8") as out:
            out.write(text)
        return subprocess.run([sys.executable, REPORT, "--results", self.results, "--output", self.place],
                              capture_output=True, text=True, timeout=100)

    def page(self, results):
        done = self.run_report("".join(json.dumps(result) + "\n" for result in results))
        if "there is no matplotlib" in done.stderr:
            self.skipTest("there is no matplotlib")
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(os.path.join(self.place, "benchmarks.md"), encoding="utf-8") as text:
            return text.read()

    def test_page(self):
        text = self.page(RESULTS)
        self.assertIn("a machine of the test", text)
        self.assertIn("| tusk | 7.50 | 7.50 | 7.50 | 1.00 |", text)
        self.assertIn("| go | 93.2 | 93.2 | 93.2 | 12.4 |", text)
        self.assertIn("at most 8.00: met", text)
        self.assertIn("at most 30.0: **missed**", text)
        self.assertIn("libdill: reached 32,753.", text)
        self.assertIn("tusk: 0.900 x floor_epoll, **missed**", text)
        self.assertIn("*spawn: not measured; `make bench B=spawn` does it.*", text)
        self.assertIn("| tusk | 3.00 | 3,000 |", text)
        pictures = re.findall(r"!\[[^]]+\]\((images/[^)]+\.svg)\)", text)
        self.assertIn("images/numbers.svg", pictures)
        self.assertEqual(len(pictures), len(set(pictures)))
        for picture in pictures:
            with open(os.path.join(self.place, picture), encoding="utf-8") as svg:
                self.assertIn("tusk</text>", svg.read().replace("\n", ""), picture)

    def test_same_numbers_same_page(self):
        first = self.page(RESULTS)
        with open(os.path.join(self.place, "images", "numbers.svg"), "rb") as svg:
            picture = svg.read()
        self.assertEqual(self.page(RESULTS), first)
        with open(os.path.join(self.place, "images", "numbers.svg"), "rb") as svg:
            self.assertEqual(svg.read(), picture)

    def test_nothing_to_report(self):
        for text, words in [("", "is empty"), ("{]", "is not what bench/run writes"), ('{"a": 1}', "is not what")]:
            done = self.run_report(text)
            self.assertEqual(done.returncode, 1)
            self.assertIn(words, done.stderr)
        os.remove(self.results)
        done = subprocess.run([sys.executable, REPORT, "--results", self.results], capture_output=True, text=True)
        self.assertIn("run 'make bench' and 'make bench-load'", done.stderr)


if __name__ == "__main__":
    unittest.main()
