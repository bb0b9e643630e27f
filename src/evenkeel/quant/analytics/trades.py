"""Statistics of closed trades: `net` has one P&L a trade, after fees, in currency and in order of exit.

A trade of exactly zero is neither won nor lost, and counts among all. No trades have no statistics: NaN.
"""

from collections.abc import Hashable, Iterable, Mapping
from math import fsum, nan, sqrt
from typing import NamedTuple

import numpy as np

from evenkeel.quant.analytics.series import ROUNDING, Floats, known, mean, quotient, refuse


class Attribution(NamedTuple):
    """A total and the part of it that falls to each label; the parts add up to it exactly (as `math.fsum`)."""

    total: float
    parts: dict[Hashable, float]


def attribution(amounts: Floats, labels: Iterable[Hashable]) -> Attribution:
    """What each label (symbol, side, strategy …) contributed, in order of first appearance.

    Raises InvalidInput unless there is one label for each amount.
    """
    groups: dict[Hashable, list[float]] = {}
    names = list(labels)
    if len(names) != len(amounts):
        raise refuse("labels", f"expected {len(amounts)}, one for each amount, not {len(names)}")
    for label, amount in zip(names, amounts.tolist(), strict=True):
        groups.setdefault(label, []).append(amount)
    return attributed({label: fsum(of_label) for label, of_label in groups.items()})


def attributed(parts: Mapping[Hashable, float]) -> Attribution:
    """The Attribution of parts already summed up, such as those of several books or of what is still open."""
    return Attribution(fsum(parts.values()), dict(parts))


def win_rate(net: Floats) -> float:
    """The share of trades with a profit."""
    return mean((net > 0.0).astype(np.float64)) if known(net) else nan


def average_win(net: Floats) -> float:
    """The mean profit of winning trades."""
    return mean(net[net > 0.0])


def average_loss(net: Floats) -> float:
    """The mean result of losing trades, negative."""
    return mean(net[net < 0.0])


def largest_win(net: Floats) -> float:
    """The best trade that won."""
    return float(np.max(net[net > 0.0], initial=-np.inf)) if known(net) and np.any(net > 0.0) else nan


def largest_loss(net: Floats) -> float:
    """The worst trade that lost, negative."""
    return float(np.min(net[net < 0.0], initial=np.inf)) if known(net) and np.any(net < 0.0) else nan


def payoff_ratio(net: Floats) -> float:
    """Average win / |average loss|."""
    return quotient(average_win(net), -average_loss(net))


def profit_factor(net: Floats) -> float:
    """Sum of profits / |sum of losses|."""
    return quotient(float(np.sum(net[net > 0.0])), -float(np.sum(net[net < 0.0]))) if known(net) else nan


def expectancy(net: Floats) -> float:
    """The mean P&L of a trade."""
    return mean(net)


def expectancy_ratio(net: Floats) -> float:
    """Expectancy / |average loss|: what a trade earns per unit risked (Tharp 1998)."""
    return quotient(expectancy(net), -average_loss(net))


def system_quality_number(net: Floats) -> float:
    """sqrt(n) x mean / sample deviation of the P&L (Tharp 2008)."""
    if not known(net, 2):
        return nan
    spread = float(np.std(net, ddof=1))
    return sqrt(len(net)) * mean(net) / spread if spread > ROUNDING * float(np.max(np.abs(net))) else nan


def kelly_fraction(net: Floats) -> float:
    """Win rate - (1 - win rate) / payoff ratio (Kelly 1956 for two outcomes); negative: do not bet."""
    rate = win_rate(net)
    return rate - quotient(1.0 - rate, payoff_ratio(net))


def cpc_index(net: Floats) -> float:
    """Profit factor x win rate x payoff ratio."""
    return profit_factor(net) * win_rate(net) * payoff_ratio(net)
