"""The doctor: proves from the files alone that orders, positions, ledger and projections agree, or says what differs.

It reads only, on a running home as on one just killed. Each shard's journal is walked once along its hash chain,
audited and folded; where the fold reaches the projections' own cursor, every table is compared with it.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice

from msgspec import Struct
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.records import decode
from evenkeel.storage import comparison, schema
from evenkeel.storage.audit import Audit
from evenkeel.storage.database import Database
from evenkeel.storage.engines import sync_engine
from evenkeel.storage.homelock import is_running, owner
from evenkeel.storage.journal import JournalReader, open_reader, shards_of
from evenkeel.storage.migrations import HEAD
from evenkeel.storage.projections import VERSION
from evenkeel.storage.projector import Cursor, agrees, stored_cursor
from evenkeel.trading.engine.fold import apply
from evenkeel.trading.engine.state import State

SHOWN = 200


class Report(Struct, kw_only=True):
    """What the doctor found; `lag` is how many committed records the projections have not taken in yet."""

    ok: bool = True
    orders: int = 0
    fills: int = 0
    lag: int = 0
    differences: list[str] = []
    records: int = 0
    accounts: int = 0
    open_orders: int = 0
    in_doubt: int = 0
    shards: dict[str, dict[str, int]] = {}
    schema: str | None = None
    database: str = ""
    owner_pid: int | None = None
    durability: dict[str, str] = {}


def examine(database: Database) -> Report:
    """Examines every shard of a home. Raises NotFound where there is no journal, and EvenkeelError where none opens."""
    stored = schema.current(database)
    holder = owner(database.home) if is_running(database.home) else None
    report = Report(schema=stored, database=database.shown, owner_pid=holder.pid if holder else None)
    found: list[str] = []
    if stored not in (HEAD, None):
        found.append(f"the tables have schema {stored}, not {HEAD}, and were not compared: run `evenkeel db upgrade`")
    for shard in shards_of(database):
        with open_reader(database, shard) as reader, ExitStack() as stack:
            tables = _snapshot(database, stack) if stored == HEAD else None
            found += islice(_examined(reader, tables, report), SHOWN + 1)
            report.durability = reader.durability()
    report.ok = not found
    report.differences = found[:SHOWN] + ([f"and {len(found) - SHOWN} more or so"] if len(found) > SHOWN else [])
    return report


def _snapshot(database: Database, stack: ExitStack) -> Connection:
    """A connection in one transaction, so that cursor and rows are of the same moment."""
    try:
        engine = sync_engine(database, "read")
        stack.callback(engine.dispose)
        connection = stack.enter_context(engine.connect())
        stack.enter_context(connection.begin())
        return connection
    except SQLAlchemyError as error:
        raise EvenkeelError(f"{database.shown} cannot be read: {error}") from error


def _examined(reader: JournalReader, tables: Connection | None, report: Report) -> Iterator[str]:
    shard = reader.shard
    cursor = stored_cursor(tables, shard) if tables is not None else None
    if cursor is not None and (why := _unusable(cursor, reader)):
        yield why
        cursor = None
    state, audit = State(), Audit()
    try:
        for batch in reader.read():
            for record in decode(batch.body):
                audit.see(record, state)
                apply(state, record)
            if cursor is not None and tables is not None and batch.last_seq == cursor.seq:
                yield from comparison.differences(tables, shard, state, audit)
    except EvenkeelError as error:
        yield f"the journal of {shard} does not fold beyond sequence {state.seq}: {error.message}"
    except KeyError as error:
        yield f"the journal of {shard} does not fold beyond sequence {state.seq}: it names {error}, which is unknown"
    except SQLAlchemyError as error:
        yield f"the tables cannot be read: {str(getattr(error, 'orig', None) or error).splitlines()[0]}"
    yield from audit.differences(state)
    _count(report, reader, state, cursor)


def _unusable(cursor: Cursor, reader: JournalReader) -> str | None:
    if not agrees(reader, cursor):
        return (
            f"the projections of {reader.shard} stand at sequence {cursor.seq}, at a batch that the journal does not "
            "hold (was an older copy of it restored?); the next start makes them again"
        )
    if cursor.version != VERSION:
        return f"the projections of {reader.shard} are another version's; the next start makes them again"
    return None


def _count(report: Report, reader: JournalReader, state: State, cursor: Cursor | None) -> None:
    lag = state.seq - (cursor.seq if cursor else 0)
    report.records += state.seq
    report.orders += len(state.orders)
    report.fills += len(state.fills)
    report.accounts += len(state.accounts)
    report.open_orders += sum(order.is_open for order in state.orders.values())
    report.in_doubt += sum(order.state == "IN_DOUBT" for order in state.orders.values())
    report.lag += lag
    report.shards = report.shards | {reader.shard: {"seq": state.seq, "epoch": reader.epoch(), "lag": lag}}
