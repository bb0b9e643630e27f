"""`evenkeel db`: the home's database: its schema brought up to date, its state, and backups."""

from pathlib import Path
from typing import Annotated

import typer

from evenkeel.cli.common import HomeOption, JsonOption, examples, print_json, print_table, reporting
from evenkeel.cli.place import DatabaseOption, the_database

app = typer.Typer(name="db", help="Upgrade, describe and back up the database.", no_args_is_help=True)


@app.command(epilog=examples("evenkeel db upgrade", note="Stop the server first; `up` does this by itself."))
def upgrade(home: HomeOption = None, database_url: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Bring the tables to this version's schema. A SQLite file is backed up first; nothing is left half done."""
    from evenkeel.storage import schema
    from evenkeel.storage.migrations import HEAD
    from evenkeel.storage.ownership import Owner

    with reporting(as_json=as_json):
        where = the_database(home, database_url)
        before, backup = schema.current(where), None
        if not schema.is_up_to_date(where):
            with Owner(where):
                backup = schema.upgrade(where)
        if as_json:
            print_json({"before": before, "schema": HEAD, "backup": str(backup) if backup else None})
            return
        done = f"brought from schema {before} to {HEAD}" if before else f"set up with schema {HEAD}"
        print(f"{where.shown}: " + ("already up to date" if before == HEAD else done))
        if backup is not None:
            print(f"A copy of what was before lies at {backup}.")


@app.command(epilog=examples("evenkeel db status", "evenkeel db status --json"))
def status(home: HomeOption = None, database_url: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Where the database is, its schema, how far the journal has come, and who owns it."""
    from evenkeel.storage.status import status_of

    with reporting(as_json=as_json):
        found = status_of(the_database(home, database_url))
        if as_json:
            print_json(found)
        else:
            rows = [[name.replace("_", " "), "none" if value is None else str(value)] for name, value in found.items()]
            print_table(["field", "value"], rows)


@app.command(epilog=examples("evenkeel db backup", "evenkeel db backup ~/copies/2026-01-31"))
def backup(
    folder: Annotated[Path | None, typer.Argument(help="Folder for the copies; default: backups in the home.")] = None,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the SQLite files and the results of backtests of a home, which may be running, into a new folder."""
    from evenkeel.storage.backup import back_up

    with reporting(as_json=as_json):
        copies = back_up(the_database(home, database_url), folder)
        if as_json:
            print_json({"files": [str(path) for path in copies]})
        else:
            sizes: dict[Path, list[int]] = {}
            for path in copies:
                place = path if path.parent == copies[0].parent else path.parent
                sizes.setdefault(place, []).append(path.stat().st_size)
            for place, found in sizes.items():
                print(f"{place}  {sum(found):,} bytes" + (f" in {len(found)} files" if place.is_dir() else ""))
