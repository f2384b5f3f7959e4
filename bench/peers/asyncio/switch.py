"""switch with asyncio: two tasks take turns by sleep(0)."""

import asyncio

import measure
import yielding

ROUNDS = 200_000
WARM_UP = 20_000


async def main():
    measure.version()
    await yielding.yield_among(2, WARM_UP)
    for _ in range(measure.repeats()):
        measure.report("switch", await yielding.yield_among(2, ROUNDS), "ns")


asyncio.run(main())
