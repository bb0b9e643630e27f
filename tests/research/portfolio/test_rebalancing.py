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


def test_turnover_is_limited_from_the_second_rebalancing_on() -> None:
    found = rebalance_history(table(), objectives=["max-sharpe"], every="week", lookback=30, turnover=0.2)
    later = found.paths["max-sharpe"].rebalances[1:]
    assert later
    assert all(one.turnover <= 0.2 + 1e-6 for one in later)


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
    ],
)
def test_what_cannot_be_walked_is_said(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        rebalance_history(table(), objectives=["equal-weight"], **{"lookback": 20, **given})


def test_prices_without_times_are_refused() -> None:
    with pytest.raises(InvalidInput, match="prices with times"):
        rebalance_history(np.ones((50, 2)), objectives=["equal-weight"], lookback=20)
