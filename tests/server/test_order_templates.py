"""Order templates through the API: saved, used, sized by every rule, priced from the last price."""

import asyncio
from typing import Any

import httpx
import pytest

from evenkeel.domain.accounts import Limits
from evenkeel.domain.commands import SetLimits
from tests.server.order_templates import TEMPLATE
from tests.server.world import OTHER_ACCOUNT, OWN_ACCOUNT, World
from tests.trading.live.desk import BY

TEMPLATES = "/api/v2/trading/order-templates"
USE = "/api/v2/trading/orders/from-template"
OPEN = Limits(max_position_share=None, daily_loss=None, allow_short=True, cash_check=False)


async def save(client: httpx.AsyncClient, status: int = 201, **more: Any) -> dict[str, Any]:
    answer = await client.post(TEMPLATES, json={"name": "mine", "size": "10"} | more)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def use(client: httpx.AsyncClient, status: int = 201, **more: Any) -> dict[str, Any]:
    body = {"template": "mine", "account_id": OWN_ACCOUNT, "symbol": "STK", "side": "BUY"} | more
    answer = await client.post(USE, json={name: value for name, value in body.items() if value is not None})
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_template_is_saved_shown_and_forgotten(owner: httpx.AsyncClient) -> None:
    given: dict[str, Any] = {
        "kind": "LIMIT",
        "limit": {"percent": "-0.5"},
        "symbol": "stk",
        "side": "SELL",
        "time_in_force": "GTC",
    }
    saved = await save(owner, **given, description="Above the market")
    assert (saved["id"], saved["limit"]) == ("mine", {"ticks": None, "percent": "-0.5"})
    assert saved["size"] == {"type": "units", "quantity": "10"}
    assert (await owner.get(f"{TEMPLATES}/mine")).json() == saved
    assert [one["name"] for one in (await owner.get(TEMPLATES)).json()["items"]] == ["mine", TEMPLATE]
    assert (await save(owner, 200, size="20"))["size"]["quantity"] == "20"
    assert (await owner.delete(f"{TEMPLATES}/mine")).status_code == 204
    assert (await owner.get(f"{TEMPLATES}/mine")).status_code == 404
    assert (await owner.delete(f"{TEMPLATES}/mine")).status_code == 404


async def test_each_user_has_their_own(desk: World, owner: httpx.AsyncClient) -> None:
    async with await desk.signed_in(desk.other) as client:
        assert (await client.get(TEMPLATES)).json()["items"] == []
        assert (await client.get(f"{TEMPLATES}/{TEMPLATE}")).status_code == 404
        assert (await client.delete(f"{TEMPLATES}/{TEMPLATE}")).status_code == 404
        fault = await use(client, 422, template=TEMPLATE, account_id=OTHER_ACCOUNT)
        assert [one["field"] for one in fault["errors"]] == ["template"]
        await save(client)
        fault = await use(client, 422, account_id=OWN_ACCOUNT)
        assert [one["field"] for one in fault["errors"]] == ["account_id"]
    assert (await owner.get(f"{TEMPLATES}/mine")).status_code == 404


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({"size": "0"}, ["size"]),
        ({"size": None}, ["size"]),
        ({"size": {"type": "cash", "amount": "-1"}}, ["size.amount"]),
        ({"size": {"type": "kelly", "fraction": "x"}}, ["size"]),
        ({"size": {"type": "risk-per-trade", "share": "0.01"}}, ["stop_loss"]),
        ({"size": {"type": "risk-per-trade", "share": "2"}, "stop_loss": {"ticks": 5}}, ["size.share"]),
        ({"kind": "LIMIT"}, ["limit"]),
        ({"limit": {"ticks": 1}}, ["limit"]),
        ({"kind": "STOP", "stop": {"ticks": 1, "percent": "1"}}, ["stop"]),
        ({"kind": "STOP", "stop": {}}, ["stop"]),
        ({"stop_loss": {"ticks": -5}}, ["stop_loss"]),
        ({"take_profit": {"percent": "150"}}, ["take_profit"]),
        ({"kind": "TRAILING_STOP"}, ["kind"]),
        ({"symbol": "NONE"}, ["symbol"]),
        ({"venue": "XNAS"}, ["venue"]),
        ({"book": "nobody"}, ["book"]),
        ({"name": "Not A Name"}, ["name"]),
        ({"time_in_force": "GTD"}, ["time_in_force"]),
        ({"price": "5"}, ["price"]),
    ],
)
async def test_a_template_that_makes_no_sense_names_its_fields(
    owner: httpx.AsyncClient, given: dict[str, Any], fields: list[str]
) -> None:
    assert [one["field"] for one in (await save(owner, 422, **given))["errors"]] == fields


@pytest.mark.parametrize(
    ("size", "quantity"),
    [
        ("7", "7"),
        ({"type": "units", "quantity": 12}, "12"),
        ({"type": "cash", "amount": "1005"}, "100"),
        ({"type": "percent-of-equity", "share": "0.5"}, "5000"),
        ({"type": "risk-per-trade", "share": "0.01"}, "2000"),
        ({"type": "kelly", "fraction": 1.0, "window": 20, "most": 0.0301}, "301"),
    ],
    ids=str,
)
async def test_a_size_is_worked_out_when_it_is_used(
    desk: World, owner: httpx.AsyncClient, size: Any, quantity: str
) -> None:
    await desk.runner.submit(SetLimits(provenance=BY, account_id=OWN_ACCOUNT, limits=OPEN))
    stop: dict[str, Any] = (
        {"stop_loss": {"ticks": 50}} if isinstance(size, dict) and size["type"] == "risk-per-trade" else {}
    )
    await save(owner, size=size, **stop)
    side = "BUY"
    dry = await owner.post(
        USE, json={"template": "mine", "account_id": OWN_ACCOUNT, "symbol": "STK", "side": side, "dry_run": True}
    )
    if dry.status_code == 422:
        side = "SELL"
    found = await use(owner, 200, side=side, dry_run=True)
    assert (found["quantity"], found["last_price"], found["order"]) == (quantity, "10.00", None)
    placed = await use(owner, side=side)
    if stop:
        assert (placed["stop_loss"], placed["order"], bool(placed["composite_id"])) == ("9.50", None, True)
    else:
        assert placed["order"]["quantity"] == quantity


