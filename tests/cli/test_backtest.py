"""`evenkeel backtest` as a person meets it: a file in, figures out, and every mistake named."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evenkeel import PercentFee, PercentOfEquity, backtest, higher, mtm_rules, read_bars
from evenkeel.cli.main import app
from evenkeel.desk.passwords import Passwords
from evenkeel.desk.ports import RefreshToken, Session, User
from evenkeel.desk.users import People
from evenkeel.market.exporting import encode
from evenkeel.market.sample import sample_market
from evenkeel.storage.database import database
from evenkeel.storage.engines import async_engine
from evenkeel.storage.repositories import StoredTokens, StoredUsers
from evenkeel.storage.schema import upgrade

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


def test_interest_is_printed_where_there_is_any(prices: Path) -> None:
    common = (*RUN, "--data", prices, "--param", "fast=5", "--param", "slow=20")
    out, _ = told(*common, "--size", "300%", "--financing", "6%")
    result = backtest(
        "sma-crossover", read_bars(prices), params={"fast": 5, "slow": 20}, size=PercentOfEquity(Decimal(3)),
        financing=0.06,
    )  # fmt: skip
    assert result.outcome.carried.interest < 0.0
    assert f"{result.outcome.carried.interest:,.2f}" in next(line for line in out.splitlines() if "interest" in line)
    assert f"{len(result.fills)} of {result.outcome.orders} orders" in out
    plain, _ = told(*common, "--size", "1")
    assert not [line for line in plain.splitlines() if line.startswith(("interest", "borrow fees"))]


def test_mark_to_market_rules_are_the_words_of_a_desk(prices: Path, tmp_path: Path) -> None:
    kept = "end-of-day=5 product=nrml carry=winners carry-days=3 not-over=fri keep-expiring"
    words = ("stop-loss=1% lock-in=900:400 lock-in=1500:1000", "basis=entry", f"IBM {kept}")
    given = [one for text in words for one in ("--mtm", text)]
    found = json.loads(told(*RUN, "--data", prices, *given, "--json", "--export", tmp_path)[0])
    expected = backtest(
        "sma-crossover",
        read_bars(prices),
        mtm={
            "account": mtm_rules(stop_loss="1%", lock_in={900: 400, 1500: 1000}, basis="entry"),
            "IBM": mtm_rules(
                end_of_day=5, products=["NRML"], carry="winners", carry_days=3, not_over=["fri"], expiry=False
            ),
        },
    )
    assert found["fingerprint"] == expected.fingerprint
    assert found["engine"] == "event"
    assert ",mtm," in (tmp_path / "fills.csv").read_text()


def test_a_search_takes_mark_to_market_rules(prices: Path) -> None:
    common = ("--strategy", "rsi", "--data", prices, "--end", "2001-06-01", "--workers", "1", "--json")
    rules = ("--mtm", "target=0.5% basis=entry")
    for kind, more in (("sweep", ()), ("walk-forward", ("--train", "150", "--test", "100"))):
        bare, ruled = (
            json.loads(told("backtest", kind, *common, "--grid", "period=5,9", *more, *given)[0])["rows"]
            for given in ((), rules)
        )
        assert len(bare) == len(ruled) >= 2
        assert bare != ruled


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


def test_stored_bars_are_traded_with_their_splits_and_dividends(tmp_path: Path) -> None:
    rows = [(day, 100.0 if day < 4 else 50.0) for day in range(2, 9)]
    lines = [f"2024-01-{day:02d},{price},{price},{price},{price},1000" for day, price in rows if day not in (6, 7)]
    file, events = tmp_path / "ACME.csv", tmp_path / "events.csv"
    file.write_text("\n".join(["date,open,high,low,close,volume", *lines]))
    events.write_text("symbol,ex_date,numerator,denominator,amount\nACME,2024-01-04,2,1,\nACME,2024-01-05,,,0.5\n")
    told("data", "import", file, "--adjustments", events, "--home", tmp_path)
    run = ("backtest", "run", "--strategy", "buy-and-hold", "--json")
    ways = (["--symbol", "ACME", "--home", tmp_path], ["--data", file, "--adjustments", events])
    stored, of_files = (json.loads(told(*run, *way)[0]) for way in ways)
    assert stored["final_equity"] == of_files["final_equity"] == 101_000
    assert stored["metrics"]["benchmark_total_return"] == pytest.approx(0.01)
    bare = json.loads(told(*run, "--data", file)[0])
    assert bare["final_equity"] == 50_000
    assert bare["warnings"] == ["ACME opens at 50 after 100 on 2024-01-04: if this is a split, it was not given"]
    sweep = ("backtest", "sweep", "--strategy", "sma-crossover", "--workers", "1", "--json")
    swept, _ = told(*sweep, *ways[0], "--grid", "slow=3", "--param", "fast=1")
    assert json.loads(swept)["combinations"] == 1
    _, error = told(*run, *ways[0], "--adjustments", events, code=1)
    assert "goes with --data" in error


def test_a_longer_timeframe_is_made_of_the_bars_there_are(prices: Path, tmp_path: Path) -> None:
    told("data", "import", prices, "--home", tmp_path)
    weeks = higher(read_bars(prices), "1w").bars
    for where in (("--data", prices), ("--symbol", "IBM", "--home", tmp_path)):
        out, noted = told(*RUN, *where, "--timeframe", "1w", "--json")
        found = json.loads(out)
        assert (found["timeframe"], found["bars"]) == ("1w", len(weeks))
        assert found["metrics"] == backtest("sma-crossover", weeks).metrics
        assert "IBM: 1w bars made of the " in noted
    assert "1h bars cannot be made of 1d bars" in told(*RUN, "--data", prices, "--timeframe", "1h", code=1)[1]
    _, said = told(*RUN, "--symbol", "IBM", "--home", tmp_path, "--timeframe", "1h", code=1)
    assert "IBM is stored in 1d, not in 1h" in said


def test_a_split_inside_a_longer_bar_is_refused(prices: Path, tmp_path: Path) -> None:
    events = tmp_path / "events.csv"
    events.write_text("symbol,ex_date,numerator,denominator,amount\nIBM,2000-03-08,2,1,\n")
    asked = (*RUN, "--data", prices, "--adjustments", events, "--timeframe")
    assert "IBM was split on 2000-03-08, inside a bar of 1w" in told(*asked, "1w", code=1)[1]
    told(*asked, "1d")


def test_shares_and_rates_are_fractions_or_percent(prices: Path) -> None:
    asked = ("--stop-loss", "--take-profit", "--financing", "--credit", "--borrow", "--risk-free", "--maintenance")
    percent, fractions = ([part for name in asked for part in (name, value)] for value in ("5%", "0.05"))
    told_of = [json.loads(told(*RUN, "--data", prices, "--json", *way)[0]) for way in (percent, fractions)]
    assert told_of[0] == told_of[1]
    assert told_of[0]["terms"]["stop_loss"] == 0.05
    _, error = told(*RUN, "--data", prices, "--stop-loss", "five", code=2)
    assert "'five' is not a number such as 10 or 0.5" in error


def test_a_strategy_is_checked_on_a_file(prices: Path) -> None:
    found = json.loads(told("strategy", "check", "rsi", "--data", prices, "--json")[0])
    assert (found["ok"], found["bars"]) == (True, 800)


def test_two_files_of_one_symbol_are_refused(prices: Path) -> None:
    _, error = told(*RUN, "--data", prices, "--data", prices, code=1)
    assert "IBM is in two of the files" in error


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
        (("--mtm", "stop-loss"), "expected stop-loss=VALUE, not 'stop-loss'"),
        (("--mtm", "stop=5"), 'expected rules such as "stop-loss=2% trail=500"'),
        (("--mtm", "IBM stop=5"), "there is no rule 'stop'; expected one of stop-loss, target"),
        (("--mtm", "GE stop-loss=5"), "there is no level 'GE'; expected one of account, strategy, IBM"),
        (("--mtm", "stop-loss=much"), "--mtm: stop-loss: expected money"),
        (("--mtm", "stop-loss=0.001"), "mtm.account.stop_loss: a multiple of 0.01"),
        (("--mtm", "trail-from=5"), "trail-from: goes with trail"),
        (("--mtm", "lock-in=5"), "expected lock-in=REACHED:FLOOR"),
        (("--mtm", "end-of-day=soon"), "end-of-day: expected minutes before the close"),
        (("--mtm", "end-of-day=5 not-over=someday"), "not-over: expected mon"),
        (("--mtm", "target=5", "--mtm", "account target=6"), "target is given twice"),
        (("--mtm", "target=5", "--engine", "compiled"), "does not have mark-to-market rules"),
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
        (("--grid", "fast=5,10", "--table", "rows.xlsx"), ".xlsx is no table"),
        (("--grid", "fast=5,10", "--table", "nowhere/rows.csv"), "the folder nowhere does not exist"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_of_a_sweep_are_named(prices: Path, wrong: tuple[str, ...], named: str) -> None:
    done = CliRunner().invoke(app, ["backtest", "sweep", "--strategy", "sma-cross", "--data", str(prices), *wrong])
    assert done.exit_code == 1, done.output
    assert named in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that was started once, as far as results are concerned."""
    folder: Path = tmp_path_factory.mktemp("home")
    where = database(folder)
    upgrade(where)

    async def begin() -> None:
        engine = async_engine(where)
        people = People(StoredUsers(engine, User), StoredTokens(engine, RefreshToken, Session), Passwords())
        await people.ensure_owner("owner", "correct horse")
        await engine.dispose()

    asyncio.run(begin())
    return folder


