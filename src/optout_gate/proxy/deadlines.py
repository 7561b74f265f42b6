"""Time-outs at the price of one attribute each.

A timer per wait costs more than many a wait. So whoever has a time-out keeps the loop time at which it is due in
``deadline`` (``inf`` for none) and moves it as often as it likes; one tick a second looks at all of them. A time-out
is late by a tick at most, and the tick follows the shortest one.
"""

import asyncio
from typing import Protocol


class Timed(Protocol):
    """Something with a time-out."""

    deadline: float

    def expire(self) -> None:
        """Act on a deadline that has passed, and move it."""


class Deadlines:
    """Looks after the time-outs of one event loop while there are any."""

    def __init__(self, *shortest_s: float) -> None:
        self.look_for(*shortest_s)
        self._timed: set[Timed] = set()
        self._tick: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def look_for(self, *shortest_s: float) -> None:
        """Look often enough for time-outs of these lengths, from the next look on."""
        self._tick_s = min(1.0, max(0.01, min(shortest_s) / 5))

    def add(self, timed: Timed) -> None:
        """Look after ``timed`` from now on."""
        self._timed.add(timed)
        loop = asyncio.get_running_loop()
        if self._tick is None or self._loop is not loop:
            self._loop = loop
            self._tick = loop.call_later(self._tick_s, self._look, loop)

    def discard(self, timed: Timed) -> None:
        """Look after ``timed`` no longer. The tick that finds nobody is the last."""
        self._timed.discard(timed)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for timed in tuple(self._timed):
            if timed.deadline <= now:
                timed.expire()
        self._tick = loop.call_later(self._tick_s, self._look, loop) if self._timed else None
