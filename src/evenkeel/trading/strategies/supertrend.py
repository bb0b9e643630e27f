"""Trend following by the SuperTrend line (Olivier Seban), a stop that trails the price."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats, Trend, atr, ratio, supertrend
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.parameters import Parameter, Params, flag, number, whole

_SETTLED = 10


class SupertrendFollower(SignalStrategy):
    name = "supertrend"
    version = "1"
    title = "SuperTrend"
    description = (
        "Long while the SuperTrend is up: since a close above its upper line, until one below the lower line, which"
        " trails the price by width average true ranges and never falls meanwhile; else flat (or short)."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        whole("period", 10, 2, 200, description="Bars of Wilder's average of the true range."),
        number("width", 3.0, 0.1, 20.0, description="Average true ranges between the price's middle and the line."),
        flag("allow_short", False, description="Go short, not just flat, while the trend is down."),
    )

    def warmup(self, params: Params) -> int:
        """Ten periods, after which less than 0.01 % of where the average started is left in it."""
        return _SETTLED * params.whole("period")

    def signals(self, bars: Bars, params: Params) -> Floats:
        direction = self._trend(bars, params).direction
        return direction if params.flag("allow_short") else np.maximum(direction, 0.0)

    def confidence(self, bars: Bars, params: Params, targets: Floats) -> Floats:
        """How far the close is from the line, as a share of twice the line's distance."""
        distance = params.number("width") * atr(bars.high, bars.low, bars.close, params.whole("period"))
        return np.abs(ratio(bars.close - self._trend(bars, params).line, 2.0 * distance, otherwise=0.0))

    def details(self, bars: Bars, params: Params) -> Mapping[str, Floats]:
        trend = self._trend(bars, params)
        return {"line": trend.line, "direction": trend.direction}

    def _trend(self, bars: Bars, params: Params) -> Trend[Floats]:
        return supertrend(bars.high, bars.low, bars.close, params.whole("period"), width=params.number("width"))
