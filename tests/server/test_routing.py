"""Smart routing through the API: declared, used, explained; somebody else's does not exist."""

import httpx
import pytest

from tests.server.world import OTHER_ACCOUNT, OWN_ACCOUNT, World, order

ROUTES, ROUTED = "/api/v2/trading/routes", "/api/v2/trading/orders/routed"
BUY = {key: value for key, value in order("mine").items() if key != "account_id"}


async def open_account(client: httpx.AsyncClient, name: str, **more: str) -> str:
    answer = await client.post("/api/v2/accounts", json={"name": name, "cash": "50000"} | more)
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["id"]
    return found


@pytest.fixture
async def pair(desk: World, owner: httpx.AsyncClient) -> tuple[str, str]:
    """(an account with fees, one without)."""
    dear = await open_account(owner, "Dear", fees="us-per-share")
    cheap = await open_account(owner, "Cheap", fees="zero")
    await desk.runner.quiet()
    return dear, cheap


async def test_an_order_goes_where_it_is_cheapest_and_says_why(owner: httpx.AsyncClient, pair: tuple[str, str]) -> None:
    dear, cheap = pair
    declared = await owner.post(ROUTES, json={"name": "best", "accounts": [dear, cheap]})
    assert declared.json() == {
        "id": "best",
        "name": "best",
        "accounts": [dear, cheap],
        "rule": "cheapest",
        "venues": [],
    }
    answer = await owner.post(ROUTED, json=BUY | {"route": "best"})
    assert answer.status_code == 201, answer.text
    routed = answer.json()
    assert routed["order"]["account_id"] == cheap
    assert answer.headers["location"].endswith(routed["order"]["id"])
    assert [(one["account"], one["taken"]) for one in routed["candidates"]] == [("Dear", False), ("Cheap", True)]
    costs = [float(one["cost"]) for one in routed["candidates"]]
    assert costs[0] > costs[1]
    again = await owner.post(ROUTED, json=BUY | {"route": "best"})
    assert (again.status_code, again.json()["order"]["id"]) == (200, routed["order"]["id"])
    told = await owner.get(f"/api/v2/trading/orders/{routed['order']['id']}/route")
    assert told.json()["candidates"] == routed["candidates"]


async def test_routes_are_listed_declared_anew_and_forgotten(owner: httpx.AsyncClient, pair: tuple[str, str]) -> None:
    for rule in ("first", "most-cash"):
        await owner.post(ROUTES, json={"name": "best", "accounts": list(pair), "rule": rule})
    await owner.post(ROUTES, json={"name": "all", "accounts": [pair[0]]})
    listed = (await owner.get(ROUTES)).json()["items"]
    assert [(one["name"], one["rule"]) for one in listed] == [("all", "cheapest"), ("best", "most-cash")]
    assert (await owner.delete(f"{ROUTES}/best")).status_code == 204
    assert (await owner.delete(f"{ROUTES}/best")).status_code == 404
    gone = await owner.post(ROUTED, json=BUY | {"route": "best"})
    assert (gone.status_code, gone.json()["errors"][0]["field"]) == (422, "route")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "Not a name", "accounts": [OWN_ACCOUNT]}, "name"),
        ({"name": "best", "accounts": []}, "accounts"),
        ({"name": "best", "accounts": [OWN_ACCOUNT, OWN_ACCOUNT]}, "accounts"),
        ({"name": "best", "accounts": [OTHER_ACCOUNT]}, "accounts"),
        ({"name": "best", "accounts": [OWN_ACCOUNT], "rule": "luck"}, "rule"),
    ],
)
async def test_a_route_that_leads_nowhere(owner: httpx.AsyncClient, body: dict[str, object], field: str) -> None:
    answer = await owner.post(ROUTES, json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


async def test_refused_by_all_it_is_recorded_as_refused(owner: httpx.AsyncClient, pair: tuple[str, str]) -> None:
    await owner.post(ROUTES, json={"name": "best", "accounts": list(pair)})
    answer = await owner.post(ROUTED, json=BUY | {"route": "best", "quantity": "900000"})
    assert answer.status_code == 201
    assert answer.json()["order"]["state"] == "REFUSED"
    assert {one["refused"] for one in answer.json()["candidates"]} == {"max-position-share"}
    assert not any(one["taken"] for one in answer.json()["candidates"])


async def test_an_order_that_named_its_account_has_no_route(owner: httpx.AsyncClient) -> None:
    placed = (await owner.post("/api/v2/trading/orders", json=order())).json()
    answer = await owner.get(f"/api/v2/trading/orders/{placed['id']}/route")
    assert answer.status_code == 404
