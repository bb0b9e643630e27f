"""Positions: signed quantity and total cost, exact, long and short and through zero.

The average price is never stored: releasing part of a position takes its share of the total cost, rounded
once to `COST_STEP`, so that cost released plus cost left is always the cost paid.
"""

from decimal import Decimal

from msgspec import Struct

from evenkeel.domain.money import COST_STEP, ZERO, add, mul, neg, portion, ratio, sub
from evenkeel.domain.orders import OrderSpec, Product, Side


class PositionKey(Struct, frozen=True, order=True, gc=False):
    """Who holds what. `side` is set only where the venue hedges (a long and a short at once)."""

    account_id: str
    book: str
    instrument_id: str
    product: Product = Product.NONE
    side: Side | None = None


def key_of(spec: OrderSpec) -> PositionKey:
    """The position that an order's fills are booked to."""
    return PositionKey(spec.account_id, spec.book, spec.instrument_id, spec.product)


class Position(Struct, kw_only=True, gc=False):
    """A holding of one key. `total_cost` is signed like `quantity`: paid for a long, received for a short."""

    key: PositionKey
    quantity: Decimal = ZERO
    total_cost: Decimal = ZERO
    realised: Decimal = ZERO
    charges: Decimal = ZERO

    @property
    def average_price(self) -> Decimal | None:
        """Cost per unit (multiplier included) to 28 digits, for display; None when flat."""
        return ratio(self.total_cost, self.quantity) if self.quantity else None

    def market_value(self, price: Decimal, multiplier: Decimal) -> Decimal:
        """Signed value at `price`, in the instrument's currency."""
        return mul(mul(self.quantity, price), multiplier)

    def unrealised(self, price: Decimal, multiplier: Decimal) -> Decimal:
        """Market value minus total cost."""
        return sub(self.market_value(price, multiplier), self.total_cost)

    def book(self, signed_quantity: Decimal, price: Decimal, multiplier: Decimal) -> None:
        """Books a trade of `signed_quantity` (negative sells) at `price`, realising what it closes."""
        opposite = self.quantity and (self.quantity > 0) != (signed_quantity > 0)
        if opposite and signed_quantity.copy_abs() > self.quantity.copy_abs():
            closing = neg(self.quantity)
            self._trade(closing, price, multiplier)
            self._trade(sub(signed_quantity, closing), price, multiplier)
        else:
            self._trade(signed_quantity, price, multiplier)

    def _trade(self, signed_quantity: Decimal, price: Decimal, multiplier: Decimal) -> None:
        cost = mul(mul(signed_quantity, price), multiplier)
        if not self.quantity or (self.quantity > 0) == (signed_quantity > 0):
            self.total_cost = add(self.total_cost, cost)
        else:
            released = self._share_of_cost(signed_quantity.copy_abs())
            self.total_cost = sub(self.total_cost, released)
            self.realised = sub(self.realised, add(cost, released))
        self.quantity = add(self.quantity, signed_quantity)

    def _share_of_cost(self, quantity: Decimal) -> Decimal:
        held = self.quantity.copy_abs()
        if quantity == held:
            return self.total_cost
        return portion(self.total_cost, quantity, of=held, step=COST_STEP)
