"""PostgreSQL's part of a backup: every table as COPY writes it, inside one REPEATABLE READ transaction.

So orders may run on, and what is copied is of one moment: tables and journal agree. It needs no other program, and
reads back on any newer server; `pg_dump` and a server's own archiving remain as good.
"""

import gzip
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from evenkeel.domain.errors import Conflict, EvenkeelError, InvalidInput, JournalCorrupt, NotFound
from evenkeel.domain.records import GENESIS, Batch, chain_hash
from evenkeel.storage import schema
from evenkeel.storage.backups.manifest import ShardEnd, TableEntry
from evenkeel.storage.database import Database
from evenkeel.storage.journal.postgres import Connection, connect, ensure_tables

FOLDER = "tables"
JOURNAL = "journal"
_LOCK = 7221604254
_OWN = frozenset({"alembic_version", "journal_schema"})
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
_COLUMNS = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name = %s AND is_generated = 'NEVER' ORDER BY ordinal_position
"""
_KEYS = """
SELECT c.conrelid::regclass::text, c.confrelid::regclass::text FROM pg_constraint c
JOIN pg_namespace n ON n.oid = c.connamespace WHERE c.contype = 'f' AND n.nspname = current_schema()
"""
_SERIALS = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name = %s
  AND pg_get_serial_sequence(quote_ident(table_name), column_name) IS NOT NULL
"""


def dump(database: Database, folder: Path) -> tuple[tuple[TableEntry, ...], tuple[Path, ...]]:
    """Writes every table into a folder. Raises NotFound for an empty database, EvenkeelError where it cannot."""
    (folder / FOLDER).mkdir(mode=0o700)
    with _told("backed up"), connect(database.dsn, "backup") as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        names = [str(row[0]) for row in connection.execute(_TABLES).fetchall()]
        if JOURNAL not in names:
            raise NotFound(f"there is nothing to back up in {database.shown}", hint="name the home with --home")
        entries = tuple(_dumped(connection, name, folder) for name in names if name not in _OWN)
    return entries, tuple(folder / one.path for one in entries)


def load(database: Database, folder: Path, tables: Sequence[TableEntry]) -> None:
    """Fills the tables of an empty database, whose schema is that of the backup; all of them or none.

    Raises InvalidInput where a table or column of the backup is not there.
    """
    with _told("restored"), connect(database.dsn, "restore") as connection:
        ensure_tables(connection)
        with connection.transaction():
            connection.execute("SET LOCAL synchronous_commit = on")
            for one in _in_order(connection, tables):
                _loaded(connection, folder, one)
            connection.execute("UPDATE leases SET expires_at = '-infinity', token = ''")
            connection.execute("DELETE FROM writers")  # nobody has written here yet


@contextmanager
def emptied(database: Database) -> Iterator[None]:
    """Around the filling of an empty database: what fails leaves it empty again, what is killed does not.

    Raises Conflict for one that holds anything, or that another restore fills.
    """
    with connect(database.dsn, "restore") as connection:
        taken = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
        if taken is None or not taken[0]:
            raise Conflict(f"another restore fills {database.shown}", hint="Wait for it, and look what it has made.")
        found = connection.execute(_TABLES).fetchall()
        if found:
            raise Conflict(
                f"{database.shown} is not empty: it has {len(found)} tables",
                hint="restore into a new, empty database, and name it with --database-url; one that a restore was "
                "killed in is dropped and created anew",
            )
        try:
            yield
        except BaseException:
            _empty(connection, database)
            raise


def _empty(connection: Connection, database: Database) -> None:
    """Takes away again what a restore has made of an empty database."""
    if schema.current(database) is not None:
        schema.remove(database)
    for (name,) in connection.execute(_TABLES).fetchall():
        connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(str(name))))


def ends(folder: Path, tables: Sequence[TableEntry]) -> dict[str, ShardEnd]:
    """Where each shard's journal ends, with its hash chain checked from the file alone. Raises JournalCorrupt."""
    table = next(one for one in tables if one.name == JOURNAL)
    places = {name: table.columns.index(name) for name in table.columns}
    last: dict[str, tuple[int, bytes]] = {}
    for row in _rows(folder / table.path):
        batch = _batch(row, places)
        seq, head = last.get(batch.shard, (0, GENESIS))
        if batch.first_seq != seq + 1 or batch.prev_hash != head:
            raise JournalCorrupt(f"the journal of {batch.shard} at sequence {batch.first_seq} does not follow {seq}")
        found = chain_hash(batch)
        if found != bytes.fromhex(row[places["hash"]].removeprefix("\\\\x")):
            raise JournalCorrupt(f"the journal of {batch.shard} at sequence {batch.first_seq} has been altered")
        last[batch.shard] = (batch.last_seq, found)
    return {shard: ShardEnd(seq, head.hex()) for shard, (seq, head) in last.items()}


