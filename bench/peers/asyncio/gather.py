"""gather with asyncio: make 100,000 tasks that return at once, and gather them."""

import asyncio
import time

import measure

TASKS = 100_000


async def immediate(value):
    return value


async def make_and_gather():
    start = time.perf_counter()
    tasks = [asyncio.create_task(immediate(i)) for i in range(TASKS)]
    total = sum(await asyncio.gather(*tasks))
    took = time.perf_counter() - start
    measure.expect("sum of the results", total, TASKS * (TASKS - 1) // 2)
    return took


async def main():
    measure.version()
    await make_and_gather()
    for _ in range(measure.repeats()):
        measure.report("gather", await make_and_gather() * 1e9 / TASKS, "ns")


asyncio.run(main())
