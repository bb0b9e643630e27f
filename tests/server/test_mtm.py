"""Mark-to-market control over the API: rules, a breach from price to re-arming, and what is somebody else's."""

from typing import Any

import httpx
import pytest

from evenkeel.domain.clock import SECOND
from evenkeel.domain.marketdata import Bar, MarketSlice
from tests.server.test_streams import hear, open_stream, served, subscribe
from tests.server.world import DEPLOYMENT, OTHER_ACCOUNT, OWN_ACCOUNT, World, order
from tests.trading.live.desk import START, STOCK

MTM, REARM = "/api/v2/risk/mtm", "/api/v2/risk/mtm/re-arm"
MAIN = {"scope": "account", "id": OWN_ACCOUNT}
ALL: dict[str, Any] = {
    "stop_loss": "500",
    "target": "2%",
    "trail": {"distance": "200.5", "activates_at": "0.25%"},
    "lock_in": [{"reached": "300", "floor": "100"}],
    "basis": "entry",
    "watch": "bar",
    "action": "halt",
    "cooldown": 30,
    "no_entries_after": "15:00",
    "square_off_at": "15:15",
    "end_of_day": 10,
    "products": ["CNC"],
    "carry": "winners",
    "carry_days": 3,
    "not_over": [5],
    "expiry": False,
}


async def minute(desk: World, count: int, price: float = 10.0) -> None:
    """A bar of one minute, so many minutes after the desk's first day."""
    at = START + count * 60 * SECOND
    await desk.show(MarketSlice(at, (Bar(STOCK.id, at - 60 * SECOND, at, price, price, price, price, 1e6),)))


async def test_rules_come_back_as_they_were_set(desk: World, owner: httpx.AsyncClient) -> None:
    answer = await owner.put(MTM, json={**MAIN, "rules": ALL})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["rules"] == ALL
    assert (told["name"], told["state"], told["version"], told["currency"]) == ("account Main", "armed", 1, "USD")
    await desk.runner.quiet()
    (shown,) = (await owner.get(MTM)).json()["items"]
    assert shown == {**told, "times": shown["times"]}
    assert [one["calendar"] for one in shown["times"]] == ["24/7"]
    again = {**told["rules"], "stop_loss": "400"}
    assert (await owner.put(MTM, json={**MAIN, "rules": again})).json()["version"] == 2
    gone = await owner.put(MTM, json={**MAIN, "rules": {}})
    assert (gone.status_code, (await owner.get(MTM)).json()["items"]) == (204, [])


async def test_a_level_from_its_first_price_to_being_armed_again(desk: World, owner: httpx.AsyncClient) -> None:
    await owner.post("/api/v2/trading/orders", json=order("held"))
    await minute(desk, 1)
    rules = {"stop_loss": "0.01", "target": "0.01", "basis": "entry", "cooldown": 0}
    told = (await owner.put(MTM, json={**MAIN, "symbol": "STK", "rules": rules})).json()
    assert (told["symbol"], told["name"]) == ("STK", "STK in account Main")
    shown = (await owner.get("/api/v2/trading/positions")).json()["items"][0]
    made = float(shown["unrealised_pnl"]) + float(shown["realised_pnl"])
    assert float(told["profit"]) == pytest.approx(made)
    assert {one["rule"]: one["at"] for one in told["bounds"]} == {"stop-loss": "-0.01", "target": "0.01"}
    await minute(desk, 2, 9.99)
    (level,) = (await owner.get(MTM)).json()["items"]
    assert (level["state"], level["bounds"], level["profit"]) == ("closing", [], "-0.10")
    assert (level["breach"]["rule"], level["breach"]["at"], level["breach"]["value"]) == ("stop-loss", "-0.01", "-0.10")
    assert (await owner.post(REARM, json={**MAIN, "symbol": "STK"})).status_code == 409
    await minute(desk, 3, 9.99)
    (level,) = (await owner.get(MTM)).json()["items"]
    assert (level["state"], level["until"]) == ("stopped", "2005-09-01T21:00:00Z")
    refused = (await owner.post("/api/v2/trading/orders", json=order("more"))).json()
    assert (refused["state"], refused["rule"], refused["layer"]) == ("REFUSED", "mtm", "instrument")
    assert (await owner.get("/api/v2/risk/panic")).json()["items"] == [], "it is no panic"
    armed = await owner.post(REARM, json={**MAIN, "symbol": "STK"})
    assert (armed.status_code, armed.json()["state"], armed.json()["profit"]) == (200, "armed", "0.00")
    assert (await owner.post(REARM, json={**MAIN, "symbol": "STK"})).status_code == 404
    assert (await owner.post("/api/v2/trading/orders", json=order("again"))).json()["state"] == "SUBMITTED"


