"""Few assets, none small: held against all subsets, one after another."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.portfolio.objectives import OBJECTIVES
from evenkeel.research.portfolio.optimize import Optimized, optimize

MOST = {name for name, one in OBJECTIVES.items() if one.few == "most"} | {"max-return"}
OPTIONS: dict[str, dict[str, Any]] = {
    "target-return": {"target": 0.05}, "target-risk": {"target": 0.2}, "tracking-error": {"benchmark": [1 / 6] * 6}
}  # fmt: skip


def returns(seed: int, assets: int = 6, rows: int = 60) -> np.ndarray:
    random = np.random.default_rng(seed)
    common = random.normal(0.0004, 0.01, size=(rows, 1))
    return np.asarray(common * random.uniform(0.3, 1.5, assets) + random.normal(0.0003, 0.008, size=(rows, assets)))


def by_hand(objective: str, past: np.ndarray, *, held: int, least: float, **rest: Any) -> float:
    """The best value over all choices of `held` assets or fewer, each with `least` at least."""
    found = []
    for count in range(1, held + 1):
        for chosen in combinations(range(past.shape[1]), count):
            low = [least if place in chosen else 0.0 for place in range(past.shape[1])]
            high = [1.0 if place in chosen else 0.0 for place in range(past.shape[1])]
            try:
                found.append(optimize(returns=past, objective=objective, bounds=(low, high), **rest).value)
            except InvalidInput:
                continue
    return max(found) if objective in MOST else min(found)


def check(one: Optimized, *, held: int, least: float) -> None:
    weights = np.asarray(one.weights)
    assert (np.abs(weights) > 1e-6).sum() <= held
    assert np.all(weights[weights > 1e-6] >= least - 1e-7)
    assert weights.sum() == pytest.approx(1.0, abs=1e-8)


ALL = sorted(name for name, one in OBJECTIVES.items() if one.few is not None and name != "risk-tolerance")


@pytest.mark.parametrize("objective", ALL)
@pytest.mark.parametrize(("held", "least"), [(2, 0.0), (3, 0.15), (6, 0.25)])
def test_every_objective_finds_the_best_choice(objective: str, held: int, least: float) -> None:
    past, options = returns(3), OPTIONS.get(objective, {})
    found = optimize(returns=past, objective=objective, max_assets=held, min_weight=least, **options)
    check(found, held=held, least=least)
    assert found.value == pytest.approx(by_hand(objective, past, held=held, least=least, **options), rel=1e-6)


@pytest.mark.parametrize(("held", "least"), [(2, 0.0), (3, 0.15)])
def test_a_tolerance_of_risk_lies_between_the_ends_of_few(held: int, least: float) -> None:
    past = returns(3)
    rule: dict[str, Any] = {"max_assets": held, "min_weight": least}
    ends = [
        optimize(returns=past, objective=name, **rule).metrics["volatility"] for name in ("min-variance", "max-return")
    ]
    found = optimize(returns=past, objective="risk-tolerance", tolerance=0.5, **rule)
    check(found, held=held, least=least)
    best = by_hand("target-risk", past, held=held, least=least, target=sum(ends) / 2.0)
    assert found.value == pytest.approx(best, rel=1e-6)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), held=st.integers(1, 4), least=st.sampled_from([0.0, 0.05, 0.2]))
def test_min_variance_of_any_returns(seed: int, held: int, least: float) -> None:
    past = returns(seed, assets=5)
    found = optimize(returns=past, objective="min-variance", max_assets=held, min_weight=least)
    check(found, held=held, least=least)
    assert found.value == pytest.approx(by_hand("min-variance", past, held=held, least=least), rel=1e-6)


def test_constraints_hold_too() -> None:
    past = returns(5)
    rule: dict[str, Any] = {"constraints": ["asset-0 + asset-1 <= 0.3", "asset-2 >= 0.2"]}
    for objective in ("min-variance", "max-sharpe", "min-cvar"):
        found = optimize(returns=past, objective=objective, max_assets=3, min_weight=0.1, **rule)
        check(found, held=3, least=0.1)
        assert found.weights["asset-2"] >= 0.2 - 1e-6
        assert found.value == pytest.approx(by_hand(objective, past, held=3, least=0.1, **rule), rel=1e-5)


def test_shorts_count_as_held() -> None:
    past = returns(8)
    found = optimize(returns=past, objective="min-variance", bounds=(-0.5, 1.0), max_assets=3)
    assert (np.abs(np.asarray(found.weights)) > 1e-6).sum() <= 3
    free = optimize(returns=past, objective="min-variance", bounds=(-0.5, 1.0))
    assert found.value >= free.value


def test_what_cannot_hold_is_named() -> None:
    past = returns(1)
    with pytest.raises(InvalidInput, match="in conflict are: at most 2 assets"):
        optimize(returns=past, objective="min-variance", bounds=(0.0, 0.3), max_assets=2)
    with pytest.raises(InvalidInput, match=r"in conflict are: asset-0 <= 0.1; at most 1 asset and none below 0.5"):
        optimize(
            returns=past, constraints=["asset-0 <= 0.1", "asset-1 <= 0.9"], bounds=([0.05] + [0.0] * 5, 1.0),
            max_assets=1, min_weight=0.5,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"objective": "kelly", "max_assets": 2}, "kelly does not choose a few assets; those that do are max-"),
        ({"objective": "min-variance", "max_assets": 0}, "at least one asset is held, not 0"),
        ({"objective": "min-variance", "min_weight": 0.1, "bounds": (-1.0, 1.0)}, "without shorts"),
        ({"objective": "min-variance", "max_assets": 2, "bounds": (0.0, np.inf)}, "takes finite bounds"),
        ({"objective": "min-variance", "max_assets": 2, "trading_cost": 0.01}, "limit the turnover"),
        ({"objective": "hrp", "max_assets": 2}, "hrp takes no constraints, and its weights break: at most 2 assets"),
    ],
)
def test_refusals(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        optimize(returns=returns(2), **settings)


def test_a_search_that_proves_nothing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenkeel.quant.portfolio.few.MOST_NODES", 3)
    with pytest.raises(InvalidInput, match="3 portfolios do not prove which is best with at most 2 assets"):
        optimize(returns=returns(3), objective="min-variance", max_assets=2)
