"""Strategies and bars that tests of searches share; importable, so that worker processes find them."""

from typing import Any, ClassVar

import numpy as np

from evenkeel.domain.errors import FieldError
from evenkeel.domain.marketdata import Bar
from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats, sma
from evenkeel.trading.strategies import Context, Parameter, Params, SignalStrategy, Strategy, number, whole

GRID: dict[str, Any] = {"fast": range(2, 6), "slow": [8, 13, 21]}
HOW: dict[str, Any] = {"cash": 1_000_000, "fees": "zero", "size": 10}


class Steps(SignalStrategy):
    """Long in thirds, by how many of three averages the close is above: positions grow and shrink in steps."""

    name = "steps"
    parameters: ClassVar[tuple[Parameter, ...]] = (whole("period", 5, 2, 50), number("scale", 1.0, 0.1, 1.0))

    def warmup(self, params: Params) -> int:
        return 4 * params.whole("period") - 1

    def signals(self, bars: Bars, params: Params) -> Floats:
        averages = [sma(bars.close, factor * params.whole("period")) for factor in (1, 2, 4)]
        above: Floats = np.sum([bars.close > one for one in averages], axis=0) / 3.0
        return above * params.number("scale")


class Peeking(SignalStrategy):
    """Knows the next close."""

    name = "peeking"
    parameters: ClassVar[tuple[Parameter, ...]] = (whole("period", 5),)

    def warmup(self, params: Params) -> int:
        return 0

    def signals(self, bars: Bars, params: Params) -> Floats:
        return np.append(np.diff(bars.close) > 0, False).astype(np.float64)


class Failing(SignalStrategy):
    """Works for even numbers."""

    name = "failing"
    parameters: ClassVar[tuple[Parameter, ...]] = (whole("number", 0),)

    def warmup(self, params: Params) -> int:
        return 0

    def signals(self, bars: Bars, params: Params) -> Floats:
        if params.whole("number") % 2:
            raise ZeroDivisionError("odd")
        return np.ones(len(bars))


class Waiting(SignalStrategy):
    """Never trades, except where `period` is 1."""

    name = "waiting"
    parameters: ClassVar[tuple[Parameter, ...]] = (whole("period", 5, 1),)

    def warmup(self, params: Params) -> int:
        return 0

    def check(self, params: Params) -> tuple[FieldError, ...]:
        return (FieldError("parameters.period", "expected no 3"),) if params.whole("period") == 3 else ()

    def signals(self, bars: Bars, params: Params) -> Floats:
        return np.where(np.arange(len(bars)) % 7 < 3, 1.0, 0.0) * (params.whole("period") == 1)


class Every(Strategy):
    """Buys one at every n-th bar, and sells all at every third of these; remembers by counting."""

    name = "every"
    parameters: ClassVar[tuple[Parameter, ...]] = (whole("n", 3, 1),)

    def __init__(self) -> None:
        self.seen = 0

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.seen += 1
        turn, rest = divmod(self.seen, ctx.parameters["n"])  # type: ignore[operator]
        held = ctx.position(bar.instrument_id)
        if rest == 0 and turn % 3 == 0 and held:
            ctx.sell(held, bar.instrument_id)
        elif rest == 0:
            ctx.buy(1, bar.instrument_id)
