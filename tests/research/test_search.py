"""A search tries what it was told to, keeps to its constraints, repeats itself, and finds what a sweep finds."""

from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats
from evenkeel.research.search import proposers
from evenkeel.research.search.conditions import Rules, conditions_of
from evenkeel.research.search.figures import DEFAULT, NAMES, higher_is_better
from evenkeel.research.search.proposers import Method, drawn
from evenkeel.research.search.searching import search
from evenkeel.research.search.space import Range, space_of
from evenkeel.research.search.sweep import sweep
from evenkeel.trading.strategies import Params, SignalStrategy, number
from evenkeel.trading.strategies.sma_crossover import SmaCrossover
from tests.research.searched import GRID, HOW, Peeking, Steps, Waiting
from tests.research.worlds import walk

BARS = walk(400, seed=3, minutes=60)
SPACE: dict[str, Any] = {"fast": Range(2, 12), "slow": Range(8, 40)}
optuna = pytest.mark.skipif(find_spec("optuna") is None, reason="Optuna is not installed: the extra evenkeel[search]")
METHODS = ["grid", "random", pytest.param("tpe", marks=optuna), pytest.param("nsga2", marks=optuna)]


def test_a_grid_search_is_a_sweep() -> None:
    table = sweep("sma-crossover", BARS, grid=GRID, **HOW)
    found = search("sma-crossover", BARS, space=GRID, method="grid", **HOW)
    assert found.table.equals(table)
    best = table.sort("sharpe", descending=True, nulls_last=True).row(0, named=True)
    assert found.best == {"fast": best["fast"], "slow": best["slow"]}
    assert found.front.rows() == [tuple(best.values())]


@pytest.mark.parametrize("method", METHODS)
def test_every_row_is_what_a_sweep_says_of_it(method: Method) -> None:
    found = search("sma-crossover", BARS, space=SPACE, method=method, trials=25, **HOW)
    assert 0 < len(found.table) <= (25 if method != "grid" else 10_000)
    assert not found.table.select("fast", "slow").is_duplicated().any()
    for row in found.table.head(5).to_dicts():
        alone = sweep("sma-crossover", BARS, grid={"fast": [row["fast"]], "slow": [row["slow"]]}, **HOW)
        assert alone.row(0, named=True) == row


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_decides_and_the_workers_do_not(method: Method) -> None:
    how = {**HOW, "space": SPACE | {"fast": [2, 3, 5, 9]}, "method": method, "trials": 20}
    first = search("sma-crossover", BARS, seed=5, **how)
    assert search("sma-crossover", BARS, seed=5, workers=2, **how).table.equals(first.table)
    if method != "grid":
        assert not search("sma-crossover", BARS, seed=6, **how).table.equals(first.table)


@pytest.mark.parametrize("method", METHODS)
def test_a_search_goes_on_where_its_study_ends(method: Method, tmp_path: Path) -> None:
    how = {**HOW, "space": SPACE, "method": method}
    study = tmp_path / "study"
    whole = search("sma-crossover", BARS, trials=30, **how)
    search("sma-crossover", BARS, trials=30, study=study, **how)
    file = study.with_suffix(".jsonl")
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:10]))  # as a kill would leave it
    resumed = search("sma-crossover", BARS, trials=30, study=study, **how)
    assert resumed.resumed == 9
    assert resumed.table.equals(whole.table)


@pytest.mark.parametrize("method", METHODS)
def test_constraints_keep_combinations_from_being_run_or_chosen(method: Method) -> None:
    constraints = ["fast < 6", "trades >= 12", "max_drawdown > -0.5"]
    found = search("sma-crossover", BARS, space=SPACE, method=method, trials=25, constraints=constraints, **HOW)
    assert (found.table["fast"] < 6).all()
    feasible = found.table.filter("feasible")
    assert feasible["trades"].min() >= 12  # type: ignore[operator]
    assert (found.table.filter(~pl.col("feasible"))["trades"] < 12).all()
    best = feasible.sort("sharpe", descending=True, nulls_last=True).row(0, named=True)
    assert found.best == {"fast": best["fast"], "slow": best["slow"]}


def test_nothing_feasible_means_no_best() -> None:
    found = search("sma-crossover", BARS, space=GRID, method="grid", constraints=["trades > 1e6"], **HOW)
    assert found.best is None
    assert len(found.front) == 0
    assert not found.table["feasible"].any()


def test_undefined_objectives_are_never_best() -> None:
    found = search(Waiting, BARS, space={"period": [2, 1, 4]}, method="grid", **HOW)
    assert found.best == {"period": 1}


@optuna
@pytest.mark.parametrize("method", ["tpe", "nsga2"])
def test_trials_that_fail_or_may_not_run_do_not_stop_a_search(method: Method) -> None:
    found = search(Waiting, BARS, space={"period": Range(1, 6)}, method=method, trials=20, **HOW)
    assert found.best == {"period": 1}
    assert {one.params["period"] for one in found.refused} <= {3}


