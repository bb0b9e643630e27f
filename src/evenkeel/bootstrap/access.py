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


async def access_of(
    engine: AsyncEngine,
    users: Users,
    *,
    trail: Trail,
    server_keys: tuple[bytes, ...],
    admits: Callable[[User, str], bool],
) -> Access:
    """Keys and shares, with what is shared read. `admits` says whether a person may come from an address."""
    from evenkeel.desk.keys import ApiKey, Keys
    from evenkeel.desk.shares import Share, Shares
    from evenkeel.storage.repositories import StoredKeys, StoredShares

    keys = Keys(StoredKeys(engine, ApiKey), users, server_keys, admits=admits)
    shares = Shares(StoredShares(engine, Share), users)
    await shares.load()
    return Access(keys, shares, trail)
