"""`evenkeel order place` with what an order waits for, how its stop follows and when it ends."""

from decimal import Decimal
from typing import Any

import pytest
import typer

from evenkeel.cli.order_terms import kind, terms, trail
from evenkeel.domain.orders import OrderKind, TimeInForce
from tests.cli.desk import Desk, until


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("2.50", {"trail_amount": "2.50"}),
        ("1.5%", {"trail_percent": "1.5"}),
        ("3atr", {"trail_atr": {"multiple": "3"}}),
        ("2.5 ATR:20", {"trail_atr": {"multiple": "2.5", "period": 20}}),
        ("3atr:20:1h", {"trail_atr": {"multiple": "3", "period": 20, "timeframe": "1h"}}),
    ],
)
def test_a_distance_is_an_amount_a_percentage_or_average_ranges(text: str, body: dict[str, Any]) -> None:
    assert trail(text) == body


@pytest.mark.parametrize("text", ["far", "%", "3atr:x", ""])
def test_what_is_no_distance_is_said(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        trail(text)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("SL", OrderKind.STOP_LIMIT),
        ("sl-m", OrderKind.STOP),
        ("SL_M", OrderKind.STOP),
        ("trailing-stop", OrderKind.TRAILING_STOP),
        ("Limit", OrderKind.LIMIT),
    ],
)
def test_kinds_are_known_by_the_names_of_brokers_too(text: str, known: OrderKind) -> None:
    assert kind(text) is known


def test_an_unknown_kind_is_answered_with_those_there_are() -> None:
    with pytest.raises(typer.BadParameter, match=r"MARKET.*SL-M"):
        kind("MOON")


def test_an_end_makes_an_order_gtd() -> None:
    given = terms(wanted=None, limit=None, stop=None, distance=None, tif=None, expires="2030-01-01T00:00Z")
    assert given["time_in_force"] == TimeInForce.GTD
    given = terms(wanted=None, limit=None, stop=None, distance=trail("1%"), tif=None, expires=None)
    assert (given["kind"], given["time_in_force"]) == (OrderKind.TRAILING_STOP, TimeInForce.DAY)


def test_an_offset_makes_a_trailing_stop_a_stop_limit() -> None:
    given = terms(
        wanted=None, limit=None, stop=None, distance=trail("1%"), offset=Decimal("0.5"), tif=None, expires=None
    )
    assert (given["kind"], given["trail_limit_offset"]) == (OrderKind.TRAILING_STOP_LIMIT, "0.5")


@pytest.fixture
def account(desk: Desk, request: pytest.FixtureRequest) -> str:
    name = f"L{abs(hash(request.node.nodeid)) % 10**8}"
    desk.ask("account", "open", name, "--cash", "50000")
    return name


def test_an_order_waits_for_its_price_until_it_expires(desk: Desk, account: str) -> None:
    said = ("buy", "1", "MSFT", "--limit", "1.10", "--trigger", "1.00", "--expires", "2099-12-31T21:00:00Z")
    order = desk.ask("order", "place", account, *said)
    assert (order["state"], order["rests_at"], order["time_in_force"]) == ("HELD", "evenkeel", "GTD")
    text = desk.run("order", "list", "--account", account).stdout
    assert "rests at" in text.splitlines()[0]
    assert "1.10" in text
    assert "1.00" in text
    assert "GTD" in text
    assert account in desk.run("order", "list").stdout
    assert "HELD" in text
    assert "evenkeel" in text
    assert desk.items("order", "cancel", order["id"])[0]["state"] == "CANCELLED"


def test_an_order_that_waits_for_its_price_is_not_said_to_end_with_the_day(desk: Desk, account: str) -> None:
    desk.ask("order", "place", account, "buy", "1", "MSFT", "--trigger", "1.00")
    assert "until triggered, then DAY" in desk.run("order", "list", "--account", account).stdout
    desk.run("order", "cancel", "--all", "--account", account)
    assert "until triggered" not in desk.run("order", "list", "--account", account).stdout


def test_stops_of_indian_brokers_and_trails(desk: Desk, account: str) -> None:
    stop = desk.ask("order", "place", account, "buy", "1", "MSFT", "--kind", "SL-M", "--stop", "900", "--tif", "gtc")
    assert stop["kind"] == "STOP"
    trailing = desk.ask("order", "place", account, "buy", "1", "MSFT", "--trail", "3atr", "--tif", "gtc")
    assert trailing["kind"] == "TRAILING_STOP"
    assert float(trailing["trail_amount"]) > 0
    until(lambda: desk.ask("order", "show", trailing["id"])["stop_price"])
    desk.run("order", "cancel", "--all", "--account", account)


def test_an_order_is_kept_for_the_next_open(desk: Desk, account: str) -> None:
    order = desk.ask("order", "place", account, "buy", "1", "MSFT", "--after-market")
    assert order["not_before"]
    assert order["state"] in ("HELD", "SUBMITTED", "ACCEPTED", "FILLED")


def test_an_order_may_only_reduce(desk: Desk, account: str) -> None:
    text = desk.refused("order", "place", account, "sell", "1", "MSFT", "--reduce-only", code=1)
    assert "refused by reduce-only" in text
    stop = desk.ask("order", "place", account, "buy", "1", "MSFT", "--stop", "900", "--may-open")
    assert stop["reduce_only"] is False
    assert "reduce only" in desk.run("order", "show", stop["id"]).stdout
    desk.run("order", "cancel", "--all", "--account", account)


def test_what_makes_no_sense_names_the_option(desk: Desk, account: str) -> None:
    said = desk.refused("order", "place", account, "buy", "1", "MSFT", "--trail", "1%", "--expires", "tomorrow", code=1)
    assert "--expires" in said
