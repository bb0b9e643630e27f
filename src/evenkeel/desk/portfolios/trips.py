"""Round trips, exact: from flat to flat, in one position of one book. What one made does not depend on whether sales
close a share of all purchases or the oldest, since nothing is left at its end.

A fill through flat closes one trip and opens the next, and its charges are those of the one it closes.
"""

from collections import defaultdict
from decimal import Decimal
from typing import NamedTuple

from msgspec import Struct

from evenkeel.desk.booked import Booked
from evenkeel.domain.fills import Fill
from evenkeel.domain.money import COST_STEP, ZERO, add, mul, portion, ratio, sub, total
from evenkeel.domain.positions import Position, PositionKey
from evenkeel.domain.records import PositionCorrected, SplitApplied
from evenkeel.trading.engine.portfolios.standing import BookKey
from evenkeel.trading.engine.state import State


class Trip(Struct):
    """One round trip of `side` 1 (long) or -1, named by the fill that opened it; open while it has no `closed_at` (ns).

    Quantities are without sign, in units of today; costs are price times quantity times multiplier, added up.
    `realised` is before `charges`.
    """

    id: str
    key: PositionKey
    side: int
    opened_at: int
    closed_at: int | None = None
    entered: Decimal = ZERO
    entry_cost: Decimal = ZERO
    left: Decimal = ZERO
    exit_cost: Decimal = ZERO
    realised: Decimal = ZERO
    charges: Decimal = ZERO

    @property
    def made(self) -> Decimal:
        """What it has made, net of charges."""
        return sub(self.realised, self.charges)

    def entry_price(self, multiplier: Decimal) -> Decimal:
        """The average price of what was opened, to 28 digits."""
        return ratio(self.entry_cost, mul(self.entered, multiplier)) if self.entered else ZERO

    def exit_price(self, multiplier: Decimal) -> Decimal | None:
        """The average price of what was closed; None before anything was."""
        return ratio(self.exit_cost, mul(self.left, multiplier)) if self.left else None


class _Trade(NamedTuple):
    """What was traded, negative where sold, by which fill or correction, and what it was charged."""

    id: str
    at: int
    signed: Decimal
    price: Decimal
    charges: Decimal = ZERO


class Trips(Booked):
    """The round trips of every book, oldest first."""

    def __init__(self) -> None:
        super().__init__()
        self.begin()

    def begin(self) -> None:
        self.of_book: dict[BookKey, list[Trip]] = defaultdict(list)
        self._positions: dict[PositionKey, Position] = {}
        self._open: dict[PositionKey, Trip] = {}

    def traded(self, state: State, key: PositionKey, fill: Fill) -> None:
        charges = total([charge.amount for charge in fill.charges])
        self._trade(state, key, _Trade(fill.id, fill.executed_at, fill.signed, fill.price, charges))

    def corrected(self, state: State, record: PositionCorrected) -> None:
        self._trade(state, record.key, _Trade(record.id, record.at, record.quantity, record.price))

    def _trade(self, state: State, key: PositionKey, trade: _Trade) -> None:
        position = self._positions.setdefault(key, Position(key=key))
        multiplier, before, signed = state.instruments[key.instrument_id].multiplier, position.quantity, trade.signed
        closing, charges = ZERO, trade.charges
        if before and (before > 0) != (signed > 0):
            closing = signed if signed.copy_abs() <= before.copy_abs() else before.copy_negate()
        for part in filter(None, (closing, sub(signed, closing))):
            trip = self._open.get(key) or self._begin_trip(key, trade)
            trip.charges, charges = add(trip.charges, charges), ZERO
            self._book(trip, position, part, price=trade.price, multiplier=multiplier)
            if not position.quantity:
                self._open.pop(key).closed_at = trade.at

    def _begin_trip(self, key: PositionKey, trade: _Trade) -> Trip:
        trip = self._open[key] = Trip(trade.id, key, 1 if trade.signed > 0 else -1, trade.at)
        self.of_book[key.account_id, key.book].append(trip)
        return trip

    @staticmethod
    def _book(trip: Trip, position: Position, signed: Decimal, *, price: Decimal, multiplier: Decimal) -> None:
        """A trade that only opens, or only closes."""
        units, realised = signed.copy_abs(), position.realised
        cost = mul(mul(units, price), multiplier)
        position.book(signed, price, multiplier)
        if (signed > 0) == (trip.side > 0):
            trip.entered, trip.entry_cost = add(trip.entered, units), add(trip.entry_cost, cost)
        else:
            trip.left, trip.exit_cost = add(trip.left, units), add(trip.exit_cost, cost)
        trip.realised = add(trip.realised, sub(position.realised, realised))

    def split(self, state: State, record: SplitApplied) -> None:
        change = record.split
        for part in record.positions:
            position, trip = self._positions.get(part.key), self._open.get(part.key)
            if position is None or trip is None:
                continue
            for name in ("entered", "left"):
                units = portion(getattr(trip, name), change.numerator, of=change.denominator, step=COST_STEP)
                setattr(trip, name, units)
            trip.realised = add(trip.realised, sub(part.cash_in_lieu, part.cost_released))
            position.realised = add(position.realised, sub(part.cash_in_lieu, part.cost_released))
            position.total_cost = sub(position.total_cost, part.cost_released)
            position.quantity = part.quantity
            if not position.quantity:
                self._open.pop(part.key).closed_at = record.at
