#!/usr/bin/env python3
"""Runs the lessons and compares what they print, and when, with what they should.

    TUSK_BUILD_DIR=build/default tests/lessons/test_lessons.py

Each lesson runs twice: built with virtual.h on a clock that jumps, where each
line's moment must be exact, and on the real clock, all lessons at once. Then
hello, and what the README files say of the lessons. Differences are printed,
and the exit code is 1 if there are any.
"""

import difflib
import os
import pathlib
import re
import shlex
import subprocess
import sys
import threading
import time

# For each lesson: the second in which each of its lines comes, and the second in which it ends.
LESSONS = {
    "await_one": ([0, 1], 1),
    "await_two": ([1, 2], 2),
    "background_task": ([0, 0, 1, 2], 2),
    "completion_order": ([0, 0, 1, 2], 2),
    "named_task": ([0, 0, 1, 1, 1], 1),
    "restaurant": ([0, 0, 0, 2, 2, 2, 2, 2, 2], 2),
    "smallest_task": ([1], 1),
    "task_result": ([0, 0, 3, 3], 3),
    "ten_tasks": ([1] * 10, 1),
    "three_sleeps": ([0, 0, 0, 3, 3, 3], 3),
    "two_workers": ([0, 1, 2, 2], 2),
    "unawaited_task": ([0], 1),
    "unreferenced_task": ([0, 0, 1, 1], 2),
    "work_while_sleeping": ([0, 0, 1, 2, 3, 3], 3),
}

HELLO = """order 1: salad is being cooked
order 2: steak is being cooked
order 3: soup is being cooked
order 1: salad is ready
order 2: steak is ready
order 3: soup is ready
"""

SOURCE = pathlib.Path(__file__).resolve().parents[2]
LESSONS_SOURCE = SOURCE / "examples" / "lessons"
BUILD = pathlib.Path(os.environ.get("TUSK_BUILD_DIR", SOURCE / "build" / "default")).resolve()
VIRTUAL_PROGRAMS = BUILD / "tests" / "lessons" / "virtual"
REAL_PROGRAMS = BUILD / "examples" / "lessons"
WRAPPER = shlex.split(os.environ.get("TUSK_TEST_WRAPPER", ""))

# How far a moment may be from the second it belongs to.
TOLERANCE = 0.001

# How many seconds too many a program may take on the real clock: valgrind and qemu start slowly.
SLACK = 60 if WRAPPER else 2

# Valgrind's own remarks. It makes them for harmless reasons too (a system call it does not know), so
# they count only when it ends the program with an error.
VALGRIND_LINE = r"(==|--)\d+(==|--) "

# After this many seconds a program hangs.
HANG = 30 + SLACK


def diff(expected, actual, expected_name, actual_name):
    """The difference of two texts as lines to print, or none."""
    return [
        line.rstrip("\n")
        for line in difflib.unified_diff(
            expected.splitlines(True), actual.splitlines(True), expected_name, actual_name
        )
    ]


def read(path):
    return path.read_text(encoding="utf-8")


def exit_code_problem(name, code):
    return [] if code == 0 else [f"{name}: exit code {code}"]


# --- on a clock that jumps ---------------------------------------------------------


def run_virtual(name):
    """What the program printed, its moments line by line, and its exit code."""
    return subprocess.run(
        WRAPPER + [str(VIRTUAL_PROGRAMS / name)],
        capture_output=True,
        encoding="utf-8",
        timeout=HANG,
        check=False,
    )


def moments(seconds):
    return "".join(f"{second:.3f}\n" for second in seconds)


def rounded(line):
    """A moment printed by virtual.h, to the millisecond; any other line as it is."""
    return moments([float(line)]) if re.fullmatch(r"\d+\.\d{9}\n", line) else line


def check_virtual(name):
    seconds, end = LESSONS[name]
    run = run_virtual(name)
    printed_moments = "".join(map(rounded, run.stderr.splitlines(True)))
    return (
        exit_code_problem(name, run.returncode)
        + diff(read(LESSONS_SOURCE / f"{name}.out"), run.stdout, f"{name}.out", f"{name}, virtual clock")
        + diff(moments(seconds + [end]), printed_moments, f"expected seconds of {name}", "its seconds")
    )


