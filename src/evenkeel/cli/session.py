"""`evenkeel session`: walk-forward sessions, from opening to frozen figures, and several side by side."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer

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
)
from evenkeel.domain.accounts import Marking

app = typer.Typer(no_args_is_help=True)

_PATH = "/walkforward/sessions"
SessionArgument = Annotated[str, typer.Argument(metavar="SESSION", help="Name, id, or beginning of the id.")]
SessionsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[SESSION]...", help="Names or ids; without any, all of them.")
]
_NO_SESSIONS = "No sessions yet. Open one: evenkeel session create --help"
PeriodsOption = Annotated[
    float, typer.Option("--periods", metavar="NUMBER", help="Days a year: 252, or 365 where every day is one.")
]
_OPTIONS = {
    "name": "NAME",
    "capital": "--capital",
    "currency": "--currency",
    "brokerage_rate": "--brokerage-rate",
    "fees": "--fees",
    "strategies": "--strategy",
    "terms.latency_ms": "--latency",
    "terms.delay_seconds": "--delay",
    "terms.spread": "--spread",
    "terms.slippage_bps": "--slippage-bps",
    "terms.impact": "--impact",
    "terms.participation": "--participation",
    "terms.queue": "--queue",
    "terms.margin": "--margin",
}


class Status(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"
    CLOSING = "closing"
    COMPLETED = "completed"


def the_session(client: Client, wanted: str) -> dict[str, Any]:
    return find(client.get(_PATH)["items"], wanted, what="session")


def _strategy(text: str) -> dict[str, Any]:
    """TEMPLATE=SYMBOL,SYMBOL@SHARE as the API takes it."""
    template, is_named, rest = text.partition("=")
    symbols, has_share, share = rest.partition("@")
    names = [name for name in symbols.split(",") if name]
    if not (is_named and template and names) or (has_share and not share):
        raise typer.BadParameter(f"{text!r} is not TEMPLATE=SYMBOL,SYMBOL or TEMPLATE=SYMBOL@SHARE")
    return {"template": template, "symbols": names} | ({"allocation": f"{number(share):f}"} if has_share else {})


@app.command(
    "create",
    epilog=examples(
        "evenkeel session create Alpha --strategy sma-crossover=AAPL,MSFT --start",
        "evenkeel session create Beta --costs --latency 250 --queue 0.2 --strategy rsi=IBM@0.5",
        note="Costs are off and capital is 1000000 where nothing is said. Terms: docs/walk-forward-accounts.md.",
    ),
)
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it, and its account.")],
    strategies: Annotated[
        list[str] | None,
        typer.Option("--strategy", metavar="TEMPLATE=SYMBOL,…[@SHARE]", help="Repeat. Shares: 0.95 in equal parts."),
    ] = None,
    capital: Annotated[
        Decimal | None, typer.Option("--capital", parser=number, metavar="AMOUNT", help="To begin with: 1,000,000.")
    ] = None,
    currency: Annotated[str, typer.Option("--currency", metavar="CODE", help="Three letters.")] = "USD",
    costs: Annotated[bool, typer.Option("--costs/--no-costs", help="Charge brokerage, fees and taxes.")] = False,
    brokerage_rate: Annotated[
        Decimal | None, typer.Option("--brokerage-rate", parser=number, metavar="RATE", help="Of value: 0.0003.")
    ] = None,
    fees: Annotated[str, typer.Option("--fees", metavar="SCHEDULE", help="Whose other fees and taxes.")] = "zero",
    taxes: Annotated[bool, typer.Option("--taxes/--no-taxes", help="With --costs: those of the schedule.")] = True,
    latency: Annotated[int | None, typer.Option("--latency", metavar="MS", help="From sending to arrival.")] = None,
    delay: Annotated[int | None, typer.Option("--delay", metavar="SECONDS", help="How old its feed is.")] = None,
    spread: Annotated[float | None, typer.Option("--spread", metavar="SHARE", help="Of the price.")] = None,
    slippage_bps: Annotated[float | None, typer.Option("--slippage-bps", metavar="BPS", help="Of taking.")] = None,
    impact: Annotated[float | None, typer.Option("--impact", metavar="FRACTION", help="Square-root impact.")] = None,
    participation: Annotated[
        float | None, typer.Option("--participation", metavar="SHARE", help="Of a bar's volume, at most.")
    ] = None,
    queue: Annotated[
        float | None, typer.Option("--queue", metavar="SHARE", help="Of a bar's volume, before a resting limit.")
    ] = None,
    marking: Annotated[Marking | None, typer.Option("--marking", case_sensitive=False, help="What values it.")] = None,
    margin: Annotated[float | None, typer.Option("--margin", metavar="SHARE", help="Of value, tied up.")] = None,
    start: Annotated[bool, typer.Option("--start", help="Start it at once.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open a session with a walk-forward account of its own, its capital and its strategies."""
    terms = {
        "latency_ms": latency, "delay_seconds": delay, "spread": spread, "slippage_bps": slippage_bps,
        "impact": impact, "participation": participation, "queue": queue,
        "marking": None if marking is None else marking.value, "margin": margin,
    }  # fmt: skip
    given = [_strategy(text) for text in strategies or ()]
    body = {
        "name": name, "capital": plain(capital), "currency": currency.upper(),
        "costs": costs, "fees": fees, "taxes": taxes, "start": start, "strategies": given,
        "brokerage_rate": plain(brokerage_rate),
        "terms": {key: value for key, value in terms.items() if value is not None} or None,
    }  # fmt: skip
    with reporting(as_json=as_json):
        opened = Client(resolve_home(home), options=_OPTIONS).call("POST", _PATH, body)
        if as_json:
            print_json(opened)
        else:
            capital_text = f"{opened['capital']} {opened['currency']}"
            print(f"Session {opened['name']} is {opened['status']} with {capital_text}: {opened['id']}")


