"""The totals that are kept as rows, of one shard: a view over a million positions reads a few thousand of them."""

from decimal import Decimal
from typing import Any

from msgspec import Struct
from sqlalchemy import Select, Table, select
from sqlalchemy.ext.asyncio import AsyncEngine

from evenkeel.storage.repositories.paging import reading
from evenkeel.storage.tables.totals import instrument_totals, kept_totals


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


class StoredTotals:
    """Reads what the projector keeps. Raises NotReady where the database does not answer."""

    def __init__(self, engine: AsyncEngine, shard: str) -> None:
        self._engine, self._shard = engine, shard

    async def platform(self) -> tuple[list[KeptTotal], list[InstrumentTotal]]:
        """The platform's totals by currency, and those of every instrument that was ever held, at one moment."""
        whole = _columns(kept_totals, KeptTotal).where(
            kept_totals.c.shard == self._shard, kept_totals.c.scope == "platform"
        )
        each = _columns(instrument_totals, InstrumentTotal).where(instrument_totals.c.shard == self._shard)
        async with reading(self._engine) as connection:
            totals = (await connection.execute(whole)).all()
            instruments = (await connection.execute(each)).all()
        return [KeptTotal(*row) for row in totals], [InstrumentTotal(*row) for row in instruments]


def _columns(table: Table, kind: type[Struct]) -> Select[Any]:
    return select(*(table.c[name] for name in kind.__struct_fields__))
