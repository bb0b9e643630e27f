"""`evenkeel portfolio optimize|frontier|backtest`: from files, without a server."""

import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner, Result

from evenkeel.cli.main import app
from evenkeel.research.portfolio.optimize import optimize
from evenkeel.research.portfolio.prices import read_prices


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(4)
    paths = 100.0 * np.cumprod(1.0 + random.normal(0.0006, 0.01, size=(320, 3)), axis=0)
    days = [date(2020, 1, 1) + timedelta(days=place) for place in range(320)]
    path = tmp_path_factory.mktemp("prices") / "closes.csv"
    pl.DataFrame({"date": days, **{name: paths[:, at] for at, name in enumerate(("AA", "BB", "CC"))}}).write_csv(path)
    return path


def ran(*words: object) -> Result:
    return CliRunner().invoke(app, ["portfolio", *map(str, words)])


def told(*words: object) -> Any:
    done = ran(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def refused(*words: object) -> str:
    done = ran(*words)
    assert done.exit_code == 1, done.output
    return done.stderr


def test_optimize_as_python_does(file: Path, tmp_path: Path) -> None:
    rule = ["--group", "two=AA,BB", "--constraint", "two <= 0.5", "--bounds", "0.1:0.6", "--risk-free", "0.01"]
    sheet = tmp_path / "sheet.html"
    found = told(
        "optimize",
        "--prices",
        file,
        *rule,
        "--exposure",
        "beta=1,0.8,1.2",
        "--constraint",
        "beta <= 2",
        "--report",
        sheet,
    )
    same = optimize(
        read_prices(file), constraints=["two <= 0.5"], groups={"two": ["AA", "BB"]}, bounds=(0.1, 0.6), risk_free=0.01
    )
    assert found["weights"] == pytest.approx(dict(same.weights))
    assert found["value"] == pytest.approx(same.value)
    assert found["report"] == str(sheet)
    assert "two &lt;= 0.5" in sheet.read_text()
    shown = ran("optimize", "--prices", file, *rule)
    assert shown.exit_code == 0
    assert "part of risk %" in shown.stdout
    assert f"{max(same.weights.values()) * 100:.2f}" in shown.stdout


def test_a_figure_is_printed_once_and_what_makes_a_year_is_said(file: Path) -> None:
    shown = ran("optimize", "--prices", file).stdout
    assert shown.count("harpe") == 1
    assert re.search(r"rows of a year +365\n", shown)
    assert (
        "Figures are a year's, of 12 rows."
        in ran("backtest", "--prices", file, "--objective", "hrp", "--lookback", 60, "--periods-per-year", 12).stdout
    )


def test_prices_without_dates_need_to_be_told_what_makes_a_year(file: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.csv"
    pl.read_csv(file).drop("date").write_csv(bare)
    assert "--periods-per-year" in refused("optimize", "--prices", bare)
    assert "--periods-per-year" in refused("frontier", "--prices", bare)
    assert "more than 0 periods" in refused("optimize", "--prices", bare, "--periods-per-year", 0)
    found = told("optimize", "--prices", bare, "--periods-per-year", 12)
    assert found["periods_per_year"] == 12
    daily = told("optimize", "--prices", file)
    assert found["metrics"]["volatility"] == pytest.approx(daily["metrics"]["volatility"] * (12 / 365) ** 0.5)


def test_rows_may_be_in_any_order_and_a_day_is_there_once(file: Path, tmp_path: Path) -> None:
    newest_first = tmp_path / "newest.csv"
    rows = pl.read_csv(file)
    rows.reverse().write_csv(newest_first)
    assert told("optimize", "--prices", newest_first) == told("optimize", "--prices", file)
    twice = tmp_path / "twice.csv"
    pl.concat([rows, rows[3:4]]).write_csv(twice)
    assert "more than one row of 2020-01-04" in refused("optimize", "--prices", twice)


def test_what_is_wrong_is_said_once(file: Path) -> None:
    said = refused("optimize", "--prices", file, "--bounds", "low")
    assert said.count("--bounds") == 1, said
    assert "LOW:HIGH" in said
    assert refused("optimize", "--prices", file, "--group", "tech").count("--group") == 1
    started = refused("optimize", "--prices", file, "--start", "soon")
    assert started.startswith("Error: --start: expected a date")
    assert started.count("expected a date") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["optimize", "--timeframe", "1h"], "--timeframe: is of stored bars"),
        (
            ["optimize", "--group", "two=AA,BB"],
            '--group: two is in no constraint: it acts in one, such as --constraint "',
        ),
        (["optimize", "--group", "two=AA,BB", "--constraint", "AA <= 0.9"], "--group: two is in no constraint"),
        (["optimize", "--exposure", "beta=1,1,2"], "--exposure: beta is in no constraint"),
        (
            ["optimize", "--objective", "hrp", "--benchmark", "AA"],
            "--benchmark: hrp tracks nothing: leave it out, or take",
        ),
        (["optimize", "--risk-tolerance", "0.4", "--benchmark", "AA"], "--benchmark: risk-tolerance tracks nothing"),
        (
            ["optimize", "--turnover", "0.5"],
            "--turnover: bounds the change from what is held now: say that with --present",
        ),
        (["frontier", "--timeframe", "1h"], "--timeframe: is of stored bars"),
        (["frontier", "--risk-free", "0.02"], "--risk-free: is what Sharpe ratios are measured from"),
        (["frontier", "--param", "target=1"], "--param: is of an objective"),
        (["frontier", "--group", "two=AA,BB"], "exact within bounds alone, without groups"),
        (["frontier", "--exposure", "beta=1,1,2"], "exact within bounds alone, without exposures"),
        (["backtest", "--timeframe", "1h"], "--timeframe: is of stored bars"),
        (["backtest", "--group", "two=AA,BB"], "--group: two is in no constraint"),
        (["backtest", "--objective", "tracking-error", "--lookback", "60"], "tracking-error needs a benchmark"),
        (["backtest", "--benchmark", "DD", "--lookback", "60"], "no asset 'DD' for a benchmark"),
        (["backtest", "--benchmark", "AA=x", "--lookback", "60"], "--benchmark: 'AA=x'"),
    ],
)
def test_what_would_change_nothing_is_refused(file: Path, words: list[str], said: str) -> None:
    assert said in refused(*words, "--prices", file)


