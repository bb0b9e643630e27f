"""Composite orders at the command line, against one running demo."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.desk import Desk, until

_PACE = ("--every", "3600", "--end", "2029-12-31T18:00:00Z")


@pytest.fixture
def account(desk: Desk, request: pytest.FixtureRequest) -> str:
    """The name of an account of this test alone, which no strategy trades."""
    name = f"C{abs(hash(request.node.nodeid)) % 10**8}"
    desk.ask("account", "open", name, "--cash", "50000", "--type", "margin")
    desk.run("account", "limits", name, "--max-position-share", "off")
    return name


def test_a_bracket_is_placed_changed_shown_and_cancelled(desk: Desk, account: str) -> None:
    placing = (
        "order",
        "bracket",
        account,
        "buy",
        "2",
        "msft",
        "--limit",
        "5",
        "--stop-loss",
        "4",
        "--take-profit",
        "7",
    )
    made = desk.ask(*placing, "--tif", "gtc", "--client-order-id", f"{account}-1")
    assert (made["kind"], made["state"], made["terms"]["stop_loss"]) == ("bracket", "ACTIVE", "4")
    assert desk.ask(*placing, "--tif", "gtc", "--client-order-id", f"{account}-1")["id"] == made["id"]
    shown = desk.run("composite", "show", made["id"]).stdout
    assert "entry" in shown
    assert "take_profit" not in shown
    changed = desk.ask("composite", "change", made["id"], "--stop-loss", "3.5", "--limit", "5.5")
    assert (changed["terms"]["stop_loss"], changed["terms"]["entry"]["limit_price"]) == ("3.5", "5.5")
    assert made["id"] in desk.run("composite", "list", "--account", account, "--status", "live").stdout
    assert made["id"] in desk.run("composite", "cancel", made["id"]).stdout
    until(lambda: desk.ask("composite", "show", made["id"])["state"] == "CANCELLED")
    assert desk.items("composite", "list", "--account", account, "--status", "ended")[0]["id"] == made["id"]
    assert "CANCELLED" in desk.refused("composite", "cancel", made["id"])


def test_every_other_kind_is_placed(desk: Desk, account: str) -> None:
    desk.run("feed", "pause")  # orders for the day would end with it
    end = (datetime(2030, 1, 1, tzinfo=UTC) + timedelta(days=0)).isoformat()
    start = (datetime(2029, 12, 31, 12, tzinfo=UTC)).isoformat()
    placed = {
        "cover": ("cover", "buy", "2", "MSFT", "--limit", "5", "--stop-loss", "4"),
        "oco": ("oco", "buy", "2", "MSFT", "--limit", "5", "--stop", "900"),
        "iceberg": ("iceberg", "buy", "9", "MSFT", "--limit", "5", "--displayed", "3"),
        "parts": ("slice", "buy", "9", "MSFT", "--limit", "5", "--size", "4"),
        "slices": ("slice", "buy", "9", "MSFT", "--limit", "5", "--count", "3", "--every", "60"),
        "twap": ("twap", "buy", "9", "MSFT", "--every", "3600", "--start", start, "--end", end),
        "participation": ("participate", "buy", "9", "MSFT", "--share", "0.01", "--limit", "5"),
    }
    for kind, (verb, *rest) in placed.items():
        made = desk.ask("order", verb, account, *rest)
        assert (made["kind"], made["state"]) == (kind, "ACTIVE")
        desk.run("composite", "cancel", made["id"])
    legs = desk.ask("order", "legs", account, "buy 1 MSFT @ 5", "SELL 1 MSFT", "--on-failure", "continue")
    assert [one["symbol"] for one in legs["orders"]] == ["MSFT"]
    desk.run("composite", "cancel", legs["id"])
    gtt = desk.ask("order", "oco", account, "buy", "1", "MSFT", "--limit", "5", "--stop", "900", "--gtt")
    assert {one["state"] for one in gtt["orders"]} == {"HELD"}
    desk.run("composite", "cancel", gtt["id"])
    desk.run("feed", "resume")


def test_what_is_wrong_is_said_by_option(desk: Desk, account: str) -> None:
    said = desk.refused("order", "bracket", account, "buy", "2", "MSFT", "--limit", "5", "--stop-loss", "6")
    assert "--stop-loss: below the entry's price of 5" in said
    assert "  vwap: no intraday bars" in desk.refused(
        "order", "vwap", account, "buy", "9", "MSFT", "--every", "3600", "--start", "2029-12-31T12:00:00Z", "--end",
        "2029-12-31T18:00:00Z",
    )  # fmt: skip
    assert desk.run("order", "legs", account, "hold 1 MSFT", code=2).stdout == ""
    assert "  LEG...: " in desk.refused("order", "legs", account, "buy 1 MSFT")
    assert "  LEG...: there is no instrument" in desk.refused("order", "legs", account, "buy 1 MSFT", "buy 1 NOPE")
    assert "  SYMBOL: there is no instrument" in desk.refused("order", "twap", account, "buy", "9", "NOPE", *_PACE)
    assert "  --size: " in desk.refused("order", "template", "save", "wrong", "--size", "-1")
    assert "`evenkeel route set` declares one" in desk.refused("route", "order", "nope", "buy", "1", "MSFT")
    assert desk.run("order", "slice", account, "buy", "9", "MSFT", code=2).stdout == ""
    refused = desk.refused("order", "iceberg", account, "buy", "9000000", "MSFT", "--limit", "5", "--displayed", "3")
    assert refused.startswith("Error: refused by ")


_UNTIL = "2099-12-31T21:00:00Z"


def test_every_kind_ends_at_a_moment(desk: Desk, account: str) -> None:
    desk.run("feed", "pause")
    placed = {
        "bracket": ("buy", "2", "MSFT", "--limit", "5", "--stop-loss", "4"),
        "cover": ("buy", "2", "MSFT", "--limit", "5", "--stop-loss", "4"),
        "oco": ("buy", "2", "MSFT", "--limit", "5", "--stop", "900"),
        "iceberg": ("buy", "9", "MSFT", "--limit", "5", "--displayed", "3"),
        "slice": ("buy", "9", "MSFT", "--limit", "5", "--size", "4"),
        "twap": ("buy", "9", "MSFT", "--limit", "5", *_PACE, "--start", "2029-12-31T15:00:00Z"),
        "participate": ("buy", "9", "MSFT", "--limit", "5", "--share", "0.01"),
        "legs": ("buy 1 MSFT @ 5", "sell 1 MSFT"),
    }
    for verb, rest in placed.items():
        made = desk.ask("order", verb, account, *rest, "--expires", _UNTIL, "--venue", "XNAS")
        terms = made["terms"]
        orders = terms.get("orders") or [terms.get("entry") or terms.get("order") or terms["first"]]
        assert {one["time_in_force"] for one in orders} == {"GTD"}, verb
        desk.run("composite", "cancel", made["id"])
    assert "--expires: " in desk.refused(
        "order", "iceberg", account, "buy", "9", "MSFT", "--limit", "5", "--displayed", "3", "--tif", "gtd"
    )
    desk.run("feed", "resume")


def test_entries_wait_for_a_price_or_the_open(desk: Desk, account: str) -> None:
    desk.run("feed", "pause")
    bought = ("buy", "2", "MSFT", "--stop-loss", "1")
    waiting = desk.ask("order", "bracket", account, *bought, "--trigger", "2", "--expires", _UNTIL)
    assert [one["state"] for one in waiting["orders"]] == ["HELD"]
    tomorrow = desk.ask("order", "cover", account, *bought, "--after-market")
    assert tomorrow["orders"][0]["not_before"]
    stopped = desk.ask("order", "cover", account, *bought, "--stop", "900", "--tif", "gtc")
    assert (stopped["orders"][0]["kind"], stopped["orders"][0]["stop_price"]) == ("STOP", "900")
    legs = desk.ask("order", "legs", account, "buy 1 MSFT trigger 2", "sell 1 MSFT @ 3 stop 4", "--tif", "gtc")
    first, second = legs["terms"]["orders"]
    assert (first["trigger"]["price"], second["kind"], second["stop_price"]) == ("2", "STOP_LIMIT", "4")
    for one in (waiting, tomorrow, stopped, legs):
        desk.run("composite", "cancel", one["id"])
    desk.run("feed", "resume")


def test_the_stop_of_two_trails_or_has_a_limit(desk: Desk, account: str) -> None:
    two = ("order", "oco", account, "buy", "2", "MSFT", "--limit", "5")
    trailing = desk.ask(*two, "--trail", "10%", "--trail-limit", "1")
    assert trailing["terms"]["second"]["kind"] == "TRAILING_STOP_LIMIT"
    limited = desk.ask(*two, "--stop", "900", "--stop-limit", "901", "--after-market")
    assert limited["terms"]["second"]["limit_price"] == "901"
    assert "--stop" in desk.refused(*two, code=2)
    assert "--gtt" in desk.refused(*two, "--trail", "1", "--gtt", code=2)
    for one in (trailing, limited):
        desk.run("composite", "cancel", one["id"])


def test_a_routed_order_takes_what_an_order_takes(desk: Desk, account: str) -> None:
    name = f"r-{account.lower()}"
    desk.run("route", "set", name, account)
    way = ("route", "order", name, "buy", "1", "MSFT")
    held = desk.ask(*way, "--trigger", "2", "--expires", _UNTIL, "--venue", "XNAS")["order"]
    assert (held["state"], held["time_in_force"]) == ("HELD", "GTD")
    assert desk.ask(*way, "--trail", "10%", "--tif", "gtc")["order"]["kind"] == "TRAILING_STOP"
    assert desk.ask(*way, "--after-market")["order"]["not_before"]
    assert "--expires: " in desk.refused(*way, "--tif", "gtd")
    desk.run("order", "cancel", "--all", "--account", account)
    desk.run("route", "remove", name)