@app.command("list", epilog=examples("evenkeel session list", "evenkeel session list --status running --json"))
def list_sessions(
    status: Annotated[Status | None, typer.Option("--status", case_sensitive=False, help="Which.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """All sessions with what they are worth."""
    with reporting(as_json=as_json):
        items = Client(resolve_home(home)).get(_PATH, status=None if status is None else status.value)["items"]
        if as_json:
            print_items(items)
            return
        rows = [
            [one["name"], one["status"], one["currency"], one["capital"], one["equity"], one["total_return"],
             one["drawdown"], str(one["fills"]), one["id"]]
            for one in items
        ]  # fmt: skip
        headings = ["name", "status", "currency", "capital", "equity", "return", "drawdown", "fills", "id"]
        print_table(headings, rows, empty=_NO_SESSIONS)


@app.command("show", epilog=examples("evenkeel session show Alpha"))
def show(session: SessionArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """One session in full; one that is completed, as it was then."""
    with reporting(as_json=as_json):
        found = the_session(Client(resolve_home(home)), session)
        if as_json:
            print_json(found)
        else:
            print_fields(found)


@app.command("start", epilog=examples("evenkeel session start Alpha"))
def start(session: SessionArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Let a stopped session trade, from the next change of a target on."""
    _move(session, "start", None, home=home, as_json=as_json)


@app.command("stop", epilog=examples("evenkeel session stop Alpha", "evenkeel session stop Alpha --close"))
def stop(
    session: SessionArgument,
    close: Annotated[bool, typer.Option("--close", help="Close what it holds, too.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a session trade no more: its orders are cancelled, what it holds is kept with its exits, or closed."""
    _move(session, "stop", {"close": close}, home=home, as_json=as_json)


@app.command("complete", epilog=examples("evenkeel session complete Alpha"))
def complete(session: SessionArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """End a session for good: close what it holds, remove its strategies, freeze its figures."""
    _move(session, "complete", None, home=home, as_json=as_json)


def _move(session: str, verb: str, body: Any, *, home: Any, as_json: bool) -> None:
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        path = path_of("walkforward", "sessions", the_session(client, session)["id"], verb)
        after = client.call("POST", path, body)
        if as_json:
            print_json(after)
            return
        what = ", what it holds is being closed" if after["closing"] else ""
        print(f"Session {after['name']} is {after['status']}{what}; equity {after['equity']} {after['currency']}")


@app.command("trades", epilog=examples("evenkeel session trades Alpha", "evenkeel session trades Alpha --json"))
def trades(session: SessionArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Round trips: what is open, then what is closed, newest first."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        path = path_of("walkforward", "sessions", the_session(client, session)["id"], "trades")
        items = client.get(path)["items"]
        if as_json:
            print_items(items)
            return
        rows = [
            [one["symbol"], one["side"], one["quantity"], one["entry_at"], one["entry_price"],
             one["exit_at"] or "open", one["exit_price"] or "", one["fees"], one["net"]]
            for one in items
        ]  # fmt: skip
        headings = ["symbol", "side", "quantity", "entered", "at", "left", "at", "fees", "net"]
        print_table(headings, rows, empty="Nothing has been traded yet. `evenkeel session list` shows whether it runs.")


@app.command("analytics", epilog=examples("evenkeel session analytics Alpha"))
def analytics(
    session: SessionArgument, periods: PeriodsOption = 252.0, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """A session's figures, from the mark of every day that has closed."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        path = path_of("walkforward", "sessions", the_session(client, session)["id"], "analytics")
        found = client.get(path, periods=periods)
        if as_json:
            print_json(found)
        else:
            print_fields({"days": len(found["days"])} | {key: _told(value) for key, value in found["metrics"].items()})


def _told(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if abs(value) >= 1000 else f"{value + 0.0:.6g}"


def _together(home: Any, sessions: list[str] | None, path: str, **query: Any) -> Any:
    client = Client(resolve_home(home))
    ids = ",".join(the_session(client, one)["id"] for one in sessions or ())
    return client.get(f"{_PATH}/{path}", ids=ids or None, **query)


@app.command("compare", epilog=examples("evenkeel session compare", "evenkeel session compare Alpha Beta"))
def compare(
    sessions: SessionsArgument = None,
    periods: PeriodsOption = 252.0,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sessions side by side, a figure a row."""
    with reporting(as_json=as_json):
        items = _together(home, sessions, "compare", periods=periods)["items"]
        if as_json:
            print_items(items)
            return
        names = list(items[0]["metrics"]) if items else []
        rows = [["status", *(one["status"] for one in items)], ["equity now", *(one["equity"] for one in items)]]
        rows += [[name, *(_told(one["metrics"][name]) for one in items)] for name in names]
        print_table(["", *(one["name"] for one in items)], rows if items else [], empty=_NO_SESSIONS)
        if items:
            print("What stands below the equity of now is of the days that have closed.")


@app.command("correlation", epilog=examples("evenkeel session correlation Alpha Beta"))
def correlation(sessions: SessionsArgument = None, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """How the daily returns of sessions go together."""
    with reporting(as_json=as_json):
        found = _together(home, sessions, "correlation")
        if as_json:
            print_json(found)
            return
        rows = [
            [name, *(_correlated(value) for value in row)]
            for name, row in zip(found["names"], found["matrix"], strict=True)
        ]
        print_table(["", *found["names"]], rows, empty=_NO_SESSIONS)
        print(f"over {found['days']} days that all of them have")


def _correlated(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


@app.command("risk", epilog=examples("evenkeel session risk", "evenkeel session risk Alpha Beta --json"))
def risk(sessions: SessionsArgument = None, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """The risk of sessions taken as one: drawdown, value at risk of the sum, exposure."""
    with reporting(as_json=as_json):
        found = _together(home, sessions, "risk")
        if as_json:
            print_json(found)
            return
        largest = [f"{one['symbol']} {one['value']}" for one in found.pop("largest")]
        del found["ids"]
        shown = {key: _told(value) if isinstance(value, float) else value for key, value in found.items()}
        print_fields(shown | {"largest": largest})
