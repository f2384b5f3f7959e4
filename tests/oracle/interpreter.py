"""Runs a program on asyncio and returns its trace.

A cancel's message needs help. asyncio gives it to the first who asks a
cancelled task for its outcome, and to nobody else; and a gather that was cancelled may find one at a task
that swallowed its cancel. With tusk it stays with the task that ended cancelled. So
this interpreter notes the message with which each task ended, and puts it
back: see Body and Runner.settle. A task that awaited itself, which is an error,
cannot be awaited by others any more in asyncio: that is put right too. No other
difference is smoothed over.
"""

import asyncio
import collections.abc
import contextvars

import ops_sync
import ops_wait
from clock import Loop
from language import ERRORS, SLOTS, SUSPENDING, SYNCHRONOUS

# Rounds of cancelling what is left when nothing can happen any more.
ROUNDS = 50

# What a program can raise. KeyboardInterrupt is the user's.
CATCHABLE = (Exception, asyncio.CancelledError)

QUEUE_ERRORS = {"QueueEmpty": "empty", "QueueFull": "full", "QueueShutDown": "shutdown"}

VARIABLES = [contextvars.ContextVar(f"v{number}", default=0) for number in range(SLOTS)]


class Custom(Exception):
    """E1 to E9."""

    def __init__(self, number, message):
        super().__init__(number, message)
        self.number = number
        self.message = message


class Return(int):
    """The value of an operation after which the task ends with it."""


def make_error(name, message):
    number = ERRORS[name]
    if number == 0:
        return asyncio.CancelledError(message) if message else asyncio.CancelledError()
    if number == 10:
        return TimeoutError()
    if number == 11:
        return ValueError()
    return Custom(number, message)


def cancel_message(error):
    return error.args[0] if error.args else None


def error_name(error):
    if isinstance(error, Custom):
        return f"E{error.number}"
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    if isinstance(error, asyncio.InvalidStateError):
        return "state"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ValueError):
        return "invalid"
    if isinstance(error, asyncio.BrokenBarrierError):
        return "broken"
    if isinstance(error, RuntimeError):
        return "itself" if "await on itself" in str(error) else "state"
    if isinstance(error, ExceptionGroup):
        return "group"
    return QUEUE_ERRORS.get(type(error).__name__) or f"{type(error).__name__}({error})"


def error_text(error):
    if isinstance(error, Custom):
        return f"! E{error.number} {error.message or '-'}"
    if isinstance(error, asyncio.CancelledError):
        return f"! cancelled {cancel_message(error) or '-'}"
    if isinstance(error, ExceptionGroup):
        return f"! group[{'|'.join(error_text(child)[2:] for child in error.exceptions)}]"
    return f"! {error_name(error)}"


def outer_text(error):
    """Without the errors in a group: outside of tasks, tusk knows of an error only its message."""
    return "! group" if isinstance(error, ExceptionGroup) else error_text(error)


def element_text(value):
    """One of a gather's results. In tusk each is one number: 0 for a gather in a gather."""
    if isinstance(value, BaseException):
        return error_name(value)
    return "0" if isinstance(value, list) else str(value)


def value_text(value):
    if isinstance(value, int):
        return f"= {int(value)}"
    if isinstance(value, list):
        return f"= [{','.join(map(element_text, value))}]"
    return f"= {value}"


def outcome_text(future):
    if not future.done():
        return "pending"
    try:
        return value_text(future.result())
    except CATCHABLE as error:
        return ("cancelled " if future.cancelled() else "") + error_text(error)


def catches(op, error):
    return op.catches == 2 or (op.catches == 1 and isinstance(error, Exception))


