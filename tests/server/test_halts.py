"""Panics over the API: whom they reach, what is left, how one trades again; and how fast an account may send."""

import asyncio

import httpx
import pytest

from evenkeel.domain.orders import OrderState
from tests.server.test_streams import hear, open_stream, served, subscribe
from tests.server.world import DEPLOYMENT, OTHER_ACCOUNT, OWN_ACCOUNT, World, order

PANIC, RESUME = "/api/v2/risk/panic", "/api/v2/risk/resume"
MAIN = {"scope": "account", "id": OWN_ACCOUNT}
AT_ONCE = {**MAIN, "cooldown": 0}


async def holding(desk: World, owner: httpx.AsyncClient) -> str:
    """Ten shares, and an order that rests; its id."""
    await owner.post("/api/v2/trading/orders", json=order("held"))
    await desk.next_bar()
    body = order("rests", kind="LIMIT", limit_price="5", time_in_force="GTC")
    placed = (await owner.post("/api/v2/trading/orders", json=body)).json()
    await desk.runner.quiet()
    return str(placed["id"])


async def test_a_panic_over_the_api_from_press_to_resume(desk: World, owner: httpx.AsyncClient) -> None:
    rests = await holding(desk, owner)
    answer = await owner.post(PANIC, json={**AT_ONCE, "reason": "the model is wrong"})
    assert answer.status_code == 202
    told = answer.json()
    assert (told["name"], told["state"], told["reason"]) == ("account Main", "working", "the model is wrong")
    await desk.runner.quiet()
    (shown,) = (await owner.get(PANIC)).json()["items"]
    assert (shown["id"], shown["orders_left"], shown["positions_left"]) == (told["id"], 0, 1)
    assert [(one["what"], one["symbol"], one["quantity"]) for one in shown["left"]] == [
        ("position", "STK", "10"), ("closing", "STK", "10"),
    ]  # fmt: skip
    assert desk.runner.state.orders[rests].state is OrderState.CANCELLED
    refused = (await owner.post("/api/v2/trading/orders", json=order("more"))).json()
    assert (refused["state"], refused["rule"]) == ("REFUSED", "halted")
    early = await owner.post(RESUME, json=MAIN)
    assert (early.status_code, early.json()["code"]) == (409, "conflict")
    await desk.next_bar()
    assert (await owner.get(PANIC)).json()["items"][0]["state"] == "done"
    assert (await owner.get(f"/api/v2/accounts/{OWN_ACCOUNT}/health")).json()["halted"] == "account"
    over = await owner.post(RESUME, json=MAIN)
    assert (over.status_code, over.json()["state"]) == (200, "resumed")
    assert (await owner.get(PANIC)).json()["items"] == []
    assert (await owner.post(RESUME, json=MAIN)).status_code == 404
    assert (await owner.post("/api/v2/trading/orders", json=order("again"))).json()["state"] == "SUBMITTED"


async def test_a_cool_down_is_waited_for(desk: World, owner: httpx.AsyncClient) -> None:
    told = (await owner.post(PANIC, json={**MAIN, "cooldown": 30})).json()
    assert (told["state"], told["cooldown_left"]) == ("done", 30)
    answer = await owner.post(RESUME, json={**MAIN, "abandon": True})
    assert answer.status_code == 409
    assert "30 seconds left" in answer.json()["detail"]


async def test_strategies_and_the_user(desk: World, owner: httpx.AsyncClient) -> None:
    strategy = {"scope": "strategy", "id": DEPLOYMENT, "cooldown": 0}
    assert (await owner.post(PANIC, json=strategy)).json()["name"] == "strategy Crossing"
    shown = (await owner.get(f"/api/v2/strategies/{DEPLOYMENT}")).json()
    assert (shown["status"], shown["status_reason"]) == ("paused", "panic of strategy Crossing")
    told = (await owner.post(PANIC, json={"scope": "user"})).json()
    assert (told["name"], told["scope_id"]) == ("demo", desk.owner.id)
    assert len((await owner.get(PANIC)).json()["items"]) == 2