def test_what_is_held_now_shows_in_the_turnover(file: Path) -> None:
    shown = ran("optimize", "--prices", file, "--present", "AA=1").stdout
    assert re.search(r"^turnover +[0-9.]+$", shown, re.MULTILINE)
    assert "turnover" not in ran("optimize", "--prices", file).stdout


def test_a_benchmark_is_walked_beside_and_tracked(file: Path) -> None:
    walk = ["backtest", "--prices", file, "--objective", "tracking-error", "--lookback", 60, "--cost-bps", 0]
    found = told(*walk, "--benchmark", "AA=60%", "--benchmark", "BB=0.4")
    assert found["paths"]["tracking-error"]["final"] == pytest.approx(found["benchmark"], rel=1e-5)
    assert not found["paths"]["tracking-error"]["failed"]
    alone = told(*walk, "--benchmark", "CC")
    assert alone["paths"]["tracking-error"]["weights"]["CC"] == pytest.approx(1.0, abs=1e-6)
    lines = ran(*walk, "--benchmark", "CC").stdout.splitlines()
    (tracking,) = [line.split() for line in lines if line.startswith("tracking-error")]
    (market,) = [line.split() for line in lines if line.startswith("benchmark")]
    assert market[1:6] == tracking[1:6]
    assert market[6:] == ["–", "–", "–"]


