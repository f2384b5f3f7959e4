"""spawn with asyncio: create a task that returns at once, and await it."""

import asyncio
import time

import measure

SPAWNS = 100_000
WARM_UP = 10_000


async def immediate(value):
    return value


async def spawn_and_await(count):
    total = 0
    start = time.perf_counter()
    for i in range(count):
        total += await asyncio.create_task(immediate(i))
    took = time.perf_counter() - start
    measure.expect("sum of the results", total, count * (count - 1) // 2)
    return took


async def main():
    measure.version()
    await spawn_and_await(WARM_UP)
    for _ in range(measure.repeats()):
        measure.report("spawn", await spawn_and_await(SPAWNS) * 1e9 / SPAWNS, "ns")


asyncio.run(main())
