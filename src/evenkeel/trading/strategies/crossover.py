"""Trend following by two averages of the close: what the crossovers share, whatever the average."""

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np

from evenkeel.domain.errors import FieldError
from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats, crossing, ratio
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.parameters import Params

_CERTAIN_GAP = 0.05


class Crossover(SignalStrategy):
    """Long while the average `fast` is above the average `slow`, flat or short while it is below."""

    @abstractmethod
    def average(self, series: Floats, period: int) -> Floats:
        """The average that is compared with itself over another period."""

    def check(self, params: Params) -> tuple[FieldError, ...]:
        if params.whole("fast") < params.whole("slow"):
            return ()
        return (FieldError("parameters.fast", f"expected less than slow ({params.whole('slow')})"),)

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
        return self.average(bars.close, params.whole("fast")), self.average(bars.close, params.whole("slow"))