async def test_a_refused_bracket_is_told_as_refused(owner: httpx.AsyncClient) -> None:
    await save(owner, size="9000", stop_loss={"percent": "4"})
    placed = await use(owner, side="BUY")
    assert (placed["order"], placed["state"], placed["rule"]) == (None, "REFUSED", "max-position-share")
    assert "STK" in placed["reason"]


async def test_a_size_by_volatility_reads_stored_bars(desk: World, owner: httpx.AsyncClient) -> None:
    await save(owner, size={"type": "volatility-target", "annual": 0.1, "window": 20})
    found = await use(owner, 200, dry_run=True)
    assert 0 < int(found["quantity"]) < 10_000
    await save(owner, 200, size={"type": "volatility-target", "annual": 0.1, "window": 200})
    fault = await use(owner, 422, dry_run=True)
    assert [one["field"] for one in fault["errors"]] == ["size"]
    await save(owner, 200, size={"type": "volatility-target", "annual": 0.1, "window": 20}, timeframe="5m")
    await use(owner, 422, dry_run=True)


@pytest.mark.parametrize(
    ("side", "given", "prices"),
    [
        ("BUY", {"kind": "LIMIT", "limit": {"ticks": -3}}, ("9.97", None)),
        ("SELL", {"kind": "LIMIT", "limit": {"ticks": -3}}, ("10.03", None)),
        ("BUY", {"kind": "LIMIT", "limit": {"percent": "-1.5"}}, ("9.85", None)),
        ("SELL", {"kind": "LIMIT", "limit": {"percent": "-1.5"}}, ("10.15", None)),
        ("BUY", {"kind": "STOP", "stop": {"percent": 2}}, (None, "10.20")),
        ("SELL", {"kind": "STOP_LIMIT", "stop": {"ticks": 10}, "limit": {"ticks": 20}}, ("9.80", "9.90")),
    ],
)
async def test_prices_are_told_from_the_last_price(
    owner: httpx.AsyncClient, side: str, given: dict[str, Any], prices: tuple[str | None, str | None]
) -> None:
    await save(owner, **given)
    found = await use(owner, 200, side=side, dry_run=True)
    assert (found["limit_price"], found["stop_price"]) == prices


async def test_a_stop_and_a_target_make_it_a_bracket(desk: World, owner: httpx.AsyncClient) -> None:
    await save(owner, stop_loss={"percent": "30"}, take_profit={"ticks": 500}, time_in_force="GTC")
    placed = await use(owner, client_order_id="once")
    assert (placed["stop_loss"], placed["take_profit"], placed["order"]) == ("7.00", "15.00", None)
    assert placed["composite_id"] in desk.runner.state.composites
    await desk.next_bar(10.2)
    again = await use(owner, 200, client_order_id="once")
    assert again["composite_id"] == placed["composite_id"]
    resting = desk.runner.state.accounts[OWN_ACCOUNT].working.values()
    assert sorted(str(order.stop_price or order.limit_price) for order in resting) == ["15.00", "7.00"]


async def test_the_same_id_again_is_the_same_order_though_the_market_has_moved(
    desk: World, owner: httpx.AsyncClient
) -> None:
    await save(owner, size={"type": "cash", "amount": "1000"})
    first = await use(owner, client_order_id="once")
    await desk.next_bar(8.0)
    again = await use(owner, 200, client_order_id="once")
    assert again["order"]["id"] == first["order"]["id"]
    assert again["quantity"] == first["quantity"] == "100"
    other = await use(owner, 409, client_order_id="once", side="SELL")
    assert other["code"] == "idempotency-conflict"


async def test_an_idempotency_key_that_is_too_long_is_named(owner: httpx.AsyncClient) -> None:
    body = {"template": TEMPLATE, "account_id": OWN_ACCOUNT}
    answer = await owner.post(USE, json=body, headers={"idempotency-key": "x" * 61})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "Idempotency-Key")


async def test_two_at_once_place_one(owner: httpx.AsyncClient) -> None:
    body = {"template": TEMPLATE, "account_id": OWN_ACCOUNT, "client_order_id": "click"}
    answers = await asyncio.gather(*(owner.post(USE, json=body) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 201]
    assert len({answer.json()["order"]["id"] for answer in answers}) == 1


async def test_what_is_left_open_must_be_given_when_it_is_used(owner: httpx.AsyncClient) -> None:
    await save(owner)
    fault = await use(owner, 422, symbol=None, side=None)
    assert {one["field"] for one in fault["errors"]} == {"symbol", "side"}
    assert (await use(owner, 422, template="none"))["errors"][0]["field"] == "template"
    fault = await use(owner, 422, symbol="NONE")
    assert [one["field"] for one in fault["errors"]] == ["symbol"]


async def test_less_than_a_lot_is_no_order(desk: World, owner: httpx.AsyncClient) -> None:
    before = desk.runner.committed_seq
    await save(owner, size={"type": "cash", "amount": "5"})
    assert [one["field"] for one in (await use(owner, 422))["errors"]] == ["size"]
    assert desk.runner.committed_seq == before
