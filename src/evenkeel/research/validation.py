"""How much of a search is luck: cross-validation without leaks, and the probability of overfitting.

Neighbouring observations share information: a return is earned by a position decided on bars before it. So whatever
overlaps a test set is purged from its training set, and a stretch after it is embargoed (Lopez de Prado 2018, ch. 7).
Combinatorial purged cross-validation tests on every choice of k of N groups, which gives not one record out of sample
but several (ch. 12).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb, sqrt
from typing import Any, NamedTuple, Unpack

import numpy as np

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.strategies import Scalar
from evenkeel.market.columns import Floats, Ints
from evenkeel.quant import analytics
from evenkeel.quant.analytics.returns import excess
from evenkeel.quant.analytics.series import ROUNDING
from evenkeel.research.backtest.finding import StrategyLike
from evenkeel.research.backtest.result import BacktestResult
from evenkeel.research.backtest.run import History
from evenkeel.research.compute import crew
from evenkeel.research.search.bench import FiguresBench, Place, ReturnsBench, Span, Trial, part
from evenkeel.research.search.plan import Axes, Progress, SearchOptions, examine_some, plan_of
from evenkeel.research.search.searching import SearchResult
from evenkeel.research.walkforward import WalkForwardResult
from evenkeel.trading.strategies.parameters import Params

_MOST_CELLS = 100_000_000


class Split(NamedTuple):
    """Indices of observations to train on and to test on, rising."""

    train: Ints
    test: Ints


class Splits(NamedTuple):
    """`splits`, the group of each observation, and `paths`: one row for each record out of sample, with the index of
    the split that tests each group (column) on it."""

    splits: tuple[Split, ...]
    groups: Ints
    paths: Ints


def purged_kfold(count: int, *, folds: int = 5, horizon: int = 0, embargo: int = 0) -> tuple[Split, ...]:
    """k-fold splits of `count` observations in time order; each fold is tested once.

    Observation i uses what happens until i + `horizon`: training observations that overlap a test observation so are
    purged, and `embargo` more after the test (Lopez de Prado 2018, 7.4). Raises InvalidInput.
    """
    return combinatorial_purged(count, groups=folds, tested=1, horizon=horizon, embargo=embargo).splits


def combinatorial_purged(count: int, *, groups: int = 6, tested: int = 2, horizon: int = 0, embargo: int = 0) -> Splits:
    """A split for each choice of `tested` of `groups` blocks of time, equal to within one observation.

    Their tests make up `path_count` whole records (Lopez de Prado 2018, 12.4). Raises InvalidInput.
    """
    _check(count, groups, tested=tested, horizon=horizon, embargo=embargo)
    edges = np.linspace(0, count, groups + 1).round().astype(np.int64)
    chosen = list(combinations(range(groups), tested))
    splits = tuple(_split(edges, blocks, horizon=horizon, embargo=embargo) for blocks in chosen)
    empty = [blocks for blocks, split in zip(chosen, splits, strict=True) if not len(split.train)]
    if empty:
        raise InvalidInput(
            f"nothing is left to train on when {len(empty)} of {len(chosen)} splits are purged",
            hint="Take fewer groups, a shorter horizon or embargo, or more data.",
        )
    paths = np.array([[at for at, blocks in enumerate(chosen) if group in blocks] for group in range(groups)]).T
    return Splits(splits, np.repeat(np.arange(groups), np.diff(edges)), paths)


def path_count(groups: int, tested: int) -> int:
    """How many whole records the splits give: C(N, k) × k ÷ N (Lopez de Prado 2018, 12.4)."""
    return comb(groups, tested) * tested // groups


def _check(count: int, groups: int, *, tested: int, horizon: int, embargo: int) -> None:
    faults = []
    if not 2 <= groups <= count:
        faults.append(FieldError("groups", f"expected 2 to {count} groups or folds, not {groups!r}"))
    elif not 1 <= tested < groups:
        faults.append(FieldError("tested", f"expected 1 to {groups - 1} of {groups} groups, not {tested!r}"))
    for name, value in (("horizon", horizon), ("embargo", embargo)):
        if value < 0:
            faults.append(FieldError(name, f"expected a number of observations, 0 or more, not {value!r}"))
    if faults:
        raise InvalidInput("; ".join(f"{one.field}: {one.message}" for one in faults), errors=tuple(faults))


def _split(edges: Ints, blocks: tuple[int, ...], *, horizon: int, embargo: int) -> Split:
    count = int(edges[-1])
    test, kept = np.zeros(count, dtype=np.bool_), np.ones(count, dtype=np.bool_)
    for block in blocks:
        start, end = int(edges[block]), int(edges[block + 1])
        test[start:end] = True
        kept[max(0, start - horizon) : end + horizon + embargo] = False
    return Split(np.flatnonzero(kept), np.flatnonzero(test))


@dataclass(frozen=True, eq=False)
class Tried:
    """All combinations of a grid: their parameters and daily returns over the risk-free rate (days × combinations).

    `days` are the dates, `periods` how many there are in a year.
    """

    params: tuple[dict[str, Scalar], ...]
    returns: Floats
    days: Any
    periods: float

    @property
    def sharpes(self) -> Floats:
        """The Sharpe ratio per day of each; NaN where it never moved."""
        return _sharpes(self.returns)


@dataclass(frozen=True, eq=False)
class Verdict:
    """What the data say of the choice among all that was tried.

    `probability`: of overfitting, by combinatorially symmetric cross-validation (details in `overfitting`).
    `deflated_sharpe`: the probability that the true Sharpe ratio of the one that was chosen is above what luck gives
    the best of all `trials`. `sharpe` is its own, annual; `result` its backtest, whose metrics know the trials.
    `best` has its parameters, none for a walk-forward, which changes them.
    """

    best: dict[str, Scalar]
    sharpe: float
    probability: float
    deflated_sharpe: float
    trials: analytics.Trials
    overfitting: analytics.Overfitting
    result: BacktestResult

    @property
    def sharpe_by_luck(self) -> float:
        """The annual Sharpe ratio that luck alone is expected to give the best of all trials."""
        return analytics.expected_max_sharpe(self.trials) * sqrt(self.result.days.per_year)


def overfitting(
    strategy: StrategyLike, bars: History, *, grid: Axes, blocks: int = 16, **how: Unpack[SearchOptions]
) -> Verdict:
    """Runs every combination of `grid` and says how far its winner, the highest Sharpe ratio, can be trusted.

    Takes every combination as a trial of its own, the cautious side; give it all that you have tried, not the best
    few. Raises InvalidInput, also where no combination trades or the days are too few for `blocks`; and as `sweep`.
    """
    bench, every = _benched(strategy, bars, grid, how)
    tried = _tried(bench, every, how)
    sharpes = tried.sharpes
    if not np.isfinite(sharpes).any():
        raise InvalidInput("no combination of the grid has a Sharpe ratio: none trades on these bars")
    result = Place(bench, bench.series).result(every[int(np.nanargmax(sharpes))])
    return _verdict(tried, result, blocks=blocks)


def judge(
    found: SearchResult | WalkForwardResult, *, blocks: int = 16, workers: int = 1, progress: Progress | None = None
) -> Verdict:
    """How far what a search chose can be trusted, given everything it tried, which is run again for its daily returns.

    Of a walk-forward it is the record out of sample that is judged, against all that was tried on the days it traded.
    It was not chosen by these days, so its deflated Sharpe ratio is on the strict side. `progress` is called with
    (done, total, None). Raises InvalidInput where nothing was chosen, fewer than two combinations were tried, or the
    days are too few for `blocks` or, times the combinations, too many for the memory.
    """
    span = found.traded if isinstance(found, WalkForwardResult) else None
    bench, every, result = _for_returns(found.plan.bench), list(found.tried), found.result
    _check_choice(every)
    tried = _tried(bench, every, {"workers": workers, "progress": progress}, span=span)
    return _verdict(tried, result, blocks=blocks)


def _verdict(tried: Tried, result: BacktestResult, *, blocks: int) -> Verdict:
    trials = analytics.trials_of(tried.sharpes)
    measured = analytics.probability_of_overfitting(tried.returns, blocks=blocks)
    returns = excess(_earned(result.daily.returns), periods=tried.periods, risk_free=result.risk_free)
    found = analytics.evidence(returns)
    return Verdict(
        best=result.params,
        sharpe=found.sharpe * tried.periods**0.5,
        probability=measured.probability,
        deflated_sharpe=analytics.deflated_sharpe(found, trials),
        trials=trials,
        overfitting=measured,
        result=replace(result, trials=trials),
    )


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """`paths`: daily returns out of sample, one row a record; `sharpes`: the annual Sharpe ratio of each record.

    `chosen`: the parameters that were best on each split's training days. `dates` has the days.
    """

    splits: Splits
    chosen: tuple[dict[str, Scalar], ...]
    paths: Floats
    sharpes: Floats
    dates: Any

    @property
    def loss_share(self) -> float:
        """The share of records that lose."""
        return float(np.mean(self.paths.sum(axis=1) < 0.0))


def cross_validate(
    strategy: StrategyLike,
    bars: History,
    *,
    grid: Axes,
    groups: int = 6,
    tested: int = 2,
    horizon: int = 1,
    embargo: int = 0,
    **how: Unpack[SearchOptions],
) -> CrossValidation:
    """Combinatorial purged cross-validation of choosing by Sharpe ratio from `grid`.

    In every split the combination with the highest Sharpe ratio on the training days is followed on the test days;
    `horizon` and `embargo` count days. With tested=1 it is purged k-fold. Raises InvalidInput, and as `sweep`.
    """
    bench, every = _benched(strategy, bars, grid, how)
    tried = _tried(bench, every, how)
    splits = combinatorial_purged(len(tried.returns), groups=groups, tested=tested, horizon=horizon, embargo=embargo)
    winners = [_winner(tried.returns[split.train]) for split in splits.splits]
    paths = np.empty((len(splits.paths), len(tried.returns)))
    for record, row in zip(paths, splits.paths, strict=True):
        for group, split in enumerate(row):
            days = splits.groups == group
            record[days] = tried.returns[days, winners[split]]
    return CrossValidation(
        splits,
        tuple(tried.params[winner] for winner in winners),
        paths,
        _sharpes(paths.T) * tried.periods**0.5,
        tried.days,
    )


def _benched(
    strategy: StrategyLike, bars: History, grid: Axes, how: Mapping[str, Any]
) -> tuple[ReturnsBench, list[Params]]:
    bench, space, rules, _ = plan_of(strategy, bars, grid, how)
    if rules.on_figures:
        raise InvalidInput(f"every combination counts, whatever its figures: leave out {rules.on_figures[0]}")
    every = space.every()
    _check_choice(every)
    if how.get("check", True):
        examine_some(bench, every)
    return _for_returns(bench), every


def _for_returns(bench: FiguresBench) -> ReturnsBench:
    return ReturnsBench(
        strategy=bench.strategy,
        series=bench.series,
        terms=bench.terms,
        engine=bench.engine,
        risk_free=bench.risk_free,
        chunk=bench.chunk,
    )


def _check_choice(every: Sequence[Params]) -> None:
    if len(every) < 2:
        raise InvalidInput(f"{len(every)} combinations may run, and a choice needs two or more")


def _tried(bench: ReturnsBench, every: list[Params], how: Mapping[str, Any], *, span: Span | None = None) -> Tried:
    result = Place(bench, part(bench.series, span)).result(every[0])
    periods, dates, progress = result.days.per_year, result.daily.dates, how.get("progress")
    if len(dates) * len(every) > _MOST_CELLS:
        raise InvalidInput(
            f"{len(every):,} combinations of {len(dates):,} days are more than can be judged at once",
            hint=f"Try fewer combinations: {_MOST_CELLS // len(dates):,} of this many days fit.",
        )
    matrix = np.empty((len(dates), len(every)))
    with crew(bench, how.get("workers", 1)) as hands:
        for column, returns in enumerate(hands.map([Trial(params, span) for params in every])):
            matrix[:, column] = _earned(returns)
            if progress is not None:
                progress(column + 1, len(every), None)
    returns = excess(matrix, periods=periods, risk_free=bench.risk_free)
    return Tried(tuple(dict(params) for params in every), returns, dates, periods)


def _earned(returns: Floats) -> Floats:
    """After ruin nothing is earned or lost."""
    return np.nan_to_num(returns, nan=0.0)


def _sharpes(returns: Floats) -> Floats:
    """Per column, the mean over the sample deviation; NaN where nothing varies but by rounding."""
    spread = returns.std(axis=0, ddof=1)
    still = spread <= ROUNDING * (1.0 + np.abs(returns).max(axis=0))
    return np.where(still, np.nan, returns.mean(axis=0) / np.where(still, 1.0, spread))


def _winner(returns: Floats) -> int:
    """The column with the highest Sharpe ratio; the first where none has one."""
    sharpes = _sharpes(returns)
    return int(np.nanargmax(sharpes)) if np.isfinite(sharpes).any() else 0
