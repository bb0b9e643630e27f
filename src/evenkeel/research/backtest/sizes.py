"""Sizes that follow the market, as a backtest has them: the live rule, over all bars at once."""

from evenkeel.domain.sizing import Sizing
from evenkeel.market.bars import Bars
from evenkeel.market.days import Days
from evenkeel.quant.indicators import Floats
from evenkeel.trading.strategies import sizes


def scale_of(sizing: Sizing, bars: Bars, days: Days) -> Floats:
    """The share of equity by bar that a rule of the market's own asks for; empty for all other rules.

    NaN until the window is full, and where nothing has moved.
    """
    return sizes.scale_of(sizing, bars, sizes.a_year_of(bars, days))
