"""Looks once a second at what nobody reports: links that stay away, feeds that fall silent, pictures that grow old.

It measures and tells the engine, which decides and records; of its own it changes nothing, and keeps nothing that a
restart would miss.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from evenkeel.trading.live.readiness import ReadinessWatch
from evenkeel.trading.live.restarts import RestartWatch
from evenkeel.trading.live.rounds import Rounds
from evenkeel.trading.live.silence import SilenceWatch

if TYPE_CHECKING:
    from evenkeel.trading.live.runner import Runner

log = structlog.get_logger(__name__)
LOOK_EVERY = 1.0


class Vigil:
    """Started with its runner; a run that repeats itself has none."""

    def __init__(self, runner: "Runner") -> None:
        self.restarts, self.readiness = RestartWatch(runner), ReadinessWatch(runner)
        self.rounds, self.silence = Rounds(runner), SilenceWatch(runner)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.restarts.look()
        self._task = asyncio.create_task(self._run(), name="vigil")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        """Has all of them look once. One that fails is logged, and keeps no other from looking."""
        for watch in (self.restarts, self.rounds, self.readiness, self.silence):
            try:
                await watch.look()
            except Exception:
                log.exception("a watch has failed, and goes on", watch=type(watch).__name__)
