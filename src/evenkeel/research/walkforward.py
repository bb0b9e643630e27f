"""Walk-forward: choose parameters on a stretch of history, trade the next one with them, and move on.

What is reported is one record of out-of-sample trading alone: each window trades with the parameters that were best
before it began (Pardo 2008).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

import numpy as np

from evenkeel.domain.clock import from_ns
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.strategies import Scalar
from evenkeel.market.bars import Bars
from evenkeel.market.columns import Ints
from evenkeel.research.backtest.finding import StrategyLike
from evenkeel.research.backtest.result import BacktestResult
from evenkeel.research.backtest.run import History
from evenkeel.research.search.bench import Span, Trial
from evenkeel.research.search.figures import DEFAULT, RUINED, Figures, checked_names, figures_of
from evenkeel.research.search.known import Seen, Targets
from evenkeel.research.search.plan import Axes, Plan, SearchOptions, examine_some, plan_of
from evenkeel.research.search.proposers import Method, proposer
from evenkeel.research.search.searching import Found, best_of, explore
from evenkeel.research.search.session import Session
from evenkeel.research.search.study import key_of
from evenkeel.research.stitching import Leg, alone, chained, given, targets_of
from evenkeel.trading.strategies.base import TargetStrategy
from evenkeel.trading.strategies.parameters import Params

if TYPE_CHECKING:
    import polars as pl

Length = int | timedelta
MOST_WAITED = 1 / 3  # of the training bars: beyond it a warm-up leaves too little to be measured by
_EDGES = ("train_start", "train_end", "test_start", "test_end")


class WalkOptions(SearchOptions, total=False):
    """`anchored`: training always begins with the history. `embargo`: bars or time left out between training and test.

    `method`, `trials` and `seed` as in `search`: of each window.
    """

    anchored: bool
    embargo: Length
    method: Method
    trials: int
    seed: int


class Window(NamedTuple):
    """One step. `params` are the best of `tried` combinations on `train`, None where none qualified: it stays flat.
    One whose warm-up leaves too little of `train` (`MOST_WAITED`) does not qualify.

    Figures of `train` are of those parameters; figures of `test` are of trading it alone, from the initial cash.
    """

    train: Span
    test: Span
    params: dict[str, Scalar] | None
    tried: int
    in_sample: Figures | None
    out_of_sample: Figures


@dataclass(frozen=True, eq=False)
class WalkForwardResult:
    """`result` is the backtest of all test windows as one record, with its equity, fills and metrics.

    `tried` are the combinations that some window tried, each once; `resumed` counts what a study already held.
    """

    windows: tuple[Window, ...]
    result: BacktestResult
    objective: str
    plan: Plan = field(repr=False)
    tried: tuple[Params, ...] = field(repr=False)
    resumed: int

    @property
    def traded(self) -> Span:
        """From the first test window's start to the last one's end."""
        return Span(self.windows[0].test.start, self.windows[-1].test.end)

    @property
    def efficiency(self) -> float | None:
        """Return per unit of time out of sample ÷ in sample (Pardo 2008), over the windows that traded.

        None where the returns in sample sum to 0 or less.
        """
        traded = [one for one in self.windows if one.in_sample is not None]
        inside = _rate([(one.train, one.in_sample) for one in traded if one.in_sample is not None])
        outside = _rate([(one.test, one.out_of_sample) for one in traded])
        return outside / inside if inside > 0.0 else None

    @property
    def consistency(self) -> float:
        """The share of windows that gained out of sample."""
        return sum(_return(one.out_of_sample) > 0.0 for one in self.windows) / len(self.windows)

    def to_frame(self) -> pl.DataFrame:
        """One row a window: its four edges (Datetime ns, UTC; ends are excluded), parameters, `tried`, then each figure
        in sample (`in_…`) and out of sample (`out_…`)."""
        import polars as pl

        axes = list(self.plan.space.axes)
        frame = pl.DataFrame([_row(one, axes) for one in self.windows], infer_schema_length=None)
        return frame.with_columns(pl.col(*_EDGES).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC"))

    def __repr__(self) -> str:
        efficiency = "undefined" if self.efficiency is None else f"{self.efficiency:.0%}"
        return f"<WalkForwardResult {len(self.windows)} windows, efficiency {efficiency}: {self.result!r}>"


def walk_forward(
    strategy: StrategyLike,
    bars: History,
    *,
    train: Length,
    test: Length,
    grid: Axes | None = None,
    space: Axes | None = None,
    objective: str = "sharpe",
    **how: Unpack[WalkOptions],
) -> WalkForwardResult:
    """Chooses on `train` (bars, or a timedelta), trades the next `test`, and steps on by `test` to the end of the bars.

    Give `grid` to try every combination in every window, or `space` for a search by `method`. The last window is
    shorter where the bars end in it, and left out below half its length. A test window begins with the target that
    its parameters held by then; all windows together are one backtest that carries positions and cash over. Strategies
    that place their own orders begin each window flat, and what they hold at its end is sold at the last close.

    Raises InvalidInput, also where the history is too short for one window, and as `search` does.
    """
    own: dict[str, Any] = dict(how)
    lengths = _Lengths(train, test, own.pop("embargo", 0), anchored=own.pop("anchored", False))
    axes, by = _axes(grid, space), _By(own.pop("method", "grid" if space is None else "random"), own)
    own["metrics"] = [*checked_names(own.get("metrics", DEFAULT)), "total_return"]
    plan = plan_of(strategy, bars, axes, own, objectives=[objective])
    spans = _spans(max(plan.bench.series, key=len), lengths)
    with Session(plan.bench, own, objective=objective) as session:
        found = _grid(plan, session, spans) if by.method == "grid" else _searched(plan, session, spans, by=by)
    chosen = [
        best_of(_candidates(plan, span.train, tried), objective) for span, tried in zip(spans, found, strict=True)
    ]
    if own.get("check", True):
        examine_some(plan.bench, [one.params for one in chosen if one is not None])
    legs = [Leg(span.test, one and one.params) for span, one in zip(spans, chosen, strict=True)]
    known = targets_of(plan.bench, legs) if isinstance(plan.bench.strategy, TargetStrategy) else None
    stitched = chained(plan.bench, legs) if known is None else given(plan.bench, known, _whole(legs))
    windows = [
        Window(span.train, span.test, _searched_only(plan, one), len(tried), one and one.figures, outside)
        for span, one, tried, outside in zip(spans, chosen, found, _outside(plan, legs, known), strict=True)
    ]
    every = {key_of(one.params, None): one.params for tried in found for one in tried}
    record = replace(
        stitched,
        legs=tuple((*leg.span, leg.params and dict(leg.params)) for leg in legs),
        warnings=(*stitched.warnings, *_untraded(legs), *_unmeasured(plan, spans, found)),
    )
    return WalkForwardResult(tuple(windows), record, objective, plan, tuple(every.values()), session.resumed)


class _Spans(NamedTuple):
    train: Span
    test: Span


class _By:
    """How each window is searched."""

    def __init__(self, method: Method, own: dict[str, Any]) -> None:
        self.method = method
        self.trials, self.seed = own.pop("trials", 100), own.pop("seed", 0)


def _axes(grid: Axes | None, space: Axes | None) -> Axes:
    if (grid is None) == (space is None):
        raise InvalidInput("a walk-forward needs either a grid, to try every combination, or a space, to search")
    return grid if grid is not None else space or {}


class _Lengths:
    """How long the parts of a window are. Raises InvalidInput."""

    def __init__(self, train: Length, test: Length, embargo: Length, *, anchored: bool) -> None:
        self.train, self.test, self.embargo, self.anchored = train, test, embargo, anchored
        for name, least in (("train", 1), ("test", 1), ("embargo", 0)):
            length = getattr(self, name)
            if isinstance(length, bool) or not isinstance(length, int | timedelta) or _nanoseconds(length) < least:
                message = f"expected a number of bars or a timedelta, {least} or more, not {length!r}"
                raise InvalidInput(f"{name}: {message}", errors=(FieldError(name, message),))


def _nanoseconds(length: Length) -> int:
    return length if isinstance(length, int) else length // timedelta(microseconds=1) * 1000


def _after(clock: Ints, place: int, length: Length) -> int:
    """The place in `clock` that lies a length after another; beyond the end it goes on counting bars."""
    if isinstance(length, int):
        return place + length
    at = clock[place] + _nanoseconds(length)
    return int(np.searchsorted(clock, at, side="left")) if at <= clock[-1] else len(clock)


def _before(clock: Ints, place: int, length: Length) -> int:
    if isinstance(length, int):
        return max(0, place - length)
    at = clock[place] if place < len(clock) else clock[-1] + 1
    return int(np.searchsorted(clock, at - _nanoseconds(length), side="left"))


def _spans(bars: Bars, lengths: _Lengths) -> list[_Spans]:
    """The windows over these bars. Raises InvalidInput where not even one fits."""
    found: list[_Spans] = []
    clock = bars.ts
    edges = np.append(clock, bars.close_ts[-1])
    first_end = _after(clock, 0, lengths.train)
    start = _after(clock, first_end, lengths.embargo) if first_end < len(clock) else len(clock)
    while start < len(clock):
        end = _after(clock, start, lengths.test)
        if end >= len(clock) and not _worth_it(bars, start, lengths.test):
            break
        trained = _before(clock, start, lengths.embargo)
        begun = 0 if lengths.anchored else _before(clock, trained, lengths.train)
        found.append(
            _Spans(Span(*edges[[begun, trained]].tolist()), Span(*edges[[start, min(end, len(clock))]].tolist()))
        )
        start = max(end, start + 1)
    if not found:
        raise InvalidInput(
            f"{len(clock)} bars are too few for one window of training and test",
            hint="Take more history, or shorter windows.",
        )
    return found


def _worth_it(bars: Bars, start: int, test: Length) -> bool:
    """Whether what is left is at least half a test window."""
    left = len(bars) - start if isinstance(test, int) else int(bars.close_ts[-1] - bars.ts[start])
    return 2 * left >= _nanoseconds(test)


def _grid(plan: Plan, session: Session, spans: Sequence[_Spans]) -> list[list[Found]]:
    """Every combination in every window, all handed out at once."""
    every = plan.space.every()
    rows = session.run([Trial(params, span.train) for span in spans for params in every])
    return [
        [Found(*one) for one in zip(every, rows[place * len(every) :], strict=False)] for place in range(len(spans))
    ]


def _candidates(plan: Plan, train: Span, tried: Sequence[Found]) -> list[Found]:
    """Those that may be chosen: they keep to the rules, and could decide on enough of the training to be measured."""
    return [one for one in _warm(plan, train, tried) if plan.rules.allow(*one)]


def _warm(plan: Plan, train: Span, tried: Sequence[Found]) -> list[Found]:
    strategy = plan.bench.strategy
    if not isinstance(strategy, TargetStrategy):
        return list(tried)
    seen = Seen(plan.bench.series, plan.bench.terms, *train)
    return [one for one in tried if seen.waited(strategy, one.params) <= MOST_WAITED]


def _untraded(legs: Sequence[Leg]) -> Iterator[str]:
    """What to say where windows stay flat."""
    flat = [leg.span for leg in legs if leg.params is None]
    if flat:
        since = f"first from {from_ns(flat[0].start):%Y-%m-%d}"
        yield f"nothing was held in {len(flat)} of {len(legs)} windows, {since}: no combination qualified there"


def _unmeasured(plan: Plan, spans: Sequence[_Spans], found: Sequence[Sequence[Found]]) -> Iterator[str]:
    """What to say where combinations could not be chosen for their warm-up."""
    windows = [
        place
        for place, (span, tried) in enumerate(zip(spans, found, strict=True))
        if len(_warm(plan, span.train, tried)) < len(tried)
    ]
    if windows:
        yield (
            f"in {len(windows)} of {len(spans)} windows some combinations could not be chosen: their warm-up takes "
            "more than a third of the training there; give more history or a longer train"
        )


def _searched(plan: Plan, session: Session, spans: Sequence[_Spans], *, by: _By) -> list[list[Found]]:
    session.total = by.trials * len(spans)
    return [
        explore(
            plan,
            session,
            proposer(plan, method=by.method, trials=by.trials, seed=by.seed),
            span=span.train,
            check=False,
        )
        for span in spans
    ]


def _searched_only(plan: Plan, one: Found | None) -> dict[str, Scalar] | None:
    return None if one is None else {name: one.params[name] for name in plan.space.axes}


def _whole(legs: Sequence[Leg]) -> Span:
    return Span(legs[0].span.start, legs[-1].span.end)


def _outside(plan: Plan, legs: Sequence[Leg], known: Targets | None) -> list[Figures]:
    """The figures of each test window by itself."""
    results = (alone(plan.bench, leg) if known is None else given(plan.bench, known, leg.span) for leg in legs)
    return [figures_of(result, plan.bench.names) for result in results]


def _return(figures: Figures) -> float:
    return figures["total_return"] or 0.0


def _rate(parts: Sequence[tuple[Span, Figures]]) -> float:
    """Summed return per nanosecond."""
    length = sum(span.end - span.start for span, _ in parts)
    return sum(_return(figures) for _, figures in parts) / length if length else 0.0


def _row(window: Window, axes: Sequence[str]) -> dict[str, Any]:
    edges = dict(zip(_EDGES, (*window.train, *window.test), strict=True))
    inside = window.in_sample or dict.fromkeys(window.out_of_sample)
    return {
        **edges,
        **(window.params or dict.fromkeys(axes)),
        "tried": window.tried,
        **{f"in_{name}": value for name, value in inside.items() if name != RUINED},
        **{f"out_{name}": value for name, value in window.out_of_sample.items() if name != RUINED},
    }
