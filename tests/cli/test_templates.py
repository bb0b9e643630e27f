"""Configurations from the command line: saved, compared, archived; deployed, changed and tested by their names."""

import json
from pathlib import Path
from typing import Any

import pytest

from evenkeel.market.sample import sample_market
from tests.cli.desk import Desk, evenkeel, invoke, until

SAVE = ("--template", "sma-cross", "--parameters", '{"fast": 5, "slow": 20}', "--range", "fast=2:10:4", "--size", "7")
MINE = """
import numpy as np
from evenkeel.trading.strategies import SignalStrategy


class Mine(SignalStrategy):
    name = "{name}"

    def warmup(self, params):
        return 0

    def signals(self, bars, params):
        return np.ones(len(bars))
"""


@pytest.fixture
def name(desk: Desk, request: pytest.FixtureRequest) -> str:
    """A configuration of this test alone, in one version."""
    made = f"t{abs(hash(request.node.nodeid)) % 10**8}"
    assert desk.ask("strategy", "save", made, *SAVE)["id"] == f"{made}@1"
    return made


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    """A file of daily bars."""
    _, bars, _ = sample_market()
    some = next(iter(bars.values())).rows(0, 200)
    days = some.ts.astype("datetime64[ns]").astype("datetime64[D]")
    rows = [f"{day},{c},{c},{c},{c},100" for day, c in zip(days, some.close.round(2).tolist(), strict=True)]
    file = tmp_path / "prices.csv"
    file.write_text("\n".join(["date,open,high,low,close,volume", *rows]), encoding="utf-8")
    return file


def test_saved_versions_are_listed_shown_and_compared(desk: Desk, name: str) -> None:
    text = desk.run("strategy", "save", name, *SAVE, "--description", "Sevens").stdout
    assert text.splitlines()[0] == f"Saved as {name}@2."
    assert "ranges: fast" in text
    assert "2 to 10 by 4" in text
    assert [one["id"] for one in desk.items("strategy", "versions", name)] == [f"{name}@2", f"{name}@1"]
    assert "fast=5 slow=20" in desk.run("strategy", "versions", name).stdout
    assert desk.ask("strategy", "diff", name)["changes"] == [
        {"field": "description", "before": None, "after": "Sevens"}
    ]
    assert "Sevens" in desk.run("strategy", "diff", name, "1", "2").stdout
    assert desk.run("strategy", "diff", name, "2", "2").stdout == "Nothing differs.\n"
    shown = desk.ask("strategy", "show", f"{name}@1", "--template")
    assert (shown["version"], shown["configuration"]["description"]) == ("1", "")
    assert "Sevens" in desk.run("strategy", "show", name, "--template").stdout
    assert "fast = 10" in desk.run("strategy", "show", "sma-cross", "--template").stdout
    listed = {one["name"]: one for one in desk.items("strategy", "templates")}
    assert (listed[name]["source"], listed[name]["parameters"][0]["default"]) == ("saved", 5)
    assert f"{name}  version 2" in desk.run("strategy", "templates").stdout


def test_a_configuration_comes_from_a_file_too(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "both.json"
    file.write_text(json.dumps({"template": "ensemble", "description": "two", "members": [{"template": "macd"}]}))
    saved = desk.ask("strategy", "save", "of-file", "--file", file, "--member", "rsi*2", "--member", "macd")
    assert [(one["template"], one["weight"]) for one in saved["members"]] == [("rsi", 2.0), ("macd", 1.0)]
    assert saved["description"] == "two"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--template", "rsi", "--range", "period=5"), "--range"),
        (("--template", "rsi", "--range", "period=a:b"), "--range"),
        (("--template", "ensemble", "--member", "rsi*x"), "--member"),
        (("--template", "rsi", "--parameters", "[]"), "--parameters"),
        (("--template", "rsi", "--size", "cash:-5"), "size.amount"),
        (("--template", "gone"), "--template"),
        ((), "--template"),
    ],
)
def test_what_cannot_be_saved_is_told_by_its_option(desk: Desk, options: tuple[str, ...], said: str) -> None:
    assert said in desk.refused("strategy", "save", "never", *options)
    desk.run("strategy", "show", "never", "--template", code=1)


def test_what_is_archived_is_not_used(desk: Desk, name: str, prices: Path) -> None:
    assert desk.run("strategy", "archive", name).stdout == f"Archived {name}.\n"
    assert name not in [one["name"] for one in desk.items("strategy", "templates")]
    run = ("backtest", "run", "--data", prices, "--strategy", name)
    assert "archived" in desk.refused(*run)
    assert desk.ask("strategy", "restore", name)["archived_at"] is None
    assert desk.ask(*run)["parameters"]["fast"] == 5