async def test_the_platform_is_the_owners_and_everybody_sees_it_halted(desk: World, owner: httpx.AsyncClient) -> None:
    async with await desk.signed_in(desk.other) as other:
        assert (await other.post(PANIC, json={"scope": "platform"})).status_code == 403
        assert (await owner.post(PANIC, json={"scope": "platform"})).status_code == 202
        (seen,) = (await other.get(PANIC)).json()["items"]
        assert (seen["scope"], seen["left"]) == ("platform", [])
        body = order(account_id=OTHER_ACCOUNT)
        assert (await other.post("/api/v2/trading/orders", json=body)).json()["rule"] == "halted"
        assert (await other.post(RESUME, json={"scope": "platform"})).status_code == 403


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"scope": "account"}, ["id"]),
        ({"scope": "platform", "id": "x"}, ["id"]),
        ({"scope": "user", "id": "somebody-else"}, ["id"]),
        ({"scope": "desk", "id": OWN_ACCOUNT, "cooldown": -1}, ["scope", "cooldown"]),
    ],
)
async def test_scopes_that_say_nothing(owner: httpx.AsyncClient, body: dict[str, object], fields: list[str]) -> None:
    answer = await owner.post(PANIC, json=body)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == fields


async def test_what_is_somebody_elses_is_not_there(owner: httpx.AsyncClient) -> None:
    for scope in ({"scope": "account", "id": OTHER_ACCOUNT}, {"scope": "strategy", "id": "none"}):
        assert (await owner.post(PANIC, json=scope)).status_code == 404


async def test_the_stream_tells_of_halts_and_of_their_end(desk: World, owner: httpx.AsyncClient) -> None:
    async with served(desk) as address, await open_stream(desk, address) as stream:
        assert (await subscribe(stream, "halts"))["items"] == []
        await owner.post(PANIC, json=AT_ONCE)
        found = await hear(stream, "delta")
        assert (found["item"]["name"], found["item"]["state"]) == ("account Main", "done")
        await owner.post(RESUME, json=MAIN)
        assert (await hear(stream, "delta"))["item"]["state"] == "resumed"


async def test_how_fast_an_account_may_send(desk: World, owner: httpx.AsyncClient) -> None:
    """F29: the API answers 429 with the moment to come back, before the venue could."""
    path = f"/api/v2/accounts/{OWN_ACCOUNT}"
    health = (await owner.get(f"{path}/health")).json()
    assert (health["rate"], health["tokens"], health["readiness"]) == (None, None, "READY")
    rate = {"per_second": 8, "burst": 4, "queue": 2}
    changed = (await owner.patch(f"{path}/limits", json={"rate": rate})).json()
    assert changed["limits"]["rate"] == {"per_second": 8.0, "burst": 4, "reserved": 2, "queue": 2}
    assert (await owner.get(f"{path}/health")).json()["rate"]["burst"] == 4
    desk.runner.state.accounts[OWN_ACCOUNT].working.unheard.update({"a": None, "b": None})
    answer = await owner.post("/api/v2/trading/orders", json=order("too-many"))
    assert (answer.status_code, answer.json()["code"]) == (429, "queue-full")
    assert answer.headers["retry-after"] == "1"
    assert (await owner.patch(f"{path}/limits", json={"rate": None})).json()["limits"]["rate"] is None
    assert (await owner.post("/api/v2/trading/orders", json=order("too-many"))).status_code == 201


async def test_metrics_of_sending_and_of_panics(desk: World, owner: httpx.AsyncClient) -> None:
    await owner.post(PANIC, json=AT_ONCE)
    await asyncio.sleep(0)
    text = (await owner.get("/metrics")).text
    assert 'evenkeel_panics{state="done"} 1.0' in text
    assert f'evenkeel_send_queue{{account="Main",account_id="{OWN_ACCOUNT}",lane="open"}} 0.0' in text
