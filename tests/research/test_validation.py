"""Nothing a test set knows is in its training set; every record out of sample is whole; luck is called luck."""

from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import evenkeel as ek
from evenkeel.domain.errors import InvalidInput
from evenkeel.quant import analytics
from evenkeel.research.search.sweep import sweep
from evenkeel.research.validation import combinatorial_purged, cross_validate, overfitting, path_count, purged_kfold
from tests.research.searched import HOW, Every, Peeking, Waiting
from tests.research.worlds import walk

BARS = walk(1_500, seed=3, minutes=60)
GRID: dict[str, Any] = {"fast": [2, 4, 6], "slow": [9, 20, 30]}


@given(
    count=st.integers(60, 200),
    groups=st.integers(2, 8),
    tested=st.integers(1, 4),
    horizon=st.integers(0, 4),
    embargo=st.integers(0, 4),
)
def test_no_training_observation_overlaps_a_test(
    count: int, groups: int, tested: int, horizon: int, embargo: int
) -> None:
    if tested >= groups:
        return
    try:
        made = combinatorial_purged(count, groups=groups, tested=tested, horizon=horizon, embargo=embargo)
    except InvalidInput as error:
        assert "nothing is left to train on" in str(error)  # noqa: PT017
        return
    assert len(made.splits) == comb(groups, tested)
    for train, test in made.splits:
        in_test = np.zeros(count, dtype=bool)
        in_test[test] = True
        # An observation i spans [i, i + horizon]; after the span of a test one, `embargo` more are left out.
        forbidden = np.zeros(count, dtype=bool)
        for i in test.tolist():
            forbidden[max(0, i - horizon) : i + horizon + embargo + 1] = True
        assert train.tolist() == np.flatnonzero(~forbidden).tolist()


@given(groups=st.integers(2, 9), tested=st.integers(1, 8))
def test_the_records_are_whole_and_use_every_test_once(groups: int, tested: int) -> None:
    if tested >= groups:
        return
    made = combinatorial_purged(groups * 11 + 3, groups=groups, tested=tested)
    assert made.paths.shape == (path_count(groups, tested), groups)
    assert path_count(groups, tested) == comb(groups - 1, tested - 1)
    used = [(group, split) for row in made.paths.tolist() for group, split in enumerate(row)]
    assert len(set(used)) == len(used) == comb(groups, tested) * tested
    for group, split in used:
        assert np.isin(np.flatnonzero(made.groups == group), made.splits[split].test).all()


def test_the_published_example() -> None:
    """Six groups, two tested: 15 splits and 5 records (Lopez de Prado 2018, figure 12.1 and 12.2)."""
    made = combinatorial_purged(60, groups=6, tested=2)
    assert len(made.splits) == 15
    assert len(made.paths) == 5


def test_folds_are_tested_once_each() -> None:
    splits = purged_kfold(103, folds=4, horizon=2, embargo=3)
    assert np.concatenate([test for _, test in splits]).tolist() == list(range(103))
    train, test = splits[1]
    assert (test[0], test[-1]) == (26, 51)
    assert [*range(24)] == train[train < 26].tolist()
    assert train[train > 51][0] == 57


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"groups": 1}, "groups: expected 2 to 50"),
        ({"groups": 51}, "groups: expected 2 to 50"),
        ({"tested": 6}, "tested: expected 1 to 5"),
        ({"horizon": -1, "embargo": -2}, "horizon: .* embargo: "),
        ({"horizon": 49}, "nothing is left to train on"),
    ],
)
def test_splits_that_cannot_be_are_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        combinatorial_purged(50, **more)


def test_the_verdict_is_on_all_that_was_tried() -> None:
    verdict = overfitting("sma-crossover", BARS, grid=GRID, **HOW)
    table = sweep("sma-crossover", BARS, grid=GRID, sort="sharpe", **HOW)
    best = table.row(0, named=True)
    assert verdict.best == {"fast": best["fast"], "slow": best["slow"], "allow_short": False}
    assert verdict.sharpe == pytest.approx(best["sharpe"])
    assert verdict.result.final_equity == pytest.approx(best["final_equity"])

    results = [
        ek.backtest("sma-crossover", BARS, params={"fast": fast, "slow": slow}, **HOW)
        for fast in GRID["fast"]
        for slow in GRID["slow"]
    ]
    returns = np.column_stack([one.daily.returns for one in results])
    measured = analytics.probability_of_overfitting(returns)
    assert verdict.probability == measured.probability
    sharpes = np.array([analytics.evidence(one.daily.returns).sharpe for one in results])
    assert verdict.trials == pytest.approx(analytics.trials_of(sharpes))
    assert verdict.trials.number == 9
    assert verdict.result.metrics["deflated_sharpe"] == pytest.approx(verdict.deflated_sharpe)
    assert 0.0 < verdict.deflated_sharpe < 1.0


