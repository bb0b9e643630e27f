"""Lots: a position as what each purchase left of it, closed in the order in which they came (first in, first out).

Whatever the order, realised and unrealised together are the same; what one method has realised by now, another still
holds. A part of a lot takes its share of the lot's cost, rounded once to `COST_STEP`.
"""

from collections import deque
from decimal import Decimal

from msgspec import Struct, field

from evenkeel.domain.money import COST_STEP, ZERO, add, mul, portion, sub, total


class Lot(Struct):
    """Signed quantity and total cost, paid for a long and received for a short."""

    quantity: Decimal
    cost: Decimal


class Lots(Struct):
    """What is held of one position, the oldest first, and what closed lots have realised, before charges."""

    held: deque[Lot] = field(default_factory=deque)
    realised: Decimal = ZERO

    @property
    def cost(self) -> Decimal:
        """What has been paid for all that is held."""
        return total([lot.cost for lot in self.held])

    @property
    def quantity(self) -> Decimal:
        return total([lot.quantity for lot in self.held])

    def trade(self, signed: Decimal, price: Decimal, multiplier: Decimal, *, undoes: bool = False) -> None:
        """Books a trade (negative sells): it closes the oldest lots, and opens one with what is left of it.

        One that undoes another closes the newest.
        """
        left = signed
        while left and self.held and (self.held[0].quantity > 0) != (left > 0):
            lot = self.held[-1 if undoes else 0]
            part = lot.quantity if lot.quantity.copy_abs() <= left.copy_abs() else left.copy_negate()
            released = self._release(lot, part)
            paid = mul(mul(part.copy_negate(), price), multiplier)
            self.realised = sub(self.realised, add(paid, released))
            left = add(left, part)
            if not lot.quantity:
                self.held.pop() if undoes else self.held.popleft()
        if left:
            self.held.append(Lot(left, mul(mul(left, price), multiplier)))

    @staticmethod
    def _release(lot: Lot, part: Decimal) -> Decimal:
        """Takes a part, signed like the lot, out of it; the cost that goes with it."""
        released = lot.cost if part == lot.quantity else portion(lot.cost, part, of=lot.quantity, step=COST_STEP)
        lot.quantity, lot.cost = sub(lot.quantity, part), sub(lot.cost, released)
        return released

    def split(self, numerator: Decimal, denominator: Decimal, *, quantity: Decimal, cash: Decimal) -> None:
        """Applies a split that has left `quantity` in all; a fraction paid out in `cash` comes from the oldest lot.

        A lot may be no whole number of lots of the instrument: only their sum is.
        """
        for lot in self.held:
            lot.quantity = portion(lot.quantity, numerator, of=denominator, step=COST_STEP)
        self.realised = add(self.realised, cash)
        extra = sub(self.quantity, quantity)
        while extra and self.held and (self.held[0].quantity > 0) == (extra > 0):
            lot = self.held[0]
            part = lot.quantity if lot.quantity.copy_abs() <= extra.copy_abs() else extra
            self.realised = sub(self.realised, self._release(lot, part))
            extra = sub(extra, part)
            if not lot.quantity:
                self.held.popleft()
        if extra:  # what a book has gained by the rounding of the whole, at the price of the cash for it
            self.realised = sub(self.realised, cash)
            self.held.append(Lot(extra.copy_negate(), cash.copy_negate()))
