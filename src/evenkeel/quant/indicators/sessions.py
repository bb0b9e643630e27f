"""Values of the session so far: its open, high and low, and the range it opened with.

Where a series begins within a session, that session stays unknown: nobody can tell from the series how it began.
"""

from collections.abc import Callable
from math import isnan, nan

import numpy as np
import numpy.typing as npt

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.quant.indicators.memo import Floats, memoised
from evenkeel.quant.indicators.results import Candles, Range
from evenkeel.quant.indicators.windows import Flags, check_lengths, check_period, contiguous, unknown
from evenkeel.quant.kernels import compiled, kernel

Ints = npt.NDArray[np.int64]

_DAY = 86_400_000_000_000
FIRST, HIGHEST, LOWEST = 0, 1, 2
_NUMBERS: dict[str, Callable[[Ints], Ints]] = {
    "day": lambda day: day,
    "week": lambda day: (day + 3) // 7,  # day 0, 1970-01-01, was a Thursday
    "month": lambda day: day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64),
}


def session_starts(ts: Ints, begins: int = 0, *, every: str = "day") -> Flags:
    """The bars that open a session: the first of each day that begins `begins` ns after midnight UTC.

    `ts` are the opens of bars in ns UTC. `every` may also be "week", from Monday on, or "month". The first bar is
    never flagged: its session may have begun before it. Raises InvalidInput.
    """
    if not 0 <= begins < _DAY:
        message = f"expected ns after midnight, from 0 to less than a day, not {begins!r}"
        raise InvalidInput(f"the begin of sessions is wrong: {message}", errors=(FieldError("begins", message),))
    if every not in _NUMBERS:
        message = f"expected one of {', '.join(_NUMBERS)}, not {every!r}"
        raise InvalidInput(f"the length of sessions is wrong: {message}", errors=(FieldError("every", message),))
    number = _NUMBERS[every]((ts - begins) // _DAY)
    starts = np.zeros(len(ts), dtype=np.bool_)
    starts[1:] = number[1:] != number[:-1]
    return starts


def session(open_: Floats, high: Floats, low: Floats, close: Floats, starts: Flags) -> Candles[Floats]:
    """The candle of the session so far, from the last bar flagged in `starts` to each bar, that bar included.

    NaN before the first flagged bar. Raises InvalidInput.
    """
    check_lengths(open_=open_, high=high, low=low, close=close, starts=starts)
    first = _since(open_, starts, how=FIRST)
    return Candles(
        first,
        _since(high, starts, how=HIGHEST),
        _since(low, starts, how=LOWEST),
        np.where(np.isnan(first), np.nan, close),
    )


def opening_range(high: Floats, low: Floats, starts: Flags, bars: int) -> Range[Floats]:
    """The highest high and lowest low of each session's first `bars` bars; NaN until these have closed.

    Toby Crabel, Day Trading with Short Term Price Patterns and Opening Range Breakout, 1990. Raises InvalidInput.
    """
    check_period(bars, name="bars")
    check_lengths(high=high, low=low, starts=starts)
    here = np.arange(len(starts))
    began = np.maximum.accumulate(np.where(starts, here, -1))
    closed = began + int(bars) - 1
    known = (began >= 0) & (here >= closed)
    ranges = [unknown(len(starts)), unknown(len(starts))]
    for result, series, how in zip(ranges, (high, low), (HIGHEST, LOWEST), strict=True):
        result[known] = _since(series, starts, how=how)[closed[known]]
    return Range(*ranges)


@memoised
def _since(series: Floats, starts: Flags, *, how: int) -> Floats:
    result = np.empty(len(series))
    extremes_since(contiguous(series), np.ascontiguousarray(starts, dtype=bool), how, result)
    return result


@kernel
def extended(before: float, value: float, how: int) -> float:
    """The first, highest or lowest of a session after one more value; NaN stays where it once was."""
    if how == HIGHEST:
        return before if before >= value or isnan(before) else value
    if how == LOWEST:
        return before if before <= value or isnan(before) else value
    return before


@compiled(lambda t: t.void(t.floats, t.flags, t.int64, t.out))
def extremes_since(values: Floats, starts: Flags, how: int, out: Floats) -> None:
    """Writes the first, highest or lowest value since the last start."""
    known = nan
    for i in range(len(values)):
        known = values[i] if starts[i] else extended(known, values[i], how)
        out[i] = known
