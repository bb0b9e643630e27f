"""Watches the vault for people: says at once which live accounts are locked, and when credentials are due for renewal.

What it says goes into the journal as an alert like any other; no secret is ever part of it.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from evenkeel.desk.vault.credentials import AccountCredentials
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.events import Noticed
from evenkeel.trading.engine.state import AccountState
from evenkeel.trading.live.ports import StateOwner

log = structlog.get_logger(__name__)
DAY = 24 * 3600 * SECOND
LOOK_EVERY = 3600.0
AGAIN = 7 * DAY


class VaultWatch:
    """`post` hands a notice to the engine; `days` is the age from which credentials are due, None: never."""

    def __init__(
        self,
        credentials: AccountCredentials,
        owner: StateOwner,
        post: Callable[[Noticed], None],
        *,
        days: int | None,
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        self._credentials, self._owner, self._post, self._days, self._wall = credentials, owner, post, days, wall
        self._told: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Tells of accounts that are locked, then looks at ages every hour."""
        await self.tell_locked()
        self._task = asyncio.create_task(self._run(), name="vault watch")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def tell_locked(self) -> None:
        """A critical alert for each account that is switched live and cannot be opened now."""
        for held in self._live():
            account = held.account
            if await self._credentials.is_locked(account.id, account.user_id):
                message = (
                    f"{account.name} is locked ({held.custody}): nothing of it is sent until its owner has unlocked "
                    "the vault by signing in, or with `evenkeel vault unlock`"
                )
                self._post(Noticed("critical", "vault-locked", message, account.id))

    async def tell_due(self) -> None:
        """A warning, once a week, for each account whose credentials are older than the setting says."""
        if self._days is None:
            return
        now = self._wall()
        for account_id, since in (await self._credentials.older_than(self._days * DAY)).items():
            held = self._owner.state.accounts.get(account_id)
            if held is None or now - self._told.get(account_id, -AGAIN) < AGAIN:
                continue
            self._told[account_id] = now
            message = f"the credentials of {held.account.name} are {(now - since) // DAY} days old: renew them"
            self._post(Noticed("warning", "credentials-due", message, account_id))

    def _live(self) -> list[AccountState]:
        return [held for held in self._owner.state.accounts.values() if held.custody is not None and not held.is_off]

    async def _run(self) -> None:
        while True:
            try:
                await self.tell_due()
            except EvenkeelError as error:
                log.warning("the age of credentials is not known", reason=error.message)
            await asyncio.sleep(LOOK_EVERY)
