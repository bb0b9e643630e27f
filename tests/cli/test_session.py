"""`evenkeel session`: the life of a walk-forward session as it is typed, and faults in the words of its options."""

import pytest

from tests.cli.desk import Desk, until


def test_the_life_of_a_session(desk: Desk) -> None:
    said = desk.run("session", "create", "Cli", "--capital", "50000", "--costs", "--brokerage-rate", "0.001").stdout
    assert said.startswith("Session Cli is stopped with 50000 USD: ")
    opened = desk.ask("session", "show", "cli")
    assert (opened["costs"], opened["fees"], opened["brokerage_rate"]) == (True, "zero(brokerage=0.001)", "0.001")
    assert "equity 50000" in desk.run("session", "start", "Cli").stdout
    desk.run("order", "place", "Cli", "buy", "10", "AAPL")
    until(lambda: desk.items("session", "trades", "Cli"))
    [trade] = desk.items("session", "trades", "Cli")
    assert (trade["symbol"], trade["side"], trade["quantity"], trade["exit_at"]) == ("AAPL", "long", "10", None)
    assert float(trade["fees"]) > 0
    assert trade["entry_at"].endswith("Z")
    assert "open" in desk.run("session", "trades", "Cli").stdout
    until(lambda: len(desk.ask("session", "analytics", "Cli")["days"]) > 3)
    assert "sharpe" in desk.run("session", "analytics", "Cli", "--periods", "250").stdout
    assert "is stopped" in desk.run("session", "stop", "Cli").stdout
    assert desk.ask("session", "show", "Cli")["positions"] == 1
    assert desk.run("session", "complete", "Cli").stdout.startswith("Session Cli is closing")
    until(lambda: desk.ask("session", "show", "Cli")["status"] == "completed")
    frozen = desk.ask("session", "show", "Cli")
    assert (frozen["equity"], frozen["fills"], frozen["positions"]) == (frozen["cash"], 2, 0)
    assert [one["name"] for one in desk.items("session", "list", "--status", "completed")] == ["Cli"]
    assert "session Cli is completed" in desk.refused("session", "start", "Cli")


def test_several_side_by_side(desk: Desk) -> None:
    for name, strategies in (("Trend side", ["sma-crossover=AAPL,MSFT"]), ("Mixed side", ["rsi=IBM@0.4", "rsi=AAPL"])):
        options = [part for one in strategies for part in ("--strategy", one)]
        made = desk.ask("session", "create", name, *options, "--start", "--latency", "200", "--marking", "bar")
        assert made["status"] == "running"
        assert len(made["strategies"]) == len(strategies)
        assert (made["terms"]["latency_ms"], made["terms"]["marking"]) == (200.0, "bar")
    names = ["Trend side", "Mixed side"]
    shares = {one["name"]: one["accounts"][0]["allocation"] for one in desk.items("strategy", "list")}
    assert (shares["Trend side"], shares["Mixed side 1"], shares["Mixed side 2"]) == ("0.95", "0.4", "0.475")
    until(lambda: desk.ask("session", "correlation", *names)["days"] > 3)
    assert [one["name"] for one in desk.items("session", "compare", *names)] == names
    heading, *rows = desk.run("session", "compare", *names).stdout.splitlines()
    assert heading.split("  ")[-1].strip() in names
    assert rows[0].split() == ["status", "running", "running"]
    assert rows[1].startswith("equity now")
    assert rows[-1].endswith("of the days that have closed.")
    assert "days that all of them have" in desk.run("session", "correlation", *names).stdout
    risk = desk.ask("session", "risk", *names)
    assert (risk["capital"], len(risk["ids"])) == ("2000000.00", 2)
    assert "max drawdown" in desk.run("session", "risk", *names).stdout
    for name in names:
        desk.run("session", "stop", name, "--close")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--capital", "0"], "--capital"),
        (["--brokerage-rate", "2"], "--brokerage-rate"),
        (["--fees", "free"], "--fees"),
        (["--queue", "-1"], "--queue"),
        (["--latency", "70000"], "--latency"),
        (["--strategy", "none=AAPL"], "--strategy: "),
    ],
)
def test_what_is_wrong_is_told_by_its_option(desk: Desk, options: list[str], said: str) -> None:
    assert said in desk.refused("session", "create", "Wrong", *options)


@pytest.mark.parametrize("text", ["rsi", "rsi=", "=AAPL", "rsi=AAPL@"])
def test_a_strategy_that_is_not_written_so_is_wrong_usage(desk: Desk, text: str) -> None:
    assert "TEMPLATE=SYMBOL" in desk.run("session", "create", "Wrong", "--strategy", text, code=2).stderr


def test_a_session_that_is_not_there(desk: Desk) -> None:
    assert "there is no session 'nothing'" in desk.refused("session", "show", "nothing")