async def test_strategies_and_all_of_a_users_accounts(desk: World, owner: httpx.AsyncClient) -> None:
    strategy = {"scope": "strategy", "id": DEPLOYMENT}
    for scope, name in (
        (strategy, "strategy Crossing"),
        ({**strategy, "account_id": OWN_ACCOUNT}, "strategy Crossing in account Main"),
        ({"scope": "user"}, "demo"),
    ):
        told = (await owner.put(MTM, json={**scope, "rules": {"stop_loss": "2%"}})).json()
        assert (told["name"], told["bounds"][0]["rule"]) == (name, "stop-loss")
    assert len((await owner.get(MTM)).json()["items"]) == 3


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"scope": "account", "rules": {}}, ["id"]),
        ({"scope": "user", "symbol": "STK", "rules": {}}, ["symbol"]),
        ({**MAIN, "account_id": OWN_ACCOUNT, "rules": {}}, ["account_id"]),
        ({**MAIN, "symbol": "NOPE", "rules": {}}, ["symbol"]),
        ({**MAIN, "rules": {"stop_loss": "-5"}}, ["rules.stop_loss"]),
        ({**MAIN, "rules": {"square_off_at": "25:00"}}, ["rules.square_off_at"]),
        ({**MAIN, "rules": {"stop_loss": "0.001"}}, ["stop_loss"]),
        ({**MAIN, "symbol": "STK", "rules": {"stop_loss": "1", "action": "halt"}}, ["action"]),
    ],
)
async def test_bad_input_is_told_field_by_field(
    desk: World, owner: httpx.AsyncClient, body: dict[str, Any], fields: list[str]
) -> None:
    answer = await owner.put(MTM, json=body)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == fields


@pytest.mark.parametrize(
    ("rules", "fault"),
    [
        ({"stop_loss": "-5"}, ("rules.stop_loss", "an amount such as 500, or a percentage of equity such as 2%")),
        ({"lock_in": [{"reached": "x", "floor": "1"}]}, ("rules.lock_in.0.reached", "an amount such as 500, or a ")),
        ({"square_off_at": "25:00"}, ("rules.square_off_at", "a time of the exchange such as 15:15")),
        ({"action": "sell"}, ("rules.action", "one of close, halt")),
        ({"products": ["X"]}, ("rules.products.0", "one of ")),
    ],
)
async def test_a_fault_within_the_rules_says_what_may_be_there(
    owner: httpx.AsyncClient, rules: dict[str, Any], fault: tuple[str, str]
) -> None:
    [one] = (await owner.put(MTM, json={**MAIN, "rules": rules})).json()["errors"]
    assert one["field"] == fault[0]
    assert one["message"].startswith(f"must be {fault[1]}")


async def test_what_is_another_users_is_not_there(desk: World, owner: httpx.AsyncClient) -> None:
    await owner.put(MTM, json={**MAIN, "rules": {"stop_loss": "5"}})
    await owner.put(MTM, json={"scope": "user", "rules": {"stop_loss": "5"}})
    async with await desk.signed_in(desk.other) as other:
        assert (await other.get(MTM)).json()["items"] == []
        for scope in (MAIN, {"scope": "strategy", "id": DEPLOYMENT}):
            assert (await other.put(MTM, json={**scope, "rules": {}})).status_code == 404
            assert (await other.post(REARM, json=scope)).status_code == 404
        own = {"scope": "account", "id": OTHER_ACCOUNT, "rules": {"stop_loss": "5"}}
        assert (await other.put(MTM, json=own)).status_code == 200
    assert len((await owner.get(MTM)).json()["items"]) == 2


async def test_the_stream_tells_of_levels_and_of_halted_entries(desk: World, owner: httpx.AsyncClient) -> None:
    """The channel `risk`: a level as it is set, moved and taken away; entries that too many rejects have halted."""
    async with served(desk) as address, await open_stream(desk, address) as stream:
        assert (await subscribe(stream, "risk"))["items"] == []
        await owner.put(MTM, json={**MAIN, "rules": {"stop_loss": "500"}})
        desk.app.state.hub.marks_moved()
        told = (await hear(stream, "delta"))["item"]
        assert (told["kind"], told["level"]["state"], told["gone"]) == ("mtm", "armed", False)
        await owner.put(MTM, json={**MAIN, "rules": {}})
        desk.app.state.hub.marks_moved()
        assert (await hear(stream, "delta"))["item"] == {**told, "level": None, "gone": True}
        rules = {"max_rejects": 1, "reject_window": 60, "max_order_quantity": "1"}
        limits = {"scope": "account", "id": OWN_ACCOUNT, "rules": rules}
        assert (await owner.put("/api/v2/risk/limits", json=limits)).status_code == 200
        refused = await owner.post("/api/v2/trading/orders", json=order("large", quantity="2"))
        assert refused.json()["rule"] == "max-order-quantity"
        told = (await hear(stream, "delta"))["item"]
        assert "1 order came to nothing within 60 seconds" in told["limits"]["halted"]
        health = (await owner.get(f"/api/v2/accounts/{OWN_ACCOUNT}/health")).json()
        assert "entries are halted" in health["barred"]
        lifted = await owner.post("/api/v2/risk/limits/lift", json={"scope": "account", "id": OWN_ACCOUNT})
        assert (lifted.status_code, lifted.json()["halted"]) == (200, None)
        assert (await hear(stream, "delta"))["item"]["gone"]
