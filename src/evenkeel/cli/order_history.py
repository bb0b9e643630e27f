"""An order's history as `evenkeel order show` tells it: a line for each thing that happened, and for each check."""

from collections.abc import Iterator
from typing import Any

from evenkeel.cli.client import Client, path_of
from evenkeel.cli.common import neat, print_table

_MOST = 100_000


def history_of(client: Client, order: str) -> list[dict[str, Any]]:
    """All that has happened to an order, oldest first."""
    return client.pages(path_of("trading", "orders", order, "history"), limit=_MOST)


def print_history(events: list[dict[str, Any]]) -> None:
    rows = [row for event in events for row in _rows(event)]
    print_table(["at", "event", "state", "by", "what"], rows, empty="Its history is not there yet.")


def _rows(event: dict[str, Any]) -> Iterator[list[str]]:
    yield [event["at"], event["event"], event["state"], _by(event), _what(event)]
    for check in event["checks"]:
        verdict = "passed" if check["passed"] else f"FAILED: {check['reason']}"
        saw = f"limit {neat(check['limit'])}, saw {neat(check['value'])}"
        yield ["", "check", "", check["layer"], f"{check['rule']}: {saw}; {verdict}"]


def _by(event: dict[str, Any]) -> str:
    who, door = event["actor_name"] or event["actor"], event["source"]
    return f"{who} ({door})" if who and door else who or ""


def _what(event: dict[str, Any]) -> str:
    quantity, price = event["quantity"], event["price"]
    parts = (
        neat(quantity) if quantity is not None else "",
        f"at {neat(price)}" if price is not None else "",
        f"waited {event['waited']:.3g} s" if event["waited"] is not None else "",
        event["reason"] or "",
    )
    return " ".join(part for part in parts if part)
