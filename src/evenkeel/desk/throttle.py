"""Slows down guessing: after a few failures, each further one doubles the wait, per user, per address and per pair;
and a rate for each class of public door and address.

Memory is bounded, and a flood does not wash away what matters: each kind of key has a room of its own, and a key that
has to wait is dropped only for others that have to. An IPv6 address counts as its /64, which is what one line has.
"""

import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from math import ceil

from evenkeel.desk.buckets import Buckets
from evenkeel.domain.errors import Forbidden, TooManyRequests

_MOST = 20_000
_FORGET = 3600.0
_LONGEST = 900.0
RATES = {"sign-in": (60.0, 2.0), "session": (120.0, 5.0), "provider": (20.0, 0.5)}


class TooManyAttempts(Forbidden):
    """Too many failed sign-ins, or requests of a class; the next one is looked at after `retry_after` seconds."""

    code = "too-many-attempts"

    def __init__(self, retry_after: int, message: str = "too many failed sign-ins") -> None:
        super().__init__(message, hint=f"Try again in {retry_after} seconds.")
        self.retry_after = retry_after


class Throttle:
    """Counts in memory. `free` gives how many failures each kind of key has before it waits; `rates`, for each class
    of door, how many requests an address may make at once, and how many a second after that."""

    def __init__(
        self,
        free: dict[str, int] | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        rates: dict[str, tuple[float, float]] | None = None,
    ) -> None:
        self._free = free or {"pair": 5, "address": 20, "user": 50, "code": 5}
        self._clock = clock
        self._failures = {kind: _Failures(count) for kind, count in self._free.items()}
        self._known: OrderedDict[str, None] = OrderedDict()
        given = RATES if rates is None else rates
        self._doors = {door: Buckets(size=size, rate=rate, clock=clock) for door, (size, rate) in given.items()}

    def check(self, username: str, address: str) -> None:
        """Raises TooManyAttempts while any of the keys has to wait. Failures from all over the world do not lock out a
        person where they have signed in before."""
        keys = _keys(username, address)
        known = dict(keys).get("pair") in self._known
        self._check(tuple(one for one in keys if not known or one[0] != "user"))

    def failed(self, username: str, address: str) -> None:
        for kind, key in _keys(username, address):
            self._failures[kind].add(key, self._clock())

    def succeeded(self, username: str, address: str) -> None:
        for kind, key in _keys(username, address):
            if kind == "pair":
                self._known.pop(key, None)
                self._known[key] = None
            if kind != "address":
                self._failures[kind].forget(key)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)

    def check_code(self, user_id: str) -> None:
        """As `check`, of a person's second factor: whoever gets here knows the password, from wherever they come."""
        self._check((("code", user_id),))

    def code_failed(self, user_id: str) -> None:
        self._failures["code"].add(user_id, self._clock())

    def code_succeeded(self, user_id: str) -> None:
        self._failures["code"].forget(user_id)

    def take(self, door: str, address: str) -> None:
        """One request of a class of doors. Raises TooManyAttempts where this address has had its share."""
        try:
            self._doors[door].take(line_of(address))
        except TooManyRequests as error:
            raise TooManyAttempts(ceil(error.retry_after), "too many requests from this address") from None

    def _check(self, keys: tuple[tuple[str, str], ...]) -> None:
        now = self._clock()
        wait = max(self._failures[kind].wait(key, now) for kind, key in keys)
        if wait > 0:
            raise TooManyAttempts(ceil(wait))


class _Failures:
    """The failures of one kind of key: those with some left in one place, those that wait in another."""

    def __init__(self, free: int) -> None:
        self.free = free
        self._few: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._many: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def add(self, key: str, now: float) -> None:
        count, last = self._few.pop(key, self._many.pop(key, (0, now)))
        count = count + 1 if now - last < _FORGET else 1
        place = self._few if count < self.free else self._many
        place[key] = (count, now)
        if len(place) > _MOST:
            place.popitem(last=False)

    def forget(self, key: str) -> None:
        self._few.pop(key, None)
        self._many.pop(key, None)

    def wait(self, key: str, now: float) -> float:
        count, last = self._many.get(key, (0, now))
        over = count - self.free
        if over < 0 or now - last >= _FORGET:
            return 0.0
        return last + min(2.0 ** min(over, 20), _LONGEST) - now


def line_of(address: str) -> str:
    """What one line to the network has: an IPv4 address, or the first 64 bits of an IPv6 one."""
    try:
        read = ip_address(address)
    except ValueError:
        return address[:64]
    if not isinstance(read, IPv6Address):
        return str(read)
    if read.ipv4_mapped is not None:
        return str(read.ipv4_mapped)
    return f"{IPv6Address(int(read) >> 64 << 64)}/64"


def _keys(username: str, address: str) -> tuple[tuple[str, str], ...]:
    """One name in every spelling that signs in as it, or each spelling would have failures of its own; without a name,
    as for a link, the address alone."""
    name = unicodedata.normalize("NFKC", username).casefold()[:256]
    line = line_of(address)
    if not name:
        return (("address", line),)
    return (("pair", f"{name}\0{line}"), ("address", line), ("user", name))
