"""How long work still takes, by how fast it went lately. What was there at the start counts for nothing."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

_WINDOW = 30.0


class Pace:
    """Told how much is done as the work goes on; `now` is a clock in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._told: deque[tuple[float, int]] = deque()

    def left(self, done: int, total: int) -> float | None:
        """Seconds to the end by the pace of the last half minute; None before there is one."""
        now = self._now()
        if self._told and done < self._told[-1][1]:
            self._told.clear()  # another stretch of work
        self._told.append((now, done))
        while len(self._told) > 2 and now - self._told[1][0] >= _WINDOW:
            self._told.popleft()
        since, before = self._told[0]
        if done <= before or now <= since:
            return None
        return (total - done) * (now - since) / (done - before)
