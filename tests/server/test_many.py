"""Many orders and positions through the API: baskets, cancels by filter, changes in bulk, positions moved."""

import asyncio
from typing import Any

import httpx
import pytest

from evenkeel.domain.orders import OrderState
from tests.server import composites
from tests.server.composites import BUY, COMPOSITES
from tests.server.world import DEPLOYMENT, OTHER_ACCOUNT, OWN_ACCOUNT, World, order

TRADING = "/api/v2/trading"
ORDERS = f"{TRADING}/orders"
BASKETS = f"{TRADING}/baskets"
POSITIONS = f"{TRADING}/positions"


async def post(client: httpx.AsyncClient, path: str, status: int = 201, **body: Any) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def resting(client: httpx.AsyncClient, **changes: Any) -> str:
    body = order(**({"kind": "LIMIT", "limit_price": "5", "time_in_force": "GTC"} | changes))
    found: str = (await client.post(ORDERS, json=body)).json()["id"]
    return found


async def holding(desk: World, client: httpx.AsyncClient, **changes: Any) -> None:
    assert (await client.post(ORDERS, json=order(time_in_force="GTC", **changes))).status_code == 201
    await desk.next_bar(10.0)


async def held(client: httpx.AsyncClient) -> list[str]:
    return [one["quantity"] for one in (await client.get(POSITIONS)).json()["items"]]


async def test_a_basket_answers_for_each_order_and_is_one_batch(desk: World, owner: httpx.AsyncClient) -> None:
    before = len(desk.journal.batches)
    orders = [order(f"b{n}", quantity="9000" if n == 1 else "10") for n in range(3)]
    answer = await post(owner, BASKETS, orders=orders)
    assert len(desk.journal.batches) == before + 1
    assert (answer["accepted"], answer["refused"], answer["mode"]) == (2, 1, "each")
    assert [one["client_order_id"] for one in answer["orders"]] == ["b0", "b1", "b2"]
    assert (answer["orders"][1]["rule"], answer["orders"][1]["layer"]) == ("max-position-share", "account")
    assert [one["created"] for one in answer["orders"]] == [True, True, True]
    again = await post(owner, BASKETS, 200, orders=orders)
    assert [one["id"] for one in again["orders"]] == [one["id"] for one in answer["orders"]]
    assert (again["id"], [one["created"] for one in again["orders"]]) == (None, [False] * 3)
    await desk.next_bar()
    assert await held(owner) == ["20"]


async def test_all_or_none(desk: World, owner: httpx.AsyncClient) -> None:
    orders = [order(), order(quantity="9000")]
    answer = await post(owner, BASKETS, orders=orders, mode="all", client_basket_id="mine")
    assert [(one["client_order_id"], one["rule"]) for one in answer["orders"]] == [
        ("mine:0", "basket"),
        ("mine:1", "max-position-share"),
    ]
    assert answer["accepted"] == 0
    await desk.next_bar()
    assert await held(owner) == []
    assert len((await post(owner, BASKETS, 200, orders=orders, mode="all", client_basket_id="mine"))["orders"]) == 2


async def test_a_fault_of_one_order_declines_the_basket_and_is_told_where_it_is(
    desk: World, owner: httpx.AsyncClient
) -> None:
    before = desk.runner.committed_seq
    orders = [
        order(),
        order(symbol="NONE"),
        order(account_id=OTHER_ACCOUNT),
        order(kind="LIMIT"),
        order(quantity="-1"),
        order(book="nobody"),
    ]
    answer = await post(owner, BASKETS, 422, orders=orders)
    assert [one["field"] for one in answer["errors"]] == [
        "orders.1.symbol",
        "orders.2.account_id",
        "orders.3.limit_price",
        "orders.4.quantity",
        "orders.5.book",
    ]
    bodies: tuple[dict[str, Any], ...] = (
        {},
        {"orders": []},
        {"orders": [order()] * 201},
        {"orders": [order("twice")] * 2},
    )
    for body in bodies:
        await post(owner, BASKETS, 422, **body)
    await post(owner, BASKETS, 422, orders=[order()], mode="most")
    assert desk.runner.committed_seq == before


async def test_the_largest_basket_fits(desk: World, owner: httpx.AsyncClient) -> None:
    named = [order(f"{n:03}-" + "x" * 60, kind="LIMIT", limit_price="5.00", time_in_force="GTC") for n in range(200)]
    answer = await post(owner, BASKETS, orders=named, mode="all")
    assert (len(answer["orders"]), answer["accepted"] + answer["refused"]) == (200, 200)
    await post(owner, BASKETS, 413, orders=[order(book="x" * 1024 * 1024)])


