"""Rebalances over the API: previewed, sent, sent again, seen; weights by objectives; and every fault by its field."""

from typing import Any

import httpx

from evenkeel.trading.live.feed import FeedControl
from tests.server.world import OTHER_ACCOUNT, OWN_ACCOUNT, STOCK, World

PATH = "/api/v2/portfolio"
HALF = {"targets": [{"symbol": STOCK.symbol, "weight": "0.5"}]}


async def made(client: httpx.AsyncClient, account: str = OWN_ACCOUNT) -> str:
    answer = await client.post(PATH, json={"name": "Growth", "accounts": [account], "cash": "10000"})
    assert answer.status_code == 201, answer.text
    return f"{PATH}/{answer.json()['id']}"


async def call(client: httpx.AsyncClient, path: str, body: Any, status: int = 200) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_previewed_sent_and_seen(desk: World, owner: httpx.AsyncClient) -> None:
    one = await made(owner)
    plan = await call(owner, f"{one}/rebalance/preview", HALF)
    (part,) = plan["accounts"]
    assert (part["worth"], part["cash_after"], part["drift_after"]) == ("10000", "5000", "0")
    assert [(trade["side"], trade["quantity"]) for trade in part["trades"]] == [("BUY", "500")]
    assert (plan["turnover"], plan["volatility"]) == ("0.5", 0.0)
    assert plan["volatility_after"] > 0.0
    assert (await owner.get(f"{one}/rebalances")).json()["items"] == [], "a preview trades nothing"

    body = HALF | {"client_rebalance_id": "october"}
    sent = await call(owner, f"{one}/rebalance", body, 201)
    assert (sent["state"], sent["orders"][0]["state"]) == ("RUNNING", "SUBMITTED")
    assert (await call(owner, f"{one}/rebalance", body))["id"] == sent["id"]
    other = await call(owner, f"{one}/rebalance", HALF, 409)
    assert "under way" in other["detail"]
    await desk.next_bar()
    (traded,) = (await owner.get("/api/v2/trading/orders")).json()["items"]
    (filled,) = (await owner.get("/api/v2/trading/fills")).json()["items"]
    assert [(each["strategy"], each["portfolio"]) for each in (traded, filled)] == [(None, "Growth")] * 2
    by_book = (await owner.get("/api/v2/trading/pnl", params={"by": "strategy"})).json()["items"]
    assert {each["name"] for each in by_book} == {"Growth"}, "by its name, not by its id"
    (done,) = (await owner.get(f"{one}/rebalances")).json()["items"]
    assert (done["state"], done["traded"], done["reasons"]) == ("DONE", plan["traded"], [])
    (weight,) = done["weights"]
    assert (weight["before"], weight["target"], weight["after"]) == ("0", "0.5", "0.5")
    clash = await call(owner, f"{one}/rebalance", HALF | {"client_rebalance_id": "october", "buffer": "0.1"}, 409)
    assert clash["code"] == "idempotency-conflict"
    assert (await call(owner, f"{one}/rebalance", body | {"retry": True}))["attempts"] == 1
    unknown = await call(owner, f"{one}/rebalance", body | {"client_rebalance_id": "octobre", "retry": True}, 404)
    assert "no rebalance 'octobre'" in unknown["detail"], "a slip of the pen trades nothing"