@optuna
def test_a_better_guess_than_chance() -> None:
    """TPE, given half of what the grid has, comes close to the grid's best."""
    table = sweep("sma-crossover", BARS, grid={"fast": range(2, 12), "slow": range(12, 40)}, **HOW)
    space = {"fast": Range(2, 11), "slow": Range(12, 39)}
    found = search("sma-crossover", BARS, space=space, method="tpe", trials=100, seed=1, **HOW)
    top = table["sharpe"].quantile(0.98)
    assert found.table["sharpe"].max() >= top  # type: ignore[operator]


@pytest.mark.parametrize("method", METHODS)
def test_the_front_has_what_nothing_beats(method: Method) -> None:
    objectives = ["total_return", "max_drawdown", "fills"]
    with pytest.raises(InvalidInput, match="neither more nor less fills"):
        search("sma-crossover", BARS, space=SPACE, objective=objectives, method=method, **HOW)
    objectives = ["total_return", "max_drawdown", "volatility"]
    found = search("sma-crossover", BARS, space=SPACE, objective=objectives, method=method, trials=40, **HOW)
    signs = [1.0 if higher_is_better(name) else -1.0 for name in objectives]
    points = [tuple(s * v for s, v in zip(signs, row, strict=True)) for row in found.table.select(objectives).rows()]

    def beaten(point: tuple[float, ...]) -> bool:
        return any(all(a >= b for a, b in zip(other, point, strict=True)) and other != point for other in points)

    wanted = [row for row, point in zip(found.table.rows(), points, strict=True) if not beaten(point)]
    assert found.front.rows() == wanted


def test_random_draws_all_there_is_and_stops() -> None:
    found = search("sma-crossover", BARS, space=GRID, method="random", trials=500, **HOW)
    assert len(found.table) == 12


@pytest.mark.parametrize("trials", [11, 12, 10**9])
def test_what_is_drawn_from_few_combinations_is_drawn_at_once(trials: int) -> None:
    space = space_of(SmaCrossover(), {"fast": [5, 10, 60], "slow": [50, 100, 150, 200]}, fixed={})
    found = drawn(space, trials=trials, seed=1)
    assert len(found) == len({tuple(one.items()) for one in found}) == 11
    assert found == drawn(space, trials=trials, seed=1)
    assert found != space.every()


def test_ranges_are_drawn_from_whole_and_logarithmically() -> None:
    space = space_of(Steps(), {"period": Range(3, 40, log=True), "scale": Range(0.2, 0.9)}, fixed={})
    draws = [space.drawn(Random(seed)) for seed in range(300)]
    assert {type(one["period"]) for one in draws} == {int}
    assert all(3 <= one["period"] <= 40 and 0.2 <= one["scale"] <= 0.9 for one in draws)  # type: ignore[operator]
    assert sum(one["period"] < 11 for one in draws) > 100  # type: ignore[operator]
    with pytest.raises(InvalidInput, match="a grid needs values or a step for period"):
        space.every()


@given(low=st.integers(1, 50), more=st.integers(0, 50), step=st.integers(1, 7))
def test_a_range_with_steps_is_a_python_range(low: int, more: int, step: int) -> None:
    high = low + more
    space = space_of(SmaCrossover(), {"fast": Range(low, high, step)}, fixed={"slow": 1000})
    assert space.values("fast") == tuple(range(low, high + 1, step))
    assert space.size == len(space.every()) == len(range(low, high + 1, step))


def test_steps_of_real_numbers_reach_the_end() -> None:
    space = space_of(Steps(), {"scale": Range(0.1, 0.3, 0.1)}, fixed={})
    assert space.values("scale") == pytest.approx((0.1, 0.2, 0.3))


@pytest.mark.parametrize(("low", "high", "more"), [(3, 2, {}), (1, 2, {"step": 0}), (0, 2, {"log": True})])
def test_a_range_goes_somewhere(low: float, high: float, more: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="range"):
        Range(low, high, **more)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"method": "magic"}, "expected grid, random, tpe or nsga2, not 'magic'"),
        ({"trials": 0}, "trials: expected"),
        ({"objective": []}, "needs an objective"),
        ({"objective": "sharp"}, "no figure 'sharp'"),
        ({"objective": "trades"}, "neither more nor less trades"),
        ({"space": {"fast": Range(0, 5)}}, "fast: expected a whole number"),
        ({"space": {"fast": range(1, 400), "slow": [1000], "allow_short": [True, False]} | {}}, None),
    ],
)
def test_what_cannot_be_searched_is_refused(more: dict[str, Any], said: str | None) -> None:
    given_: dict[str, Any] = {"space": SPACE, "method": "random", "trials": 3, **HOW, **more}
    if said is None:
        assert len(search("sma-crossover", BARS, **given_).table) == 3
        return
    with pytest.raises(InvalidInput, match=said):
        search("sma-crossover", BARS, **given_)


def test_a_grid_too_large_is_refused() -> None:
    space = space_of(Steps(), {"period": Range(3, 40), "scale": Range(0.1, 1.0, 1e-6)}, fixed={})
    with pytest.raises(InvalidInput, match="too large"):
        space.every()


