"""Makes a program from a seed.

The program is made of what hurts: short sleeps, so that many things happen in
one iteration; few futures, so that many wait for the same; cancels from everywhere;
and errors that are caught half of the time, so that programs live on.

Three rules keep programs comparable. Nothing waits in a ring: a task awaits tasks of higher
numbers, each gather has a level that separates who awaits it from what it awaits, and each task
group one that separates who enters it from its children. A callback registers callbacks of higher
numbers only, so that there is an end. And a task that shares a context does not start eagerly:
Python refuses to enter a context twice.
"""

import random

from language import BLOCKS, OPERANDS, SLOTS, SYNCHRONOUS, SYNTAX, WITH_HANDLER, Op, Program, walk

# How often each operation comes; what is not here comes with 10.
WEIGHTS = {
    "all_tasks": 2,
    "barrier_abort": 3,
    "barrier_reset": 6,
    "barrier_wait": 50,
    "bounded_acquire": 35,
    "as_completed": 8,
    "await": 45,
    "await_self": 1,
    "block": 10,
    "call_at": 4,
    "call_soon": 10,
    "cancel": 40,
    "cancel_handle": 5,
    "condition_count": 15,
    "condition_notify": 10,
    "condition_notify_all": 5,
    "condition_release": 5,
    "condition_scope": 60,
    "condition_wait": 15,
    "copy_context": 4,
    "event_set": 15,
    "event_wait": 30,
    "exception": 3,
    "expired": 8,
    "finally": 10,
    "gather": 18,
    "get": 10,
    "group": 20,
    "group_spawn": 12,
    "lock_acquire": 25,
    "lock_release": 12,
    "lock_scope": 45,
    "new_future": 6,
    "queue_get": 35,
    "queue_put": 35,
    "queue_shutdown": 3,
    "raise": 7,
    "remove_done_callback": 3,
    "reschedule": 15,
    "reset": 5,
    "result": 5,
    "return": 3,
    "semaphore_acquire": 35,
    "semaphore_release": 20,
    "set": 12,
    "set_exception": 8,
    "set_result": 14,
    "shield": 10,
    "sleep": 60,
    "state": 3,
    "timeout": 25,
    "timeout_at": 5,
    "uncancel": 8,
    "wait": 20,
    "wait_for": 20,
    "wait_for_coro": 10,
    "when": 6,
}

# What it makes no difference to catch an error of.
NEVER_FAILS = {
    "all_tasks", "call_at", "call_later", "call_soon", "cancel_handle", "copy_context", "expired", "get",
    "new_future", "return", "set", "shield", "spawn", "state", "when",
}  # fmt: skip

SLEEPS = [0, 0, 0, 0, 1, 1, 2, 2, 3, 4, 8, -1]
DELAYS = [0, 0, 1, 1, 2, 3, 4, -1]
DEEPEST = 4

# The first parts of the words for what tasks wait for each other with: a program has some of them, not all.
FAMILIES = ["barrier", "bounded", "condition", "event", "lock", "queue", "semaphore"]
NUMBERS = {"condition_notify": [0, 1, 1, 1, 2, 3], "condition_wait_for": [0, 1, 1, 2, 3], "sleep": SLEEPS}

