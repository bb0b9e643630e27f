"""`evenkeel portfolio schedule set|show|clear|runs|approve|decline`: have a portfolio rebalanced by itself."""

from decimal import Decimal
from typing import Annotated, Any

import typer

from evenkeel.cli.aiming import aim_of, wishes
from evenkeel.cli.client import Client, find, path_of
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    examples,
    number,
    plain,
    print_fields,
    print_items,
    print_json,
    print_table,
    reporting,
    resolve_home,
    share,
    taking,
)
from evenkeel.cli.portfolio import PortfolioArgument, the_portfolio
from evenkeel.cli.portfolio import app as portfolios
from evenkeel.cli.rebalancing import OPTIONS, print_warnings
from evenkeel.domain.rebalance_schedules import OPTIONS as AIM_OPTIONS
from evenkeel.domain.rebalance_schedules import Cadence, Mode

app = typer.Typer(name="schedule", help="Have a portfolio rebalanced by itself.", no_args_is_help=True)
portfolios.add_typer(app)
RunArgument = Annotated[str, typer.Argument(metavar="[RUN]", help="Id, or beginning of it; else the one that waits.")]
_OPTIONS = OPTIONS | {
    "cadence": "--every",
    "mode": "--mode",
    "band": "--band",
    "relative_band": "--relative-band",
    "trade": "--only-beyond",
    "last": "--last",
    "after_open": "--after-open",
    "before_close": "--before-close",
    "every": "--check-every",
    "max_age": "--max-age",
    "expires": "--expires",
}


def _connected(home: HomeOption) -> Client:
    return Client(resolve_home(home), options=_OPTIONS)


def _path(client: Client, portfolio: str, *more: str) -> str:
    return path_of("portfolio", the_portfolio(client, portfolio)["id"], "schedule", *more)


