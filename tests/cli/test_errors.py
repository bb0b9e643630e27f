"""Every way to get a command wrong: what it says, its exit code (1 refused or failed, 2 usage), never a traceback."""

import signal
import socket
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.cli.desk import EVENKEEL, Desk, clean_environment, evenkeel, invoke

UNKNOWN = "01a2b3c4-d5e6-7f80-9a0b-1c2d3e4f5061"


def named(one: object) -> str:
    return " ".join(one) if isinstance(one, tuple) else ""


REFUSED: list[tuple[tuple[str, ...], str, str]] = [
    (("account", "show", "Nope"), "there is no account 'Nope'", "There are: Family, Trading, Starter"),
    (("account", "show", ""), "there is no account ''", "There are: "),
    (("account", "show", "00000000-0000-7"), "names more than one account", "Give the id: Family 00000000-"),
    (("account", "ledger", "Nope"), "there is no account", "There are: "),
    (("account", "equity", "Nope"), "there is no account", "There are: "),
    (("account", "positions", "Nope"), "there is no account", "There are: "),
    (("account", "open", "Family", "--cash", "-1"), "cannot be opened", "  --cash: "),
    (("account", "open", "", "--cash", "1"), "not valid", "  NAME: "),
    (("account", "open", "X", "--cash", "1", "--fees", "free"), "cannot be opened", "--fees: must be one of zero, "),
    (("account", "open", "X", "--cash", "1", "--currency", "dollar"), "no currency is called DOLLAR", "  --currency: "),
    (("account", "limits", "Family", "--daily-loss", "2"), "  --daily-loss: ", "0 to 1"),
    (("account", "limits", "Family", "--max-trades-per-day", "1.5"), "  --max-trades-per-day: ", ""),
    (("account", "deposit", "Family", "0"), "  AMOUNT: ", ""),
    (("account", "withdraw", "Nope", "1"), "there is no account", "There are: "),
    (("order", "resolve", UNKNOWN, "--yes"), "there is no order", "Give the whole id"),
    (("order", "place", "Nope", "buy", "1", "AAPL"), "there is no account 'Nope'", "There are: "),
    (("order", "place", "Family", "buy", "1", "NOPE"), "there is no instrument 'NOPE'", "`evenkeel market symbols`"),
    (("order", "place", "Family", "buy", "0", "AAPL"), "not valid", "  QUANTITY: "),
    (("order", "place", "Family", "buy", "1", "AAPL", "--limit", "-2"), "not valid", "  --limit: "),
    (("order", "place", "Family", "buy", "1", "AAPL", "--stop", "0"), "not valid", "  --stop: "),
    (("order", "place", "Family", "buy", "1", "AAPL", "--book", "Nope"), "no strategy or portfolio 'Nope'", "There "),
    (("order", "place", "Family", "buy", "1", "AAPL", "--venue", "XXXX"), "at 'XXXX'", "SYMBOL: "),
    (("order", "place", "Family", "buy", "1", "AAPL", "--client-order-id", "x" * 65), "not valid", "--client-order-id"),
    (("order", "place", "Family", "buy", "1.5", "AAPL"), "refused by lot-size", "Nothing was sent."),
    (("order", "place", "Family", "buy", "9999999", "AAPL"), "refused by max-position-share", "the limit is 10 %"),
    (("order", "show", UNKNOWN), "there is no order", "Give the whole id"),
    (("order", "show", "../orders"), "there is nothing", "Give the whole id"),
    (("order", "show", " "), "the order's id is empty", "evenkeel order list"),
    (("order", "cancel", UNKNOWN), "there is no order", "Give the whole id"),
    (("order", "cancel", "a", "b"), "2 of 2 orders cannot be cancelled", "no order 'a'"),
    (("order", "list", "--status", "gone"), "  --status: must be one of", "open"),
    (("order", "list", "--account", "Nope"), "there is no account", "There are: "),
    (("order", "fills", "--account", "Nope"), "there is no account", "There are: "),
    (("strategy", "show", "Nope"), "there is no strategy 'Nope'", "There are: Trend, Reversion"),
    (("strategy", "signals", "Nope"), "there is no strategy", "There are: "),
    (("strategy", "enable", "Nope"), "there is no strategy", "There are: "),
    (("strategy", "disable", "Nope"), "there is no strategy", "There are: "),
    (("strategy", "allocate", "Trend", "2"), "  SHARE: ", "share from 0 to 1"),
    (("strategy", "allocate", "Trend", "0.1", "--account", "Nope"), "there is no account", "There are: "),
    (("feed", "speed", "1001"), "  SPEED: at most 1000", ""),
    (("market", "quotes", "NOPE"), "there is no instrument 'NOPE'", "market symbols` lists"),
    (("market", "bars", "NOPE"), "there is no instrument", ""),
    (("market", "bars", "AAPL", "--timeframe", "x"), "  --timeframe: ", ""),
    (("market", "bars", "AAPL", "--from", "soon"), "  --from: 'soon' is not an ISO 8601", ""),
    (("user", "password", "nobody", "--password", "long-enough-1"), "there is no user 'nobody'", ""),
    (("user", "password", "demo", "--password", "short"), "password: 8 to 128 characters", ""),
]  # fmt: skip


