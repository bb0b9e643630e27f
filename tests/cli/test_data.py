"""`evenkeel data` as a user types it: output, exit codes, JSON, errors without a traceback."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from evenkeel.cli.data import app

GOOD = """date,open,high,low,close,volume
2005-02-24,88.48,89.9,87.7,88.9,100
2005-02-25,89.62,89.9,88.1,88.9,110
2005-02-28,44.67,45.1,43.9,44.8,220
2005-03-01,45.04,45.1,44.1,44.4,150
"""
EVENTS = "symbol,ex_date,numerator,denominator\nAAPL,2005-02-28,2,1\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    path = tmp_path / "aapl_1d.csv"
    path.write_text(GOOD)
    return path


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def answer(*arguments: object, code: int = 0) -> Any:
    return json.loads(run(*arguments, "--json", code=code).stdout)


def test_import_list_check_and_export(home: Path, prices: Path, tmp_path: Path) -> None:
    events = tmp_path / "events.csv"
    events.write_text(EVENTS)
    shown = run("import", prices, "--adjustments", events, "--home", home).stdout
    assert "new" in shown
    assert "taken as EQUITY in USD" in shown
    (item,) = answer("list", "--home", home)["items"]
    assert (item["symbol"], item["timeframe"], item["rows"], item["splits"]) == ("AAPL", "1d", 4, 1)
    assert item["from"] == "2005-02-24T14:30:00Z"
    assert "AAPL" in run("list", "--home", home).stdout
    assert "AAPL 1d at US: ok, 4 bars" in run("check", "--home", home).stdout
    lines = run("export", "aapl", "--home", home, "--from", "2005-02-25", "--to", "2005-02-28").stdout.splitlines()
    assert [line.split(",")[3] for line in lines[1:]] == ["2005-02-25T14:30:00Z", "2005-02-28T14:30:00Z"]
    adjusted = run("export", "AAPL", "--home", home, "--to", "2005-02-28", "--adjusted").stdout.splitlines()
    assert adjusted[1].split(",")[5] == "44.24"
    items = answer("export", "AAPL", "--home", home)["items"]
    assert (items[0]["ts"], items[0]["open"], len(items)) == ("2005-02-24T14:30:00Z", 88.48, 4)
    unadjusted = run("export", "AAPL", "--home", home, "--to", "2005-02-25", "--adjusted").stdout.splitlines()
    assert unadjusted[1].split(",")[5] == "88.48"


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_an_export_imports_elsewhere(home: Path, prices: Path, tmp_path: Path, name: str) -> None:
    run("import", prices, "--home", home)
    written = answer("export", "AAPL", "--home", home, "-o", tmp_path / name)
    assert (written["rows"], written["timeframe"]) == (4, "1d")
    run("import", tmp_path / name, "--home", tmp_path / "other")
    first, second = (run("export", "AAPL", "--home", place).stdout for place in (home, tmp_path / "other"))
    assert first == second
    assert answer("import", tmp_path / name, "--home", home)["items"][0]["outcome"] == "unchanged"


def test_longer_bars_are_made_on_the_way_out(home: Path, prices: Path) -> None:
    run("import", prices, "--home", home)
    result = run("export", "AAPL", "--timeframe", "weekly", "--home", home)
    assert "Made of the stored 1d bars." in result.stderr
    assert len(result.stdout.splitlines()) == 2
    assert "stored in 1d, not in 1h" in run("export", "AAPL", "--timeframe", "1h", "--home", home, code=1).stderr


def test_a_refused_file_is_explained(home: Path, tmp_path: Path) -> None:
    bad = tmp_path / "aapl.csv"
    bad.write_text(GOOD + "2005-03-02,1,2,3,1,1\n")
    result = run("import", bad, "--home", home, code=1)
    assert result.stdout == ""
    assert "row 6, high: 2: the high is below the low" in " ".join(result.stderr.split())
    assert "--drop-bad-rows" in result.stderr
    problem = json.loads(run("import", bad, "--home", home, "--json", code=1).stderr)
    assert (problem["code"], problem["errors"][0]["field"]) == ("data-refused", "row 6, high")
    assert answer("list", "--home", home)["items"] == []
    assert answer("import", bad, "--home", home, "--drop-bad-rows")["items"][0]["dropped"] == 1
    assert "1 bad rows were left out" in run("check", "--home", home).stdout


def test_replacing_can_be_taken_back(home: Path, prices: Path) -> None:
    run("import", prices, "--home", home)
    prices.write_text(GOOD.replace("44.4,150", "44.5,150"))
    assert "--replace" in run("import", prices, "--home", home, code=1).stderr
    assert answer("import", prices, "--replace", "--home", home)["items"][0]["outcome"] == "replaced"
    assert run("export", "AAPL", "--home", home).stdout.splitlines()[-1].split(",")[8] == "44.5"
    assert "are back" in run("restore", "AAPL", "--home", home).stdout
    assert run("export", "AAPL", "--home", home).stdout.splitlines()[-1].split(",")[8] == "44.4"


def test_a_dry_run_changes_nothing(home: Path, prices: Path) -> None:
    assert "dry run" in run("import", prices, "--dry-run", "--home", home).stdout
    assert answer("list", "--home", home) == {"items": []}
    assert "evenkeel data import" in run("list", "--home", home).stdout


def test_damage_is_found(home: Path, prices: Path) -> None:
    run("import", prices, "--home", home)
    path = next(home.rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:100])
    assert "DAMAGED" in run("check", "--home", home, code=1).stdout
    assert answer("check", "AAPL", "--home", home, code=1)["ok"] is False


@pytest.mark.parametrize(
    "arguments",
    [
        ("import",),
        ("import", "missing.csv"),
        ("import", "{file}", "--tick", "zero"),
        ("import", "{file}", "--lot", "0"),
        ("import", "{file}", "--asset-class", "FISH"),
        ("export", "AAPL", "--from", "yesterday"),
        ("export", "AAPL", "--format", "parquet"),
        ("export",),
        ("nonsense",),
    ],
)
def test_a_wrong_command_line_is_usage(home: Path, prices: Path, arguments: tuple[str, ...]) -> None:
    run(*(one.format(file=prices) for one in arguments), code=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("export", "NOPE"), "no bars of NOPE"),
        (("check", "NOPE"), "no bars of NOPE"),
        (("restore", "AAPL"), "no earlier version"),
        (("export", "AAPL", "--timeframe", "soon"), "not a timeframe"),
        (("import", "{file}", "--timezone", "Mars/Base"), "not a time zone"),
        (("import", "{file}", "--timeframe", "soon"), "not a timeframe"),
        (("export", "AAPL", "-o", "{file}/x.csv"), "Not a directory"),
    ],
)
def test_what_cannot_be_done_is_said(home: Path, prices: Path, arguments: tuple[str, ...], message: str) -> None:
    run("import", prices, "--home", home)
    filled = [one.format(file=prices) for one in arguments]
    assert message in run(*filled, "--home", home, code=1).stderr
    assert message in json.loads(run(*filled, "--home", home, "--json", code=1).stderr)["detail"]


def test_a_pipe_gets_no_bar_and_may_close_early(home: Path, prices: Path) -> None:
    code = "from evenkeel.cli.data import app; app()"
    command = [sys.executable, "-c", code, "import", str(prices), "--home", str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "\x1b" not in done.stdout


def test_the_command_line_loads_nothing_heavy() -> None:
    code = (
        "import sys; import evenkeel.cli.data;"
        "print([name for name in ('numpy', 'pandas', 'polars', 'pyarrow', 'rich.progress') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_terminal_gets_a_bar(home: Path, prices: Path) -> None:
    pty = pytest.importorskip("pty")
    import os

    ours, theirs = pty.openpty()
    code = "from evenkeel.cli.data import app; app()"
    command = [sys.executable, "-c", code, "import", str(prices), "--home", str(home)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, text=True, check=True)
    os.close(theirs)
    assert "\x1b" not in done.stdout
    assert b"\x1b" in os.read(ours, 65536)
    os.close(ours)
