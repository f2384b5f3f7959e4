"""An event loop of asyncio's own with a clock that jumps.

Everything but the selector is asyncio's. The selector's place is taken by
the loop itself: select() counts an iteration, and moves the clock where a real
one would have slept. Time is kept in eighths of a second, which doubles hold exactly.
"""

import itertools
from asyncio import base_events, events

# So many iterations no program makes; one that does would go on for ever.
ITERATION_LIMIT = 20000


class Stuck(Exception):
    """Nothing is left that could happen."""


class FifoTimer(events.TimerHandle):
    """A timer that comes after those made before it with the same deadline. asyncio's heap does not say."""

    __slots__ = ("order",)

    def __lt__(self, other):
        return (self._when, self.order) < (other._when, other.order)


class Loop(base_events.BaseEventLoop):
    def __init__(self, before_iteration):
        super().__init__()
        self.iteration = 0
        self.eighths = 0
        self.orders = itertools.count()
        self.before_iteration = before_iteration
        self._selector = self
        # asyncio fires what is due before the clock's next tick.
        self._clock_resolution = 1 / 1024

    def time(self):
        return self.eighths / 8

    def select(self, timeout):
        if timeout is None or self.iteration >= ITERATION_LIMIT:
            raise Stuck
        self.iteration += 1
        self.eighths += round(timeout * 8)
        self.before_iteration()
        return ()

    def _process_events(self, event_list):
        pass

    def call_at(self, when, callback, *args, context=None):
        self._check_closed()
        timer = FifoTimer(when, callback, args, self, context)
        timer.order = next(self.orders)
        # The heap is asyncio's: it looks at the timers by <.
        base_events.heapq.heappush(self._scheduled, timer)
        timer._scheduled = True
        return timer

    def run_until_stuck(self):
        try:
            self.run_forever()
        except Stuck:
            pass

