"""What waits for many, for a while, or protected from cancels: on asyncio.

asyncio keeps futures in sets, and goes through them by their hashes. Here it
goes by the order in which they came, as tusk does: see OrderedSet and AsCompleted.
"""

import asyncio

RETURN_WHEN = {"first": asyncio.FIRST_COMPLETED, "error": asyncio.FIRST_EXCEPTION}


class OrderedSet(dict):
    """A set that is gone through in the order of additions."""

    def __init__(self, items=()):
        super().__init__(dict.fromkeys(items))

    def add(self, item):
        self[item] = None

    def discard(self, item):
        self.pop(item, None)


asyncio.tasks.set = OrderedSet
asyncio.taskgroups.set = OrderedSet


class AsCompleted(getattr(asyncio.tasks, "_AsCompletedIterator", object)):
    """Subscribes to the futures in their order, and can be closed, as tusk's."""

    def __init__(self, futures, timeout):
        super().__init__((), None)
        for future in OrderedSet(futures):
            future.add_done_callback(self._handle_completion)
            self._todo.add(future)
        self._todo_left = len(self._todo)
        if futures and timeout is not None:
            self._timeout_handle = asyncio.get_running_loop().call_later(timeout, self._handle_timeout)

    def close(self):
        for future in self._todo:
            future.remove_done_callback(self._handle_completion)
        if self._timeout_handle:
            self._timeout_handle.cancel()


def is_number(arg):
    return arg.lstrip("-").isdigit()


def seconds_arg(op, position):
    """None, for no limit, if it is missing."""
    return int(op.args[position]) / 8 if len(op.args) > position and is_number(op.args[position]) else None


def futures_arg(actor, args):
    """Those of the things that are there."""
    actor.runner.settle()
    futures = [actor.runner.slots.get(arg) for arg in args if arg[0] in "tfg" and arg[1:].isdigit()]
    return [future for future in futures if future is not None]


def number_arg(op):
    """The first operand that is a number, as a time-out in seconds; None without one. tusk takes negative ones as 0."""
    numbers = [max(int(arg), 0) / 8 for arg in op.args if is_number(arg)]
    return numbers[0] if numbers else None


# --- wait, wait_for, shield, as_completed ---


async def op_wait(actor, op):
    futures = futures_arg(actor, op.args)
    when = RETURN_WHEN.get(op.args[0] if op.args else None, asyncio.ALL_COMPLETED)
    done, _ = await asyncio.wait(futures, timeout=number_arg(op), return_when=when)
    return [int(future in done) for future in futures]


async def op_wait_for(actor, op):
    future = actor.slot(op)
    return "none" if future is None else await asyncio.wait_for(future, seconds_arg(op, 1))


async def op_wait_for_coro(actor, op):
    return await asyncio.wait_for(actor.run_ops(op.body), seconds_arg(op, 0))


def op_shield(actor, op):
    future = actor.slot(op, 1)
    if future is None:
        return "none"
    actor.runner.slots[op.args[0]] = asyncio.shield(future)
    return 0


async def op_as_completed(actor, op):
    futures = futures_arg(actor, op.args)
    iterator = AsCompleted(futures, number_arg(op))
    result = 0
    try:
        async for future in iterator:
            actor.runner.write(f"{actor.label}.{op.index} next {futures.index(future)}")
            result = await actor.run_ops(op.body)
            if result.__class__ is not int:
                break
    finally:
        iterator.close()
    return result


# --- time-outs ---


async def run_scope(actor, op, scope):
    async with scope:
        actor.runner.scopes[op.args[0]] = scope
        return await actor.run_ops(op.body)


async def op_timeout(actor, op):
    return await run_scope(actor, op, asyncio.timeout(seconds_arg(op, 1)))


async def op_timeout_at(actor, op):
    return await run_scope(actor, op, asyncio.timeout_at(seconds_arg(op, 1)))


def op_reschedule(actor, op):
    scope = actor.runner.scopes.get(op.args[0])
    if scope is None:
        return "none"
    scope.reschedule(seconds_arg(op, 1))
    return 0


def op_when(actor, op):
    scope = actor.runner.scopes.get(op.args[0])
    if scope is None:
        return "none"
    return "inf" if scope.when() is None else round(scope.when() * 8)


def op_expired(actor, op):
    scope = actor.runner.scopes.get(op.args[0])
    return "none" if scope is None else scope.expired()


# --- task groups ---


async def op_group(actor, op):
    return await run_scope(actor, op, asyncio.TaskGroup())


def op_group_spawn(actor, op):
    group = actor.runner.scopes.get(op.args[0])
    if group is None:
        return "none"
    eager = op.args[2:3] == ["eager"]
    task = actor.runner.spawn(int(op.args[1][1:]), eager, None, group)
    actor.runner.settle()
    return "none" if task is None else int(task.done())
