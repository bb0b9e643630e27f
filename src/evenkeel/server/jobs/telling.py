"""How a worker says how far it is: a few times a second at most, with the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from evenkeel.desk.backtests import finite
from evenkeel.server.jobs.job import Message, Progress, Stage
from evenkeel.server.jobs.pace import Pace

PAUSE = 0.25
Tell = Callable[[Message], None]


class Teller:
    """Of one stage. `moved` is told of every step; what it passes on is the first, the last and some between."""

    def __init__(self, tell: Tell, stage: Stage, *, now: Callable[[], float] = time.monotonic) -> None:
        self._tell, self._stage, self._now = tell, stage, now
        self._pace = Pace(now)
        self._due = float("-inf")

    def moved(self, done: int, total: int, best: dict[str, Any] | None = None) -> None:
        now = self._now()
        if now < self._due and done < total:
            return
        self._due = now + PAUSE
        left = self._pace.left(done, total)
        self._tell(Progress(self._stage, done, total, left, finite(best)))
