"""Limits in layers over the API: set, seen with their use, asked before ordering, named in refusals; and whose."""

from typing import Any

import httpx
import pytest

from tests.server.world import DEPLOYMENT, OTHER_ACCOUNT, OWN_ACCOUNT, STOCK, World, order

LIMITS, CHECK, LIFT = "/api/v2/risk/limits", "/api/v2/risk/check", "/api/v2/risk/limits/lift"
ORDERS = "/api/v2/trading/orders"
MAIN = {"scope": "account", "id": OWN_ACCOUNT}


async def put(client: httpx.AsyncClient, scope: dict[str, Any], **rules: Any) -> dict[str, Any]:
    answer = await client.put(LIMITS, json={**scope, "rules": rules})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def rule(layer: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in layer["rules"] if one["rule"] == name)


async def test_a_refusal_names_rule_limit_value_and_layer(desk: World, owner: httpx.AsyncClient) -> None:
    await put(owner, {"scope": "user"}, max_order_quantity="9")
    refused = (await owner.post(ORDERS, json=order())).json()
    assert (refused["state"], refused["rule"], refused["limit"], refused["value"], refused["layer"]) == (
        "REFUSED", "max-order-quantity", "9", "10", "user",
    )  # fmt: skip
    assert refused["reason"] == "the order is for 10, the limit is 9 for all accounts of the user"
    accepted = (await owner.post(ORDERS, json=order(quantity="9"))).json()
    assert (accepted["state"], accepted["layer"]) == ("SUBMITTED", None)


async def test_asking_shows_every_check_and_places_nothing(desk: World, owner: httpx.AsyncClient) -> None:
    await put(owner, {"scope": "instrument", "id": "STK"}, max_position="100")
    await put(owner, MAIN, max_gross_leverage="0.5")
    before = desk.runner.committed_seq
    found = (await owner.post(CHECK, json=order(quantity="40"))).json()
    assert found["passes"] is True
    assert found["refused_by"] is None
    shown = {(one["layer"], one["rule"]): (one["limit"], one["value"], one["headroom"]) for one in found["checks"]}
    assert shown["instrument", "max-position"] == ("100", "40", "60")
    assert shown["account", "max-position-share"] == ("0.5", "0.0040", "0.496")
    assert shown["account", "max-gross-leverage"] == ("0.5", "0.0040", "0.496")
    assert shown["account", "lot-size"][2] is None
    found = (await owner.post(CHECK, json=order(quantity="6001"))).json()
    assert found["passes"] is False
    assert found["refused_by"]["rule"] == "max-position"
    assert [one["rule"] for one in found["checks"] if not one["passed"]] == [
        "max-position", "max-position-share", "max-gross-leverage",
    ]  # fmt: skip
    assert desk.runner.committed_seq == before
    assert (await owner.get(ORDERS)).json()["items"] == []


async def test_limits_are_seen_with_what_is_used_of_them(desk: World, owner: httpx.AsyncClient) -> None:
    await owner.post(ORDERS, json=order(quantity="100"))
    await desk.next_bar()
    await put(owner, {"scope": "user"}, max_gross_exposure="5000", max_open_orders=5, price_collar="0.05")
    await put(owner, {"scope": "strategy", "id": DEPLOYMENT}, daily_loss="0.02")
    items = (await owner.get(LIMITS)).json()["items"]
    assert [(one["scope"], one["name"]) for one in items] == [
        ("strategy", "strategy Crossing"), ("account", "account Main"), ("user", "demo"),
    ]  # fmt: skip
    user = items[2]
    assert rule(user, "max_gross_exposure") == {
        "rule": "max_gross_exposure", "limit": "5000", "unit": "amount", "used": "1000", "headroom": "4000",
        "currency": "USD", "symbol": None,
    }  # fmt: skip
    assert (rule(user, "max_open_orders")["used"], rule(user, "price_collar")["used"]) == ("0", None)
    share = rule(items[1], "max_position_share")
    assert (share["used"], share["symbol"]) == ("0.01", "STK")
    assert (await owner.get(f"{LIMITS}?scope=user")).json()["items"] == [user]


async def test_what_is_left_out_stays_and_null_turns_off(desk: World, owner: httpx.AsyncClient) -> None:
    hours = [{"start": "09:30", "end": "16:00", "time_zone": "America/New_York", "days": [1, 2, 3, 4, 5]}]
    await put(owner, {"scope": "user"}, max_position="50", windows=hours, exchange_hours=True)
    shown = await put(owner, {"scope": "user"}, max_position=None, max_losses=3, loss_pause=600)
    assert [one["rule"] for one in shown["rules"]] == ["max_losses", "loss_pause", "windows", "exchange_hours"]
    assert rule(shown, "windows")["limit"] == hours
    assert rule(shown, "exchange_hours")["limit"] is True
    assert shown["version"] == 2
    empty = dict.fromkeys(("max_losses", "loss_pause", "windows", "exchange_hours"))
    assert (await put(owner, {"scope": "user"}, **empty))["rules"] == []
    assert [one["scope"] for one in (await owner.get(LIMITS)).json()["items"]] == ["account"]


async def test_an_account_keeps_what_its_own_route_sets(desk: World, owner: httpx.AsyncClient) -> None:
    await put(owner, MAIN, price_collar="0.1", max_trades_per_day=7)
    answer = await owner.patch(f"/api/v2/accounts/{OWN_ACCOUNT}/limits", json={"allow_short": True})
    assert answer.json()["limits"]["max_trades_per_day"] == 7
    (layer,) = (await owner.get(f"{LIMITS}?scope=account")).json()["items"]
    assert (rule(layer, "price_collar")["limit"], rule(layer, "max_position_share")["limit"]) == ("0.1", "0.5")


