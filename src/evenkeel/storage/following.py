"""Who keeps tables behind the journal: how far it has come, for the runner that commits and for whoever reads.

The projector does it in a thread of this process; `projecting` has one in a process of its own.
"""

from abc import ABC, abstractmethod

import structlog

from evenkeel.domain.records import AnyRecord, Batch
from evenkeel.storage.milestones import Milestones

log = structlog.get_logger(__name__)
FAR = 50_000


class Follower(ABC):
    """Of one shard. `fault` is why it cannot follow at present; `is_placed`: it knows where its tables stand."""

    def __init__(self, shard: str) -> None:
        self.shard = shard
        self.fault: str | None = None
        self.is_placed = False
        self._target = 0
        self._done = Milestones()

    @property
    def seq(self) -> int:
        """The last record that the projections hold."""
        return self._done.seq

    @property
    def lag(self) -> int:
        """Committed records that the projections do not hold yet."""
        return max(0, self._target - self.seq)

    @property
    @abstractmethod
    def follows(self) -> bool:
        """Whether it has been started and not stopped."""

    @abstractmethod
    def follow(self, seq: int) -> None:
        """Takes note, and returns at once, that the journal holds records up to this one."""

    @abstractmethod
    def hasten(self) -> None:
        """Cuts short the pause that gathers records."""

    @abstractmethod
    def start(self) -> None:
        """Begins to catch up and to follow."""

    @abstractmethod
    def stop(self, timeout: float = 10.0) -> None:
        """Projects what has been committed so far, as long as `timeout` seconds allow, and ends."""

    def committed(self, batch: Batch, records: tuple[AnyRecord, ...]) -> None:
        """Implements `trading.live.ports.Subscriber`."""
        self.follow(batch.last_seq)

    async def passed(self, seq: int, *, within: float) -> bool:
        """Whether the projections hold a committed record: waits for it for at most `within` seconds, and not at all
        where nothing follows the journal, or cannot, or is FAR behind, as while all is projected again."""
        is_far = self.is_placed and seq - self.seq > FAR
        if is_far or self.fault is not None or not self.follows:
            return self.seq >= seq
        if self.seq < seq:
            self.hasten()
        return await self._done.passed(seq, within=within)

    def _left_behind(self) -> None:
        log.warning("projections are left behind; the next start catches up", shard=self.shard, lag=self.lag)