async def test_the_same_in_another_spelling_is_the_same(desk: World, owner: httpx.AsyncClient) -> None:
    one = await made(owner)
    body: dict[str, Any] = HALF | {"client_rebalance_id": "october", "buffer": "0.1"}
    sent = await call(owner, f"{one}/rebalance", body, 201)
    target = {"weight": 0.50, "symbol": STOCK.symbol.lower(), "venue": STOCK.venue}
    again: dict[str, Any] = {"optimise": None, "execution": {"kind": "basket"}, "band": 0, "min_trade": 0.0}
    again |= {"across": False, "yields": [], "wash_days": 10, "buffer": 0.100, "targets": [target]}
    named = await owner.post(f"{one}/rebalance", json=again, headers={"Idempotency-Key": "october"})
    assert (named.status_code, named.json()["id"]) == (200, sent["id"])
    for more in ({"buffer": "0.2"}, {"targets": [target | {"weight": "0.4"}]}, {"across": True}):
        clash = await call(owner, f"{one}/rebalance", again | {"client_rebalance_id": "october"} | more, 409)
        assert clash["code"] == "idempotency-conflict", more
    await desk.next_bar()
    wish: dict[str, Any] = {
        "symbols": [STOCK.symbol],
        "objective": "min-variance",
        "constraints": [f"{STOCK.symbol} <= 1"],
    }
    first = await call(owner, f"{one}/rebalance", {"optimise": wish, "client_rebalance_id": "november"}, 201)
    wish |= {"objective": "Minimum Variance", "constraints": [f"100% >= {STOCK.symbol}"], "days": 500, "target": None}
    assert (await call(owner, f"{one}/rebalance", {"optimise": wish, "client_rebalance_id": "november"}))[
        "id"
    ] == first["id"]
    wish |= {"days": 400}
    await call(owner, f"{one}/rebalance", {"optimise": wish, "client_rebalance_id": "november"}, 409)


async def test_weights_by_an_objective(desk: World, owner: httpx.AsyncClient) -> None:
    one, wish = await made(owner), {"symbols": [STOCK.symbol], "objective": "min-variance"}
    plan = await call(owner, f"{one}/rebalance/preview", {"optimise": wish, "buffer": "0.5"})
    assert [trade["quantity"] for trade in plan["accounts"][0]["trades"]] == ["500"]
    found = await call(owner, f"{PATH}/optimize", wish)
    assert (found["weights"], found["days"]) == ([{"symbol": STOCK.symbol, "weight": 1.0}], 30)
    corners = (await call(owner, f"{PATH}/frontier", wish))["corners"]
    assert [corner["weights"][0]["weight"] for corner in corners] == [1.0]
    await call(owner, f"{PATH}/optimize", wish | {"objective": "nothing"}, 422)
    await call(owner, f"{PATH}/optimize", wish | {"objective": "max-sharpe", "target": 0.1}, 422)


async def test_what_is_wrong_is_said_field_by_field(owner: httpx.AsyncClient) -> None:
    one = await made(owner)
    twice = [{"symbol": STOCK.symbol, "weight": "0.7"}, {"symbol": STOCK.symbol, "weight": "1.2"}]
    body = {"targets": [*twice, {"symbol": "NONE", "weight": "x"}], "buffer": "1", "min_trade": "-1"}
    found = await call(owner, f"{one}/rebalance", body, 422)
    fields = [fault["field"] for fault in found["errors"]]
    assert fields == [
        "min_trade", "buffer", "targets.1.symbol", "targets.1.weight", "targets.2.symbol", "targets.2.weight",
        "targets",
    ]  # fmt: skip
    found = await call(owner, f"{one}/rebalance/preview", {}, 422)
    assert [fault["field"] for fault in found["errors"]] == ["targets"]
    found = await call(owner, f"{one}/rebalance", HALF | {"retry": True}, 422)
    assert [fault["field"] for fault in found["errors"]] == ["retry"]
    odd: dict[str, Any] = {"optimise": {"symbols": [STOCK.symbol] * 2, "least": 1.0, "most": 0.0}}
    found = await call(owner, f"{one}/rebalance/preview", odd, 422)
    assert [fault["field"] for fault in found["errors"]] == ["optimise.symbols", "optimise.least"]


