"""A board that both processes see: whose code the worker runs just now. It can be read whatever the worker does.

Each note has a number of its own, so that two looks tell whether the same call is still running.
"""

import mmap
from struct import Struct
from typing import NamedTuple

_NOTE = Struct("<qqq")
NOBODY = -1


class Note(NamedTuple):
    """`slot` is the number of a deployment, or NOBODY; `timed`: its time is that of one call."""

    slot: int = NOBODY
    number: int = 0
    timed: bool = False


class Board:
    """One note in the file `descriptor`, which both processes map; writing it costs well under a microsecond."""

    def __init__(self, descriptor: int) -> None:
        self._shared = mmap.mmap(descriptor, mmap.PAGESIZE)
        self._number = 0

    def write(self, slot: int, *, timed: bool) -> None:
        self._number += 1
        _NOTE.pack_into(self._shared, 0, slot, self._number, timed)

    def read(self) -> Note:
        """The newest note. One that is just being written may come out mixed, and then differs at the next look."""
        slot, number, timed = _NOTE.unpack_from(self._shared, 0)
        return Note(slot, number, bool(timed))

    def close(self) -> None:
        self._shared.close()
