"""Mean reversion to the average price weighted by volume, over a moving window."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats, above, below, onset, ratio, rolling_std, rolling_vwap
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.parameters import Parameter, Params, flag, number, whole


class VwapReversion(SignalStrategy):
    name = "vwap-reversion"
    version = "1"
    title = "VWAP reversion"
    description = (
        "Long on a close further below the volume-weighted average price of the last period bars than entry standard"
        " deviations of closes, out on a close at or above it; with shorts, the same mirrored. For one session's VWAP"
        " at its end, give the bars of a session as period. Without volume it decides nothing."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        whole("period", 30, 2, 2000, description="Bars in the averages."),
        number("entry", 1.5, 0.1, 10.0, description="Deviations from the average at which it trades."),
        flag("allow_short", False, description="Trade closes above the average, too."),
    )

    def warmup(self, params: Params) -> int:
        """One bar more than the averages need, to see the price pass them."""
        return params.whole("period")

    def signals(self, bars: Bars, params: Params) -> Floats:
        average, spread = self._lines(bars, params)
        reach, close = params.number("entry") * spread, bars.close
        up, out = below(close, average - reach) & (spread > 0.0), close >= average
        if not params.flag("allow_short"):
            return np.where(up, 1.0, np.where(out, 0.0, np.nan))
        down = above(close, average + reach) & (spread > 0.0)
        # Whoever is long has been below the average since, so passing it tells what to do whatever is held.
        passed = onset(out) | onset(close <= average)
        return np.where(up, 1.0, np.where(down, -1.0, np.where(passed, 0.0, np.nan)))

    def confidence(self, bars: Bars, params: Params, targets: Floats) -> Floats:
        """How many deviations the close is away, half at entry; 0 where nothing is asked."""
        average, spread = self._lines(bars, params)
        away = np.abs(ratio(bars.close - average, spread, otherwise=0.0)) / (2.0 * params.number("entry"))
        return np.where(np.isnan(targets), 0.0, away)

    def details(self, bars: Bars, params: Params) -> Mapping[str, Floats]:
        average, spread = self._lines(bars, params)
        return {"vwap": average, "deviation": spread}

    def _lines(self, bars: Bars, params: Params) -> tuple[Floats, Floats]:
        period = params.whole("period")
        return rolling_vwap(bars.high, bars.low, bars.close, bars.volume, period), rolling_std(bars.close, period)
