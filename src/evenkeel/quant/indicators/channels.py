"""Channels around the price: Bollinger's, Donchian's and Keltner's."""

from evenkeel.quant.indicators.averages import ema, sma
from evenkeel.quant.indicators.extremes import rolling_max, rolling_min
from evenkeel.quant.indicators.memo import Floats
from evenkeel.quant.indicators.moments import rolling_std
from evenkeel.quant.indicators.momentum import atr
from evenkeel.quant.indicators.results import Bands
from evenkeel.quant.indicators.windows import check_lengths, check_positive


def bollinger(series: Floats, period: int = 20, *, width: float = 2.0) -> Bands[Floats]:
    """The simple average ± `width` population deviations (John Bollinger, Bollinger on Bollinger Bands, 2001).

    Raises InvalidInput.
    """
    check_positive(width, name="width")
    middle, reach = sma(series, period), width * rolling_std(series, period)
    return Bands(middle + reach, middle, middle - reach)


def donchian(high: Floats, low: Floats, *, period: int = 20) -> Bands[Floats]:
    """The highest high and the lowest low of the last `period` bars, the present one included, and their middle.

    Raises InvalidInput.
    """
    check_lengths(high=high, low=low)
    upper, lower = rolling_max(high, period), rolling_min(low, period)
    return Bands(upper, (upper + lower) / 2.0, lower)


def keltner(
    high: Floats, low: Floats, close: Floats, period: int = 20, *, range_period: int = 10, width: float = 2.0
) -> Bands[Floats]:
    """The exponential average of closes ± `width` average true ranges.

    Linda Raschke's form of Chester Keltner's channel (How To Make Money in Commodities, 1960). Raises InvalidInput.
    """
    check_positive(width, name="width")
    middle, reach = ema(close, period), width * atr(high, low, close, range_period)
    return Bands(middle + reach, middle, middle - reach)
