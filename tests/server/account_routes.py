"""What the tests of all routes send to those of accounts beside trading, and what another user gets."""

from typing import Any

import httpx

BODIES: dict[str, Any] = {
    "change_details": {"labels": ["pension"], "notes": "mine"},
    "set_tax": {"status": "taxable", "short": "0.3", "long": "0.15", "method": "min-tax"},
    "rename_account": {"name": "Called anew"},
    "deactivate_account": {"reason": "a rest"},
    "purge_account": {"confirm": "Main"},
    "purge_user": {"confirm": "nobody"},
    "add_group": {"name": "A group"},
    "change_group": {"name": "Another group"},
    "panic_group": {"cooldown": 0},
    "resume_group": {},
    "set_base_currency": {"currency": "EUR"},
    "set_rates": {"rates": [{"base": "EUR", "quote": "USD", "date": "2005-09-01", "rate": "1.25"}]},
}
OTHERS = {"add_group": 201}
DECLINED = {"preview_purge", "preview_user_purge", "purge_account", "purge_user"}


async def group_of(client: httpx.AsyncClient, account_id: str) -> str:
    """The id of a new group of one account."""
    answer = await client.post("/api/v2/accounts/groups", json={"name": "Mine alone", "account_ids": [account_id]})
    found: str = answer.json()["id"]
    return found