def test_it_is_tested_and_checked_by_name(desk: Desk, name: str, prices: Path) -> None:
    run = ("backtest", "run", "--data", prices, "--engine", "compiled")
    found = desk.ask(*run, "--strategy", f"{name}@1")
    plain = desk.ask(*run, "--strategy", "sma-cross", "--param", "fast=5", "--param", "slow=20", "--size", "7")
    assert found["final_equity"] == plain["final_equity"]
    other = desk.ask(*run, "--strategy", name, "--param", "fast=6", "--size", "9")
    assert (other["parameters"]["fast"], other["final_equity"] != plain["final_equity"]) == (6, True)
    assert "from 2 to 10" in desk.refused(*run, "--strategy", name, "--param", "fast=11")
    swept = desk.ask("backtest", "sweep", "--data", prices, "--strategy", name)
    assert sorted(one["fast"] for one in swept["rows"]) == [2, 6, 10]
    assert "--grid" in desk.refused("backtest", "sweep", "--data", prices, "--strategy", "rsi")
    checked = desk.ask("strategy", "check", name)
    assert (checked["ok"], checked["parameters"]["fast"]) == (True, 5)
    assert "no strategy template" in desk.refused(*run, "--strategy", f"{name}@9")


def deployed(desk: Desk, name: str, *more: str) -> Any:
    return desk.ask(
        "strategy", "deploy", f"By {name}", "--template", name, "--symbol", "IBM", "--account", "Family=0.01", *more
    )


def test_it_is_deployed_changed_and_removed_while_the_desk_runs(desk: Desk, name: str) -> None:
    made = deployed(desk, name, "--rules", '{"max_losses": 50}', "--disabled")
    assert (made["configuration"], made["size"]["quantity"], made["rules"]["max_losses"]) == (f"{name}@1", "7", 50)
    strategy = made["name"]
    changed = desk.ask("strategy", "change", strategy, "--parameters", '{"fast": 6}', "--size", "3", "--rules", "none")
    assert (changed["parameters"]["fast"], changed["size"]["quantity"], changed["rules"]) == (6, "3", None)
    assert "--parameters" not in desk.run("strategy", "show", strategy).stdout
    assert desk.ask("strategy", "change", strategy, "--template", "rsi")["template"] == "rsi"
    desk.refused("strategy", "change", strategy, "--rules", '{"recovery": 0.1}')
    assert desk.run("strategy", "remove", strategy).stdout == f"Removed {strategy}.\n"
    assert strategy not in [one["name"] for one in desk.items("strategy", "list")]
    assert deployed(desk, name, "--disabled")["name"] == strategy, "its name is free"
    assert desk.ask("strategy", "remove", strategy)["status"] == "removed"


def test_signals_are_filtered(desk: Desk) -> None:
    items = until(lambda: desk.items("strategy", "signals", "Trend", "--limit", "500"))
    holds = desk.items("strategy", "signals", "Trend", "--action", "hold", "--symbol", "aapl", "--limit", "500")
    assert {(one["action"], one["symbol"]) for one in holds} == {("HOLD", "AAPL")}
    last = items[0]["at"]
    before = desk.items("strategy", "signals", "Trend", "--end", last, "--limit", "5")
    assert [one["at"] < last for one in before] == [True] * 5
    assert last in [one["at"] for one in desk.items("strategy", "signals", "Trend", "--start", last, "--limit", "500")]
    assert "details" in desk.run("strategy", "signals", "Trend").stdout.splitlines()[0]
    assert "--action" in desk.refused("strategy", "signals", "Trend", "--action", "wait")


def test_files_of_the_home_are_templates(tmp_path: Path, prices: Path) -> None:
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "mine.py").write_text(MINE.format(name="mine"))
    (folder / "_shared.py").write_text("raise RuntimeError('never run')")
    (folder / "broken.py").write_text("import nothing_of_that_name")
    items = json.loads(invoke("strategy", "templates", "--json", "--home", tmp_path).stdout)["items"]
    assert "mine" in [one["name"] for one in items]
    found = evenkeel("backtest", "run", "--strategy", "mine", "--data", prices, "--home", tmp_path, "--json")
    assert json.loads(found.stdout)["fills"] == 1
