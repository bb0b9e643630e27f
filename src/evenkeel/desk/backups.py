"""Backups while the desk runs: one a day, what the policy no longer keeps removed, an alert where one fails.

The home's keys come along only where a passphrase is given, and then sealed under it: argon2id, then AES-256-GCM.
"""

import asyncio
import secrets
import time
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec
import structlog
from msgspec import Struct

from evenkeel.desk.sealing import seal, unseal
from evenkeel.desk.vault.vault import check_passphrase
from evenkeel.desk.vault.wrapping import Cost, stretched
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import Conflict, EvenkeelError, SealBroken, Unauthenticated
from evenkeel.domain.events import Noticed

log = structlog.get_logger(__name__)
OVERDUE = timedelta(hours=25)
AGAIN, LONGEST_WAIT = 900.0, 6 * 3600.0
_ABOUT = ("backup", "keys")
_SALT = 16


class Summary(Struct, frozen=True):
    """A backup as people are shown it: `made_at` wall-clock ns, `size` in bytes, `records` of the journal, and the
    fingerprints of the server keys that open what is sealed in it."""

    name: str
    made_at: int
    size: int
    records: int
    server_keys: tuple[str, ...]
    has_keys: bool


class Shelf(Protocol):
    """Where backups lie. Both calls take their time: they are made off the event loop."""

    def make(self) -> Summary:
        """Raises EvenkeelError."""

    def all(self) -> Sequence[Summary]:
        """Newest first."""

    def prune(self) -> int:
        """How many were removed. Raises EvenkeelError."""


class Backups:
    """Makes one at a time. `post` tells people of what fails; `at` is the hour and minute (UTC), None: only by hand."""

    def __init__(
        self,
        shelf: Shelf,
        post: Callable[[Noticed], None],
        *,
        at: tuple[int, int] | None,
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        self._shelf, self._post, self._at, self._wall = shelf, post, at, wall
        self._task: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    def start(self) -> None:
        if self._at is not None:
            self._task = asyncio.create_task(self._run(*self._at), name="backups")

    async def stop(self) -> None:
        """A backup under way is seen through by its thread, and counts if it is whole."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def make(self) -> Summary:
        """Makes one now, and removes what the policy does not keep. Raises Conflict while another is made, and
        EvenkeelError where it fails."""
        if self._turn.locked():
            raise Conflict("a backup is being made already", hint="Wait for it: `evenkeel backup list` shows it.")
        async with self._turn:
            made = await asyncio.to_thread(self._shelf.make)
            gone = await asyncio.to_thread(self._shelf.prune)
        log.info("backup made", name=made.name, bytes=made.size, records=made.records, removed=gone)
        return made

    async def all(self) -> Sequence[Summary]:
        return await asyncio.to_thread(self._shelf.all)

    async def attempt(self) -> bool:
        """Makes one; where it fails, says so in an alert and answers False."""
        try:
            await self.make()
        except EvenkeelError as error:
            log.exception("the backup failed")
            self._post(Noticed("critical", "backup-failed", f"the backup failed: {error.message}"))
            return False
        return True

    async def _run(self, hour: int, minute: int) -> None:
        if await self._is_overdue():
            await self.attempt()
        while True:
            await asyncio.sleep(seconds_until(self._now(), hour, minute))
            wait = AGAIN
            while not await self.attempt():
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT)

    async def _is_overdue(self) -> bool:
        """Whether there are backups, and the last is older than a day: its time was slept through."""
        found = await self.all()
        return bool(found) and self._now() - datetime.fromtimestamp(found[0].made_at / SECOND, UTC) > OVERDUE

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wall() / SECOND, UTC)


def seconds_until(now: datetime, hour: int, minute: int) -> float:
    """Seconds from `now` (UTC) to the next such time of day, more than 0 and at most a day's."""
    due = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if due <= now:
        due += timedelta(days=1)
    return (due - now).total_seconds()


class SealedKeys(Struct, frozen=True, forbid_unknown_fields=True):
    """The keys of a home, sealed under a passphrase."""

    salt: str
    cost: str
    envelope: str


def seal_keys(keys: bytes, passphrase: str, *, cost: Cost | None = None) -> bytes:
    """What `open_keys` opens with the same passphrase. Raises InvalidInput for one that is too short or too long."""
    check_passphrase(passphrase)
    salt, dear = secrets.token_bytes(_SALT), cost or Cost()
    with stretched(_bytes(passphrase), salt, dear) as key:
        envelope = seal(key, keys, about=_ABOUT)
    return msgspec.json.encode(SealedKeys(salt.hex(), str(dear), envelope)) + b"\n"


def open_keys(sealed: bytes, passphrase: str) -> bytes:
    """The keys of a home. Raises Unauthenticated for another passphrase, SealBroken for what is damaged."""
    try:
        found = msgspec.json.decode(sealed, type=SealedKeys)
        salt = bytes.fromhex(found.salt)
    except (msgspec.MsgspecError, ValueError):
        raise SealBroken("the sealed keys of this backup cannot be read") from None
    with stretched(_bytes(passphrase), salt, Cost.read(found.cost)) as key:
        try:
            return unseal(key, found.envelope, about=_ABOUT)
        except SealBroken:
            raise Unauthenticated("this passphrase does not open the keys of this backup") from None


def _bytes(passphrase: str) -> bytes:
    return unicodedata.normalize("NFC", passphrase).encode()
