"""Every command against one running demo: what it answers, as text and in JSON."""

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.desk import Desk, invoke, until

PRICES = "date,open,high,low,close,volume\n2005-02-24,88.48,89.9,87.7,88.9,100\n2005-02-25,89.62,89.9,88.1,88.9,110\n"


@pytest.fixture(scope="module", autouse=True)
def some_fills(desk: Desk) -> None:
    until(lambda: len(desk.items("order", "fills", "--limit", "5")) == 5)


@pytest.fixture
def account(desk: Desk, request: pytest.FixtureRequest) -> str:
    """The name of an account of this test alone, which no strategy trades."""
    name = f"T{abs(hash(request.node.nodeid)) % 10**8}"
    opened = desk.ask("account", "open", name, "--cash", "50000.50")
    assert (opened["name"], opened["cash"], opened["mode"], opened["type"]) == (name, "50000.50", "paper", "cash")
    return name


LISTS: list[tuple[tuple[str, ...], str, str]] = [
    (("account", "list"), "equity", "day P&L"),
    (("account", "equity", "Family"), "equity", "equity"),
    (("account", "ledger", "Family"), "amount", "value date"),
    (("account", "positions"), "quantity", "unrealised"),
    (("order", "list"), "state", "filled"),
    (("order", "list", "--status", "filled", "--account", "Family"), "state", "filled"),
    (("order", "fills"), "price", "fees"),
    (("order", "fills", "--account", "family"), "price", "fees"),
    (("strategy", "list"), "template", "last"),
    (("strategy", "signals", "Trend"), "action", "confidence"),
    (("market", "symbols"), "tick_size", "tick size"),
    (("market", "quotes"), "last", "bid"),
    (("market", "quotes", "AAPL", "msft"), "last", "bid"),
    (("market", "bars", "AAPL"), "close", "volume"),
    (("events",), "message", "level"),
    (("user", "list"), "username", "role"),
]


@pytest.mark.parametrize(
    ("command", "field", "heading"), LISTS, ids=lambda one: " ".join(one) if isinstance(one, tuple) else ""
)
def test_lists(desk: Desk, command: tuple[str, ...], field: str, heading: str) -> None:
    items = until(lambda: desk.items(*command))
    assert all(field in item and item["id"] for item in items)
    text = desk.run(*command).stdout
    assert heading in text.splitlines()[0]
    assert len(text.splitlines()) > 1


@pytest.mark.parametrize("command", [("account", "equity", "Family"), ("order", "list"), ("events",)])
def test_a_limit_is_kept_and_pages_join(desk: Desk, command: tuple[str, ...]) -> None:
    desk.ask("feed", "pause")
    try:
        few, many = desk.items(*command, "--limit", "2"), desk.items(*command, "--limit", "600")
    finally:
        desk.ask("feed", "resume")
    assert len(few) == 2
    assert [one["id"] for one in many[:2]] == [one["id"] for one in few]
    assert len({one["id"] for one in many}) == len(many) > 2


def test_status(desk: Desk) -> None:
    found = desk.ask("status")
    assert (found["mode"], found["live_trading"], found["home"]) == ("demo", False, str(desk.home))
    text = desk.run("status").stdout
    assert "accounts ready" in text
    assert "replay" in text


def test_account_show(desk: Desk) -> None:
    found = desk.ask("account", "show", "Family")
    assert found["limits"]["max_position_share"] == "0.10"
    assert {one["account_id"] for one in found["holdings"]} <= {found["id"]}
    for wanted in (found["id"], "FAMILY"):
        assert desk.ask("account", "show", wanted)["id"] == found["id"]
    text = desk.run("account", "show", "Family").stdout
    assert "limits: max position share" in text


def test_positions_of_one_account(desk: Desk, account: str) -> None:
    assert desk.items("account", "positions", account) == []
    assert desk.run("account", "positions", account).stdout.startswith("No open positions. Open one: evenkeel order")


def test_an_account_is_opened_with_type_and_fees(desk: Desk) -> None:
    text = desk.run("account", "open", "Wide", "--cash", "1e4", "--type", "MARGIN", "--fees", "fixed").stdout
    assert text.startswith("Opened paper account Wide with 10000 USD: ")
    found = desk.ask("account", "show", "Wide")
    assert (found["type"], found["fees"], found["currency"]) == ("margin", "fixed", "USD")


def test_an_order_is_placed_shown_and_cancelled(desk: Desk, account: str) -> None:
    placing = ("order", "place", account, "buy", "2", "msft", "--limit", "5.00", "--tif", "gtc")
    order = desk.ask(*placing, "--client-order-id", f"{account}-1")
    assert (order["side"], order["kind"], order["limit_price"]) == ("BUY", "LIMIT", "5.00")
    assert (order["time_in_force"], order["book"]) == ("GTC", "manual")
    assert desk.ask(*placing, "--client-order-id", f"{account}-1")["id"] == order["id"]
    until(lambda: desk.ask("order", "show", order["id"])["state"] == "ACCEPTED")
    assert order["id"] in desk.run("order", "show", order["id"]).stdout
    assert desk.items("order", "list", "--status", "open", "--account", account)[0]["id"] == order["id"]
    assert order["id"] in desk.run("order", "cancel", order["id"]).stdout
    until(lambda: desk.ask("order", "show", order["id"])["state"] == "CANCELLED")


