"""The oracle's command line: see README.md, or run it with --help."""

import argparse
import concurrent.futures
import itertools
import os
import pathlib
import sys
import time

import compare
import generate
import language
import shrink

FOLDER = pathlib.Path(__file__).resolve().parent
CORPUS = FOLDER / "corpus"
BATCH = 200

# What older versions of CPython do otherwise, by bugs that are fixed, or not at all: the operation that shows
# it, which is left out there, and the bug.
CANCELLED_WAITER = "who is cancelled does not pass its notification on"
KNOWN = {
    (3, 12): {
        "uncancel": "uncancel() to 0 does not take back a cancel that was not delivered yet",
        "group": "a group that fails loses a cancel from outside, or leaves its own one counted",
        "as_completed": "as_completed() gives coroutines and no futures",
        "queue_shutdown": "queues cannot be shut down",
        "condition_wait": CANCELLED_WAITER,
        "condition_wait_for": CANCELLED_WAITER,
        "barrier_wait": CANCELLED_WAITER,
    },
}


def default_program():
    build = os.environ.get("TUSK_BUILD_DIR", FOLDER.parents[1] / "build" / "default")
    return str(pathlib.Path(build, "tests", "oracle", "interpreter"))


def arguments():
    parser = argparse.ArgumentParser(
        prog="tests/oracle/run", description="Runs random programs on asyncio and on tusk and compares their traces."
    )
    parser.add_argument("--seed", type=int, default=1, help="of the first program; the next ones count up")
    parser.add_argument("--count", type=int, default=1000, help="how many programs")
    parser.add_argument("--min-ops", type=int, default=0, help="operations that each program has at least")
    parser.add_argument("--ops", help="only these operations (and spawn), separated by commas")
    parser.add_argument("--show", type=int, metavar="SEED", help="print this program and both traces")
    parser.add_argument("--file", help="print both traces of the program in this file")
    parser.add_argument("--corpus", action="store_true", help="run the programs that ever failed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many processes")
    parser.add_argument("--keep-going", type=int, default=1, metavar="N", help="show up to N differences")
    parser.add_argument("--program", default=default_program(), help="the interpreter on tusk")
    options = parser.parse_args()
    options.allowed = check_words(parser, options.ops) - known_differences().keys()
    if not os.access(options.program, os.X_OK):
        parser.error(f"there is no {options.program}; build it with 'tools/build default', or say --program")
    return options


def known_differences():
    return KNOWN.get(sys.version_info[:2], {})


def check_words(parser, text):
    words = set(text.split(",")) if text else set(language.SYNTAX)
    unknown = words - set(language.SYNTAX)
    if unknown:
        parser.error(f"no such operations: {', '.join(sorted(unknown))}")
    return words


# --- showing ----------------------------------------------------------------------------


def side_by_side(expected, actual):
    """Both traces, line by line; ">" marks the first line that differs."""
    left, right = expected.splitlines(), actual.splitlines()
    width = max(map(len, left), default=0)
    marked = False
    yield f"  {'asyncio':{width}}   tusk"
    for one, other in itertools.zip_longest(left, right, fillvalue=""):
        mark = ">" if one != other and not marked else " "
        marked = marked or one != other
        yield f"{mark} {one:{width}} {' ' if one == other else '|'} {other}"


def show(tusk, program):
    """Prints program and traces; the exit status."""
    expected, actual = compare.both(tusk, program)
    print(program.text())
    print("\n".join(side_by_side(expected, actual)))
    return int(expected != actual)


def show_failure(tusk, program):
    print(f"\nseed {program.seed}: the traces differ. Cutting the program down ...", flush=True)
    small = shrink.shrink(program, lambda candidate: compare.differs(tusk, candidate))
    show(tusk, small)
    print(f"\nkeep it as tests/oracle/corpus/seed-{program.seed}.prog", flush=True)


# --- many -------------------------------------------------------------------------------


def run_batch(path, seeds, min_ops, allowed):
    """Seeds of programs that differ, and the number of steps."""
    programs = [generate.generate(seed, min_ops, allowed) for seed in seeds]
    failures, steps = compare.compare(compare.Tusk(path), programs)
    return [program.seed for program in failures], steps


def batches(options):
    seeds = range(options.seed, options.seed + options.count)
    for start in range(0, len(seeds), BATCH):
        yield seeds[start : start + BATCH]


def run_many(options):
    """All seeds that differ, and the number of steps of all."""
    failures, steps = [], 0
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        runs = [
            pool.submit(run_batch, options.program, seeds, options.min_ops, options.allowed)
            for seeds in batches(options)
        ]
        for run in runs:
            some, count = run.result()
            failures += some
            steps += count
    return failures, steps


def check_many(options):
    begun = time.monotonic()
    failures, steps = run_many(options)
    for seed in failures[: options.keep_going]:
        show_failure(compare.Tusk(options.program), generate.generate(seed, options.min_ops, options.allowed))
    if failures:
        print(f"\nseeds that differ: {' '.join(map(str, failures[:20]))}{' ...' if len(failures) > 20 else ''}")
    print(f"{time.monotonic() - begun:.1f} s")
    print(f"{options.count} programs, {steps} steps, {len(failures)} differences")
    return int(bool(failures))


def has_known_difference(program):
    return any(op.name in known_differences() for ops in program.lists() for op in language.walk(ops))


def read_corpus():
    """The programs that this Python can judge, numbered by their place, and their names by number."""
    programs, names = [], {}
    for number, path in enumerate(sorted(CORPUS.glob("*.prog"))):
        program = language.parse(path.read_text(encoding="ascii"))
        program.seed = number
        names[number] = path.name
        if has_known_difference(program):
            print(f"left out: {path.name}")
        else:
            programs.append(program)
    return programs, names


def check_corpus(options):
    tusk = compare.Tusk(options.program)
    programs, names = read_corpus()
    failures, steps = compare.compare(tusk, programs)
    for program in failures:
        print(f"\n{names[program.seed]}: the traces differ")
        show(tusk, program)
    print(f"{len(programs)} programs of the corpus, {steps} steps, {len(failures)} differences")
    return int(bool(failures))


def main():
    options = arguments()
    tusk = compare.Tusk(options.program)
    print(f"Python {'.'.join(map(str, sys.version_info[:3]))}", flush=True)
    for word, bug in known_differences().items():
        print(f"left out: {word}, since in this version {bug}")
    if options.show is not None:
        return show(tusk, generate.generate(options.show, options.min_ops, options.allowed))
    if options.file:
        return show(tusk, language.parse(pathlib.Path(options.file).read_text(encoding="ascii")))
    return check_corpus(options) if options.corpus else check_many(options)


if __name__ == "__main__":
    sys.exit(main())
