"""Cuts a failing program down to what still fails.

Delta debugging: chunks of operations are left out, from half of all to single
ones; then blocks give way to what is inside of them; then operands become simpler. All
that, again and again, until nothing more can go.
"""

from language import WITH_HANDLER, SyntaxProblem, check_args, check_rings, walk


def lists_of(program):
    """Every list of operations in the program, outer ones first."""
    for ops in program.lists():
        yield ops
        for op in walk(ops):
            if op.body is not None:
                yield op.body
            if op.handler is not None:
                yield op.handler


def valid(program):
    try:
        check_rings(program)
    except SyntaxProblem:
        return False
    return True


def without(program, start, count):
    """A copy without the operations at these places of the whole text."""
    copy = program.copy()
    doomed = {id(op) for op in list(op for ops in copy.lists() for op in walk(ops))[start : start + count]}
    for ops in list(lists_of(copy)):
        ops[:] = [op for op in ops if id(op) not in doomed]
    return copy


def cuts(program):
    total = program.count()
    size = total // 2
    while size >= 1:
        for start in range(0, total, size):
            yield lambda start=start, size=size: without(program, start, size)
        size //= 2


def changed(program, number, change):
    """A copy in which change(list, index) was done to one operation."""
    copy = program.copy()
    places = [(ops, index) for ops in lists_of(copy) for index in range(len(ops))]
    change(*places[number])
    return copy


def unwrap(ops, index):
    op = ops[index]
    ops[index : index + 1] = op.body + (op.handler or [])


def keep_body(ops, index):
    ops[index : index + 1] = ops[index].body


def simplifications(op):
    """Changes that make one operation simpler."""
    if op.body is not None:
        yield unwrap
        if op.name in WITH_HANDLER:
            yield keep_body
    if op.catches:
        yield lambda ops, index: setattr(ops[index], "catches", 0)
        yield lambda ops, index: setattr(ops[index], "catches", ops[index].catches - 1)
    for place, arg in enumerate(op.args):
        yield lambda ops, index, place=place: ops[index].args.pop(place)
        if arg.lstrip("-").isdigit() and arg not in ("0", "1"):
            for simple in ("0", "1"):
                yield lambda ops, index, place=place, simple=simple: ops[index].args.__setitem__(place, simple)


def fits(program):
    """True if each operation's operands still fit its word."""
    try:
        for ops in program.lists():
            for op in walk(ops):
                check_args([op.name, *op.args])
    except SyntaxProblem:
        return False
    return True


def changes(program):
    places = [ops[index] for ops in lists_of(program) for index in range(len(ops))]
    for number, op in enumerate(places):
        for change in simplifications(op):
            yield lambda number=number, change=change: changed(program, number, change)


def renumbered(lists, kind, removed, program):
    """Takes one list out, and gives those after it the number before."""
    del lists[removed]
    for ops in program.lists():
        for op in walk(ops):
            op.args = [lowered(arg, kind, removed) for arg in op.args]


def lowered(arg, kind, removed):
    if arg[0] == kind and arg[1:].isdigit() and int(arg[1:]) > removed:
        return f"{kind}{int(arg[1:]) - 1}"
    return arg


def names(program, label):
    return any(label in op.args for ops in program.lists() for op in walk(ops))


def without_empty(program):
    """Without the tasks and callbacks that are empty and that nothing names."""
    copy = program.copy()
    for lists, kind, first in ((copy.tasks, "t", 1), (copy.callbacks, "c", 0)):
        for number in range(len(lists) - 1, first - 1, -1):
            if not lists[number] and not names(copy, f"{kind}{number}"):
                renumbered(lists, kind, number, copy)
    return copy


def shrink(program, fails):
    """The smallest program found for which fails(program) is still true."""
    progress = True
    while progress:
        progress = False
        for make in (cuts, changes, lambda p: [lambda: without_empty(p)]):
            again = True
            while again:
                again = False
                for candidate in make(program):
                    smaller = candidate().number()
                    if smaller.text() == program.text() or not fits(smaller) or not valid(smaller):
                        continue
                    if fails(smaller):
                        program, progress, again = smaller, True, True
                        break
    return program
