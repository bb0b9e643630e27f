"""Tax settings, lots and gains over the API; and what a rebalance's preview says of them."""

from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.server.test_audit import rows
from tests.server.world import OTHER_ACCOUNT, OWN_ACCOUNT, STOCK, World, order

D = Decimal
TAX = f"/api/v2/accounts/{OWN_ACCOUNT}/tax"
LOTS, GAINS, PORTFOLIO = "/api/v2/portfolio/lots", "/api/v2/portfolio/gains", "/api/v2/portfolio"
TERMS = {"status": "taxable", "short": "0.30", "long": "0.15", "method": "min-tax"}


async def get(client: httpx.AsyncClient, path: str, **query: Any) -> Any:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def put(client: httpx.AsyncClient, body: dict[str, Any], status: int = 200, path: str = TAX) -> Any:
    answer = await client.put(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def traded(desk: World, client: httpx.AsyncClient, *, side: str = "BUY", price: float, **more: Any) -> None:
    sent = await client.post("/api/v2/trading/orders", json=order(side=side, time_in_force="GTC", **more))
    assert sent.status_code == 201, sent.text
    await desk.next_bar(price)


async def test_an_owner_says_how_gains_are_taxed(desk: World, owner: httpx.AsyncClient) -> None:
    before = await get(owner, TAX)
    assert (before["is_set"], before["now"]["method"], before["settings"]) == (False, "fifo", [])
    first = await put(owner, TERMS)
    assert (first["is_set"], first["now"]["since"], first["now"]["short"]) == (True, None, "0.30")
    today = desk.runner.state.accounts[OWN_ACCOUNT].day.isoformat()
    later = await put(owner, {**TERMS, "method": "lifo"})
    assert [one["since"] for one in later["settings"]] == [None, today]
    assert (later["now"]["method"], later["now"]["days"]) == ("lifo", 365)
    back = await put(owner, {"status": "tax-free", "since": "2001-01-01"})
    assert [(one["since"], one["status"]) for one in back["settings"]] == [
        (None, "taxable"), ("2001-01-01", "tax-free"),
    ]  # fmt: skip
    assert (await owner.delete(TAX)).status_code == 204
    assert (await get(owner, TAX))["is_set"] is False


async def test_the_audit_log_says_it_without_the_rates(desk: World, owner: httpx.AsyncClient) -> None:
    await put(owner, TERMS)
    await put(owner, {**TERMS, "short": "0.4123", "method": "lifo"})
    last = (await rows(desk, "set_tax"))[-1]
    assert (last.actor, last.subject, last.outcome) == (desk.owner.id, OWN_ACCOUNT, "200")
    assert "min-tax" in last.before
    assert "lifo" in last.after
    assert "0.4123" not in str(last)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"short": "1.5", "long": "x"}, ["short", "long"]),
        ({"short": "0.1234567"}, ["short"]),
        ({"status": "tax-free", "short": "0.1"}, ["status"]),
        ({"status": "none"}, ["status"]),
        ({"method": "best"}, ["method"]),
        ({"days": -1}, ["days"]),
        ({"since": "2001-02-30"}, ["since"]),
        ({"since": "9000-01-01"}, ["since"]),
        ({"since": "soon"}, ["since"]),
    ],
)
async def test_what_is_wrong_is_said_field_by_field(
    owner: httpx.AsyncClient, body: dict[str, Any], fields: list[str]
) -> None:
    found = await put(owner, body, 422)
    assert [one["field"] for one in found["errors"]] == fields


async def test_it_is_for_the_owner_alone(desk: World, owner: httpx.AsyncClient) -> None:
    await put(owner, TERMS)
    async with await desk.signed_in(desk.other) as other:
        assert (await other.get(TAX)).status_code == 404
        assert (await other.put(TAX, json=TERMS)).status_code == 404
        assert (await other.delete(TAX)).status_code == 404
        assert (await other.get(LOTS, params={"account_id": OWN_ACCOUNT})).status_code == 404
        assert (await other.get(GAINS, params={"account_id": OWN_ACCOUNT})).status_code == 404
        assert (await get(other, LOTS))["items"] == []


