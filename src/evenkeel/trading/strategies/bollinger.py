"""Mean reversion by Bollinger bands: back to the average from two deviations away."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Bands, Floats, above, below, bollinger, onset, ratio
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.parameters import Parameter, Params, flag, number, whole


class BollingerReversion(SignalStrategy):
    name = "bollinger"
    aliases: ClassVar[tuple[str, ...]] = ("bollinger-bands",)
    version = "1"
    title = "Bollinger reversion"
    description = (
        "Long on a close below the lower band, out on a close at or above the middle, the simple average; with shorts,"
        " short on a close above the upper band, out at or below the middle."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        whole("period", 20, 2, 500, description="Bars in the average and the deviation."),
        number("width", 2.0, 0.1, 10.0, description="Deviations between the middle and each band."),
        flag("allow_short", False, description="Trade closes above the upper band, too."),
    )

    def warmup(self, params: Params) -> int:
        """One bar more than the bands need, to see the middle passed."""
        return params.whole("period")

    def signals(self, bars: Bars, params: Params) -> Floats:
        bands, close = self._bands(bars, params), bars.close
        up, out = below(close, bands.lower), close >= bands.middle
        if not params.flag("allow_short"):
            return np.where(up, 1.0, np.where(out, 0.0, np.nan))
        # Whoever is long has been below the middle since, so passing it tells what to do without knowing what is held.
        passed = onset(out) | onset(close <= bands.middle)
        return np.where(up, 1.0, np.where(above(close, bands.upper), -1.0, np.where(passed, 0.0, np.nan)))

    def confidence(self, bars: Bars, params: Params, targets: Floats) -> Floats:
        """How far the close is from the middle, half of it at the band; 0 where nothing is asked."""
        bands = self._bands(bars, params)
        place = np.abs(ratio(bars.close - bands.middle, bands.upper - bands.lower))
        return np.where(np.isnan(targets), 0.0, place)

    def details(self, bars: Bars, params: Params) -> Mapping[str, Floats]:
        bands = self._bands(bars, params)
        return {"upper": bands.upper, "middle": bands.middle, "lower": bands.lower}

    def _bands(self, bars: Bars, params: Params) -> Bands[Floats]:
        return bollinger(bars.close, params.whole("period"), width=params.number("width"))
