"""The vault of a home: its rows, the server's keys, whoever opens it by signing in, and what watches over it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from evenkeel.desk.server_keys import HomeKeys, Needed
    from evenkeel.desk.vault.safe import Safe
    from evenkeel.desk.vault.watch import VaultWatch
    from evenkeel.trading.live.runner import Runner

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Vaulting:
    """The safe, and the watch over it while a run goes on."""

    safe: Safe
    missing: tuple[Needed, ...] = ()
    watch: VaultWatch | None = None
    _checks: set[asyncio.Future[None]] = field(default_factory=set)

    async def start(self, runner: Runner) -> None:
        """Seals under the newest server key what the server alone opens, and tells of what is locked, and why."""
        from evenkeel.desk.vault.watch import VaultWatch
        from evenkeel.domain.events import Noticed

        renewed = await self.safe.vault.renew_server_key(self.safe.vault.ring)
        if renewed:
            log.info("sealed under the newest server key", accounts=renewed)
        if self.missing:
            lacking = ", ".join(map(str, self.missing))
            message = f"server keys are not here, and what is sealed under them does not open: {lacking}"
            runner.post(Noticed("critical", "server-key-missing", f"{message}. `evenkeel vault keys` says what to do"))
        self.watch = VaultWatch(self.safe.credentials, runner, runner.post, days=self.safe.days)
        await self.watch.start()

    def sessions_ended(self, user_id: str) -> None:
        """Somebody's sessions have ended, perhaps because their password was reset outside this process."""
        if self.safe.vault.is_open(user_id):
            task = asyncio.ensure_future(self._recheck(user_id))
            self._checks.add(task)
            task.add_done_callback(self._checks.discard)

    async def _recheck(self, user_id: str) -> None:
        from evenkeel.domain.errors import EvenkeelError

        try:
            locked = await self.safe.vault.recheck(user_id)
        except EvenkeelError as error:
            locked = True
            self.safe.vault.lock(user_id)
            log.warning("whether the vault still opens is not known", user_id=user_id, reason=error.message)
        if locked and self.watch is not None:
            await self.watch.tell_locked()

    async def stop(self) -> None:
        """Every key is overwritten."""
        if self.watch is not None:
            await self.watch.stop()
        self.safe.vault.close()


def vaulting_of(engine: AsyncEngine, keys: HomeKeys, *, days: int) -> Vaulting:
    """`days` is the age from which credentials are due for renewal, 0: never."""
    from evenkeel.desk.vault.ports import SealedCredential, VaultRow, Wrap
    from evenkeel.desk.vault.safe import made
    from evenkeel.storage.repositories import StoredVault

    store = StoredVault(engine, VaultRow, Wrap, SealedCredential)
    return Vaulting(made(store, keys.ring, days=days or None), keys.missing)
