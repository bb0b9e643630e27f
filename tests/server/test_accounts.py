"""Accounts beside trading: details, groups as a scope, out of use and back, erased; many accounts as one, converted."""

from decimal import Decimal
from typing import Any

import httpx
import pytest

from evenkeel.domain import commands as c
from evenkeel.domain.accounts import Account, AccountType
from evenkeel.domain.instruments import AssetClass, Instrument
from tests.server.world import LIMITS, OTHER_ACCOUNT, OWN_ACCOUNT, World, order
from tests.trading.live.desk import BY

D = Decimal
ACCOUNTS, PORTFOLIO = "/api/v2/accounts", "/api/v2/portfolio"
SECOND = "0190a000-0000-7000-8000-000000000003"
EURO = Instrument("euro-stock", "EUS", "XPAR", AssetClass.EQUITY, "EUR", D("0.01"), D(1))


@pytest.fixture
async def two(desk: World) -> World:
    """The owner has a second account, in euros, and an instrument to trade there."""
    await desk.runner.submit(c.ListInstrument(provenance=BY, instrument=EURO))
    account = Account(SECOND, desk.owner.id, "Euro", "simulated", "EUR", limits=LIMITS, type=AccountType.MARGIN)
    await desk.runner.submit(c.OpenAccount(provenance=BY, account=account, initial_cash=D(1_000)))
    await desk.runner.quiet()
    return desk


