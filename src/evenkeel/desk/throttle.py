"""Slows down guessing: after a few failures, each further one doubles the wait, per user, per address and per pair."""

import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from math import ceil

from evenkeel.domain.errors import Forbidden

_MOST = 20_000
_FORGET = 3600.0
_LONGEST = 900.0


class TooManyAttempts(Forbidden):
    """Too many failed sign-ins; the next one is looked at after `retry_after` seconds."""

    code = "too-many-attempts"

    def __init__(self, retry_after: int) -> None:
        super().__init__("too many failed sign-ins", hint=f"Try again in {retry_after} seconds.")
        self.retry_after = retry_after


class Throttle:
    """Counts failures in memory. `free` gives how many failures each kind of key has before it waits."""

    def __init__(self, free: dict[str, int] | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._free = free or {"pair": 5, "address": 20, "user": 50}
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def check(self, username: str, address: str) -> None:
        """Raises TooManyAttempts while any of the keys has to wait."""
        now = self._clock()
        wait = max(self._wait(key, now) for key in _keys(username, address))
        if wait > 0:
            raise TooManyAttempts(ceil(wait))

    def failed(self, username: str, address: str) -> None:
        now = self._clock()
        for key in _keys(username, address):
            count, last = self._failures.pop(key, (0, now))
            self._failures[key] = (count + 1 if now - last < _FORGET else 1, now)
        while len(self._failures) > _MOST:
            self._failures.popitem(last=False)

    def succeeded(self, username: str, address: str) -> None:
        for key in _keys(username, address):
            if key[0] != "address":
                self._failures.pop(key, None)

    def _wait(self, key: tuple[str, str], now: float) -> float:
        count, last = self._failures.get(key, (0, now))
        over = count - self._free[key[0]]
        if over < 0 or now - last >= _FORGET:
            return 0.0
        return last + min(2.0 ** min(over, 20), _LONGEST) - now


def _keys(username: str, address: str) -> tuple[tuple[str, str], ...]:
    """One name in every spelling that signs in as it, or each spelling would have failures of its own."""
    name = unicodedata.normalize("NFKC", username).casefold()[:256]
    return (("pair", f"{name}\0{address}"), ("address", address), ("user", name))
