"""Runs programs on both sides and finds those whose traces differ."""

import gc
import os
import shlex
import subprocess
import tempfile

import interpreter

# Seconds that a batch may take in C before it counts as hanging.
HANG = 120


class Tusk:
    """The interpreter in C."""

    def __init__(self, path):
        self.command = shlex.split(os.environ.get("TUSK_TEST_WRAPPER", "")) + [path]

    def traces(self, programs, meanwhile=lambda: None):
        """The text of all traces, how the process ended ("" if well), and what `meanwhile` returned."""
        with tempfile.TemporaryDirectory() as folder:
            source, target = os.path.join(folder, "programs"), os.path.join(folder, "traces")
            with open(source, "w", encoding="ascii") as file:
                file.writelines(program.text() for program in programs)
            process = subprocess.Popen([*self.command, source, target], stderr=subprocess.PIPE, text=True)
            result = meanwhile()
            ending = self.wait(process)
            text = ""
            if os.path.exists(target):
                with open(target, encoding="ascii", errors="replace") as file:
                    text = file.read()
            return text, ending, result

    def wait(self, process):
        try:
            _, errors = process.communicate(timeout=HANG)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return "it hangs"
        if process.returncode == 0:
            return ""
        return f"it ended with {process.returncode}\n{errors[-4000:]}"


def asyncio_traces(programs):
    """The traces of the programs; and garbage is collected between programs, never in one."""
    gc.disable()
    traces = []
    for number, program in enumerate(programs):
        traces.append(interpreter.run(program))
        if number % 50 == 49:
            gc.collect()
    gc.collect()
    return traces


def split(text):
    """The traces in a text, by seed."""
    parts = text.split("program ")[1:]
    return {int(part.partition("\n")[0]): "program " + part for part in parts}


def both(tusk, program):
    """The two traces of one program, asyncio's first."""
    text, ending, traces = tusk.traces([program], lambda: asyncio_traces([program]))
    if ending:
        text += ending + "\n"
    return traces[0], text


def differs(tusk, program):
    expected, actual = both(tusk, program)
    return expected != actual


def compare(tusk, programs):
    """The programs whose traces differ, and the number of lines in all traces."""
    text, ending, expected = tusk.traces(programs, lambda: asyncio_traces(programs))
    steps = sum(trace.count("\n") for trace in expected) - len(expected)
    if text == "".join(expected) and not ending:
        return [], steps
    if ending:
        # Which one it was shows when each runs alone, from the first without a whole trace on.
        return [program for program in programs if differs(tusk, program)] or programs[:1], steps
    actual = split(text)
    return [p for p, trace in zip(programs, expected, strict=True) if actual.get(p.seed) != trace], steps
