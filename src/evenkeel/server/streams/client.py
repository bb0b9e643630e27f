"""One connected browser: a bounded queue of messages on their way out, and the requests it may make.

Whoever falls behind is closed (4408) and resumes; no delta is ever left out. Messages with a key (quotes) replace
the one of that key still waiting.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec import Struct
from starlette.websockets import WebSocket, WebSocketDisconnect

from evenkeel.desk.permissions import Principal
from evenkeel.domain.clock import iso
from evenkeel.server.streams.channel import CHANNELS, Channel

BAD_TICKET, TOO_SLOW, NOT_TEXT, TOO_BIG, RESTART = 4401, 4408, 1003, 1009, 1012
MOST_MESSAGES = 5_000
MOST_BYTES = 16 * 1024 * 1024
LONGEST_REQUEST = 4_096


class Request(Struct, forbid_unknown_fields=True):
    """What a client may send."""

    op: str
    channel: str | None = None
    resume_from: int | None = None
    epoch: str | None = None


Snapshot = Callable[[Principal, Channel], Awaitable[Callable[[], bytes]]]
"""Waits until a snapshot of a channel can be taken; what it returns takes it, then and there."""


class Client:
    """Sends what channels put, in order. `closing` is set to the code with which the connection must end."""

    def __init__(self, socket: WebSocket, by: Principal, channels: dict[str, Channel], snapshot: Snapshot) -> None:
        self.socket, self.by, self.channels, self._snapshot = socket, by, channels, snapshot
        self.closing: tuple[int, str] | None = None
        self._queue: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        self._number = 0
        self._wake = asyncio.Event()
        self._ended = asyncio.Event()

    def put(self, message: bytes, key: str | None = None) -> None:
        """Queues a message; a client too far behind is closed instead."""
        if self.closing is not None:
            return
        self._number += 1
        slot = str(self._number) if key is None else f"key:{key}"
        self._bytes += len(message) - len(self._queue.get(slot, b""))
        self._queue[slot] = message
        if len(self._queue) > MOST_MESSAGES or self._bytes > MOST_BYTES:
            self.close(TOO_SLOW, "too far behind; resume")
        self._wake.set()

    def close(self, code: int, reason: str) -> None:
        """Ends the connection with this code, at once: what waits is not sent."""
        if self.closing is None:
            self.closing = (code, reason)
            self._queue.clear()
            for channel in self.channels.values():
                channel.receivers.discard(self)
        self._ended.set()

    async def run(self) -> None:
        """Serves the client until either side ends it."""
        reader = asyncio.create_task(self._read(), name="stream-read")
        writer = asyncio.create_task(self._write(), name="stream-write")
        watcher = asyncio.create_task(self._ended.wait(), name="stream-watch")
        tasks: tuple[asyncio.Task[Any], ...] = (reader, writer, watcher)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for channel in self.channels.values():
                channel.receivers.discard(self)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self.closing is not None:
            await self._say_goodbye(*self.closing)

    async def _say_goodbye(self, code: int, reason: str) -> None:
        try:
            await asyncio.wait_for(self.socket.close(code, reason), 2)
        except (TimeoutError, RuntimeError, WebSocketDisconnect):
            return

    async def _write(self) -> None:
        while self.closing is None:
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
                continue
            _, message = self._queue.popitem(last=False)
            self._bytes -= len(message)
            try:
                await self.socket.send_text(message.decode())
            except (RuntimeError, WebSocketDisconnect):
                return

    async def _read(self) -> None:
        while True:
            try:
                message = await self.socket.receive()
            except RuntimeError:
                return
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                self.close(NOT_TEXT, "requests are JSON as text")
                return
            if len(text) > LONGEST_REQUEST:
                self.close(TOO_BIG, "the message is too long")
                return
            await self._answer(text)

    async def _answer(self, text: str) -> None:
        try:
            request = msgspec.json.decode(text, type=Request)
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
            self._fault(None, f"not a request: {' '.join(str(error).split())[:200]}")
            return
        if request.op == "ping":
            self.put(heartbeat())
            return
        channel = self.channels.get(request.channel or "")
        if request.op not in ("subscribe", "unsubscribe"):
            self._fault(request.channel, "op must be subscribe, unsubscribe or ping")
        elif channel is None:
            self._fault(request.channel, f"channel must be one of {', '.join(CHANNELS)}")
        elif request.op == "unsubscribe":
            channel.receivers.discard(self)
        elif CHANNELS[channel.name] not in self.by.permissions:
            self._fault(channel.name, f"this needs the permission {CHANNELS[channel.name]}")
        else:
            channel.receivers.discard(self)  # asked again, it begins again: the client has missed something
            await self._subscribe(channel, request)

    async def _subscribe(self, channel: Channel, request: Request) -> None:
        take = await self._snapshot(self.by, channel)
        missed = channel.missed(request.epoch, request.resume_from)
        fits = missed is not None and 2 * len(missed) < MOST_MESSAGES and 2 * sum(map(len, missed)) < MOST_BYTES
        for message in missed if missed is not None and fits else [take()]:
            self.put(message)
        if self.closing is None:
            channel.receivers.add(self)

    def _fault(self, channel: str | None, detail: str) -> None:
        known = channel if channel in CHANNELS else None
        self.put(msgspec.json.encode({"type": "error", "channel": known, "detail": detail}))


def heartbeat() -> bytes:
    """The message that says the stream is alive."""
    return msgspec.json.encode({"type": "heartbeat", "at": iso(time.time_ns())})
