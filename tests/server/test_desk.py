"""Accounts, strategies, market and system through the API."""

import httpx
import pytest

from evenkeel.domain.clock import iso
from evenkeel.domain.records import AlertRaised
from evenkeel.server import views
from tests.server.world import DAY, DEPLOYMENT, OWN_ACCOUNT, START, STOCK, World, order, signal


async def test_an_account_shows_its_figures_as_strings(owner: httpx.AsyncClient) -> None:
    account = (await owner.get("/api/v2/accounts")).json()["items"][0]
    assert account["id"] == OWN_ACCOUNT
    assert (account["cash"], account["equity"], account["initial_balance"]) == ("100000", "100000", "100000")
    assert (account["mode"], account["readiness"], account["is_active"]) == ("paper", "READY", True)
    assert account["limits"]["max_position_share"] == "0.5"
    assert account["limits"]["daily_loss"] is None


async def test_profit_and_loss_add_up(desk: World, owner: httpx.AsyncClient) -> None:
    for side, quantity in (("BUY", "100"), ("SELL", "40")):
        await owner.post("/api/v2/trading/orders", json=order(side=side, quantity=quantity, time_in_force="GTC"))
        await desk.next_bar(10.0 if side == "BUY" else 12.0)
    await desk.next_bar(13.0)
    account = (await owner.get(f"/api/v2/accounts/{OWN_ACCOUNT}")).json()
    made = float(account["realised_pnl"]) + float(account["unrealised_pnl"])
    assert made == pytest.approx(float(account["equity"]) - float(account["initial_balance"]))
    assert float(account["total_return"]) == pytest.approx(made / 100_000)
    ledger = (await owner.get(f"/api/v2/accounts/{OWN_ACCOUNT}/ledger")).json()["items"]
    assert sum(float(line["amount"]) for line in ledger) == pytest.approx(float(account["cash"]))
    equity = (await owner.get(f"/api/v2/accounts/{OWN_ACCOUNT}/equity", params={"limit": 2})).json()
    assert len(equity["items"]) == 2
    assert equity["items"][0]["at"] > equity["items"][1]["at"]


@pytest.mark.parametrize("amount", ["50000", "-50000"])
async def test_what_is_paid_in_or_out_moves_no_return_and_no_drawdown(
    desk: World, owner: httpx.AsyncClient, amount: str
) -> None:
    await owner.post("/api/v2/trading/orders", json=order(side="BUY", quantity="1000", time_in_force="GTC"))
    for price in (10.0, 12.0, 11.0):
        await desk.next_bar(price)
    path = f"/api/v2/accounts/{OWN_ACCOUNT}"
    before = (await owner.get(path)).json()
    kind = "withdrawal" if amount.startswith("-") else "deposit"
    paid = await owner.post(f"{path}/cash", json={"kind": kind, "amount": amount.removeprefix("-")})
    assert paid.is_success, paid.text
    after = (await owner.get(path)).json()
    assert float(after["initial_balance"]) == 100_000 + float(amount)
    assert float(after["total_return"]) == pytest.approx(0.01, rel=0.01)
    assert float(after["drawdown"]) == pytest.approx(1 - 101 / 102, rel=0.01)
    assert (after["total_return"], after["drawdown"]) == (before["total_return"], before["drawdown"])
    await desk.next_bar(11.0)
    newest, day_before, *_ = (await owner.get(f"{path}/equity")).json()["items"]
    assert (newest["contributed"], day_before["contributed"]) == (after["initial_balance"], "100000")
    assert newest["total_return"] == after["total_return"]
    assert float(day_before["total_return"]) == pytest.approx(float(day_before["equity"]) / 100_000 - 1, abs=1e-8)


async def test_a_day_is_dated_at_its_end_not_when_the_next_one_ends_it(desk: World, owner: httpx.AsyncClient) -> None:
    await owner.post("/api/v2/trading/orders", json=order(side="BUY", quantity="100", time_in_force="GTC"))
    for price in (10.0, 12.0, 13.0):
        await desk.next_bar(price)
    days = (await owner.get(f"/api/v2/accounts/{OWN_ACCOUNT}/equity")).json()["items"]
    fill = (await owner.get("/api/v2/trading/fills")).json()["items"][0]
    first = min(day["at"] for day in days if day["at"] > fill["executed_at"])
    bought = next(day for day in days if day["at"] == first)
    assert first[:10] == fill["session_date"]
    assert float(bought["cash"]) < 100_000


