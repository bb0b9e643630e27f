"""`evenkeel user`: the people of a home, with the server running or stopped."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from evenkeel.cli.common import HomeOption, JsonOption, examples, print_items, print_json, print_table, reporting
from evenkeel.cli.place import DatabaseOption, the_database
from evenkeel.domain.errors import NotFound

if TYPE_CHECKING:
    from evenkeel.desk.ports import User
    from evenkeel.desk.users import People

app = typer.Typer(name="user", help="List people, and set a password anew.", no_args_is_help=True)
T = TypeVar("T")


@app.command("list", epilog=examples("evenkeel user list"))
def list_users(home: HomeOption = None, database_url: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Everybody who may sign in."""
    with reporting(as_json=as_json):
        users = _with_people(home, database_url, lambda people: people.everyone())
        rows = [[user.username, user.role, "yes" if user.is_active else "no", user.id] for user in users]
        headings = ["username", "role", "active", "id"]
        if as_json:
            keys = ("id", "username", "role", "is_active")
            print_items([{key: getattr(user, key) for key in keys} for user in users])
        else:
            print_table(headings, rows)


@app.command(
    "password",
    epilog=examples(
        "evenkeel user password owner",
        note="Asks for the password twice. Scripts set EVENKEEL_NEW_PASSWORD, so that it stands in no process list.",
    ),
)
def password(
    username: Annotated[str, typer.Argument(metavar="USERNAME", help="As `evenkeel user list` shows it.")],
    new: Annotated[
        str,
        typer.Option(
            "--password",
            metavar="PASSWORD",
            envvar="EVENKEEL_NEW_PASSWORD",
            prompt="New password",
            hide_input=True,
            confirmation_prompt=True,
            help="8 to 256 characters; asked for when it is not given.",
        ),
    ],
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a password anew; every session of that user ends within fifteen minutes."""
    with reporting(as_json=as_json):
        changed = _with_people(home, database_url, lambda people: people.set_password(username, new))
        _forget_first(home, database_url, changed)
        if as_json:
            print_json({"id": changed.id, "username": changed.username})
        else:
            print(f"The password of {username} is set.")


def _forget_first(home: Path | None, url: str | None, changed: "User") -> None:
    from evenkeel.desk.users import OWNER
    from evenkeel.storage.secrets import FirstPassword

    if changed.role == OWNER:
        FirstPassword(the_database(home, url).home).forget()


def _with_people(home: Path | None, url: str | None, work: Callable[["People"], Awaitable[T]]) -> T:
    import asyncio

    from evenkeel.desk.passwords import Passwords
    from evenkeel.desk.ports import RefreshToken, User
    from evenkeel.desk.users import People
    from evenkeel.storage.engines import async_engine
    from evenkeel.storage.repositories import StoredTokens, StoredUsers
    from evenkeel.storage.schema import require_up_to_date

    where = the_database(home, url)
    if where.is_sqlite and not where.file.exists():
        raise NotFound(f"there is nothing in {where.home}", hint="Start it once, or name the right folder with --home.")

    async def run() -> T:
        engine = async_engine(where)
        try:
            people = People(StoredUsers(engine, User), StoredTokens(engine, RefreshToken), Passwords())
            return await work(people)
        finally:
            await engine.dispose()

    require_up_to_date(where)
    return asyncio.run(run())
