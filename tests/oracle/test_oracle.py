#!/usr/bin/env python3
"""The oracle in small: 300 programs of a fixed seed, and the corpus of those that ever failed.

Skipped, with status 77, where there is no CPython that is new enough. Then it looks at the oracle itself: one
that finds no difference in a trace that was tampered with is no test.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

RUN = pathlib.Path(__file__).resolve().parent / "run"
BUILD = os.environ.get("TUSK_BUILD_DIR", RUN.parents[2] / "build" / "default")
INTERPRETER = pathlib.Path(BUILD, "tests", "oracle", "interpreter")

# Changes the last final value of each trace, if there is one.
LIAR = """#!/bin/sh
"{interpreter}" "$1" "$2.true" && sed 's/^final t0 .*/final t0 = 99 0/' "$2.true" >"$2"
"""


def run(*arguments):
    done = subprocess.run(["bash", str(RUN), "--jobs", "1", *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def must_end(expected, *arguments):
    """Runs the oracle; a status of 77 skips the whole test, any other but the expected one fails it."""
    status, output = run(*arguments)
    if status == 77:
        print(f"skipped: {output.strip()}")
        sys.exit(77)
    if status != expected:
        print(f"{' '.join(arguments)}: status {status} instead of {expected}\n{output}")
        sys.exit(1)
    return output


def check_liar():
    # A wrapper runs programs of the build, and the liar is a script.
    if os.environ.get("TUSK_TEST_WRAPPER"):
        return
    with tempfile.TemporaryDirectory() as folder:
        liar = pathlib.Path(folder, "liar")
        liar.write_text(LIAR.format(interpreter=INTERPRETER), encoding="utf-8")
        liar.chmod(0o755)
        output = must_end(1, "--seed", "1", "--count", "3", "--program", str(liar))
    if "3 differences" not in output:
        print(f"the oracle believes a liar:\n{output}")
        sys.exit(1)


def main():
    print(must_end(0, "--seed", "1", "--count", "300"))
    print(must_end(0, "--corpus"))
    check_liar()


if __name__ == "__main__":
    main()
