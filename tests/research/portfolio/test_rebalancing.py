"""Objectives walked forward: by hand, never from the future, and paid for."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from evenkeel.domain.errors import InvalidInput
from evenkeel.research.portfolio.rebalancing import rebalance_history


def days(count: int) -> list[date]:
    return [date(2020, 1, 1) + timedelta(days=place) for place in range(count)]


def table(count: int = 200, seed: int = 1, assets: int = 3) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    paths = 100.0 * np.cumprod(1.0 + random.normal(0.0005, 0.01, size=(count, assets)), axis=0)
    return pl.DataFrame({"date": days(count), **{f"A{place}": paths[:, place] for place in range(assets)}})


def test_equal_weights_by_hand() -> None:
    """Two assets, halves of 1 bought at the end of January; A doubles, B halves; halved anew at the end of February."""
    dates = [date(2020, 1, 28), date(2020, 1, 29), date(2020, 1, 30), date(2020, 1, 31)]
    dates += [date(2020, 2, 27), date(2020, 2, 28), date(2020, 3, 2)]
    frame = pl.DataFrame({"date": dates, "A": [1.0] * 5 + [2.0, 4.0], "B": [1.0] * 5 + [0.5, 0.5]})
    found = rebalance_history(frame, objectives=["equal-weight"], lookback=2, cost_bps=0.0)
    path = found.paths["equal-weight"]
    assert found.first == 3
    assert path.equity.tolist() == pytest.approx([1.0, 1.0, 1.25, 1.25 * (0.5 * 2 + 0.5)])
    assert [one.row for one in path.rebalances] == [3, 5]
    assert path.rebalances[1].before.tolist() == pytest.approx([0.8, 0.2])
    assert path.rebalances[1].turnover == pytest.approx(0.6)


def test_costs_are_paid_on_what_is_traded() -> None:
    free = rebalance_history(table(), objectives=["equal-weight"], lookback=20, cost_bps=0.0)
    dear = rebalance_history(table(), objectives=["equal-weight"], lookback=20, cost_bps=100.0)
    first = dear.paths["equal-weight"].rebalances[0]
    assert first.cost == pytest.approx(0.01 / 1.01)  # what is left buys itself: c = 1 % of 1 - c
    left = np.prod([1.0 - one.cost for one in dear.paths["equal-weight"].rebalances])
    assert dear.paths["equal-weight"].equity[-1] == pytest.approx(free.paths["equal-weight"].equity[-1] * left)
    assert dear.paths["equal-weight"].costs > 0.0


@pytest.mark.parametrize("name", ["max-sharpe", "min-variance", "hrp", "risk-parity", "min-cvar", "max-utility"])
def test_nothing_of_the_future_is_seen(name: str) -> None:
    whole, cut = table(200), table(200)
    later = 120
    changed = cut.with_columns(
        pl.when(pl.int_range(pl.len()) > later).then(pl.col(f"A{place}") * (3.0 - place)).otherwise(pl.col(f"A{place}"))
        for place in range(3)
    )
    before = rebalance_history(whole, objectives=[name], every="week", lookback=30).paths[name]
    after = rebalance_history(changed, objectives=[name], every="week", lookback=30).paths[name]
    known = [one for one in before.rebalances if one.row <= later]
    assert len(known) > 5
    for first, second in zip(known, after.rebalances, strict=False):
        assert first.row == second.row
        assert first.after == pytest.approx(second.after, abs=1e-12)


def test_a_band_trades_less() -> None:
    always = rebalance_history(table(), objectives=["equal-weight"], every="week", lookback=20)
    seldom = rebalance_history(table(), objectives=["equal-weight"], every="week", lookback=20, band=0.02)
    assert len(seldom.paths["equal-weight"].rebalances) < len(always.paths["equal-weight"].rebalances)
    assert seldom.paths["equal-weight"].costs < always.paths["equal-weight"].costs


def test_settings_are_for_all_or_for_one() -> None:
    found = rebalance_history(
        table(450),
        objectives={
            "careful": {"objective": "min-variance", "covariance": "ledoit-wolf"},
            "capped": {"objective": "max-sharpe", "bounds": (0.0, 0.5)},
        },
        lookback=30,
        constraints=["A0 >= 0.1"],
        benchmark="A2",
    )
    assert set(found.paths) == {"careful", "capped", "equal-weight"}
    for one in found.paths["capped"].rebalances:
        assert one.after.max() <= 0.5 + 1e-9
        assert one.after[0] >= 0.1 - 1e-9
    assert found.benchmark is not None
    assert found.benchmark[0] == 1.0
    low, middle, high = found.ahead("careful")
    assert low < middle < high
    assert found.ahead("careful") == found.ahead("careful")
    metrics = found.paths["careful"].metrics
    assert metrics["cagr"] is not None


@pytest.mark.parametrize("setting", [{"max_assets": 2}, {"bounds": (0.0, 0.3)}, {"total": 0.6}])
def test_the_yardstick_keeps_to_what_is_asked_of_it_alone(setting: dict[str, Any]) -> None:
    free = rebalance_history(table(450), objectives=["equal-weight"], lookback=30)
    beside = rebalance_history(table(450), objectives=["min-variance"], lookback=30, **setting)
    assert not beside.paths["equal-weight"].failed
    assert np.array_equal(beside.paths["equal-weight"].equity, free.paths["equal-weight"].equity)
    asked = rebalance_history(table(450), objectives=["equal-weight"], lookback=30, **setting)
    assert asked.paths["equal-weight"].failed, "as it was asked for"


def test_turnover_is_limited_from_the_second_rebalancing_on() -> None:
    found = rebalance_history(table(), objectives=["max-sharpe"], every="week", lookback=30, turnover=0.2)
    later = found.paths["max-sharpe"].rebalances[1:]
    assert later
    assert all(one.turnover <= 0.2 + 1e-6 for one in later)


@pytest.mark.parametrize("benchmark", ["A1", {"A1": 1.0}, {"A0": 0.6, "A2": 0.4}])
def test_what_can_be_tracked_exactly_is(benchmark: Any) -> None:
    """Free to hold what the benchmark has drifted to, tracking it is holding it."""
    asked = {"every": "week", "lookback": 30, "cost_bps": 0.0, "benchmark": benchmark}
    found = rebalance_history(table(), objectives=["tracking-error"], **asked)
    path = found.paths["tracking-error"]
    assert not path.failed
    assert found.benchmark is not None
    assert path.equity == pytest.approx(found.benchmark, rel=1e-5)


def test_what_a_benchmark_leaves_is_cash() -> None:
    whole = rebalance_history(table(), objectives=["equal-weight"], lookback=20, benchmark="A1").benchmark
    half = rebalance_history(table(), objectives=["equal-weight"], lookback=20, benchmark={"A1": 0.5}).benchmark
    assert whole is not None
    assert half is not None
    assert half == pytest.approx(0.5 + 0.5 * whole)


def test_a_benchmark_is_bought_once_and_drifts() -> None:
    """Halves of A and B bought at the end of January; A doubles: at the end of February it is two thirds."""
    dates = [date(2020, 1, 28), date(2020, 1, 29), date(2020, 1, 30), date(2020, 1, 31)]
    dates += [date(2020, 2, 27), date(2020, 2, 28), date(2020, 3, 2)]
    frame = pl.DataFrame(
        {"date": dates, "A": [1.0, 1.1, 1.0, 1.0, 1.2, 2.0, 4.0], "B": [1.0, 1.0, 1.1, 1.0, 1.0, 1.0, 1.0]}
    )
    found = rebalance_history(
        frame,
        objectives={
            "it": {"objective": "tracking-error"},
            "fixed": {"objective": "tracking-error", "benchmark": [0.5, 0.5]},
        },
        lookback=2,
        cost_bps=0.0,
        benchmark={"A": 0.5, "B": 0.5},
    )
    assert found.benchmark is not None
    assert found.benchmark.tolist() == pytest.approx([1.0, 1.1, 1.5, 2.5])
    wanted = [one.after.tolist() for one in found.paths["it"].rebalances]
    assert wanted[0] == pytest.approx([0.5, 0.5])
    assert wanted[-1] == pytest.approx([2 / 3, 1 / 3], abs=1e-6)
    assert found.paths["fixed"].rebalances[-1].after.tolist() == pytest.approx([0.5, 0.5], abs=1e-6)


def test_where_nothing_is_found_what_is_held_stays() -> None:
    random = np.random.default_rng(3)
    falling = 100.0 * np.cumprod(1.0 + random.normal(-0.01, 0.01, size=(120, 2)), axis=0)
    frame = pl.DataFrame({"date": days(120), "A": falling[:, 0], "B": falling[:, 1]})
    found = rebalance_history(
        frame, objectives={"hopeful": {"objective": "target-return", "target": 5.0}}, lookback=20
    ).paths["hopeful"]
    assert found.failed
    assert all("the most is" in one for one in found.failed.values())
    assert found.equity == pytest.approx(np.ones(found.equity.size))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"every": "fortnight"}, "every= is one of"),
        ({"lookback": 1}, "two returns or more"),
        ({"lookback": 500}, "leave no rebalancing"),
        ({"cost_bps": -1.0}, "not below zero"),
        ({"benchmark": "SPY"}, "no asset 'SPY'"),
        ({"benchmark": {"A0": 0.5, "SPY": 0.5}}, "no asset 'SPY'"),
        ({"benchmark": {"A0": float("nan")}}, "weight of A0 is a finite number"),
        ({"benchmark": {}}, "holds something"),
        ({"benchmark": {"A0": -200.0, "A1": 201.0}}, "lost all"),
        ({"objectives": ["tracking-error"]}, "tracking-error needs a benchmark"),
        ({"objectives": ["no-such"]}, "no objective is called 'no-such'"),
    ],
)
def test_what_cannot_be_walked_is_said(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        rebalance_history(table(), **{"objectives": ["equal-weight"], "lookback": 20, **given})


def test_prices_without_times_are_refused() -> None:
    with pytest.raises(InvalidInput, match="prices with times"):
        rebalance_history(np.ones((50, 2)), objectives=["equal-weight"], lookback=20)


def without(frame: pl.DataFrame, name: str, first: int, last: int) -> pl.DataFrame:
    """The table without the prices of one asset in these rows, the last one left out."""
    row = pl.int_range(pl.len())
    return frame.with_columns(pl.when((row >= first) & (row < last)).then(None).otherwise(pl.col(name)).alias(name))


@pytest.mark.parametrize("name", ["min-variance", "hrp", "risk-parity", "max-utility", "min-cvar", "equal-weight"])
def test_an_asset_joins_once_it_has_a_past(name: str) -> None:
    asked: dict[str, Any] = {"objectives": [name], "every": "week", "lookback": 20}
    young = rebalance_history(without(table(), "A1", 0, 100), **asked).paths[name]
    others = rebalance_history(table().drop("A1"), **asked).paths[name]
    joined = [one.row for one in young.rebalances if one.after[1] > 1e-9]
    assert joined[0] == min(one.row for one in young.rebalances if one.row >= 120)
    before = [one for one in young.rebalances if one.row < joined[0]]
    assert len(before) > 2
    for ours, theirs in zip(before, others.rebalances, strict=False):
        assert ours.after[[0, 2]] == pytest.approx(theirs.after, abs=1e-9)
    first = before[0].row
    assert young.equity[: joined[0] - first + 1] == pytest.approx(others.equity[: joined[0] - first + 1], rel=1e-12)


def test_what_is_not_priced_any_more_is_sold_at_its_last_price_and_may_come_back() -> None:
    gone = without(table(300), "A1", 100, 150)
    found = rebalance_history(gone, objectives=["equal-weight"], every="week", lookback=20, cost_bps=0.0)
    path, stands = found.paths["equal-weight"], gone.fill_null(strategy="forward")
    weights = {one.row: one.after[1] for one in path.rebalances}
    held = [row for row, weight in weights.items() if weight > 0.0]
    away = [row for row in weights if row not in held]
    assert min(away) == min(row for row in weights if row > 109)
    assert max(away) == max(row for row in weights if row < 170)
    assert {round(weight, 9) for weight in weights.values()} == {0.0, round(1 / 3, 9)}
    sold = next(one for one in path.rebalances if one.row == min(away))
    before = max(row for row in held if row < sold.row)
    grown = [stands[name][sold.row] / stands[name][before] for name in ("A0", "A1")]
    assert sold.before[1] / sold.before[0] == pytest.approx(grown[1] / grown[0])
    assert np.all(np.isfinite(path.equity))


def test_what_is_not_priced_any_more_is_sold_whatever_the_band() -> None:
    asked: dict[str, Any] = {"objectives": ["equal-weight"], "every": "week", "lookback": 20, "band": 0.5}
    path = rebalance_history(without(table(300), "A1", 100, 300), **asked).paths["equal-weight"]
    bought, sold = path.rebalances
    assert (bought.after[1], sold.after[1]) == (pytest.approx(1 / 3), 0.0)
    assert 110 <= sold.row < 117


def test_the_walk_begins_with_two_and_its_benchmark() -> None:
    two = without(without(table(), "A1", 0, 40), "A2", 0, 100)
    found = rebalance_history(two, objectives=["min-variance"], every="week", lookback=20, benchmark="A1")
    assert 60 <= found.first < 67
    assert found.benchmark is not None
    assert np.all(np.isfinite(found.benchmark))
    with pytest.raises(InvalidInput, match="the benchmark A2 has no price where the walk begins"):
        rebalance_history(two, objectives=["min-variance"], every="week", lookback=20, benchmark="A2")
    with pytest.raises(InvalidInput, match="A1 has no price"):
        rebalance_history(without(table(), "A1", 50, 80), objectives=["hrp"], lookback=20, missing="fill")


def test_gaps_show_nothing_of_the_future() -> None:
    whole = without(table(200), "A1", 60, 90)
    longer, shorter = without(whole, "A2", 118, 200), whole
    walks = [rebalance_history(one, objectives=["max-utility"], every="week", lookback=20) for one in (shorter, longer)]
    known = [[one for one in walk.paths["max-utility"].rebalances if one.row < 118] for walk in walks]
    assert len(known[0]) == len(known[1]) > 5
    for first, second in zip(*known, strict=True):
        assert first.after.tolist() == second.after.tolist()
