"""The language of the oracle's programs: its words, its text, its rules.

A program is a list of tasks and a list of callbacks, each a list of operations.
README.md describes the text. Task 0 runs first.
"""

import re

# What may follow each word. A letter is an operand of that kind: t task, f future, g gather, F any of
# these, c callback, h handle, v variable, x context, n number, E error, m message. "?" means that it may be
# missing, "*" that there may be any number of it, and a whole word is a flag that may be missing.
SYNCHRONOUS = {
    "add_done_callback": "F c x?",
    "all_tasks": "",
    "barrier_waiting": "r",
    "bounded_locked": "b",
    "bounded_release": "b",
    "call_at": "h n c",
    "call_later": "h n c",
    "call_soon": "h c x?",
    "cancel": "F m?",
    "cancel_handle": "h",
    "condition_count": "d",
    "condition_notify": "d n",
    "condition_notify_all": "d",
    "condition_release": "d",
    "copy_context": "x",
    "event_clear": "e",
    "event_set": "e",
    "exception": "F",
    "expired": "s",
    "gather": "g errors F*",
    "get": "v",
    "group_spawn": "k t eager",
    "lock_locked": "l",
    "lock_release": "l",
    "new_future": "f",
    "queue_get_nowait": "q",
    "queue_put_nowait": "q n",
    "queue_shutdown": "q immediate",
    "queue_size": "q",
    "queue_task_done": "q",
    "raise": "E m?",
    "remove_done_callback": "F c",
    "reschedule": "s n?",
    "reset": "v",
    "result": "F",
    "return": "n",
    "semaphore_locked": "p",
    "semaphore_release": "p",
    "set": "v n",
    "set_exception": "f E m?",
    "set_result": "f n",
    "shield": "g F",
    "spawn": "t eager x?",
    "state": "F",
    "uncancel": "t",
    "when": "s",
}

# What only tasks can do.
SUSPENDING = {
    "as_completed": "n? F*",
    "await": "F",
    "await_self": "",
    "barrier_abort": "r",
    "barrier_reset": "r",
    "barrier_wait": "r",
    "block": "",
    "bounded_acquire": "b",
    "condition_acquire": "d",
    "condition_scope": "d",
    "condition_wait": "d",
    "condition_wait_for": "d n",
    "event_wait": "e",
    "finally": "",
    "group": "k",
    "lock_acquire": "l",
    "lock_scope": "l",
    "queue_get": "q",
    "queue_join": "q",
    "queue_put": "q n",
    "semaphore_acquire": "p",
    "sleep": "n",
    "timeout": "s n?",
    "timeout_at": "s n",
    "try": "",
    "wait": "first error n? F*",
    "wait_for": "F n?",
    "wait_for_coro": "n?",
}

SYNTAX = SYNCHRONOUS | SUSPENDING

# Words that have operations inside; those of WITH_HANDLER have a second list, after "then".
BLOCKS = {
    "as_completed", "block", "condition_scope", "finally", "group", "lock_scope", "timeout", "timeout_at", "try",
    "wait_for_coro",
}  # fmt: skip
WITH_HANDLER = {"finally", "try"}

ERRORS = {"cancelled": 0, "timeout": 10, "invalid": 11} | {f"E{n}": n for n in range(1, 10)}

# How many of each kind of thing a program may have.
SLOTS = 16
OPERANDS = 10

PATTERNS = {
    "F": re.compile(r"[tfg]\d+"),
    "n": re.compile(r"-?\d+"),
    "E": re.compile("|".join(ERRORS)),
} | {kind: re.compile(kind + r"\d+") for kind in "tfgchvxmskledpbrq"}


class SyntaxProblem(Exception):
    """The text is no program."""


class Op:
    """One operation. `catches` is 0, 1 (errors, but no cancels) or 2 (cancels too)."""

    __slots__ = ("name", "catches", "args", "body", "handler", "index")

    def __init__(self, name, args=(), catches=0, body=None, handler=None):
        self.name = name
        self.args = list(args)
        self.catches = catches
        self.body = [] if body is None and name in BLOCKS else body
        self.handler = [] if handler is None and name in WITH_HANDLER else handler
        self.index = 0

    def copy(self):
        return Op(self.name, self.args, self.catches, copy_ops(self.body), copy_ops(self.handler))

    def lines(self, indent):
        yield indent + "?" * self.catches + " ".join([self.name, *self.args])
        if self.name in BLOCKS:
            yield from block_lines(self.body, indent + "  ")
            if self.name in WITH_HANDLER:
                yield indent + "then"
                yield from block_lines(self.handler, indent + "  ")
            yield indent + "end"


def copy_ops(ops):
    return None if ops is None else [op.copy() for op in ops]


def block_lines(ops, indent):
    for op in ops:
        yield from op.lines(indent)


def walk(ops):
    """All operations of a list and of the lists in it, in the order of their text."""
    for op in ops:
        yield op
        if op.body is not None:
            yield from walk(op.body)
        if op.handler is not None:
            yield from walk(op.handler)


