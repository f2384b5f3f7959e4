#!/usr/bin/env python3
"""The watchdog seen from outside: a program that is stuck says on its standard error what it is stuck in.

The program is stuck.c. It is stopped, or let go on, as soon as it has said enough; no time is measured.
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

BUILD = pathlib.Path(os.environ.get("TUSK_BUILD_DIR", "build/default")).resolve()
PROGRAM = BUILD / "tests" / "loop" / "stuck"
WRAPPER = shlex.split(os.environ.get("TUSK_TEST_WRAPPER", ""))

HEADLINE = re.compile(r"tusk: Executing a step has taken \d+\.\d{3} seconds so far: task 'soup'$")
ENDED = re.compile(r"(tusk|handler): Executing a step took \d+\.\d{3} seconds: (task 'soup'|soup)$")
FRAME = re.compile(r"    #(\d+) 0x([0-9a-f]+)(?: in (\S+))? \((.+)\+0x([0-9a-f]+)\)$")
MORE = "    ..."
NO_BACKTRACE = "    (no backtrace: "

# ThreadSanitizer delivers a signal when the next call returns: what does not return has no backtrace then.
LATE_SIGNALS = b"__tsan_init" in PROGRAM.read_bytes()

problems = []


def check(condition, what, text):
    if not condition:
        problems.append(f"{what}:\n{text}")


class Run:
    """A run of the program, in the way that its first argument names."""

    def __init__(self, *words, debug="1"):
        environment = dict(os.environ, TUSK_DEBUG=debug)
        self.process = subprocess.Popen(
            [*WRAPPER, str(PROGRAM), *words],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        self.lines = []

    def read(self):
        """The next line, or None at the end."""
        line = self.process.stderr.readline()
        if not line:
            return None
        self.lines.append(line.rstrip("\n"))
        return self.lines[-1]

    def read_report(self, outermost):
        """Reads until the task is named, and its backtrace has come to this function or its end, or there is none."""
        named = False
        while (line := self.read()) is not None:
            named = named or HEADLINE.match(line)
            if named and (line == MORE or line.startswith(NO_BACKTRACE) or f" in {outermost} (" in line):
                return

    def stop(self):
        self.process.terminate()
        self.process.communicate()

    def finish(self):
        """Lets it go on: its standard input ends. The rest of what it says is read too."""
        self.process.stdin.close()
        while self.read() is not None:
            pass
        return self.process.wait()

    def frames(self):
        return [FRAME.match(line) for line in self.lines if FRAME.match(line)]

    def __str__(self):
        return "\n".join(self.lines)


def check_backtrace(run, innermost, outermost):
    if LATE_SIGNALS:
        check(NO_BACKTRACE + "the thread does not take signals)" in run.lines, "it does not say why there is none", run)
        return
    functions = [frame[3] for frame in run.frames()]
    named = innermost in functions and outermost in functions
    check(named and functions.index(innermost) < functions.index(outermost),
          f"{innermost} called by {outermost} is not in the backtrace", run)


def check_read():
    """A system call that does not return; then it does, and nothing of it was lost."""
    run = Run("read")
    run.read_report("read_for_long")
    check(any(HEADLINE.match(line) for line in run.lines), "the task is not named while it blocks", run)
    check_backtrace(run, "wait_for_kitchen", "read_for_long")
    if not LATE_SIGNALS:
        check_addresses(run)
    status = run.finish()
    check(status == 0, f"the program ends with {status}", run)
    check(sum(bool(HEADLINE.match(line)) for line in run.lines) == 1, "the step is not reported once", run)
    check(sum(bool(ENDED.match(line)) for line in run.lines) == 1, "the end of the step is not reported once", run)


def check_addresses(run):
    """The file and the place in it are what addr2line takes."""
    tool = shutil.which("addr2line")
    ours = [frame for frame in run.frames() if frame[3] == "wait_for_kitchen"]
    check(ours and pathlib.Path(ours[0][4]).name == "stuck", "the file of the function is not the program", run)
    if not tool or not ours:
        return
    said = subprocess.run([tool, "-f", "-e", ours[0][4], "0x" + ours[0][5]],
                          capture_output=True, text=True, check=False).stdout
    check("wait_for_kitchen" in said, f"addr2line takes the place for: {said}", run)


def check_spin():
    """A loop that never ends, and makes no call in which anything could happen."""
    run = Run("spin")
    run.read_report("count_for_ever")
    run.stop()
    check(any(HEADLINE.match(line) for line in run.lines), "the task is not named while it spins", run)
    check_backtrace(run, "count_grains", "count_for_ever")


def check_dive():
    """A deep stack: its innermost part is there, and it is said that there is more."""
    run = Run("dive")
    run.read_report("dive_deep")
    run.finish()
    check_backtrace(run, "wait_for_kitchen", "dive")
    check(LATE_SIGNALS or MORE in run.lines, "it is not said that the backtrace goes on", run)


def check_handler():
    """The program's own exception handler gets the backtrace when the step has ended."""
    run = Run("read", "handler")
    run.read_report("read_for_long")
    run.finish()
    told = [i for i, line in enumerate(run.lines) if ENDED.match(line)]
    check(len(told) == 1, "the handler is not called once", run)
    after = [FRAME.match(line) for line in run.lines[told[0]:]] if told else []
    check(LATE_SIGNALS or "wait_for_kitchen" in [frame[3] for frame in after if frame],
          "the handler has no backtrace", run)


def check_quiet():
    """Without debug mode nobody looks."""
    run = Run("read", debug="0")
    check(run.finish() == 0 and not run.lines, "without debug mode there are reports", run)


def main():
    check_read()
    check_spin()
    check_dive()
    check_handler()
    check_quiet()
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
