"""timers with asyncio: with a million pending timers, create one and cancel it.

asyncio only marks a timer as cancelled, and clears such timers away once they
are more than half of all: there are enough pairs for that to happen. The delays are made
beforehand, because a random number costs Python a large part of a timer.
"""

import asyncio
import sys
import time

import measure

PENDING = 1_000_000
PAIRS = 2_000_000
PAIRS_PER_TURN = 1000


def must_not_run():
    sys.exit("a timer ran")


async def create_and_cancel(loop, delays):
    cancelled = 0
    for i in range(0, len(delays), PAIRS_PER_TURN):
        for delay in delays[i:i + PAIRS_PER_TURN]:
            timer = loop.call_later(delay, must_not_run)
            timer.cancel()
            cancelled += timer.cancelled()
        await asyncio.sleep(0)
    measure.expect("cancelled", cancelled, len(delays))


async def main():
    measure.version()
    loop = asyncio.get_running_loop()
    delays = measure.random_delays(PENDING)
    pending = [loop.call_later(delay, must_not_run) for delay in delays]
    delays *= PAIRS // PENDING
    await create_and_cancel(loop, delays[:100_000])
    for _ in range(measure.repeats()):
        start = time.perf_counter()
        await create_and_cancel(loop, delays)
        measure.report("timers", (time.perf_counter() - start) * 1e9 / PAIRS, "ns")
    measure.expect("pending to the end", sum(not timer.cancelled() for timer in pending), PENDING)
    for timer in pending:
        timer.cancel()


asyncio.run(main())