async def test_the_clock_is_that_of_the_feed(desk: World, owner: httpx.AsyncClient) -> None:
    desk.parts.feed.kind = "simulated"  # type: ignore[misc]
    await desk.next_bar()
    await desk.next_bar()
    assert (await owner.get("/api/v2/system/status")).json()["clock"] == iso(START + 2 * DAY)


def test_a_middle_price_has_no_tail() -> None:
    assert views.price((101.0 + 101.01) / 2, STOCK) == "101.005"
    assert views.price(101.00500000000001, STOCK) == "101.005"
    assert views.price(100.0, STOCK) == "100"
    assert views.price(33.3333, STOCK) == "33.3333", "what is off the grid is shown as it is"


async def test_a_paper_account_can_be_opened(desk: World, owner: httpx.AsyncClient) -> None:
    body = {"name": "Second", "cash": "2500.50", "type": "margin", "fees": "us-per-share"}
    answer = await owner.post("/api/v2/accounts", json=body)
    assert answer.status_code == 201
    opened = answer.json()
    assert (opened["cash"], opened["type"], opened["fees"], opened["mode"]) == (
        "2500.50", "margin", "us-per-share", "paper",
    )  # fmt: skip
    assert (await owner.get(answer.headers["location"])).json()["name"] == "Second"
    await desk.runner.quiet()
    assert (await owner.get(answer.headers["location"])).json()["readiness"] == "READY"


@pytest.mark.parametrize(("currency", "cash"), [("USDT", "1000.000001"), ("KWD", "1000.001"), ("CLP", "1000")])
async def test_an_account_may_be_in_any_currency_and_in_coins(
    owner: httpx.AsyncClient, currency: str, cash: str
) -> None:
    body = {"name": currency, "cash": cash, "currency": currency}
    opened = await owner.post("/api/v2/accounts", json=body)
    assert opened.status_code == 201, opened.text
    assert (opened.json()["currency"], opened.json()["cash"]) == (currency, cash)
    finer = await owner.post("/api/v2/accounts", json=body | {"cash": f"{cash}{'' if '.' in cash else '.'}1"})
    assert finer.status_code == 422


async def test_a_strategy_is_deployed_switched_and_reallocated(desk: World, owner: httpx.AsyncClient) -> None:
    templates = (await owner.get("/api/v2/strategies/templates")).json()["items"]
    (crossover,) = [one for one in templates if one["id"] == "sma-crossover"]
    assert {one["name"] for one in crossover["parameters"]} >= {"fast", "slow"}
    body = {
        "name": "Mine", "template": "sma-crossover", "symbols": ["STK"], "parameters": {"fast": 3},
        "accounts": [{"account_id": OWN_ACCOUNT, "allocation": "0.25"}],
    }  # fmt: skip
    answer = await owner.post("/api/v2/strategies", json=body)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["status"], made["symbols"], made["mode"]) == ("running", ["STK"], "paper")
    assert made["parameters"]["fast"] == 3
    assert len(made["parameters"]) > 1, "defaults are written out"
    path = answer.headers["location"]
    assert (await owner.post(f"{path}/disable")).json()["status"] == "disabled"
    assert (await owner.post(f"{path}/enable")).json()["status"] == "running"
    assert (await owner.patch(path, json={"allocation": "0.1"})).json()["accounts"] == [
        {"account_id": OWN_ACCOUNT, "allocation": "0.1"}
    ]
    assert (await owner.patch(path, json={"accounts": []})).json()["accounts"] == []
    again = await owner.post("/api/v2/strategies", json=body)
    assert again.status_code == 422
    assert again.json()["errors"][0]["field"] == "name"


async def test_signals_are_listed_hold_included(desk: World, owner: httpx.AsyncClient) -> None:
    for target in (1.0, 1.0, 0.0):
        await desk.runner.submit(signal(desk.runner.state.time, target))
        await desk.runner.quiet()
    items = (await owner.get(f"/api/v2/strategies/{DEPLOYMENT}/signals")).json()["items"]
    assert [one["action"] for one in items] == ["SELL", "HOLD", "BUY"]
    assert items[0]["details"] == {"fast": 11.0}
    assert items[0]["symbol"] == "STK"


async def test_instruments_and_quotes(owner: httpx.AsyncClient) -> None:
    symbol = (await owner.get("/api/v2/market/symbols")).json()["items"][0]
    assert (symbol["id"], symbol["symbol"], symbol["tick_size"]) == (STOCK.id, "STK", "0.01")
    quotes = (await owner.get("/api/v2/market/quotes", params={"symbols": "stk"})).json()["items"]
    assert [(one["symbol"], one["last"]) for one in quotes] == [("STK", "10.00")]


