"""The command line: `evenkeel <noun> <verb>`. Here are the verbs that need no noun; `nouns.py` lists the nouns."""

import os
import signal
import sys
from types import FrameType
from typing import Annotated, NoReturn

import typer

from evenkeel import __version__
from evenkeel.cli import backup, doctor, panic, serve, system
from evenkeel.cli.common import examples
from evenkeel.cli.doors import Doors
from evenkeel.cli.nouns import Nouns

INTERRUPTED = 130

app = typer.Typer(
    name="evenkeel",
    cls=Nouns,
    help="One desk for every account: strategies, orders and risk across brokers, on paper before money.",
    epilog=examples(
        "evenkeel demo                          the desk on sample prices, http://127.0.0.1:8000",
        "evenkeel up --home ~/desk              your own desk",
        "evenkeel status --home ~/desk          is it running, and how far is it?",
        "evenkeel order place Main buy 10 AAPL  an order",
        "evenkeel account list --json           the same for programs",
        note="Every command explains itself: evenkeel order place --help. Times are UTC. Exit codes: 0 done, "
        "1 refused or failed, 2 wrong usage, 130 interrupted. EVENKEEL_HOME stands in for --home.",
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command(epilog=serve.DEMO_EXAMPLES)(serve.demo)
app.command(epilog=serve.UP_EXAMPLES)(serve.up)
app.command(epilog=system.STATUS_EXAMPLES)(system.status)
app.command(epilog=system.EVENTS_EXAMPLES)(system.events)
app.command(epilog=doctor.EXAMPLES)(doctor.doctor)
app.command(epilog=panic.PANIC_EXAMPLES)(panic.panic)
app.command(epilog=panic.RESUME_EXAMPLES)(panic.resume)
app.command(epilog=backup.RESTORE_EXAMPLES)(backup.restore)


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
    signal.signal(signal.SIGINT, _interrupted)
    try:
        app(obj=doors)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(INTERRUPTED)