def test_the_risk_free_rate_counts() -> None:
    verdict = overfitting("sma-crossover", BARS, grid=GRID, risk_free=0.04, **HOW)
    assert verdict.result.metrics["deflated_sharpe"] == pytest.approx(verdict.deflated_sharpe)
    assert verdict.sharpe == pytest.approx(verdict.result.metrics["sharpe"])


@pytest.mark.parametrize("workers", [1, 2])
def test_strategies_that_place_orders_are_judged_too(workers: int) -> None:
    told: list[tuple[int, int]] = []
    verdict = overfitting(
        Every, BARS, grid={"n": [5, 9]}, blocks=4, workers=workers,
        progress=lambda done, total, _: told.append((done, total)), **HOW,
    )  # fmt: skip
    assert told == [(1, 2), (2, 2)]
    assert verdict.trials.number == 2


def test_combinations_that_never_trade_are_no_winners() -> None:
    assert overfitting(Waiting, BARS, grid={"period": [2, 1, 4]}, blocks=4, **HOW).best == {"period": 1}
    with pytest.raises(InvalidInput, match="none trades"):
        overfitting(Waiting, BARS, grid={"period": [2, 4]}, blocks=4, **HOW)


def test_cross_validation_follows_the_winner_of_each_training() -> None:
    found = cross_validate("sma-crossover", BARS, grid=GRID, groups=5, tested=2, horizon=1, embargo=2, **HOW)
    params = [{"fast": fast, "slow": slow, "allow_short": False} for fast in GRID["fast"] for slow in GRID["slow"]]
    results = [ek.backtest("sma-crossover", BARS, params=one, **HOW) for one in params]
    returns = np.column_stack([one.daily.returns for one in results])
    for (train, _), chosen in zip(found.splits.splits, found.chosen, strict=True):
        sharpes = [analytics.evidence(column).sharpe for column in returns[train].T.copy()]
        assert chosen == params[int(np.nanargmax(sharpes))]
    assert found.paths.shape == (4, len(returns))
    for record, row in zip(found.paths, found.splits.paths, strict=True):
        for group, split in enumerate(row.tolist()):
            days = found.splits.groups == group
            assert record[days].tolist() == returns[days, params.index(found.chosen[split])].tolist()
    annual = [analytics.evidence(record).sharpe * results[0].days.per_year ** 0.5 for record in found.paths]
    assert found.sharpes.tolist() == pytest.approx(annual)
    assert found.loss_share == np.mean(found.paths.sum(axis=1) < 0)
    assert len(found.dates) == len(returns)


def test_pure_chance_does_not_survive() -> None:
    """On a walk without trend the winner's edge vanishes out of sample."""
    bars = walk(6_000, seed=11, minutes=60)
    grid = {"fast": range(2, 12, 2), "slow": range(15, 60, 5)}
    verdict = overfitting("sma-crossover", bars, grid=grid, params={"allow_short": True}, **HOW)
    found = cross_validate("sma-crossover", bars, grid=grid, params={"allow_short": True}, **HOW)
    assert verdict.deflated_sharpe < 0.95
    assert found.sharpes.mean() < verdict.sharpe


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"grid": {"fast": [3]}}, "needs two or more"),
        ({"blocks": 5}, "even number"),
        ({"constraints": ["trades > 3"]}, "every combination counts"),
    ],
)
def test_what_cannot_be_judged_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        overfitting("sma-crossover", BARS, **{"grid": GRID, **HOW, **more})


def test_a_strategy_that_looks_ahead_is_refused() -> None:
    with pytest.raises(InvalidInput, match="looks ahead"):
        overfitting(Peeking, BARS, grid={"period": [1, 2]}, **HOW)
