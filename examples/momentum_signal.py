"""A signal strategy: hold what has risen over the past months, as much as it has been calm.

Check it:    evenkeel strategy check examples/momentum_signal.py
"""

import numpy as np

from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats, rolling_max, sma
from evenkeel.trading.strategies import Params, SignalStrategy, number, whole


class CalmMomentum(SignalStrategy):
    name = "calm-momentum"
    version = "1"
    title = "Calm momentum"
    description = "Long while the close is above where it was and above its average; less after a fall from the top."
    parameters = (
        whole("months", 3, 1, 24, description="How far back the rise is measured, in months of 21 bars."),
        number("patience", 0.10, 0.01, 0.5, description="The fall from the top at which the target is half."),
    )

    def warmup(self, params: Params) -> int:
        return 21 * params.whole("months")

    def signals(self, bars: Bars, params: Params) -> Floats:
        back = self.warmup(params)
        before = np.full(len(bars), np.nan)
        before[back:] = bars.close[:-back]
        rising = (bars.close > before) & (bars.close > sma(bars.close, back))
        fall = 1.0 - bars.close / rolling_max(bars.close, back)
        return np.where(rising, np.where(fall < params.number("patience"), 1.0, 0.5), 0.0)