class Body(collections.abc.Coroutine):
    """A task's coroutine, which notes the message of the cancel it ends with, or that it ends otherwise."""

    def __init__(self, runner, coroutine):
        self.runner = runner
        self.coroutine = coroutine

    def __await__(self):
        return self.coroutine.__await__()

    def send(self, value):
        try:
            return self.coroutine.send(value)
        except BaseException as error:
            self.runner.task_ended(error)
            raise

    def throw(self, *error):
        try:
            return self.coroutine.throw(*error)
        except BaseException as error:
            self.runner.task_ended(error)
            raise

    def close(self):
        self.coroutine.close()


class Runner:
    """One program, its things, and its trace."""

    def __init__(self, program):
        self.program = program
        self.loop = Loop(self.settle)
        self.loop.set_exception_handler(self.report)
        self.first_iteration = None
        self.lines = []
        self.slots = {f"f{number}": self.loop.create_future() for number in range(SLOTS)}
        self.claimed = set()
        self.handles = {}
        self.contexts = {}
        self.scopes = {}
        self.things = ops_sync.Things()
        self.counter = 0
        # What settle() has to put right.
        self.messages = {}
        self.self_awaiters = []
        self.callbacks = [self.make_callback(number) for number in range(SLOTS)]

    # --- messages of cancels ---

    def task_ended(self, error):
        task = asyncio.current_task(self.loop)
        if isinstance(error, asyncio.CancelledError):
            self.messages[task] = cancel_message(error)
        elif not (isinstance(error, StopIteration) and task._must_cancel):
            # But one that returns while a cancel waits for delivery ends with that cancel.
            self.messages[task] = None

    def settle(self):
        """Before anyone looks at a future: puts right what the head of this file names."""
        for task in self.self_awaiters:
            task._asyncio_future_blocking = False
        self.self_awaiters.clear()
        for task, message in self.messages.items():
            task._cancel_message = message
        self.messages.clear()

    # --- the trace ---

    def place(self):
        if self.first_iteration is None:
            self.first_iteration = self.loop.iteration
        return f"{self.loop.iteration - self.first_iteration} {self.loop.eighths}"

    def write(self, text):
        self.lines.append(f"{self.place()} {text}")

    def report(self, loop, context):
        if context["message"].startswith("Exception in callback"):
            self.write(f"report {outer_text(context['exception'])}")

    # --- things ---

    def spawn(self, number, eager=False, context=None, group=None):
        label = f"t{number}"
        if label in self.claimed or number >= len(self.program.tasks):
            return None
        self.claimed.add(label)
        body = Body(self, run_task(self, label, self.program.tasks[number]))
        try:
            task = self.make_task(body, eager, context, group)
        except RuntimeError:
            self.claimed.remove(label)
            raise
        self.slots[label] = task
        return task

    def make_task(self, body, eager, context, group):
        if group is None:
            return asyncio.Task(body, loop=self.loop, eager_start=eager, context=context)

        def factory(loop, coroutine, **options):
            # It is for this task, and not for those that this one makes in its first step.
            loop.set_task_factory(None)
            return asyncio.Task(coroutine, loop=loop, eager_start=eager, **options)

        self.loop.set_task_factory(factory)
        try:
            return group.create_task(body)
        finally:
            self.loop.set_task_factory(None)

    def make_callback(self, number):
        """The function that stands for a callback. With a future it is a done callback."""

        def callback(*futures):
            actor = Actor(self, f"c{number}", None)
            self.write(" ".join([actor.label, "start", *map(outcome_text, futures)]))
            if number < len(self.program.callbacks):
                run_synchronous(actor, self.program.callbacks[number])

        return callback

    # --- the whole ---

    def pending(self):
        tasks = [self.slots.get(f"t{number}") for number in range(SLOTS)]
        return [task for task in tasks if task and not task.done()]

    def run(self):
        self.spawn(0)
        self.loop.run_until_stuck()
        rounds = 0
        while self.pending() and rounds < ROUNDS:
            self.write(f"stuck {len(self.pending())}")
            self.things.release_all()
            for task in self.pending():
                task.cancel()
            self.loop.run_until_stuck()
            rounds += 1
        self.settle()
        for label in [f"{kind}{number}" for kind in "tfg" for number in range(SLOTS)]:
            self.write_final(label)
        self.loop.close()
        return f"program {self.program.seed}\n" + "\n".join(self.lines) + "\n"

    def write_final(self, label):
        future = self.slots.get(label)
        if future and (label[0] != "f" or future.done()):
            cancelling = f" {future.cancelling()}" if label[0] == "t" else ""
            self.lines.append(f"final {label} {outcome_text(future)}{cancelling}")


