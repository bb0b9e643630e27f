"""The cost and fill kernels compiled: the live engine, which fills a few orders a second, uses the plain functions."""

from typing import Any

from evenkeel.quant.costs import fills, tables
from evenkeel.quant.kernels import Compiled


def _charge_types(t: Any) -> Any:
    return t.float64(t.table, t.int64, *[t.float64] * 4, t.boolean)


def _fill_types(t: Any) -> Any:
    kinds = (t.int64, t.int64, t.float64, t.float64, t.boolean)
    return t.Tuple((t.float64, t.float64, t.boolean, t.boolean))(*kinds, *[t.float64] * 12)


order_charge = Compiled(tables.order_charge, _charge_types)
fill = Compiled(fills.fill, _fill_types)
