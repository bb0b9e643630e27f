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
