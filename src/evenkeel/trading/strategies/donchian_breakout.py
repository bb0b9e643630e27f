"""Trend following by channels of highs and lows (Richard Donchian; the Turtle rules of entry and exit)."""

from collections.abc import Mapping
from typing import ClassVar

from evenkeel.domain.errors import FieldError
from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats, delayed, latched, rolling_max, rolling_min
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.parameters import Parameter, Params, flag, whole


class DonchianBreakout(SignalStrategy):
    name = "donchian-breakout"
    aliases: ClassVar[tuple[str, ...]] = ("donchian",)
    version = "1"
    title = "Donchian breakout"
    description = (
        "Long on a close above the highest high of the entry channel before it, out on a close below the lowest low of"
        " the shorter exit channel; with shorts, the same mirrored."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        whole("entry", 20, 2, 500, description="Bars in the channel whose break opens a position."),
        whole("exit", 10, 1, 500, description="Bars in the channel whose break closes it; at most entry."),
        flag("allow_short", False, description="Trade breaks downwards, too."),
    )

    def check(self, params: Params) -> tuple[FieldError, ...]:
        if params.whole("exit") <= params.whole("entry"):
            return ()
        return (FieldError("parameters.exit", f"expected at most entry ({params.whole('entry')})"),)

    def warmup(self, params: Params) -> int:
        return params.whole("entry")

    def remembers(self, params: Params) -> bool:
        """Going short, it keeps in mind which way it went: an exit closes only the side that is held."""
        return params.flag("allow_short")

    def signals(self, bars: Bars, params: Params) -> Floats:
        entry, leave = params.whole("entry"), params.whole("exit")
        close = bars.close
        up = close > delayed(rolling_max(bars.high, entry))
        out = close < delayed(rolling_min(bars.low, leave))
        if not params.flag("allow_short"):
            return latched(up, out)
        down = close < delayed(rolling_min(bars.low, entry))
        back = close > delayed(rolling_max(bars.high, leave))
        return latched(up, out, down=down, back=back)

    def details(self, bars: Bars, params: Params) -> Mapping[str, Floats]:
        return {
            "upper": delayed(rolling_max(bars.high, params.whole("entry"))),
            "exit": delayed(rolling_min(bars.low, params.whole("exit"))),
        }
