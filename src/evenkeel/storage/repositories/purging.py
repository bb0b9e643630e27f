"""Erases a person from the tables that may forget them; ledger, journal and audit log stay, under an id."""

from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.domain.errors import NotFound
from evenkeel.storage.engines import WRITING
from evenkeel.storage.repositories.paging import reading
from evenkeel.storage.repositories.people import name_key
from evenkeel.storage.tables import METADATA
from evenkeel.storage.tables.access import account_shares
from evenkeel.storage.tables.account_groups import account_group_members, account_groups
from evenkeel.storage.tables.people import users
from evenkeel.storage.tables.personal import ERASED


class StoredPersonalData:
    """Raises NotReady where the database does not answer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._writing = engine.execution_options(**WRITING)

    async def erase_user(self, user_id: str, stand_in: str) -> int:
        """Empties a person's row, which is called `stand_in` from then on, and removes their rows of every table that
        holds personal data, in one transaction. Returns how many rows went. Raises NotFound."""
        empty: dict[str, Any] = {
            "username": stand_in, "username_key": name_key(stand_in), "email": None, "email_key": None,
            "full_name": None, "password_hash": "", "is_active": False, "last_login": None, "networks": [],
        }  # fmt: skip
        async with reading(self._writing) as connection:
            done = await connection.execute(update(users).where(users.c.id == user_id).values(empty))
            if not done.rowcount:
                raise NotFound(f"there is no user {user_id!r}")
            groups = select(account_groups.c.id).where(account_groups.c.user_id == user_id)
            await connection.execute(delete(account_group_members).where(account_group_members.c.group_id.in_(groups)))
            gone = 0
            for table in reversed([one for one in METADATA.sorted_tables if one in ERASED]):
                mine = table.c.user_id == user_id
                if table is account_shares:
                    mine |= table.c.owner_id == user_id
                gone += (await connection.execute(delete(table).where(mine))).rowcount
        return gone
