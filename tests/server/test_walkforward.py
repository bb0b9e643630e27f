"""Walk-forward sessions over the API: a whole life of one, and several side by side."""

from typing import Any

import httpx
import pytest

from evenkeel.domain.commands import TakeSignal
from evenkeel.domain.strategies import Signal
from tests.server.world import STOCK, World
from tests.trading.live.desk import BY

PATH = "/api/v2/walkforward/sessions"
CROSSOVER = {"template": "sma-crossover", "symbols": ["STK"], "allocation": "0.5"}


async def made(owner: httpx.AsyncClient, name: str = "Alpha", **more: Any) -> dict[str, Any]:
    body = {"name": name, "capital": "100000", "strategies": [CROSSOVER], "start": True} | more
    answer = await owner.post(PATH, json=body)
    assert answer.status_code == 201, answer.text
    opened: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"{PATH}/{opened['id']}"
    return opened


async def wanted(desk: World, session: dict[str, Any], target: float) -> None:
    """What the session's strategy would signal now; 0.1 of equity is the most that risk allows of one instrument."""
    signal = Signal(session["strategies"][0], STOCK.id, desk.runner.clock.now(), target)
    await desk.runner.quiet()
    await desk.runner.submit(TakeSignal(provenance=BY, signal=signal))
    await desk.runner.quiet()


async def told(owner: httpx.AsyncClient, path: str) -> dict[str, Any]:
    answer = await owner.get(f"{PATH}{path}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_session_has_the_defaults_that_people_expect(owner: httpx.AsyncClient) -> None:
    opened = (await owner.post(PATH, json={"name": "Plain"})).json()
    assert (opened["capital"], opened["costs"], opened["brokerage_rate"]) == ("1000000", False, "0.0003")
    assert (opened["status"], opened["fees"], opened["terms"], opened["strategies"]) == ("stopped", "zero", None, [])
    [account] = [one for one in (await owner.get("/api/v2/accounts")).json()["items"] if one["name"] == "Plain"]
    assert (account["mode"], account["id"]) == ("walkforward", opened["account_id"])


async def test_the_life_of_a_session(desk: World, owner: httpx.AsyncClient) -> None:
    session = await made(owner)
    one = f"/{session['id']}"
    assert session["status"] == "running"
    await wanted(desk, session, 0.15)
    await desk.next_bar(10.0)
    [trade] = (await told(owner, f"{one}/trades"))["items"]
    assert (trade["symbol"], trade["side"], trade["quantity"], trade["exit_at"]) == ("STK", "long", "750", None)
    entered = trade["entry_at"]
    await desk.next_bar(12.0)
    stopped = (await owner.post(f"{PATH}{one}/stop", json={})).json()
    assert (stopped["status"], stopped["positions"], stopped["equity"]) == ("stopped", 1, "101500.00")
    await wanted(desk, session, 0.0)
    assert (await told(owner, one))["open_orders"] == 0
    await owner.post(f"{PATH}{one}/start")
    closing = (await owner.post(f"{PATH}{one}/complete")).json()
    assert (closing["status"], closing["closing"], closing["open_orders"]) == ("closing", True, 1)
    await desk.next_bar(11.0)
    frozen = await told(owner, one)
    assert (frozen["status"], frozen["equity"], frozen["cash"], frozen["total_return"]) == (
        "completed", "100750.00", "100750.00", "0.0075",
    )  # fmt: skip
    [trade] = (await told(owner, f"{one}/trades"))["items"]
    assert (trade["net"], trade["entry_price"], trade["exit_price"]) == ("750", "10", "11")
    assert trade["entry_at"] == entered < trade["exit_at"]
    for _ in range(3):
        await desk.next_bar(20.0)
    assert await told(owner, one) == frozen
    again = await owner.post(f"{PATH}{one}/start")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert (await told(owner, "?status=completed"))["items"] == [frozen]
    assert (await told(owner, "?status=running"))["items"] == []


async def test_costs_are_charged_at_the_rate_that_was_asked_for(desk: World, owner: httpx.AsyncClient) -> None:
    session = await made(owner, costs=True, brokerage_rate="0.001")
    assert session["fees"] == "zero(brokerage=0.001)"
    await wanted(desk, session, 0.1)
    await desk.next_bar(10.0)
    assert (await told(owner, f"/{session['id']}"))["charges"] == "5.00"
    taxed = await made(owner, "Taxed", costs=True, fees="india-equity-intraday", taxes=False, strategies=[])
    assert taxed["fees"] == "india-equity-intraday(brokerage=0.0003, taxes=off)"


async def test_terms_are_shown_as_they_were_asked_for(owner: httpx.AsyncClient) -> None:
    terms = {
        "latency_ms": 250, "delay_seconds": 900, "spread": 0.0005, "spread_share": 0.4, "slippage_bps": 2.0,
        "impact": 0.01, "participation": None, "queue": 0.2, "marking": "bar", "margin": 0.25,
    }  # fmt: skip
    session = await made(owner, terms=terms)
    assert session["terms"] == terms
    assert session["margin"] == "0.00"
    account = (await owner.get(f"/api/v2/accounts/{session['account_id']}")).json()
    assert account["terms"] == terms


async def test_a_paper_account_may_have_terms_and_a_variant_of_a_schedule(owner: httpx.AsyncClient) -> None:
    body = {"name": "Slow", "cash": "1000", "fees": "zero(brokerage=0.0005)", "terms": {"latency_ms": 100}}
    opened = (await owner.post("/api/v2/accounts", json=body)).json()
    assert (opened["mode"], opened["fees"]) == ("paper", "zero(brokerage=0.0005)")
    assert opened["terms"]["latency_ms"] == 100


async def test_days_figures_comparison_correlation_and_risk(desk: World, owner: httpx.AsyncClient) -> None:
    one, two = await made(owner, "One"), await made(owner, "Two")
    idle = await made(owner, "Idle", strategies=[])
    await wanted(desk, one, 0.2)
    await wanted(desk, two, 0.1)
    for price in (10.0, 11.0, 9.0, 12.0, 10.0, 11.0):
        await desk.next_bar(price)
    analytics = await told(owner, f"/{one['id']}/analytics")
    assert [day["equity"] for day in analytics["days"]] == ["100000", "100000", "101000", "99000", "102000", "100000"]
    assert analytics["days"][3]["drawdown"] == pytest.approx(2000 / 101000)
    assert analytics["metrics"]["max_drawdown"] == pytest.approx(-2000 / 101000)
    ids = f"?ids={one['id']},{two['id']}"
    compared = (await told(owner, f"/compare{ids}"))["items"]
    assert [each["name"] for each in compared] == ["One", "Two"]
    assert compared[0]["metrics"] == analytics["metrics"]
    together = await told(owner, f"/correlation{ids}")
    assert together["days"] == 6
    assert together["matrix"][0] == [1.0, pytest.approx(1.0, abs=1e-3)]
    with_idle = await told(owner, f"/correlation?ids={one['id']},{idle['id']}")
    assert with_idle["matrix"][1] == [None, None]
    risk = await told(owner, f"/risk{ids}")
    assert (risk["capital"], risk["value"], risk["days"]) == ("200000.00", "200000.00", 6)
    assert risk["max_drawdown"] == pytest.approx(3000 / 201_500, abs=1e-6)
    assert risk["gross"] == risk["net"] == "16500.00"
    assert float(risk["apart"]) == pytest.approx(float(risk["var_95"]), rel=0.01)
    assert float(risk["var_99"]) >= float(risk["var_95"]) > 0
    assert risk["largest"] == [{"symbol": "STK", "value": "16500.00"}]
    everything = await told(owner, "/risk")
    assert everything["capital"] == "300000.00"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "A", "capital": "0"}, "capital"),
        ({"name": "A", "capital": "1.005"}, "cash"),
        ({"name": "A", "currency": "ABC"}, "currency"),
        ({"name": "A", "brokerage_rate": "1"}, "brokerage_rate"),
        ({"name": "A", "fees": "free"}, "fees"),
        ({"name": "A", "fees": "zero(brokerage=2)"}, "fees"),
        ({"name": "A", "costs": True, "fees": "zero(taxes=off)"}, "fees"),
        ({"name": "A", "terms": {"queue": -1}}, "terms.queue"),
        ({"name": "A", "terms": {"latency": 3}}, "terms"),
        ({"name": "A", "strategies": [{"template": "none", "symbols": ["STK"]}]}, "strategies.0.template"),
        ({"name": "A", "strategies": [{"template": "sma-crossover", "symbols": ["NO"]}]}, "strategies.0.symbols.0"),
        ({"name": "Main"}, "name"),
        ({"name": "A", "strategies": [CROSSOVER | {"name": "Crossing"}]}, "strategies.0.name"),
        ({"name": "A", "strategies": [CROSSOVER | {"allocation": "2"}]}, "strategies.0.allocation"),
    ],
)
async def test_what_is_wrong_is_named_and_opens_nothing(
    desk: World, owner: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    before = desk.runner.committed_seq
    answer = await owner.post(PATH, json=body)
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]
    assert desk.runner.committed_seq == before


