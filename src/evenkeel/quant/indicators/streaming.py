"""Indicators a bar at a time: `stream(name, …)` gives what `update` turns each bar's values into.

Every stream gives, bit for bit, what the function of its name gives for the whole series. Those whose value hangs
on a window keep that window and compute its last value anew; recursive ones take the same step as the compiled code.
"""

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any, Protocol

import numpy as np

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.quant.indicators import (
    averages,
    channels,
    compare,
    extremes,
    moments,
    momentum,
    ranks,
    recursive,
    returns,
    sessions,
    trend,
    volume,
)
from evenkeel.quant.indicators.library import ta

_LENGTH = 256
Values = Mapping[str, Any]


class Stream(Protocol):
    """One indicator of one series of bars."""

    def update(self, *values: float) -> Any:
        """The indicator at one more bar, given its values in the order of the vectorised function's series.

        Answers a float, or the named tuple of floats of an indicator of several lines; NaN while warming up.
        Raises ValueError for too many or too few values.
        """


class Windowed:
    """A function of a window: the last `length` values of each series are kept, and it is called on them."""

    def __init__(self, function: Callable[..., Any], series: int, *, length: int) -> None:
        self._function = function
        self._length = length
        self._kept = np.empty((series, 2 * length + _LENGTH))
        self._count = 0

    def update(self, *values: float) -> Any:
        if len(values) != len(self._kept):
            raise ValueError(f"expected {len(self._kept)} value(s) a bar, not {len(values)}")
        if self._count == self._kept.shape[1]:
            self._kept[:, : self._length] = self._kept[:, self._count - self._length :]
            self._count = self._length
        self._kept[:, self._count] = values
        self._count += 1
        start = max(0, self._count - self._length)
        return _last(self._function(*(row[start : self._count] for row in self._kept)))


class Growing:
    """A function of all values so far: an update costs as much as the whole series seen, in time and memory."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._seen: list[tuple[float, ...]] = []

    def update(self, *values: float) -> Any:
        self._seen.append(values)
        return _last(self._function(*np.array(self._seen, dtype=np.float64).T.copy()))


def stream(name: str, **parameters: Any) -> Stream:
    """The indicator `name` as a stream, with the parameters of the function of that name.

    A name in capitals is TA-Lib's, with the parameters of `ta`; each of its updates costs as much as `ta` of all
    bars seen. Flags of sessions are given as 1 or 0. Raises InvalidInput for a name or parameter that is not known.
    """
    if name.isupper():
        return Growing(lambda *series: ta(name, *series, **parameters))
    if name not in STREAMS:
        raise InvalidInput(
            f"no indicator streams as {name!r}", hint=f"Choose one of {', '.join(STREAMS)}, or a name of TA-Lib."
        )
    function, series, make = STREAMS[name]
    values = _resolved(name, list(signature(function).parameters.values())[series:], given=parameters)
    function(*(np.empty(0) for _ in range(series)), **values)  # refuses wrong values as it does for whole series
    return make(values)


def _resolved(name: str, declared: list[Parameter], *, given: Values) -> Values:
    known = {one.name: one.default for one in declared}
    faults = [FieldError(one, f"unknown; expected one of {', '.join(known) or 'none'}") for one in given.keys() - known]
    values = known | dict(given)
    faults += [FieldError(one, "missing") for one, value in values.items() if value is Parameter.empty]
    if faults:
        said = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
        raise InvalidInput(f"the parameters of {name} are wrong: {said}", errors=tuple(faults))
    return values


def _last(result: Any) -> Any:
    """The last value of a series, or of each line."""
    if isinstance(result, np.ndarray):
        return float(result[-1])
    return type(result)(*(float(line[-1]) for line in result))


def _windowed(
    function: Callable[..., Any], series: int, *, length: Callable[[Values], float]
) -> tuple[Callable[..., Any], int, Callable[[Values], Stream]]:
    def make(values: Values) -> Stream:
        return Windowed(lambda *window: function(*window, **values), series, length=int(length(values)))

    return function, series, make


def _period(values: Values) -> float:
    return float(values["period"])


STREAMS: dict[str, tuple[Callable[..., Any], int, Callable[[Values], Stream]]] = {
    "sma": _windowed(averages.sma, 1, length=_period),
    "ema": (averages.ema, 1, lambda v: recursive.Average(v["period"])),
    "wilder": (averages.wilder, 1, lambda v: recursive.Average(v["period"], wilder=True)),
    "rolling_max": _windowed(extremes.rolling_max, 1, length=_period),
    "rolling_min": _windowed(extremes.rolling_min, 1, length=_period),
    "rolling_std": _windowed(moments.rolling_std, 1, length=_period),
    "zscore": _windowed(moments.zscore, 1, length=_period),
    "rolling_rank": _windowed(ranks.rolling_rank, 1, length=_period),
    "rolling_quantile": _windowed(ranks.rolling_quantile, 1, length=_period),
    "slope": _windowed(moments.slope, 1, length=_period),
    "rolling_correlation": _windowed(moments.rolling_correlation, 2, length=_period),
    "rolling_beta": _windowed(moments.rolling_beta, 2, length=_period),
    "hedge_ratio": _windowed(moments.hedge_ratio, 2, length=_period),
    "crossing": _windowed(compare.crossing, 2, length=lambda v: 1),
    "simple_returns": _windowed(returns.simple_returns, 1, length=lambda v: v["bars"] + 1),
    "log_returns": _windowed(returns.log_returns, 1, length=lambda v: v["bars"] + 1),
    "realised_volatility": _windowed(returns.realised_volatility, 1, length=lambda v: v["period"] + 1),
    "parkinson_volatility": _windowed(returns.parkinson_volatility, 2, length=_period),
    "garman_klass_volatility": _windowed(returns.garman_klass_volatility, 4, length=_period),
    "rsi": (momentum.rsi, 1, lambda v: recursive.Rsi(v["period"])),
    "true_range": (momentum.true_range, 3, lambda v: recursive.TrueRange()),
    "atr": (momentum.atr, 3, lambda v: recursive.Atr(v["period"])),
    "stochastic": _windowed(momentum.stochastic, 3, length=lambda v: v["period"] + v["smooth"] + v["signal"] - 2),
    "bollinger": _windowed(channels.bollinger, 1, length=_period),
    "donchian": _windowed(channels.donchian, 2, length=_period),
    "keltner": (channels.keltner, 3, lambda v: recursive.Keltner(**v)),
    "macd": (trend.macd, 1, lambda v: recursive.MacdStream(**v)),
    "adx": (trend.adx, 3, lambda v: recursive.Adx(**v)),
    "supertrend": (trend.supertrend, 3, lambda v: recursive.Supertrend(**v)),
    "heikin_ashi": (trend.heikin_ashi, 4, lambda v: recursive.HeikinAshi()),
    "obv": (volume.obv, 2, lambda v: recursive.Obv()),
    "rolling_vwap": _windowed(volume.rolling_vwap, 4, length=_period),
    "vwap": (volume.vwap, 5, lambda v: recursive.Vwap()),
    "vwap_deviation": (volume.vwap_deviation, 5, lambda v: recursive.Vwap(deviation=True)),
    "session": (sessions.session, 5, lambda v: recursive.Session()),
    "opening_range": (sessions.opening_range, 3, lambda v: recursive.OpeningRange(**v)),
}
