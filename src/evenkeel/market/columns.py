"""The columns of bars: their names, their types, and what must hold between them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from evenkeel.domain.errors import InvalidInput

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

PRICES = ("open", "high", "low", "close")
MEASURES = (*PRICES, "volume", "spread")
COLUMNS = ("ts", "close_ts", *MEASURES)
DAY = 86_400_000_000_000


def checked_columns(columns: Mapping[str, Any]) -> list[npt.NDArray[Any]]:
    """The values of `COLUMNS` as arrays. Raises InvalidInput for what is missing, ragged or out of order."""
    missing = [name for name in COLUMNS[:6] if name not in columns]
    if missing:
        raise InvalidInput(f"bars need the columns {', '.join(COLUMNS[:6])}; missing: {', '.join(missing)}")
    times = [np.ascontiguousarray(columns[name], dtype=np.int64) for name in COLUMNS[:2]]
    rows = len(times[0])
    measures = [
        np.ascontiguousarray(columns[name], dtype=np.float64) if name in columns else np.zeros(rows)
        for name in MEASURES
    ]
    if any(len(values) != rows for values in (*times, *measures)):
        raise InvalidInput("the columns of bars differ in length")
    late = np.concatenate((np.flatnonzero(np.diff(times[0]) <= 0) + 1, np.flatnonzero(times[1] <= times[0])))
    if len(late):
        first = late.min()
        raise InvalidInput(
            f"bars must rise strictly in time, and each must close after it opens; bar {first} does not:"
            f" it opens at {times[0][first].astype('datetime64[ns]')}",
            hint="Sort them by time, and leave out what is there twice.",
        )
    return [*times, *measures]
