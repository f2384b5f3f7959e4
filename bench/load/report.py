"""What came out: tables for people, lines of JSON for programs."""

import json
import os
import statistics

from cases import RIVALS
from shared import bench

# Percent of the time: from then on a rate says more of the machine's other work than of the server.
OTHERS_IN_THE_WAY = 3.0


class Results:
    """All runs of one case: for each peer the measurements, in the order of the rounds."""

    def __init__(self, case):
        self.case = case
        self.peers = {}
        self.runs = {}
        self.failed = {}

    def add(self, peer, measured):
        self.peers[peer.name] = peer
        self.runs.setdefault(peer.name, []).append(measured)

    def fail(self, peer, reason):
        self.peers[peer.name] = peer
        self.failed[peer.name] = reason

    def values(self, name, key):
        """One for each round; none at all from a peer that has failed."""
        return [] if name in self.failed else [run[key] for run in self.runs.get(name, [])]

    def typical(self, name, column):
        values = self.values(name, column.key)
        if not values:
            return None
        return statistics.fmean(values) if column.mean else statistics.median(values)

    def column(self, key):
        return next(column for column in self.case.load.columns if column.key == key)

    def ratio(self, name, of, key):
        """The median of what the rounds say: within a round, both found the machine in the same minute."""
        pairs = list(zip(self.values(name, key), self.values(of, key)))
        return statistics.median(ours / theirs for ours, theirs in pairs) if pairs else None

    def best_rival(self, key):
        column = self.column(key)
        rivals = [name for name, peer in self.peers.items()
                  if name != "tusk" and not peer.is_floor and self.typical(name, column) is not None]
        return max(rivals, key=lambda name: self.typical(name, column), default=None)

    def judge(self, goal):
        """The value, what it is compared with (or None), and whether the goal is met (None: not measured)."""
        of = self.best_rival(goal.column) if goal.of == RIVALS else goal.of
        value = self.ratio("tusk", of, goal.column) if goal.of else self.typical("tusk", self.column(goal.column))
        return value, of, None if value is None else goal.met(value)


def number(value):
    return bench.number(value) if value is None or value >= 1 or value == 0 else f"{value:.3f}"


def goal_line(results, goal):
    column = results.column(goal.column)
    value, of, met = results.judge(goal)
    theirs = results.typical(of, column) if of else None
    text = f"goal: {column.title} {goal}"
    if theirs is not None:
        said = f"that is {number(theirs * goal.limit)}"
        text += f" ({of}, {said})" if goal.of == RIVALS else f" ({said})"
    if met is None:
        return text + ": tusk not measured"
    unit = f" x {of}" if of else ""
    return text + f": tusk {number(value)}{unit}, {'met' if met else 'MISSED'}"


def row(results, name):
    peer = results.peers[name]
    version = peer.version or "-"
    if name in results.failed:
        return [name, version, "failed: " + results.failed[name]]
    first, *rest = results.case.load.columns
    values = results.values(name, first.key)
    ratio = results.ratio(name, results.case.reference, first.key)
    return [name, version, number(results.typical(name, first)), number(min(values)), number(max(values)),
            bench.number(ratio), *(number(results.typical(name, column)) for column in rest)]


def print_table(results):
    first, *rest = results.case.load.columns
    print(f"\n{results.case.name}: {results.case.heading}")
    rows = [["peer", "version", first.title, "min", "max", "x " + results.case.reference,
             *(column.title for column in rest)]]
    rows += [row(results, name) for name in results.peers]
    whole = [line for line in rows if len(line) == len(rows[0])]
    widths = [max(len(line[i]) for line in whole) for i in range(len(rows[0]))]
    widths[0] = max(len(line[0]) for line in rows)
    for line in rows:
        cells = [cell.ljust(width) if i < 2 or len(line) < len(rows[0]) else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(line, widths))]
        print(("  " + "  ".join(cells)).rstrip())
    for note in notes(results):
        print("  " + note)
    for goal in results.case.goals:
        print("  " + goal_line(results, goal))
    print(end="", flush=True)


def notes(results):
    found = dict.fromkeys(run["note"] for runs in results.runs.values() for run in runs if "note" in run)
    waited = [run["waited"] for runs in results.runs.values() for run in runs if "waited" in run]
    typical = statistics.median(waited) if waited else 0
    if typical > OTHERS_IN_THE_WAY:
        found[f"others had the servers' processor {typical:.0f} % of the time in half of the runs: "
              "trust cpu us, not the rates"] = None
    return list(found)


def as_objects(results):
    """One for each peer and column."""
    for name, peer in results.peers.items():
        for column in results.case.load.columns:
            values = results.values(name, column.key)
            entry = {"name": f"load/{results.case.name}/{column.key}", "load": results.case.name,
                     "peer": name, "version": peer.version, "unit": column.title,
                     "median": statistics.median(values) if values else None,
                     "mean": statistics.fmean(values) if values else None,
                     "min": min(values, default=None), "max": max(values, default=None), "runs": len(values),
                     **bench.circumstances()}
            goals = [goal for goal in results.case.goals if goal.column == column.key]
            if name == "tusk" and goals:
                entry["goals"] = [dict(zip(("goal", "value", "of", "met"), (str(goal), *results.judge(goal))))
                                  for goal in goals]
            if name in results.failed:
                entry["failed"] = results.failed[name]
            yield entry


def kept_lines(path, cases):
    """What others have written, and earlier runs of other cases."""
    try:
        with open(path, encoding="utf-8") as text:
            lines = text.read().splitlines()
    except OSError:
        return []
    return [line for line in lines if line and json.loads(line).get("load") not in cases]


def write_results(path, every):
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    lines = kept_lines(path, {results.case.name for results in every})
    lines += [json.dumps(entry) for results in every for entry in as_objects(results)]
    with open(path + ".new", "w", encoding="utf-8") as out:
        out.writelines(line + "\n" for line in lines)
    os.replace(path + ".new", path)