# --- on the real clock -------------------------------------------------------------


class RealRun(threading.Thread):
    """One lesson on the real clock, its lines read as they come."""

    def __init__(self, name):
        super().__init__(name=name)
        self.problems = []
        self.remarks = []  # valgrind's

    def run(self):
        try:
            self.watch()
        except Exception as error:  # a thread's exception would be lost
            self.problems.append(f"{self.name}: {error!r}")

    def watch(self):
        begun = time.monotonic()
        process = subprocess.Popen(
            WRAPPER + [str(REAL_PROGRAMS / self.name)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        watchdog = threading.Timer(HANG, process.kill)
        watchdog.start()
        printed, arrivals = "", []
        for line in map(bytes.decode, process.stdout):
            if re.match(VALGRIND_LINE, line):
                self.remarks.append(line.rstrip("\n"))
                continue
            arrivals.append(time.monotonic() - begun)
            printed += line
        code = process.wait()
        duration = time.monotonic() - begun
        watchdog.cancel()
        self.judge_output(printed, code)
        self.judge_times(arrivals, duration)

    def judge_output(self, printed, code):
        expected = read(LESSONS_SOURCE / f"{self.name}.out")
        self.problems += diff(expected, printed, f"{self.name}.out", f"{self.name}, real clock")
        if code != 0:
            self.problems += exit_code_problem(self.name, code) + self.remarks

    def judge_times(self, arrivals, duration):
        seconds, end = LESSONS[self.name]
        for number, (second, arrival) in enumerate(zip(seconds, arrivals), 1):
            if arrival < second - TOLERANCE:
                self.problems.append(f"{self.name}: line {number} came too early, after {arrival:.3f} s")
        if arrivals and duration - arrivals[0] < (end - seconds[0]) / 10:
            self.problems.append(f"{self.name}: its lines came all at once, when it ended")
        if not end - TOLERANCE <= duration <= end + SLACK:
            self.problems.append(f"{self.name}: took {duration:.3f} s instead of {end} s")


def check_real():
    runs = [RealRun(name) for name in LESSONS]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    return [line for run in runs for line in run.problems]


# --- hello, and the README files ---------------------------------------------------


def check_hello():
    """The smallest program with several tasks."""
    hello = run_virtual("hello")
    return exit_code_problem("hello", hello.returncode) + diff(HELLO, hello.stdout, "expected", "output of hello")


def check_lessons_table():
    """Each lesson is a program, and once in the table of the lessons' README with its seconds."""
    table = read(LESSONS_SOURCE / "README.md")
    rows = re.findall(r"^\| \[(\w+)\]\(\1\.c\) \|.*\| (\d+) \|$", table, re.MULTILINE)
    expected = "".join(f"{name} {end}\n" for name, (_, end) in sorted(LESSONS.items()))
    listed = "".join(f"{name} {seconds}\n" for name, seconds in sorted(rows))
    names = "".join(f"{name}\n" for name in sorted(LESSONS))
    programs = "".join(f"{path.stem}\n" for path in sorted(LESSONS_SOURCE.glob("*.c")))
    return diff(expected, listed, "expected lessons", "examples/lessons/README.md") + diff(
        names, programs, "expected lessons", "examples/lessons/*.c"
    )


def check_links():
    """What the README files point to in this repository is there."""
    problems = []
    for readme in (SOURCE / "README.md", LESSONS_SOURCE / "README.md"):
        for target in re.findall(r"\]\(([^):#]+)\)", read(readme)):
            if not (readme.parent / target).exists():
                problems.append(f"{readme.relative_to(SOURCE)}: links to {target}, which is not there")
    return problems


def main():
    if not REAL_PROGRAMS.is_dir():
        print(f"skipped: the examples are not built, there is no {REAL_PROGRAMS}")
        return 77
    if not VIRTUAL_PROGRAMS.is_dir():
        print(f"the lessons on the virtual clock are not built, there is no {VIRTUAL_PROGRAMS}")
        return 1
    problems = [line for name in LESSONS for line in check_virtual(name)]
    problems += check_hello() + check_lessons_table() + check_links() + check_real()
    print("\n".join(problems) if problems else f"{len(LESSONS)} lessons, as expected")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
