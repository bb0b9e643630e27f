"""The command line: `evenkeel <noun> <verb>`. This file only lists the nouns; each has a file of its own."""

import sys
from typing import Annotated

import typer

from evenkeel import __version__
from evenkeel.cli import account, data, db, doctor, feed, order, serve, strategy, user
from evenkeel.cli.doors import Doors

app = typer.Typer(
    name="evenkeel",
    help="One desk for every account: strategies, orders and risk across brokers, on paper before money.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(serve.demo)
app.command()(serve.up)
app.command()(doctor.doctor)
app.add_typer(account.app)
app.add_typer(data.app)
app.add_typer(db.app)
app.add_typer(feed.app)
app.add_typer(order.app)
app.add_typer(strategy.app)
app.add_typer(user.app)


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def evenkeel(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """One desk for every account."""


def run(doors: Doors) -> None:
    """Runs the command that the process was started with, and exits with its code."""
    try:
        app(obj=doors)
    except KeyboardInterrupt:
        sys.exit(130)
