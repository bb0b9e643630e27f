"""A sweep's heat map, and the files for other programs."""

from pathlib import Path
from xml.etree import ElementTree as ET

import polars as pl
import pytest

import evenkeel as ek
from evenkeel.domain.errors import InvalidInput
from evenkeel.research.backtest.result import BacktestResult
from evenkeel.research.report import export, sweep_heat_map
from tests.research.reported import Page, alternating, scripted, told, walk

GRID = pl.DataFrame(
    {"fast": [5, 5, 10, 10], "slow": [20, 30, 20, 30], "sharpe": [0.5, -0.25, 1.5, None], "note": ["a", "b", "c", "d"]}
)


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    return told(alternating(5, 120), walk(120), fees=ek.PercentFee("0.001"))


def rects(svg: str, css: str) -> list[ET.Element]:
    return [one for one in ET.fromstring(svg).iter("rect") if one.get("class") == css]


def test_a_cell_for_each_pair_and_a_frame_for_the_best() -> None:
    svg = sweep_heat_map(GRID, x="fast", y="slow", value="sharpe")
    Page(svg)
    titles = [one.text for one in ET.fromstring(svg).iter("title")]
    assert titles == [
        "fast 5, slow 20: 0.5", "fast 10, slow 20: 1.5", "fast 5, slow 30: −0.25", "fast 10, slow 30: nothing",
    ]  # fmt: skip
    (best,) = rects(svg, "best")
    where = next(
        one for one in rects(svg, "u") if one.find("title") is not None and one.findtext("title", "")[-3:] == "1.5"
    )
    assert (best.get("x"), best.get("y")) == (where.get("x"), where.get("y"))
    assert "highest 1.5 at fast 10 and slow 20, lowest −0.25" in svg
    assert "http" not in svg
    assert svg == sweep_heat_map(GRID, x="fast", y="slow", value="sharpe")


def test_the_order_of_rows_is_of_no_account() -> None:
    assert sweep_heat_map(GRID.reverse(), x="fast", y="slow", value="sharpe") == sweep_heat_map(
        GRID, x="fast", y="slow", value="sharpe"
    )


def test_a_single_cell_and_none_with_a_value_are_drawn_too() -> None:
    assert "1 cell" in sweep_heat_map(GRID.head(1), x="fast", y="slow", value="sharpe")
    assert "without a single value" in sweep_heat_map(GRID.tail(1), x="fast", y="slow", value="sharpe")


def test_names_are_escaped() -> None:
    svg = sweep_heat_map(GRID.rename({"fast": "<b>&"}), x="<b>&", y="slow", value="sharpe")
    assert "<b>" not in svg


@pytest.mark.parametrize(
    ("frame", "x", "y", "value", "said"),
    [
        (GRID, "quick", "slow", "sharpe", "quick: there is no such column; there are fast, slow"),
        (GRID, "fast", "fast", "sharpe", "expected another parameter than x"),
        (GRID, "fast", "slow", "note", "note: expected numbers"),
        (pl.concat([GRID, GRID]), "fast", "slow", "sharpe", "several rows have the same fast and slow"),
        (GRID.clear(), "fast", "slow", "sharpe", "expected 1 to 200 values, not 0"),
    ],
)
def test_a_frame_that_is_none_is_refused(frame: pl.DataFrame, x: str, y: str, value: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        sweep_heat_map(frame, x=x, y=y, value=value)


def test_parquet_holds_what_the_result_holds(result: BacktestResult, tmp_path: Path) -> None:
    paths = export(result, tmp_path / "new" / "folder", format="parquet")
    assert [path.name for path in paths] == ["fills.parquet", "trades.parquet", "equity.parquet"]
    fills, trades, equity = (pl.read_parquet(path) for path in paths)
    assert fills.equals(result.fills.to_polars())
    assert equity.equals(result.to_polars())
    assert trades["net"].to_list() == result.trades.net.tolist()
    assert trades["entry_at"].dtype == pl.Datetime("ns", "UTC")
    assert set(trades["side"]) == {"LONG"}


def test_csv_reads_back_the_same(result: BacktestResult, tmp_path: Path) -> None:
    fills, trades, equity = (pl.read_csv(path, try_parse_dates=True) for path in export(result, tmp_path))
    assert len(fills) == len(result.fills)
    assert trades["net"].to_list() == result.trades.net.tolist()
    assert equity["equity"].to_list() == result.equity.tolist()
    assert (tmp_path / "fills.csv").read_text().splitlines()[1].startswith("20")
    assert "Z," in (tmp_path / "fills.csv").read_text()


def test_nothing_traded_gives_files_with_heads(tmp_path: Path) -> None:
    paths = export(told(scripted(), walk(5)), tmp_path)
    assert paths[1].read_text().startswith("symbol,side,quantity,entry_at")
    assert pl.read_csv(paths[0]).is_empty()


def test_an_unknown_format_is_refused(result: BacktestResult, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="expected csv or parquet, not 'xls'"):
        export(result, tmp_path, format="xls")  # type: ignore[arg-type]


def test_a_file_in_the_way_is_named(result: BacktestResult, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(InvalidInput, match="taken cannot be written"):
        export(result, tmp_path / "taken")
