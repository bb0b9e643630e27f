"""The cost and fill kernels compiled: the live engine, which fills a few orders a second, uses the plain functions."""

from typing import Any

from evenkeel.quant.costs import charges, fills
from evenkeel.quant.kernels import Compiled


def _charge_types(t: Any) -> Any:
    return t.float64(*[t.float64] * 8)


def _fill_types(t: Any) -> Any:
    kinds = (t.int64, t.int64, t.float64, t.float64, t.boolean)
    return t.Tuple((t.float64, t.float64, t.boolean))(*kinds, *[t.float64] * 12)


component_charge = Compiled(charges.component_charge, _charge_types)
fill = Compiled(fills.fill, _fill_types)
