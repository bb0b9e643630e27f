"""Which database a home keeps its records in, as the server would find it: from the settings, unless it is a demo's."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evenkeel.cli.common import resolve_home
from evenkeel.domain.errors import EvenkeelError

if TYPE_CHECKING:
    from evenkeel.storage.database import Database

DatabaseOption = Annotated[
    str | None,
    typer.Option("--database-url", metavar="URL", help="PostgreSQL URL.", show_default="as in the settings"),
]
DEMO = "demo"


def the_database(home: Path | None, url: str | None = None) -> "Database":
    """The database of a home: `url`, or what the environment, `.env` or the home's `evenkeel.toml` name, or SQLite.

    A demo never leaves its home, whatever the settings say. Raises InvalidInput for settings that are not valid.
    """
    from evenkeel.settings import load
    from evenkeel.storage.database import database

    folder = resolve_home(home)
    if url is not None:
        return database(folder, url)
    own = database(folder)
    named = load(folder)[0].database_url
    return own if named is None or _is_demo(own) else database(folder, named)


def _is_demo(where: "Database") -> bool:
    """Whether the SQLite files of this home are a demo's: their owner is named so."""
    if not where.file.exists():
        return False
    from evenkeel.desk.ports import User
    from evenkeel.storage.engines import async_engine
    from evenkeel.storage.repositories import StoredUsers

    async def owners() -> tuple[User, ...]:
        engine = async_engine(where)
        try:
            return tuple(await StoredUsers(engine, User).by_role("owner"))
        finally:
            await engine.dispose()

    try:
        return any(user.username == DEMO for user in asyncio.run(owners()))
    except EvenkeelError:
        return False
