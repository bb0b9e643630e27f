"""Rows written many at once are those that SQLAlchemy's own statements write, on both databases."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Boolean, Connection, Date, Float, Integer, MetaData, Table, delete, select
from sqlalchemy.exc import IntegrityError

from evenkeel.domain.errors import InexactMoney
from evenkeel.storage.database import Database
from evenkeel.storage.engines import sync_engine
from evenkeel.storage.projections.writing import Writer
from evenkeel.storage.tables.types import Exact, Json, MaybeJson, Ns, key, may, need

ALL = Table(
    "all_kinds",
    MetaData(),
    key("shard"),
    key("seq", Ns),
    need("amount", Exact),
    may("limit", Exact),
    need("details", Json),
    may("kept", MaybeJson),
    need("day", Date),
    need("is_open", Boolean),
    may("bid", Float),
    may("count", Integer),
    need("since", Ns, server_default="0"),
)
FULL = {
    "shard": "s", "seq": 2**62, "amount": Decimal("-1.10"), "limit": Decimal("1E+3"), "details": {"ü": ["'", '"', 1.5]},
    "kept": {"a": None}, "day": date(2024, 2, 29), "is_open": True, "bid": 0.1, "count": -3, "since": 7,
}  # fmt: skip
EMPTY = {
    "shard": "s", "seq": 2, "amount": Decimal(0), "limit": None, "details": [], "kept": None,
    "day": date(1970, 1, 1), "is_open": False, "bid": None, "count": None, "since": 0,
}  # fmt: skip


def rows(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(ALL).order_by(ALL.c.seq)).mappings()]


def test_rows_are_those_of_statements(database: Database) -> None:
    writer, engine = Writer(), sync_engine(database, "project")
    with engine.begin() as connection:
        ALL.create(connection)
        connection.execute(ALL.insert(), [FULL, EMPTY])
        expected = rows(connection)
        assert expected == [EMPTY, FULL]
        connection.execute(delete(ALL))
        writer.insert(connection, ALL, [FULL, EMPTY])
        assert rows(connection) == expected
        changed, fresh = FULL | {"amount": Decimal("2.50"), "kept": None}, EMPTY | {"seq": 3}
        writer.upsert(connection, ALL, [changed, fresh])
        assert rows(connection) == [EMPTY, fresh, changed]
        short = {name: value for name, value in EMPTY.items() if name != "since"} | {"seq": 4}
        writer.insert(connection, ALL, [short])
        assert rows(connection)[2] == short | {"since": 0}, "what a row does not name has its default"
    engine.dispose()


def test_what_does_not_fit_is_refused(database: Database) -> None:
    writer, engine = Writer(), sync_engine(database, "project")
    with engine.begin() as connection:
        ALL.create(connection)
    for wrong, error in (
        ([FULL, FULL], IntegrityError),
        ([FULL, {**EMPTY, "amount": Decimal("NaN")}], InexactMoney),
        ([FULL, {"shard": "s", "seq": 9}], KeyError),
    ):
        with pytest.raises(error), engine.begin() as connection:
            writer.insert(connection, ALL, wrong)
        with engine.connect() as connection:
            assert rows(connection) == []
    engine.dispose()
