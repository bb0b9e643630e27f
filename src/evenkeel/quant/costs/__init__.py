"""What trading costs and at which price it happens: one copy, for every engine and every check.

A charge is a formula of (side, quantity, notional) that returns the unrounded amount of each component as
float64 (`charges`); a fill is decided by kernels of floats and ints (`fills`), used as plain Python or
compiled (`compiled`) with bit-equal results; `booking` is where both become exact money by the schedule's
rounding rule.
"""

from evenkeel.quant.costs.booking import NOTHING, Traded, book_charges, book_price, book_quantity
from evenkeel.quant.costs.charges import charge_by_component, total_charge
from evenkeel.quant.costs.fills import Attempt, FillModel, Slippage, fill_at_bar, fill_at_quote
from evenkeel.quant.costs.schedules import SCHEDULES, Component, CostSchedule, find_schedule

__all__ = [
    "NOTHING",
    "SCHEDULES",
    "Attempt",
    "Component",
    "CostSchedule",
    "FillModel",
    "Slippage",
    "Traded",
    "book_charges",
    "book_price",
    "book_quantity",
    "charge_by_component",
    "fill_at_bar",
    "fill_at_quote",
    "find_schedule",
    "total_charge",
]
