"""From committed records to metrics: orders placed and orders gone wrong, and the accounts' figures at a scrape."""

from collections.abc import Iterator

from evenkeel.domain import records as r
from evenkeel.domain.money import ratio, sub
from evenkeel.domain.orders import OrderState
from evenkeel.domain.records import AnyRecord, Batch
from evenkeel.server import views
from evenkeel.telemetry.metrics import Metrics, Portfolio
from evenkeel.trading.engine.state import State

_WRONG = frozenset({OrderState.REJECTED, OrderState.EXPIRED_UNSENT, OrderState.IN_DOUBT, OrderState.ANOMALY})


class OrderCounter:
    """Subscribes to the runner and counts."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def committed(self, batch: Batch, records: tuple[AnyRecord, ...]) -> None:
        for record in records:
            match record:
                case r.OrderDecided():
                    self._metrics.orders_placed += 1
                    self._metrics.order_errors += not record.approved
                case r.OrderMoved() if record.state in _WRONG:
                    self._metrics.order_errors += 1


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
