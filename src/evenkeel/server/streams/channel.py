"""One channel of one user: a numbered run of deltas, kept for a while so that a client can resume.

A delta is encoded once and handed to every client as the same bytes.
"""

import secrets
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from evenkeel.desk.permissions import Permission

CHANNELS = {
    "accounts": Permission.READ,
    "orders": Permission.READ,
    "fills": Permission.READ,
    "positions": Permission.READ,
    "strategies": Permission.READ,
    "quotes": Permission.READ,
    "events": Permission.READ,
    "equity": Permission.READ,
    "backtests": Permission.READ,
    "halts": Permission.READ,
    "risk": Permission.READ,
    "copies": Permission.READ,
    "system": Permission.READ,
}
"""Every channel with the permission that it needs."""
RING = 4_000
_ENCODE = msgspec.json.Encoder().encode
_NEWEST = {"orders": 200, "fills": 200, "events": 100, "equity": 500, "backtests": 200}


def newest(name: str) -> int:
    """How many items a snapshot of the channel holds at most."""
    return _NEWEST[name]


class Receiver(Protocol):
    """A connected client, as a channel sees it. `key` is set where only the newest message of a key matters."""

    def put(self, message: bytes, key: str | None = None) -> None: ...


class Channel:
    """`seq` numbers its deltas from 1; `epoch` names this run of numbers, and ends with the process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.conflates = name == "quotes"
        self.epoch = secrets.token_hex(8)
        self.seq = 0
        self.receivers: set[Receiver] = set()
        self._ring: deque[bytes] = deque(maxlen=RING)

    def publish(self, item: Any) -> None:
        """Numbers, encodes and hands out one delta."""
        self.seq += 1
        message = _ENCODE({"type": "delta", "channel": self.name, "seq": self.seq, "item": item})
        if self.conflates:
            for receiver in tuple(self.receivers):
                receiver.put(message, item.id)
            return
        self._ring.append(message)
        for receiver in tuple(self.receivers):
            receiver.put(message)

    def missed(self, epoch: str | None, seen: int | None) -> Sequence[bytes] | None:
        """The deltas after `seen`; None where they are no longer all here, and a snapshot is due."""
        if self.conflates or epoch != self.epoch or seen is None or not 0 <= seen <= self.seq:
            return None
        count = self.seq - seen
        if count > len(self._ring):
            return None
        return list(self._ring)[len(self._ring) - count :]

    def snapshot(self, items: Sequence[Any]) -> bytes:
        """The message that brings a client to this very moment of the channel."""
        return _ENCODE({"type": "snapshot", "channel": self.name, "epoch": self.epoch, "seq": self.seq, "items": items})
