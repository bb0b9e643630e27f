"""The venue's door: one task a connection, requests in turn, events before the answer that caused them.

Nothing is kept for a connection that is gone: what happened meanwhile is found by asking, as at real venues.
"""

import asyncio
import os
import socket
from collections.abc import Coroutine

import msgspec
import structlog

from evenkeel.domain.errors import BrokerUnavailable, EvenkeelError, HomeInUse, InvalidInput
from evenkeel.domain.events import AnyVenueEvent
from evenkeel.trading.brokers.simulated import wire
from evenkeel.trading.brokers.simulated.process.faults import Fate
from evenkeel.trading.brokers.simulated.process.venue import Venue

log = structlog.get_logger(__name__)


class Server:
    """Serves one venue on a unix socket or a port of 127.0.0.1, until `close`."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._server: asyncio.Server | None = None
        self._listeners: set[asyncio.StreamWriter] = set()
        self._links: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def listen(self, address: str | int) -> str | int:
        """Returns the address, with the port chosen where 0 was asked for. Raises HomeInUse, InvalidInput."""
        try:
            if isinstance(address, int):
                self._server = await asyncio.start_server(self._serve, "127.0.0.1", address)
                return int(self._server.sockets[0].getsockname()[1])
            _refuse_if_alive(address)
            before = os.umask(0o177)
            try:
                self._server = await asyncio.start_unix_server(self._serve, address)
            finally:
                os.umask(before)
        except OSError as error:
            raise InvalidInput(f"cannot listen at {address}: {error}") from error
        return address

    def stop(self) -> None:
        """Lets whoever waits for `ended` go on."""
        if not self.ended.done():
            self.ended.set_result(None)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in tuple(self._links):
            writer.close()
        for task in tuple(self._tasks):
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._links.add(writer)
        try:
            while (body := await wire.read_frame(reader)) is not None:
                await self._handle(wire.decode_request(body), writer)
        except (msgspec.MsgspecError, BrokerUnavailable) as error:
            log.warning("a client sent what cannot be read", error=str(error))
        except ConnectionError as error:
            log.info("a client went away", error=str(error))
        except Exception as error:
            if not self.ended.done():
                self.ended.set_exception(error)
            raise
        finally:
            self._links.discard(writer)
            self._listeners.discard(writer)
            writer.close()

    async def _handle(self, request: wire.AnyRequest, writer: asyncio.StreamWriter) -> None:
        control = isinstance(request, wire.Inject)
        faults = self._venue.misfortune.faults
        if faults.silent and not control:
            return
        fate = Fate.FINE if control else self._venue.misfortune.fate(_kind(request))
        if fate is Fate.LOST_REQUEST:
            return
        reply: wire.AnyReply
        try:
            done = self._venue.take(request)
        except EvenkeelError as error:
            reply = wire.Refusal(id=request.id, code=error.code, message=error.message)
        else:
            reply = done.answer
            if isinstance(request, wire.Attach) and request.events:
                self._listeners.add(writer)
            self._tell(done.events)
        if faults.slow and not control:
            await asyncio.sleep(faults.slow)
        await self._answer(reply, writer, fate=fate)

    async def _answer(self, reply: wire.AnyReply, writer: asyncio.StreamWriter, *, fate: Fate) -> None:
        framed = wire.frame(reply)
        match fate:
            case Fate.LOST_REPLY:
                return
            case Fate.LATE_REPLY:
                self._spawn(self._later(writer, framed))
            case Fate.CUT_REPLY:
                writer.write(framed[: len(framed) // 2])
                await writer.drain()
                writer.close()
            case _:
                writer.write(framed)
                await writer.drain()

    def _tell(self, events: list[AnyVenueEvent]) -> None:
        now, later = self._venue.misfortune.arrivals(events) if events else ([], [])
        for writer in self._listeners:
            if now:
                writer.write(_told(now))
            if later:
                self._spawn(self._later(writer, _told(later)))

    async def _later(self, writer: asyncio.StreamWriter, framed: bytes) -> None:
        await asyncio.sleep(self._venue.misfortune.faults.delay)
        if not writer.is_closing():
            writer.write(framed)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _kind(request: wire.AnyRequest) -> str:
    return str(type(request).__struct_config__.tag)


def _told(events: list[AnyVenueEvent]) -> bytes:
    return b"".join(wire.frame(wire.Told(event=event)) for event in events)


def _refuse_if_alive(address: str) -> None:
    """A dead process's socket is taken over, a living one's is not. Raises HomeInUse."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(address)
        except (FileNotFoundError, ConnectionRefusedError):
            return
    raise HomeInUse(f"another process listens at {address}")
