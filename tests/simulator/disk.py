"""What is durable: the journal's batches, which outlive every process; and one process's handle on them.

The handle can fail in every way the port names, and can be the moment at which the process dies.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from evenkeel.domain.errors import CommitFailed, CommitUnknown, JournalCorrupt, JournalError, StaleEpoch
from evenkeel.domain.records import GENESIS, Batch, chain_hash
from tests.simulator.faults import Fault

if TYPE_CHECKING:
    from tests.simulator.life import Life
    from tests.simulator.world import World

SHARD = "user"


class Dead(Exception):
    """The process died at this moment: nobody hears of what came of it."""


class Disk:
    """`full_until` (ns): no batch can be written before."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.hash = GENESIS
        self.epoch = 0
        self.full_until = 0

    @property
    def last_seq(self) -> int:
        return self.batches[-1].last_seq if self.batches else 0

    def write(self, body: bytes, first_seq: int, last_seq: int) -> Batch:
        batch = Batch(SHARD, self.epoch, first_seq, last_seq, self.hash, body)
        self.batches.append(batch)
        self.hash = chain_hash(batch)
        return batch

    def restore(self, batches: list[Batch]) -> None:
        """Puts an older copy in place of what there is."""
        self.batches = batches
        self.hash = chain_hash(batches[-1]) if batches else GENESIS

    def verified(self) -> Iterator[Batch]:
        """The batches, while they follow each other by number and hash. Raises JournalCorrupt."""
        seq, previous = 0, GENESIS
        for batch in self.batches:
            if batch.first_seq != seq + 1 or batch.prev_hash != previous or batch.last_seq < batch.first_seq:
                raise JournalCorrupt(f"batch {batch.first_seq} does not follow record {seq}")
            seq, previous = batch.last_seq, chain_hash(batch)
            yield batch


class Handle:
    """The `Journal` of one process, under an epoch of its own."""

    shard = SHARD

    def __init__(self, world: "World", life: "Life") -> None:
        world.disk.epoch += 1
        self.epoch = world.disk.epoch
        self._world = world
        self._life = life

    def read(self, after_seq: int = 0) -> Iterator[Batch]:
        return iter([batch for batch in self._world.disk.verified() if batch.first_seq > after_seq])

    def append(self, body: bytes, first_seq: int, last_seq: int) -> Batch:
        world, disk = self._world, self._world.disk
        weather, what = world.weather, f"records {first_seq}–{last_seq}"
        if disk.epoch != self.epoch:
            raise StaleEpoch("another owner has the shard")
        if first_seq != disk.last_seq + 1:
            raise CommitFailed(f"the journal ends at {disk.last_seq}")
        if weather.strikes(Fault.KILLED_BEFORE_COMMIT):
            self._die(f"before the commit of {what}")
        self._fail(what)
        is_unknown = weather.strikes(Fault.COMMIT_UNKNOWN)
        if is_unknown and weather.draw(Fault.COMMIT_UNKNOWN).random() < 0.5:
            world.story.tell("the journal does not say that it has not written {}", what)
            raise CommitUnknown("the connection broke while committing")
        batch = disk.write(body, first_seq, last_seq)
        world.committed(batch)
        if is_unknown:
            world.story.tell("the journal has written {} and does not say so", what)
            raise CommitUnknown("the connection broke after committing")
        if weather.strikes(Fault.KILLED_AFTER_COMMIT):
            self._die(f"after the commit of {what}")
        return batch

    def _die(self, when: str) -> None:
        self._life.kill(when)
        raise Dead

    def _fail(self, what: str) -> None:
        world, disk = self._world, self._world.disk
        if world.weather.strikes(Fault.DISK_FULL):
            disk.full_until = world.timeline.now + 6 * 10**9
            world.story.tell("the disk is full")
        if world.timeline.now < disk.full_until or world.weather.strikes(Fault.COMMIT_FAILS):
            world.story.tell("the journal cannot write {}", what)
            raise CommitFailed("no space is left on the device")

    def last_seq(self) -> int:
        if self._world.weather.strikes(Fault.UNREADABLE):
            raise JournalError("the journal does not answer")
        return self._world.disk.last_seq

    def durability(self) -> dict[str, str]:
        return {"journal": "virtual"}

    def close(self) -> None:
        """There is nothing to let go of."""
        self._world.story.tell("the journal is closed")
