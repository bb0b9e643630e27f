"""From measurement to money: the one place where simulated prices, quantities and charges become exact.

Charges are rounded over the order and booked as differences: the fills of an order add up to the rounded
charge of the order, whatever pieces it came in.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from msgspec import Struct

from evenkeel.domain.fills import Charge
from evenkeel.domain.money import exact, mul, rounded, sub
from evenkeel.domain.orders import Side
from evenkeel.quant.costs.charges import Tariff
from evenkeel.quant.costs.components import CostSchedule
from evenkeel.quant.costs.tables import booking_step

_PART_OF_TICK = Decimal("0.000001")
# So near to the grid, and so few ticks, that neither the division nor the millionth of a tick can matter.
_ON_THE_GRID, _MOST_TICKS = 1e-7, 1e8


class Traded(Struct, frozen=True, gc=False):
    """What one order has executed so far: quantity, and notional = sum of price x quantity x multiplier."""

    quantity: float
    notional: float


NOTHING = Traded(0.0, 0.0)


class Biller:
    """A schedule at work in one currency: the exact charges of fills, rounded to its step or the minor unit."""

    def __init__(self, schedule: CostSchedule, currency: str) -> None:
        self._tariff = Tariff(schedule)
        self._step, self._rounding = booking_step(schedule, currency), schedule.rounding
        self._kinds = {component.name: component.kind for component in schedule.components}
        self.is_free = not schedule.components

    def bill(self, side: Side, *, after: Traded, before: Traded = NOTHING, maker: bool = False) -> tuple[Charge, ...]:
        """What one fill is charged: `before` and `after` are what its order had executed without and with it.

        `maker` says that this fill waited in the book: it pays what the order would pay for it if all of it had done
        so. Components whose booked amount is zero are left out. Raises InvalidInput where a figure is not finite.
        """
        tariff, step, rounding = self._tariff, self._step, self._rounding
        paid: dict[str, float] = {}
        if before.quantity > 0.0:
            paid = tariff.by_component(side, quantity=before.quantity, notional=before.notional, maker=maker)
        owed = tariff.by_component(side, quantity=after.quantity, notional=after.notional, maker=maker)
        charges = []
        for name, amount in owed.items():
            due = exact(amount, step, rounding)
            if name in paid:
                due = sub(due, exact(paid[name], step, rounding))
            if due:
                charges.append(Charge(name, due, self._kinds[name]))
        return tuple(charges)


def book_charges(
    schedule: CostSchedule,
    side: Side,
    *,
    currency: str,
    after: Traded,
    before: Traded = NOTHING,
    maker: bool = False,
) -> tuple[Charge, ...]:
    """`Biller.bill` for once. Raises InvalidInput where a figure is not finite."""
    return Biller(schedule, currency).bill(side, after=after, before=before, maker=maker)


def book_price(price: float, side: Side, tick: Decimal) -> Decimal:
    """A fill price on the tick grid: up for a buy, down for a sell, so that rounding never pays the trader.

    A limit on the grid stays respected. Noise below a millionth of a tick does not cost a tick.
    """
    ticks = price / float(tick)
    if 0.5 < ticks < _MOST_TICKS and abs(ticks - round(ticks)) < _ON_THE_GRID:
        return mul(Decimal(round(ticks)), tick)
    measured = exact(price, mul(tick, _PART_OF_TICK))
    return rounded(measured, tick, ROUND_CEILING if side is Side.BUY else ROUND_FLOOR)


def book_quantity(quantity: float, lot: Decimal) -> Decimal:
    """A quantity from a fill kernel (whole lots but for float noise) as the exact multiple of `lot`."""
    return exact(quantity, lot)
