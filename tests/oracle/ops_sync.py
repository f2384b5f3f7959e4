"""Locks, events, conditions, semaphores, barriers, queues: on asyncio."""

import asyncio


class Item:
    """Of a priority queue: four values share each priority."""

    def __init__(self, value):
        self.value = value

    def __lt__(self, other):
        return self.value // 4 < other.value // 4


class Things(dict):
    """By label, made when they are first looked at; README.md says which has what size."""

    def __missing__(self, label):
        self[label] = self.make(label[0], int(label[1:]))
        return self[label]

    def make(self, kind, number):
        if kind == "l":
            return asyncio.Lock()
        if kind == "e":
            return asyncio.Event()
        if kind == "d":
            return asyncio.Condition(self["l0"] if number == 0 else None)
        if kind == "p":
            return asyncio.Semaphore(number % 3)
        if kind == "b":
            return asyncio.BoundedSemaphore(number % 3 + 1)
        if kind == "r":
            return asyncio.Barrier(number % 3 + 2)
        return (asyncio.Queue(2), asyncio.LifoQueue(1), asyncio.PriorityQueue())[number % 3]

    def release_all(self):
        """Unlocks what is locked: who waits for a condition cannot be cancelled until then."""
        labels = sorted(self, key=lambda label: int(label[1:]))
        locks = [self[label] for label in labels if label[0] == "l"]
        locks += [self[label]._lock for label in labels if label[0] == "d" and label != "d0"]
        for lock in locks:
            if lock.locked():
                lock.release()


def thing(actor, op):
    return actor.runner.things[op.args[0]]


def number(op):
    return int(op.args[1])


async def run_scope(actor, op):
    async with thing(actor, op):
        return await actor.run_ops(op.body)


async def acquire(actor, op):
    return int(await thing(actor, op).acquire())


def release(actor, op):
    thing(actor, op).release()
    return 0


def locked(actor, op):
    return int(thing(actor, op).locked())


op_lock_acquire = op_condition_acquire = op_semaphore_acquire = op_bounded_acquire = acquire
op_lock_release = op_condition_release = op_semaphore_release = op_bounded_release = release
op_lock_locked = op_semaphore_locked = op_bounded_locked = locked
op_lock_scope = op_condition_scope = run_scope


# --- events ---


async def op_event_wait(actor, op):
    return int(await thing(actor, op).wait())


def op_event_set(actor, op):
    thing(actor, op).set()
    return 0


def op_event_clear(actor, op):
    thing(actor, op).clear()
    return 0


# --- conditions ---


async def op_condition_wait(actor, op):
    return int(await thing(actor, op).wait())


async def op_condition_wait_for(actor, op):
    return int(await thing(actor, op).wait_for(lambda: actor.runner.counter >= number(op)))


def op_condition_count(actor, op):
    actor.runner.counter += 1
    return actor.runner.counter


def op_condition_notify(actor, op):
    thing(actor, op).notify(number(op))
    return 0


def op_condition_notify_all(actor, op):
    thing(actor, op).notify_all()
    return 0


# --- barriers ---


async def op_barrier_wait(actor, op):
    return await thing(actor, op).wait()


async def op_barrier_reset(actor, op):
    await thing(actor, op).reset()
    return 0


async def op_barrier_abort(actor, op):
    await thing(actor, op).abort()
    return 0


def op_barrier_waiting(actor, op):
    return thing(actor, op).n_waiting


# --- queues ---


async def op_queue_put(actor, op):
    await thing(actor, op).put(Item(number(op)))
    return 0


async def op_queue_get(actor, op):
    return (await thing(actor, op).get()).value


def op_queue_put_nowait(actor, op):
    thing(actor, op).put_nowait(Item(number(op)))
    return 0


def op_queue_get_nowait(actor, op):
    return thing(actor, op).get_nowait().value


def op_queue_task_done(actor, op):
    thing(actor, op).task_done()
    return 0


async def op_queue_join(actor, op):
    await thing(actor, op).join()
    return 0


def op_queue_size(actor, op):
    return thing(actor, op).qsize()


def op_queue_shutdown(actor, op):
    thing(actor, op).shutdown(immediate=len(op.args) > 1)
    return 0
