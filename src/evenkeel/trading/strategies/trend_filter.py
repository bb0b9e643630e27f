"""A crossover that trades only with the trend of a higher timeframe: two averages here, one average there."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from evenkeel.market.bars import Bars
from evenkeel.market.higher import higher
from evenkeel.quant.indicators import Floats, above, below, crossing, sma
from evenkeel.trading.strategies.crossover import Crossover
from evenkeel.trading.strategies.parameters import Parameter, ParameterType, Params, flag, whole


class TrendFilter(Crossover):
    name = "trend-filter"
    aliases: ClassVar[tuple[str, ...]] = ("multi-timeframe",)
    version = "1"
    title = "Trend filter"
    description = (
        "Long while the fast simple moving average is above the slow one and the last finished bar of a higher"
        " timeframe closed above its own average; flat (or short, by the same rule mirrored) otherwise. Equal averages"
        " change nothing."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        whole("fast", 10, 1, 500, description="Bars in the fast average; less than slow."),
        whole("slow", 50, 2, 1000, description="Bars in the slow average."),
        Parameter(
            "timeframe",
            ParameterType.TEXT,
            "1w",
            description="The higher timeframe, above that of the deployment.",
            choices=("5m", "15m", "30m", "1h", "4h", "1d", "1w", "1mo"),
        ),
        whole("trend", 20, 1, 500, description="Bars of the higher timeframe in its average."),
        flag("allow_short", False, description="Go short, not just flat, where both point down."),
    )

    def warmup(self, params: Params) -> int:
        return params.whole("slow") - 1

    def timeframes(self, params: Params) -> Mapping[str, int]:
        return {params.text("timeframe"): params.whole("trend")}

    def signals(self, bars: Bars, params: Params) -> Floats:
        fast, slow = self._averages(bars, params)
        close, trend = self._higher(bars, params)
        crossed = crossing(fast, slow, down=-1.0)
        with_it = ((crossed > 0) & above(close, trend)) | ((crossed < 0) & below(close, trend))
        targets = np.where(np.isnan(crossed), np.nan, np.where(with_it, crossed, 0.0))
        return targets if params.flag("allow_short") else np.maximum(targets, 0.0)

    def confidence(self, bars: Bars, params: Params, targets: Floats) -> Floats:
        """The gap between the averages, as a share of 5 % of the slow one; full where nothing is held."""
        return np.where(targets == 0.0, 1.0, super().confidence(bars, params, targets))

    def details(self, bars: Bars, params: Params) -> Mapping[str, Floats]:
        close, trend = self._higher(bars, params)
        return {**super().details(bars, params), "higher_close": close, "trend": trend}

    def average(self, series: Floats, period: int) -> Floats:
        return sma(series, period)

    def _higher(self, bars: Bars, params: Params) -> tuple[Floats, Floats]:
        """The close of the higher timeframe's last finished bar and the average of these, as known at each bar."""
        above_it = higher(bars, params.text("timeframe"))
        close = above_it.bars.close
        return above_it.aligned(close), above_it.aligned(sma(close, params.whole("trend")))
