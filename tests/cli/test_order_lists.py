"""Orders and fills at the command line: narrowed down, and one with its history; against a running demo."""

import pytest

from tests.cli.desk import Desk, until


@pytest.fixture
def account(desk: Desk, request: pytest.FixtureRequest) -> str:
    """The name of an account of this test alone, which no strategy trades."""
    name = f"L{abs(hash(request.node.nodeid)) % 10**8}"
    desk.ask("account", "open", name, "--cash", "50000", "--type", "margin")
    desk.run("account", "limits", name, "--max-position-share", "off", "--allow-short")
    return name


def test_an_order_is_shown_with_its_history(desk: Desk, account: str) -> None:
    order = desk.ask("order", "place", account, "buy", "2", "MSFT", "--tif", "gtc")["id"]
    until(lambda: desk.ask("order", "show", order)["state"] == "FILLED")
    history = desk.ask("order", "show", order)["history"]
    assert [history[0]["event"], history[-1]["event"]] == ["DECIDED", "FILL"]
    assert {one["rule"] for one in history[0]["checks"]} > {"lot-size", "cash"}
    told = desk.run("order", "show", order).stdout
    assert "DECIDED  SUBMITTED  demo (user)" in told
    assert "lot-size: limit 1, saw 2; passed" in told
    assert " FILL " in told.splitlines()[-1]
    refused = desk.run("order", "place", account, "buy", "0.5", "MSFT", code=1)
    last = desk.items("order", "list", "--account", account, "--status", "refused")[0]["id"]
    assert "lot-size" in refused.stderr
    assert "lot-size: limit 1, saw 0.5; FAILED: " in desk.run("order", "show", last).stdout


def test_orders_and_fills_are_narrowed_down(desk: Desk, account: str) -> None:
    rests = desk.ask("order", "place", account, "buy", "2", "MSFT", "--limit", "5", "--tif", "gtc")["id"]
    sold = desk.ask("order", "place", account, "sell", "1", "IBM", "--tif", "gtc")["id"]
    until(lambda: desk.ask("order", "show", sold)["state"] == "FILLED")

    def ids(what: str, *options: str) -> list[str]:
        return [one["id" if what == "list" else "order_id"] for one in desk.items("order", what, *options)]

    mine = ("--account", account)
    assert ids("list", *mine, "--symbol", "msft") == ids("list", *mine, "--kind", "limit") == [rests]
    assert ids("list", *mine, "--side", "sell", "--book", "manual") == [sold]
    assert ids("list", *mine, "--start", "2099-01-01") == []
    assert ids("list", *mine, "--end", "2099-01-01", "--product", "none") == [sold, rests]
    assert set(ids("fills", "--order", sold)) == set(ids("fills", *mine, "--symbol", "IBM")) == {sold}
    assert ids("fills", *mine, "--side", "buy") == []
    assert desk.run("order", "fills", *mine, "--side", "buy").stdout == "Nothing fits.\n"
    assert {one["strategy"] for one in desk.items("order", "list", "--strategy", "Trend")} <= {"Trend"}
    said = desk.refused("order", "list", "--strategy", "Nobody", "--symbol", "NONE", "--start", "noon")
    assert "--strategy: there is no strategy 'Nobody'; `evenkeel strategy list` lists them" in said
    assert "--symbol" in said
    assert "--start" in said
    desk.run("order", "cancel", rests)