# Those whose number is the end of a time.
TIMED = {"as_completed", "reschedule", "timeout", "timeout_at", "wait", "wait_for", "wait_for_coro"}
LOOKS_AT_SCOPE = {"expired", "reschedule", "when"}
TIMES = [-1, 0, 0, 1, 1, 1, 2, 2, 3, 4]


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
        self.groups = [self.random.randint(0, self.tasks // 2) for _ in range(3)]
        # Tasks that no group has begun with, and the time-outs around what is being made.
        self.free = list(range(1, self.tasks))
        self.scopes = []
        self.contexts = self.random.randint(1, 2)
        self.absent = self.absent_families()
        self.owner = None
        self.in_task = self.table(SYNTAX, False)
        self.in_callback = self.table(SYNCHRONOUS, False)
        self.in_last_callback = self.table(SYNCHRONOUS, True)

    def choose_size(self, min_ops):
        extra = int(2 ** self.random.uniform(1, 6.3))
        return min_ops + extra

    def absent_families(self):
        if len(self.allowed) < len(SYNTAX) // 2:
            return set()
        present = self.random.sample(FAMILIES, self.random.choice([0, 1, 1, 1, 2, 3]))
        return {name for name in FAMILIES if name not in present}

    def family(self, name):
        return name.partition("_")[0]

    def table(self, words, is_last):
        """The words that may come, and how often."""
        names = [name for name in words if name != "spawn" and name in self.allowed]
        names = [name for name in names if self.family(name) not in self.absent]
        if is_last or not self.callbacks:
            names = [name for name in names if "c" not in words[name].split()]
        # As much of what a program has as if it had all.
        factor = 2 if self.absent else 1
        return names, [WEIGHTS.get(name, 10) * (factor if self.family(name) in FAMILIES else 1) for name in names]

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

    def many_args(self, name):
        """For those that take any futures."""
        flags = self.random.choice([[], ["first"], ["error"]]) if name == "wait" else []
        time = [str(self.random.choice(TIMES))] if self.random.random() < 0.5 else []
        count = self.random.choice([1, 1, 2, 2, 3, 4, 5])
        return [*flags, *time, *(self.any_future() for _ in range(count))]

    def numbers(self, name):
        if name in TIMED:
            return TIMES
        return DELAYS if name.startswith("call") else NUMBERS.get(name, range(1, 9))

    def operand(self, kind, name, task):
        pick = self.random
        if kind == "n":
            return str(pick.choice(self.numbers(name)))
        if kind == "F":
            return self.waitable(task) if name in ("await", "wait_for") else self.any_future()
        if kind == "t":
            return f"t{pick.randrange(self.tasks)}"
        if kind == "E":
            return self.error()
        if kind == "s" and name in LOOKS_AT_SCOPE and any(self.scopes):
            return pick.choice([scope for scope in self.scopes if scope])
        if kind == "k":
            choices = [number for number, level in enumerate(self.groups) if task <= level]
            return f"k{pick.choice(choices)}"
        if kind == "c":
            first = self.owner + 1 if task is None else 0
            return f"c{pick.randrange(first, self.callbacks)}"
        if kind in "ledpbrq":
            return f"{kind}{pick.randrange(3 if kind == 'q' else 2)}"
        limit = {"f": self.futures, "g": len(self.gathers), "h": 3, "v": 2, "x": self.contexts, "s": 3}[kind]
        return f"{kind}{pick.randrange(limit)}"

    def args(self, name, task):
        if name == "gather":
            return self.gather_args()
        if name in ("as_completed", "wait"):
            return self.many_args(name)
        if name == "group_spawn":
            number = self.random.randrange(len(self.groups))
            child = self.random.randint(min(self.groups[number] + 1, self.tasks - 1), self.tasks - 1)
            # There is no such task if the group can have none.
            child = child if child > self.groups[number] else SLOTS - 1
            return [f"k{number}", f"t{child}", *(["eager"] if self.random.random() < 0.3 else [])]
        likely = 0.85 if name in TIMED else 0.3
        args = []
        for part in SYNTAX[name].split():
            kind = part.rstrip("?")
            if kind == "m":
                args += self.message()
            elif len(kind) > 1:
                args += [kind] if self.random.random() < 0.3 else []
            elif part[-1] != "?" or self.random.random() < likely:
                args.append(self.operand(kind, name, task))
        return args

    # --- operations ---

    def catching(self, name, depth):
        if name in NEVER_FAILS:
            return 0
        return self.random.choices([0, 1, 2], [40, 25, 35] if depth else [20, 35, 45])[0]

    def op(self, task, depth, budget):
        """An operation that has `budget` operations at most, itself included."""
        names, weights = self.words_for(task)
        name = self.random.choices(names, weights)[0]
        while name in BLOCKS and (depth == DEEPEST or budget < 3) or not self.has_operands(name, task):
            name = self.random.choices(names, weights)[0] if len(names) > len(BLOCKS) else "sleep"
        op = Op(name, self.args(name, task), self.catching(name, depth))
        if name in BLOCKS:
            inside = self.random.randint(1, min(10, budget - 1))
            self.scopes.append(op.args[0] if name in ("timeout", "timeout_at") else None)
            op.body = self.ops(task, depth + 1, inside)
            self.scopes.pop()
            if name == "group":
                op.body[:0] = self.children(op.args[0])
            if name == "condition_scope":
                op.body[:0] = self.use_of(op.args[0])
            if name in WITH_HANDLER:
                op.handler = self.ops(task, depth + 1, self.random.randint(1, max(1, min(4, budget - inside))))
        return op

    def has_operands(self, name, task):
        if name in LOOKS_AT_SCOPE:
            return task is None or any(self.scopes) or self.random.random() < 0.2
        return name != "group" or any(task <= level for level in self.groups)

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

    def children(self, group):
        """What a group begins with."""
        later = range(self.groups[int(group[1:])] + 1, self.tasks)
        if "group_spawn" not in self.allowed:
            return []
        free = [number for number in later if number in self.free]
        numbers = self.random.sample(free, min(len(free), self.random.choice([1, 1, 2, 2, 3])))
        self.free = [number for number in self.free if number not in numbers]
        flags = ["eager"] if self.random.random() < 0.2 else []
        return [Op("group_spawn", [group, f"t{number}", *flags], self.random.choice([0, 1, 2])) for number in numbers]

    def use_of(self, condition):
        """What one takes a condition's lock for."""
        name = self.random.choice(["wait", "wait", "wait_for", "notify", "notify_all"])
        op = Op(f"condition_{name}", [condition], self.random.choice([0, 1, 2]))
        if name in ("wait_for", "notify"):
            op.args.append(str(self.random.randint(0, 3)))
        return [op] if op.name in self.allowed else []

    def shares(self, count):
        """Splits the size among that many lists, unevenly."""
        weights = [self.random.random() + 0.2 for _ in range(count)]
        return [max(1, round(self.size * weight / sum(weights))) for weight in weights]

    def add_spawns(self, tasks, callbacks):
        grouped = {op.args[1] for ops in tasks for op in walk(ops) if op.name == "group_spawn"}
        for number in range(1, len(tasks)):
            if f"t{number}" in grouped and self.random.random() < 0.85:
                continue
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
