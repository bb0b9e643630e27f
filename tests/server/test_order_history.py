"""The history of an order: its verdict with what every check saw, who did what, states, fills."""

from typing import Any

import httpx

from tests.server.test_trading import ORDERS, place
from tests.server.world import World


async def history(client: httpx.AsyncClient, order_id: str, **query: str) -> dict[str, Any]:
    answer = await client.get(f"{ORDERS}/{order_id}/history", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_filled_order_tells_what_was_checked_and_what_became_of_it(
    desk: World, owner: httpx.AsyncClient
) -> None:
    placed = await place(owner, time_in_force="GTC")
    await desk.next_bar(11.0)
    decided, *between, filled = (await history(owner, placed["id"]))["items"]
    assert (decided["event"], decided["actor_name"], decided["source"]) == ("DECIDED", "demo", "user")
    share = next(one for one in decided["checks"] if one["rule"] == "max-position-share")
    assert (share["layer"], share["limit"], share["passed"]) == ("account", "0.5", True)
    assert float(share["value"]) > 0
    assert [one["state"] for one in between] == ["ACCEPTED"]
    assert (filled["event"], filled["state"], filled["quantity"], filled["price"]) == ("FILL", "FILLED", "10", "11.00")
    fills = (await owner.get("/api/v2/trading/fills")).json()["items"]
    assert filled["fill_id"] == fills[0]["id"]


async def test_a_refusal_ends_with_the_check_that_failed(owner: httpx.AsyncClient) -> None:
    refused = await place(owner, quantity="9000")
    (decided,) = (await history(owner, refused["id"]))["items"]
    *passed, failed = decided["checks"]
    assert all(one["passed"] for one in passed)
    assert (failed["rule"], failed["passed"]) == ("max-position-share", False)
    same = ("rule", "limit", "value", "layer", "reason")
    assert [decided[name] for name in same] == [failed[name] for name in same] == [refused[name] for name in same]


async def test_a_cancel_names_who_asked_for_it(desk: World, owner: httpx.AsyncClient) -> None:
    placed = await place(owner, kind="LIMIT", limit_price="5")
    await desk.runner.quiet()
    await owner.delete(f"{ORDERS}/{placed['id']}")
    await desk.runner.quiet()
    items = (await history(owner, placed["id"]))["items"]
    asked = next(one for one in items if one["event"] == "CANCEL_REQUEST")
    assert (asked["actor"], asked["source"]) == (desk.owner.id, "user")
    assert (items[-1]["state"], items[-1]["actor"]) == ("CANCELLED", None)


async def test_pages_go_on_from_the_oldest(desk: World, owner: httpx.AsyncClient) -> None:
    placed = await place(owner, time_in_force="GTC")
    await desk.next_bar(11.0)
    whole = (await history(owner, placed["id"]))["items"]
    first = await history(owner, placed["id"], limit="1")
    rest = await history(owner, placed["id"], cursor=first["next_cursor"])
    assert first["items"] + rest["items"] == whole
