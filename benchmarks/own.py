"""Three rules that come along as templates, written again as a user would write their own, under other names."""

from collections import deque
from typing import ClassVar

import numpy as np

import evenkeel as ek
from evenkeel.domain.marketdata import Bar
from evenkeel.quant.indicators import Floats, delayed, rolling_max, rolling_min, rsi, sma
from evenkeel.trading.strategies import Context, Parameter, Params, number, whole


class OwnCross(ek.SignalStrategy):
    name = "two-lines"
    parameters: ClassVar[tuple[Parameter, ...]] = (whole("short", 10), whole("long", 50))

    def warmup(self, params: Params) -> int:
        return params.whole("long") - 1

    def signals(self, bars: ek.Bars, params: Params) -> Floats:
        short, long = sma(bars.close, params.whole("short")), sma(bars.close, params.whole("long"))
        return np.where(short > long, 1.0, np.where(short < long, 0.0, np.nan))


class OwnRsi(ek.SignalStrategy):
    name = "bounce"
    parameters: ClassVar[tuple[Parameter, ...]] = (whole("n", 14), number("low", 30.0), number("high", 70.0))

    def warmup(self, params: Params) -> int:
        return 10 * params.whole("n")

    def signals(self, bars: ek.Bars, params: Params) -> Floats:
        index = rsi(bars.close, params.whole("n"))
        targets = np.full(len(bars), np.nan)
        targets[index < params.number("low")] = 1.0
        targets[index > params.number("high")] = 0.0
        return targets


class OwnDonchian(ek.SignalStrategy):
    name = "break-out"
    parameters: ClassVar[tuple[Parameter, ...]] = (whole("enter", 20), whole("leave", 10))

    def warmup(self, params: Params) -> int:
        return params.whole("enter")

    def signals(self, bars: ek.Bars, params: Params) -> Floats:
        top = delayed(rolling_max(bars.high, params.whole("enter")))
        bottom = delayed(rolling_min(bars.low, params.whole("leave")))
        return np.where(bars.close > top, 1.0, np.where(bars.close < bottom, 0.0, np.nan))


class OwnByBar(ek.Strategy):
    """The rule of the crossover a bar at a time, with orders of its own."""

    name = "two-lines-by-bar"
    parameters: ClassVar[tuple[Parameter, ...]] = (whole("short", 10), whole("long", 50))

    def on_start(self, ctx: Context) -> None:
        self.n, self.m = int(ctx.parameters["short"]), int(ctx.parameters["long"])
        self.closes: deque[float] = deque(maxlen=self.m)
        self.short = self.long = 0.0
        self.wants = False

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        closes, close = self.closes, bar.close
        if len(closes) == self.m:
            self.long -= closes[0]
        if len(closes) >= self.n:
            self.short -= closes[-self.n]
        closes.append(close)
        self.short += close
        self.long += close
        if len(closes) < self.m:
            return
        fast, slow = self.short / self.n, self.long / self.m
        if fast > slow and not self.wants:
            self.wants = True
            ctx.buy(1)
        elif fast < slow and self.wants:
            self.wants = False
            ctx.sell(1)
