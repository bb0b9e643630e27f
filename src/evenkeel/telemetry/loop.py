"""Event-loop lag: how late a timer fires; the longest delay of the last few seconds is what is shown."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

_EVERY = 0.25
_KEPT = 40


class LoopLag:
    """Measures from `start` to `stop`; `report` gets the longest delay of the last ten seconds."""

    def __init__(self, report: Callable[[float], None]) -> None:
        self._report = report
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._measure(), name="loop-lag")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _measure(self) -> None:
        loop = asyncio.get_running_loop()
        delays: deque[float] = deque(maxlen=_KEPT)
        while True:
            before = loop.time()
            await asyncio.sleep(_EVERY)
            delays.append(max(0.0, loop.time() - before - _EVERY))
            self._report(max(delays))
