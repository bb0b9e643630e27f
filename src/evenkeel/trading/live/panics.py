"""Sees panics through: where nothing moves for a while, the engine is told to ask again, later and later each time.

It remembers nothing that a restart would miss: what is to do follows from the state, and waiting begins anew.
"""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from evenkeel.domain import records as r
from evenkeel.domain.events import PanicDue
from evenkeel.domain.provenance import Source
from evenkeel.domain.records import AnyRecord, Batch
from evenkeel.trading.engine.halts import Halt
from evenkeel.trading.engine.state import State

if TYPE_CHECKING:
    from evenkeel.trading.live.runner import Runner

FIRST, LAST = 1.0, 30.0
MOST_LATE = 0.25


class PanicWatch:
    """Subscribe it to its runner. Progress is an order that has ended, or a fill, under a panic."""

    def __init__(self, runner: "Runner") -> None:
        self.runner = runner
        self._delay = FIRST
        self._timer: asyncio.TimerHandle | None = None

    def committed(self, batch: Batch, records: tuple[AnyRecord, ...]) -> None:
        state = self.runner.state
        unfinished = [halt for halt in state.halts.values() if not halt.done_at and not halt.stuck]
        if not unfinished:
            self.stop()
        elif self._timer is None or _is_progress(state, unfinished, records):
            self._delay = FIRST
            self._wait()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._delay, self._remind)

    def _remind(self) -> None:
        """What has not been sent yet, or lies here unread, is not what the broker owes an answer to."""
        late = asyncio.get_running_loop().time() - (self._timer.when() if self._timer is not None else 0.0)
        if late < MOST_LATE and not self.runner.dispatcher.is_urgent:
            self._delay = min(2 * self._delay, LAST)
            self.runner.post(PanicDue())
        self._wait()


def _is_progress(state: State, unfinished: list[Halt], records: Iterable[AnyRecord]) -> bool:
    """Whether a panic has begun, an account of one is back, or something of one has filled or ended as it should."""
    for record in records:
        match record:
            case r.PanicStarted() | r.AccountReconciled() | r.RunStarted():
                return True
            case r.FillBooked():
                spec = state.orders[record.fill.order_id].spec
            case r.OrderMoved() if not record.state.is_working and not _is_ours(state, record.order_id):
                spec = state.orders[record.order_id].spec
            case _:
                continue
        account = state.accounts[spec.account_id].account
        if any(halt.covers_order(account, spec) for halt in unfinished):
            return True
    return False


def _is_ours(state: State, order_id: str) -> bool:
    """An order that was to close something and ended without a fill is no progress."""
    return state.orders[order_id].source == Source.PANIC
