"""Trend following by two exponential moving averages of the close."""

from typing import ClassVar

from evenkeel.quant.indicators import Floats, ema
from evenkeel.trading.strategies.crossover import Crossover
from evenkeel.trading.strategies.parameters import Parameter, Params, flag, whole

_SETTLED = 5


class EmaCrossover(Crossover):
    name = "ema-crossover"
    aliases: ClassVar[tuple[str, ...]] = ("ema-cross",)
    version = "1"
    title = "EMA crossover"
    description = (
        "Long while the fast exponential moving average of closes is above the slow one, flat (or short) while it is"
        " below; equal averages change nothing."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        whole("fast", 12, 1, 500, description="Period of the fast average, whose weight is 2 / (fast + 1)."),
        whole("slow", 26, 2, 1000, description="Period of the slow average; more than fast."),
        flag("allow_short", False, description="Go short, not just flat, while fast is below slow."),
    )

    def warmup(self, params: Params) -> int:
        """Five slow periods, after which less than 0.01 % of where the average started is left in it."""
        return _SETTLED * params.whole("slow")

    def average(self, series: Floats, period: int) -> Floats:
        return ema(series, period)
