"""A load of posts, of single orders or baskets: raw HTTP/1.1 over kept connections, cheap beside the server's own work.

Each connection posts its next order when the last is answered (a closed loop).
"""

import asyncio
import time
from collections import Counter
from typing import Any

import msgspec
from msgspec import Struct

ENCODER, DECODER = msgspec.json.Encoder(), msgspec.json.Decoder()


class Load(Struct):
    """What came back: answers by (status, state) of each order, the order ids, and seconds from post to answer."""

    answers: Counter[str]
    orders: list[str]
    latencies: list[float]
    seconds: float = 0.0


class _Connection(asyncio.Protocol):
    """One kept connection; `done` gets the finished answer's status and body."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._data = bytearray()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        self._data += data
        head = self._data.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self._data.find(b"content-length: ", 0, head)
        length = int(self._data[at + 16 : self._data.index(b"\r", at)])
        if len(self._data) >= head + 4 + length and self._answer is not None:
            body = bytes(self._data[head + 4 : head + 4 + length])
            status = int(self._data[9:12])
            del self._data[: head + 4 + length]
            self._answer.set_result((status, body))

    async def post(self, request: bytes) -> tuple[int, bytes]:
        assert self.transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._answer


class Poster:
    """Posts orders of one account to a desk's port; symbols in turn. `basket` of them go in one post, or each alone."""

    def __init__(
        self, port: int, token: str, *, account_id: str, symbols: list[str], run: str, basket: int = 0
    ) -> None:
        self._port, self._account_id, self._symbols, self._run = port, account_id, symbols, run
        self._basket = basket
        self.sent: dict[str, float] = {}
        self._head = (
            f"POST /api/v2/trading/{'baskets' if basket else 'orders'} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: "
        ).encode()

    def _request(self, first: int, order: dict[str, Any]) -> bytes:
        """The bytes of one post; notes the moment under each client_order_id."""
        now = time.perf_counter()
        named = [(number, f"{self._run}-{number}") for number in range(first, first + (self._basket or 1))]
        self.sent |= {name: now for _, name in named}
        given = [
            {
                "account_id": self._account_id,
                "symbol": self._symbols[number % len(self._symbols)],
                "client_order_id": name,
                **order,
            }
            for number, name in named
        ]
        body = ENCODER.encode({"orders": given} if self._basket else given[0])
        return self._head + str(len(body)).encode() + b"\r\n\r\n" + body

    async def run(self, order: dict[str, Any], *, connections: int, orders: int, seconds: float) -> Load:
        """Posts until `orders` are answered or `seconds` have passed, whichever comes first."""
        load = Load(Counter(), [], [])
        numbers = iter(range(0, orders, self._basket or 1))
        loop = asyncio.get_running_loop()
        links = [(await loop.create_connection(_Connection, "127.0.0.1", self._port))[1] for _ in range(connections)]
        started = time.perf_counter()
        end = started + seconds

        async def keep_posting(link: _Connection) -> None:
            for number in numbers:
                sent = time.perf_counter()
                if sent >= end:
                    return
                status, body = await link.post(self._request(number, order))
                load.latencies.append(time.perf_counter() - sent)
                answer = DECODER.decode(body)
                for one in answer.get("orders", (answer,)):
                    load.answers[f"{status} {one.get('state', one.get('code'))}"] += 1
                    if status == 201:
                        load.orders.append(one["id"])

        await asyncio.gather(*(keep_posting(link) for link in links))
        load.seconds = time.perf_counter() - started
        for link in links:
            if link.transport is not None:
                link.transport.close()
        return load