async def test_sessions_of_two_currencies_are_not_added(owner: httpx.AsyncClient) -> None:
    await made(owner, "Dollars", strategies=[])
    await made(owner, "Euros", strategies=[], currency="EUR")
    answer = await owner.get(f"{PATH}/risk")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "ids")


async def test_a_session_that_is_somebody_elses_is_not_there(desk: World, owner: httpx.AsyncClient) -> None:
    session = await made(owner)
    async with await desk.signed_in(desk.other) as other:
        assert (await other.get(f"{PATH}/{session['id']}")).status_code == 404
        assert (await other.get(f"{PATH}/compare?ids={session['id']}")).status_code == 404
        assert (await other.get(PATH)).json()["items"] == []
        theirs = await other.post(PATH, json={"name": "Theirs too", "strategies": [CROSSOVER]})
        assert theirs.status_code == 201
    assert [one["name"] for one in (await told(owner, ""))["items"]] == ["Alpha"]


async def test_a_session_is_told_of_as_it_moves(desk: World, owner: httpx.AsyncClient) -> None:
    session = await made(owner)
    await owner.post(f"{PATH}/{session['id']}/stop", json={"close": True})
    events = (await owner.get("/api/v2/system/events")).json()["items"]
    messages = [event["message"] for event in events if event["kind"] == "session"]
    being_closed = "Session Alpha is stopped, what it holds is being closed"
    assert messages == ["Session Alpha is stopped", being_closed, "Session Alpha is running"]