async def said(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


async def group(owner: httpx.AsyncClient, name: str, *accounts: str) -> Any:
    body = {"name": name, "account_ids": list(accounts)}
    return await said(await owner.post(f"{ACCOUNTS}/groups", json=body), 201)


async def test_details_are_kept_and_change_one_by_one(two: World, owner: httpx.AsyncClient) -> None:
    path = f"{ACCOUNTS}/{OWN_ACCOUNT}/details"
    assert (await said(await owner.get(path)))["labels"] == []
    body = {"number": "U1234567", "labels": ["long term", "pension", "long term"], "notes": "of Anna"}
    kept = await said(await owner.patch(path, json=body))
    assert (kept["number"], kept["labels"], kept["notes"]) == ("U1234567", ["long term", "pension"], "of Anna")
    await group(owner, "Family", OWN_ACCOUNT)
    changed = await said(await owner.patch(path, json={"egress": "127.0.0.1", "notes": ""}))
    assert changed == kept | {"egress": "127.0.0.1", "notes": "", "groups": ["Family"]}
    assert two.parts.directory.egress_of(OWN_ACCOUNT) == "127.0.0.1"
    assert two.parts.directory.egress_of(SECOND) is None


@pytest.mark.parametrize("address", ["somewhere", "0.0.0.0", "224.0.0.1", "203.0.113.7", "::"])
async def test_an_egress_address_must_be_one_of_this_machine(
    desk: World, owner: httpx.AsyncClient, address: str
) -> None:
    answer = await owner.patch(f"{ACCOUNTS}/{OWN_ACCOUNT}/details", json={"egress": address})
    problem = await said(answer, 422)
    assert [one["field"] for one in problem["errors"]] == ["egress"]


async def test_groups_are_made_changed_and_taken_away(two: World, owner: httpx.AsyncClient) -> None:
    made = await group(owner, "Family", OWN_ACCOUNT)
    path = f"{ACCOUNTS}/groups/{made['id']}"
    both = await said(await owner.patch(path, json={"add": [SECOND], "name": "The family"}))
    assert (both["name"], both["account_ids"]) == ("The family", [OWN_ACCOUNT, SECOND])
    assert [one["name"] for one in (await said(await owner.get(f"{ACCOUNTS}/groups")))["items"]] == ["The family"]
    view = await said(await owner.get(f"{ACCOUNTS}/groups/the family"))
    assert [one["readiness"] for one in view["health"]] == ["READY", "READY"]
    assert (view["total"]["currency"], view["total"]["left_out"]) == ("USD", ["EUR"])
    assert (await said(await owner.patch(path, json={"remove": [SECOND]})))["account_ids"] == [OWN_ACCOUNT]
    assert (await owner.delete(path)).status_code == 204
    assert (await owner.get(path)).status_code == 404


async def test_a_group_holds_only_what_is_ones_own_under_a_name_of_its_own(
    desk: World, owner: httpx.AsyncClient
) -> None:
    body = {"name": "Theirs", "account_ids": [OTHER_ACCOUNT]}
    problem = await said(await owner.post(f"{ACCOUNTS}/groups", json=body), 422)
    assert problem["errors"][0]["field"] == "account_ids.0"
    made = await group(owner, "Mine", OWN_ACCOUNT)
    assert (await owner.post(f"{ACCOUNTS}/groups", json={"name": "MINE"})).status_code == 422
    async with await desk.signed_in(desk.other) as other:
        assert (await other.get(f"{ACCOUNTS}/groups/{made['id']}")).status_code == 404
        assert (await said(await other.get(f"{ACCOUNTS}/groups")))["items"] == []
        assert (await other.get(ACCOUNTS, params={"group": "Mine"})).status_code == 404


async def test_lists_and_profit_know_groups_labels_and_modes(two: World, owner: httpx.AsyncClient) -> None:
    await group(owner, "Dollars", OWN_ACCOUNT)
    await group(owner, "All", OWN_ACCOUNT, SECOND)
    await owner.patch(f"{ACCOUNTS}/{SECOND}/details", json={"labels": ["euro"]})
    await owner.post("/api/v2/trading/orders", json=order("one"))
    await two.next_bar()

    async def names(**query: str) -> list[str]:
        return [one["name"] for one in (await said(await owner.get(ACCOUNTS, params=query)))["items"]]

    assert await names(group="dollars") == ["Main"]
    assert await names(label="euro") == ["Euro"]
    assert await names(mode="live") == []
    assert await names(active="true") == ["Main", "Euro"]
    for path in ("orders", "fills", "positions"):
        found = await said(await owner.get(f"/api/v2/trading/{path}", params={"group": "Dollars"}))
        assert [one["account_id"] for one in found["items"]] == [OWN_ACCOUNT]
        assert (await owner.get(f"/api/v2/trading/{path}", params={"group": "None"})).status_code == 404
    report = await said(await owner.get("/api/v2/trading/pnl", params={"by": "group"}))
    assert [one["name"] for one in report["items"]] == ["All", "Dollars"]
    narrow = await said(await owner.get("/api/v2/trading/pnl", params={"by": "account", "group": "Dollars"}))
    assert [one["name"] for one in narrow["items"]] == ["Main"]


async def test_a_group_is_flattened_and_its_orders_are_cancelled(two: World, owner: httpx.AsyncClient) -> None:
    await group(owner, "Dollars", OWN_ACCOUNT)
    await group(owner, "Euros", SECOND)
    await owner.post("/api/v2/trading/orders", json=order("one"))
    await two.next_bar()
    resting = order("rest", kind="LIMIT", limit_price="5.00", time_in_force="GTC")
    await owner.post("/api/v2/trading/orders", json=resting)
    none = await said(await owner.post("/api/v2/trading/orders/cancel", json={"group": "Euros"}))
    assert none["done"] == 0
    some = await said(await owner.post("/api/v2/trading/orders/cancel", json={"group": "Dollars"}))
    assert some["done"] == 1
    await two.runner.quiet()
    assert (await owner.post("/api/v2/trading/positions/flatten", json={"group": "Nobody"})).status_code == 422
    moved = await said(await owner.post("/api/v2/trading/positions/flatten", json={"group": "Dollars"}), 201)
    assert [one["side"] for one in moved["orders"]] == ["SELL"]


async def test_a_panic_of_a_group_halts_each_of_its_accounts(two: World, owner: httpx.AsyncClient) -> None:
    made = await group(owner, "All", OWN_ACCOUNT, SECOND)
    path = f"{ACCOUNTS}/groups/{made['id']}"
    pressed = await said(await owner.post(f"{path}/panic", json={"cooldown": 0, "reason": "drill"}), 202)
    assert sorted(one["scope_id"] for one in pressed["items"]) == [OWN_ACCOUNT, SECOND]
    await two.runner.quiet()
    view = await said(await owner.get(path))
    assert [one["halted"] for one in view["health"]] == ["account", "account"]
    freed = await said(await owner.post(f"{path}/resume", json={"abandon": True}))
    assert [one["state"] for one in freed["items"]] == ["resumed", "resumed"]
    assert two.runner.state.halts == {}
    empty = await group(owner, "Empty")
    assert (await owner.post(f"{ACCOUNTS}/groups/{empty['id']}/panic", json={})).status_code == 422


async def test_an_account_goes_out_of_use_and_comes_back(desk: World, owner: httpx.AsyncClient) -> None:
    path = f"{ACCOUNTS}/{OWN_ACCOUNT}"
    await owner.post("/api/v2/trading/orders", json=order("one"))
    await desk.next_bar()
    refused = await said(await owner.post(f"{path}/deactivate", json={"reason": "closing"}), 409)
    assert "10 STK" in refused["detail"]
    kept = await said(await owner.post(f"{path}/deactivate", json={"reason": "closing", "keep": True}))
    assert kept["is_active"] is False
    assert kept["inactive_reason"].endswith(": closing")
    more = await said(await owner.post("/api/v2/trading/orders", json=order("two")), 201)
    assert (more["state"], more["rule"]) == ("REFUSED", "account-active")
    less = await said(await owner.post("/api/v2/trading/orders", json=order("three", side="SELL")), 201)
    assert less["state"] != "REFUSED"
    assert (await said(await owner.get(path)))["is_active"] is False
    back = await said(await owner.post(f"{path}/activate"))
    assert (back["is_active"], back["inactive_reason"]) == (True, None)
    renamed = await said(await owner.post(f"{path}/rename", json={"name": "Long term"}))
    assert renamed["name"] == "Long term"
    for what, body in (("deactivate", {}), ("rename", {"name": "X"}), ("details", None)):
        url = f"{ACCOUNTS}/{OTHER_ACCOUNT}/{what}"
        answer = await (owner.get(url) if body is None else owner.post(url, json=body))
        assert answer.status_code == 404


async def test_an_account_is_erased_and_its_history_stays(desk: World, owner: httpx.AsyncClient) -> None:
    path = f"{ACCOUNTS}/{OWN_ACCOUNT}"
    await owner.patch(f"{path}/details", json={"number": "U1", "labels": ["x"], "notes": "secret"})
    await group(owner, "G", OWN_ACCOUNT)
    assert (await owner.post(f"{path}/purge", json={"confirm": "Main"})).status_code == 409
    assert "is in use" in (await said(await owner.get(f"{path}/purge"), 409))["detail"]
    await owner.post(f"{path}/deactivate", json={})
    may = await said(await owner.get(f"{path}/purge"))
    assert (may["confirm"], may["name"]) == ("Main", "erased-00000001")
    wrong = await said(await owner.post(f"{path}/purge", json={"confirm": "main"}), 422)
    assert wrong["errors"][0]["field"] == "confirm"
    erased = await said(await owner.post(f"{path}/purge", json={"confirm": "Main"}))
    assert erased["name"] == "erased-00000001"
    details = await said(await owner.get(f"{path}/details"))
    assert (details["number"], details["labels"], details["notes"], details["groups"]) == ("", [], "", [])
    assert (await said(await owner.get(path)))["name"] == "erased-00000001"
    assert len((await said(await owner.get(f"{path}/ledger")))["items"]) == 1


async def test_a_person_is_erased_with_their_accounts(desk: World, owner: httpx.AsyncClient) -> None:
    path = f"/api/v2/users/{desk.other.id}/purge"
    body = {"confirm": "somebody"}
    assert (await owner.post(path, json=body)).status_code == 409
    await desk.people.users.replace(_out_of_use(await desk.people.one(desk.other.id)))
    assert (await owner.post(path, json=body)).status_code == 409
    assert "Theirs is in use" in (await said(await owner.get(path), 409))["detail"]
    await desk.runner.submit(c.DeactivateAccount(account_id=OTHER_ACCOUNT, provenance=BY))
    assert (await said(await owner.get(path)))["confirm"] == "somebody"
    erased = await said(await owner.post(path, json=body))
    user = await desk.people.one(desk.other.id)
    assert (user.username, user.password_hash, user.is_active) == (erased["name"], "", False)
    assert desk.runner.state.accounts[OTHER_ACCOUNT].account.name.startswith("erased-")
    assert (await owner.post("/api/v2/users/nobody/purge", json=body)).status_code == 404


def _out_of_use(user: Any) -> Any:
    from msgspec.structs import replace

    return replace(user, is_active=False)


async def test_a_person_is_not_half_erased(desk: World, owner: httpx.AsyncClient) -> None:
    second = Account(SECOND, desk.other.id, "Second", "simulated", "USD", limits=LIMITS)
    await desk.runner.submit(c.OpenAccount(provenance=BY, account=second, initial_cash=D(10_000)))
    await desk.runner.quiet()
    async with await desk.signed_in(desk.other) as other:
        await said(await other.post("/api/v2/trading/orders", json=order("one", account_id=SECOND)), 201)
    await desk.next_bar()
    for account_id in (OTHER_ACCOUNT, SECOND):
        await desk.runner.submit(c.DeactivateAccount(account_id=account_id, keep=True, provenance=BY))
    await desk.people.users.replace(_out_of_use(await desk.people.one(desk.other.id)))
    answer = await owner.post(f"/api/v2/users/{desk.other.id}/purge", json={"confirm": "somebody"})
    assert (answer.status_code, "still holds positions" in answer.text) == (409, True)
    names = {one: desk.runner.state.accounts[one].account.name for one in (OTHER_ACCOUNT, SECOND)}
    assert names == {OTHER_ACCOUNT: "Theirs", SECOND: "Second"}


async def test_rates_are_given_listed_and_refused(desk: World, owner: httpx.AsyncClient) -> None:
    path = f"{PORTFOLIO}/rates"
    good = {"base": "EUR", "quote": "USD", "date": "2005-09-01", "rate": "1.2345"}
    assert await said(await owner.post(path, json={"rates": [good]}), 201) == {"taken": 1}
    listed = (await said(await owner.get(path)))["items"]
    assert listed == [good | {"id": "EUR-USD", "source": "hand"}]
    for change, field in (
        ({"date": "2005-09-31"}, "rates.0.date"), ({"date": "2006-01-01"}, "rates.0.date"),
        ({"base": "XXX"}, "rates.0.base"), ({"rate": "0"}, "rates.0.rate"),
    ):  # fmt: skip
        problem = await said(await owner.post(path, json={"rates": [good | change]}), 422)
        assert field in [one["field"] for one in problem["errors"]]
    assert (await owner.post(path, json={"rates": [good], "source": "feed"})).status_code == 422
    async with await desk.signed_in(desk.other) as other:
        assert (await other.post(path, json={"rates": [good]})).status_code == 403


async def test_a_summary_says_what_it_leaves_out_and_at_which_rate_it_converts(
    two: World, owner: httpx.AsyncClient
) -> None:
    before = await said(await owner.get(f"{ACCOUNTS}/summary"))
    assert before["base_currency"] == "USD"
    assert (before["total"]["is_complete"], before["total"]["left_out"]) == (False, ["EUR"])
    assert before["total"]["equity"] == "100000.00"
    assert before["rates"] == [
        {"currency": "EUR", "rate": None, "date": None, "age_days": None, "stale": False, "sources": [], "via": None}
    ]
    rate = {"base": "EUR", "quote": "USD", "date": "2005-08-26", "rate": "1.25"}
    await owner.post(f"{PORTFOLIO}/rates", json={"rates": [rate]})
    after = await said(await owner.get(f"{ACCOUNTS}/summary"))
    assert (after["total"]["equity"], after["total"]["is_complete"]) == ("101250.00", True)
    assert after["total"]["stale"] == ["EUR"]
    (used,) = after["rates"]
    assert (used["rate"], used["date"], used["age_days"], used["stale"]) == ("1.25", "2005-08-26", 6, True)
    assert {one["name"]: one["share"] for one in after["accounts"]} == {"Main": "0.98765432", "Euro": "0.01234568"}
    in_euro = await said(await owner.get(f"{ACCOUNTS}/summary", params={"currency": "EUR"}))
    assert in_euro["total"]["equity"] == "81000.00"
    assert (await owner.get(f"{ACCOUNTS}/summary", params={"currency": "ZZZ"})).status_code == 422


async def test_the_base_currency_is_kept(two: World, owner: httpx.AsyncClient) -> None:
    path = f"{PORTFOLIO}/base-currency"
    assert await said(await owner.get(path)) == {"currency": "USD"}
    assert await said(await owner.put(path, json={"currency": "EUR"})) == {"currency": "EUR"}
    assert (await said(await owner.get(f"{ACCOUNTS}/summary")))["base_currency"] == "EUR"
    assert (await owner.put(path, json={"currency": "ZZZ"})).status_code == 422


async def test_positions_are_merged_by_instrument(two: World, owner: httpx.AsyncClient) -> None:
    third = Account("acct-3", two.owner.id, "Third", "simulated", "USD", limits=LIMITS, type=AccountType.MARGIN)
    await two.runner.submit(c.OpenAccount(provenance=BY, account=third, initial_cash=D(10_000)))
    await two.runner.quiet()
    await owner.post("/api/v2/trading/orders", json=order("one"))
    await owner.post("/api/v2/trading/orders", json=order("two", account_id="acct-3", quantity="30"))
    await two.next_bar()
    await two.next_bar(11.0)
    found = await said(await owner.get(f"{PORTFOLIO}/consolidated"))
    (merged,) = found["positions"]
    assert (merged["symbol"], merged["quantity"], merged["market_value"]) == ("STK", "40", "440.00")
    assert merged["base_value"] == "440.00"
    assert {one["account_id"]: one["quantity"] for one in merged["accounts"]} == {OWN_ACCOUNT: "10", "acct-3": "30"}
    assert {one["currency"]: one["amount"] for one in found["cash"]} == {"EUR": "1000", "USD": "109600.00"}
    total = found["total"]
    assert (total["long"], total["short"], total["gross"], total["net"]) == ("440.00", "0.00", "440.00", "440.00")
    assert D(total["equity"]) == D("110040.00")
    one = await said(await owner.get(f"{PORTFOLIO}/consolidated", params={"account_id": "acct-3"}))
    assert one["positions"][0]["quantity"] == "30"
    sums = sum(D(each["equity"]) for each in found["accounts"] if each["currency"] == "USD")
    assert sums == D(total["equity"])


async def test_the_platform_is_for_administrators_and_names_nobody(two: World, owner: httpx.AsyncClient) -> None:
    await owner.post("/api/v2/trading/orders", json=order("one"))
    await two.next_bar()
    found = await said(await owner.get(f"{PORTFOLIO}/platform"))
    assert (found["users"], found["active_accounts"], found["unpriced"], found["lag"]) == (2, 3, 0, 0)
    by = {one["currency"]: one for one in found["by_currency"]}
    assert by["USD"]["equity"] == "200000.00"
    assert by["EUR"]["equity"] == "1000"
    assert (found["total"]["long"], found["total"]["positions"]) == ("100.00", 1)
    assert {one["day_pnl"] for one in (found["total"], *found["by_currency"])} == {None}  # not known, so not 0 either
    assert two.owner.username not in str(found)
    async with await two.signed_in(two.other) as other:
        assert (await other.get(f"{PORTFOLIO}/platform")).status_code == 403


async def test_what_is_shared_is_seen_without_what_its_owner_says_of_it(two: World, owner: httpx.AsyncClient) -> None:
    path = f"{ACCOUNTS}/{OWN_ACCOUNT}/details"
    await owner.patch(path, json={"labels": ["private"], "notes": "secret", "number": "U1"})
    lent = {"account_id": OWN_ACCOUNT, "username": "somebody", "permission": "read"}
    await said(await owner.post("/api/v2/shares", json=lent), 201)
    await owner.post("/api/v2/trading/orders", json=order("one"))
    await two.next_bar()
    async with await two.signed_in(two.other) as other:
        lines = (await said(await other.get(f"{ACCOUNTS}/summary")))["accounts"]
        assert {one["name"]: one["labels"] for one in lines} == {"Main": [], "Theirs": []}
        details = await said(await other.get(path))
        assert (details["number"], details["labels"], details["notes"]) == ("", [], "")
        made = await said(await other.get("/api/v2/trading/pnl", params={"by": "user"}))
        assert [one["id"] for one in made["items"]] == [two.owner.id]
    assert (await said(await owner.get(path)))["notes"] == "secret"
