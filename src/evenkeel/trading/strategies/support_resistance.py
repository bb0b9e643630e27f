"""Trading at support and resistance: levels where the market turned before."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from evenkeel.domain.errors import FieldError
from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats, rolling_max, rolling_min
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.parameters import Parameter, Params, flag, number, whole


class SupportResistance(SignalStrategy):
    name = "support-resistance"
    version = "1"
    title = "Support and resistance"
    description = (
        "Support is the latest swing low, resistance the latest swing high: a bar whose low (high) is the lowest"
        " (highest) of the bars on both sides, known only once those after it have closed. Long when a bar comes"
        " down to support and closes above it, or closes through resistance; flat (or short) when a bar comes up to"
        " resistance and closes below it, or closes through support."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        whole("swing", 3, 1, 50, description="Bars on each side that a swing must stand out from."),
        whole("lookback", 60, 5, 1000, description="Bars for which a level counts; more than swing."),
        number("tolerance", 0.005, 0.0, 0.1, description="How near is at a level, as a fraction of price."),
        flag("allow_short", False, description="Go short, not just flat, at resistance and below support."),
    )

    def check(self, params: Params) -> tuple[FieldError, ...]:
        if params.whole("lookback") > params.whole("swing"):
            return ()
        return (FieldError("parameters.lookback", f"expected more than swing ({params.whole('swing')})"),)

    def warmup(self, params: Params) -> int:
        return params.whole("lookback") + params.whole("swing")

    def signals(self, bars: Bars, params: Params) -> Floats:
        support, resistance = self._levels(bars, params)
        near = params.number("tolerance")
        bounced = (bars.low <= support * (1 + near)) & (bars.close > support)
        broke_up = bars.close > resistance * (1 + near)
        turned = (bars.high >= resistance * (1 - near)) & (bars.close < resistance)
        broke_down = bars.close < support * (1 - near)
        up, down = bounced | broke_up, turned | broke_down
        low = -1.0 if params.flag("allow_short") else 0.0
        return np.where(up & ~down, 1.0, np.where(down & ~up, low, np.nan))

    def details(self, bars: Bars, params: Params) -> Mapping[str, Floats]:
        support, resistance = self._levels(bars, params)
        return {"support": support, "resistance": resistance}

    def _levels(self, bars: Bars, params: Params) -> tuple[Floats, Floats]:
        swing, lookback = params.whole("swing"), params.whole("lookback")
        lows = _swings(bars.low, rolling_min(bars.low, 2 * swing + 1), swing)
        highs = _swings(bars.high, rolling_max(bars.high, 2 * swing + 1), swing)
        return _latest(lows, lookback - swing), _latest(highs, lookback - swing)


def _swings(series: Floats, extreme: Floats, swing: int) -> Floats:
    """At the bar that confirms it, `swing` bars late: the price of a swing; NaN elsewhere."""
    late = np.full(len(series), np.nan)
    late[swing:] = series[: max(0, len(series) - swing)]
    return np.where(late == extreme, late, np.nan)


def _latest(levels: Floats, age: int) -> Floats:
    """The last level confirmed at most `age` bars ago; NaN where there is none."""
    here = np.arange(len(levels))
    last = np.maximum.accumulate(np.where(np.isnan(levels), -1, here))
    return np.where((last >= 0) & (here - last <= age), levels[np.maximum(last, 0)], np.nan)
