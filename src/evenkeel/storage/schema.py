"""The schema's version: read without SQLAlchemy, brought up to date with Alembic, refused when it is a newer one's."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from evenkeel.domain.errors import Conflict, EvenkeelError, FieldError, InvalidInput, NotReady
from evenkeel.storage.backup import copy_sqlite, stamp
from evenkeel.storage.database import Database, reader_of
from evenkeel.storage.migrations import HEAD, REVISIONS

if TYPE_CHECKING:
    from sqlalchemy import Connection

_STORED = "SELECT version_num FROM alembic_version"
_LOCK = 7221604252


def current(database: Database) -> str | None:
    """The stored revision, None for a database not yet set up. Raises EvenkeelError when it cannot be read."""
    return _of_sqlite(database.file) if database.is_sqlite else _of_postgres(database.dsn)


def is_up_to_date(database: Database) -> bool:
    """Whether no migration is due. Raises Conflict on a schema newer than this version's."""
    stored = current(database)
    if stored is not None and stored not in REVISIONS:
        raise Conflict(
            f"{database.shown} has schema {stored}, which this version does not know (it knows up to {HEAD})",
            hint="it was last used by a newer version: install that one, or restore a backup made before the upgrade",
        )
    return stored == HEAD


def require_up_to_date(database: Database) -> None:
    """Raises NotReady when a migration is due, Conflict when the schema is newer."""
    if not is_up_to_date(database):
        raise NotReady(
            f"{database.shown} has schema {current(database) or 'none'}; this version needs {HEAD}",
            hint="run `evenkeel db upgrade`",
        )


def upgrade(database: Database) -> Path | None:
    """Brings the schema up to date, all or nothing, and returns the backup that was made of a SQLite file before.

    The caller owns the home. Raises Conflict on a newer schema, and EvenkeelError where the database says no.
    """
    if is_up_to_date(database):
        return None
    backup = _back_up(database)
    _migrate(database)
    return backup


def downgrade(database: Database, revision: str) -> Path | None:
    """Takes the schema back to an older revision, all or nothing, and returns the backup made of a SQLite file before.

    What that revision has no place for is lost; what is projected comes again from the journal. The caller owns the
    home. Raises as `check_older` does.
    """
    check_older(database, revision)
    backup = _back_up(database)
    _migrate(database, back_to=revision)
    return backup


def check_older(database: Database, revision: str) -> None:
    """Raises InvalidInput for a revision that is not older than the database's, Conflict on a newer schema."""
    stored = current(database)
    is_up_to_date(database)  # refuses a schema of a newer version
    older = REVISIONS[: REVISIONS.index(stored)] if stored is not None else ()
    if revision not in older:
        known = (
            f"an older revision than {stored}: {older[0]} to {older[-1]}" if older else "nothing: there is none older"
        )
        raise InvalidInput(
            f"the schema cannot be taken back to {revision!r}", errors=(FieldError("revision", f"expected {known}"),)
        )


def _back_up(database: Database) -> Path | None:
    if not database.is_sqlite or current(database) is None:
        return None
    return copy_sqlite(database.file, database.home / "backups" / f"evenkeel-{current(database)}-{stamp()}.db")


def begin_at(database: Database, revision: str) -> None:
    """Gives an empty database the schema of an older revision, all or nothing. Raises EvenkeelError."""
    _migrate(database, up_to=revision)


def remove(database: Database) -> None:
    """Takes the whole schema away with all that is in it, from a database that was to be filled and could not be."""
    _migrate(database, back_to="base")


def _migrate(database: Database, *, up_to: str = "head", back_to: str | None = None) -> None:
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    from evenkeel.storage import views
    from evenkeel.storage.engines import sync_engine

    engine = sync_engine(database, "migrate")
    try:
        with engine.begin() as connection:
            if not database.is_sqlite:
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            views.drop(connection)
            _run(connection, up_to=up_to, back_to=back_to)
            views.create(connection)
    except SQLAlchemyError as error:
        wanted = back_to or HEAD
        raise EvenkeelError(
            f"{database.shown} could not be brought to schema {wanted}, and was left as it was: {_cause(error)}",
            hint="correct what the database reports and run the command again",
        ) from error
    finally:
        engine.dispose()
    if database.is_sqlite:
        database.file.chmod(0o600)


def _run(connection: "Connection", *, up_to: str, back_to: str | None) -> None:
    """Runs the revisions that lie between, in the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    if back_to is None:
        command.upgrade(config, up_to)
        return
    _empty_projections(connection)
    command.downgrade(config, back_to)


def _empty_projections(connection: "Connection") -> None:
    """Has whatever version opens this next make its projections from the first record: none is missed in any table."""
    from sqlalchemy import delete, inspect

    from evenkeel.storage.tables import PROJECTED
    from evenkeel.storage.tables.system import projection_cursors

    there = set(inspect(connection).get_table_names())
    for table in (*PROJECTED, projection_cursors):
        if table.name in there:
            connection.execute(delete(table))


def _of_sqlite(path: Path) -> str | None:
    if not path.exists():
        return None
    try:
        with closing(reader_of(path, timeout=5)) as connection:
            known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
            found = connection.execute(_STORED).fetchone() if known else None
    except sqlite3.Error as error:
        raise EvenkeelError(
            f"{path} cannot be read: {error}", hint="check its permissions; restore a backup if it is damaged"
        ) from error
    return str(found[0]) if found else None


def _of_postgres(dsn: str) -> str | None:
    from evenkeel.storage.journal.postgres import connect

    with connect(dsn, "schema") as connection:
        known = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
        found = connection.execute(_STORED).fetchone() if known and known[0] else None
    return str(found[0]) if found else None


def _cause(error: Exception) -> str:
    return (str(getattr(error, "orig", None) or error).strip() or type(error).__name__).splitlines()[0]
