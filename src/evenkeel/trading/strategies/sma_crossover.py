"""Trend following by two simple moving averages of the close."""

from typing import ClassVar

from evenkeel.quant.indicators import Floats, sma
from evenkeel.trading.strategies.crossover import Crossover
from evenkeel.trading.strategies.parameters import Parameter, Params, flag, whole


class SmaCrossover(Crossover):
    name = "sma-crossover"
    aliases: ClassVar[tuple[str, ...]] = ("sma-cross",)
    version = "1"
    title = "SMA crossover"
    description = (
        "Long while the fast simple moving average of closes is above the slow one, flat (or short) while it is below;"
        " equal averages change nothing."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        whole("fast", 10, 1, 500, description="Bars in the fast average; less than slow."),
        whole("slow", 50, 2, 1000, description="Bars in the slow average."),
        flag("allow_short", False, description="Go short, not just flat, while fast is below slow."),
    )

    def warmup(self, params: Params) -> int:
        return params.whole("slow") - 1

    def average(self, series: Floats, period: int) -> Floats:
        return sma(series, period)
