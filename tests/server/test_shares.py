"""An account that is lent: there for whom it was lent to, for what it was lent for, and not a moment longer."""

import asyncio
from typing import Any

import httpx
import pytest
from msgspec import structs
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from evenkeel.desk.permissions import person
from tests.server.test_streams import hear, served, subscribe
from tests.server.world import DEPLOYMENT, OTHER_ACCOUNT, OWN_ACCOUNT, World, decided, order

SHARES, ACCOUNT = "/api/v2/shares", f"/api/v2/accounts/{OWN_ACCOUNT}"
ORDERS = "/api/v2/trading/orders"


async def lend(owner: httpx.AsyncClient, permission: str) -> dict[str, Any]:
    answer = await owner.post(
        SHARES, json={"account_id": OWN_ACCOUNT, "username": "somebody", "permission": permission}
    )
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_nothing_is_lent_at_first(desk: World) -> None:
    async with await desk.signed_in(desk.other) as other:
        assert (await other.get(ACCOUNT)).status_code == 404
        assert (await other.get(SHARES)).json()["items"] == []


async def test_whoever_reads_sees_the_account_and_changes_nothing(desk: World, owner: httpx.AsyncClient) -> None:
    placed = (await owner.post(ORDERS, json=order(kind="LIMIT", limit_price="5"))).json()["id"]
    await lend(owner, "read")
    async with await desk.signed_in(desk.other) as other:
        listed = [one["id"] for one in (await other.get("/api/v2/accounts")).json()["items"]]
        assert sorted(listed) == sorted([OWN_ACCOUNT, OTHER_ACCOUNT])
        for path in (ACCOUNT, f"{ACCOUNT}/equity", f"{ACCOUNT}/ledger", f"{ORDERS}/{placed}"):
            assert (await other.get(path)).status_code == 200, path
        assert [one["id"] for one in (await other.get(ORDERS)).json()["items"]] == [placed]
        assert [one["id"] for one in (await other.get("/api/v2/strategies")).json()["items"]] == [DEPLOYMENT]
        for method, path, body in (
            ("POST", ORDERS, order()),
            ("DELETE", f"{ORDERS}/{placed}", None),
            ("PATCH", f"{ORDERS}/{placed}", {"ticks": 1}),
            ("PATCH", f"{ACCOUNT}/limits", {"daily_loss": None}),
            ("POST", f"{ACCOUNT}/cash", {"kind": "deposit", "amount": "1"}),
            ("POST", "/api/v2/risk/panic", {"scope": "account", "id": OWN_ACCOUNT}),
            ("POST", f"/api/v2/strategies/{DEPLOYMENT}/disable", None),
            ("POST", SHARES, {"account_id": OWN_ACCOUNT, "username": "demo", "permission": "trade"}),
        ):
            answer = await other.request(method, path, json=body)
            assert answer.status_code == 403, (path, answer.text)
            assert "shared with you" in answer.json()["detail"]
    assert (await owner.get(f"{ORDERS}/{placed}")).json()["state"] == "ACCEPTED"


async def test_whoever_reduces_may_cancel_and_close_and_no_more(desk: World, owner: httpx.AsyncClient) -> None:
    placed = (await owner.post(ORDERS, json=order(kind="LIMIT", limit_price="5"))).json()["id"]
    await lend(owner, "reduce")
    async with await desk.signed_in(desk.other) as other:
        assert (await other.post(ORDERS, json=order())).status_code == 403
        assert (await other.delete(f"{ORDERS}/{placed}")).status_code in (200, 202)
        halted = await other.post("/api/v2/risk/panic", json={"scope": "account", "id": OWN_ACCOUNT})
        assert halted.status_code == 202


async def test_whoever_trades_does_so_under_their_own_name(desk: World, owner: httpx.AsyncClient) -> None:
    await lend(owner, "trade")
    async with await desk.signed_in(desk.other) as other:
        placed = await other.post(ORDERS, json=order())
        assert placed.status_code == 201
        assert (await other.patch(f"{ACCOUNT}/limits", json={"daily_loss": None})).status_code == 403
    assert decided(desk, placed.json()["id"]).actor == desk.other.id


