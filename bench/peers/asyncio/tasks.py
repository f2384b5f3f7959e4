"""tasks with asyncio: the life of a task among more and more of them."""

import asyncio
import time

import measure

LIVES = 200_000
COUNTS = (1, 10, 100, 1000, 10_000, 100_000, 1_000_000)


class Counter:
    lived = 0


async def once(counter):
    await asyncio.sleep(0)
    counter.lived += 1


async def live(count, rounds):
    counter = Counter()
    start = time.perf_counter()
    for _ in range(rounds):
        await asyncio.gather(*[asyncio.create_task(once(counter)) for _ in range(count)])
    took = time.perf_counter() - start
    measure.expect("lives", counter.lived, count * rounds)
    return took * 1e9 / counter.lived


async def main():
    measure.version()
    await live(10_000, 1)
    for _ in range(measure.repeats()):
        for count in COUNTS:
            measure.report(f"tasks/{count}", await live(count, max(LIVES // count, 1)), "ns")


asyncio.run(main())
