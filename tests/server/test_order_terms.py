"""Orders for later through the API: held, following the price, ending by themselves, and shown where they rest."""

from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest

from evenkeel.domain.clock import from_ns, iso, to_ns
from evenkeel.market.stores.memory import MemoryStore
from evenkeel.server.order_terms import next_open
from tests.server.world import DAY, OWN_ACCOUNT, START, STOCK, World, order, stored_bars
from tests.trading.live.desk import bar

ORDERS = "/api/v2/trading/orders"
WEEK = iso(START + 7 * DAY)


async def place(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await client.post(ORDERS, json=order(**changes))
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


async def faults(client: httpx.AsyncClient, **changes: Any) -> dict[str, str]:
    answer = await client.post(ORDERS, json=order(**changes))
    assert answer.status_code == 422, answer.text
    return {one["field"]: one["message"] for one in answer.json()["errors"]}


async def test_a_market_order_waits_here_for_its_price(desk: World, owner: httpx.AsyncClient) -> None:
    placed = await place(owner, trigger_price="9.50", time_in_force="GTC")
    assert (placed["state"], placed["rests_at"], placed["trigger_price"]) == ("HELD", "evenkeel", "9.50")
    open_ones = (await owner.get(ORDERS, params={"status": "open"})).json()["items"]
    assert [one["id"] for one in open_ones] == [placed["id"]]
    assert [one["id"] for one in (await owner.get(ORDERS, params={"status": "HELD"})).json()["items"]] == [placed["id"]]
    await desk.next_bar(9.0)
    there = (await owner.get(f"{ORDERS}/{placed['id']}")).json()
    assert (there["state"], there["rests_at"]) == ("ACCEPTED", "simulated")
    await desk.next_bar(9.1)
    done = (await owner.get(f"{ORDERS}/{placed['id']}")).json()
    assert (done["state"], done["average_price"], done["rests_at"]) == ("FILLED", "9.1", None)


async def test_a_held_order_is_cancelled_at_once(owner: httpx.AsyncClient) -> None:
    placed = await place(owner, trigger_price="9.50", time_in_force="GTC")
    answer = await owner.delete(f"{ORDERS}/{placed['id']}")
    assert (answer.status_code, answer.json()["state"]) == (200, "CANCELLED")


async def test_a_trailing_stop_shows_where_it_stands(desk: World, owner: httpx.AsyncClient) -> None:
    await place(owner)
    await desk.next_bar(10.0)
    placed = await place(owner, side="SELL", kind="TRAILING_STOP", trail_percent="10", time_in_force="GTC")
    assert (placed["kind"], placed["trail_percent"], placed["stop_price"]) == ("TRAILING_STOP", "10", "9.00")
    await desk.next_bar(12.0)
    after = (await owner.get(f"{ORDERS}/{placed['id']}")).json()
    assert (after["stop_price"], after["rests_at"]) == ("11.70", "simulated"), "ten per cent below the high of 13"


async def test_a_trailing_stop_limit_shows_where_its_prices_stand(desk: World, owner: httpx.AsyncClient) -> None:
    await place(owner)
    await desk.next_bar(10.0)
    body = {"kind": "TRAILING_STOP_LIMIT", "trail_percent": "10", "trail_limit_offset": "0.50"}
    placed = await place(owner, side="SELL", time_in_force="GTC", client_order_id="tsl", **body)
    assert (placed["trail_limit_offset"], placed["stop_price"], placed["limit_price"]) == ("0.50", "9.00", "8.50")
    again = await place(owner, side="SELL", time_in_force="GTC", client_order_id="tsl", **body)
    assert again["id"] == placed["id"]
    await desk.next_bar(12.0)
    after = (await owner.get(f"{ORDERS}/{placed['id']}")).json()
    assert (after["stop_price"], after["limit_price"], after["rests_at"]) == ("11.70", "11.20", "simulated")
    answer = await owner.patch(f"{ORDERS}/{placed['id']}", json={"trail_limit_offset": "0"})
    assert answer.status_code == 202, answer.text
    await desk.next_bar(12.0)
    after = (await owner.get(f"{ORDERS}/{placed['id']}")).json()
    assert (after["trail_limit_offset"], after["limit_price"]) == ("0", after["stop_price"])


async def test_average_ranges_become_an_amount_once(desk: World, owner: httpx.AsyncClient) -> None:
    body = {"kind": "TRAILING_STOP", "trail_atr": {"multiple": "2", "period": 5}, "time_in_force": "GTC"}
    placed = await place(owner, client_order_id="ranged", **body)
    assert placed["trail_atr"] == {"multiple": "2", "period": 5, "timeframe": "1d"}
    amount = float(placed["trail_amount"])
    assert 1.0 < amount < 10.0
    desk.parts.bars = MemoryStore([STOCK], [stored_bars().rows(0, 20)])
    again = await place(owner, client_order_id="ranged", **body)
    assert (again["id"], again["trail_amount"]) == (placed["id"], placed["trail_amount"]), "the same order, as it was"


async def test_an_order_ends_when_it_says(desk: World, owner: httpx.AsyncClient) -> None:
    until = iso(START + DAY + DAY // 2)
    terms = {"kind": "LIMIT", "limit_price": "5", "time_in_force": "GTD", "expires_at": until}
    placed = await place(owner, **terms)
    assert placed["expires_at"] == until
    await desk.next_bar(10.0)
    assert (await owner.get(f"{ORDERS}/{placed['id']}")).json()["state"] == "ACCEPTED"
    await desk.next_bar(10.0)
    ended = (await owner.get(f"{ORDERS}/{placed['id']}")).json()
    assert (ended["state"], ended["reason"]) == ("EXPIRED", "the time it was good for is over")


async def test_an_after_market_order_begins_at_the_next_open(desk: World, owner: httpx.AsyncClient) -> None:
    placed = await place(owner, after_market=True, client_order_id="tomorrow")
    opens = from_ns(next_open(STOCK, START))
    assert (placed["state"], placed["not_before"]) == ("HELD", opens.isoformat().replace("+00:00", "Z"))
    again = await place(owner, after_market=True, client_order_id="tomorrow")
    assert again["id"] == placed["id"]
    await desk.next_bar(10.0)
    await desk.next_bar(10.5)
    assert (await owner.get(f"{ORDERS}/{placed['id']}")).json()["state"] == "FILLED"


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2005-09-01T12:00", "2005-09-01T13:30"),
        ("2005-09-01T13:30", "2005-09-02T13:30"),
        ("2005-09-02T20:00", "2005-09-06T13:30"),
        ("2005-10-28T20:00", "2005-10-31T14:30"),
    ],
    ids=["before the open", "at the open", "over Labor Day", "into winter time"],
)
def test_the_next_open_is_that_of_the_exchange(now: str, opens: str) -> None:
    at, expected = (to_ns(datetime.fromisoformat(text).replace(tzinfo=UTC)) for text in (now, opens))
    listed = msgspec.structs.replace(STOCK, calendar="XNYS")
    assert next_open(listed, at) == expected


