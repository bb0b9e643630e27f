"""Identity: public ids have the UUIDv7 layout: 48 bits of engine milliseconds, then random or hashed bits.

`Hashed` derives every bit after the time from (run, sequence, tag), which makes a replay reproducible;
`Random` is for homes that trade: a journal restored from an old copy can never mint an id twice.
"""

import os
import secrets
from functools import lru_cache
from hashlib import blake2b
from typing import Protocol

_AT_ONCE = 2048
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_BY_BYTE = bytes(ord(_ALPHABET[byte & 31]) for byte in range(256))
_PAIRS = tuple(low + high for high in _ALPHABET for low in _ALPHABET)
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


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
        return self._bits().translate(_BY_BYTE).decode()

    def _bits(self) -> bytes:
        """Twenty bytes that nobody else gets, be it a thread or a forked process."""
        if self._process != os.getpid():
            self._process, self._drawn = os.getpid(), []
        try:
            return self._drawn.pop()
        except IndexError:
            block = secrets.token_bytes(20 * _AT_ONCE)
            first, *rest = (block[at : at + 20] for at in range(0, len(block), 20))
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
    digits = bits.hex()
    return f"{_moment(at // 1_000_000)}{digits[1:4]}-{_VARIANT[digits[4]]}{digits[5:8]}-{digits[8:20]}"


@lru_cache(maxsize=64)
def _moment(ms: int) -> str:
    """The part of an id that says when, up to the version: many are minted in the same millisecond."""
    text = f"{ms & 0xFFFF_FFFF_FFFF:012x}"
    return f"{text[:8]}-{text[8:]}-7"


def venue_text(bits: bytes) -> str:
    """Twenty characters A–Z2–7 from thirteen bytes: what the narrowest venues accept as a client id."""
    number = int.from_bytes(bits, "big")
    return "".join([_PAIRS[number >> place & 1023] for place in range(0, 100, 10)])


def derived(name: str) -> str:
    """A stable id in UUID layout for a named thing (an instrument, a book of a deployment)."""
    return layout(0, blake2b(name.encode(), digest_size=10).digest())