@pytest.mark.parametrize(("command", "what", "todo"), REFUSED, ids=named)
def test_what_is_refused_says_why(desk: Desk, command: tuple[str, ...], what: str, todo: str) -> None:
    said = desk.refused(*command)
    assert said.startswith("Error: ")
    assert what in said
    assert todo in said
    problem = desk.problem(*command)
    assert problem["detail"]
    assert problem["code"]


DEPLOYMENTS = [
    (("--template", "nope", "--account", "Family=0.1"), "--template: there is no strategy template 'nope'"),
    (("--template", "rsi", "--account", "Family=2"), "--account Family=2: "),
    (("--template", "rsi", "--account", "Family"), "write ACCOUNT=SHARE, such as Family=0.2"),
    (("--template", "rsi", "--account", "Nope=0.1"), "there is no account 'Nope'"),
    (("--template", "rsi", "--account", "Family=0.1", "--parameters", "{"), "--parameters is not JSON"),
    (("--template", "rsi", "--account", "Family=0.1", "--parameters", "[]"), "not a JSON object"),
    (("--template", "rsi", "--account", "Family=0.1", "--parameters", '{"period": 1}'), "whole number from 2 to 200"),
    (("--template", "rsi", "--account", "Family=0.1", "--symbol", "NOPE"), "--symbol NOPE: there is no instrument"),
]


@pytest.mark.parametrize(("options", "what"), DEPLOYMENTS, ids=named)
def test_deployments_that_cannot_be(desk: Desk, options: tuple[str, ...], what: str) -> None:
    assert what in desk.refused("strategy", "deploy", "X", "--symbol", "AAPL", *options)


USAGE = [
    (("order", "place", "Family", "hold", "1", "AAPL"), "'hold' is not one of 'buy', 'sell'"),
    (("order", "place", "Family", "buy", "one", "AAPL"), "'one' is not a number such as 10 or 0.5"),
    (("order", "place", "Family", "buy", "nan", "AAPL"), "'nan' is not a finite number"),
    (("order", "place", "Family", "buy", "1", "AAPL", "--tif", "soon"), "'soon' is not one of 'day', 'gtc'"),
    (("order", "place", "Family", "buy", "1"), "Missing argument 'SYMBOL'"),
    (("order", "list", "--limit", "0"), "greater than or equal to 1"),
    (("order", "cancel"), "name orders, or --all of them"),
    (("order", "cancel", "x", "--all"), "name orders, or --all of them"),
    (("order", "cancel", "x", "--account", "Family"), "goes with --all"),
    (("account", "open", "X"), "Missing option '--cash'"),
    (("account", "open", "X", "--cash", "much"), "'much' is not a number"),
    (("account", "open", "X", "--cash", "1", "--type", "loan"), "'loan' is not one of 'cash', 'margin'"),
    (("account", "limits", "X", "--daily-loss", "some"), "'some' is not a number"),
    (("account", "deposit", "X", "much"), "'much' is not a number"),
    (("account", "positions", "--status", "gone"), "'gone' is not one of 'open', 'closed', 'all'"),
    (("strategy", "allocate", "Trend", "all"), "'all' is not a number"),
    (("feed", "speed", "fast"), "'fast' is not a number"),
    (("up", "--speed", "fast"), "'fast' is not a number such as 2 or 0.5"),
    (("up", "--speed", "1001"), "0 (as fast as possible) to 1000"),
    (("up", "--port", "70000"), "less than or equal to 65535"),
    (("up", "--feed", "real"), "'real' is not one of"),
    (("up", "--from", "soon"), "'soon' is not an ISO 8601 date"),
    (("up", "--log-level", "loud"), "'loud' is not one of"),
    (("demo", "--data", "/nowhere.csv"), "'/nowhere.csv' does not exist"),
    (("frobnicate",), "No such command 'frobnicate'"),
    (("order", "plaice"), "No such command 'plaice'"),
    (("--frobnicate",), "No such option: --frobnicate"),
]


@pytest.mark.parametrize(("command", "what"), USAGE, ids=named)
def test_a_wrong_command_line_is_usage(command: tuple[str, ...], what: str) -> None:
    said = " ".join(invoke(*command, code=2).stderr.split())
    assert what in said
    assert "--help" in said


SPEAKING = [
    ("status",), ("events",), ("account", "list"), ("account", "show", "x"), ("account", "open", "x", "--cash", "1"),
    ("account", "ledger", "x"), ("account", "equity", "x"), ("account", "positions"), ("order", "list"),
    ("account", "limits", "x"), ("account", "deposit", "x", "1"), ("account", "withdraw", "x", "1"),
    ("order", "resolve", "x", "--yes"),
    ("order", "place", "x", "buy", "1", "y"), ("order", "show", "x"), ("order", "cancel", "x"), ("order", "fills"),
    ("strategy", "list"), ("strategy", "show", "x"), ("strategy", "enable", "x"), ("strategy", "disable", "x"),
    ("strategy", "allocate", "x", "1"), ("strategy", "signals", "x"), ("market", "symbols"), ("market", "quotes"),
    ("market", "bars", "x"), ("feed", "show"), ("feed", "pause"), ("feed", "resume"), ("feed", "speed", "1"),
    ("feed", "restart", "--yes"),
]  # fmt: skip


