"""Every objective against a general solver that knows nothing of it, and in rooms of every kind."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.analytics.series import Floats
from evenkeel.quant.portfolio import tails
from evenkeel.quant.portfolio.constraints import Names, parse_all
from evenkeel.quant.portfolio.objectives import OBJECTIVES, Inputs, objective, solve
from evenkeel.quant.portfolio.room import Room

N = 6
NAMES = Names([f"A{place}" for place in range(N)], {"tech": ["A0", "A1"], "rest": ["A2", "A3", "A4", "A5"]})
OPTIONS: dict[str, dict[str, float]] = {"target-return": {"target": 0.0}, "target-risk": {"target": 0.0}}


def inputs(seed: int, days: int = 60) -> Inputs:
    random = np.random.default_rng(seed)
    market = random.normal(0.0004, 0.01, size=(days, 1))
    returns = market * random.uniform(0.4, 1.6, size=N) + random.normal(0.0004, 0.012, size=(days, N))
    benchmark = random.dirichlet(np.ones(N))
    return Inputs(returns.mean(axis=0), np.cov(returns.T), returns, 0.0, 1.0, benchmark)


def rooms() -> dict[str, Room]:
    zero, one = np.zeros(N), np.ones(N)
    rows = parse_all(["tech <= 0.5", "A5 >= 0.05", "A3 - A4 <= 0.1"], NAMES)
    return {
        "long only": Room(zero, one),
        "bounds": Room(np.full(N, 0.02), np.full(N, 0.4)),
        "shorts": Room(np.full(N, -0.2), np.full(N, 0.6)),
        "rows": Room(zero, one, rows=rows),
        "rows and bounds": Room(zero, np.full(N, 0.35), rows=rows),
        "turnover": Room(zero, one, rows=rows, present=np.full(N, 1.0 / N), turnover=0.5),
        "gross": Room(np.full(N, -0.3), one, gross=1.3),
    }


ROOMS = rooms()


def costs(known: Inputs, options: dict[str, float]) -> dict[str, Callable[[Floats], float]]:
    """What each objective makes least, written down anew."""
    mean, covariance, past = known.mean, known.covariance, known.returns
    assert past is not None
    assert known.benchmark is not None
    benchmark = known.benchmark

    def risk(w: Floats) -> float:
        return float(np.sqrt(w @ covariance @ w))

    return {
        "min-variance": lambda w: risk(w) ** 2,
        "max-sharpe": lambda w: -float(w @ mean) / risk(w),
        "max-return": lambda w: -float(w @ mean),
        "max-utility": lambda w: -float(w @ mean) + 1.25 * risk(w) ** 2,
        "max-diversification": lambda w: -float(np.sqrt(np.diag(covariance)) @ w) / risk(w),
        "tracking-error": lambda w: float((w - benchmark) @ covariance @ (w - benchmark)),
        "min-semi-variance": lambda w: float((np.minimum(past @ w, 0.0) ** 2).mean()),
        "kelly": lambda w: -float(np.log1p(past @ w).mean()),
        "robust": lambda w: -float(w @ mean) + risk(w) / np.sqrt(len(past)) + 1.25 * risk(w) ** 2,
        "min-cvar": lambda w: tails.cvar(past, w, 0.95),
        "min-cdar": lambda w: tails.cdar(past, w, 0.95),
        "min-drawdown": lambda w: float(tails.drawdowns(past, w).max()),
        "min-deviation": lambda w: tails.absolute_deviation(past, w),
    }


def general(cost: Callable[[Floats], float], room: Room, begin: Floats) -> float:
    """The least cost that sequential quadratic programming finds from `begin`."""
    matrix, lows, highs = room.matrix()
    held = [{"type": "eq", "fun": lambda w: w.sum() - room.total}]
    held += [{"type": "ineq", "fun": lambda w: highs - matrix @ w}] if np.isfinite(highs).any() else []
    held = [held[0]]
    for row, low, high in zip(matrix, lows, highs, strict=True):
        if np.isfinite(low):
            held.append({"type": "ineq", "fun": lambda w, row=row, low=low: row @ w - low})
        if np.isfinite(high):
            held.append({"type": "ineq", "fun": lambda w, row=row, high=high: high - row @ w})
    scale = abs(cost(begin)) or 1.0
    found = minimize(
        lambda w: cost(w) / scale, begin, method="SLSQP", constraints=held,
        bounds=list(zip(room.lower, room.upper, strict=True)), options={"maxiter": 500, "ftol": 1e-14},
    )  # fmt: skip
    return float(found.fun) * scale


SMOOTH = ("min-variance", "max-sharpe", "max-return", "max-utility", "max-diversification", "tracking-error",
          "min-semi-variance", "kelly", "robust")  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("kind", ["long only", "bounds", "shorts", "rows", "rows and bounds"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_value_is_that_of_a_general_solver(name: str, kind: str, seed: int) -> None:
    known, room = inputs(seed), ROOMS[kind]
    weights, _ = solve(objective(name), known, room, {})
    assert room.breaches(weights, 1e-7) == []
    cost = costs(known, {})[name]
    oracle = min(general(cost, room, begin) for begin in (np.full(N, 1.0 / N), weights))
    assert cost(weights) <= oracle + 1e-6 * max(abs(oracle), 1e-9)


@pytest.mark.parametrize("name", ["min-cvar", "min-cdar", "min-drawdown", "min-deviation"])
@pytest.mark.parametrize("kind", list(ROOMS))
def test_no_other_portfolio_has_a_lesser_worst(name: str, kind: str) -> None:
    """These have corners, where a smooth solver gets stuck: many portfolios of the room are tried, near and far."""
    known, room = inputs(4), ROOMS[kind]
    weights, value = solve(objective(name), known, room, {})
    assert room.breaches(weights, 1e-7) == []
    cost = costs(known, {})[name]
    assert value == pytest.approx(cost(weights))
    random = np.random.default_rng(0)
    for width in (0.3, 0.03, 0.003):
        for _ in range(300):
            step = random.normal(0.0, width, size=N)
            other = weights + step - step.mean()
            if not room.breaches(other, 1e-9):
                assert cost(other) >= value - 1e-9


@pytest.mark.parametrize("name", [one for one in OBJECTIVES if OBJECTIVES[one].any_room])
@pytest.mark.parametrize("kind", list(ROOMS))
def test_every_objective_keeps_to_every_room(name: str, kind: str) -> None:
    known, room = inputs(7), ROOMS[kind]
    least = solve(objective("min-variance"), known, room, {})[0]
    most = solve(objective("max-return"), known, room, {})[0]
    options = {
        "target-return": {"target": float((least @ known.mean + most @ known.mean) / 2.0)},
        "target-risk": {"target": (known.risk(least) + known.risk(most)) / 2.0},
    }.get(name, {})
    weights, _ = solve(objective(name), known, room, options)
    assert room.breaches(weights) == []
    if name == "target-return":
        assert weights @ known.mean >= options["target"] - 1e-7
    if name == "target-risk":
        assert known.risk(weights) <= options["target"] + 1e-7


@pytest.mark.parametrize("kind", ["turnover", "gross"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_least_semi_variance_of_what_may_be_traded(kind: str, seed: int) -> None:
    """Against a general solver, which splits what is measured into what is bought and what is sold."""
    known, room = inputs(seed), ROOMS[kind]
    weights, _ = solve(objective("min-semi-variance"), known, room, {})
    cost, ((origin, most),) = costs(known, {})["min-semi-variance"], room.parts()
    matrix, _, highs = room.matrix()

    def at(x: Floats) -> Floats:
        return np.asarray(origin + x[:N] - x[N:])

    held = [{"type": "eq", "fun": lambda x: at(x).sum() - 1.0}, {"type": "ineq", "fun": lambda x: most - x.sum()}]
    held += [
        {"type": "ineq", "fun": lambda x: at(x) - room.lower},
        {"type": "ineq", "fun": lambda x: room.upper - at(x)},
    ]
    if kind == "turnover":
        lows = room.matrix()[1]
        above, below = np.isfinite(highs), np.isfinite(lows)
        held += [{"type": "ineq", "fun": lambda x: (highs - matrix @ at(x))[above]}]
        held += [{"type": "ineq", "fun": lambda x: (matrix @ at(x) - lows)[below]}]
    first = weights - origin
    begin = np.concatenate((np.maximum(first, 0.0), np.maximum(-first, 0.0)))
    scale = cost(weights)
    found = minimize(lambda x: cost(at(x)) / scale, begin, method="SLSQP", constraints=held,
                     bounds=[(0.0, None)] * (2 * N), options={"maxiter": 500, "ftol": 1e-14})  # fmt: skip
    assert cost(weights) <= float(found.fun) * scale * (1 + 1e-6)


@pytest.mark.parametrize("kind", list(ROOMS))
def test_a_risk_tolerance_divides_the_way_from_least_risk_to_most_return(kind: str) -> None:
    known, room = inputs(5), ROOMS[kind]
    careful, _ = solve(objective("min-variance"), known, room, {})
    bold, most = solve(objective("max-return"), known, room, {})
    ends = known.risk(careful), known.risk(bold)
    one = objective("risk-tolerance")
    reached = 0.0
    for share in (0.0, 0.25, 0.5, 0.9, 1.0):
        weights, reached = solve(one, known, room, {"tolerance": share})
        assert room.breaches(weights) == []
        assert known.risk(weights) == pytest.approx(ends[0] + share * (ends[1] - ends[0]), rel=1e-5)
    assert reached == pytest.approx(most)
    assert solve(one, known, room, {"tolerance": 0.0})[0] == pytest.approx(careful, abs=1e-6)
    assert known.risk(solve(one, known, room, {"tolerance": 1e-12})[0]) == pytest.approx(ends[0], rel=1e-6)


@given(seed=st.integers(0, 10**6), shares=st.lists(st.floats(0.0, 1.0), min_size=2, max_size=2))
@settings(max_examples=30)
def test_more_tolerance_is_more_risk_and_more_return(seed: int, shares: list[float]) -> None:
    known, room = inputs(seed), ROOMS["long only"]
    low, high = (solve(objective("risk-tolerance"), known, room, {"tolerance": one}) for one in sorted(shares))
    assert known.risk(low[0]) <= known.risk(high[0]) + 1e-9
    assert low[1] <= high[1] + 1e-9


def test_a_tolerance_where_there_is_nothing_to_choose() -> None:
    known = inputs(1)
    alike = Inputs(np.zeros(N), known.covariance, known.returns)
    careful, _ = solve(objective("min-variance"), alike, ROOMS["long only"], {})
    for kind in ("long only", "rows"):
        weights, _ = solve(objective("risk-tolerance"), alike, ROOMS[kind], {"tolerance": 0.7})
        assert ROOMS[kind].breaches(weights) == []
    assert solve(objective("risk-tolerance"), alike, ROOMS["long only"], {})[0] == pytest.approx(careful, abs=1e-6)
    with pytest.raises(InvalidInput, match=r"from 0 \(least variance\) to 1"):
        solve(objective("risk-tolerance"), known, ROOMS["long only"], {"tolerance": 1.1})


@given(seed=st.integers(0, 10**6))
@settings(max_examples=30)
def test_between_least_risk_and_most_return_both_targets_meet(seed: int) -> None:
    known, room = inputs(seed), ROOMS["long only"]
    line = known.line(room)
    risk = float(line.risks[-1] * 0.5 + line.risks[0] * 0.5)
    by_risk, reached = solve(objective("target-risk"), known, room, {"target": risk})
    by_return, variance = solve(objective("target-return"), known, room, {"target": reached})
    assert np.sqrt(variance) == pytest.approx(risk, rel=1e-6)
    assert by_return == pytest.approx(by_risk, abs=1e-5)


def test_costs_of_trading_keep_what_is_held() -> None:
    known = inputs(9)
    present = np.full(N, 1.0 / N)
    room = Room(np.zeros(N), np.ones(N), present=present)
    free, _ = solve(objective("min-variance"), known, room, {})
    dear = Inputs(known.mean, known.covariance, known.returns, trading=np.full(N, 1.0))
    kept, _ = solve(objective("min-variance"), dear, room, {})
    some = Inputs(known.mean, known.covariance, known.returns, trading=np.full(N, 2e-5))
    between, _ = solve(objective("min-variance"), some, room, {})
    assert kept == pytest.approx(present, abs=1e-6)
    moved = [float(np.abs(one - present).sum()) for one in (kept, between, free)]
    assert moved[0] < moved[1] < moved[2]


@pytest.mark.parametrize("name", ["risk-parity", "inverse-volatility", "equal-weight", "hrp", "herc", "nco"])
def test_what_takes_no_constraints_says_which_it_breaks(name: str) -> None:
    known = inputs(3)
    weights, _ = solve(objective(name), known, ROOMS["long only"], {})
    assert weights.sum() == pytest.approx(1.0)
    assert np.all(weights >= 0.0)
    tight = Room(np.zeros(N), np.ones(N), rows=parse_all(["tech <= 0.01"], NAMES))
    with pytest.raises(InvalidInput, match=r"takes no constraints, and its weights break: tech <= 0\.01"):
        solve(objective(name), known, tight, {})


def test_names_are_found_as_people_write_them() -> None:
    assert objective("Max Sharpe").name == "max-sharpe"
    assert objective("minimum_variance").name == "min-variance"
    with pytest.raises(InvalidInput, match="did you mean max-sharpe"):
        objective("max-sharp")


def test_options_are_checked() -> None:
    known, room = inputs(1), ROOMS["long only"]
    with pytest.raises(InvalidInput, match="takes target="):
        solve(objective("target-return"), known, room, {})
    with pytest.raises(InvalidInput, match="has no option 'confidnce'; its options: confidence"):
        solve(objective("min-cvar"), known, room, {"confidnce": 0.9})
    with pytest.raises(InvalidInput, match=r"between 0\.5 and 1"):
        solve(objective("min-cvar"), known, room, {"confidence": 1.0})
    with pytest.raises(InvalidInput, match="past returns"):
        solve(objective("min-cvar"), Inputs(known.mean, known.covariance), room, {})
    for strange in (float("nan"), float("inf"), "0.1", None):
        with pytest.raises(InvalidInput, match="target is a finite number"):
            solve(objective("target-return"), known, room, {"target": strange})  # type: ignore[dict-item]
    with pytest.raises(InvalidInput, match="doubt is 0 or more"):
        solve(objective("robust"), known, room, {"doubt": -1.0})
