"""The command line: `evenkeel <noun> <verb>`. This file only lists the nouns; each has a file of its own."""

import os
import signal
import sys
from types import FrameType
from typing import Annotated, NoReturn

import typer

from evenkeel import __version__
from evenkeel.cli import (
    account,
    account_groups,
    apikey,
    audit,
    backtest,
    backup,
    composite,
    copying,
    data,
    db,
    doctor,
    feed,
    fx,
    live,
    market,
    mtm,
    optimizing,
    order,
    panic,
    portfolio_history,
    position,
    rebalance_schedules,
    rebalancing,
    risk,
    routing,
    serve,
    session,
    shares,
    strategy,
    system,
    taxes,
    user,
    vault,
    watchlist,
    webhook,
)
from evenkeel.cli.common import examples
from evenkeel.cli.doors import Doors

INTERRUPTED = 130

app = typer.Typer(
    name="evenkeel",
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
account.app.add_typer(live.credentials)
account.app.add_typer(live.live)
account.app.command("tax", epilog=taxes.TAX_EXAMPLES)(taxes.tax)
app.add_typer(account.app)
app.add_typer(vault.app)
app.add_typer(copying.app)
app.add_typer(fx.app)
app.add_typer(order.app)
app.add_typer(position.app)
portfolio_history.app.command("optimize", epilog=optimizing.OPTIMIZE_EXAMPLES)(optimizing.optimize)
portfolio_history.app.command("frontier", epilog=optimizing.FRONTIER_EXAMPLES)(optimizing.frontier)
portfolio_history.app.command("backtest", epilog=optimizing.BACKTEST_EXAMPLES)(optimizing.backtest)
rebalancing.app.add_typer(rebalance_schedules.app)
portfolio_history.app.command("lots", epilog=taxes.LOTS_EXAMPLES)(taxes.lots)
portfolio_history.app.command("gains", epilog=taxes.GAINS_EXAMPLES)(taxes.gains)
app.add_typer(rebalancing.app)
app.add_typer(composite.app)
app.add_typer(routing.app)
app.add_typer(risk.app)
app.add_typer(mtm.app)
app.add_typer(strategy.app)
app.add_typer(session.app)
app.add_typer(backtest.app)
app.add_typer(market.app)
app.add_typer(watchlist.app)
app.add_typer(webhook.app)
app.add_typer(feed.app)
app.add_typer(data.app)
app.add_typer(backup.app)
app.command(epilog=backup.RESTORE_EXAMPLES)(backup.restore)
app.add_typer(db.app)
user.app.command("purge", epilog=account_groups.PURGE_USER_EXAMPLES)(account_groups.purge_user)
app.add_typer(user.app)
app.add_typer(apikey.app)
app.add_typer(shares.app)
app.add_typer(audit.app)


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
