"""Orders through the API: placed, refused, repeated, cancelled, listed."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.server.world import OWN_ACCOUNT, World, order

ORDERS = "/api/v2/trading/orders"


async def place(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await client.post(ORDERS, json=order(**changes))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_an_order_is_answered_once_committed_and_fills_at_the_next_bar(
    desk: World, owner: httpx.AsyncClient
) -> None:
    placed = await place(owner, client_order_id="mine", time_in_force="GTC")
    assert placed["state"] in ("SUBMITTED", "ACCEPTED")
    assert placed["client_order_id"] == "mine"
    assert placed["quantity"] == "10"
    assert placed["strategy"] is None
    assert placed["source"] == "user"
    await desk.next_bar(11.0)
    after = (await owner.get(f"{ORDERS}/{placed['id']}")).json()
    assert after["state"] == "FILLED"
    assert after["filled_quantity"] == "10"
    fills = (await owner.get("/api/v2/trading/fills")).json()["items"]
    assert [fill["order_id"] for fill in fills] == [placed["id"]]
    positions = (await owner.get("/api/v2/trading/positions")).json()["items"]
    assert [(one["symbol"], one["quantity"], one["book"]) for one in positions] == [("STK", "10", "manual")]
    account = (await owner.get(f"/api/v2/accounts/{OWN_ACCOUNT}")).json()
    assert account["positions"] == 1
    assert float(account["cash"]) + float(account["positions_value"]) == float(account["equity"])


async def test_a_refusal_is_an_order_with_rule_limit_and_value(owner: httpx.AsyncClient) -> None:
    refused = await place(owner, quantity="9000")
    assert refused["state"] == "REFUSED"
    assert refused["rule"] == "max-position-share"
    assert refused["limit"] == "0.5"
    assert refused["value"]
    assert "STK" in refused["reason"]


async def test_the_same_id_and_body_is_the_same_order_and_another_body_a_conflict(
    desk: World, owner: httpx.AsyncClient
) -> None:
    first = await place(owner, client_order_id="twice")
    again = await owner.post(ORDERS, json=order("twice", quantity=10))
    assert again.status_code == 200
    assert again.json()["id"] == first["id"]
    other = await owner.post(ORDERS, json=order("twice", quantity="11"))
    assert other.status_code == 409
    assert other.json()["code"] == "idempotency-conflict"
    assert sum(one.spec.client_order_id == "twice" for one in desk.runner.state.orders.values()) == 1


async def test_a_double_click_places_one_order(desk: World, owner: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(owner.post(ORDERS, json=order("click")) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_an_idempotency_key_stands_in_for_the_id(owner: httpx.AsyncClient) -> None:
    headers = {"idempotency-key": "from-header"}
    first = await owner.post(ORDERS, json=order(), headers=headers)
    again = await owner.post(ORDERS, json=order(), headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["client_order_id"] == "from-header"
    without = await owner.post(ORDERS, json=order())
    assert without.status_code == 201
    assert without.json()["client_order_id"]


async def test_a_working_order_can_be_cancelled_once(desk: World, owner: httpx.AsyncClient) -> None:
    placed = await place(owner, kind="LIMIT", limit_price="5")
    cancelled = await owner.delete(f"{ORDERS}/{placed['id']}")
    assert cancelled.status_code in (200, 202)
    await desk.runner.quiet()
    assert (await owner.get(f"{ORDERS}/{placed['id']}")).json()["state"] == "CANCELLED"
    again = await owner.delete(f"{ORDERS}/{placed['id']}")
    assert again.status_code == 409
    assert "CANCELLED" in again.json()["detail"]


async def test_pages_follow_each_other_and_filters_hold(owner: httpx.AsyncClient) -> None:
    ids = [(await place(owner, kind="LIMIT", limit_price="5", quantity="1"))["id"] for _ in range(5)]
    refused = (await place(owner, quantity="9000"))["id"]
    seen: list[str] = []
    cursor = None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await owner.get(ORDERS, params=query)).json()
        seen += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [refused, *ids[::-1]]
    for status, expected in (("open", ids[::-1]), ("closed", [refused]), ("REFUSED", [refused]), ("FILLED", [])):
        page = (await owner.get(ORDERS, params={"status": status})).json()
        assert [one["id"] for one in page["items"]] == expected


@pytest.mark.parametrize("quantity", ["10", 10, 10.0, "10.0"])
async def test_numbers_may_be_strings_or_json_numbers(owner: httpx.AsyncClient, quantity: object) -> None:
    assert float((await place(owner, quantity=quantity))["quantity"]) == 10


async def test_a_json_number_is_read_exactly(owner: httpx.AsyncClient) -> None:
    rest = b'"symbol": "stk", "side": "BUY", "quantity": 1.0000000000000001}'
    body = b'{"account_id": "%s", %s' % (OWN_ACCOUNT.encode(), rest)
    answer = await owner.post(ORDERS, content=body, headers={"content-type": "application/json"})
    assert answer.json()["quantity"] == "1.0000000000000001"
    assert answer.json()["rule"] == "lot-size"


async def test_the_largest_numbers_are_a_clear_fault_and_not_a_crash(owner: httpx.AsyncClient) -> None:
    largest = "9" * 17 + "." + "9" * 18
    answer = await owner.post(ORDERS, json=order(kind="LIMIT", quantity=largest, limit_price=largest))
    assert answer.status_code in (201, 422)
    if answer.status_code == 422:
        assert answer.json()["errors"][0]["field"] == "quantity"


async def test_metrics_count_orders_and_errors(desk: World, owner: httpx.AsyncClient) -> None:
    await place(owner)
    await place(owner, quantity="9000")
    text = (await owner.get("/metrics")).text
    assert "orders_placed_total 2.0" in text
    assert "order_errors_total 1.0" in text
    assert 'portfolio_total_value{account="Main"' in text
    assert 'order_stage_seconds_count{stage="received"} 2.0' in text


async def test_the_time_from_acknowledgement_to_fill_is_measured(desk: World, owner: httpx.AsyncClient) -> None:
    await place(owner, time_in_force="GTC")
    await desk.next_bar()
    assert 'order_stage_seconds_count{stage="filled"} 1.0' in (await owner.get("/metrics")).text
