"""One account's outbox with the clock and the waking that it knows nothing of."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from evenkeel.trading.engine.effects import Effect, Lane, SendOrder
from evenkeel.trading.live.outbox import Outbox


class Line:
    """`under_way` counts what its workers carry out now, `hurries` what of it panics asked; `has_urgent`: one of the
    workers is for that alone.
    """

    def __init__(self, account_id: str, *, clock: Callable[[], float], lanes: bool) -> None:
        self.account_id = account_id
        self.outbox = Outbox(lanes=lanes)
        self._clock = clock
        self.has_urgent = False
        self.under_way = 0
        self.hurries = 0
        self._done = 0
        self._wakes = {False: asyncio.Event(), True: asyncio.Event()}

    @property
    def busy(self) -> int:
        return len(self.outbox) + self.under_way

    @property
    def settled(self) -> int:
        """How many effects have been carried out or dropped so far."""
        return self._done + self.outbox.gone

    @property
    def ahead(self) -> int:
        """What `settled` will be at least once what no limit holds back is carried out."""
        waiting = len(self.outbox) if self.outbox.limiter is None else 0
        return self.settled + self.under_way + waiting

    def rouse(self) -> None:
        """Something has been put in or taken out: whoever waits for it looks again."""
        for wake in self._wakes.values():
            wake.set()

    def finished(self, count: int = 1) -> None:
        self.under_way -= count
        self._done += count
        self.rouse()

    def placed(self) -> None:
        """All that waits are orders, and they have been placed."""
        self._done += self.outbox.clear()

    def more(self, lane: Lane, most: int) -> list[SendOrder]:
        """At most so many orders that are next in their lane; they count as under way until they are finished."""
        found = self.outbox.more(lane, most)
        self.under_way += len(found)
        return found

    async def next(self, *, urgent: bool) -> tuple[Effect, float]:
        """Waits for the next effect that may go out; it counts as under way until `finished`."""
        wake = self._wakes[urgent]
        while True:
            found = self.outbox.take(self._clock(), urgent=urgent)
            if isinstance(found, tuple):
                self.under_way += 1
                return found
            wake.clear()
            if found is None:
                await wake.wait()
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(found):
                    await wake.wait()
