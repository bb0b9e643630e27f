"""Mean reversion by the relative strength index."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from evenkeel.domain.errors import FieldError
from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats, rsi
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.parameters import Parameter, Params, flag, number, whole

_SETTLED = 10


class RsiReversion(SignalStrategy):
    name = "rsi"
    version = "1"
    title = "RSI mean reversion"
    description = (
        "Long when Wilder's relative strength index of closes falls below oversold, until it rises above overbought;"
        " then flat (or short). In between the position is kept."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        whole("period", 14, 2, 200, description="Bars of Wilder's average."),
        number("oversold", 30.0, 1.0, 99.0, description="Go long below this index; less than overbought."),
        number("overbought", 70.0, 1.0, 99.0, description="Go flat (or short) above this index."),
        flag("allow_short", False, description="Go short, not just flat, above overbought."),
    )

    def check(self, params: Params) -> tuple[FieldError, ...]:
        if params.number("oversold") < params.number("overbought"):
            return ()
        return (FieldError("parameters.oversold", f"expected less than overbought ({params['overbought']})"),)

    def warmup(self, params: Params) -> int:
        """Ten periods, after which less than 0.01 % of where the average started is left in it."""
        return _SETTLED * params.whole("period")

    def signals(self, bars: Bars, params: Params) -> Floats:
        index = rsi(bars.close, params.whole("period"))
        high = -1.0 if params.flag("allow_short") else 0.0
        return np.where(
            index < params.number("oversold"),
            1.0,
            np.where(index > params.number("overbought"), high, np.nan),
        )

    def confidence(self, bars: Bars, params: Params, targets: Floats) -> Floats:
        """How far the index is from 50, as a share of the way to 0 or 100; 0 where nothing is asked."""
        index = rsi(bars.close, params.whole("period"))
        return np.where(np.isnan(targets), 0.0, np.abs(index - 50.0) / 50.0)

    def details(self, bars: Bars, params: Params) -> Mapping[str, Floats]:
        return {"rsi": rsi(bars.close, params.whole("period"))}
