"""SQLAlchemy engines for a home's database, with the settings each kind of work needs.

The projector's commits need not be synced one by one, since it can always go on from the journal; people's do.
On SQLite a transaction that will write takes the write lock when it begins (`WRITING`), so that it waits its turn
instead of failing half way.
"""

from functools import partial
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from evenkeel.storage.database import Database

WRITING = {"evenkeel_writes": True}
_BUSY_SECONDS = 10
_POOL = 5

Purpose = Literal["migrate", "project", "read"]
_DURABLE = ("journal_mode=WAL", "synchronous=FULL")
_SETTINGS: dict[Purpose, tuple[str, ...]] = {
    "migrate": _DURABLE,
    # A few pages of every index are touched again and again: 32 MiB of them are kept at hand.
    "project": ("journal_mode=WAL", "synchronous=NORMAL", "cache_size=-32768"),
    "read": (),
}


def sync_engine(database: Database, purpose: Purpose) -> Engine:
    """An engine for one thread. "project" keeps its connection; "read" cannot write, and sees one snapshot a time."""
    pool: dict[str, Any] = {"pool_size": 1, "max_overflow": 0} if purpose == "project" else {"poolclass": NullPool}
    options: dict[str, Any] = pool | {"json_serializer": _json}
    if not database.is_sqlite:
        options |= {"creator": partial(_psycopg, database, purpose), "pool_pre_ping": purpose == "project"}
        return create_engine("postgresql+psycopg://", paramstyle="format", **options)
    mode = "?mode=ro&uri=true" if purpose == "read" else "?mode=rwc&uri=true"
    engine = create_engine(
        f"sqlite:///{database.file.absolute().as_uri()}{mode}",
        connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
        **options,
    )
    _prepare_sqlite(engine, _SETTINGS[purpose])
    return engine if purpose == "read" else engine.execution_options(**WRITING)


def async_engine(database: Database) -> AsyncEngine:
    """The engine of the repositories, for one event loop. Dispose of it before the loop ends."""
    if database.is_sqlite:
        engine = create_async_engine(
            f"sqlite+aiosqlite:///{database.file}", connect_args={"timeout": _BUSY_SECONDS}, pool_size=_POOL
        )
        _prepare_sqlite(engine.sync_engine, _DURABLE)
        return engine

    async def connect() -> Any:
        import asyncpg

        return await asyncpg.connect(database.dsn, server_settings={"application_name": "evenkeel"})

    return create_async_engine(
        "postgresql+asyncpg://", async_creator=connect, pool_size=_POOL, pool_pre_ping=True, pool_recycle=1800
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _psycopg(database: Database, purpose: Purpose) -> Any:
    import psycopg

    options = {
        "migrate": "-c synchronous_commit=on",
        "project": "-c synchronous_commit=off",
        "read": "-c default_transaction_read_only=on -c default_transaction_isolation=repeatable\\ read",
    }
    return psycopg.connect(database.dsn, application_name=f"evenkeel {purpose}", options=options[purpose])


def _prepare_sqlite(engine: Engine, settings: tuple[str, ...]) -> None:
    """Transactions are begun by us, which makes changes of the schema atomic, too."""

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for setting in (*settings, "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {setting}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        writes = "evenkeel_writes" in connection.get_execution_options()
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
