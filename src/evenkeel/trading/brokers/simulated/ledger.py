"""What the book's accounts hold: executions are noted as they happen, and added up when somebody asks."""

from decimal import Decimal

from evenkeel.domain.events import VenueFilled
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.money import ZERO, add, mul, neg, sub
from evenkeel.domain.orders import OrderSpec, Product
from evenkeel.domain.positions import Position, PositionKey

HoldingKey = tuple[str, str, Product]


class Ledger:
    """Cash by account and currency, and positions by (account, instrument, product): both up to the last execution."""

    def __init__(self) -> None:
        self._cash: dict[str, dict[str, Decimal]] = {}
        self._positions: dict[HoldingKey, Position] = {}
        self._noted: list[tuple[OrderSpec, VenueFilled, Instrument]] = []

    def note(self, spec: OrderSpec, fill: VenueFilled, instrument: Instrument) -> None:
        """Takes an execution in, of an instrument as it is described at that moment."""
        self._noted.append((spec, fill, instrument))

    @property
    def cash(self) -> dict[str, dict[str, Decimal]]:
        self._settle()
        return self._cash

    @property
    def positions(self) -> dict[HoldingKey, Position]:
        self._settle()
        return self._positions

    def hold(self, position: Position) -> None:
        """Adds a position of one of our books to the account's holding."""
        held = self._holding(position.key.account_id, position.key.instrument_id, position.key.product)
        held.quantity = add(held.quantity, position.quantity)
        held.total_cost = add(held.total_cost, position.total_cost)

    def _settle(self) -> None:
        noted, self._noted = self._noted, []
        for spec, fill, instrument in noted:
            signed = fill.quantity if fill.side.sign > 0 else neg(fill.quantity)
            held = self._holding(fill.account_id, fill.instrument_id, spec.product)
            held.book(signed, fill.price, instrument.multiplier)
            cash = self._cash[fill.account_id]
            left = sub(cash.get(instrument.currency, ZERO), mul(mul(signed, fill.price), instrument.multiplier))
            for charge in fill.charges:
                left = sub(left, charge.amount)
            cash[instrument.currency] = left

    def _holding(self, account_id: str, instrument_id: str, product: Product) -> Position:
        key = account_id, instrument_id, product
        held = self._positions.get(key)
        if held is None:
            account_wide = PositionKey(account_id, "", instrument_id, product)
            held = self._positions[key] = Position(key=account_wide)
        return held
