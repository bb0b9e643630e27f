"""The rows that records change, gathered in memory and written in one transaction.

Keyed rows are read once, changed as dictionaries and written whole; rows of a history are only added. A unit that
failed to be written is cleared, and the same records are projected again.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, and_, select

from evenkeel.domain.errors import JournalCorrupt
from evenkeel.storage.projections.writing import Row, Writer

Key = tuple[Any, ...]


class Place(NamedTuple):
    """Where a record stands: its sequence, and the wall clock of its commit."""

    seq: int
    committed_at: int


class Unit:
    """The working set of one shard's projector; `small` tables are read as a whole when first asked for."""

    def __init__(self, shard: str, small: frozenset[Table] = frozenset()) -> None:
        self.shard = shard
        self._small = small
        self.connection: Connection | None = None
        self._rows: dict[Table, dict[Key, Row]] = {}
        self._changed: dict[Table, dict[Key, Row]] = {}
        self._added: dict[Table, list[Row]] = {}
        self._whole: set[Table] = set()
        self._writer = Writer()

    def get(self, table: Table, *key: Any) -> Row:
        """The row of a key, to be changed in place. Raises JournalCorrupt where there is none."""
        row = self.find(table, *key)
        if row is None:
            raise JournalCorrupt(f"the journal speaks of {table.name} {key}, which it never introduced")
        self._changed.setdefault(table, {})[key] = row
        return row

    def find(self, table: Table, *key: Any) -> Row | None:
        """The row of a key, not to be changed."""
        known = self._rows.setdefault(table, {})
        row = known.get(key)
        if row is not None or table in self._whole:
            return row
        if table in self._small:
            return self._all(table).get(key)
        if (row := self._read(table, key)) is not None:
            known[key] = row
        return row

    def find_or(self, table: Table, key: Key, make: Callable[[], Row]) -> Row:
        """The row of a key, to be changed in place, made where there is none."""
        row = self.find(table, *key)
        if row is None:
            return self.put(table, key, make())
        self._changed.setdefault(table, {})[key] = row
        return row

    def put(self, table: Table, key: Key, row: Row) -> Row:
        """A row that is new, or replaces the one of this key."""
        row["shard"] = self.shard
        self._rows.setdefault(table, {})[key] = row
        self._changed.setdefault(table, {})[key] = row
        return row

    def add(self, table: Table, row: Row) -> None:
        """A row of a history, never changed again."""
        row["shard"] = self.shard
        self._added.setdefault(table, []).append(row)

    def each(self, table: Table) -> Iterable[Row]:
        """Every row of a small table, to be changed in place."""
        known = self._all(table)
        self._changed.setdefault(table, {}).update(known)
        return known.values()

    def flush(self, closed: Callable[[Table, Row], bool]) -> None:
        """Writes what has changed; rows that `closed` says will hardly be needed again are let go."""
        connection = self._connected()
        for table, rows in self._added.items():
            self._writer.insert(connection, table, rows)
        for table, changed in self._changed.items():
            if changed:
                self._writer.upsert(connection, table, list(changed.values()))
            known = self._rows[table]
            for key in [key for key, row in changed.items() if closed(table, row)]:
                del known[key]
        self._added.clear()
        self._changed.clear()

    def clear(self) -> None:
        """Forgets everything, written or not."""
        self._rows.clear()
        self._changed.clear()
        self._added.clear()
        self._whole.clear()

    def newest(self, table: Table, column: str, value: Any) -> Row | None:
        """The newest row of a history by (at, id) whose `column` is `value`, including what is not yet written."""
        for row in reversed(self._added.get(table, [])):
            if row[column] == value:
                return row
        where = and_(table.c.shard == self.shard, table.c[column] == value)
        query = select(table).where(where).order_by(table.c.at.desc(), table.c.id.desc()).limit(1)
        found = self._connected().execute(query).mappings().first()
        return dict(found) if found else None

    def _read(self, table: Table, key: Key) -> Row | None:
        names = [column.name for column in table.primary_key.columns if column.name != "shard"]
        where = and_(
            table.c.shard == self.shard, *(table.c[name] == value for name, value in zip(names, key, strict=True))
        )
        found = self._connected().execute(select(table).where(where)).mappings().first()
        return dict(found) if found else None

    def _all(self, table: Table) -> dict[Key, Row]:
        known = self._rows.setdefault(table, {})
        if table not in self._whole:
            for row in self._query(table):
                known.setdefault(_key(table, row), row)
            self._whole.add(table)
        return known

    def _query(self, table: Table) -> Iterable[Row]:
        rows = self._connected().execute(select(table).where(table.c.shard == self.shard)).mappings()
        return [dict(row) for row in rows]

    def _connected(self) -> Connection:
        assert self.connection is not None, "a unit reads and writes inside the projector's transaction"
        return self.connection


def _key(table: Table, row: Row) -> Key:
    return tuple(row[column.name] for column in table.primary_key.columns if column.name != "shard")
