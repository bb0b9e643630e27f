"""Exits, entries, maintenance and the cost of nights by the API."""

import httpx

from evenkeel.domain.accounts import Financing
from evenkeel.domain.strategies import Entry, Protection
from evenkeel.trading.strategies import Strategy
from evenkeel.trading.strategies.registry import BUILT_IN, Registry
from tests.server.world import OWN_ACCOUNT, World

BODY = {
    "name": "Guarded",
    "template": "sma-crossover",
    "symbols": ["STK"],
    "accounts": [{"account_id": OWN_ACCOUNT, "allocation": "0.25"}],
    "size": {"type": "volatility-target", "annual": 0.1},
    "entry": {"offset": 0.002},
    "protection": {"stop_loss": 0.05, "take_profit": 1.5},
}


async def test_a_strategy_is_deployed_with_its_entry_and_its_exits(desk: World, owner: httpx.AsyncClient) -> None:
    answer = await owner.post("/api/v2/strategies", json=BODY)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["entry"] == {"offset": 0.002}
    assert made["protection"] == {"stop_loss": 0.05, "take_profit": 1.5, "trailing_stop": None}
    deployment = desk.runner.state.deployment(made["id"]).deployment
    assert (deployment.entry, deployment.protection) == (Entry(0.002), Protection(0.05, 1.5))


class Ordering(Strategy):
    name = "ordering"


async def test_a_template_that_places_its_own_orders_leaves_no_entry_behind(
    desk: World, owner: httpx.AsyncClient
) -> None:
    desk.parts.templates = lambda: Registry((*BUILT_IN, Ordering))
    made = (await owner.post("/api/v2/strategies", json=BODY)).json()
    path = f"/api/v2/strategies/{made['id']}"
    assert (await owner.patch(path, json={"parameters": {"fast": 5}})).json()["entry"] == {"offset": 0.002}
    changed = (await owner.patch(path, json={"template": "ordering"})).json()
    assert (changed["template"], changed["entry"]) == ("ordering", None)
    assert changed["protection"] == made["protection"]


async def test_the_entry_of_a_strategy_at_work_is_changed_and_taken_away(owner: httpx.AsyncClient) -> None:
    made = (await owner.post("/api/v2/strategies", json=BODY)).json()
    path = f"/api/v2/strategies/{made['id']}"
    changed = (await owner.patch(path, json={"entry": {"offset": 0.01}})).json()
    assert changed["entry"] == {"offset": 0.01}
    assert {**changed, "entry": None} == {**made, "entry": None}
    assert (await owner.patch(path, json={"size": None})).json()["entry"] == {"offset": 0.01}
    assert (await owner.patch(path, json={"entry": None})).json()["entry"] is None
    answer = await owner.patch(path, json={"entry": {"offset": 1}})
    assert [fault["field"] for fault in answer.json()["errors"]] == ["entry.offset"]


async def test_no_entry_is_given_to_a_template_that_places_its_own_orders(
    desk: World, owner: httpx.AsyncClient
) -> None:
    desk.parts.templates = lambda: Registry((*BUILT_IN, Ordering))
    made = (await owner.post("/api/v2/strategies", json=BODY)).json()
    body = {"template": "ordering", "entry": {"offset": 0.01}}
    answer = await owner.patch(f"/api/v2/strategies/{made['id']}", json=body)
    assert [fault["field"] for fault in answer.json()["errors"]] == ["entry"]


async def test_exits_that_make_no_sense_are_named(owner: httpx.AsyncClient) -> None:
    for wrong, field in (
        ({"protection": {"stop_loss": 1}}, "protection.stop_loss"),
        ({"entry": {"offset": -0.1}}, "entry.offset"),
        ({"protection": {"stop": 0.1}}, "protection"),
    ):
        answer = await owner.post("/api/v2/strategies", json=BODY | wrong)
        assert answer.status_code == 422
        assert [fault["field"] for fault in answer.json()["errors"]] == [field]


async def test_maintenance_is_a_limit_and_nights_are_the_accounts(desk: World, owner: httpx.AsyncClient) -> None:
    path = f"/api/v2/accounts/{OWN_ACCOUNT}/limits"
    changed = await owner.patch(path, json={"maintenance": "0.25"})
    assert changed.json()["limits"]["maintenance"] == "0.25"
    assert (await owner.patch(path, json={"allow_short": False})).json()["limits"]["maintenance"] == "0.25"
    assert (await owner.patch(path, json={"maintenance": None})).json()["limits"]["maintenance"] is None
    body = {"name": "Margin", "cash": "1000", "financing": {"debit": 0.07, "borrow": 0.02}}
    opened = await owner.post("/api/v2/accounts", json=body)
    assert opened.status_code == 201, opened.text
    held = desk.runner.state.account(opened.json()["id"])
    assert held.account.financing == Financing(debit=0.07, borrow=0.02)
