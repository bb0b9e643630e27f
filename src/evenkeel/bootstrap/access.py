"""Access of a home: its keys, what is shared in it, and its audit log, on the home's database and secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncEngine

    from evenkeel.desk.audit import Trail
    from evenkeel.desk.keys import Keys
    from evenkeel.desk.ports import User, Users
    from evenkeel.desk.shares import Shares
    from evenkeel.domain.audit import Break
    from evenkeel.domain.events import Noticed


@dataclass(frozen=True, slots=True)
class Access:
    """What the doors ask about whoever comes with a key, or to an account that is not theirs; and the log."""

    keys: Keys
    shares: Shares
    trail: Trail


def trail_of(engine: AsyncEngine, home: Path) -> Trail:
    """The audit log of a home."""
    from evenkeel.desk.audit import Trail
    from evenkeel.storage.repositories import Anchor, StoredAudit

    return Trail(StoredAudit(engine, Anchor(home)))


async def watch_log(trail: Trail, post: Callable[[Noticed], None]) -> None:
    """Has people told, now and from now on, where the audit log does not go on from what was kept of its end."""
    from evenkeel.domain.errors import EvenkeelError
    from evenkeel.domain.events import Noticed
    from evenkeel.storage.repositories import StoredAudit

    def tell(found: Break) -> None:
        message = f"the audit log is broken: {found}. It goes on; `evenkeel audit verify` says what to do"
        post(Noticed("critical", "audit-broken", message))

    if isinstance(trail.rows, StoredAudit):
        trail.rows.on_break = tell
        try:
            trail.rows.tell(await trail.rows.breaks())
        except EvenkeelError as error:
            post(Noticed("critical", "audit-unread", f"whether the audit log is whole is not known: {error.message}"))


async def access_of(
    engine: AsyncEngine,
    users: Users,
    *,
    home: Path,
    trail: Trail,
    server_keys: tuple[bytes, ...],
    admits: Callable[[User, str], bool],
) -> Access:
    """Keys and shares, with what is shared read. `admits` says whether a person may come from an address."""
    from evenkeel.desk.keys import ApiKey, Keys
    from evenkeel.desk.shares import Share, Shares
    from evenkeel.storage.repositories import StoredKeys, StoredShares
    from evenkeel.storage.signed_until import SignedUntil

    keys = Keys(StoredKeys(engine, ApiKey), users, server_keys, admits=admits, horizon=SignedUntil(home))
    shares = Shares(StoredShares(engine, Share), users)
    await shares.load()
    return Access(keys, shares, trail)
