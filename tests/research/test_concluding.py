"""A search to its end: judged by everything it tried, told on a sheet, and kept in a file with its table."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from evenkeel.domain.errors import InvalidInput, NotFound
from evenkeel.quant import analytics
from evenkeel.research import keeping
from evenkeel.research.backtest.run import backtest
from evenkeel.research.concluding import FRONT, conclude, summary_of
from evenkeel.research.report import Searched, search_sheet, sweep_heat_map, tear_sheet
from evenkeel.research.report.heat import heat_grid
from evenkeel.research.search.searching import search
from evenkeel.research.search.space import Range
from evenkeel.research.search.study import header_of, path_of
from evenkeel.research.validation import judge, overfitting
from evenkeel.research.walkforward import walk_forward
from evenkeel.trading.strategies.evaluate import evaluate, fold
from evenkeel.trading.strategies.sma_crossover import SmaCrossover
from tests.research.reported import Page
from tests.research.searched import GRID, HOW, Waiting
from tests.research.test_compiled import Told
from tests.research.worlds import walk

BARS = walk(1_500, seed=8, minutes=240)
WALK: dict[str, Any] = {"train": 600, "test": 300}


def test_a_grid_is_judged_as_overfitting_judges_it() -> None:
    found = search("sma-crossover", BARS, space=GRID, method="grid", **HOW)
    told: list[tuple[int, int]] = []
    verdict = judge(found, progress=lambda done, of, _: told.append((done, of)))
    known = overfitting("sma-crossover", BARS, grid=GRID, **HOW)
    assert verdict.best == known.best == {"allow_short": False, **(found.best or {})}
    assert (verdict.probability, verdict.trials) == (known.probability, known.trials)
    assert verdict.deflated_sharpe == pytest.approx(known.deflated_sharpe)
    assert told == [(done, 12) for done in range(1, 13)]


def test_what_was_chosen_is_judged_not_what_has_the_best_sharpe() -> None:
    found = search("sma-crossover", BARS, space=GRID, method="grid", objective="max_drawdown", **HOW)
    verdict = judge(found, workers=2)
    assert found.chosen is not None
    assert verdict.best == dict(found.chosen)
    assert verdict.result.total_return == found.result.total_return
    assert verdict.sharpe == pytest.approx(found.result.metrics["sharpe"])
    assert verdict.result.metrics["deflated_sharpe"] == pytest.approx(verdict.deflated_sharpe)


def test_a_walk_forward_is_judged_on_the_days_it_traded() -> None:
    found = walk_forward("sma-crossover", BARS, grid=GRID, **WALK, **HOW)
    verdict = judge(found)
    traded, seen = BARS.between(*found.traded), BARS.between(end=found.traded.end)
    columns = []
    for one in found.tried:
        targets = fold(evaluate(SmaCrossover(), seen, one))[-len(traded) :].tolist()
        columns.append(backtest(Told(targets), traded, check=False, **HOW).daily.returns)
    assert len(columns) == verdict.trials.number == 12
    matrix = np.column_stack(columns)
    sharpes = np.array([analytics.evidence(column).sharpe for column in matrix.T.copy()])
    assert verdict.trials == pytest.approx(analytics.trials_of(sharpes))
    assert verdict.probability == analytics.probability_of_overfitting(matrix).probability
    own = analytics.evidence(found.result.daily.returns)
    assert verdict.deflated_sharpe == pytest.approx(analytics.deflated_sharpe(own, verdict.trials))
    assert verdict.result.metrics["deflated_sharpe"] == pytest.approx(verdict.deflated_sharpe)


@pytest.mark.parametrize(
    ("space", "more", "said"),
    [
        ({"fast": [3], "slow": [9]}, {}, "a choice needs two or more"),
        (GRID, {"constraints": ["trades >= 100000"]}, "none of 12 combinations qualifies"),
    ],
)
def test_what_cannot_be_judged_is_refused(space: Any, more: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        judge(search("sma-crossover", BARS, space=space, method="grid", **more, **HOW))


def test_more_than_memory_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = search("sma-crossover", BARS, space=GRID, method="grid", **HOW)
    monkeypatch.setattr("evenkeel.research.validation._MOST_CELLS", 1000)
    with pytest.raises(InvalidInput, match="more than can be judged at once"):
        judge(found)


def test_walks_of_other_parameters_have_other_fingerprints() -> None:
    one, same = (walk_forward("sma-crossover", BARS, grid=GRID, **WALK, **HOW).result for _ in range(2))
    other = walk_forward("sma-crossover", BARS, grid={"fast": [7], "slow": [30]}, **WALK, **HOW).result
    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_the_sheet_of_a_sweep_tells_of_the_search() -> None:
    found = search("sma-crossover", BARS, space=GRID, method="grid", constraints=["fast < 5"], **HOW)
    page = Page(search_sheet(Searched(found, judge(found)), bootstrap=50))
    for said in (
        "the best of a search",
        "9 combinations were tried, under the rules fast < 5. This sheet shows the one with the highest Sharpe ratio.",
        "Sharpe ratio by fast and slow",
        "Probability of overfitting",
        "After 9 trials",
        "The days were split in half",
        "All of them",
    ):
        assert said in page.text
    assert "May not run" in page.text


def test_the_sheet_of_a_walk_tells_each_window() -> None:
    found = walk_forward("sma-crossover", BARS, grid=GRID, objective="total_return", **WALK, **HOW)
    page = Page(search_sheet(Searched(found, judge(found)), bootstrap=50))
    for said in (
        "walk-forward, out of sample",
        "chosen anew in each window",
        "Window by window",
        "Total return before",
        "Each of 3 windows was traded with the parameters that had the highest total return before it",
    ):
        assert said in page.text
    for window in found.windows:
        assert f"fast {window.params['fast']}, slow {window.params['slow']}" in page.text  # type: ignore[index]


def test_a_sheet_without_a_verdict_says_why() -> None:
    found = search("sma-crossover", BARS.rows(0, 150), space=GRID, method="grid", **HOW)
    with pytest.raises(InvalidInput) as caught:
        judge(found)
    page = Page(search_sheet(Searched(found, unjudged=caught.value.message), bootstrap=0))
    assert "How much of it is luck could not be told: returns: expected 32 periods or more" in page.text
    plain = Page(tear_sheet(found.result, bootstrap=0))
    assert "The search" not in plain.text


def test_one_parameter_has_no_heat_map_and_three_are_folded() -> None:
    one = search("sma-crossover", BARS, space={"fast": [2, 3, 5]}, method="grid", params={"slow": 21}, **HOW)
    assert 'class="ek-heat"' not in search_sheet(Searched(one), bootstrap=0)
    three = search("sma-crossover", BARS, space={**GRID, "allow_short": [False, True]}, method="grid", **HOW)
    page = search_sheet(Searched(three), bootstrap=0)
    assert "Each cell is the median over allow_short." in page
    with pytest.raises(InvalidInput, match="several rows have the same fast and slow"):
        sweep_heat_map(three.table, x="fast", y="slow", value="sharpe")
    with pytest.raises(InvalidInput, match="expected a figure, not one of the two"):
        heat_grid(three.table, x="fast", y="slow", value="slow", others="max")
    grid = heat_grid(three.table, x="fast", y="slow", value="sharpe", others="max")
    best = three.table.group_by("fast", "slow").agg(pl.col("sharpe").max()).sort("slow", "fast")
    assert grid.values.ravel().tolist() == best["sharpe"].to_list()


def test_what_is_concluded_is_kept_whole(tmp_path: Path) -> None:
    aims = ["total_return", "max_drawdown"]
    found = search("sma-crossover", BARS, space=GRID, method="grid", objective=aims, **HOW)
    searched = Searched(found, judge(found))
    done = conclude(searched)
    assert done.summary["search"] == summary_of(searched)
    assert done.summary["metrics"]["deflated_sharpe"] == pytest.approx(
        done.summary["search"]["verdict"]["deflated_sharpe"]
    )
    assert done.table[FRONT].sum() == len(found.front) == done.summary["search"]["front"]
    file = tmp_path / "one.npz"
    keeping.keep(done.result, done.report, file, table=done.table)
    assert keeping.table(file).equals(done.table)
    assert keeping.report(file).decode() == done.report
    keeping.keep(done.result, done.report, file)
    with pytest.raises(NotFound, match="a single backtest has none"):
        keeping.table(file)


def test_a_walk_is_kept_with_its_windows(tmp_path: Path) -> None:
    found = walk_forward(Waiting, BARS, grid={"period": [2, 1, 4]}, **WALK, **HOW)
    done = conclude(Searched(found, unjudged="because"))
    assert done.table.columns[:6] == ["train_start", "train_end", "test_start", "test_end", "period", "tried"]
    assert (done.summary["search"]["windows"], done.summary["search"]["unjudged"]) == (len(found.windows), "because")
    assert done.summary["search"]["best"] is None


def test_windows_without_a_choice_keep_their_columns() -> None:
    found = walk_forward("sma-crossover", BARS, grid=GRID, constraints=["trades >= 90000"], **WALK, **HOW)
    frame = found.to_frame()
    assert frame.columns[4:7] == ["fast", "slow", "tried"]
    assert frame["fast"].is_null().all()


def test_the_best_come_first_and_what_does_not_qualify_last() -> None:
    found = search("sma-crossover", BARS, space=GRID, method="grid", constraints=["fast > 3", "trades >= 60"], **HOW)
    rows = found.ranked()
    assert rows["feasible"].to_list() == sorted(found.table["feasible"].to_list(), reverse=True)
    qualified = rows.filter("feasible")["sharpe"].to_list()
    assert qualified == sorted(qualified, reverse=True)
    cheap = search("sma-crossover", BARS, space=GRID, method="grid", objective="fees", **HOW | {"fees": "us-per-share"})
    assert cheap.ranked()["fees"].is_sorted()


def test_a_folder_of_studies_finds_the_same_search_again(tmp_path: Path) -> None:
    first = search("sma-crossover", BARS, space=GRID, method="grid", study=tmp_path, **HOW)
    again = search("sma-crossover", BARS, space=GRID, method="grid", study=tmp_path, **HOW)
    other = search("sma-crossover", BARS, space=GRID, method="grid", study=tmp_path, **HOW | {"cash": 5000})
    assert (first.resumed, again.resumed, other.resumed) == (0, 12, 0)
    assert len(list(tmp_path.iterdir())) == 2
    assert path_of(tmp_path, header_of(first.plan.bench)).is_file()


def test_progress_begins_with_nothing_and_knows_how_many() -> None:
    told: list[tuple[int, int]] = []
    space: dict[str, Any] = {"fast": Range(2, 5), "slow": [9, 20]}
    search("sma-crossover", BARS, space=space, method="grid", progress=lambda *one: told.append(one[:2]), **HOW)
    assert told[0] == (0, 8)
    assert told[-1] == (8, 8)
