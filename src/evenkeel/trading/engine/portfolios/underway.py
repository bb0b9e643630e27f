"""Rebalances as folded state: which are under way, what has been filled of them, and which names are taken."""

from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct, field

from evenkeel.domain.accounts import LedgerKind
from evenkeel.domain.money import ZERO, add, sub
from evenkeel.domain.orders import Order
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.rebalancing import PlannedTrade, Rebalance, RebalanceEnded, RebalanceStarted, order_name
from evenkeel.domain.records import FillBooked

if TYPE_CHECKING:
    from evenkeel.trading.engine.state import State


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

    def order(self, state: "State", place: int) -> Order | None:
        """The order of a trade of the present attempt; None before it is placed."""
        order_id = state.client_ids.get((self.trades[place].account_id, self.name(place)))
        return None if order_id is None else state.orders[order_id]


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
    if running is None or not state.orders[fill.order_id].spec.client_order_id.startswith(running.rebalance.id):
        return
    count = add if fill.reverses is None else sub
    running.traded = count(running.traded, state.notional(fill.instrument_id, fill.quantity, fill.price))
    for entry in record.entries:
        if entry.kind is not LedgerKind.TRADE:
            running.cost = sub(running.cost, entry.amount)
