"""A gate between Evenkeel and the venue: it sees every message, and can stop the flow at one that a trap names.

A sprung trap lets nothing more through in its direction, as a network does that has just died: the test then knows
that a request has left Evenkeel and not arrived, or has arrived and not been answered, and kills at that moment.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from evenkeel.domain.events import VenueFilled
from evenkeel.trading.brokers.simulated import wire

Message = wire.AnyRequest | wire.AnyReply
Asked = dict[int, wire.AnyRequest]


@dataclass
class Trap:
    """Springs at the first message that `fits`, before it goes on; with `torn`, half of it still does."""

    name: str
    fits: Callable[[Message, wire.AnyRequest | None], bool]
    torn: bool = False
    sprung: asyncio.Event = field(default_factory=asyncio.Event)
    caught: Any = None


def request(kind: type, *, torn: bool = False) -> Trap:
    """Caught on its way to the venue: it has left Evenkeel and never arrives."""
    name = f"{'torn ' if torn else ''}{kind.__name__} before the venue"
    return Trap(name, lambda message, _asked: isinstance(message, kind), torn)


def reply(kind: type) -> Trap:
    """Caught on its way back: the venue has done it, its events have passed, and Evenkeel has no answer."""
    return Trap(f"answer to {kind.__name__}", lambda _message, asked: isinstance(asked, kind))


def event(kind: type) -> Trap:
    """Caught on its way back, with everything behind it: the venue has done it and Evenkeel has heard nothing."""
    name = f"{kind.__name__} before Evenkeel"
    return Trap(name, lambda message, _asked: isinstance(message, wire.Told) and isinstance(message.event, kind))


class Gate:
    """Listens at `front` and passes on to `back`. `placed` counts what Evenkeel has ever tried to send.

    While it `is_shut`, new connections are ended at once.
    """

    def __init__(self, front: str, back: str) -> None:
        self.front = front
        self.placed: Counter[tuple[str, str]] = Counter()
        self.fills_passed = 0
        self.trap: Trap | None = None
        self.is_shut = False
        self._back = back
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.front)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Ends every present connection, and forgets the trap."""
        self.trap = None
        for writer in tuple(self._writers):
            writer.close()

    def set(self, trap: Trap) -> Trap:
        self.trap = trap
        return trap

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        ends = {writer}
        self._writers.add(writer)
        try:
            venue_reader, venue_writer = await asyncio.open_unix_connection(self._back)
            ends.add(venue_writer)
            self._writers.add(venue_writer)
            if self.is_shut or writer.is_closing():
                return
            asked: Asked = {}
            async with asyncio.TaskGroup() as group:
                group.create_task(self._up(reader, venue_writer, asked))
                group.create_task(self._down(venue_reader, writer, asked))
        except OSError:
            return
        finally:
            self._writers -= ends
            for end in ends:
                end.close()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: Asked) -> None:
        with suppress(ConnectionError):
            while (body := await wire.read_frame(reader)) is not None:
                message = wire.decode_request(body)
                asked[message.id] = message
                if isinstance(message, wire.Place):
                    self.placed[message.ticket.spec.account_id, message.ticket.venue_client_id] += 1
                if not await self._pass(message, None, body, writer):
                    await reader.read()
                    break
        writer.close()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: Asked) -> None:
        with suppress(ConnectionError):
            while (body := await wire.read_frame(reader)) is not None:
                message = wire.decode_reply(body)
                of = asked.pop(message.id, None) if not isinstance(message, wire.Told) else None
                if isinstance(message, wire.Told) and isinstance(message.event, VenueFilled):
                    self.fills_passed += 1
                if not await self._pass(message, of, body, writer):
                    await reader.read()
                    break
        writer.close()

    async def _pass(
        self, message: Message, asked: wire.AnyRequest | None, body: bytes, writer: asyncio.StreamWriter
    ) -> bool:
        """Passes a frame on; False once a trap has stopped this direction."""
        framed = len(body).to_bytes(4, "big") + body
        trap = self.trap
        if trap is not None and trap.fits(message, asked):
            trap.caught = message
            trap.sprung.set()
            self.trap = None
            if not trap.torn:
                return False
            framed = framed[: len(framed) // 2]
        writer.write(framed)
        await writer.drain()
        return trap is None or not trap.torn or not trap.sprung.is_set()
