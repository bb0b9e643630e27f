"""Views for people with a SQL prompt: each table with `*_approx` columns beside its decimals, and a few summaries.

They are code, made anew by every upgrade. No query of ours reads them, since what is approximate is not booked.
"""

from sqlalchemy import Connection, Table, inspect, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from evenkeel.storage.summaries import SUMMARIES
from evenkeel.storage.tables import METADATA
from evenkeel.storage.tables.types import Exact

Columns = dict[str, set[str]]
"""The columns of the tables that are there."""


def _decimals(table: Table, there: Columns | None = None) -> list[str]:
    names = None if there is None else there.get(table.name, set())
    return [one.name for one in table.columns if isinstance(one.type, Exact) and (names is None or one.name in names)]


def _definitions(there: Columns | None = None) -> dict[str, str]:
    """Names and texts, each after those it reads from; without `there`, of the schema as it is declared."""
    named = {table.name: (table, _decimals(table, there)) for table in METADATA.sorted_tables}
    approximate = {f"{name}_approx": _approximate(table, names) for name, (table, names) in named.items() if names}
    return {**approximate, **SUMMARIES}


def _approximate(table: Table, names: list[str]) -> str:
    columns = ", ".join(f"CAST({name} AS double precision) AS {name}_approx" for name in names)
    return f"SELECT {table.name}.*, {columns} FROM {table.name}"  # noqa: S608


def drop(connection: Connection) -> None:
    for name in reversed(_definitions()):
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))


def create(connection: Connection) -> None:
    """Makes every view; of an older schema, those whose tables and columns are there."""
    there = _there(connection)
    for name, body in _definitions(there).items():
        with connection.begin_nested() as attempt:
            try:
                connection.execute(text(f"CREATE VIEW {name} AS {body}"))
                connection.execute(text(f"SELECT * FROM {name} LIMIT 0"))  # noqa: S608
            except (OperationalError, ProgrammingError):
                if _is_whole(there):
                    raise
                attempt.rollback()


def _there(connection: Connection) -> Columns:
    found = inspect(connection)
    names = set(found.get_table_names())
    return {
        table.name: {column["name"] for column in found.get_columns(table.name)}
        for table in METADATA.sorted_tables
        if table.name in names
    }


def _is_whole(there: Columns) -> bool:
    """Whether the schema is this version's."""
    return all(
        {column.name for column in table.columns} <= there.get(table.name, set()) for table in METADATA.sorted_tables
    )