async def test_the_bars_there_are_end_at_the_clock(owner: httpx.AsyncClient) -> None:
    (series,) = (await owner.get("/api/v2/market/series")).json()["items"]
    assert (series["id"], series["symbol"], series["timeframe"]) == (f"{STOCK.id}:1d", "STK", "1d")
    bars = (await owner.get("/api/v2/market/bars", params={"symbol": "STK"})).json()["items"]
    assert (series["start"], series["end"]) == (bars[0]["ts"], bars[-1]["close_ts"])


async def test_bars_are_adjusted_as_known_and_never_from_the_future(desk: World, owner: httpx.AsyncClient) -> None:
    async def bars(**query: str) -> list[dict[str, str]]:
        answer = await owner.get("/api/v2/market/bars", params={"symbol": "STK", **query})
        assert answer.status_code == 200, answer.text
        items: list[dict[str, str]] = answer.json()["items"]
        return items

    raw, adjusted = await bars(adjusted="false"), await bars()
    assert len(raw) == len(adjusted) == 31
    assert float(adjusted[0]["close"]) == float(raw[0]["close"]) / 2
    assert adjusted[-1] == raw[-1]
    assert len(await bars(limit="5")) == 5
    assert (await bars(limit="5"))[-1] == adjusted[-1]
    some = await bars(start="2005-08-25", end="2005-08-28T00:00:00Z")
    assert [one["ts"][:10] for one in some] == ["2005-08-25", "2005-08-26", "2005-08-27"]
    desk.parts.feed.kind = "replay"  # type: ignore[misc]
    desk.runner.state.cursor = START - 10 * DAY
    replayed = await bars(adjusted="false")
    assert [one["close_ts"] for one in replayed] == [one["close_ts"] for one in raw[:21]]


async def test_status_feed_and_its_controls(desk: World, owner: httpx.AsyncClient) -> None:
    status = (await owner.get("/api/v2/system/status")).json()
    assert (status["mode"], status["live_trading"], status["accounts_ready"]) == ("demo", False, 2)
    assert status["journal"]["seq"] == desk.runner.committed_seq
    assert status["feed"]["state"] == "none"
    assert (await owner.post("/api/v2/system/feed", json={"speed": 7})).json()["speed"] == "7"
    answer = await owner.post("/api/v2/system/feed", json={"action": "pause"})
    assert answer.status_code == 409


async def test_events_tell_the_day_in_words(desk: World, owner: httpx.AsyncClient) -> None:
    await owner.post("/api/v2/trading/orders", json=order(time_in_force="GTC"))
    await owner.post("/api/v2/trading/orders", json=order(quantity="9000"))
    await desk.next_bar(11.0)
    events = (await owner.get("/api/v2/system/events")).json()["items"]
    text = "\n".join(one["message"] for one in events)
    assert "Main: bought 10 STK at" in text
    assert "Main: BUY 9000 STK refused: STK would be" in text
    assert "Main opened" in text
    assert "Crossing is on, with 20 % of Main" in text
    assert "Theirs" not in text
    assert [one["at"] for one in events] == sorted((one["at"] for one in events), reverse=True)
    refused = next(one for one in events if one["kind"] == "order-refused")
    assert refused["level"] == "warning"
    assert refused["order_id"]
    first = (await owner.get("/api/v2/system/events", params={"limit": 2})).json()
    rest = (await owner.get("/api/v2/system/events", params={"cursor": first["next_cursor"]})).json()
    assert [one["id"] for one in first["items"] + rest["items"]] == [one["id"] for one in events]


async def test_the_past_is_told_after_a_restart(desk: World) -> None:
    from evenkeel.server.app import rebind

    async with await desk.signed_in() as client:
        before = (await client.get("/api/v2/system/events")).json()
        await rebind(desk.app)
        assert (await client.get("/api/v2/system/events")).json() == before


def test_alerts_keep_their_id(desk: World) -> None:
    from evenkeel.server.streams.lines import line

    alert = AlertRaised(
        at=START, id="alert-1", level="critical", kind="anomaly", message="look", account_id=OWN_ACCOUNT
    )
    event = line(desk.runner.state, alert, 7)
    assert event is not None
    assert (event.id, event.level, event.message) == ("alert-1", "critical", "look")
