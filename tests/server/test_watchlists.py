"""Watchlists over the API: named, added to, noted, put in order, with quotes beside; and whose."""

from typing import Any

import httpx

from tests.server.world import STOCK, World

PATH = "/api/v2/watchlists"


async def make(client: httpx.AsyncClient, status: int = 201, **more: Any) -> dict[str, Any]:
    answer = await client.post(PATH, json={"name": "Mine"} | more)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_list_is_made_filled_and_forgotten(owner: httpx.AsyncClient) -> None:
    made = await make(owner)
    assert (made["name"], made["entries"]) == ("Mine", [])
    one = f"{PATH}/{made['id']}"
    answer = await owner.post(one, json={"symbol": "stk", "note": "cheap"})
    assert answer.status_code == 201
    (entry,) = answer.json()["entries"]
    assert (entry["symbol"], entry["note"], entry["last"]) == ("STK", "cheap", "10.00")
    again = await owner.post(one, json={"symbol": "STK"})
    assert (again.status_code, again.json()["detail"]) == (409, "Mine has this instrument already")
    changed = (await owner.patch(f"{one}/{STOCK.id}", json={"note": "dear", "place": 0})).json()
    assert changed["entries"][0]["note"] == "dear"
    renamed = (await owner.patch(one, json={"name": "Yours"})).json()
    assert renamed["name"] == "Yours"
    assert [item["name"] for item in (await owner.get(PATH)).json()["items"]] == ["Yours"]
    assert (await owner.get(one)).json() == renamed
    assert (await owner.delete(f"{one}/{STOCK.id}")).json()["entries"] == []
    assert (await owner.delete(f"{one}/{STOCK.id}")).status_code == 404
    assert (await owner.delete(one)).status_code == 204
    assert (await owner.delete(one)).status_code == 404


async def test_names_are_taken_once_and_symbols_must_be_listed(owner: httpx.AsyncClient) -> None:
    await make(owner, symbols=["STK"])
    assert (await make(owner, 409, name="mINE"))["detail"] == "there is already a watchlist 'mINE'"
    found = await make(owner, 422, name="Other", symbols=["STK", "NONE"])
    assert [one["field"] for one in found["errors"]] == ["symbols.1"]
    assert (await make(owner, 409, name="Twice", symbols=["STK", "STK"]))[
        "detail"
    ] == "Twice has this instrument already"


async def test_what_is_somebody_elses_is_not_there(desk: World, owner: httpx.AsyncClient) -> None:
    made = await make(owner)
    one = f"{PATH}/{made['id']}"
    async with await desk.signed_in(desk.other) as stranger:
        assert (await stranger.get(PATH)).json()["items"] == []
        assert (await stranger.get(one)).status_code == 404
        assert (await stranger.post(one, json={"symbol": "STK"})).status_code == 404
        assert (await stranger.patch(one, json={"name": "Mine too"})).status_code == 404
        assert (await stranger.delete(one)).status_code == 404
        await make(stranger)