async def test_another_body_under_the_same_ids_is_a_conflict(owner: httpx.AsyncClient) -> None:
    await post(owner, BASKETS, orders=[order("one")])
    assert (await post(owner, BASKETS, 409, orders=[order("one", quantity="11")]))["code"] == "idempotency-conflict"
    await post(owner, BASKETS, 409, orders=[order("one"), order("two")], mode="all")


async def test_two_at_once_place_one_basket(owner: httpx.AsyncClient) -> None:
    body = {"orders": [order(), order()]}
    headers = {"idempotency-key": "key"}
    answers = await asyncio.gather(*(owner.post(BASKETS, json=body, headers=headers) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len({one["id"] for answer in answers for one in answer.json()["orders"]}) == 2
    long = await owner.post(BASKETS, json=body, headers={"idempotency-key": "x" * 57})
    assert long.status_code == 422


async def test_orders_that_cannot_all_be_sent_in_time_are_asked_to_wait(desk: World, owner: httpx.AsyncClient) -> None:
    rate = {"rate": {"per_second": 1, "burst": 1, "reserved": 0, "queue": 2}}
    assert (await owner.patch(f"/api/v2/accounts/{OWN_ACCOUNT}/limits", json=rate)).status_code == 200
    account = desk.runner.state.accounts[OWN_ACCOUNT]
    account.working.unheard["somewhere"] = None
    answer = await owner.post(BASKETS, json={"orders": [order(), order()]})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    more = await post(owner, BASKETS, 422, orders=[order(), order(), order()])
    assert (more["errors"][0]["field"], "at most 2 at once" in more["errors"][0]["message"]) == ("orders", True)
    account.working.unheard.clear()
    await post(owner, BASKETS, 422, orders=[order(), order(), order()])
    await post(owner, BASKETS, orders=[order(), order()])


async def test_what_fits_a_filter_is_cancelled(desk: World, owner: httpx.AsyncClient) -> None:
    first, second = await resting(owner), await resting(owner, kind="STOP", limit_price=None, stop_price="15")
    await desk.runner.quiet()
    answer = await post(owner, f"{ORDERS}/cancel", 200, kind="STOP", symbol="stk")
    assert ([one["id"] for one in answer["items"]], answer["done"], answer["failed"]) == ([second], 1, 0)
    await desk.runner.quiet()
    states = {one: desk.runner.state.orders[one].state for one in (first, second)}
    assert states == {first: OrderState.ACCEPTED, second: OrderState.CANCELLED}
    everything = await post(owner, f"{ORDERS}/cancel", 200, all=True)
    assert [one["id"] for one in everything["items"]] == [first]
    await desk.runner.quiet()
    assert (await post(owner, f"{ORDERS}/cancel", 200, all=True))["items"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"account_id": OTHER_ACCOUNT}, "account_id"),
        ({"symbol": "NONE"}, "symbol"),
        ({"venue": "XNAS"}, "venue"),
        ({"book": "nobody"}, "book"),
        ({"side": "LONG"}, "side"),
        ({"everything": True}, "everything"),
    ],
)
async def test_a_filter_that_names_nothing_is_told(owner: httpx.AsyncClient, body: dict[str, Any], field: str) -> None:
    assert [one["field"] for one in (await post(owner, f"{ORDERS}/cancel", 422, **body))["errors"]] == [field]


async def test_an_order_is_changed(desk: World, owner: httpx.AsyncClient) -> None:
    placed = await resting(owner)
    await desk.runner.quiet()
    changed = await owner.patch(f"{ORDERS}/{placed}", json={"quantity": "20", "limit_price": "5.5"})
    assert (changed.status_code, changed.json()["id"]) == (202, placed)
    await desk.runner.quiet()
    after = (await owner.get(f"{ORDERS}/{placed}")).json()
    assert (after["quantity"], after["limit_price"]) == ("20", "5.5")
    for body, quantity, price in (
        ({"factor": "0.5"}, "10", "5.5"),
        ({"ticks": -2}, "10", "5.48"),
        ({"percent": "10"}, "10", "6.03"),
    ):
        assert (await owner.patch(f"{ORDERS}/{placed}", json=body)).status_code == 202
        await desk.runner.quiet()
        after = (await owner.get(f"{ORDERS}/{placed}")).json()
        assert (after["quantity"], after["limit_price"]) == (quantity, price)


