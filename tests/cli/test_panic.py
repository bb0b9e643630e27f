"""`evenkeel panic` and `evenkeel resume`: with a running desk, and on a home whose server was killed."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from evenkeel.cli.doors import PanicReport
from evenkeel.domain.panics import ScopeKind
from tests.cli.desk import EVENKEEL, Desk, Panicked, clean_environment, evenkeel, invoke, until, wait_until_ready
from tests.services import pick_port

BARS = "ts,open,high,low,close,volume\n" + "".join(
    f"2024-01-{day:02d}T21:00:00Z,100,101,99,100,100000\n" for day in range(2, 13)
)


@pytest.fixture
def home() -> Iterator[Path]:
    """A home with a market of one symbol, and a path short enough for a socket."""
    with TemporaryDirectory(prefix="ek-") as folder:
        file = Path(folder) / "ACME.csv"
        file.write_text(BARS, encoding="utf-8")
        home = Path(folder) / "home"
        evenkeel("data", "import", file, "--home", home)
        yield home


@contextmanager
def running(home: Path, stop: int = signal.SIGKILL) -> Iterator[Desk]:
    """A desk on a simulated market, at its end killed like in a power cut."""
    port, log = pick_port(), home.with_name("log")
    feed = ["--feed", "simulated", "--speed", "40"]
    with log.open("a", encoding="utf-8") as written:
        process = subprocess.Popen(
            [str(EVENKEEL), "up", "--home", str(home), "--port", str(port), *feed],
            env=clean_environment(home.parent), stdin=subprocess.DEVNULL, stdout=written, stderr=written,
        )  # fmt: skip
        try:
            wait_until_ready(process, port, log)
            yield Desk(home, port)
        finally:
            os.kill(process.pid, stop)
            process.wait(30)


def traded(desk: Desk) -> None:
    """An account that holds ten shares and has three orders resting far from the market."""
    desk.run("account", "open", "Main", "--cash", "1000000")
    until(lambda: desk.ask("account", "show", "Main")["readiness"] == "READY")
    until(lambda: desk.items("market", "quotes")[0]["last"])
    desk.run("order", "place", "Main", "buy", "10", "ACME")
    until(lambda: desk.items("account", "positions"))
    for price in ("1", "2", "3"):
        desk.run("order", "place", "Main", "buy", "5", "ACME", "--limit", price, "--tif", "GTC")
    until(lambda: len(desk.items("order", "list", "--status", "ACCEPTED")) == 3)


def halts(desk: Desk) -> list[str]:
    return [one["kind"] for one in desk.items("events") if one["kind"].startswith("panic")]


@pytest.mark.slow
def test_a_running_desk_is_halted_and_resumed(home: Path) -> None:
    with running(home, signal.SIGTERM) as desk:
        traded(desk)
        told = desk.run("panic", "--account", "Main", "--yes", "--cooldown", "0", "--reason", "drill").stdout
        assert told == "account Main is halted: no order works, nothing is held.\n"
        assert not desk.items("account", "positions")
        assert not desk.items("order", "list", "--status", "open")
        assert "refused by halted" in desk.refused("order", "place", "Main", "buy", "1", "ACME")
        until(lambda: halts(desk) == ["panic-done", "panic"])
        assert desk.run("resume", "--account", "Main", "--yes").stdout == "Trading of account Main is on again.\n"
        desk.run("order", "place", "Main", "buy", "1", "ACME")
        assert "is not halted" in desk.refused("resume", "--account", "Main", "--yes")


@pytest.mark.slow
def test_a_killed_desk_is_halted_without_it_and_finds_itself_halted(home: Path) -> None:
    with running(home) as desk:
        traded(desk)
    told = evenkeel("panic", "--account", "Main", "--yes", "--home", home, "--cooldown", "0").stdout
    assert "account Main is halted. Left:\n" in told
    assert "position ACME 10, the order that closes it is ACCEPTED" in told
    assert told.endswith("The orders that close it are at the broker, and fill at its next price.\n")
    assert json.loads(evenkeel("doctor", "--home", home, "--json").stdout)["ok"]
    early = evenkeel("resume", "--account", "Main", "--yes", "--home", home, code=1).stderr
    assert "the panic has not finished: 0 orders and 1 positions are left" in early
    with running(home) as desk:
        until(lambda: "panic-done" in halts(desk))
        assert not desk.items("account", "positions")
        assert "refused by halted" in desk.refused("order", "place", "Main", "buy", "1", "ACME")
        assert len(desk.items("order", "list", "--status", "CANCELLED")) == 3
    told = evenkeel("resume", "--account", "Main", "--yes", "--home", home).stdout
    assert told == "Trading of account Main is on again.\n"
    with running(home, signal.SIGTERM) as desk:
        desk.run("order", "place", "Main", "buy", "1", "ACME")
        said = desk.ask("panic", "--all", "--keep-positions", "--yes")
        assert (said["name"], said["state"]) == ("the platform", "done")


def test_without_a_desk_the_home_is_taken_and_the_plan_carried_out(tmp_path: Path) -> None:
    panicked = Panicked()
    found = invoke(
        "panic", "--strategy", "Trend", "--yes", "--keep-positions", "--home", tmp_path, code=1, panicked=panicked
    )
    (plan,) = panicked
    assert (plan.home, plan.scope, plan.name, plan.keep_positions) == (tmp_path, ScopeKind.STRATEGY, "Trend", True)
    assert "Left:\n  Main: order X 1, it is ACCEPTED" in found.stdout
    assert "has not finished" in found.stderr
    invoke("resume", "--user", "--abandon", "--yes", "--home", tmp_path, panicked=panicked)
    assert (panicked[-1].resume, panicked[-1].abandon, panicked[-1].scope) == (True, True, ScopeKind.USER)


def test_what_waits_at_the_broker_is_no_failure(tmp_path: Path) -> None:
    class Resting(Panicked):
        def __call__(self, plan: object) -> PanicReport:
            return PanicReport("the platform", done=False, rests=True, left=("Main: position X 1, it waits",))

    told = invoke("panic", "--all", "--yes", "--home", tmp_path, "--json", panicked=Resting()).stdout
    assert json.loads(told) == {"name": "the platform", "state": "waiting", "left": ["Main: position X 1, it waits"]}


@pytest.mark.parametrize("given", [(), ("--all", "--user"), ("--account", "A", "--strategy", "B")])
def test_one_scope_is_named(given: tuple[str, ...]) -> None:
    for command in ("panic", "resume"):
        assert "name one of --account, --strategy, --user and --all" in invoke(command, *given, code=2).stderr


def test_it_asks_before_it_acts(tmp_path: Path) -> None:
    panicked = Panicked()
    asked = invoke("panic", "--all", "--home", tmp_path, code=1, input="n\n", panicked=panicked)
    assert "Halt the whole platform, cancel its orders and close its positions?" in asked.output
    asked = invoke("resume", "--all", "--home", tmp_path, code=1, input="n\n", panicked=panicked)
    assert "Let the whole platform trade again?" in asked.output
    assert not panicked


def test_a_home_that_is_not_there(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    assert f"there is no home at {missing}" in invoke("panic", "--all", "--yes", "--home", missing, code=1).stderr
