"""Where the newest value stands among those of its window."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.quant.indicators.memo import Floats, memoised
from evenkeel.quant.indicators.windows import check_period, unknown

_ROWS = 1_024


@memoised
def rolling_rank(series: Floats, period: int) -> Floats:
    """The rank of the newest of the last `period` values, as a share: 1 / period for the lowest, 1 for the highest.

    Equal values share the mean of their ranks. NaN where the window holds a NaN. Raises InvalidInput.
    """
    check_period(period)
    result = unknown(len(series))
    before = int(period) - 1
    newest = series[before:]
    less, equal = np.zeros(len(newest)), np.where(np.isnan(newest), np.nan, 0.0)
    for first in range(before):
        earlier = series[first : first + len(newest)]
        less += earlier < newest
        equal += np.where(np.isnan(earlier), np.nan, earlier == newest)
    result[before:] = (less + 0.5 * equal + 1.0) / period
    return result


@memoised
def rolling_quantile(series: Floats, period: int, *, q: float) -> Floats:
    """The value below which a share `q` of the last `period` values lies, between neighbours linearly.

    Type 7 of R. J. Hyndman and Y. Fan (1996), numpy's own. Raises InvalidInput unless `q` is within 0 to 1.
    """
    check_period(period)
    if not 0.0 <= q <= 1.0:
        message = f"expected a share from 0 to 1, not {q!r}"
        raise InvalidInput(f"a quantile is wrong: {message}", errors=(FieldError("q", message),))
    result = unknown(len(series))
    place = q * (period - 1)
    below = int(place)
    above = min(below + 1, int(period) - 1)
    for start in range(0, len(series) - int(period) + 1, _ROWS):
        windows = sliding_window_view(series[start : start + _ROWS + int(period) - 1], int(period))
        ordered = np.partition(windows, (below, above), axis=1)
        low, high = ordered[:, below], ordered[:, above]
        values = np.where(np.isnan(windows).any(axis=1), np.nan, low + (high - low) * (place - below))
        result[start + int(period) - 1 : start + int(period) - 1 + len(values)] = values
    return result
