"""Makes a program from a seed.

The program is made of what hurts: short sleeps, so that many things happen in
one iteration; few futures, so that many wait for the same; cancels from everywhere;
and errors that are caught half of the time, so that programs live on.

Three rules keep programs comparable. Nothing waits in a ring: a task awaits
tasks of higher numbers, and each gather has a level that separates who awaits it from what it
awaits. A callback registers callbacks of higher numbers only, so that there is an
end. And a task that shares a context does not start eagerly: Python refuses to enter a context twice.
"""

import random

from language import BLOCKS, OPERANDS, SYNCHRONOUS, SYNTAX, WITH_HANDLER, Op, Program, walk

# How often each operation comes; what is not here comes with 10.
WEIGHTS = {
    "all_tasks": 2,
    "await": 45,
    "await_self": 1,
    "block": 10,
    "call_at": 4,
    "call_soon": 10,
    "cancel": 40,
    "cancel_handle": 5,
    "copy_context": 4,
    "exception": 3,
    "finally": 10,
    "gather": 18,
    "get": 10,
    "new_future": 6,
    "raise": 7,
    "remove_done_callback": 3,
    "reset": 5,
    "result": 5,
    "return": 3,
    "set": 12,
    "set_exception": 8,
    "set_result": 14,
    "sleep": 60,
    "state": 3,
    "uncancel": 8,
}

# What it makes no difference to catch an error of.
NEVER_FAILS = {
    "all_tasks", "call_at", "call_later", "call_soon", "cancel_handle", "copy_context", "get", "new_future",
    "return", "set", "spawn", "state",
}  # fmt: skip

SLEEPS = [0, 0, 0, 0, 1, 1, 2, 2, 3, 4, 8, -1]
DELAYS = [0, 0, 1, 1, 2, 3, 4, -1]
DEEPEST = 4


