"""Trend following by on-balance volume (Joseph Granville): does volume side with rises or with falls?"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats, crossing, delayed, ratio, sma
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.parameters import Parameter, Params, flag, whole


class ObvTrend(SignalStrategy):
    name = "obv"
    version = "1"
    title = "OBV trend"
    description = (
        "Long while on-balance volume is higher than period bars ago: more volume has traded on rising closes than on"
        " falling ones since; flat (or short) while it is lower."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        whole("period", 20, 1, 500, description="Bars over which on-balance volume is compared."),
        flag("allow_short", False, description="Go short, not just flat, while it is lower."),
    )

    def warmup(self, params: Params) -> int:
        return params.whole("period")

    def signals(self, bars: Bars, params: Params) -> Floats:
        rising, falling = self._volumes(bars, params)
        return crossing(rising, falling, down=-1.0 if params.flag("allow_short") else 0.0)

    def confidence(self, bars: Bars, params: Params, targets: Floats) -> Floats:
        """The difference of both volumes, as a share of their sum."""
        rising, falling = self._volumes(bars, params)
        return np.abs(ratio(rising - falling, rising + falling, otherwise=0.0))

    def details(self, bars: Bars, params: Params) -> Mapping[str, Floats]:
        rising, falling = self._volumes(bars, params)
        return {"rising": rising, "falling": falling}

    def _volumes(self, bars: Bars, params: Params) -> tuple[Floats, Floats]:
        """The mean volume a bar of rising and of falling closes; their difference is the change of OBV a bar.

        Unlike OBV itself these do not hang on where the history starts.
        """
        before = delayed(bars.close)
        volume = np.where(np.isnan(before), np.nan, bars.volume)
        period = params.whole("period")
        rising = sma(np.where(bars.close > before, volume, 0.0 * volume), period)
        falling = sma(np.where(bars.close < before, volume, 0.0 * volume), period)
        return rising, falling
