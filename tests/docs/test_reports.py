#!/usr/bin/env python3
"""Each report that the library makes has a place in docs/debugging.md.

A report is a text with a capital in a source file that calls the exception handler.
"""

import os
import pathlib
import re
import sys

SOURCE = pathlib.Path(os.environ.get("TUSK_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
PAGE = SOURCE / "docs" / "debugging.md"
TEXT = re.compile(r'"((?:[A-Z][a-z]* |Deadlock|unhandled |socket\.accept)(?:[^"\\]|\\.)*)"')
# Names, not reports.
OTHERS = {"Task (out of memory for its name)"}


def reports():
    for path in sorted((SOURCE / "src").rglob("*.c")):
        text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.S)
        if "tusk__loop_report" in text:
            yield from set(TEXT.findall(text)) - OTHERS


def is_in(report, page):
    """What stands between the places for values, in this order and in one line."""
    return re.search(".*".join(re.escape(part) for part in re.split(r"%[.\d]*l?[a-z]", report)), page) is not None


def main():
    page = PAGE.read_text(encoding="utf-8")
    found = sorted(set(reports()))
    missing = [report for report in found if not is_in(report, page)]
    for report in missing:
        print(f"{PAGE.relative_to(SOURCE)}: nothing about '{report}'")
    assert len(found) > 20 and not is_in("Task flew away after %d s", page), "this test cannot fail"
    print(f"{len(found)} reports, {len(missing)} missing")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
