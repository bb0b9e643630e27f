"""Where a home keeps its records: SQLite files inside the home directory, or one PostgreSQL database named by URL.

With SQLite, `journal.db` holds the journal and `evenkeel.db` everything that can be rebuilt from it, plus people.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from msgspec import Struct

from evenkeel.domain.errors import InvalidInput

_POSTGRES = frozenset({"postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg", "postgresql+psycopg2"})


class Database(Struct, frozen=True):
    """The database of one home: SQLite when `url` is None."""

    home: Path
    url: str | None = None

    @property
    def is_sqlite(self) -> bool:
        return self.url is None

    @property
    def journal_file(self) -> Path:
        return self.home / "journal.db"

    @property
    def file(self) -> Path:
        return self.home / "evenkeel.db"

    @property
    def dsn(self) -> str:
        """The PostgreSQL URL as libpq reads it. Raises InvalidInput on SQLite."""
        if self.url is None:
            raise InvalidInput(f"{self.home} uses SQLite, which has no URL")
        return urlunsplit(_postgres(self.url)._replace(scheme="postgresql"))

    @property
    def shown(self) -> str:
        """The place as it may be shown and logged: no password."""
        if self.url is None:
            return str(self.file)
        parts = _postgres(self.url)
        return f"postgresql://{parts.hostname or ''}:{parts.port or 5432}{parts.path}"


def database(home: Path, url: str | None = None) -> Database:
    """The database of `home`; an empty URL means SQLite. Raises InvalidInput for a URL that is not PostgreSQL's."""
    if url:
        _postgres(url)
    return Database(home, url or None)


def reader_of(path: Path, *, timeout: float = 10.0, **options: Any) -> sqlite3.Connection:
    """A connection that only reads a SQLite file, once what a process did not live to finish in it is taken back.

    Files are born with a rollback journal and get a write-ahead log with their first connection. Who is killed in
    between leaves a journal that only a connection that writes can play back; each that only reads is refused.
    Raises sqlite3.Error.
    """
    uri = path.absolute().as_uri()
    if path.with_name(f"{path.name}-journal").exists():
        with closing(sqlite3.connect(f"{uri}?mode=rw", uri=True, timeout=timeout)) as connection:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    found: sqlite3.Connection = sqlite3.connect(f"{uri}?mode=ro", uri=True, timeout=timeout, **options)
    return found


def _postgres(url: str) -> SplitResult:
    hint = "set postgresql://USER:PASSWORD@HOST:5432/NAME, or leave it empty: SQLite needs no URL and lives in --home"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidInput(f"the database URL cannot be read: {error}", hint=hint) from error
    if parts.scheme not in _POSTGRES:
        raise InvalidInput(f"the database URL begins with {parts.scheme or 'nothing'!r}, not postgresql://", hint=hint)
    if port is not None and not port:
        raise InvalidInput("the database URL names port 0", hint=hint)
    return parts
