"""The queue behind an adapter's `events()`: in order, one consumer, and it ends when the link is lost."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable

from evenkeel.domain.events import AnyVenueEvent


class EventStream:
    """One connection's events. After `close` what has arrived can still be taken, and nothing more is put."""

    def __init__(self) -> None:
        self._waiting: deque[AnyVenueEvent] = deque()
        self._changed = asyncio.Event()
        self._closed = False

    def put(self, events: Iterable[AnyVenueEvent]) -> None:
        if not self._closed:
            self._waiting.extend(events)
            self._changed.set()

    def close(self) -> None:
        self._closed = True
        self._changed.set()

    def backlog(self) -> int:
        """How many events have been put and not yet taken."""
        return len(self._waiting)

    async def __aiter__(self) -> AsyncIterator[AnyVenueEvent]:
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            if self._closed:
                return
            self._changed.clear()
            await self._changed.wait()
