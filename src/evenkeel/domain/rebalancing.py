"""Rebalances: the trades that bring a portfolio to its weights, recorded as a whole before the first of them is placed.

Each account sells first, and buys once its sales have ended. The orders are named after the rebalance, so that nothing
is placed twice: not after a crash, and not when the same rebalance is sent again.
"""

from decimal import Decimal

from msgspec import Struct, field

from evenkeel.domain.execution import Execution
from evenkeel.domain.money import ZERO
from evenkeel.domain.orders import Side
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.record import Record

MOST_TRADES = 1_000


class PlannedTrade(Struct, frozen=True, omit_defaults=True):
    """So many units more (below zero: fewer) than the `held` ones, at a last price of `price`."""

    account_id: str
    instrument_id: str
    quantity: Decimal
    price: Decimal
    held: Decimal = ZERO

    @property
    def side(self) -> Side:
        return Side.BUY if self.quantity > 0 else Side.SELL


class Rebalance(Struct, frozen=True, omit_defaults=True):
    """What was planned. `name` is the client's, one of its portfolio's, `asked` a digest of what was asked for.

    Weights are shares of the `value`, by instrument: `before` as held, `target` as wanted. `cost` is estimated. Without
    an `execution` the trades are whole orders.
    """

    id: str
    portfolio_id: str
    name: str
    asked: str
    value: Decimal
    cost: Decimal
    before: dict[str, Decimal] = field(default_factory=dict)
    target: dict[str, Decimal] = field(default_factory=dict)
    trades: tuple[PlannedTrade, ...] = ()
    execution: Execution | None = None


class RebalanceStarted(Record, frozen=True, tag="rebalance.started/1"):
    """A rebalance begins, or with `attempt` above zero goes on, with those trades that had come to nothing."""

    rebalance: Rebalance
    provenance: Provenance
    attempt: int = 0


class RebalanceEnded(Record, frozen=True, tag="rebalance.ended/1"):
    """All of its orders have ended. `after` are the weights reached, `traded` the value of what was filled, `cost` what
    it was charged, `reasons` why a trade did not happen in full."""

    id: str
    portfolio_id: str
    after: dict[str, Decimal]
    traded: Decimal
    cost: Decimal
    success: bool
    reasons: tuple[str, ...] = ()


def order_name(rebalance_id: str, attempt: int, place: int) -> str:
    """The client order id of a trade of an attempt."""
    return f"{rebalance_id}:{place}" if not attempt else f"{rebalance_id}:r{attempt}:{place}"