async def test_both_sides_see_it_and_either_ends_it_at_once(desk: World, owner: httpx.AsyncClient) -> None:
    async with await desk.signed_in(desk.other) as other:
        for ends in (owner, other):
            share = await lend(owner, "read")
            seen = [(await client.get(SHARES)).json()["items"][0] for client in (owner, other)]
            assert [(one["owner"], one["username"], one["mine"]) for one in seen] == [
                ("demo", "somebody", True),
                ("demo", "somebody", False),
            ]
            assert (await other.get(ACCOUNT)).status_code == 200
            assert (await ends.delete(f"{SHARES}/{share['id']}")).status_code == 204
            assert (await other.get(ACCOUNT)).status_code == 404
            assert (await other.delete(f"{SHARES}/{share['id']}")).status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"account_id": OTHER_ACCOUNT}, 404),
        ({"username": "nobody-here"}, 422),
        ({"username": "demo"}, 409),
        ({"permission": "manage"}, 422),
        ({"owner_id": "x"}, 422),
    ],
)
async def test_what_cannot_be_lent(owner: httpx.AsyncClient, body: dict[str, str], status: int) -> None:
    given = {"account_id": OWN_ACCOUNT, "username": "somebody", "permission": "read"} | body
    assert (await owner.post(SHARES, json=given)).status_code == status


async def test_nobody_is_lent_more_than_their_role_allows(desk: World, owner: httpx.AsyncClient) -> None:
    await lend(owner, "trade")
    users = desk.parts.shares.users
    user = await users.by_id(desk.other.id)
    assert user is not None
    await users.replace(structs.replace(user, role="viewer"))
    [share] = (await owner.get(SHARES)).json()["items"]
    assert (share["permission"], share["in_force"]) == ("trade", "read")
    given = {"account_id": OWN_ACCOUNT, "username": "somebody", "permission": "reduce"}
    [fault] = (await owner.post(SHARES, json=given)).json()["errors"]
    assert fault["field"] == "permission"
    assert "is a viewer, and may not reduce anywhere: lend it to read" in fault["message"]
    assert "evenkeel user role somebody trader" in fault["message"]
    assert (await lend(owner, "read"))["in_force"] == "read"


async def test_a_strategy_trades_the_accounts_of_one_person(desk: World, owner: httpx.AsyncClient) -> None:
    await lend(owner, "trade")
    async with await desk.signed_in(desk.other) as other:
        allocations = [{"account_id": one, "allocation": "0.1"} for one in (OTHER_ACCOUNT, OWN_ACCOUNT)]
        body = {"name": "Both", "template": "sma-crossover", "symbols": ["STK"], "accounts": allocations}
        answer = await other.post("/api/v2/strategies", json=body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0] == {
            "field": "accounts.1.account_id",
            "message": "belongs to another person than the first account",
        }


async def test_streams_follow_what_is_lent(desk: World, owner: httpx.AsyncClient) -> None:
    async with served(desk) as address:
        share = await lend(owner, "read")
        url = f"ws://{address}/api/v2/stream?ticket="
        async with connect(url + desk.auth.ticket_for(person(desk.other)), proxy=None) as stream:
            accounts = (await subscribe(stream, "accounts"))["items"]
            assert OWN_ACCOUNT in [one["id"] for one in accounts]
            await subscribe(stream, "orders")
            placed = asyncio.create_task(owner.post(ORDERS, json=order()))
            assert (await hear(stream, "delta"))["item"]["account_id"] == OWN_ACCOUNT
            await placed
            await owner.delete(f"{SHARES}/{share['id']}")
            with pytest.raises(ConnectionClosed):
                await hear(stream, "never")
            assert stream.close_code == 1012
        async with connect(url + desk.auth.ticket_for(person(desk.other)), proxy=None) as stream:
            assert [one["id"] for one in (await subscribe(stream, "accounts"))["items"]] == [OTHER_ACCOUNT]
