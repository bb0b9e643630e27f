"""Configurations over HTTP: saved version by version, compared, archived; deployed and tested by their names."""

from decimal import Decimal
from typing import Any

import httpx
import pytest

from evenkeel.domain.commands import Deploy, TakeSignal
from evenkeel.domain.strategies import Allocation, Deployment, Signal
from evenkeel.trading.strategies import Strategy
from evenkeel.trading.strategies.registry import BUILT_IN, Registry
from tests.server.configurations import CONFIGURATION
from tests.server.test_backtesting import until
from tests.server.world import DEPLOYMENT, OWN_ACCOUNT, STOCK, World, signal
from tests.trading.live.desk import BY

PATH = "/api/v2/strategies/templates"
BODY: dict[str, Any] = {
    "name": "brave",
    "template": "sma-cross",
    "parameters": {"fast": 3, "slow": 8},
    "ranges": {"fast": {"minimum": 2, "maximum": 6, "step": 2}},
    "size": {"type": "units", "quantity": "7"},
    "description": "Short averages, seven shares",
}


async def save(client: httpx.AsyncClient, status: int = 201, **changes: Any) -> Any:
    body = {name: value for name, value in (BODY | changes).items() if value is not None}
    answer = await client.post(PATH, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def get(client: httpx.AsyncClient, path: str, status: int = 200) -> Any:
    answer = await client.get(f"{PATH}{path}")
    assert answer.status_code == status, answer.text
    return answer.json()


def deployment(template: str, **changes: Any) -> dict[str, Any]:
    accounts = [{"account_id": OWN_ACCOUNT, "allocation": "0.1"}]
    return {"name": f"By {template}", "template": template, "symbols": ["STK"], "accounts": accounts} | changes


async def test_what_is_saved_is_listed_with_its_own_defaults_and_ranges(owner: httpx.AsyncClient) -> None:
    saved = await save(owner)
    assert (saved["id"], saved["template"], saved["template_version"]) == ("brave@1", "sma-crossover", "1")
    assert saved["parameters"] == {"fast": 3, "slow": 8, "allow_short": False}
    assert saved["size"] == {"type": "units", "quantity": "7"}
    listed = {one["id"]: one for one in (await get(owner, ""))["items"]}
    brave, code = listed["brave"], listed["sma-crossover"]
    assert (brave["version"], brave["source"], brave["form"]) == ("1", "saved", "signal")
    assert (code["source"], code["form"]) == ("built-in", "signal")
    fast = brave["parameters"][0]
    assert (fast["name"], fast["default"], fast["minimum"], fast["maximum"]) == ("fast", 3, 2, 6)
    shown = await get(owner, "/brave")
    assert shown["configuration"] == saved
    assert (await get(owner, "/sma-crossover"))["configuration"] is None
    assert (await get(owner, "/sma-cross"))["id"] == "sma-crossover"
    await get(owner, "/nothing", 404)


async def test_a_save_is_the_next_version_and_the_same_again_is_none(owner: httpx.AsyncClient) -> None:
    first = await save(owner)
    assert await save(owner, 200) == first
    second = await save(owner, parameters={"fast": 4, "slow": 9}, size=None)
    assert second["id"] == "brave@2"
    assert await save(owner, 200, parameters={"fast": 4, "slow": 9}, size=None) == second
    assert (await get(owner, "/brave?version=1"))["configuration"] == first
    assert (await get(owner, "/brave"))["configuration"] == second
    await get(owner, "/brave?version=3", 404)
    versions = await get(owner, "/brave/versions?limit=1")
    assert [one["id"] for one in versions["items"]] == ["brave@2"]
    rest = await get(owner, f"/brave/versions?cursor={versions['next_cursor']}")
    assert [one["id"] for one in rest["items"]] == ["brave@1"]
    difference = await get(owner, "/brave/difference")
    assert [difference["before"]["id"], difference["after"]["id"]] == ["brave@1", "brave@2"]
    assert difference["changes"] == [
        {"field": "parameters.fast", "before": 3, "after": 4},
        {"field": "parameters.slow", "before": 8, "after": 9},
        {"field": "size.type", "before": "units", "after": None},
        {"field": "size.quantity", "before": "7", "after": None},
    ]
    assert (await get(owner, "/brave/difference?before=2&after=2"))["changes"] == []
    await get(owner, "/brave/difference?before=9", 404)
    await get(owner, "/sma-crossover/versions", 404)


async def test_what_is_archived_can_be_looked_at_and_not_used(desk: World, owner: httpx.AsyncClient) -> None:
    await save(owner)
    archived = (await owner.post(f"{PATH}/brave/archive")).json()
    assert archived["archived_at"] is not None
    assert "brave" not in [one["id"] for one in (await get(owner, ""))["items"]]
    assert (await get(owner, "/brave"))["configuration"] == archived
    answer = await owner.post("/api/v2/strategies", json=deployment("brave@1"))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "template")
    answer = await owner.post("/api/v2/backtesting", json={"strategy": "brave", "symbols": ["STK"]})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "strategy")
    await save(owner, 409, parameters={"fast": 5, "slow": 9})
    assert (await owner.post(f"{PATH}/brave/restore")).json()["archived_at"] is None
    assert (await owner.post("/api/v2/strategies", json=deployment("brave"))).status_code == 201
    for verb in ("archive", "restore"):
        assert (await owner.post(f"{PATH}/sma-crossover/{verb}")).status_code == 404


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"name": "No Spaces"}, ["name"]),
        ({"template": "nothing"}, ["template"]),
        ({"parameters": {"fast": 9, "slow": 8}, "ranges": {}}, ["parameters.fast"]),
        ({"parameters": {"fast": 3, "quick": 1}}, ["parameters.quick"]),
        ({"parameters": {"slow": "a\u0000b"}}, ["parameters.slow"]),
        ({"ranges": {"fast": {"minimum": 4, "maximum": 6}}}, ["parameters.fast"]),
        ({"ranges": {"fast": {"minimum": 6, "maximum": 2}, "x": {"minimum": 1, "maximum": 2}}},
         ["ranges.fast", "parameters.fast", "ranges.x"]),
        ({"ranges": {"allow_short": {"minimum": 0, "maximum": 1}}}, ["ranges.allow_short"]),
        ({"ranges": {"fast": {"minimum": 0, "maximum": 1.5}}}, ["ranges.fast"]),
        ({"ranges": {"fast": {"minimum": 2, "maximum": 6, "step": 0}}}, ["ranges.fast.step"]),
        ({"size": {"type": "cash", "amount": "-5"}}, ["size.amount"]),
        ({"size": {"type": "cash"}}, ["size"]),
        ({"members": [{"template": "rsi"}]}, ["members"]),
        ({"template": "ensemble", "parameters": {"members": "rsi"}, "ranges": {}, "members": [{"template": "macd"}]},
         ["parameters.members"]),
        ({"template": "ensemble", "parameters": {}, "ranges": {}, "members": [{"template": "rsi", "weight": 0}]},
         ["members.0.weight"]),
        ({"template": "ensemble", "parameters": {}, "ranges": {},
          "members": [{"template": "rsi", "parameters": {"period": 0}}, {"template": "gone"}]},
         ["members.0.parameters.period", "members.1.template"]),
        ({"template": "ensemble", "parameters": {}, "ranges": {}, "members": [{"template": "ensemble"}]}, ["members"]),
    ],
)  # fmt: skip
async def test_faults_are_named_and_nothing_is_saved(
    owner: httpx.AsyncClient, changes: dict[str, Any], fields: list[str]
) -> None:
    problem = await save(owner, 422, **changes)
    assert [one["field"] for one in problem["errors"]] == fields
    await get(owner, "/brave", 404)