class Actor:
    """A task, or one call of a callback (then without task)."""

    __slots__ = ("runner", "label", "task", "tokens")

    def __init__(self, runner, label, task):
        self.runner = runner
        self.label = label
        self.task = task
        self.tokens = {}

    def write(self, op, outcome):
        cancelling = self.task.cancelling() if self.task else "-"
        self.runner.write(f"{self.label}.{op.index} {op.name} {outcome} {cancelling}")

    def run_ops(self, ops):
        return run_ops(self, ops)

    def slot(self, op, position=0):
        self.runner.settle()
        return self.runner.slots.get(op.args[position])


# --- operations that do not suspend: the value, "none" if there is nothing to work on, or an error ---


def message_arg(op, position):
    return op.args[position] if len(op.args) > position else None


def context_arg(actor, op):
    """None, for a copy of the current one, unless the last operand names one that is there."""
    last = op.args[-1]
    return actor.runner.contexts.get(last) if last[0] == "x" else None


def callback_arg(actor, op, position):
    return actor.runner.callbacks[int(op.args[position][1:])]


def op_add_done_callback(actor, op):
    future = actor.slot(op)
    if future is None:
        return "none"
    context = context_arg(actor, op)
    # A context of None that is given, and not left out, means another one in the Future written in C.
    future.add_done_callback(callback_arg(actor, op, 1), **({} if context is None else {"context": context}))
    return 0


def op_all_tasks(actor, op):
    return len(asyncio.all_tasks(actor.runner.loop))


def op_call_at(actor, op):
    loop = actor.runner.loop
    actor.runner.handles[op.args[0]] = loop.call_at(int(op.args[1]) / 8, callback_arg(actor, op, 2))
    return 0


def op_call_later(actor, op):
    loop = actor.runner.loop
    actor.runner.handles[op.args[0]] = loop.call_later(int(op.args[1]) / 8, callback_arg(actor, op, 2))
    return 0


def op_call_soon(actor, op):
    loop = actor.runner.loop
    handle = loop.call_soon(callback_arg(actor, op, 1), context=context_arg(actor, op))
    actor.runner.handles[op.args[0]] = handle
    return 0


def op_cancel(actor, op):
    future = actor.slot(op)
    return "none" if future is None else future.cancel(msg=message_arg(op, 1))


def op_cancel_handle(actor, op):
    handle = actor.runner.handles.get(op.args[0])
    if handle is None:
        return "none"
    handle.cancel()
    return 0


def op_copy_context(actor, op):
    actor.runner.contexts[op.args[0]] = contextvars.copy_context()
    return 0


def op_exception(actor, op):
    future = actor.slot(op)
    if future is None:
        return "none"
    error = future.exception()
    return "no error" if error is None else error_name(error)


def op_gather(actor, op):
    return_exceptions = op.args[1:2] == ["errors"]
    children = [actor.runner.slots.get(arg) for arg in op.args[1 + return_exceptions :]]
    actor.runner.settle()
    future = asyncio.gather(*filter(None, children), return_exceptions=return_exceptions)
    actor.runner.slots[op.args[0]] = future
    return 0


def op_get(actor, op):
    return VARIABLES[int(op.args[0][1:])].get()


def op_new_future(actor, op):
    actor.runner.slots[op.args[0]] = actor.runner.loop.create_future()
    return 0


def op_raise(actor, op):
    raise make_error(op.args[0], message_arg(op, 1))


