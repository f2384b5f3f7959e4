#!/usr/bin/env python3
"""docs/asyncio.md against Python's list of asyncio's names and against tusk's headers.

Every name of tests/docs/asyncio_names.txt has one row, written as in the list, with something in each
cell that needs it; every word of tusk in the page is declared in include/; every function and
macro of include/ is in the page. Where a Python of the list's version is running this, the list
itself is compared with it.
"""

import os
import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(os.environ.get("TUSK_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
PAGE = SOURCE / "docs" / "asyncio.md"
NAMES = SOURCE / "tests" / "docs" / "asyncio_names.txt"
TOOL = SOURCE / "tools" / "asyncio-names"

# The chapters after this one are no rows of asyncio's.
END_OF_ASYNCIO = "## Beside asyncio"
# In the page, and no words of the headers.
OTHER_WORDS = {"TUSK_DEBUG", "tusk_f", "tusk_m", "tusk_class_m", "tusk_loop_m"}


def headers():
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((SOURCE / "include").rglob("*.h")))


def without_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def listed_names(text):
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def rows_of_asyncio(page):
    """(name, tusk, what differs) of each row."""
    for line in page.split(END_OF_ASYNCIO)[0].splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and cells[0].startswith("`"):
            yield (cells + ["", ""])[:3]


def problems_of_rows(rows, names):
    seen = [name.strip("`") for name, _, _ in rows]
    yield from (f"no row for `{name}`" for name in names if name not in seen)
    yield from (f"`{name}` is not in the list of asyncio's names" for name in seen if name not in names)
    yield from (f"`{name}` has two rows" for name in sorted({name for name in seen if seen.count(name) > 1}))
    for name, tusk, why in rows:
        if not tusk or (tusk == "–" and not why):
            yield f"{name} has neither a word of tusk nor a reason"


def declared_functions(text):
    """The public functions and the lower-case macros."""
    code = without_comments(text)
    functions = re.findall(r"\b(tusk_[a-z]\w*)\s*\(", "\n".join(re.findall(r"^TUSK_API[^;{]*", code, re.M)))
    return {*functions, *re.findall(r"#define (tusk_[a-z]\w*)\(", code)}


def problems_of_words(page, text):
    code, in_page = without_comments(text), set(re.findall(r"\w+", page))
    declared, fields = set(re.findall(r"\w+", code)), set(re.findall(r"(\w+)(?:;|\)\()", code))
    words = set(re.findall(r"\b(?:tusk|TUSK)_\w+", page)) - OTHER_WORDS
    yield from (f"{word} is not declared in include/" for word in sorted(words - declared))
    options = set(re.findall(r"`\.(\w+)`", page))
    yield from (f".{option} is no option of include/" for option in sorted(options - fields))
    functions = declared_functions(text)
    yield from (f"{name}() of include/ is not in the page" for name in sorted(functions - in_page))


def problems_of_list(names_text):
    version = re.match(r"# .* Python (\d+)\.(\d+)", names_text)
    if version is None:
        yield f"{NAMES}: its first line does not name a version of Python"
    elif sys.version_info[:2] == tuple(map(int, version.groups())):
        listed = subprocess.run([sys.executable, str(TOOL)], capture_output=True, text=True, check=True).stdout
        missing = set(listed_names(listed)) ^ set(listed_names(names_text))
        yield from (f"{name}: this Python and {NAMES.name} do not agree; run {TOOL.name}" for name in sorted(missing))


def problems(page, names_text, headers_text):
    rows = list(rows_of_asyncio(page))
    return [*problems_of_rows(rows, listed_names(names_text)), *problems_of_words(page, headers_text),
            *problems_of_list(names_text)]


def test_can_fail(page, names_text, text):
    """What this is to find, it finds."""
    row = "| `Event.set()` | `tusk_event_set(&event)` | |\n"
    assert row in page
    for broken_page, broken_names, broken_headers in (
        (page.replace(row, ""), names_text, text),
        (page, names_text + "Event.fly()\n", text),
        (page + "`tusk_event_fly`", names_text, text),
        (page + "`.no_such_option`", names_text, text),
        (page, names_text, text + "TUSK_API int tusk_event_fly(void);\n"),
        (page.replace(row, row + row), names_text, text),
        (page.replace(row, "| `Event.set()` | – | |\n"), names_text, text),
    ):
        assert problems(broken_page, broken_names, broken_headers), "a broken page passes"


def main():
    page, names_text, text = PAGE.read_text(encoding="utf-8"), NAMES.read_text(encoding="utf-8"), headers()
    found = problems(page, names_text, text)
    for problem in found:
        print(f"{PAGE.relative_to(SOURCE)}: {problem}")
    if not found:
        test_can_fail(page, names_text, text)
    print(f"{len(listed_names(names_text))} names of asyncio, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