@pytest.mark.parametrize("command", SPEAKING, ids=" ".join)
def test_a_stopped_server_is_named(command: tuple[str, ...], tmp_path: Path) -> None:
    said = invoke(*command, "--home", tmp_path / "h", code=1).stderr
    assert f"nothing is running on {tmp_path / 'h'}" in said
    assert "evenkeel up" in said


def test_the_demo_in_its_usual_place_is_hinted_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    (tmp_path / "evenkeel" / "demo").mkdir(parents=True)
    (tmp_path / "evenkeel" / "demo" / "evenkeel.sock").touch()
    said = invoke("account", "list", code=1).stderr
    assert f"add --home {tmp_path / 'evenkeel' / 'demo'}" in said


@pytest.mark.parametrize(
    "command",
    [("doctor",), ("user", "list"), ("user", "password", "x", "--password", "long-enough-1"), ("backup",)],
)
def test_an_empty_home_has_nothing(command: tuple[str, ...], tmp_path: Path) -> None:
    assert "--home" in invoke(*command, "--home", tmp_path / "h", code=1).stderr
    assert not (tmp_path / "h").exists()


@pytest.mark.parametrize("command", [("account", "list"), ("user", "list"), ("doctor",)])
def test_a_home_that_is_a_file(command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "h").touch()
    assert invoke(*command, "--home", tmp_path / "h", code=1).stderr.startswith("Error: ")


def test_a_second_start_names_the_first(desk: Desk) -> None:
    for command in ("up", "demo"):
        said = evenkeel(command, "--home", desk.home, "--port", "0", code=1).stderr
        assert f"{desk.home} is in use by process " in said
        assert "--home" in said


def test_a_port_in_use_is_named(desk: Desk, tmp_path: Path) -> None:
    said = evenkeel("up", "--home", tmp_path / "h", "--port", desk.port, code=1).stderr
    assert f"cannot listen on 127.0.0.1:{desk.port}" in said
    assert "--port" in said


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--host", "0.0.0.0"), "--host: 0.0.0.0 can be reached from other machines"),
        (("--feed", "replay"), "evenkeel data import FILE"),
        (("--feed", "simulated", "--timeframe", "7x"), "'7x' is not a timeframe"),
        (("--feed", "replay", "--symbol", "NOPE"), "there are no bars of NOPE"),
        (("--password", "short"), "password: 8 to 128 characters"),
    ],
)
def test_starts_that_cannot_be(options: tuple[str, ...], what: str, tmp_path: Path) -> None:
    said = evenkeel("up", "--home", tmp_path / "h", "--port", "0", *options, code=1).stderr
    assert what in said
    assert "Error: " in said


def test_wrong_settings_are_told_all_at_once(tmp_path: Path) -> None:
    environment = {**clean_environment(tmp_path), "EVENKEEL_PORT": "many", "RISK_LIMIT": "7"}
    said = evenkeel("up", "--home", tmp_path / "h", code=1, env=environment).stderr
    assert "EVENKEEL_PORT: " in said
    assert "RISK_LIMIT: " in said


def test_a_server_that_goes_away_leaves_the_outcome_open() -> None:
    with TemporaryDirectory(prefix="ek-") as home, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{home}/evenkeel.sock")
        listener.listen()
        command = [str(EVENKEEL), "order", "show", "x", "--home", home]
        waiting = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        connection, _ = listener.accept()
        connection.recv(100)
        connection.close()
        _, said = waiting.communicate(timeout=30)
    assert waiting.returncode == 1
    assert "went away while it answered" in said
    assert "before you try again" in said


def test_ctrl_c_is_quiet(desk: Desk) -> None:
    command = [str(EVENKEEL), "user", "password", "demo", "--home", str(desk.home)]
    waiting = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert waiting.stderr is not None
    said = waiting.stderr.readline()
    waiting.send_signal(signal.SIGINT)
    _, rest = waiting.communicate(timeout=30)
    assert waiting.returncode == 130
    assert "Traceback" not in said + rest


def test_a_reader_that_leaves_is_no_fault(desk: Desk) -> None:
    script = f"{EVENKEEL} order list --limit 5000 --json --home {desk.home} | head -1; echo ${{PIPESTATUS[0]}}"
    pipe = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert pipe.stdout.split() == ["{", "0"]
    assert pipe.stderr == ""


def test_starting_over_asks_first(desk: Desk) -> None:
    before = desk.ask("status")["started_at"]
    assert "[y/N]" in desk.run("feed", "restart", code=1).stderr
    assert desk.ask("status")["started_at"] == before
