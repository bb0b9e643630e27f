"""`evenkeel user`: the people of a home, with the server running or stopped."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from evenkeel.cli.common import HomeOption, JsonOption, print_json, print_table, reporting, resolve_home
from evenkeel.domain.errors import NotFound

if TYPE_CHECKING:
    from evenkeel.desk.users import People

app = typer.Typer(name="user", help="List people, and set a password anew.", no_args_is_help=True)
T = TypeVar("T")

DatabaseOption = Annotated[
    str | None,
    typer.Option("--database-url", envvar=["EVENKEEL_DATABASE_URL", "DATABASE_URL"], help="PostgreSQL URL."),
]


@app.command("list")
def list_users(home: HomeOption = None, database_url: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Everybody who may sign in."""
    with reporting(as_json=as_json):
        users = _with_people(home, database_url, lambda people: people.everyone())
        rows = [[user.username, user.role, "yes" if user.is_active else "no", user.id] for user in users]
        headings = ["username", "role", "active", "id"]
        if as_json:
            print_json([dict(zip(headings, row, strict=True)) for row in rows])
        else:
            print_table(headings, rows)


@app.command("password")
def password(
    username: Annotated[str, typer.Argument(help="Whose password.")],
    new: Annotated[str, typer.Option("--password", prompt=True, hide_input=True, confirmation_prompt=True)],
    home: HomeOption = None,
    database_url: DatabaseOption = None,
) -> None:
    """Set a password anew; every session of that user ends within fifteen minutes."""
    with reporting():
        _with_people(home, database_url, lambda people: people.set_password(username, new))
        print(f"The password of {username} is set.")


def _with_people(home: Path | None, url: str | None, work: Callable[["People"], Awaitable[T]]) -> T:
    from evenkeel.desk.passwords import Passwords
    from evenkeel.desk.ports import RefreshToken, User
    from evenkeel.desk.users import People
    from evenkeel.storage.database import database
    from evenkeel.storage.engines import async_engine
    from evenkeel.storage.repositories import StoredTokens, StoredUsers
    from evenkeel.storage.schema import require_up_to_date

    where = database(resolve_home(home), url)
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
