"""Steering an account by the API: its limits and its cash, and what a list of positions holds."""

from typing import Any

from tests.server.world import OWN_ACCOUNT, World, order

ACCOUNT = f"/api/v2/accounts/{OWN_ACCOUNT}"


async def test_limits_change_one_by_one_and_null_turns_a_check_off(desk: World) -> None:
    async with await desk.signed_in() as client:
        before = (await client.get(ACCOUNT)).json()["limits"]
        changed = await client.patch(f"{ACCOUNT}/limits", json={"max_position_share": "0.25", "daily_loss": None})
        assert changed.status_code == 200
        expected = before | {"max_position_share": "0.25", "daily_loss": None}
        assert changed.json()["limits"] == expected
        assert (await client.get(ACCOUNT)).json()["limits"] == expected
        none = await client.patch(f"{ACCOUNT}/limits", json={"max_trades_per_day": 0})
        assert none.json()["limits"]["max_trades_per_day"] == 0
        refused = (await client.post("/api/v2/trading/orders", json=order())).json()
        assert (refused["state"], refused["rule"], refused["limit"]) == ("REFUSED", "max-trades-per-day", "0")


async def test_faulty_limits_are_named_and_change_nothing(desk: World) -> None:
    async with await desk.signed_in() as client:
        before = (await client.get(ACCOUNT)).json()["limits"]
        body = {"max_position_share": "1.5", "allow_short": "yes", "nonsense": 1}
        answer = await client.patch(f"{ACCOUNT}/limits", json=body)
        assert answer.status_code == 422
        assert {fault["field"] for fault in answer.json()["errors"]} <= {
            "max_position_share",
            "allow_short",
            "nonsense",
        }
        assert (await client.get(ACCOUNT)).json()["limits"] == before


async def test_cash_moves_in_and_out_and_is_no_profit(desk: World) -> None:
    async with await desk.signed_in() as client:
        before = (await client.get(ACCOUNT)).json()
        more = await client.post(f"{ACCOUNT}/cash", json={"kind": "deposit", "amount": "250.50"})
        assert more.status_code == 201
        assert float(more.json()["cash"]) == float(before["cash"]) + 250.5
        assert float(more.json()["day_pnl"]) == float(before["day_pnl"])
        less = await client.post(f"{ACCOUNT}/cash", json={"kind": "withdrawal", "amount": "250.50"})
        assert float(less.json()["cash"]) == float(before["cash"])
        for body in ({"kind": "withdrawal", "amount": "99999999"}, {"kind": "deposit", "amount": "0.001"}):
            declined = await client.post(f"{ACCOUNT}/cash", json=body)
            assert declined.status_code == 422
            assert declined.json()["errors"][0]["field"] == "amount"


async def test_positions_come_in_pages_and_by_status(desk: World) -> None:
    async with await desk.signed_in() as client:

        async def positions(**query: Any) -> dict[str, Any]:
            answer = await client.get("/api/v2/trading/positions", params=query)
            assert answer.status_code == 200
            found: dict[str, Any] = answer.json()
            return found

        whole = await positions(status="all", account_id=OWN_ACCOUNT)
        opened = await positions(account_id=OWN_ACCOUNT, limit=1)
        assert len(opened["items"]) <= 1
        assert {one["id"] for one in opened["items"]} <= {one["id"] for one in whole["items"]}
        assert (await positions(status="closed"))["items"] == [
            one for one in whole["items"] if float(one["quantity"]) == 0
        ]


async def test_an_order_in_no_doubt_needs_no_word_of_a_person(desk: World) -> None:
    async with await desk.signed_in() as client:
        placed = (await client.post("/api/v2/trading/orders", json=order(kind="LIMIT", limit_price="5"))).json()
        await desk.runner.quiet()
        answer = await client.post(f"/api/v2/trading/orders/{placed['id']}/resolve")
        assert answer.status_code == 409
        assert "not in doubt" in answer.json()["detail"]
