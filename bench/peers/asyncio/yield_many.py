"""switch_many with asyncio: sleep(0) among more and more tasks."""

import asyncio

import measure
import yielding

SWITCHES = 500_000
LEAST_ROUNDS = 20
COUNTS = (2, 10, 100, 1000, 10_000, 100_000)


async def main():
    measure.version()
    await yielding.yield_among(10_000, 2)
    for _ in range(measure.repeats()):
        for count in COUNTS:
            rounds = max(SWITCHES // count, LEAST_ROUNDS)
            measure.report(f"switch_many/{count}", await yielding.yield_among(count, rounds), "ns")


asyncio.run(main())
