"""Alerts to a webhook, each sent twice: from the send to the 200 that follows a durable write, and to that of a repeat.

What it is held against is a sender that hangs up after three seconds; the result is that each alert is one order.
"""

import json
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from benchmarks.desk import Desk
from benchmarks.machine import facts, spread
from benchmarks.order_path import SETTLED, desk_of, fold, settle, symbols_of
from benchmarks.orders import DATABASES, opened


class Sender:
    """Sends alerts on connections that are kept, and notes how long each answer took."""

    def __init__(self, desk: Desk, path: str, symbols: list[str]) -> None:
        self._port, self._path, self._symbols = desk.port, path, symbols
        self.first: list[float] = []
        self.again: list[float] = []
        self.orders: list[str] = []

    def send(self, numbers: Iterator[int]) -> None:
        """Raises RuntimeError for an alert that was not taken, or whose repeat is answered otherwise."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            for number in numbers:
                symbol = self._symbols[number % len(self._symbols)]
                alert = {"id": f"alert {number}", "symbol": symbol, "action": "buy", "quantity": "1"}
                body = json.dumps(alert)
                answer = self._posted(connection, body, self.first)
                if self._posted(connection, body, self.again) != answer or answer["decision"] != "ordered":
                    raise RuntimeError(f"a repeat of {answer} was answered otherwise")
                self.orders.append(answer["order_id"])
        finally:
            connection.close()

    def _posted(self, connection: HTTPConnection, body: str, taken: list[float]) -> dict[str, Any]:
        began = time.perf_counter()
        connection.request("POST", self._path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        data = response.read()
        taken.append(time.perf_counter() - began)
        if response.status != 200:
            raise RuntimeError(f"{response.status} {data.decode()[:500]}")
        found: dict[str, Any] = json.loads(data)
        return found


def _measured(database: str, *, orders: int, connections: int) -> dict[str, Any]:
    with opened(database) as url, tempfile.TemporaryDirectory(prefix="evenkeel-bench-") as folder:
        home = Path(folder) / "home"
        with desk_of(home, url) as desk:
            account_id, symbols = desk.open_account(), symbols_of(desk)
            made = desk.call("POST", "/webhooks", name="Benchmark", account_id=account_id, per_minute=6000)
            sender, numbers = Sender(desk, made["path"], symbols), iter(range(orders))
            began = time.perf_counter()
            with ThreadPoolExecutor(connections) as pool:
                for done in [pool.submit(sender.send, numbers) for _ in range(connections)]:
                    done.result()
            seconds = time.perf_counter() - began
            settle(desk, account_id)
        state, durability = fold(home, url)
        states = {str(state.orders[order_id].state) for order_id in sender.orders}
        if len(set(sender.orders)) != orders or len(state.orders) != orders or states - SETTLED:
            raise RuntimeError(f"{orders} alerts, {len(state.orders)} orders, states {states}")
        return {
            "database": database,
            "alerts": orders,
            "orders": len(state.orders),
            "deliveries_per_minute": round(2 * orders / seconds * 60),
            "send_to_200_ms": spread(sender.first, scale=1000),
            "repeat_to_200_ms": spread(sender.again, scale=1000),
            "synchronous": durability.get("synchronous", durability.get("synchronous_commit")),
        }


def webhooks(*, orders: int = 1_000, connections: int = 4, database: str = "") -> dict[str, Any]:
    """Alerts on some connections at once, each sent twice, on one database or both."""
    rows = [_measured(one, orders=orders, connections=connections) for one in ([database] if database else DATABASES)]
    doubled = sum(row["orders"] - row["alerts"] for row in rows)
    return {"benchmark": "webhooks", "result": {"rows": len(rows), "doubled": doubled}, "table": rows,
            "machine": facts()}  # fmt: skip