GRIDS = ("--grid", "fast=5,10", "--grid", "slow=20:40:10")


def kept(home: Path, prices: Path) -> list[str]:
    """One result of each kind; their ids."""
    common = ("--strategy", "sma-cross", "--data", prices, "--home", home, "--keep", "--json")
    walk = ("--train", "300", "--test", "100", "--objective", "total_return")
    answers = [
        told("backtest", "run", *common, "--param", "fast=5", "--param", "slow=20"),
        told("backtest", "sweep", *common, *GRIDS, "--workers", "1"),
        told("backtest", "walk-forward", *common, *GRIDS, "--workers", "1", *walk),
    ]
    return [json.loads(out)["kept"] for out, _ in answers]


def test_results_are_kept_listed_shown_and_compared(home: Path, prices: Path, tmp_path: Path) -> None:
    at = ("--home", home)
    ids = kept(home, prices)
    items = json.loads(told("backtest", "list", *at, "--json")[0])["items"]
    assert [one["id"] for one in items] == ids[::-1]
    assert [one["kind"] for one in items] == ["walk-forward", "sweep", "backtest"]
    only = json.loads(told("backtest", "list", *at, "--kind", "sweep", "--json")[0])["items"]
    assert [one["id"] for one in only] == [ids[1]]
    listed, _ = told("backtest", "list", *at)
    for word in ("walk-forward", "sweep", "IBM", "fast="):
        assert word in listed
    told("backtest", "run", "--strategy", "ensemble", "--data", prices, *at, "--keep", "--json")
    (line,) = [one for one in told("backtest", "list", *at)[0].splitlines() if " ensemble " in one]
    assert "…" in line, "long parameters do not make every line long"
    assert len(line) < 200
    sheet, rows = tmp_path / "sheet.html", tmp_path / "rows.csv"
    out, _ = told("backtest", "show", ids[1][-10:], *at, "--top", "2", "--html", sheet, "--table", rows)
    for word in ("probability of overfitting", "deflated sharpe", "final equity", "fast  slow"):
        assert word in out
    assert "The search" in sheet.read_text(encoding="utf-8")
    assert len(rows.read_text().splitlines()) == 7
    found = json.loads(told("backtest", "show", ids[2], *at, "--json")[0])
    assert found["summary"]["search"]["windows"] == len(found["rows"]) == 5
    assert found["summary"]["cash"] == 100_000
    compared = json.loads(told("backtest", "compare", *ids, *at, "--json", "--metric", "sharpe")[0])
    assert [one["values"] for one in compared["metrics"]] == [[one["sharpe"] for one in reversed(items)]]
    out, _ = told("backtest", "compare", *ids[:2], *at)
    for word in ("(1)", "(2)", "Sharpe ratio", "Maximum drawdown"):
        assert word in out


