"""Buying at once and holding: what every other strategy is measured against."""

import numpy as np

from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.parameters import Params


class BuyAndHold(SignalStrategy):
    name = "buy-and-hold"
    version = "1"
    title = "Buy and hold"
    description = "Long from the first bar on, with all it may use; it never sells. It takes no parameters."

    def warmup(self, params: Params) -> int:
        return 0

    def signals(self, bars: Bars, params: Params) -> Floats:
        return np.ones(len(bars))
