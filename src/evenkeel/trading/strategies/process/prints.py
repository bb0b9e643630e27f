"""What strategies print, line by line, each marked with the number of the deployment that it came from."""

import io
import os
from collections.abc import Callable

from evenkeel.trading.strategies.process.board import NOBODY

LONGEST = 2_000
_MARK, _END = b"\x1e", b"\x1f"


class Prints(io.TextIOBase):
    """Stands in for `sys.stdout`: writes to `descriptor`; `at_work` gives the number of whoever prints."""

    encoding = "utf-8"

    def __init__(self, descriptor: int, at_work: Callable[[], int]) -> None:
        self._descriptor = descriptor
        self._at_work = at_work
        self._begun = ""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        if len(self._begun) > LONGEST:
            lines, self._begun = [*lines, self._begun], ""
        if lines:
            mark = _MARK + str(self._at_work()).encode() + _END
            said = b"".join(mark + line[:LONGEST].encode("utf-8", "replace") + b"\n" for line in lines)
            self._put(said)
        return len(text)

    def _put(self, said: bytes) -> None:
        left = memoryview(said)
        while left:
            left = left[os.write(self._descriptor, left) :]


def read(line: bytes) -> tuple[int, str]:
    """The number and the text of a line; one that came another way (of a library in C) is nobody's."""
    slot, end, text = line[1:].partition(_END) if line.startswith(_MARK) else (b"", b"", line)
    is_marked = bool(end) and slot.lstrip(b"-").isdigit()
    said = (text if is_marked else line).decode("utf-8", "replace").rstrip()
    return (int(slot) if is_marked else NOBODY), said[:LONGEST]
