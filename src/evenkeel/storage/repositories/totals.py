"""The totals that are kept as rows, of one shard: a view over a million positions reads a few thousand of them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct
from sqlalchemy import Select, Table, select
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.storage.repositories.paging import reading
from evenkeel.storage.tables.totals import instrument_totals, kept_totals
from evenkeel.storage.tables.trading import position_totals


class KeptTotal(Struct, frozen=True):
    """What an account, a user or the platform has in one currency; an open position is one of an account in an
    instrument."""

    scope: str
    id: str
    currency: str
    accounts: int
    active_accounts: int
    positions: int
    cash: Decimal
    contributed: Decimal
    total_cost: Decimal
    realised: Decimal
    charges: Decimal


class InstrumentTotal(Struct, frozen=True):
    """An instrument over all accounts: what is held long, what is held short, and what all of it cost, signed."""

    instrument_id: str
    currency: str
    positions: int
    long_quantity: Decimal
    short_quantity: Decimal
    total_cost: Decimal


class HeldTotal(Struct, frozen=True):
    """An account's position in an instrument, all books together."""

    account_id: str
    instrument_id: str
    currency: str
    quantity: Decimal
    total_cost: Decimal
    realised: Decimal
    charges: Decimal


class StoredTotals:
    """Reads what the projector keeps. Raises NotReady where the database does not answer."""

    def __init__(self, engine: AsyncEngine, shard: str) -> None:
        self._engine, self._shard = engine, shard

    async def platform(self) -> tuple[list[KeptTotal], list[InstrumentTotal]]:
        """The platform's totals by currency, and those of every instrument that somebody holds, at one moment."""
        whole = _columns(kept_totals, KeptTotal).where(
            kept_totals.c.shard == self._shard, kept_totals.c.scope == "platform"
        )
        each = _columns(instrument_totals, InstrumentTotal).where(
            instrument_totals.c.shard == self._shard, instrument_totals.c.positions > 0
        )
        async with reading(self._engine) as connection:
            totals = (await connection.execute(whole)).all()
            instruments = (await connection.execute(each)).all()
        return [KeptTotal(*row) for row in totals], [InstrumentTotal(*row) for row in instruments]

    async def of(self, scope: str, ids: Sequence[str]) -> list[KeptTotal]:
        """The totals of accounts or users, by currency."""
        query = _columns(kept_totals, KeptTotal).where(
            kept_totals.c.shard == self._shard, kept_totals.c.scope == scope, kept_totals.c.id.in_(sorted(ids))
        )
        async with reading(self._engine) as connection:
            return [KeptTotal(*row) for row in (await connection.execute(query)).all()]

    async def held(self, account_ids: Sequence[str]) -> list[HeldTotal]:
        """What accounts hold or have held, by instrument."""
        query = _columns(position_totals, HeldTotal).where(
            position_totals.c.shard == self._shard, position_totals.c.account_id.in_(sorted(account_ids))
        )
        async with reading(self._engine) as connection:
            return [HeldTotal(*row) for row in (await connection.execute(query)).all()]


def _columns(table: Table, kind: type[Struct]) -> Select[Any]:
    return select(*(table.c[name] for name in kind.__struct_fields__))