@pytest.mark.parametrize(
    ("terms", "field", "said"),
    [
        ({"kind": "TRAILING_STOP"}, "trail", "needs one"),
        ({"kind": "TRAILING_STOP", "trail_amount": "1", "trail_percent": "2"}, "trail_percent", "either this or"),
        ({"kind": "TRAILING_STOP", "trail_percent": "100"}, "trail_percent", "less than 100 %"),
        ({"kind": "TRAILING_STOP", "trail_percent": "5", "trail_limit_offset": "1"}, "trail_limit_offset", "goes with"),
        ({"kind": "TRAILING_STOP_LIMIT", "trail_percent": "5"}, "trail_limit_offset", "needs one"),
        ({"kind": "TRAILING_STOP", "trail_amount": "20", "side": "SELL"}, "trail_amount", "less than the last price"),
        ({"kind": "TRAILING_STOP", "trail_atr": {"multiple": "2", "period": 90}}, "trail_atr", "needs 91"),
        ({"kind": "TRAILING_STOP", "trail_atr": {"multiple": "2", "timeframe": "5m"}}, "trail_atr", "no 5m bars"),
        ({"trail_amount": "1"}, "trail", "goes with trailing stops"),
        ({"trigger_price": "10"}, "trigger_price", "is 10.00 already"),
        ({"trigger_price": "9.999"}, "trigger_price", "tick size"),
        ({"kind": "STOP", "stop_price": "11", "trigger_price": "9"}, "trigger_price", "goes with market and limit"),
        ({"time_in_force": "GTD"}, "expires_at", "needs a moment"),
        ({"expires_at": WEEK}, "expires_at", "GTD"),
        ({"time_in_force": "GTD", "expires_at": "2005-09-09T10:00"}, "expires_at", "no time zone"),
        ({"time_in_force": "GTD", "expires_at": "2005-09-09"}, "expires_at", "write 2005-09-09T00:00:00Z, or"),
        ({"time_in_force": "GTD", "expires_at": "next week"}, "expires_at", "ISO 8601"),
        ({"time_in_force": "GTD", "expires_at": iso(START - DAY)}, "expires_at", "still to come"),
    ],
)
async def test_what_makes_no_sense_is_named(
    owner: httpx.AsyncClient, terms: dict[str, Any], field: str, said: str
) -> None:
    found = await faults(owner, **terms)
    assert said in found[field]


