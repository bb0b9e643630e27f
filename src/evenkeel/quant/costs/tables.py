"""A schedule as numbers, for kernels: one row a component, and the booked charge of a fill as `book_charges` has it.

`order_charge` rounds as `domain.money.exact` does, which takes the shortest decimal that reads back as the float.
That decimal lies on the same side of a multiple, or half multiple, of the step as the float lies of that (half)
multiple's own float; and where the floats are equal it *is* the (half) multiple while that has at most 15
significant digits, as such decimals survive the way to float64 and back. So comparing floats decides every tie.
"""

from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Decimal,
)
from math import floor, inf

import numpy as np
import numpy.typing as npt

from evenkeel.domain.money import minor_unit
from evenkeel.quant.costs.charges import brackets, coefficients, component_charge, tier_charge
from evenkeel.quant.costs.components import Component, CostSchedule, Liquidity, TierBasis
from evenkeel.quant.kernels import kernel

Floats = npt.NDArray[np.float64]

HALF_EVEN, HALF_UP, UP, DOWN, FLOOR, CEILING = 0, 1, 2, 3, 4, 5
ROUNDING_CODES = {
    ROUND_HALF_EVEN: HALF_EVEN,
    ROUND_HALF_UP: HALF_UP,
    ROUND_UP: UP,
    ROUND_DOWN: DOWN,
    ROUND_FLOOR: FLOOR,
    ROUND_CEILING: CEILING,
}

PER_ORDER, PER_UNIT, RATE, MINIMUM, CAP, CAP_RATE = 0, 1, 2, 3, 4, 5
SIDE = 6  # 1 buys only, -1 sells only, 0 both
LIQUIDITY = 7  # 1 makers only, -1 takers only, 0 both
ROUNDING = 8  # one of ROUNDING_CODES
STEP, PARTS = 9, 10  # charges are multiples of STEP / PARTS, both whole numbers
IS_ON_OTHERS = 11
BY_QUANTITY, WHOLE = 12, 13  # how tiers are read
FIRST_BASE = 14  # then for each row 1 if `rate` is of it; then (below, up to, price) of each tier

MOST_STEPS = 1e15


def charge_table(schedule: CostSchedule, currency: str) -> Floats:
    """The schedule as a read-only C-contiguous matrix of float64, one row a component, as the columns above say.

    A schedule without components gives no rows.
    """
    count = len(schedule.components)
    most_tiers = max((len(brackets(component.tiers)) for component in schedule.components), default=0)
    table = np.zeros((count, FIRST_BASE + count + 3 * most_tiers))
    step, parts = booking_step(schedule, currency).as_integer_ratio()
    names = [component.name for component in schedule.components]
    for row, component in zip(table, schedule.components, strict=True):
        _fill_row(row, component)
        row[ROUNDING], row[STEP], row[PARTS] = ROUNDING_CODES[schedule.rounding], step, parts
        row[[FIRST_BASE + names.index(name) for name in component.on]] = 1.0
        unused = (inf, inf, 0.0)
        listed = brackets(component.tiers)
        row[FIRST_BASE + count :] = np.ravel([*listed, *[unused] * (most_tiers - len(listed))])
    table.flags.writeable = False
    return table


def booking_step(schedule: CostSchedule, currency: str) -> Decimal:
    """What the charges of a schedule are multiples of."""
    return minor_unit(currency) if schedule.step is None else Decimal(schedule.step)


def _fill_row(row: Floats, component: Component) -> None:
    row[:SIDE] = coefficients(component)
    if component.side is not None:
        row[SIDE] = component.side.sign
    if component.liquidity is not None:
        row[LIQUIDITY] = 1.0 if component.liquidity is Liquidity.MAKER else -1.0
    row[IS_ON_OTHERS] = bool(component.on)
    if component.tiers is not None:
        row[BY_QUANTITY] = component.tiers.basis is TierBasis.QUANTITY
        row[WHOLE] = component.tiers.whole