async def test_a_change_that_cannot_be_is_told_in_its_own_words(desk: World, owner: httpx.AsyncClient) -> None:
    placed = await resting(owner)
    await desk.runner.quiet()
    for body, field in (
        ({}, ""),
        ({"quantity": "0"}, "quantity"),
        ({"ticks": 0}, "ticks"),
        ({"stop_price": "4"}, "stop_price"),
        ({"factor": "0.01"}, "factor"),
    ):
        answer = await owner.patch(f"{ORDERS}/{placed}", json=body)
        assert (answer.status_code, [one["field"] for one in answer.json()["errors"]]) == (422, [field]), body
    refused = await owner.patch(f"{ORDERS}/{placed}", json={"quantity": "100000"})
    assert (refused.status_code, refused.json()["code"]) == (409, "change-refused")
    check = {one: refused.json()[one] for one in ("rule", "layer", "limit", "value")}
    assert (check["rule"], check["layer"], check["limit"]) == ("max-position-share", "account", "0.5")
    edit = {"order_id": placed, "quantity": "100000"}
    (item,) = (await owner.patch(ORDERS, json={"orders": [edit]})).json()["items"]
    assert {one: item["fault"][one] for one in check} == check
    await owner.delete(f"{ORDERS}/{placed}")
    await desk.runner.quiet()
    assert (await owner.patch(f"{ORDERS}/{placed}", json={"ticks": 1})).status_code == 409


async def test_an_order_goes_to_the_market(desk: World, owner: httpx.AsyncClient) -> None:
    placed = await resting(owner)
    await desk.runner.quiet()
    assert (await owner.patch(f"{ORDERS}/{placed}", json={"at_market": True})).status_code == 202
    await desk.runner.quiet()
    await desk.next_bar()
    assert desk.runner.state.orders[placed].state is OrderState.CANCELLED
    assert await held(owner) == ["10"]


async def test_changes_in_bulk_are_answered_one_by_one(desk: World, owner: httpx.AsyncClient) -> None:
    good, gone = await resting(owner), await resting(owner)
    await owner.delete(f"{ORDERS}/{gone}")
    await desk.runner.quiet()
    theirs = (await _theirs(desk))["id"]
    edits = [{"order_id": one, "ticks": 1} for one in (good, gone, theirs, "none")]
    answer = (await owner.patch(ORDERS, json={"orders": edits})).json()
    assert (answer["done"], answer["failed"]) == (1, 3)
    assert [(one["id"], one["fault"] and one["fault"]["code"]) for one in answer["items"]] == [
        (good, None),
        (gone, "conflict"),
        (theirs, "not-found"),
        ("none", "not-found"),
    ]
    assert answer["items"][2]["state"] is None
    await desk.runner.quiet()
    moved = (await owner.patch(ORDERS, json={"select": {"side": "BUY"}, "change": {"percent": "-1"}})).json()
    assert [one["id"] for one in moved["items"]] == [good]
    await desk.runner.quiet()
    assert (await owner.get(f"{ORDERS}/{good}")).json()["limit_price"] == "4.96"
    bodies: tuple[dict[str, Any], ...] = (
        {},
        {"orders": []},
        {"select": {}},
        {"select": {}, "change": {"ticks": 1}},
        {"select": {"all": True, "side": "BUY"}, "change": {"ticks": 1}},
        {"change": {"ticks": 1}},
        {"orders": [edits[0], edits[0]]},
        {"orders": [{"order_id": good, "quantity": "x"}]},
    )
    for body in bodies:
        assert (await owner.patch(ORDERS, json=body)).status_code == 422, body
    everything = {"select": {"all": True}, "change": {"ticks": 1}}
    assert [one["id"] for one in (await owner.patch(ORDERS, json=everything)).json()["items"]] == [good]


async def _theirs(desk: World) -> Any:
    async with await desk.signed_in(desk.other) as client:
        body = order(account_id=OTHER_ACCOUNT, kind="LIMIT", limit_price="5")
        return (await client.post(ORDERS, json=body)).json()


