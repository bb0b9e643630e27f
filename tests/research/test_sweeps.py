"""A sweep's rows are backtests, each of them; what it refuses it says; and it goes on where it was killed."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evenkeel as ek
from evenkeel.domain.errors import Conflict, InvalidInput, NotReady
from evenkeel.research.backtest.finding import StrategyLike
from evenkeel.research.search.figures import DEFAULT, NAMES, is_quick
from evenkeel.research.search.study import Study, read_study
from evenkeel.research.search.sweep import CombinationsRefused, run_sweep, sweep
from tests.research.searched import GRID, HOW, Every, Failing, Peeking, Steps, Waiting
from tests.research.worlds import D, walk
from tests.services import ROOT

BARS = walk(400, seed=3, minutes=60)


def expected(strategy: StrategyLike, params: dict[str, Any], **how: Any) -> dict[str, Any]:
    """The default figures of one backtest."""
    said = ek.backtest(strategy, BARS, params=params, check=False, **how).summary()
    figures = {**said["metrics"], **said}
    return {name: figures[name] for name in DEFAULT}


def agree(row: dict[str, Any], wanted: dict[str, Any]) -> None:
    """To the last bit; fees alone are added in another order."""
    for name, value in wanted.items():
        assert row[name] == (pytest.approx(value, rel=1e-12) if name == "fees" else value), name


OPTIONS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    dict[str, st.SearchStrategy[Any]](
        size=st.sampled_from([1, 250, ek.Cash(D(20000)), ek.PercentOfEquity(D("0.9")), ek.VolatilityTarget(0.2)]),
        fees=st.sampled_from([ek.NoFee(), ek.PercentFee("0.0005"), ek.PerShareFee("0.01", minimum="1")]),
        fill=st.sampled_from(["next-open", "close", "limit"]),
        slippage=st.sampled_from([0.0, 2.5]),
    ),
    optional={"stop_loss": st.just(0.01), "take_profit": st.just(0.02), "trailing_stop": st.just(0.015)},
)


@settings(max_examples=25)
@given(how=OPTIONS, by_steps=st.booleans())
def test_each_row_is_the_backtest_of_its_combination(how: dict[str, Any], by_steps: bool) -> None:
    strategy: StrategyLike = Steps if by_steps else "sma-crossover"
    grid: dict[str, Any] = {"period": [2, 5], "scale": [0.4, 1]} if by_steps else {"fast": [2, 4], "slow": [9, 20]}
    table = sweep(strategy, BARS, grid=grid, check=False, **how)
    assert table.columns == [*grid, *DEFAULT]
    for row in table.to_dicts():
        agree(row, expected(strategy, {name: row[name] for name in grid}, **how))


def test_two_workers_find_the_same() -> None:
    how = {**HOW, "fees": ek.PercentFee("0.0005")}
    alone, both = (sweep("sma-crossover", BARS, grid=GRID, workers=workers, **how) for workers in (1, 2))
    assert alone.equals(both)
    agree(both.row(5, named=True), expected("sma-crossover", {"fast": 3, "slow": 21}, **how))


def test_the_last_parameter_changes_fastest_unless_sorted() -> None:
    plain = sweep("sma-crossover", BARS, grid=GRID, **HOW)
    assert plain.select("fast", "slow").rows()[:4] == [(2, 8), (2, 13), (2, 21), (3, 8)]
    best = sweep("sma-crossover", BARS, grid=GRID, sort="total_return", **HOW)
    assert best["total_return"].to_list() == sorted(plain["total_return"], reverse=True)
    cheap = sweep("sma-crossover", BARS, grid=GRID, sort="fees", **HOW | {"fees": ek.PercentFee("0.001")})
    assert cheap["fees"].is_sorted()


@pytest.mark.parametrize("engine", ["compiled", "event"])
def test_every_figure_is_the_backtest_s(engine: Any) -> None:
    names = [name for name in NAMES if name != "deflated_sharpe"]
    table = sweep("sma-crossover", BARS, grid={"slow": [9]}, params={"fast": 4}, metrics=names, engine=engine, **HOW)
    said = ek.backtest("sma-crossover", BARS, params={"fast": 4, "slow": 9}, engine=engine, **HOW).summary()
    wanted = {name: {**said["metrics"], **said}[name] for name in names}
    agree(table.row(0, named=True), wanted)
    assert any(not is_quick(name) for name in names)


def test_quick_figures_do_not_depend_on_what_else_is_asked() -> None:
    one = sweep("sma-crossover", BARS, grid=GRID, **HOW)
    other = sweep("sma-crossover", BARS, grid=GRID, metrics=[*DEFAULT, "win_rate"], **HOW)
    for name in DEFAULT:
        assert one[name].to_list() == pytest.approx(other[name].to_list())


def test_what_only_the_event_engine_does_works_too() -> None:
    how = {**HOW, "size": 400, "participation": 0.5}
    table = sweep("sma-crossover", BARS, grid={"fast": [2, 3], "slow": [9]}, **how)
    for row in table.to_dicts():
        agree(row, expected("sma-crossover", {"fast": row["fast"], "slow": 9}, **how))


@pytest.mark.parametrize("workers", [1, 2])
def test_strategies_that_place_orders_start_afresh_for_each_combination(workers: int) -> None:
    table = sweep(Every, BARS, grid={"n": [3, 2, 3]}, workers=workers, **HOW)
    assert table["n"].to_list() == [3, 2]
    for row in table.to_dicts():
        agree(row, expected(Every, {"n": row["n"]}, **HOW))


def test_several_instruments() -> None:
    both = {"A": walk(150, seed=1, name="A"), "B": walk(150, seed=2, name="B")}
    table = sweep("sma-crossover", both, grid={"fast": [2, 3], "slow": [9]}, **HOW)
    wanted = ek.backtest("sma-crossover", both, params={"fast": 3, "slow": 9}, **HOW)
    assert table["final_equity"][1] == pytest.approx(wanted.final_equity, abs=0.005)


def test_undefined_figures_are_null() -> None:
    table = sweep(Waiting, BARS, grid={"period": [1, 2]}, metrics=["sharpe", "win_rate", "trades"], **HOW)
    assert table["sharpe"].is_null().to_list() == [False, True]
    assert table["win_rate"].is_null().to_list() == [False, True]
    assert table["trades"].to_list()[1] == 0


def test_refused_combinations_are_counted_and_said() -> None:
    grid = {"fast": [5, 9, 13], "slow": [8, 12]}
    with pytest.warns(CombinationsRefused, match=r"3 of 6 .*\(fast=9, slow=8\) because expected less than slow"):
        table = sweep("sma-crossover", BARS, grid=grid, **HOW)
    assert table.select("fast", "slow").rows() == [(5, 8), (5, 12), (9, 12)]
    result = run_sweep("sma-crossover", BARS, grid=grid, constraints=["fast > 5"], **HOW)
    assert len(result.table) == 1
    assert result.refused[0].why == "not fast > 5"


def test_all_refused_is_an_empty_table() -> None:
    with pytest.warns(CombinationsRefused, match="1 of 1"):
        table = sweep(Waiting, BARS, grid={"period": [3]}, **HOW)
    assert len(table) == 0
    assert table.schema["fills"] == pl.Int64


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"grid": {}}, "at least one parameter"),
        ({"grid": "fast"}, "at least one parameter"),
        ({"params": [1]}, "parameters are given by name"),
        ({"params": {"fast": 3}}, "fast: is searched already"),
        ({"risk_free": "x"}, "risk_free: expected an annual rate"),
        ({"params": {"allow_short": None}}, "allow_short: expected true or false"),
        ({"grid": {"quick": [1]}}, "quick: unknown; expected one of fast, slow"),
        ({"grid": {"fast": [0, 2], "slow": "abc"}}, "fast: expected a whole number .* slow: expected a list"),
        ({"grid": {"fast": []}}, "at least one value"),
        ({"metrics": ["sharp"]}, "no figure 'sharp'"),
        ({"metrics": ["deflated_sharpe"]}, "overfitting"),
        ({"sort": "calmar"}, "no column 'calmar'"),
        ({"workers": -1}, "workers: expected"),
        ({"constraints": ["trades > 3"]}, "keeps every row"),
        ({"constraints": ["fast is 3"]}, "is not a condition"),
        ({"constraints": ["quick > 3"]}, "no parameter or figure 'quick'"),
        ({"wokers": 3}, "no option 'wokers'"),
        ({"engine": "fast"}, "no engine 'fast'"),
    ],
)
def test_what_cannot_be_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        sweep("sma-crossover", BARS, **{"grid": GRID, **HOW, **more})


def test_a_strategy_that_looks_ahead_is_refused() -> None:
    with pytest.raises(InvalidInput, match="looks ahead"):
        sweep(Peeking, BARS, grid={"period": [1, 2]}, **HOW)
    assert len(sweep(Peeking, BARS, grid={"period": [1, 2]}, check=False, **HOW)) == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_names_its_combination(workers: int) -> None:
    with pytest.raises(ZeroDivisionError, match="odd") as caught:
        sweep(Failing, BARS, grid={"number": [0, 2, 3, 4]}, check=False, workers=workers, **HOW)
    assert caught.value.__notes__ == ["while running number=3"]


def test_progress_ends_with_all_and_the_best() -> None:
    told: list[tuple[int, int, dict[str, Any] | None]] = []
    table = sweep("sma-crossover", BARS, grid=GRID, progress=lambda *one: told.append(one), **HOW)
    done, total, best = told[-1]
    assert (done, total) == (12, 12)
    assert best is not None
    assert best["sharpe"] == pytest.approx(table["sharpe"].max())


def test_a_study_is_not_run_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "crossover"
    first = run_sweep("sma-crossover", BARS, grid=GRID, study=path, **HOW)
    wider = run_sweep("sma-crossover", BARS, grid={**GRID, "fast": range(2, 8)}, study=path, **HOW)
    again = run_sweep("sma-crossover", BARS, grid=GRID, study=path, **HOW)
    assert (first.resumed, wider.resumed, again.resumed) == (0, 12, 12)
    assert again.table.equals(first.table)
    kept = read_study(path)
    assert kept.select("fast", "slow", *DEFAULT).rows()[:12] == first.table.rows()
    assert len(kept) == 18


@pytest.mark.parametrize(
    "other",
    [
        {"cash": 5_000},
        {"fees": ek.PercentFee("0.001")},
        {"fees": ek.PercentFee("0.0011")},
        {"metrics": ["sharpe"]},
        {"risk_free": 0.01},
        {"engine": "event"},
        {"bars": walk(400, seed=4, minutes=60)},
        {"strategy": Waiting},
    ],
)
def test_a_study_of_something_else_is_refused(tmp_path: Path, other: dict[str, Any]) -> None:
    path = tmp_path / "study"
    run_sweep("sma-crossover", BARS, grid=GRID, study=path, **HOW | {"fees": ek.PercentFee("0.0012")})
    content = path.with_suffix(".jsonl").read_bytes()
    given_ = {"strategy": "sma-crossover", "bars": BARS, **HOW, "fees": ek.PercentFee("0.0012"), **other}
    grid = {"period": [1]} if "strategy" in other else GRID
    with pytest.raises(InvalidInput, match="of something else"):
        run_sweep(given_.pop("strategy"), given_.pop("bars"), grid=grid, study=path, **given_)
    assert path.with_suffix(".jsonl").read_bytes() == content


def test_only_a_study_is_taken_for_one(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("remember\nthe milk\n")
    with pytest.raises(InvalidInput, match="is not a study"):
        sweep("sma-crossover", BARS, grid=GRID, study=file, **HOW)
    with pytest.raises(InvalidInput, match="is not a study"):
        read_study(file)
    with pytest.raises(InvalidInput, match="there is no study"):
        read_study(tmp_path / "other")
    assert file.read_text().startswith("remember\n")


@settings(max_examples=20)
@given(cut=st.integers(1, 600), junk=st.sampled_from([b"", b"\0\0\0", b'{"params": {"fa', b"\0\0\n"]))
def test_a_torn_end_is_dropped(tmp_path_factory: pytest.TempPathFactory, cut: int, junk: bytes) -> None:
    path = tmp_path_factory.mktemp("study") / "one.jsonl"
    whole = sweep("sma-crossover", BARS, grid=GRID, study=path, **HOW)
    content = path.read_bytes()
    path.write_bytes(content[: -min(cut, len(content) - 600)] + junk)
    result = run_sweep("sma-crossover", BARS, grid=GRID, study=path, **HOW)
    assert result.resumed < 12
    assert result.table.equals(whole)
    assert len(read_study(path)) == 12


def test_damage_in_the_middle_is_said(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    sweep("sma-crossover", BARS, grid=GRID, study=path, **HOW)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:3], "{}\n", *lines[4:]]))
    with pytest.raises(InvalidInput, match="line 4 of the study"):
        sweep("sma-crossover", BARS, grid=GRID, study=path, **HOW)


def test_a_search_on_a_full_disk_says_so_and_goes_on_where_it_was(tmp_path: Path) -> None:
    """The disk takes so many bytes and no more, which cuts a line in two; what is whole stays."""
    path = tmp_path / "one.jsonl"
    whole = run_sweep("sma-crossover", BARS, grid=GRID, **HOW)
    sweep("sma-crossover", BARS, grid=GRID | {"slow": [8]}, study=path, **HOW)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, limits[1]))
    try:
        with pytest.raises(NotReady, match=r"one.jsonl cannot be written: .+"):
            sweep("sma-crossover", BARS, grid=GRID, study=path, **HOW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    result = run_sweep("sma-crossover", BARS, grid=GRID, study=path, **HOW)
    assert result.resumed == 4
    assert result.table.equals(whole.table)


def test_one_at_a_time_writes_a_study(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    with Study(path, {}), pytest.raises(Conflict, match="another process"):
        Study(path, {})
    Study(path, {}).close()


SCRIPT = """
import sys, time
from evenkeel.research.search.sweep import sweep
from tests.research.searched import HOW
from tests.research.worlds import D, walk
if __name__ == "__main__":
    def told(done, total, best):
        print(done, flush=True)
        time.sleep(0.02)
    grid = {"fast": range(2, 12), "slow": range(15, 55)}
    sweep("sma-crossover", walk(30_000, seed=3), grid=grid, workers=int(sys.argv[2]), study=sys.argv[1], progress=told,
          metrics=["final_equity", "win_rate"], **HOW)
"""


@pytest.mark.chaos
@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_sweep_goes_on_where_it_was(tmp_path: Path, workers: int) -> None:
    script, path = tmp_path / "run.py", tmp_path / "study.jsonl"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(path), str(workers)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
    assert child.stdout is not None
    while int(child.stdout.readline()) == 0:
        """It has only begun."""
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    written = len(read_study(path))
    assert 0 < written < 400, "the kill came too late to show anything"
    bars, grid = walk(30_000, seed=3), {"fast": range(2, 12), "slow": range(15, 55)}
    metrics = ["final_equity", "win_rate"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resumed = run_sweep("sma-crossover", bars, grid=grid, study=path, metrics=metrics, **HOW)
    assert resumed.resumed == written
    assert resumed.table.equals(sweep("sma-crossover", bars, grid=grid, metrics=metrics, **HOW))
    rows = [json.dumps(json.loads(line)["params"]) for line in path.read_text().splitlines()[1:]]
    assert len(rows) == len(set(rows)) == 400
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and _orphans(str(script)):
        time.sleep(0.1)
    assert _orphans(str(script)) == [], "workers of a killed process must leave"


def _orphans(script: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if script in words:
            found.append(words)
    return found
