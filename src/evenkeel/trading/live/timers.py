"""Wakes the engine when something is due and the market is silent. In a replay the market's time alone counts."""

import asyncio
from typing import TYPE_CHECKING

from evenkeel.domain.clock import SECOND
from evenkeel.domain.events import TimersDue
from evenkeel.domain.records import AnyRecord, Batch
from evenkeel.trading.engine.timers import NEVER

if TYPE_CHECKING:
    from evenkeel.trading.live.runner import Runner

LONGEST = 3600.0
AGAIN = 0.05


class TimerWatch:
    """Subscribe it to its runner."""

    def __init__(self, runner: "Runner") -> None:
        self.runner = runner
        self._at = NEVER
        self._timer: asyncio.TimerHandle | None = None

    def committed(self, batch: Batch, records: tuple[AnyRecord, ...]) -> None:
        if self.runner.state.timers.next != self._at:
            self._wait()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, least: float = 0.0) -> None:
        """Sleeps until the next moment, but never so long that a clock put forward would go unseen."""
        self.stop()
        self._at = self.runner.state.timers.next
        if self._at != NEVER and not self.runner.clock.is_replay:
            left = (self._at - self.runner.clock.now()) / SECOND
            self._timer = asyncio.get_running_loop().call_later(min(max(left, least), LONGEST), self._remind)

    def _remind(self) -> None:
        if self.runner.state.timers.next <= self.runner.clock.now():
            self.runner.post(TimersDue())
        self._wait(AGAIN)