def test_options_of_objectives_and_few_assets(file: Path) -> None:
    found = told("optimize", "--prices", file, "--objective", "min-variance", "--max-assets", 2, "--min-weight", 0.3)
    held = [weight for weight in found["weights"].values() if weight > 1e-6]
    assert len(held) <= 2
    assert min(held) >= 0.3 - 1e-6
    tight = told("optimize", "--prices", file, "--objective", "min-cvar", "--param", "confidence=0.9")
    assert tight["figure"] == "cvar"
    kept = told("optimize", "--prices", file, "--objective", "max-return", "--present", "AA=1", "--turnover", 0.2)
    assert kept["weights"]["AA"] == pytest.approx(0.9, abs=1e-6) or kept["weights"]["AA"] == pytest.approx(1.0)
    assert kept["metrics"]["turnover"] <= 0.2 + 1e-6


def test_the_frontier(file: Path) -> None:
    found = told("frontier", "--prices", file, "--bounds", "0:0.7")
    returns = [one["return"] for one in found["items"]]
    assert returns == sorted(returns, reverse=True)
    assert all(sum(one["weights"].values()) == pytest.approx(1.0) for one in found["items"])
    assert "volatility %" in ran("frontier", "--prices", file).stdout
    assert "without max assets" in refused("frontier", "--prices", file, "--max-assets", 2)


def test_backtest(file: Path, tmp_path: Path) -> None:
    sheet, table = tmp_path / "walk.html", tmp_path / "weights.parquet"
    words = ["--objective", "hrp", "--objective", "target-return", "--param", "target=9", "--lookback", 60]
    found = told("backtest", "--prices", file, *words, "--cost-bps", 5, "--report", sheet, "--export", table)
    assert set(found["paths"]) == {"hrp", "target-return", "equal-weight"}
    assert found["paths"]["target-return"]["failed"]
    assert found["written"] == [str(sheet), str(table)]
    assert pl.read_parquet(table).columns == ["at", "objective", "asset", "before", "after"]
    assert "target-return" in sheet.read_text()
    shown = ran("backtest", "--prices", file, *words)
    assert "target-return failed" in shown.stdout
    eight = told("backtest", "--prices", file, "--lookback", 120, "--every", "quarter")
    assert len(eight["paths"]) == 9


def test_files_of_other_forms(file: Path, tmp_path: Path) -> None:
    wide = pl.read_csv(file, try_parse_dates=True)
    wide.rename({"date": ""}).write_csv(tmp_path / "index.csv")
    wide.write_parquet(tmp_path / "wide.parquet")
    expected = read_prices(file)
    for name in ("index.csv", "wide.parquet"):
        found = read_prices(tmp_path / name)
        assert found.assets == expected.assets
        assert np.array_equal(found.values, expected.values)
        assert found.times is not None
        assert expected.times is not None
        assert np.array_equal(found.times, expected.times)
    part = told("optimize", "--prices", file, "--symbol", "CC", "--symbol", "AA", "--start", "2020-03-01")
    assert list(part["weights"]) == ["CC", "AA"]
    long = wide.unpivot(index="date", variable_name="symbol", value_name="close").with_columns(
        open=pl.col("close"), high=pl.col("close"), low=pl.col("close"), volume=pl.lit(1.0)
    )
    long.rename({"date": "timestamp"}).write_csv(tmp_path / "bars.csv")
    bars = read_prices(tmp_path / "bars.csv", assets=["BB"])
    assert bars.assets == ("BB",)
    assert bars.values[:, 0] == pytest.approx(expected.values[:, 1])


def test_stored_bars(file: Path, tmp_path: Path) -> None:
    """What `data import` has stored is found by symbol, and gives what the file gives."""
    closes = pl.read_csv(file, try_parse_dates=True)
    home = ["--home", str(tmp_path / "home")]
    for name in ("AA", "BB"):
        price = pl.col(name)
        bars = closes.select(timestamp="date", open=price, high=price, low=price, close=price, volume=pl.lit(1.0))
        bars.write_csv(tmp_path / f"{name}.csv")
        done = CliRunner().invoke(app, ["data", "import", str(tmp_path / f"{name}.csv"), "--symbol", name, *home])
        assert done.exit_code == 0, done.output
    words = ["--objective", "min-variance", "--symbol", "AA", "--symbol", "BB"]
    stored = told("optimize", *words, *home)
    assert stored["weights"] == pytest.approx(told("optimize", *words, "--prices", file)["weights"], abs=1e-6)


