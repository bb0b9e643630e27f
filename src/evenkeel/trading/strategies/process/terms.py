"""What a worker is told when it is started."""

from msgspec import Struct


class Terms(Struct, frozen=True):
    """What the worker is told on its command line: the descriptors of its line and board, whose it is, and its bounds.

    `deadline` is seconds a call, None in deterministic runs; `memory` MiB of address space; `files` open at once.
    """

    line: int
    board: int
    parent: int
    deadline: float | None
    memory: int
    files: int
