"""Schedules of rebalancing over the API: set, seen, due, approved, declined, cleared; and whose they are."""

from typing import Any

import httpx

from evenkeel.desk.portfolios.scheduling import Scheduler
from tests.server.test_rebalancing import HALF, made
from tests.server.test_shares import lend
from tests.server.world import STOCK, World
from tests.trading.live.desk import market

MONTHLY = HALF | {"cadence": "monthly"}
BAND = HALF | {"cadence": "band", "band": "0.05", "every": 30, "trade": "beyond", "buffer": "0.1", "min_trade": "5"}


async def put(client: httpx.AsyncClient, path: str, body: Any, status: int = 201) -> dict[str, Any]:
    answer = await client.put(f"{path}/schedule", json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def runs(client: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get(f"{path}/schedule/runs")).json()["items"]
    return found


def scheduler(desk: World) -> Scheduler:
    seen = desk.parts.metrics.observe_optimization
    return Scheduler(desk.runner, desk.app.state.closes, desk.parts.bars, on_optimized=seen)


async def test_set_seen_and_cleared(desk: World, owner: httpx.AsyncClient) -> None:
    one = await made(owner)
    assert (await owner.get(f"{one}/schedule")).status_code == 404
    found = await put(owner, one, MONTHLY)
    assert (found["cadence"], found["mode"], found["calendars"]) == ("monthly", "propose", [STOCK.calendar])
    assert (found["next"], found["targets"]) == ("2005-10-01T00:30:00Z", [{"symbol": STOCK.symbol, "weight": 0.5}])
    assert (await owner.get(f"{one}/schedule")).json() == found
    shown = (await owner.get(one)).json()
    assert (shown["auto_rebalance"], shown["rebalance_frequency"]) == (False, "monthly")
    twap = {"kind": "twap", "duration": 600, "slices": 5}
    changed = await put(owner, one, BAND | {"mode": "trade", "execution": twap}, 200)
    assert (changed["band"], changed["every"], changed["execution"]) == ("0.05", 30, twap)
    assert (changed["expires"], changed["before_close"], found["every"]) == (None, None, None), "what does not matter"
    assert changed["warnings"] == []
    assert (await owner.get(one)).json()["auto_rebalance"] is True
    assert (await owner.delete(f"{one}/schedule")).status_code == 204
    assert (await owner.delete(f"{one}/schedule")).status_code == 404
    assert (await owner.get(one)).json()["rebalance_frequency"] is None


async def test_what_is_due_is_proposed_and_approved(desk: World, owner: httpx.AsyncClient) -> None:
    one, works = await made(owner), scheduler(desk)
    await put(owner, one, HALF | {"cadence": "daily"})
    await works.prepare(market(1))
    (run,) = await runs(owner, one)
    assert (run["state"], run["due"]) == ("PROPOSED", "2005-09-02T00:30:00Z")
    assert [(trade["side"], trade["quantity"]) for trade in run["trades"]] == [("BUY", "500")]
    assert run["expires_at"] is not None
    answer = await owner.post(f"{one}/schedule/runs/{run['id']}/approve")
    assert (answer.status_code, answer.json()["state"]) == (200, "SENT")
    assert (await owner.post(f"{one}/schedule/runs/{run['id']}/approve")).status_code == 409
    await desk.next_bar()
    (done,) = (await owner.get(f"{one}/rebalances")).json()["items"]
    assert (done["id"], done["state"]) == (run["id"], "DONE")
    assert done["client_rebalance_id"] == "scheduled 2005-09-02T00:30:00Z"


async def test_declined_it_trades_nothing(desk: World, owner: httpx.AsyncClient) -> None:
    one, works = await made(owner), scheduler(desk)
    await put(owner, one, HALF | {"cadence": "daily"})
    await works.prepare(market(1))
    (run,) = await runs(owner, one)
    answer = await owner.post(f"{one}/schedule/runs/{run['id']}/decline")
    assert (answer.json()["state"], answer.json()["trades"]) == ("DECLINED", [])
    assert (await owner.get(f"{one}/rebalances")).json()["items"] == []
    assert (await owner.post(f"{one}/schedule/runs/none/decline")).status_code == 404


async def test_an_objective_by_the_portfolio_s_own_tolerance(desk: World, owner: httpx.AsyncClient) -> None:
    one, works = await made(owner), scheduler(desk)
    wish = {"symbols": [STOCK.symbol]}
    found = await put(owner, one, {"cadence": "daily", "mode": "trade", "optimise": wish, "buffer": "0.5"})
    assert (found["optimise"]["symbols"], found["optimise"]["objective"]) == ([STOCK.symbol], None)
    await works.prepare(market(1))
    assert [run["state"] for run in await runs(owner, one)] == ["SENT"]
    metrics = (await owner.get("/metrics")).text
    assert 'optimization_duration_seconds_count{objective="risk-tolerance"} 1.0' in metrics
    plan = await owner.post(f"{one}/rebalance/preview", json={"optimise": wish})
    assert plan.status_code == 200, plan.text
    assert 'optimization_duration_seconds_count{objective="risk-tolerance"} 2.0' in (await owner.get("/metrics")).text


async def test_what_makes_no_sense_is_said_by_its_field(owner: httpx.AsyncClient) -> None:
    one = await made(owner)
    wish: dict[str, Any] = {"symbols": [STOCK.symbol]}

    async def faults(body: dict[str, Any]) -> list[str]:
        return [fault["field"] for fault in (await put(owner, one, body, 422))["errors"]]

    assert await faults({"cadence": "never", "targets": []}) == ["cadence"]
    assert await faults({"cadence": "daily"}) == ["targets"]
    assert await faults(MONTHLY | {"optimise": wish}) == ["targets"]
    assert await faults(HALF | {"cadence": "band"}) == ["band"]
    assert await faults(MONTHLY | {"trade": "beyond"}) == ["trade"]
    assert await faults(MONTHLY | {"execution": {"kind": "vwap"}}) == ["execution.slices", "execution.duration"]
    odd = {"cadence": "daily", "optimise": wish | {"objective": "target-return"}}
    assert await faults(odd) == ["optimise.target"]
    idle = MONTHLY | {"after_open": 5, "before_close": 5, "every": 30, "mode": "trade", "expires": 60}
    assert await faults(idle) == ["before_close", "every", "expires"]
    assert await faults(BAND | {"last": True}) == ["last"]
    assert await faults({"cadence": "daily", "optimise": wish | {"constraints": [f"{STOCK.symbol} >= 2"]}}) == [
        "optimise.constraints"
    ]
    assert await faults({"cadence": "daily", "optimise": wish | {"objective": "hrp", "target": 1}}) == [
        "optimise.target"
    ]
    for more in ({"objective": "nonsense"}, {"constraints": ["STK <= "]}, {"constraints": ["NONE <= 1"]}):
        await put(owner, one, {"cadence": "daily", "optimise": wish | more}, 422)


async def test_a_rebalance_in_slices(desk: World, owner: httpx.AsyncClient) -> None:
    one = await made(owner)
    body = HALF | {"execution": {"kind": "slices", "duration": 20, "slices": 2}}
    plan = await owner.post(f"{one}/rebalance/preview", json=body)
    assert [trade["quantity"] for trade in plan.json()["accounts"][0]["trades"]] == ["500"]
    sent = (await owner.post(f"{one}/rebalance", json=body)).json()
    (order,) = sent["orders"]
    assert (order["order_id"], order["state"], order["composite_state"]) == (None, None, "ACTIVE")
    composite = (await owner.get(f"/api/v2/trading/composites/{order['composite_id']}")).json()
    assert composite["kind"] == "slices"
    for _ in range(3):
        await desk.next_bar()
    (done,) = (await owner.get(f"{one}/rebalances")).json()["items"]
    assert (done["state"], done["orders"][0]["composite_state"], done["orders"][0]["filled"]) == ("DONE", "DONE", "500")
    bad = await owner.post(f"{one}/rebalance", json=HALF | {"execution": {"kind": "basket", "slices": 3}})
    assert [fault["field"] for fault in bad.json()["errors"]] == ["execution.slices"]


async def test_only_its_owner_has_it_trade_by_itself(desk: World, owner: httpx.AsyncClient) -> None:
    one = await made(owner)
    await lend(owner, "trade")
    async with await desk.signed_in(desk.other) as other:
        assert (await put(other, one, MONTHLY | {"mode": "trade"}, 403))["code"] == "forbidden"
        await put(other, one, MONTHLY)
    async with await desk.signed_in(desk.other) as other:
        answer = await other.delete(f"{one}/schedule")
        assert answer.status_code == 204
