"""A client as people have them: it makes the client order id first, remembers what was acknowledged, and retries.

It trades many accounts at once with every kind of order, cancels some, and sends some twice at the same moment.
"""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.chaos.processes import PASSWORD

SYMBOLS = ("AAPL", "GOOG", "IBM", "MSFT")
KINDS = ("MARKET", "MARKET", "LIMIT", "LIMIT", "STOP", "STOP_LIMIT")
Json = dict[str, Any]


@dataclass
class Placed:
    """One order as the client knows it: what it asked for, and the first answer, if one came."""

    body: Json
    answer: Json | None = None
    refused: str | None = None


@dataclass
class Client:
    """Signed in at one desk; the token survives restarts, as it does in a browser."""

    url: str
    username: str
    token: str = ""
    http: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.http = httpx.AsyncClient(base_url=f"{self.url}/api/v2", timeout=30, trust_env=False)

    async def sign_in(self) -> None:
        given = {"username": self.username, "password": PASSWORD}
        answer = await self.http.post("/auth/login", json=given)
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]

    async def call(self, method: str, path: str, body: Json | None = None) -> httpx.Response:
        """Raises httpx.TransportError where no answer came."""
        answer = await self.http.request(method, path, json=body, headers={"Authorization": f"Bearer {self.token}"})
        if answer.status_code == 401:
            await self.sign_in()
            answer = await self.http.request(method, path, json=body, headers={"Authorization": f"Bearer {self.token}"})
        assert answer.status_code != 500, f"{method} {path} {body}: {answer.text}"
        return answer

    async def get(self, path: str) -> Any:
        answer = await self.call("GET", path)
        assert answer.status_code == 200, f"GET {path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def every(self, path: str) -> list[Json]:
        """All items of a list."""
        items: list[Json] = []
        cursor = ""
        while True:
            page = await self.get(f"{path}?limit=500{f'&cursor={cursor}' if cursor else ''}")
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return items

    async def feed(self, action: str) -> None:
        answer = await self.call("POST", "/system/feed", {"action": action})
        assert answer.status_code in (200, 409), answer.text

    async def close(self) -> None:
        await self.http.aclose()


class Trader:
    """Places orders until told to stop; `orders` is all it ever asked for, by client order id."""

    def __init__(self, client: Client, accounts: list[str], seed: random.Random) -> None:
        self.client = client
        self.accounts = accounts
        self.orders: dict[str, Placed] = {}
        self.prices = dict.fromkeys(SYMBOLS, 50.0)
        self._seed = seed
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, workers: int = 4) -> None:
        self._tasks = [asyncio.create_task(self._work()) for _ in range(workers)]

    async def stop(self) -> None:
        """Stops; whatever was not answered by now counts as not acknowledged."""
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                raise result
        self._tasks = []

    async def learn_prices(self) -> None:
        for symbol in (await self.client.get("/market/symbols"))["items"]:
            if symbol["last_price"] is not None:
                self.prices[symbol["symbol"]] = float(symbol["last_price"])

    def unanswered(self) -> list[str]:
        return [name for name, placed in self.orders.items() if placed.answer is None and placed.refused is None]

    def acknowledged(self) -> list[str]:
        return [name for name, placed in self.orders.items() if placed.answer is not None]

    async def _work(self) -> None:
        while True:
            try:
                await self._act()
            except httpx.TransportError:
                await asyncio.sleep(0.25)
            await asyncio.sleep(self._seed.random() * 0.02)

    async def _act(self) -> None:
        drawn = self._seed.random()
        if drawn < 0.15 and (names := self.acknowledged()):
            await self.cancel(self._seed.choice(names[-30:]))
        elif drawn < 0.25:
            name = self.draw()
            answers = await asyncio.gather(self.send(name), self.send(name), return_exceptions=True)
            for answer in answers:
                if isinstance(answer, BaseException):
                    raise answer
        else:
            await self.send(self.draw())

    def draw(self, account_id: str | None = None) -> str:
        """Makes up one order, and remembers it before it is sent."""
        seed = self._seed
        symbol, side, kind = seed.choice(SYMBOLS), seed.choice(("BUY", "BUY", "SELL")), seed.choice(KINDS)
        body: Json = {
            "account_id": account_id or seed.choice(self.accounts),
            "symbol": symbol,
            "side": side,
            "quantity": str(seed.randrange(1, 12)),
            "kind": kind,
            "time_in_force": seed.choice(("DAY", "GTC", "GTC", "IOC" if kind == "MARKET" else "DAY")),
            "client_order_id": f"c{seed.getrandbits(80):020x}",
        }
        price = self.prices[symbol]
        if "LIMIT" in kind:
            body["limit_price"] = f"{price * seed.uniform(0.95, 1.05):.2f}"
        if "STOP" in kind:
            above = side == "BUY"
            body["stop_price"] = f"{price * (seed.uniform(1.0, 1.04) if above else seed.uniform(0.96, 1.0)):.2f}"
        self.orders[body["client_order_id"]] = Placed(body)
        return str(body["client_order_id"])

    async def send(self, name: str) -> Json | None:
        """Sends an order, once more too: the answer is always the same order. None where it was declined."""
        placed = self.orders[name]
        answer = await self.client.call("POST", "/trading/orders", placed.body)
        if answer.status_code not in (200, 201):
            assert placed.answer is None, f"{name} was acknowledged and is now answered {answer.text}"
            assert answer.status_code == 503, f"{placed.body}: {answer.status_code} {answer.text}"
            return None
        found: Json = answer.json()
        if placed.answer is not None:
            assert found["id"] == placed.answer["id"], f"{name} made two orders: {found['id']}, {placed.answer['id']}"
        placed.answer = placed.answer or found
        return found

    async def cancel(self, name: str) -> None:
        placed = self.orders[name]
        assert placed.answer is not None
        with suppress(httpx.TransportError):
            answer = await self.client.call("DELETE", f"/trading/orders/{placed.answer['id']}")
            assert answer.status_code in (200, 202, 409, 503), answer.text