async def test_the_name_of_a_template_is_taken(owner: httpx.AsyncClient) -> None:
    for name in ("rsi", "sma-cross"):
        assert "name of a template" in (await save(owner, 409, name=name))["detail"]


async def test_an_ensemble_of_saved_members_keeps_what_they_were(owner: httpx.AsyncClient) -> None:
    await save(owner)
    members = [{"template": "brave", "weight": 2}, {"template": "rsi"}]
    body: dict[str, Any] = {
        "name": "both",
        "template": "ensemble",
        "parameters": {"rule": "weighted"},
        "members": members,
    }
    joined = await save(owner, **body, ranges={}, size=None, description="")
    assert [one["configuration"] for one in joined["members"]] == ["brave@1", None]
    text = joined["parameters"]["members"]
    assert text.startswith("sma-crossover(fast=3, slow=8, allow_short=false)*2; rsi(period=14")
    await save(owner, parameters={"fast": 5, "slow": 9})
    assert (await get(owner, "/both"))["configuration"]["parameters"]["members"] == text
    again = await save(owner, **body, ranges={}, size=None, description="")
    assert [one["configuration"] for one in again["members"]] == ["brave@2", None]
    changes = {one["field"] for one in (await get(owner, "/both/difference"))["changes"]}
    assert changes >= {"members.0.configuration", "members.0.parameters.fast"}


