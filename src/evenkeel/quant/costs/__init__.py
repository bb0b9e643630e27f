"""What trading costs and at which price it happens: one copy, for every engine and every check.

A schedule is data (`components`, `schedules`). A charge is a formula of (side, quantity, notional) that returns the
unrounded amount of each component as float64 (`charges`); a fill is decided by kernels of floats and ints (`fills`),
used as plain Python or compiled (`compiled`) with bit-equal results; `booking` is where both become exact money by
the schedule's rounding rule, and `tables` does the same in float64 for compiled simulators. `fees` makes
schedules in one line; `carrying` is what positions cost and earn while they are held.
"""

from evenkeel.quant.costs.booking import NOTHING, Biller, Traded, book_charges, book_price, book_quantity
from evenkeel.quant.costs.carrying import Carry
from evenkeel.quant.costs.charges import charge_by_component, total_charge
from evenkeel.quant.costs.components import Component, CostSchedule, Liquidity, Tier, TierBasis, Tiers
from evenkeel.quant.costs.fees import (
    FixedFee,
    NoFee,
    PercentFee,
    PerContractFee,
    PerShareFee,
    TieredFee,
)
from evenkeel.quant.costs.fills import Attempt, FillModel, Slippage, fill_at_bar, fill_at_quote
from evenkeel.quant.costs.schedules import SCHEDULES, find_schedule
from evenkeel.quant.costs.tables import charge_table, order_charge

__all__ = [
    "NOTHING",
    "SCHEDULES",
    "Attempt",
    "Biller",
    "Carry",
    "Component",
    "CostSchedule",
    "FillModel",
    "FixedFee",
    "Liquidity",
    "NoFee",
    "PerContractFee",
    "PerShareFee",
    "PercentFee",
    "Slippage",
    "Tier",
    "TierBasis",
    "TieredFee",
    "Tiers",
    "Traded",
    "book_charges",
    "book_price",
    "book_quantity",
    "charge_by_component",
    "charge_table",
    "fill_at_bar",
    "fill_at_quote",
    "find_schedule",
    "order_charge",
    "total_charge",
]
