"""Allowing more than before needs a sign-in of a moment ago; allowing less does not, whatever the hour."""

from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from evenkeel.domain.accounts import Limits
from evenkeel.domain.limits import RULES, RuleSet
from evenkeel.server.raising import difference, raises
from tests.server.world import OWN_ACCOUNT, World

BASE = Limits(
    max_position=Decimal(100), min_diversification=Decimal(3), exchange_hours=True, maintenance=Decimal("0.3")
)
NUMBERS = [name for name in RULES if name not in ("windows", "exchange_hours")]


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({}, False),
        ({"max_position": Decimal(101)}, True),
        ({"max_position": Decimal(99)}, False),
        ({"max_position": None}, True),
        ({"max_order_value": Decimal(5)}, False),
        ({"min_diversification": Decimal(2)}, True),
        ({"min_diversification": Decimal(4)}, False),
        ({"maintenance": Decimal("0.2")}, True),
        ({"allow_short": True}, True),
        ({"cash_check": False}, True),
        ({"exchange_hours": None}, True),
        ({"daily_loss": Decimal("0.01"), "max_trades_per_day": 101}, True),
    ],
)
def test_what_allows_more(change: dict[str, Any], more: bool) -> None:
    assert raises(BASE, replace(BASE, **change)) is more


@given(st.sampled_from(NUMBERS), st.integers(1, 50), st.integers(1, 50))
def test_of_two_different_numbers_one_allows_more_than_the_other(name: str, one: int, other: int) -> None:
    first, second = replace(RuleSet(), **{name: one}), replace(RuleSet(), **{name: other})
    assert [raises(first, second), raises(second, first)].count(True) == (one != other)
    assert raises(first, RuleSet())
    assert not raises(RuleSet(), first)
    assert difference(first, second) == (({name: one}, {name: other}) if one != other else ({}, {}))


async def test_late_after_signing_in_limits_are_lowered_and_not_raised(
    desk: World, owner: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk.auth, "is_fresh", lambda session_id: False)
    path, of_scope = f"/api/v2/accounts/{OWN_ACCOUNT}/limits", "/api/v2/risk/limits"
    assert (await owner.patch(path, json={"daily_loss": "0.01"})).status_code == 200
    raised = await owner.patch(path, json={"daily_loss": "0.02"})
    assert (raised.status_code, raised.json()["code"]) == (403, "sign-in-again")
    scope = {"scope": "account", "id": OWN_ACCOUNT}
    assert (await owner.put(of_scope, json=scope | {"rules": {"max_position": "5"}})).status_code == 200
    assert (await owner.put(of_scope, json=scope | {"rules": {"max_position": None}})).status_code == 403