@pytest.mark.parametrize(("high", "step"), [(400, 1e-320), (400, 1e-9), (float("inf"), 1), (float("inf"), None)])
def test_a_range_of_countless_steps_is_refused(high: float, step: float | None) -> None:
    with pytest.raises(InvalidInput, match="at most 10,000,000 steps"):
        Range(1, high, step)


def test_a_strategy_that_looks_ahead_is_refused() -> None:
    with pytest.raises(InvalidInput, match="looks ahead"):
        search(Peeking, BARS, space={"period": [1, 2]}, **HOW)


def test_without_optuna_the_method_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(InvalidInput, match="Optuna, which is not installed") as caught:
        search("sma-crossover", BARS, space=SPACE, method="tpe", **HOW)
    assert "evenkeel[search]" in (caught.value.hint or "")


def test_progress_counts_the_trials() -> None:
    told: list[tuple[int, int]] = []
    search(
        "sma-crossover", BARS, space=SPACE, trials=30, progress=lambda done, total, _: told.append((done, total)), **HOW
    )
    assert told[-1] == (30, 30)


@pytest.mark.parametrize(
    ("text", "values", "holds"),
    [
        ("fast < slow", {"fast": 3, "slow": 3}, False),
        ("fast <= slow", {"fast": 3, "slow": 3}, True),
        ("trades >= 30", {"trades": 30}, True),
        ("trades>30", {"trades": 30}, False),
        ("max_drawdown > -0.2", {"max_drawdown": -0.1}, True),
        ("sharpe > 1e-1", {"sharpe": None}, False),
    ],
)
def test_conditions_are_read_as_they_are_written(text: str, values: dict[str, Any], holds: bool) -> None:
    (condition,) = conditions_of([text], values)
    assert condition.holds(values) is holds
    assert (condition.violation(values) <= 0.0) is holds


def test_conditions_are_sorted_by_what_they_need() -> None:
    rules = Rules.of(["fast < slow", "trades > fast"], ["fast", "slow"])
    assert [str(one) for one in rules.on_params] == ["fast < slow"]
    assert rules.figures == ["trades"]
    assert rules.allow({"fast": 3}, {"trades": 4})
    assert not rules.allow({"fast": 4}, {"trades": 4})


@pytest.mark.parametrize("text", ["", "trades", "trades = 3", "trades > inf", "trades > x y", "< 3", "loot > 3"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        conditions_of([text], NAMES)


def test_the_default_figures_are_known() -> None:
    assert set(DEFAULT) < set(NAMES)
    assert proposers.Method.__args__ == ("grid", "random", "tpe", "nsga2")  # type: ignore[attr-defined]


class Scaled(SignalStrategy):
    """Holds a share of the size from the first bar on."""

    name = "scaled"
    parameters = (number("share", 1.0, -1.0, 1.0),)

    def warmup(self, params: Params) -> int:
        return 0

    def signals(self, bars: Bars, params: Params) -> Floats:
        return np.full(len(bars), params.number("share"))


@pytest.mark.parametrize("engine", ["compiled", "event"])
@pytest.mark.parametrize("minutes", [24 * 60, 60])
def test_an_account_that_was_ruined_is_never_the_best(engine: Any, minutes: int) -> None:
    """Also where it was ruined within a day and had more than it began with by the end of it."""
    prices = [100.0, 100.0, 100.0, 85.0, 120.0, 150.0]
    ts = np.arange(6) * minutes * 60 * 10**9
    bars = Bars(ts, prices, prices, prices, prices, timeframe="1d" if minutes > 60 else "1h")
    how: dict[str, Any] = {"cash": 1_000, "size": 100, "fees": "zero", "engine": engine}
    grid = {"share": [0.1, 0.5, 1.0]}
    found = search(Scaled, bars, space=grid, objective="total_return", method="grid", **how)
    assert found.table["feasible"].to_list() == [True, True, False]
    assert found.best == {"share": 0.5}
    assert found.front["share"].to_list() == [0.5]
    table = sweep(Scaled, bars, grid=grid, sort="total_return", **how)
    assert table["share"].to_list() == [0.5, 0.1, 1.0]
    assert table["feasible"].to_list() == [True, True, False]
    short = search(Scaled, bars, space={"share": [-0.3, -0.1]}, objective="total_return", method="grid", **how)
    assert short.table["feasible"].to_list() == [False, True]


def test_ruin_is_kept_in_a_study(tmp_path: Path) -> None:
    prices = [100.0, 100.0, 100.0, 85.0, 120.0, 150.0]
    bars = Bars(np.arange(6) * 86_400 * 10**9, prices, prices, prices, prices, timeframe="1d")
    how: dict[str, Any] = {"cash": 1_000, "size": 100, "fees": "zero", "study": tmp_path / "study.jsonl"}
    first, again = (sweep(Scaled, bars, grid={"share": [0.5, 1.0]}, **how) for _ in range(2))
    assert first.equals(again)
    assert again["feasible"].to_list() == [True, False]