async def test_it_is_deployed_by_name_with_its_size_and_within_its_ranges(
    desk: World, owner: httpx.AsyncClient
) -> None:
    await save(owner)
    await save(owner, parameters={"fast": 4, "slow": 9})
    answer = await owner.post("/api/v2/strategies", json=deployment("brave@1", parameters={"fast": 6}))
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["template"], made["version"], made["configuration"]) == ("sma-crossover", "1", "brave@1")
    assert made["parameters"] == {"fast": 6, "slow": 8, "allow_short": False}
    assert made["size"] == {"type": "units", "quantity": "7"}
    answer = await owner.post("/api/v2/strategies", json=deployment("brave", parameters={"fast": 7}, name="Wide"))
    assert [one["field"] for one in answer.json()["errors"]] == ["parameters.fast"]
    newest = (await owner.post("/api/v2/strategies", json=deployment("brave", size="30"))).json()
    assert (newest["configuration"], newest["parameters"]["fast"]) == ("brave@2", 4)
    assert newest["size"] == {"type": "units", "quantity": "30"}
    taken = Signal(made["id"], STOCK.id, desk.runner.state.time, 1.0)
    await desk.runner.submit(TakeSignal(provenance=BY, signal=taken))
    orders = (await owner.get("/api/v2/trading/orders")).json()["items"]
    assert [(one["quantity"], one["strategy"]) for one in orders] == [("7", "By brave@1")]


async def test_it_is_tested_by_name(owner: httpx.AsyncClient) -> None:
    await save(owner)
    answer = await owner.post("/api/v2/backtesting", json={"strategy": "brave", "symbols": ["STK"]})
    assert answer.status_code == 202, answer.text
    found = await until(owner, answer.json()["id"], "done", "failed")
    assert (found["strategy"], found["configuration"], found["error"]) == ("sma-crossover", "brave@1", None)
    assert found["parameters"] == {"fast": 3, "slow": 8, "allow_short": False}
    assert found["asked"]["size"] == {"type": "units", "quantity": "7"}
    answer = await owner.post("/api/v2/backtesting", json={"strategy": "brave@9", "symbols": ["STK"]})
    assert [one["field"] for one in answer.json()["errors"]] == ["strategy"]


async def test_nobody_else_sees_or_uses_it(desk: World) -> None:
    async with await desk.signed_in(desk.other) as other:
        assert CONFIGURATION not in [one["id"] for one in (await get(other, ""))["items"]]
        answer = await other.post("/api/v2/backtesting", json={"strategy": f"{CONFIGURATION}@1", "symbols": ["STK"]})
        assert [one["field"] for one in answer.json()["errors"]] == ["strategy"]
        members = [{"template": CONFIGURATION}]
        body = {"name": "mine", "template": "ensemble", "parameters": {}, "members": members, "ranges": {}}
        assert [one["field"] for one in (await save(other, 422, **body))["errors"]] == ["members.0.template"]
        mine = await save(other, name=CONFIGURATION)
        assert mine["id"] == f"{CONFIGURATION}@1"
    async with await desk.signed_in() as owner:
        assert (await get(owner, f"/{CONFIGURATION}"))["description"] == "My own trend"


async def test_a_strategy_is_changed_while_it_runs(desk: World, owner: httpx.AsyncClient) -> None:
    await save(owner)
    path = f"/api/v2/strategies/{DEPLOYMENT}"
    changed = (await owner.patch(path, json={"parameters": {"fast": 6}})).json()
    assert changed["parameters"] == {"fast": 6, "slow": 20, "allow_short": False}
    changed = (await owner.patch(path, json={"size": 5, "rules": {"max_drawdown": 0.1, "recovery": 0.02}})).json()
    assert changed["size"] == {"type": "units", "quantity": "5"}
    assert changed["rules"]["max_drawdown"] == 0.1
    changed = (await owner.patch(path, json={"template": "brave", "allocation": "0.3"})).json()
    assert (changed["configuration"], changed["parameters"]["fast"], changed["size"]["quantity"]) == ("brave@1", 3, "7")
    assert changed["accounts"] == [{"account_id": OWN_ACCOUNT, "allocation": "0.3"}]
    assert changed["rules"]["max_drawdown"] == 0.1, "what is left out stays"
    await owner.post(f"{PATH}/brave/archive")
    changed = (await owner.patch(path, json={"parameters": {"fast": 5}})).json()
    assert (changed["configuration"], changed["parameters"]["fast"]) == ("brave@1", 5)
    answer = await owner.patch(path, json={"parameters": {"fast": 7}})
    assert [one["field"] for one in answer.json()["errors"]] == ["parameters.fast"]
    changed = (await owner.patch(path, json={"size": None, "rules": None})).json()
    assert (changed["size"], changed["rules"]) == (None, None)
    for body, field in (
        ({}, ""),
        ({"template": "gone"}, "template"),
        ({"rules": {"recovery": 0.1}}, "rules"),
        ({"rules": {"max_drawdown": 2}}, "rules.max_drawdown"),
        ({"size": "-1"}, "size"),
        ({"allocation": "0.1", "accounts": []}, "allocation"),
    ):
        answer = await owner.patch(path, json=body)
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == [field], body


