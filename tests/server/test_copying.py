"""Copy links over the API: between one's own accounts and with somebody else's, how they stand, and in step again."""

from typing import Any

import httpx
import pytest

from evenkeel.domain.accounts import Readiness
from tests.server.test_streams import address, hear, open_stream, subscribe
from tests.server.world import OTHER_ACCOUNT, OWN_ACCOUNT, World, order

COPY = "/api/v2/accounts/copy"
ORDERS = "/api/v2/trading/orders"
__all__ = ["address"]


async def opened(client: httpx.AsyncClient, name: str = "Small") -> str:
    body = {"name": name, "currency": "USD", "cash": "50000", "type": "margin"}
    answer = await client.post("/api/v2/accounts", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def linked(client: httpx.AsyncClient, follower: str, **more: Any) -> dict[str, Any]:
    answer = await client.post(COPY, json={"master_id": OWN_ACCOUNT, "follower_id": follower, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"{COPY}/{found['id']}"
    return found


async def buys(client: httpx.AsyncClient, desk: World, quantity: str = "10", **more: Any) -> None:
    answer = await client.post(ORDERS, json=order(quantity=quantity, **more))
    assert answer.json()["state"] == "SUBMITTED", answer.text
    for _ in range(3):
        await desk.next_bar()


@pytest.fixture
async def small(desk: World, owner: httpx.AsyncClient) -> str:
    return await opened(owner)


async def test_a_link_between_ones_own_accounts_copies_at_once(
    desk: World, owner: httpx.AsyncClient, small: str
) -> None:
    link = await linked(owner, small, sizing={"by": "multiplier", "factor": "0.55"}, max_slippage="0.05", max_age=5)
    assert (link["status"], link["master"], link["follower"], link["mode"]) == ("active", "Main", "Small", "fills")
    assert link["sizing"] == {"by": "multiplier", "quantity": None, "factor": "0.55", "reference": None, "window": None}
    assert (link["max_slippage"], link["max_age"], link["risk"]) == ("0.05", 5.0, "1")
    await buys(owner, desk)
    found = (await owner.get(f"{COPY}/{link['id']}")).json()
    (leg,) = found["legs"]
    assert leg == {
        "symbol": "STK", "master_quantity": "10", "follower_symbol": "STK", "wanted": "5.5", "target": "5",
        "position": "5", "working": "0", "carry": "0.5", "drift": "0", "in_sync": True, "last_skip": None,
    }  # fmt: skip
    assert (found["in_sync"], found["events"], found["skips"], found["last_skip"]) == (True, 1, 0, None)
    orders = (await owner.get(ORDERS, params={"account_id": small})).json()["items"]
    assert [(one["side"], one["quantity"], one["book"]) for one in orders] == [("BUY", "5", link["id"])]
    (event,) = (await owner.get(f"{COPY}/{link['id']}/events")).json()["items"]
    assert (event["event"], event["quantity"], event["order_ids"]) == ("fill", "5", [orders[0]["id"]])


async def test_a_pause_shows_drift_and_a_resync_makes_up_for_it(
    desk: World, owner: httpx.AsyncClient, small: str
) -> None:
    link = await linked(owner, small)
    path = f"{COPY}/{link['id']}"
    assert (await owner.post(f"{path}/pause")).json()["status"] == "paused"
    await buys(owner, desk)
    paused = (await owner.get(path)).json()
    assert (paused["in_sync"], paused["legs"][0]["drift"]) == (False, "10")
    assert paused["last_skip"]["reason"] == "the link is paused"
    assert (await owner.post(f"{path}/resync", json={})).status_code == 409
    assert (await owner.post(f"{path}/resume")).json()["status"] == "active"
    shown = (await owner.post(f"{path}/resync", json={"preview": True})).json()
    step = {
        "symbol": "STK", "follower_symbol": "STK", "master_quantity": "10", "position": "0", "target": "10",
        "side": "BUY", "close": "0", "open": "10",
    }  # fmt: skip
    assert (shown["steps"], shown["order_ids"]) == ([step], [])
    done = (await owner.post(f"{path}/resync", json={"symbols": ["STK"]})).json()
    assert len(done["order_ids"]) == 1
    await desk.next_bar()
    await desk.next_bar()
    assert (await owner.get(path)).json()["in_sync"] is True
    skipped = (await owner.get(f"{path}/events", params={"skipped": True})).json()["items"]
    assert [one["skipped"] for one in skipped] == ["the link is paused"]


async def test_one_position_is_replicated_to_followers(desk: World, owner: httpx.AsyncClient, small: str) -> None:
    await buys(owner, desk)
    link = await linked(owner, small, sizing={"by": "equity"})
    body = {"master_id": OWN_ACCOUNT, "symbol": "STK"}
    (shown,) = (await owner.post(f"{COPY}/replicate", json={**body, "preview": True})).json()["items"]
    assert (shown["follower"], shown["steps"][0]["target"]) == ("Small", "5")
    (done,) = (await owner.post(f"{COPY}/replicate", json={**body, "link_ids": [link["id"]]})).json()["items"]
    assert len(done["order_ids"]) == 1
    none = await owner.post(f"{COPY}/replicate", json={"master_id": small, "symbol": "STK"})
    assert none.status_code == 404


async def test_terms_change_and_a_removed_link_is_gone(desk: World, owner: httpx.AsyncClient, small: str) -> None:
    link = await linked(owner, small, side="long", symbols=["STK"], max_slippage=0.01)
    path = f"{COPY}/{link['id']}"
    assert (link["side"], link["symbols"]) == ("long", ["STK"])
    changed = await owner.patch(
        path, json={"sizing": {"by": "fixed", "quantity": 3}, "risk": "2", "max_slippage": None}
    )
    assert changed.status_code == 200, changed.text
    assert changed.json()["sizing"]["quantity"] == "3"
    assert (changed.json()["risk"], changed.json()["max_slippage"]) == ("2", None)
    await buys(owner, desk)
    assert (await owner.get(path)).json()["legs"][0]["position"] == "6"
    assert (await owner.delete(path)).json()["status"] == "removed"
    assert (await owner.get(path)).status_code == 404
    assert (await owner.get(COPY)).json()["items"] == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sizing": {"by": "fixed"}}, "sizing.quantity"),
        ({"sizing": {"by": "equity", "factor": "2"}}, "sizing.factor"),
        ({"sizing": {"by": "fixed", "quantity": "0"}}, "sizing.quantity"),
        ({"sizing": {"by": "twice"}}, "sizing.by"),
        ({"risk": "-1"}, "risk"),
        ({"max_age": 0}, "max_age"),
        ({"symbols": ["NONE"]}, "symbols.0"),
        ({"symbol_map": [{"symbol": "STK", "to": "NONE"}]}, "symbol_map.0.to"),
        ({"follower_id": OWN_ACCOUNT}, "follower_id"),
        ({"follower_id": "nobody"}, "follower_id"),
        ({"master_id": "nobody", "follower_id": "nobody"}, "follower_id"),
    ],
)
async def test_what_makes_no_sense_is_said_by_field(
    desk: World, owner: httpx.AsyncClient, small: str, change: dict[str, Any], field: str
) -> None:
    answer = await owner.post(COPY, json={"master_id": OWN_ACCOUNT, "follower_id": small, **change})
    assert answer.status_code == 422, answer.text
    assert field in [fault["field"] for fault in answer.json()["errors"]]


async def test_circles_and_second_links_are_refused(desk: World, owner: httpx.AsyncClient, small: str) -> None:
    await linked(owner, small)
    third = await opened(owner, "Third")
    answer = await owner.post(COPY, json={"master_id": small, "follower_id": third})
    assert answer.status_code == 201, "a chain"
    circle = await owner.post(COPY, json={"master_id": third, "follower_id": OWN_ACCOUNT})
    assert (circle.status_code, "in a circle" in circle.json()["detail"]) == (409, True)
    again = await owner.post(COPY, json={"master_id": OWN_ACCOUNT, "follower_id": small, "symbols": ["STK"]})
    assert (again.status_code, "already" in again.json()["detail"]) == (409, True)


async def test_a_link_with_somebody_else_waits_for_their_word(desk: World, owner: httpx.AsyncClient) -> None:
    link = await linked(owner, OTHER_ACCOUNT)
    path = f"{COPY}/{link['id']}"
    assert (link["status"], link["follower"], link["legs"]) == ("proposed", None, [])
    assert (link["in_sync"], link["proposed_by"]) == (None, desk.owner.username)
    await buys(owner, desk)
    assert (await owner.post(f"{path}/accept")).status_code == 403
    async with await desk.signed_in(desk.other) as other:
        (seen,) = (await other.get(COPY)).json()["items"]
        assert (seen["status"], seen["master"], seen["follower"]) == ("proposed", None, "Theirs")
        assert seen["proposed_by"] == desk.owner.username, "whoever accepts it knows who asks"
        assert (await other.post(f"{path}/accept")).json()["status"] == "active"
        await buys(owner, desk, "4")
        (leg,) = (await other.get(path)).json()["legs"]
        assert (leg["master_quantity"], leg["position"]) == ("14", "4")
        assert (await owner.get(path)).json()["legs"] == [], "what the follower holds is for its own side"
        for method, at, body in (
            ("POST", f"{path}/resync", {}),
            ("PATCH", path, {"risk": "2"}),
            ("POST", f"{path}/resume", None),
            ("GET", f"{path}/events", None),
        ):
            assert (await owner.request(method, at, json=body)).status_code == 403, at
        assert (await other.patch(path, json={"risk": "2"})).status_code == 200
        assert (await owner.delete(path)).json()["status"] == "removed"


async def test_a_strangers_link_does_not_exist(desk: World, owner: httpx.AsyncClient, small: str) -> None:
    link = await linked(owner, small)
    async with await desk.signed_in(desk.other) as other:
        assert (await other.get(COPY)).json()["items"] == []
        for method, at in (("GET", ""), ("DELETE", ""), ("POST", "/accept"), ("POST", "/pause"), ("POST", "/resume")):
            assert (await other.request(method, f"{COPY}/{link['id']}{at}")).status_code == 404


async def test_the_stream_tells_how_followers_stand(
    desk: World, owner: httpx.AsyncClient, small: str, address: str
) -> None:
    link = await linked(owner, small)
    async with await open_stream(desk, address) as stream:
        snapshot = await subscribe(stream, "copies")
        assert [one["id"] for one in snapshot["items"]] == [link["id"]]
        desk.runner.state.accounts[small].readiness = Readiness.BLOCKED
        await buys(owner, desk)
        while True:
            told = (await hear(stream, "delta"))["item"]
            if told["legs"] and not told["in_sync"]:
                break
        assert told["legs"][0]["drift"] == "10"
        assert "account-ready" in told["legs"][0]["last_skip"]["reason"]
