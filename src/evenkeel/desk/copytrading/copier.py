"""The consumer: hears of every committed batch, and hands the engine what follows for copy links, as one batch.

How far it has read is in the journal: every copy is recorded with the record it comes from, and what concerns no link
is noted now and then. After a restart it reads on from there; what it has done once is not done again. It waits for the
followers to be reconciled first, but not long: what cannot be copied then is skipped, and shows as drift.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from evenkeel.desk.copytrading import reading
from evenkeel.desk.copytrading.factors import Volatility
from evenkeel.domain.accounts import Readiness
from evenkeel.domain.events import CopiesRead
from evenkeel.domain.records import AnyRecord, Batch, decode
from evenkeel.trading.engine.state import State

NOTE_AFTER = 5_000
PATIENCE = 2.0


class Runner(Protocol):
    """The part of the live runner that the copier needs."""

    @property
    def state(self) -> State: ...

    @property
    def journal(self) -> Any: ...

    def post_batch(self, events: Sequence[Any]) -> None: ...


class Copier:
    """Make it before the runner starts, and subscribe it. `volatility` is what sizes by volatility go by."""

    def __init__(self, runner: Runner, *, volatility: Volatility, patience: float = PATIENCE) -> None:
        self.runner, self.volatility, self.patience = runner, volatility, patience
        copying = runner.state.copying
        missed = runner.journal.read(after_seq=copying.cursor) if copying.by_master else ()
        self._waiting = [(batch.first_seq, decode(batch.body)) for batch in missed]
        self._is_held = bool(self._waiting)
        self._timer: asyncio.TimerHandle | None = None
        self._read = runner.state.seq

    def committed(self, batch: Batch, records: tuple[AnyRecord, ...]) -> None:
        """Implements `trading.live.ports.Subscriber`."""
        if not self._is_held:
            self._take(records, batch.first_seq)
            self._read = batch.last_seq
            self._note()
            return
        self._waiting.append((batch.first_seq, records))
        if self._are_ready():
            self._go_on()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.patience, self._go_on)

    @property
    def waits(self) -> bool:
        """Whether something is committed that it has not read, because it waits for its followers."""
        return self._is_held

    def stop(self) -> None:
        """Ends the waiting; what has not been read is read after the next start."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _are_ready(self) -> bool:
        state = self.runner.state
        followers = {one.link.follower_id for one in state.copying.live() if one.follows}
        return all(state.accounts[name].readiness is Readiness.READY for name in followers)

    def _go_on(self) -> None:
        self.stop()
        waiting, self._waiting, self._is_held = self._waiting, [], False
        if waiting:
            records = tuple(record for _, part in waiting for record in part)
            self._take(records, waiting[0][0])
            self._read = waiting[0][0] + len(records) - 1
        self._note()

    def _note(self) -> None:
        copying = self.runner.state.copying
        if copying.by_master and self._read - copying.cursor > NOTE_AFTER:
            self.runner.post_batch([CopiesRead(self._read)])

    def _take(self, records: tuple[AnyRecord, ...], first_seq: int) -> None:
        found = reading.commands(self.runner.state, records, first_seq=first_seq, volatility=self.volatility)
        if found:
            self.runner.post_batch(found)
