"""Portfolios over the API: made, traded in by name, adopted into, paid, moved between, seen day by day; and whose."""

from typing import Any

import httpx
import pytest

from tests.server.world import DEPLOYMENT, OTHER_ACCOUNT, OWN_ACCOUNT, STOCK, World, order, signal

PATH = "/api/v2/portfolio"
ORDERS, POSITIONS = "/api/v2/trading/orders", "/api/v2/trading/positions"


async def make(client: httpx.AsyncClient, status: int = 201, **more: Any) -> dict[str, Any]:
    body = {"name": "Growth", "accounts": [OWN_ACCOUNT], "cash": "10000"} | more
    answer = await client.post(PATH, json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def call(client: httpx.AsyncClient, path: str, body: Any = None, status: int = 200) -> dict[str, Any]:
    answer = await client.post(f"{PATH}{path}", json=body) if body is not None else await client.get(f"{PATH}{path}")
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_portfolio_is_made_seen_and_changed(owner: httpx.AsyncClient) -> None:
    made = await make(owner, strategy="what rises", risk_tolerance="0.75", max_position="0.25")
    assert (made["name"], made["currency"], made["accounts"]) == ("Growth", "USD", [OWN_ACCOUNT])
    assert (made["value"], made["cash"], made["contributed"], made["result"]) == ("10000", "10000", "10000", "0")
    assert (made["risk_tolerance"], made["max_position"], made["is_active"]) == ("0.75", "0.25", True)
    assert [(one["account_id"], one["book"]) for one in made["books"]] == [(OWN_ACCOUNT, made["id"])]
    assert (await call(owner, f"/{made['id']}")) == made
    answer = await owner.patch(f"{PATH}/{made['id']}", json={"name": "Income", "max_position": None})
    changed = answer.json()
    assert (changed["name"], changed["max_position"], changed["strategy"]) == ("Income", None, "what rises")
    assert [one["name"] for one in (await call(owner, ""))["items"]] == ["Income"]
    limits = (await owner.get("/api/v2/risk/limits", params={"scope": "portfolio"})).json()["items"]
    assert [(one["name"], [rule["rule"] for rule in one["rules"]]) for one in limits] == [
        ("portfolio Income", ["max_gross_leverage"])
    ]


async def test_what_makes_none_says_every_field(owner: httpx.AsyncClient) -> None:
    found = await make(owner, 422, accounts=[OWN_ACCOUNT, OTHER_ACCOUNT], cash="-1", risk_tolerance="2")
    assert [one["field"] for one in found["errors"]] == ["accounts.1", "cash", "risk_tolerance"]
    found = await make(owner, 422, cash="100001")
    assert found["errors"][0]["message"] == "the account beside its portfolios has 100000.00 USD in cash"
    found = await make(owner, 422, name="manual")
    assert found["errors"][0]["field"] == "name"


async def test_orders_name_it_and_its_limits_hold(desk: World, owner: httpx.AsyncClient) -> None:
    made = await make(owner, max_position="0.5")
    placed = (await owner.post(ORDERS, json=order(quantity="500", book=made["id"]))).json()
    assert placed["state"] == "SUBMITTED"
    await desk.next_bar()
    (position,) = (await call(owner, f"/{made['id']}/positions"))["items"]
    assert (position["portfolio_id"], position["portfolio"], position["quantity"]) == (made["id"], "Growth", "500")
    refused = (await owner.post(ORDERS, json=order(quantity="1", book=made["id"]))).json()
    assert (refused["state"], refused["rule"], refused["layer"]) == ("REFUSED", "max-position-share", "portfolio")
    (shown,) = (await owner.get(POSITIONS)).json()["items"]
    assert shown == position
    unknown = await owner.post(ORDERS, json=order(book="nothing"))
    assert unknown.json()["errors"][0]["field"] == "book"


async def test_a_strategy_is_adopted_and_released(desk: World, owner: httpx.AsyncClient) -> None:
    made = await make(owner, adopt=[DEPLOYMENT])
    assert [(one["book"], one["strategy"]) for one in made["books"]] == [(made["id"], None), (DEPLOYMENT, "Crossing")]
    await desk.runner.submit(signal(desk.runner.clock.at, 0.2))
    await desk.next_bar()
    held = await call(owner, f"/{made['id']}")
    assert held["positions"] == 1
    (position,) = (await owner.get(POSITIONS)).json()["items"]
    assert (position["strategy"], position["portfolio"]) == ("Crossing", "Growth")
    other = await make(owner, name="Other", cash="0")
    taken = await call(owner, f"/{other['id']}/adopt", {"strategy": DEPLOYMENT}, 409)
    assert taken["detail"] == "the book of Crossing here belongs to portfolio Growth"
    released = await call(owner, f"/{made['id']}/release", {"strategy": DEPLOYMENT})
    assert (released["positions"], len(released["books"])) == (0, 1)
    await call(owner, f"/{made['id']}/release", {"strategy": DEPLOYMENT}, 409)
    again = await call(owner, f"/{other['id']}/adopt", {"strategy": DEPLOYMENT, "account_id": OWN_ACCOUNT})
    assert again["positions"] == 1


async def test_cash_moves_between_books_and_is_recorded(desk: World, owner: httpx.AsyncClient) -> None:
    one, two = await make(owner), await make(owner, name="Income", cash="0")
    moved = {"from_account": OWN_ACCOUNT, "from_book": one["id"], "to_account": OWN_ACCOUNT, "to_book": two["id"]}
    answer = await call(owner, "/transfers", moved | {"amount": "2500.50", "note": "to begin with"}, 201)
    assert [account["cash"] for account in answer["items"]] == ["100000.00"]
    assert (await call(owner, f"/{two['id']}"))["value"] == "2500.50"
    short = await call(owner, "/transfers", moved | {"amount": "7499.51"}, 422)
    assert short["errors"][0]["message"] == "this book has 7499.50 USD in cash"
    for kind, amount in (("deposit", "100"), ("dividend", "7.25"), ("fee", "1"), ("withdrawal", "50")):
        await call(owner, f"/{two['id']}/transactions", {"kind": kind, "amount": amount, "note": "by hand"}, 201)
    after = await call(owner, f"/{two['id']}")
    assert (after["value"], after["contributed"], after["result"]) == ("2556.75", "2550.50", "6.25")
    rows = (await call(owner, f"/{two['id']}/transactions"))["items"]
    assert [(row["type"], row["amount"], row["note"]) for row in rows] == [
        ("withdrawal", "-50", "by hand"),
        ("fee", "-1", "by hand"),
        ("dividend", "7.25", "by hand"),
        ("deposit", "100", "by hand"),
        ("transfer", "2500.50", "to begin with"),
    ]
    totals = (await call(owner, "/totals"))["items"]
    assert totals == [
        {
            "id": "USD",
            "currency": "USD",
            "total_value": "10056.25",
            "cash": "10056.25",
            "num_portfolios": 2,
            "total_positions": 0,
        }
    ]
    everything = (await call(owner, "/transactions?type=deposit"))["items"]
    assert [row["amount"] for row in everything] == ["100", "100000"]


async def test_days_trades_risk_and_correlations(desk: World, owner: httpx.AsyncClient) -> None:
    one, two = await make(owner), await make(owner, name="Income")
    for book in (one["id"], two["id"]):
        await owner.post(ORDERS, json=order(quantity="100", book=book))
    for price in (10.0, 11.0, 10.5, 12.0):
        await desk.next_bar(price)
    await owner.post(ORDERS, json=order(quantity="100", side="SELL", book=one["id"]))
    await desk.next_bar(12.0)
    days = (await call(owner, f"/{one['id']}/performance"))["items"]
    assert len(days) >= 4
    assert days[0]["cumulative_return"] == pytest.approx(float(days[0]["total_value"]) / 10000 - 1)
    assert days[0]["sharpe_ratio"] is not None
    (trip,) = (await call(owner, f"/{one['id']}/trades"))["items"]
    assert (trip["symbol"], trip["side"], trip["status"], trip["quantity"]) == ("STK", "long", "CLOSED", "100")
    assert (await call(owner, f"/{one['id']}"))["win_rate"] == 1.0
    assert (await call(owner, f"/{two['id']}/trades?status=closed"))["items"] == []
    matrix = await call(owner, "/correlations")
    assert (matrix["names"], len(matrix["rows"])) == (["Growth", "Income"], 2)
    assert matrix["rows"][0][1] == pytest.approx(1.0)
    risk = await call(owner, f"/{two['id']}/risk")
    assert risk["books"][0]["holdings"][0]["symbol"] == "STK"
    assert risk["books"][0]["drawdown"] is not None
    page = await call(owner, f"/{one['id']}/performance?limit=2")
    assert page["items"] == days[:2]
    assert (await call(owner, f"/{one['id']}/performance?limit=2&cursor={page['next_cursor']}"))["items"] == days[2:4]


async def test_it_is_archived_when_empty_and_can_come_back(owner: httpx.AsyncClient) -> None:
    made = await make(owner)
    full = await call(owner, f"/{made['id']}/archive", {}, 409)
    assert full["detail"] == "Growth still has 10000 USD in cash"
    back = {"from_account": OWN_ACCOUNT, "from_book": made["id"], "to_account": OWN_ACCOUNT, "amount": "10000"}
    await call(owner, "/transfers", back, 201)
    assert (await call(owner, f"/{made['id']}/archive", {}))["is_active"] is False
    assert (await call(owner, ""))["items"] == []
    assert len((await call(owner, "?archived=true"))["items"]) == 1
    refused = await owner.post(ORDERS, json=order(book=made["id"]))
    assert refused.json()["errors"][0]["message"] == "portfolio Growth is archived; restore it first"
    assert (await call(owner, f"/{made['id']}/restore", {}))["is_active"] is True


async def test_what_is_somebody_elses_is_not_there(desk: World, owner: httpx.AsyncClient) -> None:
    made = await make(owner)
    async with await desk.signed_in(desk.other) as stranger:
        assert (await call(stranger, ""))["items"] == []
        for path in ("", "/positions", "/transactions", "/performance", "/trades", "/risk"):
            await call(stranger, f"/{made['id']}{path}", status=404)
        for path in ("/archive", "/adopt", "/transactions"):
            body = {"strategy": DEPLOYMENT} if path == "/adopt" else {"kind": "deposit", "amount": "1"}
            await call(stranger, f"/{made['id']}{path}", body if path != "/archive" else {}, 404)
        ordered = await stranger.post(ORDERS, json=order(account_id=OTHER_ACCOUNT, book=made["id"]))
        assert ordered.json()["errors"][0]["field"] == "book"
        stolen = {"from_account": OWN_ACCOUNT, "from_book": made["id"], "to_account": OTHER_ACCOUNT, "amount": "1"}
        await call(stranger, "/transfers", stolen, 422)
        assert (await call(stranger, "/transactions"))["items"][-1]["account_id"] == OTHER_ACCOUNT
        await call(stranger, f"/transactions?account_id={OWN_ACCOUNT}", status=404)
    assert STOCK.symbol == "STK"
