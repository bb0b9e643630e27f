"""What tests of webhooks share: one that is made, an alert that is sent to it, and what came of it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from evenkeel.domain import records as r
from tests.desk.webhook_memory import MemoryWebhooks
from tests.server.world import OWN_ACCOUNT, World

PATH = "/api/v2/webhooks"
TEXT = {"content-type": "text/plain; charset=utf-8"}


async def make(client: httpx.AsyncClient, status: int = 201, **more: Any) -> dict[str, Any]:
    answer = await client.post(PATH, json={"name": "Crossing", "account_id": OWN_ACCOUNT} | more)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def alert(**changes: Any) -> dict[str, Any]:
    """The body of an alert to buy 10, changed as told; None removes a field."""
    body = {"signal_type": "entry", "symbol": "STK", "action": "buy", "quantity": "10"} | changes
    return {name: value for name, value in body.items() if value is not None}


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def store(desk: World) -> MemoryWebhooks:
    found = desk.parts.webhooks.store
    assert isinstance(found, MemoryWebhooks)
    return found


def orders(desk: World) -> list[r.OrderDecided]:
    return [one for one in desk.journal.records() if isinstance(one, r.OrderDecided)]


async def send(client: httpx.AsyncClient, hook: dict[str, Any], body: Any, status: int = 200) -> dict[str, Any]:
    answer = await client.post(hook["path"], content=json.dumps(body), headers=TEXT)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def fields(problem: dict[str, Any]) -> list[str]:
    return [fault["field"] for fault in problem["errors"]]
