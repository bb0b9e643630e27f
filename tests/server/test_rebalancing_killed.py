"""kill -9 of a real server in the middle of a rebalance of three paper accounts: it goes on, and doubles nothing."""

from decimal import Decimal
from typing import Any

import pytest

from tests.chaos.processes import short_folder
from tests.e2e.desks import Api, Demo, until

pytestmark = pytest.mark.slow
ACCOUNTS = (("Free", "30000", "zero"), ("Shared", "12000", "us-per-share"), ("Percent", "7000", "percent"))
FIRST = {"AAPL": "0.8", "IBM": "0.15"}
SECOND = {"AAPL": "0.2", "IBM": "0.5", "MSFT": "0.25"}


def post(api: Api, path: str, body: dict[str, Any], status: tuple[int, ...] = (200, 201)) -> dict[str, Any]:
    answer = api.client.post(path, json=body)
    assert answer.status_code in status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def targets(weights: dict[str, str]) -> dict[str, Any]:
    return {"targets": [{"symbol": symbol, "weight": weight} for symbol, weight in weights.items()]}


def funded(api: Api) -> str:
    """Three accounts with different cash and fees, and a portfolio that trades all of them."""
    ids = [post(api, "/accounts", {"name": name, "cash": cash, "fees": fees})["id"] for name, cash, fees in ACCOUNTS]
    for account_id in ids:
        limits = {"max_position_share": None, "daily_loss": None}
        api.client.patch(f"/accounts/{account_id}/limits", json=limits).raise_for_status()
    made = post(api, "/portfolio", {"name": "Growth", "accounts": ids, "cash": "20000"})["id"]
    for account_id, amount in zip(ids[1:], ("9000", "4000"), strict=True):
        body = {"from_account": account_id, "to_account": account_id, "to_book": made, "amount": amount}
        post(api, "/portfolio/transfers", body)
    return f"/portfolio/{made}"


def ended(api: Api, path: str, name: str) -> dict[str, Any]:
    """The rebalance, once it has ended; nothing before."""
    found = next(one for one in api.get(f"{path}/rebalances")["items"] if one["client_rebalance_id"] == name)
    return found if found["state"] != "RUNNING" else {}


def held(api: Api, path: str) -> dict[tuple[str, str], Decimal]:
    return {
        (one["account_id"], one["symbol"]): Decimal(one["quantity"]) for one in api.get(f"{path}/positions")["items"]
    }


def planned(plan: dict[str, Any], before: dict[tuple[str, str], Decimal]) -> dict[tuple[str, str], Decimal]:
    """What the positions are to be once all of a plan is filled."""
    after = dict(before)
    for part in plan["accounts"]:
        for trade in part["trades"]:
            key = trade["account_id"], trade["symbol"]
            sign = 1 if trade["side"] == "BUY" else -1
            after[key] = after.get(key, Decimal(0)) + sign * Decimal(trade["quantity"])
    return {key: quantity for key, quantity in after.items() if quantity}


def test_it_goes_on_after_each_kill_and_ends_as_previewed() -> None:
    with short_folder() as folder:
        demo = Demo(folder)
        try:
            demo.start()
            api = demo.api()
            path = funded(api)
            post(api, f"{path}/rebalance", targets(FIRST) | {"client_rebalance_id": "first"})
            done = until(lambda: ended(api, path, "first"), "the first rebalance has ended")
            assert done["state"] == "DONE", done["reasons"]
            api.steer("pause")
            until(lambda: api.feed["state"] == "paused", "the feed is paused", 20)

            body, before = targets(SECOND), held(api, path)
            plan = post(api, f"{path}/rebalance/preview", body)
            body |= {"client_rebalance_id": "second"}
            sent = post(api, f"{path}/rebalance", body)
            assert {one["side"] for one in sent["orders"] if one["order_id"]} == {"SELL"}, "sales first"
            for _ in range(2):
                demo.kill()
                demo.start()
                api = demo.api()
                assert post(api, f"{path}/rebalance", body | {"retry": True})["id"] == sent["id"]
            api.steer("resume")
            until(lambda: any(one["order_id"] and one["side"] == "BUY" for one in orders(api, path)), "purchases")
            demo.kill()
            demo.start()
            api = demo.api()
            if api.feed["state"] == "paused":
                api.steer("resume")
            done = until(lambda: ended(api, path, "second"), "the second rebalance has ended")
            assert done["state"] == "DONE", done["reasons"]
            assert held(api, path) == planned(plan, before), "what was previewed is what is held, and nothing twice"
            near(plan, done)
            assert post(api, f"{path}/rebalance", body | {"retry": True})["attempts"] == done["attempts"]
        finally:
            demo.stop()
        assert demo.doctor()["ok"]


def orders(api: Api, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"{path}/rebalances")["items"][0]["orders"]
    return found


def near(plan: dict[str, Any], done: dict[str, Any]) -> None:
    """Within slippage: prices have moved by a few bars at most."""
    traded, expected = Decimal(done["traded"]), Decimal(plan["traded"])
    assert abs(traded - expected) < expected * Decimal("0.2")
    cost, estimate = Decimal(done["cost"]), Decimal(plan["cost"])
    assert estimate > 0
    assert abs(cost - estimate) < estimate * Decimal("0.2") + Decimal("0.10")
