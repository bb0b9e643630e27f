"""Exposure: how much was held and traded, period by period."""

from typing import NamedTuple

import numpy as np

from evenkeel.quant.analytics.series import Floats, known, mean, quotient, same_length


class Holdings(NamedTuple):
    """Three columns, one value a period: the market value held `long` and `short` at its end, and the notional
    `traded` (bought and sold) in it; all in currency and none negative."""

    long: Floats
    short: Floats
    traded: Floats


def time_in_market(held: Holdings) -> float:
    """The share of periods that end with a position."""
    return mean((held.long + held.short > 0.0).astype(np.float64))


def leverage(held: Holdings, equity: Floats) -> Floats:
    """(Long + short) / equity at each period's end; NaN where equity is not positive. Raises InvalidInput."""
    same_length(equity=equity, long=held.long, short=held.short)
    solvent = equity > 0.0
    return np.where(solvent, (held.long + held.short) / np.where(solvent, equity, 1.0), np.nan)


def average_leverage(held: Holdings, equity: Floats) -> float:
    """The mean of `leverage`. Raises InvalidInput."""
    return mean(leverage(held, equity))


def max_leverage(held: Holdings, equity: Floats) -> float:
    """The highest of `leverage`. Raises InvalidInput."""
    values = leverage(held, equity)
    return float(np.max(values)) if known(values) else float("nan")


def long_share(held: Holdings) -> float:
    """What was held long as a share of all that was held, over time."""
    long = float(np.sum(held.long))
    return quotient(long, long + float(np.sum(held.short)))


def turnover(held: Holdings, equity: Floats, *, years: float) -> float:
    """Half of what was traded / mean equity / years: 1 is the whole account exchanged once a year.

    Raises InvalidInput.
    """
    same_length(equity=equity, traded=held.traded)
    return quotient(float(np.sum(held.traded)) / 2.0, mean(equity) * years)
