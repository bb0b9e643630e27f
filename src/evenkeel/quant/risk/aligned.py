"""Closes of several instruments on the days they have in common, and the returns between those days.

Instruments of exchanges with different holidays share fewer days than each has. A return runs from one common day to
the next, whatever lies between, so that no close is made up and every row is one stretch of time for all of them.
"""

from collections.abc import Mapping
from functools import reduce
from typing import NamedTuple

import numpy as np

from evenkeel.quant.analytics.series import Floats, Ints


class Closes(NamedTuple):
    """Adjusted closes of one instrument: `dates` as proleptic ordinals, rising, and one price each."""

    dates: Ints
    prices: Floats

    def __len__(self) -> int:
        return len(self.dates)


class Returns(NamedTuple):
    """Simple returns (n, k) of the instruments `names`, each row from the date before to its own in `dates` (n,)."""

    names: tuple[str, ...]
    dates: Ints
    values: Floats

    def of(self, *names: str) -> Floats:
        """(n, len(names)): the columns of these instruments. Raises ValueError for one that is not here."""
        return self.values[:, [self.names.index(name) for name in names]]


def align(closes: Mapping[str, Closes], *, count: int) -> Returns:
    """The last `count` returns between days on which every instrument has a close, or as many as there are."""
    names = tuple(closes)
    if not names:
        return Returns((), np.empty(0, dtype=np.int64), np.empty((0, 0)))
    common: Ints = reduce(np.intersect1d, (one.dates for one in closes.values()))[-(count + 1) :]
    prices = np.column_stack([one.prices[np.searchsorted(one.dates, common)] for one in closes.values()])
    return Returns(names, common[1:], prices[1:] / prices[:-1] - 1.0)
