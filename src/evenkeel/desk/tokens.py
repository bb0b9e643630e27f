"""One-time tokens in memory: sign-in links, sign-ins that wait for a code, stream tickets. Only hashes are kept."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Generic, TypeVar

T = TypeVar("T")
_MOST = 10_000


def digest(secret: str) -> str:
    """The hash under which a random secret is stored; it has entropy enough to need no salt."""
    return sha256(secret.encode()).hexdigest()


class OneTime(Generic[T]):
    """Each token stands for one value, once, for `seconds`; the oldest goes when there are too many."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._held: OrderedDict[str, tuple[float, T]] = OrderedDict()

    def issue(self, value: T) -> str:
        """A new token of 256 bits for `value`."""
        self._sweep()
        token = secrets.token_urlsafe(32)
        self._held[digest(token)] = (self._clock() + self.seconds, value)
        return token

    def redeem(self, token: str) -> T | None:
        """The value, and the token is spent; None for one that is unknown, spent or too old."""
        until, value = self._held.pop(digest(token), (0.0, None))
        return value if until > self._clock() else None

    def peek(self, token: str) -> T | None:
        """As `redeem`, and the token can be used still."""
        until, value = self._held.get(digest(token), (0.0, None))
        return value if until > self._clock() else None

    def _sweep(self) -> None:
        now = self._clock()
        while self._held:
            oldest = next(iter(self._held.values()))
            if oldest[0] > now and len(self._held) < _MOST:
                return
            self._held.popitem(last=False)
