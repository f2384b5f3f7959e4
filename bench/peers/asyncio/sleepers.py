"""sleepers with asyncio: a million tasks asleep for a second.

One process for each measurement, as in tusk's program. All sleep when the last
has been started: all tasks start in one iteration, and no timer is looked at before its end.
"""

import asyncio
import multiprocessing
import sys
import time

import measure


class Sleepers:
    def __init__(self, count):
        self.count = count
        self.started = 0
        self.ended = 0
        self.resident = 0

    async def sleep_a_second(self):
        self.started += 1
        if self.started == self.count:
            measure.expect("awake already", self.ended, 0)
            self.resident = measure.resident()
        await asyncio.sleep(1)
        self.ended += 1

    async def run(self):
        before = measure.resident()
        start = time.perf_counter()
        await asyncio.gather(*[asyncio.create_task(self.sleep_a_second()) for _ in range(self.count)])
        took = time.perf_counter() - start
        measure.expect("ended", self.ended, self.count)
        measure.report("sleepers", took, "s")
        measure.report("sleepers_kib", (self.resident - before) / 1024 / self.count, "KiB")


def run_sleepers(count):
    asyncio.run(Sleepers(count).run())


def main():
    measure.version()
    for _ in range(measure.repeats()):
        child = multiprocessing.Process(target=run_sleepers, args=(measure.count(1_000_000),))
        child.start()
        child.join()
        if child.exitcode != 0:
            sys.exit(f"the child process failed with {child.exitcode}")


if __name__ == "__main__":
    main()
