"""`evenkeel audit`: the audit log, read straight from the home's database, with the server running or stopped."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from evenkeel.cli.common import HomeOption, JsonOption, examples, print_items, print_json, print_table, reporting
from evenkeel.cli.place import DatabaseOption, the_database
from evenkeel.domain.audit import Head, Row, check
from evenkeel.domain.clock import iso
from evenkeel.domain.errors import Conflict, InvalidInput, NotFound

if TYPE_CHECKING:
    from evenkeel.storage.database import Database

app = typer.Typer(name="audit", help="Who did what, and whether the log is whole.", no_args_is_help=True)


class LogBroken(Conflict):
    """The audit log is not as it was written."""

    code = "audit-log-broken"


@app.command("list", epilog=examples("evenkeel audit list", "evenkeel audit list --action key.create --limit 20"))
def list_rows(
    actor: Annotated[str | None, typer.Option("--actor", help="Only of this user's id, or home.")] = None,
    action: Annotated[str | None, typer.Option("--action", help="Only this, such as key.create.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 50,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """The newest rows, the newest last."""
    from collections import deque

    with reporting(as_json=as_json), _rows(home, database_url) as (rows, _):
        fitting = (row for row in rows if actor in (None, row.actor) and action in (None, row.action))
        found = list(deque(fitting, maxlen=limit))
        if as_json:
            print_items([_shown(row) for row in found])
            return
        headings = ["seq", "at", "actor", "by", "from", "action", "subject", "outcome"]
        cells = [
            [str(x.seq), iso(x.at)[:19], x.actor, x.key_id or x.door, x.address, x.action, x.subject, x.outcome]
            for x in found
        ]
        print_table(headings, cells, empty="There is nothing in the audit log.")


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

    with reporting(as_json=as_json), _rows(home, database_url) as (rows, where):
        anchors = [Anchor(where.home).read() if head is None else parsed(head)]
        *faults, end = check(rows, anchors[0])
        assert isinstance(end, Head)
        if anchors[0] is None and end.seq:
            faults.append(f"{Anchor(where.home).path} is missing: whether the end was cut off cannot be told")
        if as_json:
            print_json({"rows": end.seq, "head": str(end), "faults": [str(one) for one in faults]})
        if faults:
            told = "; ".join(str(one) for one in faults[:20])
            hint = "Look who could write to the database; keep it as it is, and restore a backup beside it to compare."
            raise LogBroken(f"the audit log is not whole: {told}", hint=hint)
        if not as_json:
            print(f"The audit log is whole: {end.seq} rows. It ends with {end}")


@app.command("export", epilog=examples("evenkeel audit export audit.jsonl", "evenkeel audit export - | jq .action"))
def export(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A new file, or - for standard output.")],
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the whole log as JSON, a row a line, with its hashes."""
    with reporting(as_json=as_json), _rows(home, database_url) as (rows, _):
        if file == "-":
            _write(rows, sys.stdout)
            return
        try:
            with open(file, "x", encoding="utf-8", opener=_private) as out:
                count = _write(rows, out)
        except FileExistsError as error:
            raise InvalidInput(f"{file} is there already", hint="Name another file.") from error
        except OSError as error:
            raise InvalidInput(f"{file} cannot be written: {error.strerror}") from error
        if as_json:
            print_json({"file": file, "rows": count})
        else:
            print(f"{count} rows are in {file}.")


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


@contextmanager
def _rows(home: Path | None, url: str | None) -> "Iterator[tuple[Iterator[Row], Database]]":
    """Every row by number, and the database they are in. Raises NotFound, NotReady."""
    from evenkeel.storage.engines import sync_engine
    from evenkeel.storage.repositories.audit import every_row
    from evenkeel.storage.schema import require_up_to_date

    where = the_database(home, url)
    if where.is_sqlite and not where.file.exists():
        raise NotFound(f"there is nothing in {where.home}", hint="Start it once, or name the right folder with --home.")
    require_up_to_date(where)
    engine = sync_engine(where, "read")
    try:
        yield every_row(engine), where
    finally:
        engine.dispose()