class Own(Strategy):
    name = "own"


async def test_a_change_of_rules_leaves_parameters_alone(desk: World, owner: httpx.AsyncClient) -> None:
    """A deployment made by another door may have left its parameters to their defaults."""
    made = Deployment("bare", "Bare", "sma-crossover", "1", {}, (STOCK.id,), (Allocation(OWN_ACCOUNT, Decimal(0)),))
    await desk.runner.submit(Deploy(provenance=BY, deployment=made))
    changed = (await owner.patch("/api/v2/strategies/bare", json={"rules": {"max_losses": 5}})).json()
    assert (changed["parameters"], changed["rules"]["max_losses"]) == ({}, 5)
    changed = (await owner.patch("/api/v2/strategies/bare", json={"parameters": {"fast": 5}})).json()
    assert changed["parameters"] == {"fast": 5, "slow": 50, "allow_short": False}


async def test_rules_need_signals(desk: World, owner: httpx.AsyncClient) -> None:
    desk.parts.templates = lambda: Registry((*BUILT_IN, Own))
    answer = await owner.post("/api/v2/strategies", json=deployment("own", rules={"max_losses": 3}))
    assert [one["field"] for one in answer.json()["errors"]] == ["rules"]


async def test_a_strategy_that_lost_shows_how_it_was_switched_off(desk: World, owner: httpx.AsyncClient) -> None:
    path = f"/api/v2/strategies/{DEPLOYMENT}"
    await owner.patch(path, json={"rules": {"max_drawdown": 0.05, "recovery": 0.02}})
    for price in (10.0, 10.0, 8.0):
        await desk.next_bar(price)
        await desk.runner.submit(signal(desk.runner.state.time, 1.0))
    await desk.runner.quiet()
    found = (await owner.get(path)).json()
    assert (found["status"], found["enabled"], found["switch"]["on"]) == ("switched-off", True, False)
    assert found["status_reason"] == "max-drawdown: 0.2, with a limit of 0.05"
    events = (await owner.get("/api/v2/system/events")).json()["items"]
    assert "Crossing is switched off: it has fallen 0.2" in str(events)
    await desk.runner.submit(signal(desk.runner.state.time, 0.5))
    signals = (await owner.get(f"{path}/signals")).json()["items"]
    assert len(signals) == 4, "they are recorded while it is off"
    enabled = (await owner.post(f"{path}/enable")).json()
    assert (enabled["status"], enabled["switch"]["rule"]) == ("running", "by-hand")


async def test_a_strategy_that_holds_nothing_is_removed(desk: World, owner: httpx.AsyncClient) -> None:
    path = f"/api/v2/strategies/{DEPLOYMENT}"
    await desk.runner.submit(signal(desk.runner.state.time, 1.0))
    assert (await owner.delete(path)).status_code == 409
    await desk.next_bar()
    await desk.runner.submit(signal(desk.runner.state.time, 0.0))
    await desk.next_bar()
    removed = await owner.delete(path)
    assert (removed.status_code, removed.json()["status"]) == (200, "removed")
    assert (await owner.get("/api/v2/strategies")).json()["items"] == []
    assert (await owner.get(path)).json()["status"] == "removed"
    assert len((await owner.get(f"{path}/signals")).json()["items"]) == 2
    for answer in (await owner.post(f"{path}/enable"), await owner.delete(path)):
        assert answer.status_code == 409


async def test_signals_are_filtered(desk: World, owner: httpx.AsyncClient) -> None:
    path, times = f"/api/v2/strategies/{DEPLOYMENT}/signals", []
    for target in (1.0, 1.0, 0.0):
        await desk.next_bar()
        await desk.runner.submit(signal(desk.runner.state.time, target))
        times.append((await owner.get(f"{path}?limit=1")).json()["items"][0]["at"])

    async def actions(query: str, status: int = 200) -> list[str]:
        answer = await owner.get(f"{path}?{query}")
        assert answer.status_code == status, answer.text
        return [one["action"] for one in answer.json().get("items", [])]

    assert await actions("") == ["SELL", "HOLD", "BUY"]
    assert await actions("action=HOLD") == ["HOLD"]
    assert await actions("symbol=STK&limit=2") == ["SELL", "HOLD"]
    assert await actions(f"start={times[1]}") == ["SELL", "HOLD"]
    assert await actions(f"start={times[0]}&end={times[2]}") == ["HOLD", "BUY"]
    await actions("symbol=GONE", 422)
    await actions("action=WAIT", 422)
    await actions("start=soon", 422)
