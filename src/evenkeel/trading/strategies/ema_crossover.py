"""Trend following by two exponential moving averages of the close."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from evenkeel.domain.errors import FieldError
from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats, crossing, ema, ratio
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.parameters import Parameter, Params, flag, whole

_SETTLED = 5
_CERTAIN_GAP = 0.05


class EmaCrossover(SignalStrategy):
    name = "ema-crossover"
    aliases: ClassVar[tuple[str, ...]] = ("ema-cross",)
    version = "1"
    title = "EMA crossover"
    description = (
        "Long while the fast exponential moving average of closes is above the slow one, flat (or short) while it is"
        " below; equal averages change nothing."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        whole("fast", 12, 1, 500, description="Period of the fast average, whose weight is 2 / (fast + 1)."),
        whole("slow", 26, 2, 1000, description="Period of the slow average; more than fast."),
        flag("allow_short", False, description="Go short, not just flat, while fast is below slow."),
    )

    def check(self, params: Params) -> tuple[FieldError, ...]:
        if params.whole("fast") < params.whole("slow"):
            return ()
        return (FieldError("parameters.fast", f"expected less than slow ({params.whole('slow')})"),)

    def warmup(self, params: Params) -> int:
        """Five slow periods, after which less than 0.01 % of where the average started is left in it."""
        return _SETTLED * params.whole("slow")

    def signals(self, bars: Bars, params: Params) -> Floats:
        fast, slow = self._averages(bars, params)
        return crossing(fast, slow, down=-1.0 if params.flag("allow_short") else 0.0)

    def confidence(self, bars: Bars, params: Params, targets: Floats) -> Floats:
        """The gap between the averages, as a share of 5 % of the slow one."""
        fast, slow = self._averages(bars, params)
        return np.abs(ratio(fast, slow) - 1.0) / _CERTAIN_GAP

    def details(self, bars: Bars, params: Params) -> Mapping[str, Floats]:
        fast, slow = self._averages(bars, params)
        return {"fast": fast, "slow": slow}

    def _averages(self, bars: Bars, params: Params) -> tuple[Floats, Floats]:
        return ema(bars.close, params.whole("fast")), ema(bars.close, params.whole("slow"))
