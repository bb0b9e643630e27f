"""Breakouts that follow a quiet market: channels of highs and lows, filtered by volatility."""

from collections.abc import Mapping
from typing import ClassVar

from evenkeel.domain.errors import FieldError
from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats, delayed, latched, ratio, rolling_max, rolling_min, sma, true_range
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.parameters import Parameter, Params, flag, number, whole


class VolatilityBreakout(SignalStrategy):
    name = "volatility-breakout"
    version = "1"
    title = "Breakout with volatility filter"
    description = (
        "Long on a close above the highest high of the entry channel before it, if the market was quiet: the mean true"
        " range of the last recent bars before it was at most calm times that of the last usual bars. Out on a close"
        " below the lowest low of the shorter exit channel. With shorts, the same mirrored."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        whole("entry", 20, 2, 500, description="Bars in the channel whose break opens a position."),
        whole("exit", 10, 1, 500, description="Bars in the channel whose break closes it; at most entry."),
        whole("recent", 10, 1, 500, description="Bars of the volatility that must be quiet; less than usual."),
        whole("usual", 50, 2, 1000, description="Bars of the volatility it is compared with."),
        number("calm", 1.0, 0.1, 10.0, description="The most that recent may be of usual volatility."),
        flag("allow_short", False, description="Trade breaks downwards, too."),
    )

    def check(self, params: Params) -> tuple[FieldError, ...]:
        faults = []
        if params.whole("exit") > params.whole("entry"):
            faults.append(FieldError("parameters.exit", f"expected at most entry ({params.whole('entry')})"))
        if params.whole("recent") >= params.whole("usual"):
            faults.append(FieldError("parameters.recent", f"expected less than usual ({params.whole('usual')})"))
        return tuple(faults)

    def warmup(self, params: Params) -> int:
        """A true range needs the close before it, and the bar itself counts in neither channel nor volatility."""
        return max(params.whole("entry"), params.whole("usual") + 1)

    def remembers(self, params: Params) -> bool:
        """Going short, it keeps in mind which way it went: an exit closes only the side that is held."""
        return params.flag("allow_short")

    def signals(self, bars: Bars, params: Params) -> Floats:
        entry, leave, close = params.whole("entry"), params.whole("exit"), bars.close
        quiet = self._volatility(bars, params) <= params.number("calm")
        up = quiet & (close > delayed(rolling_max(bars.high, entry)))
        out = close < delayed(rolling_min(bars.low, leave))
        if not params.flag("allow_short"):
            return latched(up, out)
        down = quiet & (close < delayed(rolling_min(bars.low, entry)))
        return latched(up, out, down=down, back=close > delayed(rolling_max(bars.high, leave)))

    def details(self, bars: Bars, params: Params) -> Mapping[str, Floats]:
        return {
            "upper": delayed(rolling_max(bars.high, params.whole("entry"))),
            "exit": delayed(rolling_min(bars.low, params.whole("exit"))),
            "volatility": self._volatility(bars, params),
        }

    def _volatility(self, bars: Bars, params: Params) -> Floats:
        """The recent mean true range over the usual one, both up to the bar before."""
        span = true_range(bars.high, bars.low, bars.close)
        return delayed(ratio(sma(span, params.whole("recent")), sma(span, params.whole("usual")), otherwise=1.0))