@pytest.mark.parametrize(
    ("prices", "kind"),
    [((), "MARKET"), (("--stop", "900"), "STOP"), (("--stop", "900", "--limit", "901"), "STOP_LIMIT")],
)
def test_prices_make_the_kind(desk: Desk, account: str, prices: tuple[str, ...], kind: str) -> None:
    order = desk.ask("order", "place", account, "buy", "1", "MSFT", *prices)
    assert order["kind"] == kind
    assert order["client_order_id"].startswith("cli-")


def test_all_working_orders_are_cancelled_at_once(desk: Desk, account: str) -> None:
    for price in ("5", "6"):
        text = desk.run("order", "place", account, "buy", "1", "MSFT", "--limit", price, "--tif", "GTC").stdout
        assert text.startswith("BUY 1 MSFT: ")
    assert len(desk.items("order", "cancel", "--all", "--account", account)) == 2
    until(lambda: not desk.items("order", "list", "--status", "open", "--account", account))
    assert desk.run("order", "cancel", "--all", "--account", account).stdout == "No order is working.\n"
    assert desk.items("order", "cancel", "--all", "--account", account) == []


def test_a_refusal_is_an_order_and_exit_code_1(desk: Desk, account: str) -> None:
    result = desk.run("order", "place", account, "sell", "5", "IBM", "--json", code=1)
    order = json.loads(result.stdout)
    assert (order["state"], order["rule"], order["limit"], order["value"]) == ("REFUSED", "short-selling", "off", "5")
    assert "short selling is off" in json.loads(result.stderr)["detail"]
    said = desk.refused("order", "place", account, "sell", "5", "IBM")
    assert said.startswith("Error: refused by short-selling: ")
    assert "evenkeel order show " in said


def test_an_order_may_belong_to_a_strategy(desk: Desk, account: str) -> None:
    order = desk.ask(
        "order", "place", account, "buy", "1", "MSFT", "--limit", "5", "--book", "Trend", "--venue", "XNAS"
    )
    assert order["strategy"] == "Trend"


def test_a_strategy_from_deployment_to_disabling(desk: Desk, account: str) -> None:
    deployed = desk.ask(
        *("strategy", "deploy", account, "--template", "rsi", "--symbol", "AAPL", "--symbol", "IBM"),
        *("--account", f"{account}=0.25", "--parameters", '{"period": 5}', "--disabled"),
    )
    assert (deployed["symbols"], deployed["status"]) == (["AAPL", "IBM"], "disabled")
    assert (deployed["parameters"]["period"], deployed["parameters"]["oversold"]) == (5, 30.0)
    assert desk.ask("strategy", "enable", account)["status"] == "running"
    assert desk.ask("strategy", "disable", account)["status"] == "disabled"
    assert allocation(desk.ask("strategy", "allocate", account, "0.1")) == ["0.1"]
    both = desk.ask("strategy", "allocate", account, "0.2", "--account", "Starter")
    assert sorted(allocation(both)) == ["0.1", "0.2"]
    assert f"{account} 0.1" in desk.run("strategy", "show", account).stdout
    assert desk.ask("strategy", "show", deployed["id"])["name"] == account


def allocation(deployment: Any) -> list[str]:
    return [str(Decimal(one["allocation"])) for one in deployment["accounts"]]


def test_templates_and_checks_need_no_server(tmp_path: Path) -> None:
    items = json.loads(alone("strategy", "templates", "--json"))["items"]
    assert {"sma-crossover", "rsi", "donchian-breakout", "support-resistance"} <= {one["name"] for one in items}
    assert "oversold = 30.0 (1.0 to 99.0)" in alone("strategy", "templates")
    report = json.loads(alone("strategy", "check", "rsi", "--parameters", '{"period": 3}', "--json"))
    assert (report["ok"], report["parameters"]["period"]) == (True, 3)
    assert "ok" in alone("strategy", "check", "sma-crossover")
    prices = tmp_path / "aapl_1d.csv"
    prices.write_text(PRICES)
    alone("data", "import", prices, "--home", tmp_path)
    stored = ("--symbol", "AAPL", "--home", tmp_path)
    assert json.loads(alone("strategy", "check", "rsi", *stored, "--json"))["bars"] == 2
    assert json.loads(alone("strategy", "check", "rebalanced-weights", *stored, "--json"))["form"] == "panel"


def alone(*arguments: object) -> str:
    return invoke(*arguments).stdout


