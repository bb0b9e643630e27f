"""The audit log: who asked for what, from where, and what it changed; rows are added and never changed.

An administrative change is written down before it is made, and is not made where that fails. Orders are not here: they
stand in the journal with who gave them.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import asdict, replace

from evenkeel.domain.audit import ASKED, Entry, Row
from evenkeel.domain.errors import EvenkeelError

log = structlog.get_logger(__name__)
MOST_WAITING = 10_000
_LONGEST = 4_000
_HIDDEN = "…"
_SECRET = re.compile(
    r"passw|passphrase|secret|token|credential|private|cookie|otp|recovery|signature|authorization|seal|code$|_?key$",
    re.IGNORECASE,
)
_LOOKS_SECRET = re.compile(r"\b(ev[ksw]_[A-Za-z0-9_-]{8,}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+)")


class AuditRows(Protocol):
    """Where rows are kept, in one chain."""

    async def append(self, entries: tuple[Entry, ...]) -> None:
        """Adds them after the last row, all or none, durably. Raises NotReady."""

    async def page(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        subject: str | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> tuple[Sequence[Row], str | None]:
        """Rows that fit, newest first, from `start` on and before `end` (ns)."""


class Noted(Struct):
    """One change that was made under a request, in words of its own."""

    action: str
    subject: str
    before: str
    after: str


class Asked(Struct):
    """A request under way, and what has been noted under it."""

    entry: Entry
    notes: list[Noted] = msgspec.field(default_factory=list)


_under_way: ContextVar[Asked | None] = ContextVar("audited request", default=None)


class Trail:
    """Writes the log: at once and before the change where `firm`, else soon after it, in order.

    What a service notes under a request goes into that request's row; without one it is a row of its own.
    """

    def __init__(self, rows: AuditRows, *, wall: Callable[[], int] = time.time_ns) -> None:
        self.rows, self._wall = rows, wall
        self._waiting: list[Entry] = []
        self._writer: asyncio.Task[None] | None = None

    async def note(
        self,
        actor: str,
        action: str,
        *,
        subject: str,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        address: str = "",
        agent: str = "",
    ) -> None:
        """Says what is about to change. Raises NotReady where it cannot be written: then nothing may be changed."""
        noted = Noted(action, subject, clean(before), clean(after))
        asked = _under_way.get()
        if asked is not None:
            asked.notes.append(noted)
            return
        entry = Entry(at=self._wall(), actor=actor, address=address[:64], agent=_line(agent), **asdict(noted))
        await self.rows.append((entry,))

    @asynccontextmanager
    async def under(self, entry: Entry, *, firm: bool) -> AsyncIterator[Asked]:
        """Around a request: `asked` before it where `firm`, and what came of it after. Set `outcome` of what this
        gives to its status. Raises NotReady, with the request not begun, where the log cannot be written."""
        asked = Asked(entry)
        if firm:
            await self.rows.append((replace(entry, outcome=ASKED),))
        token = _under_way.set(asked)
        try:
            yield asked
        finally:
            _under_way.reset(token)
            self._waiting += self._rows_of(asked)
            if (over := len(self._waiting) - MOST_WAITING) > 0:
                _tell(self._waiting[:over], "too many wait for the database")
                del self._waiting[:over]
            self._write_soon()
            if firm:
                await self.settled()

    def _rows_of(self, asked: Asked) -> list[Entry]:
        if not asked.notes:
            return [asked.entry]
        return [replace(asked.entry, **asdict(one)) for one in asked.notes]

    def _write_soon(self) -> None:
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="audit")

    async def _write(self) -> None:
        while self._waiting:
            entries, self._waiting = tuple(self._waiting), []
            try:
                await self.rows.append(entries)
            except EvenkeelError as error:
                _tell(entries, error.message)

    async def settled(self) -> None:
        """Returns when all that waited has been written, or told to the log."""
        if self._writer is not None:
            await asyncio.shield(self._writer)


def _tell(entries: Sequence[Entry], reason: str) -> None:
    told = [f"{one.actor} {one.action} {one.subject} {one.outcome}" for one in entries]
    log.critical("rows of the audit log could not be written", reason=reason, rows=told)


def clean(value: Mapping[str, Any] | None) -> str:
    """JSON without secrets: what is named like one, or looks like one of ours, is left out; cut where it is long."""
    if not value:
        return ""
    text = msgspec.json.encode(_without_secrets(msgspec.to_builtins(value, str_keys=True)), order="sorted").decode()
    return text if len(text) <= _LONGEST else text[:_LONGEST] + _HIDDEN


def _without_secrets(value: Any) -> Any:
    match value:
        case dict():
            return {
                name: _HIDDEN if _SECRET.search(name) and part is not None else _without_secrets(part)
                for name, part in value.items()
            }
        case list() | tuple():
            return [_without_secrets(part) for part in value]
        case str():
            return hushed(value)
    return value


def hushed(text: str) -> str:
    """A text without what looks like a secret of ours."""
    return _LOOKS_SECRET.sub(_HIDDEN, text)


def _line(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:200]