async def test_lots_and_gains(desk: World, owner: httpx.AsyncClient) -> None:
    await put(owner, {**TERMS, "method": "highest-cost"})
    for price in (10.0, 14.0, 12.0):
        await traded(desk, owner, price=price)
    lots = (await get(owner, LOTS, symbol=STOCK.symbol))["items"]
    assert [one["unit_cost"] for one in lots] == ["10", "14", "12"]
    assert {(one["term"], one["price"]) for one in lots} == {("short", "12.00")}
    first = lots[0]
    assert D(first["gain"]) == D(first["quantity"]) * 2
    assert D(first["tax"]) == D(first["gain"]) * D("0.3")
    assert first["days_to_long"] == 366 - first["days"]
    assert first["order_id"]

    await traded(desk, owner, side="SELL", price=13.0)
    year = int(desk.runner.state.accounts[OWN_ACCOUNT].day.year)
    report = await get(owner, GAINS)
    (sold,) = report["items"]
    quantity = D(sold["quantity"])
    assert (report["year"], D(sold["gain"]), sold["term"]) == (year, -quantity, "short")
    assert D(sold["tax"]) == -quantity * D("0.3")
    assert D(sold["at_risk"]) == quantity, "two other purchases of the same days"
    (whole,) = report["totals"]
    assert (D(whole["short"]), D(whole["gain"]), D(whole["at_risk"])) == (-quantity, -quantity, quantity)
    assert "tax advice" in report["note"]
    (apart,) = (await get(owner, GAINS, wash_days=0))["items"]
    assert D(apart["at_risk"]) <= quantity

    supposed = await get(owner, GAINS, method="fifo")
    assert D(supposed["items"][0]["gain"]) == quantity * 3
    assert (supposed["items"][0]["at_risk"], supposed["totals"][0]["at_risk"]) == (None, None), "not worked out of that"
    assert [one["unit_cost"] for one in (await get(owner, LOTS, method="fifo"))["items"]] == [
        "14", "12",
    ]  # fmt: skip
    assert (await get(owner, GAINS, year=1999))["items"] == []
    await owner.delete(TAX)
    untold = await get(owner, GAINS)
    assert (untold["untold"], untold["items"][0]["tax"]) == ([OWN_ACCOUNT], None)
    assert (await owner.get(LOTS, params={"symbol": "NONE"})).status_code == 422
    assert (await owner.get(GAINS, params={"portfolio_id": "none"})).status_code == 404


async def test_the_preview_of_a_rebalance_tells_tax_and_wash_sales(desk: World, owner: httpx.AsyncClient) -> None:
    await put(owner, TERMS)
    made = await owner.post(PORTFOLIO, json={"name": "Growth", "accounts": [OWN_ACCOUNT], "cash": "10000"})
    one = f"{PORTFOLIO}/{made.json()['id']}"
    half = {"targets": [{"symbol": STOCK.symbol, "weight": "0.5"}]}
    sent = await owner.post(f"{one}/rebalance", json=half)
    assert sent.status_code == 201, sent.text
    await desk.next_bar(10.0)
    await desk.next_bar(8.0)
    quarter = {"targets": [{"symbol": STOCK.symbol, "weight": "0.25"}]}
    plan = (await owner.post(f"{one}/rebalance/preview", json=quarter)).json()
    (trade,) = plan["tax"]["trades"]
    assert (trade["method"], D(trade["short"]) < 0, D(trade["tax"])) == ("min-tax", True, D(trade["short"]) * D("0.3"))
    assert (D(plan["tax"]["short"]), plan["tax"]["wash_sales"]) == (D(trade["short"]), [])
    assert D(plan["drift_after"]) < D(plan["drift"])
    await traded(desk, owner, price=8.0)
    (warned,) = (await owner.post(f"{one}/rebalance/preview", json=quarter)).json()["tax"]["wash_sales"]
    assert (warned["symbol"], warned["planned"], D(warned["at_risk"]) > 0) == (STOCK.symbol, True, True)
    assert [bought["planned"] for bought in warned["purchases"]] == [False]
    assert [lot["quantity"] for lot in warned["lots"]] == [warned["quantity"]]
    lots = (await get(owner, LOTS, portfolio_id=made.json()["id"]))["items"]
    assert {lot["book"] for lot in lots} == {made.json()["id"]}


async def test_weights_of_all_accounts_together(desk: World, owner: httpx.AsyncClient) -> None:
    made = await owner.post(PORTFOLIO, json={"name": "Growth", "accounts": [OWN_ACCOUNT], "cash": "10000"})
    one = f"{PORTFOLIO}/{made.json()['id']}/rebalance"
    half = {"targets": [{"symbol": STOCK.symbol, "weight": "0.5"}]}
    yields = [{"symbol": STOCK.symbol, "share": "0.03"}]
    plan = (await owner.post(f"{one}/preview", json={**half, "across": True, "yields": yields})).json()
    assert [trade["quantity"] for trade in plan["accounts"][0]["trades"]] == ["500"]
    short = {"targets": [{"symbol": STOCK.symbol, "weight": "-0.5"}], "across": True}
    odd = await owner.post(f"{one}/preview", json=short)
    assert [fault["field"] for fault in odd.json()["errors"]] == ["across"]
    odd = await owner.post(f"{one}/preview", json={**half, "yields": [{"symbol": "NONE", "share": "2"}]})
    assert [fault["field"] for fault in odd.json()["errors"]] == ["yields", "yields.0.symbol", "yields.0.share"]
    sent = await owner.post(one, json={**half, "across": True, "client_rebalance_id": "june"})
    assert sent.status_code == 201, sent.text
    again = await owner.post(one, json={**half, "across": True, "client_rebalance_id": "june", "wash_days": 60})
    assert (again.status_code, again.json()["id"]) == (200, sent.json()["id"])
    assert OTHER_ACCOUNT not in sent.text
