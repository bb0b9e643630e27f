"""How far a thread has come, for those on an event loop who wait until it has passed a place."""

import asyncio
import threading


class Milestones:
    """A growing position: told by one thread, waited for by many on their loops. `seq` may be set back."""

    def __init__(self) -> None:
        self.seq = 0
        self._lock = threading.Lock()
        self._waiting: dict[asyncio.Future[None], int] = {}

    def reach(self, seq: int) -> None:
        """The position is this one now; whoever waits for one up to it goes on."""
        self.seq = seq
        if self._waiting:
            self._release(seq)

    def give_up(self) -> None:
        """Whoever waits goes on: there is nothing to wait for at present."""
        self._release(None)

    async def passed(self, seq: int, *, within: float) -> bool:
        """Whether the position is `seq` or beyond it, if need be after at most `within` seconds."""
        if self.seq >= seq:
            return True
        loop = asyncio.get_running_loop()
        waiting = loop.create_future()
        with self._lock:
            self._waiting[waiting] = seq
        late = loop.call_later(within, _go_on, waiting)
        try:
            if self.seq < seq:  # it may have been reached before we were seen to wait
                await waiting
        finally:
            late.cancel()
            with self._lock:
                self._waiting.pop(waiting, None)
        return self.seq >= seq

    def _release(self, seq: int | None) -> None:
        with self._lock:
            for waiting, wanted in self._waiting.items():
                if seq is None or wanted <= seq:
                    waiting.get_loop().call_soon_threadsafe(_go_on, waiting)


def _go_on(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