async def test_another_users_orders_and_positions_are_not_there(desk: World, owner: httpx.AsyncClient) -> None:
    await holding(desk, owner)
    mine = await resting(owner)
    await desk.runner.quiet()
    before = desk.runner.committed_seq
    async with await desk.signed_in(desk.other) as client:
        assert (await client.patch(f"{ORDERS}/{mine}", json={"ticks": 1})).status_code == 404
        assert (await post(client, f"{ORDERS}/cancel", 200, all=True))["items"] == []
        assert (await post(client, f"{POSITIONS}/flatten", 200, all=True))["orders"] == []
        for path in ("close", "reverse"):
            await post(client, f"{POSITIONS}/{path}", 422, account_id=OWN_ACCOUNT, symbol="STK")
        await post(client, f"{POSITIONS}/target", 422, account_id=OWN_ACCOUNT, symbol="STK", quantity="0")
        await post(client, BASKETS, 422, orders=[order()])
    assert desk.runner.committed_seq == before


async def test_a_position_is_closed_once(desk: World, owner: httpx.AsyncClient) -> None:
    await holding(desk, owner)
    body = {"account_id": OWN_ACCOUNT, "symbol": "stk", "client_order_id": "out"}
    answers = await asyncio.gather(*(owner.post(f"{POSITIONS}/close", json=body) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 201]
    assert {one["id"] for answer in answers for one in answer.json()["orders"]} == {
        answers[0].json()["orders"][0]["id"]
    }
    await desk.next_bar()
    assert await held(owner) == []
    nothing = await post(owner, f"{POSITIONS}/close", 200, account_id=OWN_ACCOUNT, symbol="STK")
    assert nothing == {"orders": [], "cancelling": [], "waiting": 0, "stopped": []}


async def test_a_part_is_closed_and_the_rest_reversed(desk: World, owner: httpx.AsyncClient) -> None:
    await owner.patch(f"/api/v2/accounts/{OWN_ACCOUNT}/limits", json={"allow_short": True})
    await holding(desk, owner)
    here: dict[str, Any] = {"account_id": OWN_ACCOUNT, "symbol": "STK"}
    assert (await post(owner, f"{POSITIONS}/close", **here, share="0.4"))["orders"][0]["quantity"] == "4"
    await desk.next_bar()
    assert await held(owner) == ["6"]
    turned = await post(owner, f"{POSITIONS}/reverse", **here)
    assert [one["quantity"] for one in turned["orders"]] == ["6", "6"]
    await desk.next_bar()
    assert await held(owner) == ["-6"]
    await post(owner, f"{POSITIONS}/target", **here, quantity="-2.0")
    await desk.next_bar()
    assert await held(owner) == ["-2"]
    there = await post(owner, f"{POSITIONS}/target", 200, **here, quantity=-2)
    assert there["orders"] == []


async def test_what_rests_is_cancelled_before_a_position_is_closed(desk: World, owner: httpx.AsyncClient) -> None:
    await holding(desk, owner)
    stop = await resting(owner, side="SELL", kind="STOP", stop_price="4", limit_price=None)
    await desk.runner.quiet()
    answer = await post(owner, f"{POSITIONS}/close", 202, account_id=OWN_ACCOUNT, symbol="STK")
    assert (answer["orders"], answer["cancelling"], answer["waiting"]) == ([], [stop], 1)
    await desk.runner.quiet()
    await desk.next_bar()
    assert await held(owner) == []
    assert desk.runner.state.orders[stop].state is OrderState.CANCELLED


async def test_flattening_halts_nothing(desk: World, owner: httpx.AsyncClient) -> None:
    await holding(desk, owner)
    entry = await resting(owner)
    await desk.runner.quiet()
    for nothing_meant in ({}, {"all": True, "symbol": "STK"}):
        assert (await post(owner, f"{POSITIONS}/flatten", 422, **nothing_meant))["errors"][0]["field"] == "all"
    answer = await post(owner, f"{POSITIONS}/flatten", 202, symbol="STK")
    assert answer["cancelling"] == [entry]
    await desk.runner.quiet()
    await desk.next_bar()
    assert await held(owner) == []
    assert desk.runner.state.halts == {}
    await holding(desk, owner)
    assert await held(owner) == ["10"]
    assert (await post(owner, f"{POSITIONS}/flatten", 200, book=DEPLOYMENT))["orders"] == []


async def test_composites_that_are_stopped_are_named(desk: World, owner: httpx.AsyncClient) -> None:
    await holding(desk, owner)
    one = await post(owner, COMPOSITES, **composites.body("slices", count=2, every=3600))
    other = await post(owner, COMPOSITES, **composites.body("participation", share=0.1))
    answer = await post(owner, f"{POSITIONS}/close", 202, account_id=OWN_ACCOUNT, symbol="STK")
    assert answer["stopped"] == [one["id"], other["id"]]
    last = await post(
        owner, COMPOSITES, **composites.body("iceberg", BUY | {"kind": "LIMIT", "limit_price": "5"}, displayed="5")
    )
    answer = await post(owner, f"{ORDERS}/cancel", 200, symbol="STK", side="BUY", kind="LIMIT")
    assert answer["stopped"] == [last["id"]]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("close", {"share": "1.5"}, "share"),
        ("close", {"quantity": "0"}, "quantity"),
        ("close", {"quantity": "11"}, "quantity"),
        ("close", {"symbol": "NONE"}, "symbol"),
        ("close", {"book": "nobody"}, "book"),
        ("close", {"client_order_id": "x" * 61}, "client_order_id"),
        ("reverse", {"symbol": "NONE"}, "symbol"),
        ("target", {"quantity": "x"}, "quantity"),
        ("target", {}, "quantity"),
        ("target", {"quantity": "0.5"}, "quantity"),
        ("target", {"quantity": "5", "limit_price": "-1"}, "limit_price"),
    ],
)
async def test_what_cannot_be_asked_of_a_position_names_its_field(
    desk: World, owner: httpx.AsyncClient, path: str, body: dict[str, Any], field: str
) -> None:
    await holding(desk, owner)
    answer = await post(owner, f"{POSITIONS}/{path}", 422, **({"account_id": OWN_ACCOUNT, "symbol": "STK"} | body))
    assert [one["field"] for one in answer["errors"]] == [field]


