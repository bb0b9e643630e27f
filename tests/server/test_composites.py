"""Composite orders through the API: placed, repeated, refused, changed, cancelled, listed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from evenkeel.domain import composites as d
from tests.server.composites import BUY, COMPOSITES, SELL, body
from tests.server.world import OWN_ACCOUNT, World


async def place(client: httpx.AsyncClient, kind: str, *orders: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = await client.post(COMPOSITES, json=body(kind, *orders, **more))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"{COMPOSITES}/{found['id']}"
    return found


async def show(client: httpx.AsyncClient, composite_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"{COMPOSITES}/{composite_id}")).json()
    return found


async def faults(client: httpx.AsyncClient, given: dict[str, Any]) -> set[str]:
    answer = await client.post(COMPOSITES, json=given)
    assert answer.status_code == 422, answer.text
    return {fault["field"] for fault in answer.json()["errors"]}


async def test_a_bracket_from_its_entry_to_its_exits(desk: World, owner: httpx.AsyncClient) -> None:
    made = await place(owner, "bracket", stop_loss="8", take_profit="14", client_order_id="mine")
    assert (made["kind"], made["state"], made["symbol"], made["quantity"]) == ("bracket", "ACTIVE", "STK", "10")
    entry = made["orders"][0]
    assert (entry["parent"], entry["leg"], entry["client_order_id"]) == (made["id"], "entry", f"{made['id']}:entry:1")
    await desk.next_bar(11.0)
    after = await show(owner, made["id"])
    assert (after["filled_quantity"], after["open_quantity"]) == ("10", "10")
    assert [(one["leg"], one["working_quantity"]) for one in after["legs"]] == [
        ("entry", "0"), ("stop", "10"), ("target", "10"),
    ]  # fmt: skip
    changed = await owner.patch(f"{COMPOSITES}/{made['id']}", json={"stop_loss": "9"})
    assert changed.json()["terms"]["stop_loss"] == "9"
    await desk.runner.quiet()
    stop = next(one for one in (await show(owner, made["id"]))["orders"] if one["leg"] == "stop")
    assert stop["stop_price"] == "9"
    by_hand = await owner.patch(f"/api/v2/trading/orders/{stop['id']}", json={"stop_price": "7"})
    assert by_hand.status_code == 409
    refused = await owner.delete(f"{COMPOSITES}/{made['id']}")
    assert refused.status_code == 409
    assert "its exits stay" in refused.json()["detail"]
    closing = await owner.delete(f"{COMPOSITES}/{made['id']}", params={"close": "true"})
    assert (closing.status_code, closing.json()["state"]) == (202, "CLOSING")
    await desk.runner.quiet()
    await desk.next_bar(11.0)
    ended = await show(owner, made["id"])
    assert (ended["state"], ended["open_quantity"], ended["ended_at"] is not None) == ("DONE", "0", True)


async def test_the_same_body_again_is_the_same_composite(desk: World, owner: httpx.AsyncClient) -> None:
    given = body("iceberg", BUY | {"kind": "LIMIT", "limit_price": "5"}, displayed="3", client_order_id="twice")
    first, again = await owner.post(COMPOSITES, json=given), await owner.post(COMPOSITES, json=given)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert len(again.json()["orders"]) == 1
    other = await owner.post(COMPOSITES, json=given | {"displayed": "4"})
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-conflict")
    order = BUY | {"account_id": OWN_ACCOUNT, "client_order_id": "twice"}
    plain = await owner.post("/api/v2/trading/orders", json=order)
    assert plain.status_code == 409
    headers = {"idempotency-key": "by-header"}
    answers = [await owner.post(COMPOSITES, json=body("parts", size="4"), headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert (await owner.post(COMPOSITES, json=body("parts", size="4"), headers={"idempotency-key": "x" * 65})).is_error


async def test_what_begins_now_is_found_again_as_it_began(desk: World, owner: httpx.AsyncClient) -> None:
    end = (datetime.fromtimestamp(desk.runner.clock.now() / 1e9, UTC) + timedelta(days=70)).isoformat()
    given = body("twap", every=86_400 * 7, end=end, client_order_id="slow")
    first, again = await owner.post(COMPOSITES, json=given), await owner.post(COMPOSITES, json=given)
    assert (first.status_code, again.status_code) == (201, 200), again.text
    assert first.json()["terms"] == again.json()["terms"]


async def test_a_refusal_says_rule_limit_and_value(owner: httpx.AsyncClient) -> None:
    refused = await place(owner, "parts", BUY | {"quantity": "9000"}, size="1000")
    assert (refused["state"], refused["rule"], refused["limit"]) == ("REFUSED", "max-position-share", "0.5")
    assert refused["layer"] == "account"
    assert refused["orders"] == []


KINDS: list[dict[str, Any]] = [
    body("cover", stop_loss="8"),
    body("oco", BUY | {"kind": "LIMIT", "limit_price": "8"}, BUY | {"kind": "STOP", "stop_price": "12"}),
    body("slices", count=3, every=60),
    body("participation", share=0.1, most="5"),
    body("legs", BUY, BUY | {"quantity": "5"}, on_failure="unwind"),
    body("bracket", BUY | {"kind": "LIMIT", "limit_price": "9"}, take_profit="12", trail_percent="5"),
]


@pytest.mark.parametrize("given", KINDS, ids=lambda given: given["kind"])
async def test_every_kind_is_placed_and_cancelled(desk: World, owner: httpx.AsyncClient, given: dict[str, Any]) -> None:
    answer = await owner.post(COMPOSITES, json=given)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["kind"], made["state"]) == (given["kind"], "ACTIVE")
    gone = await owner.delete(f"{COMPOSITES}/{made['id']}")
    assert gone.status_code in (200, 202), gone.text
    await desk.runner.quiet()
    assert (await show(owner, made["id"]))["state"] == "CANCELLED"
    assert (await owner.delete(f"{COMPOSITES}/{made['id']}")).status_code == 409
    assert (await owner.patch(f"{COMPOSITES}/{made['id']}", json={"limit_price": "9"})).status_code in (409, 422)


async def test_a_vwap_goes_by_stored_bars_or_says_that_there_are_none(desk: World, owner: httpx.AsyncClient) -> None:
    now = desk.runner.clock.now()
    end = datetime.fromtimestamp(now / 1e9 + 3600, UTC).isoformat()
    given = body("vwap", every=900, end=end)
    answer = await owner.post(COMPOSITES, json=given)
    assert answer.status_code in (201, 422), answer.text
    if answer.status_code == 422:
        assert "no intraday bars" in answer.json()["errors"][0]["message"]
    else:
        (one,) = desk.runner.state.composites.values()
        assert isinstance(one.terms, d.Slices)
        assert isinstance(one.terms.pace, d.Vwap)
        assert sum(one.terms.pace.profile) == pytest.approx(1.0)


WRONG: list[tuple[dict[str, Any], set[str]]] = [
    (body("bracket"), {"stop_loss"}),
    (body("bracket", stop_loss="9", displayed="3", share=0.5), {"displayed", "share"}),
    (
        body("bracket", BUY | {"symbol": "NONE", "quantity": "-1"}, stop_loss="9"),
        {"orders.0.symbol", "orders.0.quantity"},
    ),
    (body("bracket", BUY | {"kind": "LIMIT", "limit_price": "10"}, stop_loss="11"), {"stop_loss"}),
    (body("oco"), {"orders"}),
    (body("oco", BUY, SELL), {"first", "second"}),
    (body("iceberg", BUY | {"kind": "LIMIT", "limit_price": "10"}, displayed="10"), {"displayed"}),
    (body("slices", count=3), {"every"}),
    (body("parts", BUY | {"after_market": True}, size="4"), {"after_market"}),
    (body("parts", BUY | {"trigger_price": "8"}, size="4"), {"trigger_price"}),
    (body("twap", every=60), {"end"}),
    (body("twap", every=60, end="2020-01-01T00:00:00"), {"end"}),
    (body("participation", end="soon"), {"share", "end"}),
    (body("legs"), {"orders"}),
    (body("parts", size="4", book="somebody"), {"book"}),
    (body("parts", size="4", account_id="nobody"), {"account_id"}),
    (body("straddle"), {"kind"}),
]


@pytest.mark.parametrize(("given", "fields"), WRONG)
async def test_what_makes_no_sense_is_named(owner: httpx.AsyncClient, given: dict[str, Any], fields: set[str]) -> None:
    assert await faults(owner, given) == fields


async def test_changes_that_make_no_sense_are_named(owner: httpx.AsyncClient) -> None:
    made = await place(owner, "bracket", BUY | {"kind": "LIMIT", "limit_price": "9"}, stop_loss="8")
    path = f"{COMPOSITES}/{made['id']}"
    for change in ({}, {"displayed": "3"}, {"stop_loss": "9.5"}, {"stop_loss": "8"}):
        answer = await owner.patch(path, json=change)
        assert answer.status_code == 422, (change, answer.text)
    assert (await owner.patch(path, json={"limit_price": "9.5"})).json()["terms"]["entry"]["limit_price"] == "9.5"


async def test_lists_are_filtered(desk: World, owner: httpx.AsyncClient) -> None:
    kept = (await place(owner, "iceberg", BUY | {"kind": "LIMIT", "limit_price": "5"}, displayed="3"))["id"]
    gone = (await place(owner, "parts", BUY | {"quantity": "9000"}, size="1000"))["id"]
    for status, expected in ((None, [gone, kept]), ("live", [kept]), ("ended", [gone]), ("REFUSED", [gone])):
        query = {} if status is None else {"status": status}
        page = (await owner.get(COMPOSITES, params=query)).json()
        assert [one["id"] for one in page["items"]] == expected
    assert (await owner.get(COMPOSITES, params={"status": "odd"})).status_code == 422
