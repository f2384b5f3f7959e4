"""call_soon with asyncio: callbacks that register themselves again."""

import asyncio
import time

import measure

CALLS = 1_000_000
CALLS_ALONE = 100_000
WARM_UP = 50_000


class Chain:
    def __init__(self, loop, width, calls):
        self.loop = loop
        self.width = width
        self.calls = calls
        self.left = calls - width
        self.done = 0

    def again(self):
        self.done += 1
        if self.left > 0:
            self.left -= 1
            self.loop.call_soon(self.again)
        else:
            self.loop.stop()

    def run(self):
        start = time.perf_counter()
        for _ in range(self.width):
            self.loop.call_soon(self.again)
        self.loop.run_forever()
        took = time.perf_counter() - start
        measure.expect("calls", self.done, self.calls)
        return took * 1e9 / self.calls


def main():
    loop = asyncio.new_event_loop()
    measure.version()
    Chain(loop, 1000, WARM_UP).run()
    Chain(loop, 1, WARM_UP).run()
    for _ in range(measure.repeats()):
        measure.report("call_soon", Chain(loop, 1000, CALLS).run(), "ns")
        measure.report("call_soon_one", Chain(loop, 1, CALLS_ALONE).run(), "ns")
    loop.close()


main()