async def test_there_is_nothing_to_reverse(owner: httpx.AsyncClient) -> None:
    await post(owner, f"{POSITIONS}/reverse", 409, account_id=OWN_ACCOUNT, symbol="STK")


async def second_account(owner: httpx.AsyncClient) -> str:
    opened = await post(owner, "/api/v2/accounts", name="Second", cash="50000")
    account: str = opened["id"]
    return account


async def test_over_many_accounts_each_has_its_own_result_and_a_retry_places_the_failed_alone(
    desk: World, owner: httpx.AsyncClient
) -> None:
    """F23: nothing is undone by opposite trades; sent again it places nothing, and with retry only what had failed."""
    second = await second_account(owner)
    orders = [order(), order(account_id=second, quantity="9000")]
    first = await post(owner, BASKETS, orders=orders, client_basket_id="all")
    assert [(one["state"] == "REFUSED", one["client_order_id"]) for one in first["orders"]] == [
        (False, "all:0"),
        (True, "all:1"),
    ]
    again = await post(owner, BASKETS, 200, orders=orders, client_basket_id="all")
    assert [one["id"] for one in again["orders"]] == [one["id"] for one in first["orders"]]
    changed = {"max_position_share": None, "cash_check": False}
    assert (await owner.patch(f"/api/v2/accounts/{second}/limits", json=changed)).status_code == 200
    for status in (201, 200):
        retried = await post(owner, BASKETS, status, orders=orders, client_basket_id="all", retry=True)
        assert [one["client_order_id"] for one in retried["orders"]] == ["all:0", "all:1:r1"]
        assert [one["created"] for one in retried["orders"]] == [False, status == 201]
        assert retried["orders"][0]["id"] == first["orders"][0]["id"]
    await desk.next_bar()
    assert sorted(await held(owner)) == ["10", "9000"]


async def test_a_retry_is_of_orders_that_stand_alone(owner: httpx.AsyncClient) -> None:
    answer = await post(owner, BASKETS, 422, orders=[order()], mode="all", client_basket_id="x", retry=True)
    assert [one["field"] for one in answer["errors"]] == ["retry"]


async def test_not_every_order_is_cancelled_by_saying_nothing(owner: httpx.AsyncClient) -> None:
    kept = await resting(owner)
    for body in ({}, {"all": False}, {"all": True, "symbol": "STK"}):
        answer = await post(owner, f"{ORDERS}/cancel", 422, **body)
        assert [one["field"] for one in answer["errors"]] == ["all"]
    assert [one["id"] for one in (await post(owner, f"{ORDERS}/cancel", 200, all=True))["items"]] == [kept]
