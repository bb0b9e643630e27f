"""/api/v2/stream: who may open it, what a snapshot of each channel holds, and the heartbeat of all connections."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import structlog
from starlette.websockets import WebSocket

from evenkeel.desk.auth import Ticket
from evenkeel.desk.permissions import Door, Principal, person
from evenkeel.server import backtests, copying, halting, status, views
from evenkeel.server.contract import PREFIX
from evenkeel.server.listing import Listing, page
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import LOCAL, Tenant
from evenkeel.server.streams.channel import Channel, newest
from evenkeel.server.streams.client import BAD_TICKET, RESTART, Client, heartbeat
from evenkeel.server.streams.hub import Hub
from evenkeel.server.streams.risks import risks_of

log = structlog.get_logger(__name__)
PATH = f"{PREFIX}/stream"
HEARTBEAT = 5.0
STATUS_EVERY = 1.0
MOST_CLIENTS = 256


class Streams:
    """All open connections of one application."""

    def __init__(self, parts: AppParts, hub: Hub, listing: Listing) -> None:
        self.parts, self.hub, self.listing = parts, hub, listing
        self.clients: dict[Client, Ticket] = {}
        self._pulse: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._pulse = asyncio.create_task(self._beat(), name="stream-heartbeat")

    async def stop(self) -> None:
        """Closes every connection with 1012: the client comes back and resumes or starts anew."""
        if self._pulse is not None:
            self._pulse.cancel()
            with suppress(asyncio.CancelledError):
                await self._pulse
        self.hub.stop()
        self.close_all()
        for _ in range(40):
            if not self.clients:
                return
            await asyncio.sleep(0.05)

    def close_all(self) -> None:
        for client in list(self.clients):
            client.close(RESTART, "the service restarts")

    async def serve(self, socket: WebSocket) -> None:
        """One connection, from ticket to close."""
        if not _same_origin(socket):
            log.warning("stream refused", reason="origin", origin=socket.headers.get("origin", "")[:100])
            await socket.close(4403, "this page may not open the stream")
            return
        ticket = await self._ticket(socket)
        await socket.accept()
        if ticket is None:
            await socket.close(BAD_TICKET, "the ticket is not valid; get a new one")
            return
        if len(self.clients) >= MOST_CLIENTS:
            await socket.close(1013, "too many connections")
            return
        client = Client(socket, ticket.by, self.hub.desk(ticket.by).channels, self._snapshot)
        self.clients[client] = ticket
        self.parts.metrics.stream_clients = len(self.clients)
        try:
            await client.run()
        finally:
            self.clients.pop(client, None)
            self.parts.metrics.stream_clients = len(self.clients)

    async def _ticket(self, socket: WebSocket) -> Ticket | None:
        if socket.scope.get(LOCAL):
            return Ticket(person(await self.parts.auth.owner(), Door.HOME))
        return self.parts.auth.tickets.redeem(socket.query_params.get("ticket", ""))

    async def _snapshot(self, by: Principal, channel: Channel) -> Callable[[], bytes]:
        """Prepares a snapshot. Just after starting over, the store may still hold days that lie ahead: not shown."""
        history: Sequence[Any] = ()
        if channel.name == "backtests":
            queue = self.parts.backtests
            found = await queue.newest(by.user.id, newest("backtests"))
            return lambda: channel.snapshot([backtests.line(one, queue.progress_of(one)) for one in found])
        if channel.name == "equity":
            seen = self.hub.seen_by(by)
            rows, _ = await self.parts.history.equity(tuple(seen.account_ids()), limit=newest("equity"))
            history = [views.equity_point(seen.state, row) for row in rows if row.at <= seen.state.time]
        runner = self.parts.runner
        if runner.state.seq > runner.committed_seq:
            await runner.settled()
        return lambda: channel.snapshot(self._items(self.hub.seen_by(by), channel.name, history=history))

    def _items(self, seen: Tenant, name: str, *, history: Sequence[Any]) -> list[Any]:
        """The channel's objects, oldest first where they have an order."""
        state = seen.state
        match name:
            case "accounts":
                return [views.account(state, held) for held in seen.accounts()]
            case "orders":
                return self._orders(seen)
            case "fills":
                return self._fills(seen)
            case "positions":
                return [
                    views.position(state, position)
                    for held in seen.accounts()
                    for position in held.positions.values()
                    if position.quantity
                ]
            case "strategies":
                return [views.deployment(state, held) for held in seen.deployments()]
            case "quotes":
                now = self.parts.runner.clock.now()
                return [views.quote(state, one, now=now) for one in state.instruments.values()]
            case "events":
                return [one for one in self.hub.log.events if seen.sees_event(one)][-newest("events") :]
            case "equity":
                return self._equity(seen, history)
            case "copies":
                return [copying.link(seen, one) for one in copying.links_of(seen)]
            case "risk":
                return list(risks_of(seen, self.parts.runner.clock).values())
            case "halts":
                return halting.panics_of(seen, self.parts.runner.clock)
            case _:
                return [status.status(self.parts, self.hub.lag)]

    def _orders(self, seen: Tenant) -> list[Any]:
        def take(order_id: str) -> Any:
            order = seen.state.orders[order_id]
            return views.order(seen.state, order) if seen.owns(order.spec.account_id) else None

        return page(self.listing.orders, take, limit=newest("orders"), cursor=None).items[::-1]

    def _fills(self, seen: Tenant) -> list[Any]:
        def take(key: tuple[str, str]) -> Any:
            return views.fill(seen.state, seen.state.fills[key]) if seen.owns(key[0]) else None

        return page(self.listing.fills, take, limit=newest("fills"), cursor=None).items[::-1]

    def _equity(self, seen: Tenant, history: Sequence[Any]) -> list[Any]:
        """Stored points, and those that the projections have not seen yet."""
        found = {point.id: point for point in history}
        found.update({point.id: point for point in self.hub.recent_equity if seen.owns(point.account_id)})
        return sorted(found.values(), key=lambda point: (point.at, point.id))[-newest("equity") :]

    async def _beat(self) -> None:
        beats = 0
        while True:
            await asyncio.sleep(STATUS_EVERY)
            beats += 1
            try:
                await self._pulse_once(is_heartbeat=beats % round(HEARTBEAT / STATUS_EVERY) == 0)
            except Exception:
                log.exception("the streams' pulse has failed once")

    async def _pulse_once(self, *, is_heartbeat: bool) -> None:
        if self.clients:
            self.hub.lag = await self.parts.history.lag()
            self.hub.tell_status()
        if is_heartbeat:
            message = heartbeat()
            for client, ticket in list(self.clients.items()):
                client.put(message)
                if not await self._is_live(ticket):
                    client.close(BAD_TICKET, "the session has ended; sign in again")

    async def _is_live(self, ticket: Ticket) -> bool:
        if ticket.by.key_id is not None:
            return await self.parts.keys.holds(ticket.by.key_id, ticket.by.user)
        return await self.parts.auth.is_live(ticket)

    def show_anew(self, user_id: str) -> None:
        """What a person may see has changed: their connections end with 1012, and come back to it."""
        self.hub.forget(user_id)
        for client in list(self.clients):
            if client.by.user.id == user_id:
                client.close(RESTART, "what you may see has changed")

    def end_key(self, key_id: str) -> None:
        """A key has ended, and with it what it has opened."""
        for client in list(self.clients):
            if client.by.key_id == key_id:
                client.close(BAD_TICKET, "the API key has ended")


def _same_origin(socket: WebSocket) -> bool:
    """Whether the page that opens the stream came from this server; programs send no Origin."""
    origin = socket.headers.get("origin")
    if origin is None:
        return True
    try:
        asked = urlsplit(origin)
    except ValueError:
        return False
    return asked.scheme in ("http", "https") and asked.netloc.lower() == socket.headers.get("host", "").lower()