def test_stored_bars_are_adjusted(file: Path, tmp_path: Path) -> None:
    """A split two for one and a dividend of 5 % on the way are no losses."""
    closes = pl.read_csv(file, try_parse_dates=True)["AA"].to_numpy()
    days = pl.read_csv(file, try_parse_dates=True)["date"]
    raw = closes.copy()
    raw[:200] *= 2.0
    dividend = round(raw[99] * 0.05, 6)
    price = pl.Series(raw)
    bars = pl.DataFrame({"timestamp": days, **dict.fromkeys(("open", "high", "low", "close"), price)})
    bars.with_columns(volume=pl.lit(1.0)).write_csv(tmp_path / "AA.csv")
    events = f"symbol,ex_date,numerator,denominator,amount\nAA,{days[200]},2,1,\nAA,{days[100]},,,{dividend}\n"
    (tmp_path / "events.csv").write_text(events)
    home = ["--home", str(tmp_path / "home")]
    words = [
        "data",
        "import",
        str(tmp_path / "AA.csv"),
        "--symbol",
        "AA",
        "--adjustments",
        str(tmp_path / "events.csv"),
    ]
    done = CliRunner().invoke(app, [*words, *home])
    assert done.exit_code == 0, done.output
    found = told("optimize", "--symbol", "AA", *home)
    returns = closes[1:] / closes[:-1] - 1.0
    returns[99] = (1.0 + returns[99]) / (1.0 - dividend / raw[99]) - 1.0
    assert found["metrics"]["volatility"] == pytest.approx(returns.std(ddof=1) * np.sqrt(365.0), rel=1e-6)
    assert found["metrics"]["expected_return"] == pytest.approx(returns.mean() * 365.0, rel=1e-6)
    early = told("optimize", "--symbol", "AA", "--end", str(days[150]), *home)
    assert early["metrics"]["volatility"] == pytest.approx(returns[:149].std(ddof=1) * np.sqrt(365.0), rel=1e-6)


def test_a_risk_tolerance(file: Path) -> None:
    found = told("optimize", "--prices", file, "--risk-tolerance", 1)
    assert found["objective"] == "risk-tolerance"
    assert found["metrics"]["largest_weight"] == pytest.approx(1.0)
    said = refused("optimize", "--prices", file, "--risk-tolerance", 0.5, "--objective", "hrp")
    assert "leave --objective out" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["optimize"], "there are no prices"),
        (["optimize", "--prices", "none.csv"], "there is no file none.csv"),
        (["optimize", "--symbol", "ZZ", "--prices"], "has no 'ZZ'"),
        (["optimize", "--bounds", "0", "--prices"], "--bounds: expected LOW:HIGH, such as 0:0.4, not '0'"),
        (["optimize", "--present", "AA=x", "--prices"], "--present: 'AA=x': 'x' is not a number"),
        (["optimize", "--param", "target=1", "--prices"], "max-sharpe has no option 'target'"),
        (["optimize", "--param", "target=abc", "--prices"], "--param: expected a finite number, not 'target=abc'"),
        (["optimize", "--param", "target=nan", "--prices"], "--param: expected a finite number, not 'target=nan'"),
        (["optimize", "--param", "views=nan", "--prices"], "--param: no objective has an option 'views'"),
        (["optimize", "--param", "benchmark=x", "--prices"], "what is tracked goes with --benchmark"),
        (["optimize", "--param", "total=2", "--prices"], "--param: no objective has an option 'total'"),
        (["optimize", "--param", "target=1", "--param", "target=2", "--prices"], "named twice"),
        (["optimize", "--objective", "tracking-error", "--prices"], "tracking takes a benchmark"),
        (["backtest", "--benchmark", "AA", "--benchmark", "AA=1", "--prices"], "--benchmark: 'AA' is named twice"),
        (["optimize", "--bounds", "nan:1", "--prices"], "--bounds: a weight is a share of the whole"),
        (["optimize", "--bounds", "0:1e308", "--prices"], "--bounds: a weight is a share of the whole"),
        (["optimize", "--bounds", "1:0", "--prices"], "--bounds: the least comes first"),
        (["optimize", "--constraint", "AA <= 1e400", "--prices"], "--constraint: 'AA <= 1e400': 1e400 is too large"),
        (["optimize", "--constraint", "AA >= 2", "--prices"], "in conflict are: AA >= 2"),
        (["frontier", "--param", "target=1", "--prices"], "--param: is of an objective"),
        (["backtest", "--param", "target=1", "--prices"], "none of these objectives has an option 'target'"),
        (["backtest", "--export", "weights.txt", "--prices"], ".txt is no table"),
        (["backtest", "--lookback", 500, "--prices"], "leave no rebalancing after a lookback of 500"),
        (["optimize", "--start", "2030-01-01", "--prices"], "has no prices at these times"),
        (["optimize", "--constraint", "AA <= 0.1", "--constraint", "AA >= 0.2", "--prices"], "in conflict are"),
    ],
)
def test_what_is_refused(file: Path, words: list[object], said: str) -> None:
    assert said in refused(*words, *([file] if words[-1] == "--prices" else []))


