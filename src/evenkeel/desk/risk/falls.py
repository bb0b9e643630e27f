"""How far several accounts together lie below their highest, whatever was paid in and out of each."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

import numpy as np

from evenkeel.quant.analytics.drawdowns import current_drawdown, max_drawdown


class Standing(NamedTuple):
    """An account at one moment: what it is worth, and its time-weighted growth, 1 where it began."""

    equity: float
    growth: float


class Fall(NamedTuple):
    """Positive fractions below the highest: now, and at the worst moment looked at."""

    now: float
    worst: float


def fall_of(days: Mapping[date, Iterable[tuple[str, Standing]]], now: Mapping[str, Standing]) -> Fall:
    """The fall of accounts of one currency over these ends of days and `now`, by account.

    From one day to the next they grow by the mean of their own growths, each weighing what it was worth (GIPS,
    composite return); an account counts from its second day on.
    """
    level, levels = 1.0, [1.0]
    before: dict[str, Standing] = {}
    for _, found in [*sorted(days.items()), (date.max, now.items())]:
        known = dict(found)
        both = [name for name in known if name in before and before[name].growth > 0.0 and before[name].equity > 0.0]
        worth = sum(before[name].equity for name in both)
        if worth > 0.0:
            grown = sum(before[name].equity * known[name].growth / before[name].growth for name in both)
            level *= grown / worth
        levels.append(level)
        before |= known
    line = np.array(levels)
    return Fall(-current_drawdown(line) + 0.0, -max_drawdown(line) + 0.0)