@app.command(
    "set",
    epilog=examples(
        "evenkeel portfolio schedule set Growth --every monthly --weight AAPL=60% --weight IBM=40%",
        "evenkeel portfolio schedule set Growth --every weekly --symbol AAPL --symbol IBM --objective min-variance",
        "evenkeel portfolio schedule set Growth --every band --band 5% --check-every 30 --weight AAPL=1 --only-beyond",
        "evenkeel portfolio schedule set Growth --every quarterly --last --mode trade --symbol AAPL --symbol IBM",
        "evenkeel portfolio schedule set Growth --every daily --objective target-risk --param target=0.2 --symbol IBM",
        note="By itself it proposes, and waits for `schedule approve`; with --mode trade it sends at once.",
    ),
)
@taking(wishes, after="cadence")
def set_schedule(
    asked: typer.Context,
    portfolio: PortfolioArgument,
    cadence: Annotated[Cadence, typer.Option("--every", help="When it is due.")],
    mode: Annotated[Mode, typer.Option("--mode", help="Propose, or trade at once.")] = Mode.PROPOSE,
    band: Annotated[
        Decimal | None,
        typer.Option("--band", parser=share, metavar="SHARE", help="Trade only where a weight is off by more: 5%."),
    ] = None,
    relative_band: Annotated[
        Decimal | None,
        typer.Option("--relative-band", parser=share, metavar="SHARE", help="The same, as a share of its target."),
    ] = None,
    only_beyond: Annotated[bool, typer.Option("--only-beyond", help="Trade those beyond alone.")] = False,
    buffer: Annotated[
        Decimal, typer.Option("--buffer", parser=share, metavar="SHARE", help="What stays in cash.")
    ] = Decimal(0),
    min_trade: Annotated[
        Decimal, typer.Option("--min-trade", parser=number, metavar="AMOUNT", help="The least value of a trade.")
    ] = Decimal(0),
    after_open: Annotated[
        int | None, typer.Option("--after-open", help="Minutes after the open.", show_default="30")
    ] = None,
    before_close: Annotated[int | None, typer.Option("--before-close", help="Or minutes before the close.")] = None,
    last: Annotated[bool, typer.Option("--last", help="On the last day of the period, not the first.")] = False,
    check_every: Annotated[
        int | None, typer.Option("--check-every", help="Minutes between looks at bands.", show_default="60")
    ] = None,
    max_age: Annotated[int, typer.Option("--max-age", help="Minutes it may be late, as after a stop.")] = 240,
    expires: Annotated[
        int | None, typer.Option("--expires", help="Minutes a proposal waits.", show_default="1440")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set when it is rebalanced, and to what; what was set before ends."""
    with reporting(as_json=as_json):
        client = _connected(home)
        body = aim_of(asked.params) | {"cadence": cadence.value, "mode": mode.value}
        body |= {"buffer": plain(buffer), "min_trade": plain(min_trade)}
        body |= {"band": plain(band), "relative_band": plain(relative_band)}
        body |= {"trade": "beyond" if only_beyond else "all", "last": last}
        body |= {"after_open": after_open, "before_close": before_close, "every": check_every}
        body |= {"max_age": max_age, "expires": expires}
        found = client.call("PUT", _path(client, portfolio), body)
        print_json(found) if as_json else _print(found)


def _print(found: dict[str, Any]) -> None:
    shown = {name: found[name] for name in ("cadence", "mode", "next", "calendars", "band", "relative_band", "trade")}
    wish = found["optimise"]
    if wish is None:
        shown["targets"] = _weights(found["targets"])
    else:
        shown["objective"] = wish["objective"] or "risk tolerance of the portfolio"
        shown["symbols"] = ", ".join(wish["symbols"])
        told = {name: wish[name] for name in AIM_OPTIONS if wish[name] is not None}
        shown |= {name: f"{value:g}" for name, value in told.items()}
        shown["benchmark"] = _weights(wish["benchmark"]) or None
        shown["constraints"] = ", ".join(wish["constraints"]) or None
    shown["execution"] = found["execution"]["kind"]
    print_fields({name: value for name, value in shown.items() if value is not None})
    print_warnings(found)


def _weights(weights: list[dict[str, Any]]) -> str:
    return ", ".join(f"{one['symbol']} {one['weight']:g}" for one in weights)


@app.command("show", epilog=examples("evenkeel portfolio schedule show Growth"))
def show(portfolio: PortfolioArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """By what it is rebalanced, and when next."""
    with reporting(as_json=as_json):
        client = _connected(home)
        found = client.get(_path(client, portfolio))
        print_json(found) if as_json else _print(found)


@app.command("clear", epilog=examples("evenkeel portfolio schedule clear Growth"))
def clear(portfolio: PortfolioArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Have it rebalanced by itself no more; a proposal that waits is withdrawn."""
    with reporting(as_json=as_json):
        client = _connected(home)
        client.call("DELETE", _path(client, portfolio))
        print_json({"cleared": True}) if as_json else print(f"{portfolio} is rebalanced by itself no more.")


@app.command("runs", epilog=examples("evenkeel portfolio schedule runs Growth --limit 10"))
def runs(
    portfolio: PortfolioArgument,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="How many at most.")] = 50,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """What became of each time it was due, newest first."""
    with reporting(as_json=as_json):
        client = _connected(home)
        items = client.get(_path(client, portfolio, "runs"), limit=limit)["items"]
        if as_json:
            print_items(items)
            return
        rows = [
            [one["due"], one["state"], str(len(one["trades"]) or ""), one["expires_at"] or "", one["reason"], one["id"]]
            for one in items
        ]
        print_table(["due", "state", "trades", "expires", "reason", "id"], rows, empty="It has not been due yet.")


@app.command(
    "approve",
    epilog=examples("evenkeel portfolio schedule approve Growth", note="The trades go out as they were proposed."),
)
def approve(
    portfolio: PortfolioArgument, run: RunArgument = "", home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Send what has been proposed."""
    _answer(portfolio, run, "approve", home=home, as_json=as_json)


@app.command("decline", epilog=examples("evenkeel portfolio schedule decline Growth"))
def decline(
    portfolio: PortfolioArgument, run: RunArgument = "", home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Have a proposal wait no more; nothing is traded."""
    _answer(portfolio, run, "decline", home=home, as_json=as_json)


def _answer(portfolio: str, run: str, word: str, *, home: HomeOption, as_json: bool) -> None:
    with reporting(as_json=as_json):
        client = _connected(home)
        path = _path(client, portfolio, "runs")
        items = client.get(path, limit=200)["items"]
        waiting = [one["id"] for one in items if one["state"] == "PROPOSED"]
        if not run and not waiting:
            raise typer.BadParameter("nothing of this portfolio waits for an answer", param_hint="RUN")
        found = find(items, run, what="run")["id"] if run else waiting[0]
        after = client.call("POST", f"{path}{path_of(found, word)}")
        print_json(after) if as_json else print(f"{after['state']}: {after['reason']}")
