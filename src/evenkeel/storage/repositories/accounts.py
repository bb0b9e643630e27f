"""What people say of their accounts, and the totals that are kept of them: one shard's, and people's own tables."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from evenkeel.domain.account_details import AccountDetails, AccountGroup
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.taxes import LotMethod, TaxSetting, TaxStatus, TaxTerms
from evenkeel.storage.engines import WRITING
from evenkeel.storage.repositories.paging import reading
from evenkeel.storage.tables.account_groups import (
    account_details,
    account_group_members,
    account_groups,
    account_taxes,
    base_currencies,
)


class StoredAccountDetails:
    """Details, groups and base currencies. Raises NotReady where the database does not answer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writing = engine.execution_options(**WRITING)

    async def load(self) -> tuple[tuple[AccountDetails, ...], tuple[AccountGroup, ...], dict[str, str]]:
        """All there is: details, groups with their accounts in order of id, and base currencies by user."""
        members: dict[str, list[str]] = {}
        async with reading(self._engine) as connection:
            details = (await connection.execute(select(account_details))).mappings().all()
            groups = (await connection.execute(select(account_groups).order_by(account_groups.c.name_key))).all()
            pairs = select(account_group_members).order_by(account_group_members.c.account_id)
            for group_id, account_id in (await connection.execute(pairs)).all():
                members.setdefault(group_id, []).append(account_id)
            currencies = (await connection.execute(select(base_currencies))).all()
        return (
            tuple(
                AccountDetails(
                    row["account_id"],
                    row["user_id"],
                    row["account_number"],
                    tuple(row["labels"]),
                    row["notes"],
                    row["egress"],
                )
                for row in details
            ),
            tuple(AccountGroup(one.id, one.user_id, one.name, tuple(members.get(one.id, ()))) for one in groups),
            {one.user_id: one.currency for one in currencies},
        )

    async def describe(self, details: AccountDetails, *, at: int) -> None:
        """Keeps what is said of an account, in the place of what was."""
        row = {
            "account_id": details.account_id,
            "user_id": details.user_id,
            "account_number": details.number,
            "labels": list(details.labels),
            "notes": details.notes,
            "egress": details.egress,
            "updated_at": at,
        }
        async with reading(self._writing) as connection:
            await _replace(
                connection, account_details, where=account_details.c.account_id == details.account_id, row=row
            )

    async def taxes(self) -> tuple[TaxSetting, ...]:
        """How gains are taxed, account by account, each from the earliest setting to the latest."""
        async with reading(self._engine) as connection:
            wanted = select(account_taxes).order_by(account_taxes.c.account_id, account_taxes.c.since)
            rows = (await connection.execute(wanted)).all()
        return tuple(
            TaxSetting(
                row.account_id,
                row.user_id,
                row.since,
                TaxTerms(TaxStatus(row.status), row.short_rate, row.long_rate, row.long_after, LotMethod(row.method)),
            )
            for row in rows
        )

    async def save_taxes(self, account_id: str, settings: Collection[TaxSetting], *, at: int) -> None:
        """Keeps an account's settings in the place of those it had."""
        rows = [
            {
                "account_id": account_id,
                "since": one.since,
                "user_id": one.user_id,
                "status": one.terms.status.value,
                "short_rate": one.terms.short,
                "long_rate": one.terms.long,
                "long_after": one.terms.days,
                "method": one.terms.method.value,
                "updated_at": at,
            }
            for one in settings
        ]
        async with reading(self._writing) as connection:
            await connection.execute(delete(account_taxes).where(account_taxes.c.account_id == account_id))
            if rows:
                await connection.execute(insert(account_taxes), rows)

    async def save_group(self, group: AccountGroup, *, name_key: str, at: int) -> None:
        """Keeps a group, in the place of the one of its id. Raises InvalidInput where its user has one of that name."""
        row = {"id": group.id, "user_id": group.user_id, "name": group.name, "name_key": name_key, "created_at": at}
        async with reading(self._writing) as connection:
            try:
                await _without(connection, (group.id,))
                await connection.execute(insert(account_groups).values(row))
            except IntegrityError as error:
                fault = FieldError("name", f"you have another group called {group.name!r}")
                raise InvalidInput("the name is taken", errors=(fault,)) from error
            if group.account_ids:
                rows = [{"group_id": group.id, "account_id": one} for one in group.account_ids]
                await connection.execute(insert(account_group_members), rows)

    async def remove_groups(self, group_ids: Collection[str]) -> None:
        async with reading(self._writing) as connection:
            await _without(connection, group_ids)

    async def set_currency(self, user_id: str, currency: str, *, at: int) -> None:
        row = {"user_id": user_id, "currency": currency, "updated_at": at}
        async with reading(self._writing) as connection:
            await _replace(connection, base_currencies, where=base_currencies.c.user_id == user_id, row=row)

    async def erase(self, account_ids: Collection[str]) -> None:
        """Forgets what was said of these accounts, and takes them out of every group."""
        named = sorted(account_ids)
        async with reading(self._writing) as connection:
            for table in (account_details, account_taxes, account_group_members):
                await connection.execute(delete(table).where(table.c.account_id.in_(named)))


async def _without(connection: AsyncConnection, group_ids: Collection[str]) -> None:
    named = sorted(group_ids)
    await connection.execute(delete(account_group_members).where(account_group_members.c.group_id.in_(named)))
    await connection.execute(delete(account_groups).where(account_groups.c.id.in_(named)))


async def _replace(connection: AsyncConnection, table: Any, *, where: ColumnElement[bool], row: dict[str, Any]) -> None:
    await connection.execute(delete(table).where(where))
    await connection.execute(insert(table).values(row))