@pytest.mark.parametrize("option", ["--risk-free", "--gross", "--turnover", "--min-weight", "--periods-per-year"])
@pytest.mark.parametrize("value", ["nan", "inf", "", "abc"])
def test_numbers_are_finite(file: Path, option: str, value: str) -> None:
    done = ran("optimize", "--prices", file, f"{option}={value}")
    assert done.exit_code == 2, done.output
    assert option in done.output


def test_a_benchmark_is_tracked(file: Path) -> None:
    words = ("optimize", "--prices", file, "--objective", "tracking-error")
    found = told(*words, "--benchmark", "AA=60%", "--benchmark", "BB=0.4")
    assert found["weights"] == pytest.approx({"AA": 0.6, "BB": 0.4, "CC": 0.0}, abs=1e-5)
    assert told(*words, "--benchmark", "CC")["weights"]["CC"] == pytest.approx(1.0, abs=1e-5)
    assert "no figure" not in ran(*words, "--benchmark", "AA", "--bounds=-inf:inf").stdout


def test_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = tmp_path / "twice.csv"
    twice.write_text("date,AA,BB, AA\n2020-01-01,1,2,3\n2020-01-02,2,3,4\n")
    assert "more than one column called 'AA': columns 2, 4" in refused("optimize", "--prices", twice)


def test_an_asset_that_does_not_move_is_named(file: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat.csv"
    pl.read_csv(file, try_parse_dates=True).with_columns(FF=pl.lit(100.0)).write_csv(flat)
    assert "FF has no variance" in refused("optimize", "--prices", flat, "--objective", "risk-parity")
    assert "FF has no variance" in refused("optimize", "--prices", flat, "--objective", "hrp")
    shown = ran("optimize", "--prices", flat, "--objective", "min-variance", "--max-assets", 2)
    assert re.search("sharpe ratio +–", shown.stdout)
    assert told("optimize", "--prices", flat, "--bounds", "0:0.7")["metrics"]["sharpe_ratio"] > 0.0


def test_a_file_that_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"no table")
    assert "cannot be read as a table" in refused("optimize", "--prices", tmp_path / "broken.parquet")
    (tmp_path / "words.csv").write_text("date,AA,BB\n2020-01-01,x,y\n2020-01-02,x,z\n")
    assert "AA: expected numbers" in refused("optimize", "--prices", tmp_path / "words.csv")
    (tmp_path / "undated.csv").write_text("AA,BB\n1,2\n2,3\n2,2\n")
    assert "no column of dates" in refused("optimize", "--prices", tmp_path / "undated.csv", "--start", "2020-01-01")