def test_limits_are_shown_and_changed(desk: Desk, account: str) -> None:
    assert desk.ask("account", "limits", account)["daily_loss"] == "0.02"
    given = ("--max-position-share", "0.25", "--daily-loss", "off", "--max-trades-per-day", "7", "--allow-short")
    changed = desk.ask("account", "limits", account, *given)
    assert (changed["max_position_share"], changed["daily_loss"], changed["max_trades_per_day"]) == ("0.25", None, 7)
    assert (changed["allow_short"], changed["cash_check"]) == (True, True)
    text = desk.run("account", "limits", account, "--max-trades-per-day", "off", "--no-cash-check").stdout
    assert "daily loss          off" in text
    assert desk.ask("account", "show", account)["limits"]["max_trades_per_day"] is None


def test_cash_is_moved(desk: Desk, account: str) -> None:
    assert "deposit of 100.25 USD; cash is now 50100.75" in desk.run("account", "deposit", account, "100.25").stdout
    assert desk.ask("account", "withdraw", account, "0.75")["cash"] == "50100.00"
    assert [one["kind"] for one in desk.items("account", "ledger", account)][:2] == ["withdrawal", "deposit"]


def test_positions_that_are_closed(desk: Desk) -> None:
    closed = until(lambda: desk.items("account", "positions", "Family", "--status", "closed"))
    assert {Decimal(one["quantity"]) for one in closed} == {Decimal(0)}
    assert len(desk.items("account", "positions", "--status", "all")) > len(closed)


def test_the_feed_is_steered(desk: Desk) -> None:
    assert desk.ask("feed", "pause")["state"] == "paused"
    assert "paused" in desk.run("feed", "pause").stdout
    before = desk.ask("feed", "show")["cursor"]
    assert desk.ask("feed", "speed", "10")["speed"] == "10"
    assert desk.ask("feed", "resume")["state"] == "running"
    until(lambda: desk.ask("feed", "show")["cursor"] > before)
    assert "replay" in desk.run("feed", "speed", "20").stdout


def test_bars_are_those_of_the_clock(desk: Desk) -> None:
    newest = desk.items("market", "bars", "AAPL", "--limit", "1")[0]
    assert newest["close_ts"] <= desk.ask("status")["clock"]
    raw, adjusted = (
        desk.items("market", "bars", "AAPL", "--from", "2005-02-25", "--to", "2005-02-26", *options)[0]["close"]
        for options in (("--raw",), ())
    )
    assert Decimal(adjusted) * 2 == pytest.approx(Decimal(raw))


def test_doctor_finds_the_books_in_order(desk: Desk) -> None:
    report = desk.ask("doctor")
    assert (report["ok"], report["differences"]) == (True, [])
    assert report["orders"] >= report["fills"] > 0
    text = desk.run("doctor").stdout
    assert "no differences" in text
    assert "durability: journal mode" in text


def test_the_database_of_a_running_home(desk: Desk, tmp_path: Path) -> None:
    assert desk.ask("db", "status")["running"]
    made = desk.ask("backup", "--to", tmp_path / "copies")
    assert {"evenkeel.db", "journal.db"} <= set(made["files"])
    assert [one["name"] for one in desk.items("backup", "list", "--to", tmp_path / "copies")] == [made["name"]]
    assert "is whole" in invoke("backup", "check", made["path"]).stdout
    assert "up to date" in desk.run("db", "upgrade").stdout


def test_a_password_is_set_anew(desk: Desk) -> None:
    assert "is set" in desk.run("user", "password", "demo", "--password", "another-one-9").stdout
    assert desk.ask("user", "password", "demo", "--password", "pw-For-tests-1")["username"] == "demo"


def test_the_demo_starts_over(desk: Desk) -> None:
    before = desk.ask("status")["journal"]["seq"]
    desk.ask("feed", "restart", "--yes")
    until(lambda: desk.ask("status")["journal"]["seq"] < before)
    assert desk.ask("doctor")["differences"] == []
    assert {one["name"] for one in desk.items("account", "list")} == {"Family", "Trading", "Starter"}
    assert list((desk.home / "runs").glob("*-journal.db"))
    until(lambda: desk.items("order", "fills"))


def test_the_desk_answers_while_starting_over_waits_for_the_database(desk: Desk) -> None:
    before = desk.ask("status")["journal"]["seq"]
    with (
        ThreadPoolExecutor() as pool,
        closing(sqlite3.connect(desk.home / "evenkeel.db", isolation_level=None)) as busy,
    ):
        busy.execute("BEGIN IMMEDIATE")
        asked = pool.submit(desk.ask, "feed", "restart", "--yes")
        with suppress(TimeoutError):
            asked.result(timeout=2)
        answer = httpx.get(f"http://127.0.0.1:{desk.port}/healthz", timeout=5)
        busy.execute("ROLLBACK")
        asked.result()
    assert answer.is_success
    until(lambda: desk.ask("status")["journal"]["seq"] < before)


def test_a_demo_stays_in_its_home_whatever_the_settings_say(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/elsewhere")
    assert desk.ask("doctor")["ok"]
    assert desk.items("user", "list")[0]["username"] == "demo"