def op_remove_done_callback(actor, op):
    future = actor.slot(op)
    return "none" if future is None else future.remove_done_callback(callback_arg(actor, op, 1))


def op_reset(actor, op):
    tokens = actor.tokens.get(op.args[0])
    if not tokens:
        return "none"
    VARIABLES[int(op.args[0][1:])].reset(tokens.pop())
    return 0


def op_result(actor, op):
    future = actor.slot(op)
    return "none" if future is None else future.result()


def op_return(actor, op):
    return Return(op.args[0])


def op_set(actor, op):
    token = VARIABLES[int(op.args[0][1:])].set(int(op.args[1]))
    actor.tokens.setdefault(op.args[0], []).append(token)
    return 0


def op_set_exception(actor, op):
    actor.slot(op).set_exception(make_error(op.args[1], message_arg(op, 2)))
    return 0


def op_set_result(actor, op):
    actor.slot(op).set_result(int(op.args[1]))
    return 0


def op_spawn(actor, op):
    eager = op.args[1:2] == ["eager"]
    context = None if eager else context_arg(actor, op)
    task = actor.runner.spawn(int(op.args[0][1:]), eager, context)
    actor.runner.settle()
    return "none" if task is None else int(task.done())


def op_state(actor, op):
    future = actor.slot(op)
    return "none" if future is None else outcome_text(future)


def op_uncancel(actor, op):
    task = actor.slot(op)
    return "none" if task is None else task.uncancel()


# --- operations that may suspend, and blocks --------------------------------------------------


async def op_await(actor, op):
    future = actor.slot(op)
    if future is None:
        return "none"
    if future.done():
        return future.result()
    return await future


async def op_await_self(actor, op):
    actor.runner.self_awaiters.append(actor.task)
    return await actor.task


async def op_block(actor, op):
    return await run_ops(actor, op.body)


async def op_finally(actor, op):
    result = 0
    try:
        result = await run_ops(actor, op.body)
    finally:
        last = await run_ops(actor, op.handler)
        if isinstance(last, Return):
            return last
    return result


async def op_sleep(actor, op):
    await asyncio.sleep(int(op.args[0]) / 8)
    return 0


async def op_try(actor, op):
    try:
        return await run_ops(actor, op.body)
    except CATCHABLE:
        return await run_ops(actor, op.handler)


def by_prefix(words):
    functions = vars(ops_wait) | vars(ops_sync) | globals()
    return {word: functions["op_" + word] for word in words}


SYNCHRONOUS_OPS = by_prefix(SYNCHRONOUS)
SUSPENDING_OPS = by_prefix(SUSPENDING)


def run_synchronous(actor, ops):
    for op in ops:
        try:
            value = SYNCHRONOUS_OPS[op.name](actor, op)
        except CATCHABLE as error:
            actor.write(op, outer_text(error))
            if not catches(op, error):
                raise
            continue
        actor.write(op, value_text(value))
        if isinstance(value, Return):
            return


async def run_ops(actor, ops):
    """Runs a list in a task: 0, or the Return that ended it."""
    for op in ops:
        function = SYNCHRONOUS_OPS.get(op.name)
        try:
            value = function(actor, op) if function else await SUSPENDING_OPS[op.name](actor, op)
        except CATCHABLE as error:
            actor.write(op, error_text(error))
            if not catches(op, error):
                raise
            continue
        actor.write(op, value_text(value))
        if isinstance(value, Return):
            return value
    return 0


async def run_task(runner, label, ops):
    actor = Actor(runner, label, asyncio.current_task())
    runner.write(f"{label} start {VARIABLES[0].get()} {VARIABLES[1].get()}")
    try:
        value = int(await run_ops(actor, ops))
    except CATCHABLE as error:
        runner.write(f"{label} end {error_text(error)} {actor.task.cancelling()}")
        raise
    runner.write(f"{label} end = {value} {actor.task.cancelling()}")
    return value


def run(program):
    return Runner(program).run()
