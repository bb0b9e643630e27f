"""The command line as a whole: help, start-up, completion, what `up` and `demo` hand over, and the shared parts."""

import json
import os
import re
import subprocess
import sys
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from evenkeel import __version__
from evenkeel.cli.client import find, socket_path
from evenkeel.cli.common import print_fields, print_json, print_table, resolve_home
from evenkeel.cli.main import app
from evenkeel.cli.place import the_database
from evenkeel.domain.errors import InvalidInput, NotFound
from tests.cli.desk import EVENKEEL, Served, clean_environment, evenkeel, invoke

HEAVY = (
    "asyncio", "fastapi", "httpx", "numba", "numpy", "pandas", "polars", "pyarrow", "pydantic", "sqlalchemy",
    "structlog", "uvicorn", "evenkeel.cli.order",
)  # fmt: skip


@cache
def commands(group: Any = None, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every command by its path; of groups, those that do something by themselves."""
    found: dict[tuple[str, ...], Any] = {}
    root: Any = group or get_command(app)
    for name in tuple(root.commands):
        command = root.get_command(None, name)
        if hasattr(command, "commands"):
            found |= commands(command, (*path, name))
        if not hasattr(command, "commands") or command.invoke_without_command:
            found[*path, name] = command
    return found


@pytest.mark.parametrize("path", sorted(commands()), ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    text = invoke(*path, "--help").stdout
    assert f"Usage: evenkeel {' '.join(path)}" in text
    assert f"evenkeel {' '.join(path)}" in text.partition("Examples:")[2]
    options = {option for parameter in commands()[path].params for option in parameter.opts}
    assert options & {"--home"} or path in {("backup", "check"), ("strategy", "templates")}
    assert "--json" in options or path in {("up",), ("demo",)}
    silent = [one.name for one in commands()[path].params if not getattr(one, "help", None)]
    assert silent == []


@pytest.mark.parametrize("path", sorted(commands()), ids=" ".join)
def test_examples_in_help_are_commands(path: tuple[str, ...]) -> None:
    for line in invoke(*path, "--help").stdout.partition("Examples:")[2].splitlines():
        if found := re.match(r"    evenkeel ([a-z]+)(?: ([a-z][a-z-]*))?(?: ([a-z][a-z-]*))?", line):
            words = tuple(word for word in found.groups() if word)
            assert any(words[:count] in commands() for count in (1, 2, 3)), line


@pytest.mark.parametrize("group", ["account", "backtest", "order", "strategy", "market", "feed", "data", "db", "user"])
def test_a_noun_alone_lists_its_verbs(group: str) -> None:
    for arguments in ((group,), (group, "--help")):
        said = invoke(*arguments, code=0 if "--help" in arguments else 2).output
        assert all(name in said for path in commands() if path[0] == group for name in path[1:2])


def test_help_and_version_load_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['evenkeel', '--help']\n"
        "from evenkeel.bootstrap import main\n"
        "try: main()\n"
        f"except SystemExit: print(sorted(set({HEAVY}) & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert evenkeel("--version").stdout.strip() == __version__


def test_nothing_said_is_help() -> None:
    assert "evenkeel demo" in invoke(code=2).output


@pytest.mark.parametrize(
    ("shell", "words"), [("bash", "evenkeel acc"), ("zsh", "evenkeel acc"), ("fish", "evenkeel acc")]
)
def test_shells_complete(shell: str, words: str, tmp_path: Path) -> None:
    environment = clean_environment(tmp_path)
    asked = {
        "_EVENKEEL_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": words,
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_ARGS": words,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = subprocess.run([str(EVENKEEL)], env={**environment, **asked}, capture_output=True, text=True, check=False)
    assert "account" in done.stdout, done.stderr


def test_completion_is_installed_for_the_shell_that_asks(tmp_path: Path) -> None:
    environment = {**clean_environment(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    shown = evenkeel("--install-completion", "bash", env=environment).stdout
    assert "completion installed" in shown
    assert list(tmp_path.rglob("evenkeel.sh"))


def test_demo_has_a_home_of_its_own(tmp_path: Path) -> None:
    served = Served()
    environment = {"XDG_DATA_HOME": str(tmp_path), "EVENKEEL_HOME": str(tmp_path / "mine")}
    invoke("demo", served=served, env=environment)
    invoke("up", served=served, env=environment)
    invoke("up", "--home", tmp_path / "given", served=served, env=environment)
    invoke("up", served=served, env={"XDG_DATA_HOME": str(tmp_path)})
    homes = [plan.home for plan in served]
    demo, own = tmp_path / "evenkeel" / "demo", tmp_path / "evenkeel" / "home"
    assert homes == [demo, tmp_path / "mine", tmp_path / "given", own]
    assert [plan.mode for plan in served] == ["demo", "up", "up", "up"]


def test_options_reach_the_server(tmp_path: Path) -> None:
    served, file = Served(), tmp_path / "a.csv"
    file.touch()
    demo = ("demo", "--port", 8123, "--speed", 20, "--password", "pw-For-demo-1", "--loop", "--no-open")
    invoke(*demo, "--data", file, "--data", file, "--log-level", "DEBUG", served=served)
    invoke(
        "up",
        "--feed",
        "Simulated",
        "--seed",
        3,
        "--symbol",
        "A",
        "--symbol",
        "B",
        "--from",
        "2005-09-01",
        served=served,
    )
    first, second = served
    assert (first.port, first.speed, first.password, first.loop) == (8123, Decimal(20), "pw-For-demo-1", True)
    assert (first.open_browser, first.data, first.log_level, first.feed) == (False, (file, file), "debug", "replay")
    assert (second.feed, second.seed, second.symbols, second.start) == ("simulated", 3, ("A", "B"), "2005-09-01")
    assert (second.port, second.speed, second.host, second.log_format) == (None, None, None, None)


def test_a_home_may_be_named_in_the_environment(tmp_path: Path) -> None:
    said = invoke("status", env={"EVENKEEL_HOME": str(tmp_path / "mine")}, code=1).stderr
    assert f"nothing is running on {tmp_path / 'mine'}" in said


def test_a_home_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve_home(Path("x")) == tmp_path / "x"
    assert resolve_home(Path("~/x")) == tmp_path / "x"


def test_a_long_home_has_its_socket_elsewhere(tmp_path: Path) -> None:
    assert socket_path(Path("/h")) == Path("/h/evenkeel.sock")
    one, other = socket_path(tmp_path / ("x" * 120)), socket_path(tmp_path / ("y" * 120))
    assert one != other
    assert len(os.fsencode(one)) < 100
    assert one.parent.stat().st_mode & 0o077 == 0


ITEMS = [{"id": "aa-1", "name": "One"}, {"id": "aa-2", "name": "Two"}, {"id": "bb-3", "name": "one"}]


def test_things_are_found_by_name_or_id() -> None:
    assert find(ITEMS, "One", what="thing")["id"] == "aa-1"
    assert find(ITEMS, "TWO", what="thing")["id"] == "aa-2"
    assert find(ITEMS, "bb", what="thing")["id"] == "bb-3"
    assert find(ITEMS, "aa-2", what="thing")["id"] == "aa-2"
    with pytest.raises(InvalidInput, match="more than one thing"):
        find(ITEMS, "ONE", what="thing")
    with pytest.raises(InvalidInput) as several:
        find(ITEMS, "aa", what="thing")
    assert several.value.hint == "Give the id: One aa-1, Two aa-2."
    with pytest.raises(NotFound) as none:
        find([], "x", what="thing")
    assert none.value.hint == "There is none yet."


def test_tables_line_up(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "n"], [["a", "1"], ["longer", "-22.5"]])
    assert capsys.readouterr().out == "name        n\na           1\nlonger  -22.5\n"
    print_table(["name"], [], empty="Nothing.")
    assert capsys.readouterr().out == "Nothing.\n"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("39449.40000000", "39449.40"),
        ("-0.12500000", "-0.125"),
        ("10.00000000", "10.00"),
        ("1,234.5000", "1,234.50"),
        ("100.00", "100.00"),
        ("0.0000125", "0.0000125"),
        ("100000", "100000"),
        ("1.2.3000", "1.2.3000"),
        ("v1.0000", "v1.0000"),
        ("none", "none"),
    ],
)
def test_people_see_no_zeros_beyond_the_cents(capsys: pytest.CaptureFixture[str], given: str, shown: str) -> None:
    print_fields({"value": given, "parts": [given, {"of": given}], "inside": {"it": given}})
    assert capsys.readouterr().out.split("\n") == [
        f"value       {shown}",
        f"parts       {shown}, of {shown}",
        f"inside: it  {shown}",
        "",
    ]
    print_table(["a"], [[given]])
    assert capsys.readouterr().out.splitlines()[1].strip() == shown
    print_json({"value": given})
    assert f'"{given}"' in capsys.readouterr().out


def test_nested_fields_are_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields({"a_b": {"c": None, "d": True}, "e": [], "f": ["x", {"g": 1}], "h": {}, "i": ""})
    assert capsys.readouterr().out == "a b: c  none\na b: d  yes\ne       none\nf       x, g 1\nh       none\ni\n"


def test_the_database_is_the_settings_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("EVENKEEL_DATABASE_URL", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    url = "postgresql://somebody@127.0.0.1:1/desk"
    assert the_database(tmp_path).is_sqlite
    (tmp_path / "evenkeel.toml").write_text(f'database_url = "{url}"\n')
    assert the_database(tmp_path).url == url
    monkeypatch.setenv("DATABASE_URL", f"{url}2")
    assert the_database(tmp_path).url == f"{url}2"
    assert the_database(tmp_path, f"{url}3").url == f"{url}3"


def test_errors_in_json_name_code_and_hint(tmp_path: Path) -> None:
    problem = json.loads(invoke("status", "--json", "--home", tmp_path, code=1).stderr)
    assert (problem["code"], problem["title"], problem["errors"]) == ("not-ready", "Not ready", [])
    assert "evenkeel up" in problem["hint"]
