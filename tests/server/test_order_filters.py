"""Lists of orders and fills, narrowed down by what they are about and when."""

from typing import Any

import httpx
import pytest

from tests.server.test_trading import ORDERS, place
from tests.server.world import DEPLOYMENT, START, World, signal

FILLS = "/api/v2/trading/fills"


async def ids(client: httpx.AsyncClient, path: str, **query: Any) -> list[str]:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["items"]]


async def faults(client: httpx.AsyncClient, path: str, **query: Any) -> dict[str, str]:
    answer = await client.get(path, params=query)
    assert answer.status_code == 422, answer.text
    return {one["field"]: one["message"] for one in answer.json()["errors"]}


@pytest.fixture
async def traded(desk: World, owner: httpx.AsyncClient) -> dict[str, str]:
    """A purchase and then a sale by hand, a strategy's order, and a limit that rests; all but that have filled."""
    buy = (await place(owner, time_in_force="GTC"))["id"]
    await desk.next_bar(11.0)
    sell = (await place(owner, side="SELL", quantity="4", time_in_force="GTC"))["id"]
    await desk.runner.submit(signal(START, 1.0))
    await desk.next_bar(12.0)
    rests = (await place(owner, kind="LIMIT", limit_price="5"))["id"]
    mine = {one.id for one in desk.runner.state.orders.values() if one.spec.book == DEPLOYMENT}
    return {"buy": buy, "sell": sell, "rests": rests, "strategy": mine.pop()}


async def test_orders_by_what_they_are_about(owner: httpx.AsyncClient, traded: dict[str, str]) -> None:
    buy, sell, rests, strategy = (traded[name] for name in ("buy", "sell", "rests", "strategy"))
    assert await ids(owner, ORDERS, symbol="stk") == [rests, strategy, sell, buy]
    assert await ids(owner, ORDERS, side="SELL") == [sell]
    assert await ids(owner, ORDERS, kind="LIMIT") == [rests]
    assert await ids(owner, ORDERS, book="manual") == [rests, sell, buy]
    assert await ids(owner, ORDERS, strategy="Crossing") == await ids(owner, ORDERS, book=DEPLOYMENT) == [strategy]
    assert await ids(owner, ORDERS, strategy=DEPLOYMENT, book="manual") == []
    assert await ids(owner, ORDERS, side="BUY", status="closed", book="manual") == [buy]
    assert await ids(owner, ORDERS, product="MIS") == []


async def test_orders_by_when_they_were_decided_on(owner: httpx.AsyncClient, traded: dict[str, str]) -> None:
    at = (await owner.get(f"{ORDERS}/{traded['sell']}")).json()["created_at"]
    assert await ids(owner, ORDERS, end=at) == [traded["buy"]]
    assert await ids(owner, ORDERS, start=at) == [traded["rests"], traded["strategy"], traded["sell"]]
    assert await ids(owner, ORDERS, start=at, end=at) == []


async def test_fills_by_what_they_are_of_and_when(owner: httpx.AsyncClient, traded: dict[str, str]) -> None:
    listed = (await owner.get(FILLS)).json()["items"]
    of = {one["order_id"]: one["id"] for one in listed}
    assert await ids(owner, FILLS, order_id=traded["sell"]) == [of[traded["sell"]]]
    assert await ids(owner, FILLS, order_id=traded["rests"]) == []
    assert await ids(owner, FILLS, side="SELL") == [of[traded["sell"]]]
    assert await ids(owner, FILLS, strategy="Crossing", symbol="STK") == [of[traded["strategy"]]]
    assert await ids(owner, FILLS, kind="LIMIT") == []
    first = listed[-1]
    assert await ids(owner, FILLS, end=listed[0]["executed_at"]) == [first["id"]]
    assert first["id"] not in await ids(owner, FILLS, start=listed[0]["executed_at"])


async def test_pages_of_a_narrowed_list_follow_each_other(owner: httpx.AsyncClient, traded: dict[str, str]) -> None:
    first = (await owner.get(ORDERS, params={"book": "manual", "limit": "2"})).json()
    rest = (await owner.get(ORDERS, params={"book": "manual", "cursor": first["next_cursor"]})).json()
    found = [one["id"] for one in (*first["items"], *rest["items"])]
    assert found == [traded["rests"], traded["sell"], traded["buy"]]


@pytest.mark.parametrize("path", [ORDERS, FILLS])
async def test_what_names_nothing_is_a_fault(owner: httpx.AsyncClient, path: str) -> None:
    said = await faults(owner, path, symbol="NONE", strategy="Nobody", book="nothing", start="noon", end="later")
    assert said.keys() == {"symbol", "strategy", "book", "start", "end"}
    assert (await faults(owner, path, venue="NOWHERE")).keys() == {"venue"}
    assert (await faults(owner, path, side="HOLD", kind="WISH")).keys() == {"side", "kind"}


async def test_what_is_somebody_elses_is_not_there(
    desk: World, owner: httpx.AsyncClient, traded: dict[str, str]
) -> None:
    async with await desk.signed_in(desk.other) as other:
        assert (await faults(other, ORDERS, strategy="Crossing")).keys() == {"strategy"}
        assert (await other.get(FILLS, params={"order_id": traded["buy"]})).status_code == 404
        assert await ids(other, ORDERS, symbol="STK") == []