async def test_held_orders_are_changed(desk: World, owner: httpx.AsyncClient) -> None:
    terms = {"trigger_price": "9.50", "time_in_force": "GTD", "expires_at": WEEK}
    placed = await place(owner, **terms)
    change = {"trigger_price": "11", "expires_at": iso(START + 3 * DAY), "quantity": "5"}
    answer = await owner.patch(f"{ORDERS}/{placed['id']}", json=change)
    assert answer.status_code == 202, answer.text
    after = answer.json()
    assert (after["trigger_price"], after["quantity"], after["expires_at"]) == ("11", "5", iso(START + 3 * DAY))
    refused = await owner.patch(f"{ORDERS}/{placed['id']}", json={"trail_amount": "1"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "trail"
    await desk.next_bar(11.5)
    assert (await owner.get(f"{ORDERS}/{placed['id']}")).json()["state"] == "ACCEPTED"


async def test_a_release_is_told_on_the_feed_of_events(desk: World, owner: httpx.AsyncClient) -> None:
    await place(owner, trigger_price="9.50", time_in_force="GTC")
    await desk.next_bar(9.0)
    events = (await owner.get("/api/v2/system/events", params={"limit": 20})).json()["items"]
    assert any(
        one["kind"] == "order-released" and "once it is at 9.50 goes out now" in one["message"] for one in events
    )


def test_the_bars_of_this_desk_are_long_enough() -> None:
    assert len(stored_bars()) == 31
    assert bar(0).close_ts == START


async def test_a_stop_that_closes_is_reduce_only_unless_it_may_open(desk: World, owner: httpx.AsyncClient) -> None:
    await owner.patch(f"/api/v2/accounts/{OWN_ACCOUNT}/limits", json={"allow_short": True})
    assert (await place(owner))["reduce_only"] is False
    await desk.next_bar(10.0)
    stop = {"side": "SELL", "kind": "STOP", "stop_price": "9.00", "time_in_force": "GTC"}
    placed = await place(owner, client_order_id="stop", **stop)
    assert placed["reduce_only"] is True
    assert (await place(owner, client_order_id="stop", **stop))["id"] == placed["id"]
    await owner.delete(f"{ORDERS}/{placed['id']}")
    await desk.runner.quiet()
    assert (await place(owner, reduce_only=False, **stop))["reduce_only"] is False


async def test_a_reduce_only_order_without_a_position_is_refused(owner: httpx.AsyncClient) -> None:
    refused = await place(owner, reduce_only=True)
    assert (refused["state"], refused["rule"], refused["limit"]) == ("REFUSED", "reduce-only", "0")
    assert refused["reduce_only"] is True
    waiting = await place(owner, reduce_only=True, trigger_price="9.50", time_in_force="GTC")
    assert (waiting["state"], waiting["reduce_only"], waiting["trigger_price"]) == ("REFUSED", True, "9.50")
