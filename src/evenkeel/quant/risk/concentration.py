"""How much is held, on which side, and in how many pieces: what needs no history."""

from math import nan
from typing import NamedTuple

import numpy as np

from evenkeel.quant.analytics.series import Floats


class Exposure(NamedTuple):
    """Values by side, `short` and `gross` as positive numbers: gross is long + short, net is long - short."""

    long: float
    short: float
    gross: float
    net: float


def exposure(values: Floats) -> Exposure:
    """The sums of positive and of negative `values`."""
    long, short = float(values[values > 0.0].sum()), -float(values[values < 0.0].sum())
    return Exposure(long, short + 0.0, long + short, long - short)


def herfindahl(values: Floats) -> float:
    """The sum of squared shares of the gross value: 1 where all is in one, 1/k in k equal pieces; NaN of nothing.

    Hirschman (1945), Herfindahl (1950); shares are of absolute values, so that a short counts as much as a long.
    """
    sizes = np.abs(values)
    gross = float(sizes.sum())
    return float(np.sum((sizes / gross) ** 2)) if gross > 0.0 else nan


def effective_number(values: Floats) -> float:
    """How many equal positions would be as concentrated: 1 / Herfindahl, between 1 and k; NaN of nothing."""
    return 1.0 / herfindahl(values)
