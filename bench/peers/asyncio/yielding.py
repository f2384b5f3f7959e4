"""Tasks that do nothing but sleep(0): what switch and switch_many measure."""

import asyncio
import time

import measure


async def yield_often(rounds):
    for _ in range(rounds):
        await asyncio.sleep(0)
    return rounds


async def yield_among(count, rounds):
    """Nanoseconds per switch among count tasks, of all tasks together."""
    start = time.perf_counter()
    tasks = [asyncio.create_task(yield_often(rounds)) for _ in range(count)]
    switches = sum(await asyncio.gather(*tasks))
    took = time.perf_counter() - start
    measure.expect("switches", switches, count * rounds)
    return took * 1e9 / switches