@kernel
def order_charge(
    table: Floats,
    side: int,
    quantity_before: float,
    notional_before: float,
    quantity_after: float,
    notional_after: float,
    maker: bool,
) -> float:
    """What one fill is charged, summed over the components of `charge_table`: `book_charges` as a float64.

    `side` is 1 or -1; quantity and notional are what the order had executed without and with this fill. Equal
    to the sum of what `book_charges` books while every charge is below 10^14 units of the step's last decimal place
    (10^12 at a step of 0.01); beyond, a float64 no longer tells one from the next.
    """
    due = paid = 0.0
    for quantity, notional in ((quantity_before, notional_before), (quantity_after, notional_after)):
        paid, due = due, charge_at_once(table, side, quantity, notional, maker)
    if paid == 0.0:
        return due
    step, parts = table[0, STEP], table[0, PARTS]
    steps = floor(due * parts / step + 0.5) - floor(paid * parts / step + 0.5)
    return float(steps * step / parts)


@kernel
def charge_at_once(table: Floats, side: int, quantity: float, notional: float, maker: bool) -> float:
    """`order_charge` of an order that executed in one piece."""
    steps = 0.0
    for row in range(table.shape[0]):
        if row_applies(table, row, side, maker):
            due = row_charge(table, row, side, quantity, notional, maker)
            steps += whole_steps(due, table[row, STEP], table[row, PARTS], table[row, ROUNDING])
    if steps == 0.0:
        return 0.0
    return float(steps * table[0, STEP] / table[0, PARTS])


@kernel
def row_applies(table: Floats, row: int, side: int, maker: bool) -> bool:
    if table[row, SIDE] * side < 0.0:
        return False
    return bool(table[row, LIQUIDITY] == 0.0 or (table[row, LIQUIDITY] > 0.0) == maker)


@kernel
def row_charge(table: Floats, row: int, side: int, quantity: float, notional: float, maker: bool) -> float:
    """The unrounded charge of one component on a whole order."""
    if quantity <= 0.0:
        return 0.0
    base = notional
    if table[row, IS_ON_OTHERS] > 0.0:
        base = 0.0
        for other in range(row):
            if table[row, FIRST_BASE + other] > 0.0 and row_applies(table, other, side, maker):
                base += row_charge_on(table, other, quantity, notional, notional)
    return row_charge_on(table, row, quantity, notional, base)


@kernel
def row_charge_on(table: Floats, row: int, quantity: float, notional: float, base: float) -> float:
    """`row_charge` with `rate` a fraction of `base`."""
    size = quantity if table[row, BY_QUANTITY] > 0.0 else notional
    tiers = 0.0
    for tier in range(FIRST_BASE + table.shape[0], table.shape[1], 3):
        tiers += tier_charge(
            size, table[row, tier], table[row, tier + 1], table[row, tier + 2], table[row, WHOLE] > 0.0
        )
    return component_charge(
        table[row, PER_ORDER],
        table[row, PER_UNIT],
        table[row, RATE],
        table[row, MINIMUM],
        table[row, CAP],
        table[row, CAP_RATE],
        quantity,
        notional,
        base,
        tiers,
    )


@kernel
def whole_steps(amount: float, step: float, parts: float, rule: float) -> float:
    """`amount` as a whole number of steps (each `step / parts`), rounded by the rule of that code.

    What is not below 10^15 steps has no digits to round, and comes back as it is.
    """
    size = abs(amount)
    sign = 1.0 if amount > 0.0 else -1.0
    if not size * parts < MOST_STEPS:
        return amount * parts / step
    steps = float(floor(size * parts / step))
    if steps * step / parts > size:
        steps -= 1.0
    elif (steps + 1.0) * step / parts <= size:
        steps += 1.0
    if steps * step / parts == size:
        return sign * steps
    if rule in (HALF_EVEN, HALF_UP):
        half = (2.0 * steps + 1.0) * step / (2.0 * parts)
        odd = steps % 2.0 == 1.0
        away = size > half or (size == half and (rule == HALF_UP or odd))
    else:
        away = rule == UP or (rule == FLOOR and sign < 0.0) or (rule == CEILING and sign > 0.0)
    return sign * (steps + 1.0) if away else sign * steps
