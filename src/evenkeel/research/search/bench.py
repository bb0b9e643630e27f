"""One strategy on one history and terms, ready to run any combination of its parameters.

What the combinations share is made once: the columns a strategy reads (and so its indicators), the charges, the days.
The compiled engine then reports the figures of a run without its path, where these are enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, repeat
from typing import Any, NamedTuple, TypeVar

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.market.bars import Bars
from evenkeel.quant.analytics.records import summaries
from evenkeel.quant.analytics.summary import Values
from evenkeel.quant.analytics.track import Track
from evenkeel.research.backtest import kernel as k
from evenkeel.research.backtest.compiled import CompiledRun, Numbers
from evenkeel.research.backtest.event import run_event
from evenkeel.research.backtest.finding import fresh
from evenkeel.research.backtest.joint import Together
from evenkeel.research.backtest.notes import is_ruin, noted
from evenkeel.research.backtest.outcome import Floats
from evenkeel.research.backtest.result import BacktestResult
from evenkeel.research.backtest.run import instrument_of
from evenkeel.research.backtest.terms import Terms
from evenkeel.research.compute import Runner, Task
from evenkeel.research.search.figures import OWN, Figures, figures_of, is_quick, marked
from evenkeel.research.search.known import Seen
from evenkeel.trading.strategies.base import Strategy, TargetStrategy
from evenkeel.trading.strategies.parameters import Params
from evenkeel.trading.strategies.registry import AnyStrategy

R = TypeVar("R")

_TOGETHER = 32


class Span(NamedTuple):
    """Bars that open from `start` on and before `end` (ns)."""

    start: int
    end: int


class Trial(NamedTuple):
    """A combination of parameters, on all bars or on a span of them."""

    params: Params
    span: Span | None = None

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.params.items()) or "the default parameters"


@dataclass(frozen=True, kw_only=True)
class Bench(Task[Trial, R]):
    """`engine` is compiled or event, `names` the figures wanted, `risk_free` an annual rate."""

    terms: Terms
    engine: str
    names: tuple[str, ...] = ()
    risk_free: float = 0.0


class FiguresBench(Bench[Figures]):
    """Gives the figures of each trial."""

    def open(self) -> Runner[Trial, Figures]:
        return Places(self).figures


class ReturnsBench(Bench[Floats]):
    """Gives the daily returns of each trial."""

    def open(self) -> Runner[Trial, Floats]:
        return Places(self).returns


class Places:
    """The parts of the history that trials run on; the last one stays ready."""

    def __init__(self, bench: Bench[Any]) -> None:
        self._bench = bench
        self._span: Span | None = None
        self._place: Place | None = None

    def at(self, span: Span | None) -> Place:
        if self._place is None or span != self._span:
            self._span, self._place = span, _place(self._bench, span)
        return self._place

    def figures(self, trials: Sequence[Trial]) -> Iterator[Figures]:
        for span, group in groupby(trials, key=lambda trial: trial.span):
            every = [trial.params for trial in group]
            for start in range(0, len(every), _TOGETHER):
                yield from self.at(span).figures(every[start : start + _TOGETHER])

    def returns(self, trials: Sequence[Trial]) -> Iterator[Floats]:
        for trial in trials:
            yield self.at(trial.span).returns(trial.params)


def part(series: tuple[Bars, ...], span: Span | None) -> tuple[Bars, ...]:
    """The bars of a span. Raises InvalidInput where a series has none."""
    if span is None:
        return series
    parts = tuple(bars.between(span.start, span.end) for bars in series)
    missing = [bars.instrument_id for bars in parts if not len(bars)]
    if missing:
        raise InvalidInput(f"a window of the history has no bars of {', '.join(missing)}")
    return parts


def _place(bench: Bench[Any], span: Span | None) -> Place:
    """Of a span, with the history before it for targets to be known by; a strategy that places orders begins there."""
    with_history = span is not None and isinstance(bench.strategy, TargetStrategy)
    seen = Seen(bench.series, bench.terms, *span) if span is not None and with_history else None
    return Place(bench, part(bench.series, span), seen=seen)


class _Ran(NamedTuple):
    """`ruined`: equity was at zero or below at the end of some bar."""

    numbers: Numbers
    ruined: bool


class _Calendar(NamedTuple):
    """What all records of one history share: when they start, the dates of their days, and days a year."""

    start: np.datetime64
    dates: Any
    per_year: float

    def track(self, cash: float, equity: Floats) -> Track:
        return Track(self.start, self.dates, np.concatenate(((cash,), equity)))


class Place:
    """One stretch of history. `figures`, `returns` and `result` run one combination each.

    `seen` is what targets are worked out from, where that is more than the stretch.
    """

    def __init__(self, bench: Bench[Any], series: tuple[Bars, ...], *, seen: Seen | None = None) -> None:
        self._bench, self._series, self._seen = bench, series, seen
        self._instruments = tuple(instrument_of(bars, bench.terms.currency) for bars in series)
        self._quick = bench.engine == "compiled" and all(is_quick(name) for name in bench.names)
        self._metrics = tuple(name for name in bench.names if name not in OWN)
        self._cash = float(bench.terms.cash)
        self._calendar: _Calendar | None = None

    @cached_property
    def _run(self) -> CompiledRun:
        return CompiledRun(self._series, self._instruments, self._bench.terms)

    def figures(self, every: Sequence[Params]) -> Iterator[Figures]:
        """The figures wanted of each combination; None where one is undefined.

        Quick ones are simulated first and measured then: each kind of work finds its own data in the cache.
        """
        if not self._quick:
            for params in every:
                yield figures_of(self.result(params), self._bench.names)
            return
        runs: list[_Ran] = []
        fault: Exception | None = None
        try:
            runs.extend(self._numbers(params) for params in every)
        except Exception as error:  # noqa: BLE001 - raised below, after the results of those before it
            fault = error
        measured = self._measured(every, [ran.numbers for ran in runs])
        for params, ran, metrics in zip(every, runs, measured, strict=False):
            counts = self._counts(ran.numbers, params)
            yield marked(
                {name: counts[name] if name in OWN else metrics[name] for name in self._bench.names}, ruined=ran.ruined
            )
        if fault is not None:
            raise fault

    def _measured(self, every: Sequence[Params], runs: Sequence[Numbers]) -> Iterator[Values]:
        """The metrics of each run."""
        if not self._metrics or not runs:
            return repeat({}, len(runs))
        days = self._days(every[0])
        of_days = np.stack([numbers.day_equity for numbers in runs])
        equity = np.concatenate((np.full((len(runs), 1), self._cash), of_days), axis=1)
        return summaries(
            days.start,
            days.dates,
            equity,
            periods=days.per_year,
            names=self._metrics,
            risk_free=self._bench.risk_free,
        )

    def returns(self, params: Params) -> Floats:
        """Daily returns: one value a trading day (a bar, where bars are longer)."""
        if self._bench.engine != "compiled":
            return self.result(params).daily.returns
        return self._days(params).track(self._cash, self._numbers(params).numbers.day_equity).returns

    def result(self, params: Params) -> BacktestResult:
        """The whole backtest."""
        bench, strategy = self._bench, self._bench.strategy
        running, told = self._running(params)
        if bench.engine == "compiled":
            assert not isinstance(running, Strategy)
            outcome = self._run.outcome(self._run.run(*self._run.signals(running, told)))
        else:
            outcome = run_event(
                fresh(running),
                told,
                {bars.instrument_id: bars for bars in self._series},
                instruments={one.id: one for one in self._instruments},
                terms=bench.terms,
            )
        outcome = noted(outcome, running, told, series=self._series, instruments=self._instruments, terms=bench.terms)
        return BacktestResult(
            strategy=strategy.name,
            version=strategy.version,
            params=dict(params),
            terms=bench.terms,
            bars=self._series,
            instruments=self._instruments,
            outcome=outcome,
            risk_free=bench.risk_free,
        )

    def _numbers(self, params: Params) -> _Ran:
        running, told = self._running(params)
        assert not isinstance(running, Strategy)
        targets, warmup = self._run.signals(running, told)
        numbers = self._run.run(targets, warmup, path=False, fills=False)
        ruined = is_ruin(numbers.day_equity)
        if not ruined and self._may_hide_ruin(numbers, targets):
            ruined = is_ruin(self._run.run(targets, warmup, fills=False).path[0])
        return _Ran(numbers, ruined)

    def _may_hide_ruin(self, numbers: Numbers, targets: Floats | Together) -> bool:
        """Whether equity may have been gone within a day and back by its end: only of what is short or borrowed."""
        if len(self._run.days.last) == len(self._run.moments):
            return False
        if self._bench.terms.carries or numbers.report[k.LOWEST_CASH] < 0.0:
            return True
        lines = [told.targets for told in targets.told] if isinstance(targets, Together) else [targets]
        return any(bool((line < 0.0).any()) for line in lines)

    def _running(self, params: Params) -> tuple[AnyStrategy, Params]:
        """What runs: the strategy itself, or the targets that it has decided with the history before."""
        strategy = self._bench.strategy
        if self._seen is None:
            return strategy, params
        assert isinstance(strategy, TargetStrategy)
        return self._seen.targets(strategy, params), Params()

    def _days(self, params: Params) -> _Calendar:
        """Taken from a whole backtest, so that there is one rule of what a day is."""
        if self._calendar is None:
            result = self.result(params)
            self._calendar = _Calendar(result.daily.start, result.daily.dates, result.days.per_year)
        return self._calendar

    def _counts(self, numbers: Numbers, params: Params) -> Mapping[str, float | int]:
        report = numbers.report
        return {
            "final_equity": float(report[k.FINAL_EQUITY]),
            "total_return": float(report[k.FINAL_EQUITY]) / self._cash - 1.0,
            "fills": int(report[k.FILLS]),
            "orders": int(report[k.ORDERS]),
            "refused": 0,
            "trades": self._trades(report, params),
            "fees": float(report[k.FEES]),
        }

    def _trades(self, report: Floats, params: Params) -> int:
        """Round trips. Where every position was one fill in and one out they are the simulator's own count; where
        some grew or shrank in steps, they are matched fill by fill."""
        closed = int(report[k.TRADES])
        if int(report[k.FILLS]) == 2 * closed + (report[k.HELD] != 0.0):
            return closed
        return len(self.result(params).trades)
