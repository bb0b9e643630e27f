"""Rebalances as folded state: which are under way, what has been filled of them, and which names are taken."""

from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct, field

from evenkeel.domain.accounts import LedgerKind
from evenkeel.domain.composites import SLICE
from evenkeel.domain.money import ZERO, add, sub
from evenkeel.domain.orders import Order, OrderSpec
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.rebalancing import PlannedTrade, Rebalance, RebalanceEnded, RebalanceStarted, order_name
from evenkeel.domain.records import FillBooked

if TYPE_CHECKING:
    from evenkeel.trading.engine.composites.standing import Composite
    from evenkeel.trading.engine.state import State


class Placed(Struct):
    """What became of a trade: one order, or a sliced one. `state` is its own, `reason` why it has that."""

    order: "Order | None"
    composite: "Composite | None"
    is_open: bool
    filled: Decimal
    state: str
    reason: str | None


class Underway(Struct, kw_only=True):
    """A rebalance as it stands. `attempts` are the trades of each, `since` is when the first began (ns), `traded` and
    `cost` are of all; `ended` says how the last one has."""

    rebalance: Rebalance
    provenance: Provenance
    since: int
    attempts: list[tuple[PlannedTrade, ...]] = field(default_factory=list)
    traded: Decimal = ZERO
    cost: Decimal = ZERO
    ended: RebalanceEnded | None = None

    @property
    def attempt(self) -> int:
        """The number of the present attempt, from 0."""
        return len(self.attempts) - 1

    @property
    def trades(self) -> tuple[PlannedTrade, ...]:
        """Those of the present attempt."""
        return self.attempts[-1]

    def name(self, place: int) -> str:
        return order_name(self.rebalance.id, self.attempt, place)

    def placed(self, state: "State", place: int, *, attempt: int | None = None) -> Placed | None:
        """What was placed for a trade of an attempt, the present one unless another is named; None before it is."""
        number = self.attempt if attempt is None else attempt
        key = self.attempts[number][place].account_id, order_name(self.rebalance.id, number, place)
        if key in state.client_ids:
            order = state.orders[state.client_ids[key]]
            return Placed(order, None, order.is_open, order.filled, order.state, order.reason)
        one = state.composites.find(state.composites.names.get(key, ""))
        if one is None:
            return None
        return Placed(None, one, one.state.is_live, one.filled_of(SLICE), one.state, one.reason)

    def has_placed(self, state: "State", spec: OrderSpec) -> bool:
        """Whether an order is one of its own, or a slice of one."""
        one = state.composites.find(spec.parent) if spec.parent else None
        return (spec if one is None else one).client_order_id.startswith(self.rebalance.id)


class Rebalances(Struct):
    """`all` by id, `running` by portfolio, of which one is under way at a time, `named` ids by (portfolio, name)."""

    all: dict[str, Underway] = field(default_factory=dict)
    running: dict[str, Underway] = field(default_factory=dict)
    named: dict[tuple[str, str], str] = field(default_factory=dict)

    def find(self, portfolio_id: str, name: str) -> Underway | None:
        known = self.named.get((portfolio_id, name))
        return None if known is None else self.all[known]


def started(state: "State", record: RebalanceStarted) -> None:
    held, this = state.rebalances, record.rebalance
    known = held.all.get(this.id)
    if known is None:
        known = Underway(rebalance=this, provenance=record.provenance, since=record.at)
        held.all[this.id] = known
        held.named[this.portfolio_id, this.name] = this.id
    known.attempts.append(this.trades)
    known.provenance, known.ended = record.provenance, None
    held.running[this.portfolio_id] = known


def ended(state: "State", record: RebalanceEnded) -> None:
    state.rebalances.all[record.id].ended = record
    del state.rebalances.running[record.portfolio_id]


def filled(state: "State", record: FillBooked) -> None:
    """Counts a fill of an order that a rebalance under way has placed; one that is undone counts no more."""
    fill = record.fill
    running = state.rebalances.running.get(fill.book)
    if running is None or not running.has_placed(state, state.orders[fill.order_id].spec):
        return
    count = add if fill.reverses is None else sub
    running.traded = count(running.traded, state.notional(fill.instrument_id, fill.quantity, fill.price))
    for entry in record.entries:
        if entry.kind is not LedgerKind.TRADE:
            running.cost = sub(running.cost, entry.amount)
