"""From committed records to metrics: orders placed and orders gone wrong, and the accounts' figures at a scrape."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator

from evenkeel.domain import records as r
from evenkeel.domain.money import ratio, sub
from evenkeel.domain.orders import TERMINAL, OrderEvent, OrderState
from evenkeel.domain.records import AnyRecord, Batch
from evenkeel.server import views
from evenkeel.telemetry.metrics import Metrics, Portfolio
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


def portfolios(state: State) -> Iterator[Portfolio]:
    """Every account's figures at the last prices."""
    for held in state.accounts.values():
        equity = state.equity(held)
        gained = ratio(sub(equity, held.contributed), held.contributed) if held.contributed else 0
        yield Portfolio(
            account_id=held.account.id,
            account=held.account.name,
            value=float(equity),
            total_return=float(gained),
            drawdown=float(views.drawdown(held, equity)),
            positions=sum(1 for position in held.positions.values() if position.quantity),
        )
