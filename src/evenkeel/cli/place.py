"""Which database a home keeps its records in, as the server would find it: from the settings, unless it is a demo's."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evenkeel.cli.common import resolve_home

if TYPE_CHECKING:
    from evenkeel.storage.database import Database

DatabaseOption = Annotated[
    str | None,
    typer.Option("--database-url", metavar="URL", help="PostgreSQL URL.", show_default="as in the settings"),
]
DEMO = "demo"
MODE = "mode"


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
    return own if named is None or _is_demo(folder) else database(folder, named)


def _is_demo(folder: Path) -> bool:
    """Whether `evenkeel demo` made this home."""
    mark = folder / MODE
    return mark.is_file() and mark.read_text(encoding="utf-8").strip() == DEMO
