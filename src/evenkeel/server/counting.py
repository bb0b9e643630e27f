"""From committed records to metrics: orders placed and orders gone wrong, and the accounts' figures at a scrape."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator

from evenkeel.domain import records as r
from evenkeel.domain.orders import TERMINAL, OrderEvent, OrderState
from evenkeel.domain.records import AnyRecord, Batch
from evenkeel.server import halting
from evenkeel.server.ports import Feed, Trading
from evenkeel.telemetry.metrics import Compared, Metrics, Portfolio, Sender
from evenkeel.trading.engine.state import State

_WRONG = frozenset({OrderState.REJECTED, OrderState.EXPIRED_UNSENT, OrderState.IN_DOUBT, OrderState.ANOMALY})
_MOST = 10_000


class OrderCounter:
    """Subscribes to the runner and counts. Times from acknowledgement to fill are of this process's own clock."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics, self._clock = metrics, clock
        self._acknowledged: OrderedDict[str, float] = OrderedDict()

    def committed(self, batch: Batch, records: tuple[AnyRecord, ...]) -> None:
        for record in records:
            match record:
                case r.OrderDecided():
                    self._metrics.orders_placed += 1
                    self._metrics.order_errors += not record.approved
                case r.OrderMoved():
                    self._moved(record)
                case r.FillBooked():
                    since = self._acknowledged.pop(record.fill.order_id, None)
                    if since is not None:
                        self._metrics.observe_stage("filled", self._clock() - since)

    def _moved(self, record: r.OrderMoved) -> None:
        if record.state in _WRONG:
            self._metrics.order_errors += 1
        if record.event is OrderEvent.ACCEPT:
            self._acknowledged[record.order_id] = self._clock()
            if len(self._acknowledged) > _MOST:
                self._acknowledged.popitem(last=False)
        elif record.state in TERMINAL:
            self._acknowledged.pop(record.order_id, None)


def senders(trading: Trading) -> Iterator[Sender]:
    """How every account sends now."""
    for account_id, held in trading.state.accounts.items():
        sending = trading.sending(account_id)
        waiting = {lane.name.lower(): count for lane, count in sending.waiting.items()}
        seen, away = held.compared, trading.away(account_id)
        compared = Compared(seen.times, trading.failures(account_id).times, seen.differences, seen.at, away or 0.0)
        yield Sender(account_id, held.account.name, sending.tokens, waiting, sending.oldest, compared)


def silence(state: State) -> tuple[int, int]:
    """How many instruments are silent, and 1 where a replay stands still."""
    return len(state.marks.silent), int(state.marks.stalled > 0)


def panics(state: State) -> dict[str, int]:
    """How many panics are at work, stuck and done."""
    found = [halting.state_of(halt) for halt in state.halts.values()]
    return {name: found.count(name) for name in ("working", "stuck", "done")}


def portfolios(state: State) -> Iterator[Portfolio]:
    """Every account's figures at the last prices."""
    for held in state.accounts.values():
        equity = state.equity(held)
        yield Portfolio(
            account_id=held.account.id,
            account=held.account.name,
            value=float(equity),
            total_return=held.growth.at(equity) - 1.0,
            drawdown=held.growth.drawdown(equity),
            positions=sum(1 for position in held.positions.values() if position.quantity),
        )


def hosts(feed: Feed) -> tuple[int, int, int]:
    """Processes that run strategies, how often any was started again, and moments that wait for all of them."""
    found = feed.hosts()
    at_work = sum(one.pid is not None for one in found)
    return at_work, sum(one.restarts for one in found), sum(one.behind for one in found)
