"""to_thread with asyncio: a function that returns at once, one after the other."""

import asyncio
import time

import measure

TRIPS = 5_000
WARM_UP = 500


def immediate(value):
    return value


async def round_trips(count):
    total = 0
    start = time.perf_counter()
    for i in range(count):
        total += await asyncio.to_thread(immediate, i)
    took = time.perf_counter() - start
    measure.expect("sum of the results", total, count * (count - 1) // 2)
    return took


async def main():
    measure.version()
    await round_trips(WARM_UP)
    for _ in range(measure.repeats()):
        measure.report("to_thread", await round_trips(TRIPS) * 1e9 / TRIPS, "ns")


asyncio.run(main())
