"""Trend following by moving average convergence and divergence (Gerald Appel)."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from evenkeel.domain.errors import FieldError
from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats, Macd, crossing, macd, ratio
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.parameters import Parameter, Params, flag, whole

_SETTLED = 5
_CERTAIN_GAP = 0.01


class MacdTrend(SignalStrategy):
    name = "macd"
    version = "1"
    title = "MACD"
    description = (
        "Long while the MACD line, the fast exponential average of closes less the slow one, is above its signal line,"
        " the exponential average of itself; flat (or short) while it is below."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        whole("fast", 12, 1, 500, description="Period of the fast average; less than slow."),
        whole("slow", 26, 2, 1000, description="Period of the slow average."),
        whole("signal", 9, 2, 200, description="Period of the signal line."),
        flag("allow_short", False, description="Go short, not just flat, while the line is below its signal."),
    )

    def check(self, params: Params) -> tuple[FieldError, ...]:
        if params.whole("fast") < params.whole("slow"):
            return ()
        return (FieldError("parameters.fast", f"expected less than slow ({params.whole('slow')})"),)

    def warmup(self, params: Params) -> int:
        """Five periods of the slowest, after which less than 0.01 % of where the averages started is left."""
        return _SETTLED * (params.whole("slow") + params.whole("signal"))

    def signals(self, bars: Bars, params: Params) -> Floats:
        lines = self._lines(bars, params)
        return crossing(lines.line, lines.signal, down=-1.0 if params.flag("allow_short") else 0.0)

    def confidence(self, bars: Bars, params: Params, targets: Floats) -> Floats:
        """The gap between line and signal, as a share of 1 % of the close."""
        return np.abs(ratio(self._lines(bars, params).histogram, bars.close)) / _CERTAIN_GAP

    def details(self, bars: Bars, params: Params) -> Mapping[str, Floats]:
        lines = self._lines(bars, params)
        return {"line": lines.line, "signal": lines.signal}

    def _lines(self, bars: Bars, params: Params) -> Macd[Floats]:
        return macd(bars.close, fast=params.whole("fast"), slow=params.whole("slow"), signal=params.whole("signal"))
