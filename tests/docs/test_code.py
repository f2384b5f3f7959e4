#!/usr/bin/env python3
"""The code in docs/*.md and in the README files compiles, and prints what they show.

    TUSK_BUILD_DIR=build/default tests/docs/test_code.py [PAGE...]

A block of C in a page is a program, and is compiled without a warning. A comment of HTML in the
line before a block says otherwise:

    <!-- examples/upper_server.c -->    the block is this file, of which other tests take care
    <!-- lines: int fd -->              lines of a coroutine that has these variables
    <!-- output -->                     what the program before prints, errors too
    <!-- output: TUSK_DEBUG=1 5 -->     ... with this environment and these arguments
    <!-- output of: examples/hello.c -->  ... a program of the build folder
    <!-- needs: libuv -->               the program is skipped, and its output, where pkg-config knows no libuv
    <!-- exit: 1 -->                    the exit status of the next output's program; else it is 0

In an output, decimal fractions and addresses stand for any others, "(./x" for x in any folder, and a
line "..." for any lines.
"""

import concurrent.futures
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap

SOURCE = pathlib.Path(os.environ.get("TUSK_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ.get("TUSK_BUILD_DIR", SOURCE / "build" / "default")).resolve()
CC = os.environ.get("TUSK_CC", "cc")
FLAGS = ["-g", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{SOURCE / 'include'}"]
LIBRARIES = [f"-L{BUILD}", "-ltusk", f"-Wl,-rpath,{BUILD}", "-pthread"]
# Ends what hangs.
PATIENCE = 30

HEADERS = set(re.findall(r"\w+", " ".join(path.read_text(encoding="utf-8")
                                          for path in (SOURCE / "include").rglob("*.h"))))
# About what is inside.
WITHOUT_HEADERS = ("design.md",)
# What the pages say of names, and of building.
OTHER_WORDS = {"tusk_f", "tusk_m", "tusk_class_m", "tusk_loop_m", "TUSK_SANITIZE", "TUSK_BUILD_TESTS"}

# On a busy machine any step may take long: a report of that counts only where the page has one of that task.
SLOW_STEP = re.compile(r"tusk: Executing a .*?(?:task '(.*)')?\n")
FRAME = re.compile(r"^    #\d+ 0x.*\n", re.M)

COMMENT = re.compile(r"<!-- (.*) -->")
FENCE = re.compile(r"```(\w*)")
LINES_OF_A_COROUTINE = """#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <tusk.h>
int coroutine(void *arg{variables});
int coroutine(void *arg{variables})
{{
    (void)arg;
{lines}
    return 0;
}}
"""


class Block:
    """A fenced block: where its text begins, its language, its text, and the comments before it."""

    def __init__(self, page, line, language, comments):
        self.place = f"{page}:{line}"
        self.language = language
        self.comments = comments
        self.text = ""

    def comment(self, word):
        """What stands after "word:", "" if nothing does, or None."""
        for comment in self.comments:
            head, _, rest = comment.partition(":")
            if head.strip() == word:
                return rest.strip()
        return None

    def file(self):
        return next((name for name in self.comments if "/" in name and ":" not in name), None)


def blocks_of(page, text):
    blocks, block, comments = [], None, []
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        fence, comment = FENCE.match(line), COMMENT.fullmatch(line.strip())
        if block is not None:
            if line.startswith("```"):
                block = None
            else:
                block.text += line
        elif fence:
            block = Block(page, number, fence[1], comments)
            blocks.append(block)
            comments = []
        elif comment:
            comments.append(comment[1])
        elif line.strip():
            comments = []
    return blocks


# ---- one page ----


def compile_text(text, folder, options, libraries):
    """The compiler's complaints, or ""."""
    (folder / "program.c").write_text(text, encoding="utf-8")
    command = [CC, *FLAGS, *options, "program.c", *libraries]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE).stderr


def compile_lines(block, folder):
    variables = block.comment("lines")
    lines = textwrap.indent(block.text, "    ")
    text = LINES_OF_A_COROUTINE.format(variables=f", {variables}" if variables else "", lines=lines)
    return compile_text(text, folder, ["-c", "-o", os.devnull], [])


def run(command, folder, environment):
    """What it printed, and its exit status as a shell has it."""
    done = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE)
    return done.stdout, done.returncode if done.returncode >= 0 else 128 - done.returncode


def pattern_of(text):
    """A regular expression for an output of a page."""
    pattern = ""
    for line in text.splitlines(keepends=True):
        if line.strip() == "...":
            pattern += "(?:.*\n)*?"
            continue
        line = re.sub(r"0x[0-9a-f]+", "0x[0-9a-f]+", re.escape(line))
        line = line.replace(r"\(\./", r"\((?:.*/)?")  # "(./program+0x1174)"
        pattern += re.sub(r"\b[0-9]+\\\.[0-9]+\b", "[0-9]+[.][0-9]+", line)
    return pattern


def without_slow_steps(printed, shown):
    tasks = set(SLOW_STEP.findall(shown))
    printed = SLOW_STEP.sub(lambda match: match[0] if match[1] in tasks else "", printed)
    return printed if FRAME.search(shown) else FRAME.sub("", printed)


def check_output(block, program, folder):
    words = shlex.split(block.comment("output") or "")
    environment = dict(word.split("=", 1) for word in words if "=" in word)
    arguments = [word for word in words if "=" not in word]
    named = block.comment("output of")
    command = [BUILD / pathlib.Path(named).with_suffix("")] if named else [program]
    if not named and not program.exists():
        return  # skipped, or reported already
    printed, status = run([*command, *arguments], folder, environment)
    printed = without_slow_steps(printed, block.text)
    if not re.fullmatch(pattern_of(block.text), printed):
        yield f"{block.place}: it prints\n{textwrap.indent(printed, '    ')}"
    expected = int(block.comment("exit") or 0)
    if status != expected:
        yield f"{block.place}: its exit status is {status} and not {expected}"


def libraries_of(block):
    """The linker's options, or None if a library is not there."""
    needed = block.comment("needs")
    if needed is None:
        return LIBRARIES
    if not shutil.which("pkg-config"):
        return None
    found = subprocess.run(["pkg-config", "--cflags", "--libs", needed], capture_output=True, text=True)
    return LIBRARIES + found.stdout.split() if found.returncode == 0 else None


def check_program(block, folder):
    (folder / "program").unlink(missing_ok=True)
    libraries = libraries_of(block)
    if "main(" not in block.text:
        yield f"{block.place}: C that is no program; <!-- lines: --> before it says what it is"
    elif libraries is None:
        print(f"{block.place}: skipped, there is no {block.comment('needs')}")
    elif complaints := compile_text(block.text, folder, ["-o", "program"], libraries):
        yield f"{block.place}: {complaints}"


def check_block(block, folder):
    if name := block.file():
        if not (SOURCE / name).is_file():
            yield f"{block.place}: there is no {name}"
        elif block.text != (SOURCE / name).read_text(encoding="utf-8"):
            yield f"{block.place}: it is not {name} any more"
    elif block.comment("lines") is not None:
        if complaints := compile_lines(block, folder):
            yield f"{block.place}: {complaints}"
    elif block.comment("output") is not None or block.comment("output of") is not None:
        yield from check_output(block, folder / "program", folder)
    elif block.language == "c":
        yield from check_program(block, folder)


def check_words(page, text):
    """Words of tusk are declared in include/, or said there, or written in the page's own code."""
    if page.name in WITHOUT_HEADERS:
        return
    prose = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    for word in sorted(set(re.findall(r"(?<![\w/-])(?:tusk|TUSK)_[a-zA-Z]\w*", prose)) - OTHER_WORDS):
        if word not in HEADERS:
            yield f"{page.name}: {word} is not in include/"


def check_text(page, text):
    problems = list(check_words(page, text))
    with tempfile.TemporaryDirectory() as folder:
        for block in blocks_of(page.name, text):
            try:
                problems += check_block(block, pathlib.Path(folder))
            except (OSError, subprocess.TimeoutExpired) as error:
                problems.append(f"{block.place}: {error}")
    return problems


def check_page(page):
    return check_text(page, page.read_text(encoding="utf-8"))


# ---- this test ----

GOOD = """
```c
#include <stdio.h>

int main(void)
{
    puts("0.25 s at 0x1f");
    return 3;
}
```

It prints:

<!-- output -->
<!-- exit: 3 -->
```text
0.75 s at 0x2a
```
"""


def test_can_fail():
    """What this is to find, it finds."""
    page = SOURCE / "README.md"
    assert check_text(page, GOOD) == []
    for old, new in (("stdio.h", "no_such_header.h"), ("main", "other"), ("return 3", "int unused; return 3"),
                     ("s at 0x2a", "s  at 0x2a"), ("exit: 3", "exit: 4"),
                     ("It prints:", "tusk_prints:"), ("```c", "<!-- examples/hello.c -->\n```c"), ("```c", "<!-- lines: -->\n```c")):
        assert check_text(page, GOOD.replace(old, new)), f"a page with {new!r} passes"


def main():
    if not (BUILD / "libtusk.so").exists() and not (BUILD / "libtusk.dylib").exists():
        print(f"skipped: there is no shared library in {BUILD}")
        return 77
    signal.signal(signal.SIGINT, signal.default_int_handler)
    pages = [pathlib.Path(name).resolve() for name in sys.argv[1:]]
    pages = pages or [*sorted((SOURCE / "docs").glob("*.md")), *sorted(SOURCE.glob("README*.md"))]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        problems = [problem for found in pool.map(check_page, pages) for problem in found]
    for problem in problems:
        print(problem)
    test_can_fail()
    print(f"{len(pages)} pages, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
