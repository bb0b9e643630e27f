"""The vault of a home: its rows, the server's keys, whoever opens it by signing in, and what watches over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from evenkeel.desk.sealing import KeyRing
    from evenkeel.desk.vault.safe import Safe
    from evenkeel.desk.vault.watch import VaultWatch
    from evenkeel.trading.live.runner import Runner

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Vaulting:
    """The safe, and the watch over it while a run goes on."""

    safe: Safe
    watch: VaultWatch | None = None

    async def start(self, runner: Runner) -> None:
        """Seals under the newest server key what the server alone opens, and tells of what is locked."""
        from evenkeel.desk.vault.watch import VaultWatch

        renewed = await self.safe.vault.renew_server_key(self.safe.vault.ring)
        if renewed:
            log.info("sealed under the newest server key", accounts=renewed)
        self.watch = VaultWatch(self.safe.credentials, runner, runner.post, days=self.safe.days)
        await self.watch.start()

    async def stop(self) -> None:
        """Every key is overwritten."""
        if self.watch is not None:
            await self.watch.stop()
        self.safe.vault.close()


def vaulting_of(engine: AsyncEngine, ring: KeyRing, *, days: int) -> Vaulting:
    """`days` is the age from which credentials are due for renewal, 0: never."""
    from evenkeel.desk.vault.ports import SealedCredential, VaultRow, Wrap
    from evenkeel.desk.vault.safe import made
    from evenkeel.storage.repositories import StoredVault

    store = StoredVault(engine, VaultRow, Wrap, SealedCredential)
    return Vaulting(made(store, ring, days=days or None))
