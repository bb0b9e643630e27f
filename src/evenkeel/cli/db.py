"""`evenkeel db`: the home's database: its schema brought up to date, and its state."""

import sys
from typing import Annotated

import typer

from evenkeel.cli.common import HomeOption, JsonOption, examples, print_json, print_table, reporting
from evenkeel.cli.place import DatabaseOption, the_database

app = typer.Typer(no_args_is_help=True)


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


@app.command(
    epilog=examples(
        "evenkeel db downgrade 0016",
        note="Stop the server first. What the older schema has no place for is lost; a SQLite file is copied before.",
    )
)
def downgrade(
    revision: Annotated[str, typer.Argument(metavar="REVISION", help="An older one, such as 0016.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take the tables back to an older schema, for an older version to open. All of it or nothing."""
    from evenkeel.storage import schema
    from evenkeel.storage.ownership import Owner

    with reporting(as_json=as_json):
        where = the_database(home, database_url)
        schema.check_older(where, revision)
        print(f"What schema {revision} has no place for is lost; projections come again.", file=sys.stderr)
        if not yes:
            typer.confirm("Go on?", abort=True)
        before = schema.current(where)
        with Owner(where):
            backup = schema.downgrade(where, revision)
        if as_json:
            print_json({"before": before, "schema": revision, "backup": str(backup) if backup else None})
            return
        print(f"{where.shown}: taken back from schema {before} to {revision}")
        if backup is not None:
            print(f"A copy of what was before lies at {backup}.")