class Generator:
    def __init__(self, seed, min_ops=0, allowed=SYNTAX):
        self.random = random.Random(seed)
        self.seed = seed
        self.allowed = allowed
        self.size = self.choose_size(min_ops)
        self.tasks = self.random.randint(1, max(1, min(8, self.size // 4)))
        self.callbacks = self.random.randint(0, 4) if self.size > 6 else 0
        self.futures = self.random.randint(1, 4)
        self.gathers = [self.random.randint(0, self.tasks - 1) for _ in range(3)]
        self.contexts = self.random.randint(1, 2)
        self.owner = None
        self.in_task = self.table(SYNTAX, False)
        self.in_callback = self.table(SYNCHRONOUS, False)
        self.in_last_callback = self.table(SYNCHRONOUS, True)

    def choose_size(self, min_ops):
        extra = int(2 ** self.random.uniform(1, 6.3))
        return min_ops + extra

    def table(self, words, is_last):
        """The words that may come, and how often."""
        names = [name for name in words if name != "spawn" and name in self.allowed]
        if is_last or not self.callbacks:
            names = [name for name in names if "c" not in words[name].split()]
        return names, [WEIGHTS.get(name, 10) for name in names]

    def words_for(self, task):
        if task is not None:
            return self.in_task
        return self.in_last_callback if self.owner == self.callbacks - 1 else self.in_callback

    # --- operands ---

    def waitable(self, task):
        """A future, or what the task may await without a ring; a callback (None) awaits nothing."""
        choices = [f"f{self.random.randrange(self.futures)}"] * 3
        later = range(task + 1, self.tasks)
        choices += [f"t{n}" for n in later] * 2
        choices += [f"g{n}" for n, level in enumerate(self.gathers) if task <= level]
        return self.random.choice(choices)

    def any_future(self):
        kind = self.random.choice("ttttfffg")
        number = {"t": self.tasks, "f": self.futures, "g": len(self.gathers)}[kind]
        return f"{kind}{self.random.randrange(number)}"

    def message(self):
        return [f"m{self.random.randrange(10)}"] if self.random.random() < 0.6 else []

    def error(self):
        names = ["E1", "E2", "E3", "E4", "E5", "cancelled", "timeout", "invalid"]
        return self.random.choices(names, [8, 8, 4, 4, 4, 4, 2, 1])[0]

    def gather_args(self):
        number = self.random.randrange(len(self.gathers))
        level = self.gathers[number]
        children = [f"t{n}" for n in range(level + 1, self.tasks)] * 2
        children += [f"f{n}" for n in range(self.futures)]
        children += [f"g{n}" for n, other in enumerate(self.gathers) if n > number and other >= level]
        chosen = [self.random.choice(children) for _ in range(self.random.randint(0, min(5, OPERANDS - 2)))]
        flag = ["errors"] if self.random.random() < 0.3 else []
        return [f"g{number}", *flag, *chosen]

    def operand(self, kind, name, task):
        pick = self.random
        if kind == "n":
            return str(pick.choice(SLEEPS if name == "sleep" else DELAYS if name.startswith("call") else range(1, 9)))
        if kind == "F":
            return self.waitable(task) if name == "await" else self.any_future()
        if kind == "t":
            return f"t{pick.randrange(self.tasks)}"
        if kind == "E":
            return self.error()
        if kind == "c":
            first = self.owner + 1 if task is None else 0
            return f"c{pick.randrange(first, self.callbacks)}"
        limit = {"f": self.futures, "h": 3, "v": 2, "x": self.contexts}[kind]
        return f"{kind}{pick.randrange(limit)}"

    def args(self, name, task):
        if name == "gather":
            return self.gather_args()
        args = []
        for part in SYNTAX[name].split():
            kind = part.rstrip("?")
            if kind == "m":
                args += self.message()
            elif part[-1] != "?" or self.random.random() < 0.3:
                args.append(self.operand(kind, name, task))
        return args

    # --- operations ---

    def catching(self, name):
        if name in NEVER_FAILS:
            return 0
        return self.random.choices([0, 1, 2], [45, 20, 35])[0]

    def op(self, task, depth, budget):
        """An operation that has `budget` operations at most, itself included."""
        names, weights = self.words_for(task)
        name = self.random.choices(names, weights)[0]
        while name in BLOCKS and (depth == DEEPEST or budget < 3):
            name = self.random.choices(names, weights)[0] if len(names) > len(BLOCKS) else "sleep"
        op = Op(name, self.args(name, task), self.catching(name))
        if name in BLOCKS:
            inside = self.random.randint(1, min(10, budget - 1))
            op.body = self.ops(task, depth + 1, inside)
            if name in WITH_HANDLER:
                op.handler = self.ops(task, depth + 1, self.random.randint(1, max(1, min(4, budget - inside))))
        return op

    def ops(self, task, depth, budget):
        ops = []
        while budget > 0 and self.words_for(task)[0]:
            op = self.op(task, depth, budget)
            budget -= sum(1 for _ in walk([op]))
            ops.append(op)
            # What follows would never run, mostly.
            if op.name == "return" or (op.name == "raise" and not op.catches):
                if depth > 0:
                    break
                ops.pop()
        return ops

    def spawn(self, number):
        flags = ["eager"] if self.random.random() < 0.25 else []
        if not flags and self.random.random() < 0.1:
            flags = [f"x{self.random.randrange(self.contexts)}"]
        return Op("spawn", [f"t{number}", *flags])

    def shares(self, count):
        """Splits the size among that many lists, unevenly."""
        weights = [self.random.random() + 0.2 for _ in range(count)]
        return [max(1, round(self.size * weight / sum(weights))) for weight in weights]

    def add_spawns(self, tasks, callbacks):
        for number in range(1, len(tasks)):
            if callbacks and self.random.random() < 0.1:
                ops = self.random.choice(callbacks)
            else:
                ops = tasks[self.random.choice([0, 0, self.random.randrange(number)])]
            ops.insert(self.random.randint(0, min(len(ops), 3)), self.spawn(number))

    def callback(self, number, share):
        self.owner = number
        return self.ops(None, 0, min(4, share))

    def program(self):
        shares = self.shares(self.tasks + self.callbacks)
        tasks = [self.ops(number, 0, shares[number]) for number in range(self.tasks)]
        callbacks = [self.callback(number, shares[self.tasks + number]) for number in range(self.callbacks)]
        self.add_spawns(tasks, callbacks)
        return Program(self.seed, tasks, callbacks)


def generate(seed, min_ops=0, allowed=SYNTAX):
    """The program of a seed, with at least min_ops operations."""
    generator = Generator(seed, min_ops, allowed)
    program = generator.program()
    while program.count() < min_ops:
        number = generator.random.randrange(generator.tasks)
        program.tasks[number] += generator.ops(number, 0, 1 + min_ops - program.count()) or [Op("sleep", ["0"])]
    return program.number()