async def test_what_is_for_everybody_is_the_owners_to_set(desk: World, owner: httpx.AsyncClient) -> None:
    await put(owner, {"scope": "platform"}, max_gross_exposure="1000")
    await put(owner, {"scope": "instrument", "id": STOCK.id, "everyone": True}, max_order_quantity="50")
    async with await desk.signed_in(desk.other) as other:
        for scope in ({"scope": "platform"}, {"scope": "instrument", "id": "STK", "everyone": True}):
            assert (await other.put(LIMITS, json={**scope, "rules": {"max_position": "1"}})).status_code == 403
            assert (await other.post(LIFT, json=scope)).status_code == 403
        seen = (await other.get(LIMITS)).json()["items"]
        assert [(one["scope"], one["everyone"]) for one in seen] == [
            ("instrument", True), ("account", False), ("platform", True),
        ]  # fmt: skip
        assert rule(seen[2], "max_gross_exposure")["used"] is None, "it would tell what others hold"
        refused = (await other.post(ORDERS, json=order(account_id=OTHER_ACCOUNT, quantity="51"))).json()
        assert (refused["rule"], refused["layer"]) == ("max-order-quantity", "instrument")


async def test_ones_own_limits_are_nobody_elses(desk: World, owner: httpx.AsyncClient) -> None:
    await put(owner, {"scope": "instrument", "id": "STK"}, max_order_quantity="1")
    await put(owner, {"scope": "user"}, max_order_quantity="1")
    await put(owner, {"scope": "strategy", "id": DEPLOYMENT}, max_order_quantity="1")
    async with await desk.signed_in(desk.other) as other:
        assert [one["scope"] for one in (await other.get(LIMITS)).json()["items"]] == ["account"]
        placed = (await other.post(ORDERS, json=order(account_id=OTHER_ACCOUNT))).json()
        assert placed["state"] == "SUBMITTED"
        for scope in (MAIN, {"scope": "strategy", "id": DEPLOYMENT}):
            assert (await other.put(LIMITS, json={**scope, "rules": {}})).status_code == 404


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"scope": "user", "rules": {"max_position": "-1"}}, {"rules.max_position"}),
        ({"scope": "user", "rules": {"max_position": "x", "price_collar": "1e99"}},
         {"rules.max_position", "rules.price_collar"}),
        ({"scope": "user", "rules": {"drawdown_halt": "1.5"}}, {"rules.drawdown_halt"}),
        ({"scope": "user", "rules": {"max_losses": 3}}, {"rules.loss_pause"}),
        ({"scope": "user", "rules": {"max_open_orders": -1}}, {"rules"}),
        ({"scope": "user", "rules": {"unknown": "1"}}, {"rules"}),
        ({"scope": "user", "rules": {"windows": [{"start": "9:30", "end": "16:00", "time_zone": "X"}]}}, {"rules"}),
        ({"scope": "user", "rules": {"windows": [{"start": "09:30", "end": "16:00", "time_zone": "Moon"}]}},
         {"rules.windows"}),
        ({"scope": "user", "id": "somebody"}, {"id"}),
        ({"scope": "instrument"}, {"id"}),
        ({"scope": "instrument", "id": "NONE"}, {"id"}),
        ({"scope": "user", "everyone": True}, {"everyone"}),
        ({"scope": "moon"}, {"scope"}),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_named(owner: httpx.AsyncClient, body: dict[str, Any], fields: set[str]) -> None:
    answer = await owner.put(LIMITS, json=body)
    assert answer.status_code == 422, answer.text
    found = {one["field"] for one in answer.json()["errors"]}
    assert {name.split("[")[0] for name in found} == fields or {name.split(".")[0] for name in found} == fields


@pytest.mark.parametrize(
    ("count", "said"), [("2", "as a JSON number without quotes"), (1.5, "a whole number"), (-1, "0 to 2592000")]
)
async def test_the_form_of_a_number_is_said(owner: httpx.AsyncClient, count: object, said: str) -> None:
    answer = await owner.put(LIMITS, json={"scope": "user", "rules": {"max_open_orders": count}})
    assert answer.json()["errors"][0]["message"].endswith(said)


async def test_a_halt_of_a_drawdown_is_seen_and_lifted(desk: World, owner: httpx.AsyncClient) -> None:
    await put(owner, MAIN, drawdown_warn="0.04", drawdown_reduce="0.08", drawdown_halt="0.12", max_position_share="1")
    await owner.post(ORDERS, json=order(quantity="9000"))
    await desk.next_bar()
    assert (await owner.post(LIFT, json=MAIN)).status_code == 409
    await desk.next_bar(8.0)
    (layer,) = (await owner.get(f"{LIMITS}?scope=account")).json()["items"]
    assert (layer["tier"], rule(layer, "drawdown_halt")["used"]) == ("halt", "0.18")
    refused = (await owner.post(ORDERS, json=order(quantity="1"))).json()
    assert (refused["rule"], refused["value"]) == ("drawdown-halt", "0.1800")
    events = (await owner.get("/api/v2/system/events")).json()["items"]
    assert "The drawdown of account Main is 18 %, and entries are halted until a person lifts that" in [
        one["message"] for one in events
    ]
    assert (await owner.post(LIFT, json=MAIN)).json()["tier"] == "none"
    assert (await owner.post(ORDERS, json=order(quantity="1"))).json()["state"] == "SUBMITTED"


async def test_an_order_that_makes_no_sense_is_no_question(owner: httpx.AsyncClient) -> None:
    answer = await owner.post(CHECK, json=order(quantity="-1", symbol="NONE", account_id=OTHER_ACCOUNT))
    assert answer.status_code == 422
    assert {one["field"] for one in answer.json()["errors"]} == {"account_id", "quantity", "symbol"}
