"""Many rows into a table at once. The statements and the conversions are SQLAlchemy's, which would prepare every row by
itself; here they are prepared once, and a whole column is converted at a time.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite

Row = dict[str, Any]
Convert = Callable[[Any], Any] | None


class Statement(NamedTuple):
    """Its text, and for each place in it the column that goes there and how its values are converted."""

    text: str
    columns: tuple[tuple[str, Convert], ...]


class Writer:
    """Writes for one engine, whose statements it keeps. Rows that come together have the names of the first of them."""

    def __init__(self) -> None:
        self._known: dict[tuple[Table, tuple[str, ...], bool], Statement] = {}

    def insert(self, connection: Connection, table: Table, rows: Sequence[Row]) -> None:
        """Adds rows."""
        self._write(connection, table, rows, replaces=False)

    def upsert(self, connection: Connection, table: Table, rows: Sequence[Row]) -> None:
        """Adds rows, or replaces those of their keys."""
        self._write(connection, table, rows, replaces=True)

    def _write(self, connection: Connection, table: Table, rows: Sequence[Row], *, replaces: bool) -> None:
        key = table, tuple(rows[0]), replaces
        statement = self._known.get(key)
        if statement is None:
            statement = self._known[key] = _prepared(connection.dialect, *key)
        columns = [
            [row[name] for row in rows] if convert is None else [convert(row[name]) for row in rows]
            for name, convert in statement.columns
        ]
        connection.exec_driver_sql(statement.text, list(zip(*columns, strict=True)))


def _prepared(dialect: Dialect, table: Table, names: tuple[str, ...], replaces: bool) -> Statement:
    statement = _replacing(table, dialect) if replaces else table.insert()
    compiled: Any = statement.compile(dialect=dialect, column_keys=names)
    types = {name: table.c[name].type.dialect_impl(dialect) for name in compiled.positiontup}
    return Statement(str(compiled), tuple((name, kind.bind_processor(dialect)) for name, kind in types.items()))


def _replacing(table: Table, dialect: Dialect) -> Any:
    keys = [column.name for column in table.primary_key.columns]
    statement: Any = (postgresql if dialect.name == "postgresql" else sqlite).insert(table)
    fresh = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=fresh)
