"""The nouns of the command line, `evenkeel <noun> <verb>`. Each has a file of its own, and some of its verbs another.

A noun is imported when it is asked for: who calls for help, or for one noun, does not wait for all the others. What
help says of a noun is written here, where it is listed.
"""

from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup


class Noun(NamedTuple):
    """`room` has its `app`; `beside` are the files that add verbs to it."""

    help: str
    room: str
    beside: tuple[str, ...] = ()


NOUNS = {
    "account": Noun("List, open and look into accounts.", "account", ("account_groups", "live", "taxes")),
    "vault": Noun("Keep broker credentials sealed, and open them.", "vault"),
    "copy": Noun("Copy trading: accounts that follow another.", "copying"),
    "fx": Noun("Exchange rates: list them, give them, import them.", "fx"),
    "order": Noun("Place, list and cancel orders.", "order", ("composing",)),
    "position": Noun("Close, reverse and flatten positions; profit and loss.", "position"),
    "portfolio": Noun(
        "Money set apart, with limits and a history of its own.",
        "portfolio",
        ("portfolio_history", "optimizing", "rebalancing", "rebalance_schedules", "taxes"),
    ),
    "composite": Noun("Look after orders that consist of several.", "composite"),
    "route": Noun("Send orders to the account that takes them best.", "routing"),
    "risk": Noun("What is at risk, and what limits allow.", "risk"),
    "mtm": Noun("Mark-to-market control: stop, target, trail and lock-in on profit.", "mtm"),
    "strategy": Noun("Templates, checks and deployments.", "strategy"),
    "session": Noun(
        "Walk-forward sessions: live prices, simulated fills, an account of its own (not `backtest walk-forward`).",
        "session",
    ),
    "backtest": Noun("Strategies on history.", "backtest"),
    "market": Noun("What can be traded, last prices and bars.", "market"),
    "watchlist": Noun("Instruments to keep an eye on.", "watchlist"),
    "webhook": Noun("Alerts of other programs that become orders.", "webhook"),
    "feed": Noun("Steer the replay or simulated market.", "feed"),
    "data": Noun("Import, list, check and export bars.", "data"),
    "backup": Noun("Back a home up, running or not, and look after backups.", "backup"),
    "db": Noun("Upgrade and describe the database.", "db"),
    "user": Noun("People: invite, change, deactivate, reset.", "user", ("account_groups",)),
    "apikey": Noun("Keys that programs sign in with.", "apikey"),
    "share": Noun("Lend accounts to other people.", "shares"),
    "audit": Noun("Who did what, and whether the log is whole.", "audit"),
}


class Listed(TyperGroup):
    """A noun that was not asked for: what help says of it, and nothing else."""


class Nouns(TyperGroup):
    """The group above all nouns."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands.update((name, Listed(name=name, help=noun.help)) for name, noun in NOUNS.items())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The noun itself, with all its verbs."""
        if isinstance(self.commands.get(cmd_name), Listed):
            self.commands[cmd_name] = _imported(cmd_name)
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Lists them by what is known of them without an import."""
        room = formatter.width - 6 - max(map(len, self.commands))
        rows = [(name, one.get_short_help_str(room)) for name, one in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _imported(name: str) -> Any:
    noun = NOUNS[name]
    room, *_ = [import_module(f"evenkeel.cli.{one}") for one in (noun.room, *noun.beside)]
    above = typer.Typer(rich_markup_mode=None)
    above.add_typer(room.app, name=name, help=noun.help)
    return typer.main.get_group(above).commands[name]