async def test_options_of_an_objective_and_what_can_never_hold(owner: httpx.AsyncClient) -> None:
    one = await made(owner)

    async def faults(**wish: Any) -> list[tuple[str, str]]:
        body = {"optimise": {"symbols": [STOCK.symbol]} | wish}
        found = await call(owner, f"{one}/rebalance/preview", body, 422)
        return [(fault["field"], fault["message"]) for fault in found["errors"]]

    risky = {"symbols": [STOCK.symbol], "objective": "target-risk", "target": 9.0}
    assert (await call(owner, f"{one}/rebalance/preview", {"optimise": risky}))["accounts"]
    track = {"objective": "tracking-error", "benchmark": [{"symbol": STOCK.symbol, "weight": "1"}]}
    plan = await call(owner, f"{one}/rebalance/preview", {"optimise": {"symbols": [STOCK.symbol]} | track})
    assert plan["weights"][0]["target"] == "1"
    assert await faults(objective="target-return") == [("optimise.target", "target-return needs it")]
    assert await faults(objective="tracking-error") == [
        ("optimise.benchmark", "tracking-error needs it: the weights to track, of the same instruments")
    ]
    ((field, message),) = await faults(objective="hrp", aversion=2.0)
    assert (field, "max-utility or robust" in message) == ("optimise.aversion", True)
    ((field, message),) = await faults(constraints=[f"{STOCK.symbol} >= 2"])
    assert (field, f"in conflict are: {STOCK.symbol} >= 2" in message) == ("optimise.constraints", True)
    assert [field for field, _ in await faults(constraints=[f"{STOCK.symbol} >="])] == ["optimise.constraints.0"]
    assert [field for field, _ in await faults(most=0.5)] == ["optimise.most"]
    assert [field for field, _ in await faults(least=1.1, most=2.0)] == ["optimise.least"]
    assert [field for field, _ in await faults(covariance="no", mean="no", objective="no")] == [
        "optimise.objective", "optimise.covariance", "optimise.mean",
    ]  # fmt: skip
    assert [field for field, _ in await faults(benchmark=[{"symbol": STOCK.symbol, "weight": "1"}])] == [
        "optimise.benchmark"
    ]


async def test_slices_nearer_than_the_bars_are_warned_of(desk: World, owner: httpx.AsyncClient) -> None:
    one = await made(owner)
    assert isinstance(desk.parts.feed, FeedControl)
    desk.parts.feed.kind = "replay"
    twap = {"kind": "twap", "duration": 3600, "slices": 4}
    (warning,) = (await call(owner, f"{one}/rebalance/preview", HALF | {"execution": twap}))["warnings"]
    assert "bars of 1d" in warning
    assert "345600 seconds" in warning
    assert (await call(owner, f"{one}/rebalance/preview", HALF))["warnings"] == []
    over_days = twap | {"duration": 4 * 86_400}
    assert (await call(owner, f"{one}/rebalance/preview", HALF | {"execution": over_days}))["warnings"] == []
    sent = await call(owner, f"{one}/rebalance", HALF | {"execution": twap | {"kind": "slices"}}, 201)
    assert "4 slices take 4 bars" in sent["warnings"][0]


async def test_who_may_only_read_may_see_what_it_would_trade(desk: World, owner: httpx.AsyncClient) -> None:
    one = await made(owner)
    lent = {"account_id": OWN_ACCOUNT, "username": desk.other.username, "permission": "read"}
    assert (await owner.post("/api/v2/shares", json=lent)).status_code == 201
    async with await desk.signed_in(desk.other) as other:
        assert (await call(other, f"{one}/rebalance/preview", HALF))["accounts"]
        assert "shared with you for less" in (await call(other, f"{one}/rebalance", HALF, 403))["detail"]


async def test_somebody_else_sees_none_of_it(desk: World, owner: httpx.AsyncClient) -> None:
    one = await made(owner)
    async with await desk.signed_in(desk.other) as other:
        await call(other, f"{one}/rebalance", HALF, 404)
        await call(other, f"{one}/rebalance/preview", HALF, 404)
        assert (await other.get(f"{one}/rebalances")).status_code == 404
        theirs = await made(other, OTHER_ACCOUNT)
        assert (await call(other, f"{theirs}/rebalance", HALF, 201))["state"] == "RUNNING"
