"""Identity: public ids have the UUIDv7 layout: 48 bits of engine milliseconds, then random or hashed bits.

`Hashed` derives every bit after the time from (run, sequence, tag), which makes a replay reproducible;
`Random` is for homes that trade: a journal restored from an old copy can never mint an id twice.
"""

import os
import secrets
from hashlib import blake2b
from typing import Protocol

_AT_ONCE = 64
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class IdSource(Protocol):
    """Mints ids for one engine; `sequence` is the journal position of the record that carries the id."""

    def public(self, at: int, sequence: int, tag: str) -> str: ...

    def venue(self, at: int, sequence: int, tag: str) -> str: ...


class Random:
    """Ids from the operating system's random source, drawn many at a time: each draw lets go of the interpreter."""

    def __init__(self) -> None:
        self._drawn: list[bytes] = []
        self._process = 0

    def public(self, at: int, sequence: int, tag: str) -> str:
        return layout(at, self._bits()[:10])

    def venue(self, at: int, sequence: int, tag: str) -> str:
        return venue_text(self._bits())

    def _bits(self) -> bytes:
        """Thirteen bytes that nobody else gets, be it a thread or a forked process."""
        if self._process != os.getpid():
            self._process, self._drawn = os.getpid(), []
        try:
            return self._drawn.pop()
        except IndexError:
            block = secrets.token_bytes(13 * _AT_ONCE)
            first, *rest = (block[at : at + 13] for at in range(0, len(block), 13))
            self._drawn.extend(rest)
            return first


class Hashed:
    """Ids from a hash of (run, sequence, tag): the same run mints the same ids."""

    def __init__(self, run: str) -> None:
        self.run = run

    def public(self, at: int, sequence: int, tag: str) -> str:
        return layout(at, self._bits(sequence, tag, 10))

    def venue(self, at: int, sequence: int, tag: str) -> str:
        return venue_text(self._bits(sequence, "venue:" + tag, 13))

    def _bits(self, sequence: int, tag: str, size: int) -> bytes:
        return blake2b(f"{self.run}|{sequence}|{tag}".encode(), digest_size=size).digest()


def layout(at: int, bits: bytes) -> str:
    """The UUIDv7 text of engine time `at` (ns) and ten bytes."""
    ms = (at // 1_000_000) & 0xFFFF_FFFF_FFFF
    high = int.from_bytes(bits[:2], "big") & 0x0FFF
    low = (int.from_bytes(bits[2:10], "big") & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000
    text = f"{ms:012x}7{high:03x}{low:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def venue_text(bits: bytes) -> str:
    """Twenty characters A–Z2–7 from thirteen bytes: what the narrowest venues accept as a client id."""
    number = int.from_bytes(bits, "big")
    return "".join(_ALPHABET[(number >> (5 * place)) & 31] for place in range(20))


def derived(name: str) -> str:
    """A stable id in UUID layout for a named thing (an instrument, a book of a deployment)."""
    return layout(0, blake2b(name.encode(), digest_size=10).digest())
