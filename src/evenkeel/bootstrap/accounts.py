"""What a home knows of its accounts beside trading: what people say of them, the kept totals, and the purge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from evenkeel.desk.accounts import AccountDirectory
    from evenkeel.desk.ports import Users
    from evenkeel.desk.purging import Purging
    from evenkeel.storage.repositories.totals import StoredTotals


@dataclass(frozen=True, slots=True)
class AccountParts:
    """Details and groups at hand, totals of one shard, and what erases personal data."""

    directory: AccountDirectory
    totals: StoredTotals
    purging: Purging


async def accounts_of(engine: AsyncEngine, shard: str, *, users: Users) -> AccountParts:
    """Loads what is said of accounts. Raises NotReady where the database does not answer."""
    from evenkeel.desk.accounts import AccountDirectory
    from evenkeel.desk.purging import Purging
    from evenkeel.storage.repositories.accounts import StoredAccountDetails
    from evenkeel.storage.repositories.purging import StoredPersonalData
    from evenkeel.storage.repositories.totals import StoredTotals

    directory = AccountDirectory(StoredAccountDetails(engine))
    await directory.load()
    purging = Purging(StoredPersonalData(engine), directory, users)
    return AccountParts(directory, StoredTotals(engine, shard), purging)
