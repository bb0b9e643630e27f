"""Trend following by two simple moving averages of the close."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from evenkeel.domain.errors import FieldError
from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats, crossing, sma
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.parameters import Parameter, Params, flag, whole

_CERTAIN_GAP = 0.05


class SmaCrossover(SignalStrategy):
    name = "sma-crossover"
    aliases: ClassVar[tuple[str, ...]] = ("sma-cross",)
    version = "1"
    title = "SMA crossover"
    description = (
        "Long while the fast simple moving average of closes is above the slow one, flat (or short) while it is below;"
        " equal averages change nothing."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        whole("fast", 10, 1, 500, description="Bars in the fast average; less than slow."),
        whole("slow", 50, 2, 1000, description="Bars in the slow average."),
        flag("allow_short", False, description="Go short, not just flat, while fast is below slow."),
    )

    def check(self, params: Params) -> tuple[FieldError, ...]:
        if params.whole("fast") < params.whole("slow"):
            return ()
        return (FieldError("parameters.fast", f"expected less than slow ({params.whole('slow')})"),)

    def warmup(self, params: Params) -> int:
        return params.whole("slow") - 1

    def signals(self, bars: Bars, params: Params) -> Floats:
        fast, slow = self._averages(bars, params)
        return crossing(fast, slow, down=-1.0 if params.flag("allow_short") else 0.0)

    def confidence(self, bars: Bars, params: Params, targets: Floats) -> Floats:
        """The gap between the averages, as a share of 5 % of the slow one."""
        fast, slow = self._averages(bars, params)
        return np.abs(fast / slow - 1.0) / _CERTAIN_GAP

    def details(self, bars: Bars, params: Params) -> Mapping[str, Floats]:
        fast, slow = self._averages(bars, params)
        return {"fast": fast, "slow": slow}

    def _averages(self, bars: Bars, params: Params) -> tuple[Floats, Floats]:
        return sma(bars.close, params.whole("fast")), sma(bars.close, params.whole("slow"))
