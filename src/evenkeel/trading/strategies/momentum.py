"""Time-series momentum (T. Moskowitz, Y. H. Ooi and L. H. Pedersen, 2012): what has risen goes on rising."""

from collections.abc import Mapping
from math import sqrt
from typing import ClassVar

import numpy as np

from evenkeel.domain.errors import FieldError
from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats, crossing, delayed, log_returns, ratio, rolling_std
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.parameters import Parameter, Params, flag, whole


class Momentum(SignalStrategy):
    name = "momentum"
    version = "1"
    title = "Time-series momentum"
    description = (
        "Long while the price of skip bars ago is above that of lookback bars ago, flat (or short) while it is below."
        " The skipped bars leave out the reversal of the shortest term."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        whole("lookback", 90, 2, 2000, description="Bars back from which the rise is measured."),
        whole("skip", 0, 0, 500, description="Latest bars left out of it; less than lookback."),
        flag("allow_short", False, description="Go short, not just flat, after a fall."),
    )

    def check(self, params: Params) -> tuple[FieldError, ...]:
        if params.whole("skip") < params.whole("lookback"):
            return ()
        return (FieldError("parameters.skip", f"expected less than lookback ({params.whole('lookback')})"),)

    def warmup(self, params: Params) -> int:
        return params.whole("lookback")

    def signals(self, bars: Bars, params: Params) -> Floats:
        now, then = self._prices(bars, params)
        return crossing(now, then, down=-1.0 if params.flag("allow_short") else 0.0)

    def confidence(self, bars: Bars, params: Params, targets: Floats) -> Floats:
        """The rise or fall in deviations of a random walk as volatile and as long, certain at two."""
        lookback = params.whole("lookback")
        moved = delayed(log_returns(bars.close, lookback - params.whole("skip")), params.whole("skip"))
        usual = rolling_std(log_returns(bars.close), lookback) * sqrt(lookback)
        return np.abs(ratio(moved, usual, otherwise=0.0)) / 2.0

    def details(self, bars: Bars, params: Params) -> Mapping[str, Floats]:
        now, then = self._prices(bars, params)
        return {"return": ratio(now, then) - 1.0}

    def _prices(self, bars: Bars, params: Params) -> tuple[Floats, Floats]:
        return delayed(bars.close, params.whole("skip")), delayed(bars.close, params.whole("lookback"))
