"""`evenkeel audit`: the audit log, read straight from the home's database, with the server running or stopped."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TextIO

import typer

from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    examples,
    print_items,
    print_json,
    print_table,
    reporting,
    second,
)
from evenkeel.cli.place import DatabaseOption, the_database
from evenkeel.domain.audit import Head, Row, check
from evenkeel.domain.clock import iso
from evenkeel.domain.errors import Conflict, InvalidInput, NotFound

if TYPE_CHECKING:
    from evenkeel.storage.database import Database

app = typer.Typer(no_args_is_help=True)


_BROKEN = (
    "Look who could write to the database; keep it as it is, and restore a backup beside it to compare. What only the "
    "end lacks, and is understood: `evenkeel audit accept`."
)


class LogBroken(Conflict):
    """The audit log is not as it was written."""

    code = "audit-log-broken"


@app.command("list", epilog=examples("evenkeel audit list", "evenkeel audit list --action key.create --limit 20"))
def list_rows(
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="WHO", help="Only of this user's name or id, or home.")
    ] = None,
    action: Annotated[str | None, typer.Option("--action", help="Only this, such as key.create.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 50,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """The newest rows, the newest last."""
    from collections import deque

    with reporting(as_json=as_json), _log(home, database_url) as log:
        names = log.names()
        fitting = (
            row for row in log.rows if actor in (None, row.actor, names.get(row.actor)) and action in (None, row.action)
        )
        found = list(deque(fitting, maxlen=limit))
        if as_json:
            print_items([{**_shown(row), "actor_name": names.get(row.actor, "")} for row in found])
            return
        headings = ["seq", "at", "actor", "by", "from", "action", "subject", "outcome", "actor's id"]
        cells = [
            [str(x.seq), second(iso(x.at)), names.get(x.actor, x.actor), x.key_id or x.door, x.address, x.action,
             x.subject, x.outcome, x.actor]
            for x in found
        ]  # fmt: skip
        is_all = actor is None and action is None
        empty = "There is nothing in the audit log yet." if is_all else "No row of the audit log fits."
        print_table(headings, cells, empty=empty)


@app.command(
    "verify",
    epilog=examples(
        "evenkeel audit verify",
        "evenkeel audit verify --head 1204:9f86d0…",
        note="Prints where the log ends. Kept elsewhere, that tells later whether rows were cut off or made anew.",
    ),
)
def verify(
    head: Annotated[
        str | None, typer.Option("--head", metavar="NUMBER:HASH", help="Where it ended once, as this prints it.")
    ] = None,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the chain of the log: every row as it was written, none missing, and the end not cut off."""
    from evenkeel.storage.repositories.audit import Anchor, parsed

    with reporting(as_json=as_json), _log(home, database_url) as log:
        anchor = Anchor(log.where.home)
        kept = anchor.kept()
        *faults, end = check(log.rows, kept.head if head is None else parsed(head))
        assert isinstance(end, Head)
        if kept.strange:
            faults.append(f"{anchor.path} does not say where the log ends: {kept.strange}")
        elif kept.head is None and head is None and end.seq:
            faults.append(f"{anchor.path} is missing: whether the end was cut off cannot be told")
        faults += [str(one) for one in kept.open]
        accepted = [one for one in kept.breaks if one.accepted]
        if as_json:
            told = [{"break": str(one), "reason": one.accepted} for one in accepted]
            print_json({"rows": end.seq, "head": str(end), "faults": [str(one) for one in faults], "accepted": told})
        if faults:
            raise LogBroken(f"the audit log is not whole: {'; '.join(str(one) for one in faults[:20])}", hint=_BROKEN)
        if not as_json:
            for one in accepted:
                print(f"Accepted ({one.accepted}): {one}")
            print(f"The audit log is whole: {end.seq} rows. It ends with {end}")


@app.command(
    "accept",
    epilog=examples(
        'evenkeel audit accept "evenkeel.db put back from the copy of 12 April"',
        note="For breaks of the log's end that are understood. What they are, and the reason, stay in the log.",
    ),
)
def accept(
    reason: Annotated[str, typer.Argument(metavar="REASON", help="Why rows are missing, in your words.")],
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Accept what `verify` says of the log's end: from then on it is reported, and is no fault."""
    import asyncio

    with reporting(as_json=as_json), _log(home, database_url) as log:
        if not (5 <= len(reason.strip()) <= 500 and reason.isprintable()):
            raise InvalidInput("a reason has 5 to 500 printable characters")
        accepted = asyncio.run(_accept(log.where, reason.strip()))
        if as_json:
            print_json({"accepted": accepted, "reason": reason.strip()})
        else:
            print(f"{len(accepted)} accepted; the audit log says so.")


@app.command("export", epilog=examples("evenkeel audit export audit.jsonl", "evenkeel audit export - | jq .action"))
def export(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A new file, or - for standard output.")],
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the whole log as JSON, a row a line, with its hashes."""
    with reporting(as_json=as_json), _log(home, database_url) as log:
        if file == "-":
            _write(log.rows, sys.stdout)
            return
        try:
            with open(file, "x", encoding="utf-8", opener=_private) as out:
                count = _write(log.rows, out)
        except FileExistsError as error:
            raise InvalidInput(f"{file} is there already", hint="Name another file.") from error
        except OSError as error:
            raise InvalidInput(f"{file} cannot be written: {error.strerror}") from error
        if as_json:
            print_json({"file": file, "rows": count})
        else:
            print(f"{count} rows are in {file}.")


async def _accept(where: "Database", reason: str) -> list[str]:
    import time

    from evenkeel.domain.audit import Entry
    from evenkeel.storage.engines import async_engine
    from evenkeel.storage.repositories.audit import Anchor, StoredAudit

    engine = async_engine(where)
    try:
        entry = Entry(at=time.time_ns(), actor="home", action="", address="local", agent="the home's files")
        found = await StoredAudit(engine, Anchor(where.home)).accept(entry, reason)
        return [str(one) for one in found]
    finally:
        await engine.dispose()


def _private(path: str, flags: int) -> int:
    import os

    return os.open(path, flags, 0o600)


def _write(rows: Iterator[Row], out: TextIO) -> int:
    count = 0
    for row in rows:
        out.write(json.dumps(_shown(row), ensure_ascii=False) + "\n")
        count += 1
    return count


def _shown(row: Row) -> dict[str, Any]:
    fields = {name: getattr(row, name) for name in Row.__struct_fields__}
    return {"seq": fields.pop("seq"), "time": iso(row.at), **fields}


class Log(NamedTuple):
    """Every row by number, what people are called now by id, and the database both are in."""

    rows: Iterator[Row]
    names: Callable[[], dict[str, str]]
    where: "Database"


@contextmanager
def _log(home: Path | None, url: str | None) -> Iterator[Log]:
    """Raises NotFound, NotReady."""
    from evenkeel.storage.engines import sync_engine
    from evenkeel.storage.repositories.audit import every_row
    from evenkeel.storage.repositories.people import names_of
    from evenkeel.storage.schema import require_up_to_date

    where = the_database(home, url)
    if where.is_sqlite and not where.file.exists():
        raise NotFound(f"there is nothing in {where.home}", hint="Start it once, or name the right folder with --home.")
    require_up_to_date(where)
    engine = sync_engine(where, "read")
    try:
        yield Log(every_row(engine), partial(names_of, engine), where)
    finally:
        engine.dispose()
