"""When accounts were last compared with their brokers in this process, and how often that failed.

What has failed is tried again later, and later each time; whoever asks meanwhile is served by that.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from evenkeel.trading.live.runner import Clock

FIRST, LAST = 0.5, 30.0


class Failures(NamedTuple):
    """How often something failed, when last (ns), and why."""

    times: int = 0
    at: int = 0
    reason: str = ""


class Pictures:
    """Told of each attempt to take an account's picture; `again` is called when it is to be taken once more."""

    def __init__(self, clock: "Clock", again: Callable[[str], None]) -> None:
        self._clock = clock
        self._again = again
        self._taken: dict[str, float] = {}
        self._failures: dict[str, Failures] = {}
        self._retries: dict[str, float] = {}
        self._repeats: dict[str, float] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()

    def taken(self, account_id: str) -> None:
        self._taken[account_id] = self._clock.monotonic()
        self._retries.pop(account_id, None)

    def failed(self, account_id: str, reason: str) -> bool:
        """Tries again later; whether it is the first failure after a picture."""
        is_first = account_id not in self._retries
        self._failures[account_id] = Failures(self.failures(account_id).times + 1, self._clock.now(), reason)
        self._later(account_id, self._retries)
        return is_first

    def repeat(self, account_id: str) -> None:
        """Takes one later: what the last has shown, or would show now, proves nothing."""
        self._later(account_id, self._repeats)

    def asked(self, account_id: str) -> None:
        """Something new asks for one, so that the next repetition is soon again."""
        self._repeats.pop(account_id, None)

    def is_due(self, account_id: str) -> bool:
        """Whether one will be taken again by itself."""
        return account_id in self._timers

    def age(self, account_id: str) -> float:
        """Seconds since the last one was taken, or since this was first asked."""
        now = self._clock.monotonic()
        return now - self._taken.setdefault(account_id, now)

    def failures(self, account_id: str) -> Failures:
        """How often none could be taken since the start."""
        return self._failures.get(account_id, Failures())

    def _later(self, account_id: str, delays: dict[str, float]) -> None:
        if account_id in self._timers:
            return
        delay = delays.get(account_id, FIRST)
        delays[account_id] = min(delay * 2, LAST)
        self._timers[account_id] = asyncio.get_running_loop().call_later(delay, self._once_more, account_id)

    def _once_more(self, account_id: str) -> None:
        del self._timers[account_id]
        self._again(account_id)
