"""What both journals share: the row as stored, and the walk along the hash chain."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol, Self

import msgspec

from evenkeel.domain.errors import CommitFailed, JournalCorrupt, StaleEpoch
from evenkeel.domain.records import GENESIS, Batch, chain_hash

SCHEMA = 1
COLUMNS = "shard, epoch, first_seq, last_seq, prev_hash, body, hash, schema, committed_at"
PAGE = 256


class StoredBatch(Batch, frozen=True):
    """A batch as it lies in the database: `hash` is its own, `committed_at` the wall clock in ns."""

    hash: bytes = b""
    schema: int = SCHEMA
    committed_at: int = 0


class Head(NamedTuple):
    """The end of the journal: the last sequence and the hash the next batch must name."""

    last_seq: int = 0
    hash: bytes = GENESIS


class JournalReader(Protocol):
    """A read-only connection to one shard's journal."""

    @property
    def shard(self) -> str: ...

    def shards(self) -> tuple[str, ...]: ...

    def read(self, after_seq: int = 0) -> Iterator[StoredBatch]: ...

    def last_seq(self) -> int: ...

    def epoch(self) -> int: ...

    def durability(self) -> dict[str, str]: ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


def sealed(batch: Batch, committed_at: int) -> StoredBatch:
    """The batch with its own hash and its time of commit."""
    return StoredBatch(
        shard=batch.shard,
        epoch=batch.epoch,
        first_seq=batch.first_seq,
        last_seq=batch.last_seq,
        prev_hash=batch.prev_hash,
        body=batch.body,
        hash=chain_hash(batch),
        committed_at=committed_at,
    )


def verified(batches: Iterable[StoredBatch], head: Head) -> Iterator[StoredBatch]:
    """Passes batches on while they follow `head` without a gap. Raises JournalCorrupt naming the first that fails."""
    epoch = 0
    for batch in batches:
        where = f"the journal of {batch.shard} at sequence {batch.first_seq}"
        if batch.schema > SCHEMA:
            raise JournalCorrupt(
                f"{where} was written in format {batch.schema}; this version reads up to {SCHEMA}",
                hint="open this home with the version that wrote it, or a newer one",
            )
        if batch.first_seq != head.last_seq + 1 or batch.last_seq < batch.first_seq:
            raise JournalCorrupt(f"{where} should continue at {head.last_seq + 1}: records are missing or repeated")
        if batch.prev_hash != head.hash:
            raise JournalCorrupt(f"{where} does not name the hash of the batch before it")
        if batch.epoch < epoch:
            raise JournalCorrupt(f"{where} was written under epoch {batch.epoch}, after epoch {epoch}")
        if chain_hash(batch) != batch.hash:
            raise JournalCorrupt(f"{where} has been altered: its content does not give its hash")
        epoch = batch.epoch
        head = Head(batch.last_seq, batch.hash)
        yield batch


def start(before: StoredBatch | None, shard: str, after_seq: int) -> Head:
    """Where reading after `after_seq` begins, `before` being the batch that holds it. Raises JournalCorrupt."""
    end = end_of(before)
    if end.last_seq < after_seq:
        raise JournalCorrupt(
            f"the journal of {shard} ends at sequence {end.last_seq}, before {after_seq}",
            hint="was an older copy of the journal restored? `evenkeel doctor` says what differs",
        )
    if before is not None and end.last_seq > after_seq:
        return Head(before.first_seq - 1, before.prev_hash)
    return end


def stale(shard: str, epoch: int, current: int) -> StaleEpoch:
    return StaleEpoch(
        f"another owner has taken {shard}: its epoch is {current}, ours {epoch}; nothing was written",
        hint="stop this process; the newer one goes on",
    )


def misplaced(batch: Batch, end: Head) -> CommitFailed:
    return CommitFailed(
        f"the journal of {batch.shard} ends at sequence {end.last_seq}, "
        f"but the batch is {batch.first_seq} to {batch.last_seq}; nothing was written"
    )


def row(batch: StoredBatch) -> tuple[object, ...]:
    """The batch in the order of `COLUMNS`."""
    return (
        batch.shard,
        batch.epoch,
        batch.first_seq,
        batch.last_seq,
        batch.prev_hash,
        batch.body,
        batch.hash,
        batch.schema,
        batch.committed_at,
    )


def written_by(found: tuple[int, str]) -> dict[str, str]:
    """What a writer left of its settings, with the epoch under which it read them back."""
    epoch, settings = found
    return msgspec.json.decode(settings, type=dict[str, str]) | {"read_back_in_epoch": str(epoch)}


def end_of(batch: StoredBatch | None) -> Head:
    return Head(batch.last_seq, batch.hash) if batch else Head()