def test_the_table_of_a_walk_is_shown_in_short(home: Path, prices: Path) -> None:
    out, _ = told("backtest", "show", kept(home, prices)[2], "--home", home)
    for word in ("test_start", "out_total_return", "windows", "efficiency"):
        assert word in out
    assert "in_final_equity" not in out


def test_a_killed_search_goes_on_with_the_same_command(home: Path, prices: Path) -> None:
    command = ("backtest", "sweep", "--strategy", "rsi", "--data", prices, "--home", home, "--keep", "--workers", "1",
               "--grid", "period=5:12", "--json")  # fmt: skip
    studies = home / "research" / "studies"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("evenkeel.research.concluding.conclude", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        CliRunner().invoke(app, [str(one) for one in command])
    (study,) = studies.glob("*.jsonl")
    lines = study.read_text().splitlines(keepends=True)
    study.write_text("".join(lines[:4]))
    found = json.loads(told(*command)[0])
    assert (found["combinations"], found["resumed"]) == (8, 3)
    assert list(studies.glob("*.jsonl")) == [], "what is kept needs no study"
    assert (home / "research" / f"{found['kept']}.npz").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (("list", "--home", "{empty}"), "Start it once"),
        (("show", "nothing"), "there is no result 'nothing'"),
        (("show", "0"), "results begin or end with '0'"),
        (("compare", "nothing", "more"), "there is no result 'nothing'"),
        (("sweep", *RUN[2:], "--keep", "--home", "{empty}", *GRIDS, "--data", "{prices}"), "Start it once"),
        (("sweep", *RUN[2:], "--method", "guess", *GRIDS, "--data", "{prices}"), "expected grid, random, tpe or nsga2"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_mistakes_about_kept_results_are_named(
    home: Path, prices: Path, tmp_path: Path, wrong: tuple[str, ...], named: str
) -> None:
    kept(home, prices)
    places = {"{empty}": str(tmp_path / "empty"), "{prices}": str(prices)}
    words = [places.get(one, one) for one in wrong]
    words += [] if "--home" in wrong else ["--home", str(home)]
    _, said = told("backtest", *words, code=1)
    assert named in said


def test_other_methods_and_several_objectives(prices: Path) -> None:
    command = (
        "backtest", "sweep", "--strategy", "sma-cross", "--data", prices, "--grid", "fast=3:20", "--grid", "slow=25:90",
        "--method", "random", "--trials", "12", "--seed", "4", "--objective", "cagr", "--objective", "max_drawdown",
        "--where", "trades >= 2", "--workers", "1", "--json",
    )  # fmt: skip
    found = json.loads(told(*command)[0])
    assert (found["combinations"], found["left_out"]) == (12, 0)
    assert set(found["best"]) == {"fast", "slow"}
    assert found["rows"][0]["cagr"] == max(row["cagr"] for row in found["rows"] if row["feasible"])
    assert json.loads(told(*command)[0])["rows"] == found["rows"], "the same seed finds the same"


@pytest.mark.parametrize("option", ["--html", "--table"])
def test_a_place_that_cannot_be_written_is_said_before_the_work(prices: Path, option: str) -> None:
    """What cannot be found is asked for only after that."""
    sweep = ("backtest", "sweep", "--strategy", "none", "--data", prices, "--grid", "fast=5,10")
    _, said = told(*sweep, option, "nowhere/file.csv", code=1)
    assert "the folder nowhere does not exist" in said


def test_why_combinations_were_left_out_is_said(prices: Path) -> None:
    sweep = ("backtest", "sweep", "--strategy", "sma-cross", "--data", prices, "--workers", "1")
    out, _ = told(*sweep, "--grid", "fast=60,70", "--param", "slow=20")
    assert "2 of 2 combinations were left out, the first (fast=60) because expected less than slow (20)" in out


@pytest.mark.parametrize(("command", "more"), [("run", ()), ("sweep", ("--grid", "calm=3,4", "--workers", "1"))])
def test_what_a_strategy_raises_is_said_with_its_own_line(
    prices: Path, tmp_path: Path, command: str, more: tuple[str, ...]
) -> None:
    file = tmp_path / "rash.py"
    file.write_text(
        "from evenkeel import SignalStrategy\n"
        "from evenkeel.trading.strategies import whole\n\n\n"
        "class Rash(SignalStrategy):\n"
        "    name = 'rash'\n"
        "    parameters = (whole('calm', 3, 1, 9),)\n\n"
        "    def warmup(self, params):\n"
        "        return 0\n\n"
        "    def signals(self, bars, params):\n"
        "        raise ZeroDivisionError('too fast')\n"
    )
    _, said = told("backtest", command, "--strategy", file, "--data", prices, *more, code=1)
    assert said.startswith("Error: rash.py line 13, in signals, raised ZeroDivisionError: too fast")