def columns_of(folder: Path, table: TableEntry, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """These columns of every row of a table, as text; of columns whose text needs no escaping."""
    places = [table.columns.index(name) for name in names]
    return (tuple(row[place] for place in places) for row in _rows(folder / table.path))


def _batch(row: Sequence[str], places: dict[str, int]) -> Batch:
    def of(name: str) -> str:
        return row[places[name]]

    return Batch(
        shard=_unescaped(of("shard")),
        epoch=int(of("epoch")),
        first_seq=int(of("first_seq")),
        last_seq=int(of("last_seq")),
        prev_hash=bytes.fromhex(of("prev_hash").removeprefix("\\\\x")),
        body=bytes.fromhex(of("body").removeprefix("\\\\x")),
    )


def _rows(path: Path) -> Iterator[list[str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        for line in file:
            yield line.rstrip("\n").split("\t")


def _unescaped(text: str) -> str:
    return text.encode().decode("unicode_escape") if "\\" in text else text


def _dumped(connection: Connection, name: str, folder: Path) -> TableEntry:
    columns = tuple(str(row[0]) for row in connection.execute(_COLUMNS, (name,)).fetchall())
    path = folder / FOLDER / f"{name}.copy.gz"
    rows = 0
    order = sql.SQL(" ORDER BY shard, first_seq" if name == JOURNAL else "")
    query = sql.SQL("COPY (SELECT {} FROM {}{}) TO STDOUT").format(_listed(columns), sql.Identifier(name), order)
    with gzip.open(path, "wb", compresslevel=5) as file, connection.cursor() as cursor:
        with cursor.copy(query) as found:
            for chunk in found:
                file.write(chunk)
        rows = max(0, cursor.rowcount)
    path.chmod(0o600)
    return TableEntry(name, columns, rows, f"{FOLDER}/{path.name}")


def _loaded(connection: Connection, folder: Path, one: TableEntry) -> None:
    there = {str(row[0]) for row in connection.execute(_COLUMNS, (one.name,)).fetchall()}
    if missing := [name for name in one.columns if name not in there]:
        raise InvalidInput(f"the table {one.name} of this version has no {', '.join(missing)}")
    there_are = connection.execute(
        sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(one.name))
    ).fetchone()
    if there_are is not None and there_are[0]:  # what a revision has put there
        connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(one.name)))
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(one.name), _listed(one.columns))
    with gzip.open(folder / one.path, "rb") as file, connection.cursor() as cursor, cursor.copy(into) as sink:
        while chunk := file.read(1 << 16):
            sink.write(chunk)
    for row in connection.execute(_SERIALS, (one.name,)).fetchall():
        _go_on(connection, one.name, str(row[0]))


def _go_on(connection: Connection, table: str, column: str) -> None:
    """Has a column that counts by itself go on where the copy ends."""
    query = sql.SQL(
        "SELECT setval(pg_get_serial_sequence(%s, %s), greatest(1, coalesce((SELECT max({}) FROM {}), 0)))"
    ).format(sql.Identifier(column), sql.Identifier(table))
    connection.execute(query, (table, column))


def _in_order(connection: Connection, tables: Sequence[TableEntry]) -> Iterable[TableEntry]:
    """What other tables point at comes before them."""
    wanted = {one.name: one for one in tables}
    needs: dict[str, set[str]] = {name: set() for name in wanted}
    for child, parent in connection.execute(_KEYS).fetchall():
        if child in needs and parent in wanted and child != parent:
            needs[child].add(parent)
    while needs:
        free = sorted(name for name, parents in needs.items() if not parents & needs.keys())
        if not free:
            raise InvalidInput(f"these tables point at each other: {', '.join(sorted(needs))}")
        for name in free:
            del needs[name]
            yield wanted[name]


def _listed(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


@contextmanager
def _told(done: str) -> Iterator[Any]:
    try:
        yield
    except psycopg.Error as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise EvenkeelError(
            f"the database could not be {done}: {said}", hint="correct what the database reports, and do it again"
        ) from error
