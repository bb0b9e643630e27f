"""`evenkeel backtest` as a person meets it: a file in, figures out, and every mistake named."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evenkeel import PercentFee, backtest, read_bars
from evenkeel.cli.main import app
from evenkeel.market.exporting import encode
from evenkeel.market.sample import sample_market

RUN = ("backtest", "run", "--strategy", "sma-crossover")


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    instruments, bars, _ = sample_market()
    ibm = next(one for one in instruments if one.symbol == "IBM")
    file: Path = tmp_path_factory.mktemp("prices") / "IBM_1d.csv"
    file.write_bytes(encode(bars[ibm.id].rows(0, 800), ibm))
    return file


def told(*arguments: object, code: int = 0) -> tuple[str, str]:
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    assert done.exit_code == code, done.output
    return done.stdout, done.stderr


def test_figures_in_json_are_those_of_the_library(prices: Path) -> None:
    out, _ = told(
        *RUN, "--data", prices, "--param", "fast=5", "--param", "slow=20", "--cash", "50000", "--fees-bps", "5",
        "--size", "100", "--json",
    )  # fmt: skip
    found = json.loads(out)
    expected = backtest(
        "sma-crossover",
        read_bars(prices),
        params={"fast": 5, "slow": 20},
        cash=50_000,
        fees=PercentFee("0.0005"),
        size=100,
    )
    assert found["final_equity"] == expected.final_equity
    assert found["fills"] == len(expected.fills) > 0
    assert found["metrics"] == expected.metrics
    assert found["parameters"] == {"fast": 5, "slow": 20, "allow_short": False}


def test_a_person_reads_what_was_asked_and_what_came_out(prices: Path) -> None:
    out, _ = told(*RUN, "--data", prices, "--size", "50%", "--start", "2001-01-01", "--end", "2002-01-01")
    for word in (
        "sma-crossover fast=10 slow=50",
        "IBM",
        "2001-01-02 to 2001-12-31",
        "sharpe ratio",
        "maximum drawdown",
    ):
        assert word in out


def test_stored_bars_are_named_by_symbol(prices: Path, tmp_path: Path) -> None:
    told("data", "import", prices, "--home", tmp_path)
    out, _ = told(*RUN, "--symbol", "IBM", "--home", tmp_path, "--json")
    assert json.loads(out)["symbols"] == ["IBM"]


def test_a_strategy_of_ones_own(prices: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "import numpy as np\n"
        "from evenkeel import SignalStrategy\n\n"
        "class Mine(SignalStrategy):\n"
        "    name = 'mine'\n"
        "    def warmup(self, params): return 1\n"
        "    def signals(self, bars, params):\n"
        "        before = np.concatenate(([np.nan], bars.close[:-1]))\n"
        "        return np.where(bars.close > before, 1.0, 0.0)\n"
    )
    out, _ = told("backtest", "run", "--strategy", file, "--data", prices, "--json")
    assert json.loads(out)["strategy"] == "mine"
    peeking = file.read_text().replace("np.concatenate(([np.nan], bars.close[:-1]))", "np.roll(bars.close, -1)")
    file.write_text(peeking)
    _, said = told("backtest", "run", "--strategy", f"{file}:Mine", "--data", prices, code=1)
    assert "looks ahead" in said


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (("--param", "fast"), "expected NAME=VALUE"),
        (("--param", "fast=60"), "expected less than slow"),
        (("--param", "quick=6"), "unknown; expected one of fast, slow"),
        (("--size", "half"), "is not a number"),
        (("--size", "-5"), "above zero"),
        (("--size", "lots:5"), "expected 10, 50%"),
        (("--fill", "tomorrow"), "expected next-open, close, limit"),
        (("--engine", "fast"), "expected auto, compiled or event"),
        (("--fees", "none"), "there is no cost schedule"),
        (("--fees", "zero", "--fees-bps", "5"), "exclude each other"),
        (("--start", "yesterday"), "expected a date or time"),
        (("--start", "2099-01-01"), "there are no bars of IBM between"),
        (("--symbol", "AAPL", "--symbol", "IBM"), "the data has no AAPL"),
        (("--stop-loss", "2"), "stop_loss"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_are_named(prices: Path, wrong: tuple[str, ...], named: str) -> None:
    done = CliRunner().invoke(app, [*RUN, "--data", str(prices), *wrong])
    assert done.exit_code in (1, 2)
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_missing_is_said_with_what_to_do(tmp_path: Path) -> None:
    _, said = told(*RUN, code=1)
    assert "--data" in said
    _, said = told(*RUN, "--data", tmp_path / "none.csv", code=1)
    assert "there is no file" in said
    _, said = told(*RUN, "--symbol", "IBM", "--home", tmp_path, code=1)
    assert "IBM" in said
    _, said = told("backtest", "run", "--strategy", "nonsense", "--symbol", "IBM", code=1)
    assert said.startswith("Error: ")


def test_a_sweep_shows_the_best_first_and_resumes(prices: Path, tmp_path: Path) -> None:
    command = (
        "backtest", "sweep", "--strategy", "sma-cross", "--data", prices, "--grid", "fast=5,10",
        "--grid", "slow=20:40:10", "--size", "50%", "--study", tmp_path / "study.jsonl",
    )  # fmt: skip
    out, _ = told(*command, "--table", tmp_path / "rows.csv")
    assert "fast  slow" in out
    assert "combinations  6" in out
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == 7
    found = json.loads(told(*command, "--json")[0])
    assert (found["combinations"], found["resumed"], found["left_out"]) == (6, 6, 0)
    sharpes = [row["sharpe"] for row in found["rows"]]
    assert sharpes == sorted(sharpes, reverse=True)


def test_the_winners_sheet_states_the_odds(prices: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "best.html"
    out, _ = told(
        "backtest", "sweep", "--strategy", "rsi", "--data", prices, "--grid", "period=5:15:5", "--html", sheet, "--json"
    )
    found = json.loads(out)
    assert 0.0 <= found["probability_of_overfitting"] <= 1.0
    assert "Deflated Sharpe" in sheet.read_text(encoding="utf-8")


def test_a_walk_forward_tells_each_window_and_the_whole(prices: Path) -> None:
    command = (
        "backtest", "walk-forward", "--strategy", "sma-cross", "--data", prices, "--grid", "fast=5,10", "--grid",
        "slow=20,40", "--train", "300", "--test", "100",
    )  # fmt: skip
    out, _ = told(*command)
    for word in ("train_start", "out_sharpe", "efficiency", "consistency", "final equity"):
        assert word in out
    found = json.loads(told(*command, "--json")[0])
    assert found["windows"] == len(found["rows"]) == 5
    assert found["out_of_sample"]["bars"] == 500


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (("--grid", "fast"), "expected NAME=VALUE"),
        (("--grid", "fast=5:x"), "expected 5,10,20 or 5:25"),
        (("--grid", "fast=1:2:3:4"), "expected 5,10,20 or 5:25"),
        (("--grid", "quick=1,2"), "quick"),
        (("--grid", "fast=5,10", "--objective", "luck"), "luck"),
        (("--grid", "fast=5,10", "--where", "fast <"), "fast <"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_of_a_sweep_are_named(prices: Path, wrong: tuple[str, ...], named: str) -> None:
    done = CliRunner().invoke(app, ["backtest", "sweep", "--strategy", "sma-cross", "--data", str(prices), *wrong])
    assert done.exit_code == 1, done.output
    assert named in done.stderr
    assert "Traceback" not in done.stderr
