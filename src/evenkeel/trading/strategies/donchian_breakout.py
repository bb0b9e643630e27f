"""Trend following by channels of highs and lows (Richard Donchian; the Turtle rules of entry and exit)."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from evenkeel.domain.errors import FieldError
from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats, rolling_max, rolling_min
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.parameters import Parameter, Params, flag, whole

Flags = npt.NDArray[np.bool_]


class DonchianBreakout(SignalStrategy):
    name = "donchian-breakout"
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

    def signals(self, bars: Bars, params: Params) -> Floats:
        entry, leave = params.whole("entry"), params.whole("exit")
        close = bars.close
        up = close > _before(rolling_max(bars.high, entry))
        out = close < _before(rolling_min(bars.low, leave))
        if not params.flag("allow_short"):
            return np.where(up, 1.0, np.where(out, 0.0, np.nan))
        down = close < _before(rolling_min(bars.low, entry))
        back = close > _before(rolling_max(bars.high, leave))
        return _both_ways(up, out, down=down, back=back)

    def details(self, bars: Bars, params: Params) -> Mapping[str, Floats]:
        return {
            "upper": _before(rolling_max(bars.high, params.whole("entry"))),
            "exit": _before(rolling_min(bars.low, params.whole("exit"))),
        }


def _before(series: Floats) -> Floats:
    """The series one bar late: the channel a bar is measured against does not hold the bar itself."""
    late = np.full(len(series), np.nan)
    late[1:] = series[:-1]
    return late


def _both_ways(up: Flags, out: Flags, *, down: Flags, back: Flags) -> Floats:
    """The position after each bar: which exit counts depends on it, so it is walked through."""
    targets = np.full(len(up), np.nan)
    held = 0.0
    for i in np.flatnonzero(up | out | down | back).tolist():
        if up[i]:
            held = 1.0
        elif down[i]:
            held = -1.0
        elif (held > 0 and out[i]) or (held < 0 and back[i]):
            held = 0.0
        targets[i] = held
    return targets
