"""What the live runner needs from outside: a journal to write ahead to, and somebody to tell of committed batches."""

from collections.abc import Iterator
from typing import Protocol

from evenkeel.domain.records import AnyRecord, Batch
from evenkeel.trading.engine.state import State


class Journal(Protocol):
    """The append-only log of one shard, held by one owner under one epoch."""

    @property
    def shard(self) -> str: ...

    @property
    def epoch(self) -> int: ...

    def read(self, after_seq: int = 0) -> Iterator[Batch]:
        """Committed batches in order, hash chain verified. Raises JournalCorrupt."""

    def append(self, body: bytes, first_seq: int, last_seq: int) -> Batch:
        """Commits one batch durably and returns it. Called from the writer thread only.

        Raises CommitFailed (nothing written), CommitUnknown, or StaleEpoch (another owner has the shard).
        """

    def last_seq(self) -> int:
        """The last committed sequence, read back from the database."""

    def durability(self) -> dict[str, str]:
        """The settings that make a commit durable, as read back from the live connection."""

    def close(self) -> None: ...


class Subscriber(Protocol):
    """Told of every committed batch, in order, on the runner's loop; it must not block or raise."""

    def committed(self, batch: Batch, records: tuple[AnyRecord, ...]) -> None: ...


class StateOwner(Protocol):
    """Whoever holds the live state; it may be replaced when trading halts."""

    @property
    def state(self) -> State: ...

    async def settled(self) -> None:
        """Returns when memory is not ahead of the journal."""