class Program:
    def __init__(self, seed, tasks, callbacks):
        self.seed = seed
        self.tasks = tasks
        self.callbacks = callbacks

    def copy(self):
        return Program(self.seed, [copy_ops(ops) for ops in self.tasks], [copy_ops(ops) for ops in self.callbacks])

    def lists(self):
        return self.tasks + self.callbacks

    def count(self):
        return sum(1 for ops in self.lists() for _ in walk(ops))

    def number(self):
        """Gives each operation its place in its task or callback; returns the program."""
        for ops in self.lists():
            for index, op in enumerate(walk(ops)):
                op.index = index
        return self

    def text(self):
        lines = [f"program {self.seed}"]
        for kind, lists in (("task", self.tasks), ("callback", self.callbacks)):
            for number, ops in enumerate(lists):
                lines += [f"{kind} {number}", *block_lines(ops, "  "), "end"]
        return "\n".join(lines) + "\n"


# --- from text --------------------------------------------------------------------------


def check_args(words):
    """Raises SyntaxProblem unless the operands fit the word."""
    name, args = words[0], list(words[1:])
    for part in SYNTAX[name].split():
        kind, mode = part.rstrip("?*"), part[-1]
        if len(kind) > 1:
            if args[:1] == [kind]:
                args.pop(0)
        elif mode == "*":
            while args and PATTERNS[kind].fullmatch(args[0]):
                args.pop(0)
        elif args and PATTERNS[kind].fullmatch(args[0]):
            args.pop(0)
        elif mode != "?":
            raise SyntaxProblem(f"{' '.join(words)}: needs '{SYNTAX[name]}'")
    if args or len(words) > OPERANDS + 1:
        raise SyntaxProblem(f"{' '.join(words)}: '{name}' takes '{SYNTAX[name]}'")
    for arg in words[1:]:
        if re.fullmatch(r"[tfgchvxskledpbrq]\d+", arg) and int(arg[1:]) >= SLOTS:
            raise SyntaxProblem(f"{arg}: there are {SLOTS} of each kind")


def parse_op(line, lines, synchronous):
    stripped = line.lstrip("?")
    words = stripped.split()
    if words[0] not in SYNTAX:
        raise SyntaxProblem(f"{line}: no such operation")
    if synchronous and words[0] not in SYNCHRONOUS:
        raise SyntaxProblem(f"{line}: a callback cannot do this")
    check_args(words)
    op = Op(words[0], words[1:], len(line) - len(stripped))
    if op.name in WITH_HANDLER:
        op.body = parse_block(lines, "then", synchronous)
    if op.name in WITH_HANDLER:
        op.handler = parse_block(lines, "end", synchronous)
    elif op.name in BLOCKS:
        op.body = parse_block(lines, "end", synchronous)
    return op


def parse_block(lines, end, synchronous):
    ops = []
    for line in lines:
        if line == end:
            return ops
        ops.append(parse_op(line, lines, synchronous))
    raise SyntaxProblem(f"an '{end}' is missing")


def parse(text):
    """The program that the text describes. Lines that begin with # are comments."""
    lines = iter([line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")])
    program = Program(0, [], [])
    for line in lines:
        word, _, number = line.partition(" ")
        if word == "program":
            program.seed = int(number)
        elif word in ("task", "callback"):
            lists = program.tasks if word == "task" else program.callbacks
            if int(number) != len(lists) or len(lists) == SLOTS:
                raise SyntaxProblem(f"{line}: expected number {len(lists)}, below {SLOTS}")
            lists.append(parse_block(lines, "end", word == "callback"))
        else:
            raise SyntaxProblem(f"{line}: expected task or callback")
    check_rings(program)
    check_callbacks(program)
    return program.number()


# --- rings ------------------------------------------------------------------------------


def wait_edges(program):
    """What may come to wait for what: no cancel ends a ring of these, or it overflows asyncio's stack."""
    edges = {}
    for number, ops in enumerate(program.tasks):
        for op in walk(ops):
            if op.name in ("await", "wait_for"):
                edges.setdefault(f"t{number}", set()).update(op.args[:1])
            if op.name == "group":
                edges.setdefault(f"t{number}", set()).add(op.args[0])
    for ops in program.lists():
        for op in walk(ops):
            if op.name == "gather":
                edges.setdefault(op.args[0], set()).update(op.args[1:])
            if op.name == "group_spawn":
                edges.setdefault(op.args[0], set()).add(op.args[1])
    return edges


def check_rings(program):
    edges, done = wait_edges(program), set()

    def visit(node, path):
        if node in path:
            raise SyntaxProblem(f"a ring of waits: {' '.join(path)} {node}")
        if node in done:
            return
        for following in edges.get(node, ()):
            visit(following, [*path, node])
        done.add(node)

    for node in list(edges):
        visit(node, [])


def check_callbacks(program):
    """A callback that could register itself would go on for ever."""
    for number, ops in enumerate(program.callbacks):
        for op in walk(ops):
            named = [int(arg[1:]) for arg in op.args if arg[0] == "c" and arg[1:].isdigit()]
            if "remove" not in op.name and any(other <= number for other in named):
                raise SyntaxProblem(f"callback {number} may only register callbacks of higher numbers")
