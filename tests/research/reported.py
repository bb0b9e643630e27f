"""Backtests to report on, and a reader that checks a page as a browser and a screen reader would meet it."""

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any, ClassVar

import numpy as np

from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats
from evenkeel.research.backtest.result import BacktestResult
from evenkeel.research.backtest.run import backtest
from evenkeel.research.report.words import DAY
from evenkeel.trading.strategies import Parameter, Params, SignalStrategy, whole

START = 1_600_000_200_000_000_000  # 2020-09-13 12:30 UTC
VOID = {"meta", "input", "br", "hr", "img", "link"}


class Scripted(SignalStrategy):
    """Targets as told; what is not told keeps."""

    name = "scripted"
    parameters: ClassVar[tuple[Parameter, ...]] = (whole("day", 1),)
    targets: ClassVar[tuple[float, ...]] = ()

    def warmup(self, params: Params) -> int:
        return 0

    def signals(self, bars: Bars, params: Params) -> Floats:
        told = np.full(len(bars), np.nan)
        count = min(len(bars), len(self.targets))
        told[:count] = self.targets[:count]
        return told


def scripted(*targets: float) -> Scripted:
    class Told(Scripted):
        pass

    Told.targets = targets
    return Told()


def alternating(period: int, count: int) -> Scripted:
    return scripted(*(1.0 if at // period % 2 else 0.0 for at in range(count)))


def walk(count: int, *, seed: int = 1, step: int = DAY, volatility: float = 0.01, drift: float = 0.0) -> Bars:
    """Bars about 100 in cents, one every `step` ns."""
    draw = np.random.default_rng(seed)
    close = np.round(100.0 * np.exp(np.cumsum(draw.normal(drift, volatility, count))), 2)
    open_ = np.concatenate(([100.0], close[:-1]))
    high, low = np.maximum(open_, close) + 0.05, np.minimum(open_, close) - 0.05
    return Bars(START + np.arange(count) * step, open_, high, low, close, np.full(count, 1e5))


def told(strategy: Any, bars: Any, **options: Any) -> BacktestResult:
    return backtest(strategy, bars, check=False, **options)


class Page(HTMLParser):
    """What a page holds: ids, addresses, charts and text. Raises AssertionError where it is not sound."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.charts: list[str] = []
        self.headings: list[str] = []
        self.texts: list[str] = []
        self.counts: dict[str, int] = {}
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        given = dict(attrs)
        assert not [name for name in given if name.startswith("on")]
        if (name := given.get("id")) is not None:
            self.ids.append(name)
        self.addresses += [value or "" for name, value in attrs if name in {"href", "src", "xlink:href", "data"}]
        if tag == "svg" and given.get("role") == "img":
            self.charts.append(given.get("aria-label") or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in {"h1", "h2"}:
            self.headings.append(data)
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts).replace("\u202f", " ")


Make = Callable[[], BacktestResult]
