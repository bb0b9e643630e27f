"""`evenkeel market`: what can be traded, its last prices, and its bars. A replay shows nothing after its own clock."""

from typing import Annotated, Any

import typer

from evenkeel.cli.client import Client
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    LimitOption,
    examples,
    print_items,
    print_table,
    reporting,
    resolve_home,
)

app = typer.Typer(no_args_is_help=True)


@app.command("symbols", epilog=examples("evenkeel market symbols"))
def symbols(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Instruments that can be traded, with tick, lot and last price."""
    with reporting(as_json=as_json):
        items = Client(resolve_home(home)).get("/market/symbols")["items"]
        if as_json:
            print_items(items)
            return
        shown = ("symbol", "venue", "asset_class", "currency", "tick_size", "lot_size", "last_price")
        rows = [[_cell(one[name]) for name in shown] for one in items]
        headings = [name.replace("_", " ") for name in shown]
        print_table(headings, rows, empty="Nothing is listed. Add bars with `evenkeel data import FILE`.")


@app.command("quotes", epilog=examples("evenkeel market quotes", "evenkeel market quotes AAPL MSFT --json"))
def quotes(
    wanted: Annotated[list[str] | None, typer.Argument(metavar="SYMBOL...", help="Without any, all.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Last bid, ask and price, its age in seconds, and whether that is too long."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options={"symbols": "SYMBOL"})
        items = client.get("/market/quotes", symbols=",".join(wanted) if wanted else None)["items"]
        if as_json:
            print_items(items)
            return
        shown = ("symbol", "bid", "ask", "last", "at", "age")
        rows = [[*(_cell(one[name]) for name in shown), "silent" if one["silent"] else ""] for one in items]
        print_table([*shown, ""], rows, empty="Nothing is listed.")


@app.command(
    "bars",
    epilog=examples(
        "evenkeel market bars AAPL --limit 20",
        "evenkeel market bars AAPL --timeframe 1d --from 2005-01-01 --raw",
        note="For whole series as a file, see evenkeel data export.",
    ),
)
def bars(
    symbol: Annotated[str, typer.Argument(help="Symbol.")],
    timeframe: Annotated[str, typer.Option("--timeframe", help="1m, 1h, 1d …")] = "1d",
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="First open, ISO 8601.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Before this open, ISO 8601.")] = None,
    limit: LimitOption = 50,
    raw: Annotated[bool, typer.Option("--raw", help="As traded, not adjusted for splits and dividends.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bars, oldest first: the newest ones, or the first from --from on."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options={"start": "--from", "end": "--to", "timeframe": "--timeframe"})
        query = {"symbol": symbol, "timeframe": timeframe, "start": start, "end": end, "limit": min(limit, 5000)}
        items = client.get("/market/bars", **query, adjusted=str(not raw).lower())["items"]
        if as_json:
            print_items(items)
            return
        shown = ("ts", "open", "high", "low", "close", "volume")
        print_table(shown, [[str(one[name]) for name in shown] for one in items], empty="No bars there.")


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
