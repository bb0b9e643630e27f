"""Whole lots: against every combination there is, and what holds whatever the weights, prices and money."""

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics.series import Floats
from evenkeel.quant.portfolio.shares import Assets, Lots, Means, whole_lots


def assets(weights: list[float], prices: list[float], held: list[float] | None = None) -> Assets:
    return Assets(np.array(weights), np.array(prices), np.array(held or [0.0] * len(weights)))


def money(of: Assets, cash: float, **more: float) -> Means:
    return Means(cash, cash + float((of.held * of.lots).sum()), **more)


def need(of: Assets, found: Lots, slack: float = 0.0) -> float:
    factor = np.where(found.trades > 0, 1.0 + slack, 1.0)
    return float((found.trades * of.lots * factor).sum())


@st.composite
def tasks(draw: st.DrawFn, most: int = 6, *, shorts: bool = False) -> tuple[Assets, float]:
    count = draw(st.integers(1, most))
    parts = [draw(st.floats(0.0, 1.0)) for _ in range(count)]
    weights = np.array(parts) / max(1.0, sum(parts))
    if shorts:
        weights *= np.array([draw(st.sampled_from((1.0, -1.0))) for _ in range(count)])
    prices = np.array([round(draw(st.floats(5.0, 400.0)), 2) for _ in range(count)])
    held = np.array([float(draw(st.integers(0, 6))) for _ in range(count)])
    return Assets(weights, prices, held), draw(st.floats(0.0, 1000.0))


def test_by_hand() -> None:
    """Of 1000: 600 in lots of 100 and 400 in lots of 30."""
    of = assets([0.6, 0.4], [100.0, 30.0])
    found = whole_lots(of, money(of, 1000.0))
    assert found.trades.tolist() == [6, 13]
    assert (found.deviation, found.gap) == (pytest.approx(10.0), pytest.approx(0.0, abs=1e-3))


def test_what_is_held_and_not_wanted_is_sold_and_pays_for_the_rest() -> None:
    of = assets([0.0, 1.0], [10.0, 20.0], [100.0, 0.0])
    assert whole_lots(of, money(of, 0.0)).trades.tolist() == [-100, 50]


def test_lots_that_do_not_divide_what_is_held_leave_the_rest() -> None:
    of = assets([0.0], [10.0], [2.5])
    assert whole_lots(of, money(of, 0.0)).trades.tolist() == [-2]


def test_bands_and_small_trades_are_left_alone() -> None:
    of = assets([0.5, 0.5], [10.0, 10.0], [48.0, 40.0])
    found = whole_lots(of, money(of, 120.0, band=0.025))
    assert found.inside.tolist() == [True, False]
    assert found.trades.tolist() == [0, 10]
    found = whole_lots(of, money(of, 120.0, least=30.0))
    assert (found.trades.tolist(), found.small.tolist()) == ([0, 10], [True, False])


def test_a_short_only_where_its_weight_is_negative() -> None:
    of = assets([-0.5, 0.5], [10.0, 10.0])
    assert whole_lots(of, money(of, 1000.0)).trades.tolist() == [-50, 50]


def test_the_buffer_and_the_slack_stay() -> None:
    of = assets([1.0], [10.0])
    assert whole_lots(of, money(of, 1000.0, buffer=0.1)).trades.tolist() == [90]
    assert whole_lots(of, money(of, 1000.0, slack=0.01)).trades.tolist() == [99]
    assert whole_lots(of, money(of, 1000.0, costs=15.0)).trades.tolist() == [98]


@pytest.mark.parametrize("more", [{"buffer": 1.0}, {"band": -0.1}, {"costs": float("nan")}])
def test_figures_that_make_no_sense_are_refused(more: dict[str, float]) -> None:
    of = assets([1.0], [10.0])
    with pytest.raises(InvalidInput):
        whole_lots(of, money(of, 100.0, **more))


@given(tasks(most=3), st.sampled_from((0.0, 0.01)))
@settings(max_examples=30, deadline=None)
def test_nothing_is_nearer(task: tuple[Assets, float], slack: float) -> None:
    """Every combination of lots that can be paid, as many as could ever help."""
    of, cash = task
    means = money(of, cash, slack=slack)
    best = _brute(of, means)
    found = whole_lots(of, means)
    assert found.deviation == pytest.approx(best, abs=1e-4 * max(1.0, means.whole))
    filled = whole_lots(of, means, exact=False)
    assert filled.deviation <= best + filled.gap + 1e-6 * max(1.0, means.whole)


def _brute(of: Assets, means: Means) -> float:
    ideal = of.weights * means.whole
    ranges = []
    for weight, lot, held in zip(ideal, of.lots, of.held, strict=True):
        most = max(0, int(np.ceil(weight / lot - held - 1e-9))) if weight > 0 else 0
        ranges.append(range(-int(held), most + 1))
    assume(np.prod([len(one) for one in ranges]) <= 100_000)
    trades: Floats = np.array(list(product(*ranges)), np.float64)
    cost = (trades * of.lots * np.where(trades > 0, 1.0 + means.slack, 1.0)).sum(axis=1)
    off = np.abs((of.held + trades) * of.lots - ideal).sum(axis=1)
    return float(off[cost <= means.cash + 1e-9].min())


@given(
    tasks(shorts=True), st.floats(0.0, 0.2), st.floats(0.0, 0.02), st.floats(0.0, 0.05), st.floats(0.0, 200.0),
    st.booleans(),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_what_always_holds(
    task: tuple[Assets, float], buffer: float, slack: float, band: float, least: float, exact: bool
) -> None:
    of, cash = task
    means = money(of, cash, buffer=buffer, slack=slack, band=band, least=least)
    found = whole_lots(of, means, exact=exact)
    after = of.held + found.trades
    assert need(of, found, slack) <= cash + 1e-6 * max(1.0, means.whole), "no more is spent than there is"
    assert (after[of.weights >= 0.0] >= 0.0).all(), "no short without a weight below zero"
    assert (found.trades[found.inside | found.small] == 0).all()
    value = np.abs(found.trades) * of.lots
    assert (value[found.trades != 0] >= least - 1e-6).all()
    assert found.gap >= 0.0


@given(tasks())
@settings(max_examples=40, deadline=None)
def test_within_half_a_lot_where_there_is_money(task: tuple[Assets, float]) -> None:
    of, cash = task
    whole = cash + float((of.held * of.lots).sum())
    means = Means(cash + float(of.lots.sum()), whole)
    found = whole_lots(of, means)
    off = np.abs(of.weights * whole - (of.held + found.trades) * of.lots)
    assert (off <= of.lots / 2 + 1e-4 * max(1.0, whole)).all()


def test_two_hundred_assets_in_time() -> None:
    random = np.random.default_rng(3)
    of = Assets(random.dirichlet(np.ones(200)), random.uniform(5, 500, 200), np.zeros(200))
    found = whole_lots(of, money(of, 1_000_000.0), seconds=1.0)
    assert found.gap <= 0.001 * 1_000_000
