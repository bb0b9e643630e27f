"""Mean reversion by the stochastic oscillator (George Lane): turns near the edge of the recent range."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from evenkeel.domain.errors import FieldError
from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats, Stochastic, above, below, stochastic
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.parameters import Parameter, Params, flag, number, whole


class StochasticReversion(SignalStrategy):
    name = "stochastic"
    version = "1"
    title = "Stochastic reversion"
    description = (
        "Long when %K, the place of the close in the recent range from 0 to 100, is below oversold and above its"
        " average %D, so turning up; flat (or short) when it is above overbought and below %D. In between the position"
        " is kept."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        whole("period", 14, 2, 200, description="Bars in the range."),
        whole("smooth", 3, 1, 50, description="Bars over which %K is averaged; 1 is the fast stochastic."),
        whole("signal", 3, 2, 50, description="Bars of %K averaged in %D."),
        number("oversold", 20.0, 1.0, 99.0, description="Go long below this; less than overbought."),
        number("overbought", 80.0, 1.0, 99.0, description="Go flat (or short) above this."),
        flag("allow_short", False, description="Go short, not just flat, above overbought."),
    )

    def check(self, params: Params) -> tuple[FieldError, ...]:
        if params.number("oversold") < params.number("overbought"):
            return ()
        return (FieldError("parameters.oversold", f"expected less than overbought ({params['overbought']})"),)

    def warmup(self, params: Params) -> int:
        return params.whole("period") + params.whole("smooth") + params.whole("signal") - 3

    def signals(self, bars: Bars, params: Params) -> Floats:
        k, d = self._lines(bars, params)
        up = (k < params.number("oversold")) & above(k, d)
        down = (k > params.number("overbought")) & below(k, d)
        return np.where(up, 1.0, np.where(down, -1.0 if params.flag("allow_short") else 0.0, np.nan))

    def confidence(self, bars: Bars, params: Params, targets: Floats) -> Floats:
        """How far %K is from 50, as a share of the way to 0 or 100; 0 where nothing is asked."""
        k = self._lines(bars, params).k
        return np.where(np.isnan(targets), 0.0, np.abs(k - 50.0) / 50.0)

    def details(self, bars: Bars, params: Params) -> Mapping[str, Floats]:
        k, d = self._lines(bars, params)
        return {"k": k, "d": d}

    def _lines(self, bars: Bars, params: Params) -> Stochastic[Floats]:
        return stochastic(
            bars.high,
            bars.low,
            bars.close,
            params.whole("period"),
            smooth=params.whole("smooth"),
            signal=params.whole("signal"),
        )
