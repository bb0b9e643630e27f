"""`evenkeel order bracket`, `oco`, `iceberg` and their like: place orders that consist of several."""

import re
import uuid
from decimal import Decimal
from typing import Annotated, Any

import typer

from evenkeel.cli import order_terms
from evenkeel.cli.account import the_account, the_book
from evenkeel.cli.client import Client
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    examples,
    number,
    plain,
    print_json,
    reporting,
    resolve_home,
)
from evenkeel.cli.order import app as orders
from evenkeel.domain.accounts import MANUAL
from evenkeel.domain.composites import OnFailure
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.orders import Side, TimeInForce

Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Name or id of the account.")]
TheSide = Annotated[Side, typer.Argument(metavar="SIDE", case_sensitive=False, help="buy or sell.")]
Quantity = Annotated[Decimal, typer.Argument(metavar="QUANTITY", parser=number, help="Units: shares, ounces …")]
Symbol = Annotated[str, typer.Argument(metavar="SYMBOL", help="As `evenkeel market symbols` lists it.")]
Limit = Annotated[Decimal | None, typer.Option("--limit", parser=number, metavar="PRICE", help="Limit price.")]
Stop = Annotated[Decimal | None, typer.Option("--stop", parser=number, metavar="PRICE", help="Stop price.")]
Book = Annotated[str, typer.Option("--book", metavar="BOOK", help="manual, unassigned, or a strategy or portfolio.")]
ClientId = Annotated[
    str | None,
    typer.Option("--client-order-id", metavar="ID", help="Yours, up to 64 characters: sent twice, ordered once."),
]
StopLoss = Annotated[
    Decimal | None, typer.Option("--stop-loss", parser=number, metavar="PRICE", help="Where it is stopped out.")
]
TakeProfit = Annotated[
    Decimal | None, typer.Option("--take-profit", parser=number, metavar="PRICE", help="Where it takes its profit.")
]
Lasts = Annotated[TimeInForce, typer.Option("--tif", case_sensitive=False, help="How long its orders work.")]
Displayed = Annotated[
    Decimal, typer.Option("--displayed", parser=number, metavar="QUANTITY", help="How much is shown at a time.")
]
Every = Annotated[int, typer.Option("--every", metavar="SECONDS", min=1, help="From one slice to the next.")]
Start = Annotated[
    str | None, typer.Option("--start", metavar="TIME", help="ISO 8601 with a time zone; now without it.")
]
End = Annotated[str, typer.Option("--end", metavar="TIME", help="When what is left is cancelled.")]
Randomise = Annotated[
    float | None, typer.Option("--randomise", min=0, max=0.9, help="Moves moments and sizes by up to this fraction.")
]
_LEG = re.compile(r"(?P<side>buy|sell)\s+(?P<quantity>[0-9.]+)\s+(?P<symbol>\S+?)(\s*@\s*(?P<limit>[0-9.]+))?", re.I)
OPTIONS = {
    name: f"--{name.replace('_', '-')}"
    for name in (
        "stop_loss", "take_profit", "displayed", "size", "count", "every", "start", "end", "randomise", "share", "most",
        "on_failure", "book", "client_order_id",
    )
} | order_terms.OPTIONS  # fmt: skip


_PARTS = {
    "orders.symbol": "SYMBOL",
    "orders.quantity": "QUANTITY",
    "orders.limit_price": "--limit",
    "orders.stop_price": "--stop",
    "orders.time_in_force": "--tif",
    "orders.0.trigger_price": "--limit",
    "orders.1.trigger_price": "--stop",
}


def _order(
    side: Side, quantity: Decimal, *, symbol: str, tif: TimeInForce, limit: Decimal | None, stop: Decimal | None = None
) -> dict[str, Any]:
    body: dict[str, Any] = {"symbol": symbol, "side": side.value, "quantity": f"{quantity:f}"}
    return body | {
        "kind": order_terms.KINDS[limit is not None, stop is not None].value,
        "limit_price": plain(limit),
        "stop_price": plain(stop),
        "time_in_force": tif.value,
    }


def _place(
    kind: str,
    account: str,
    *,
    parts: list[dict[str, Any]],
    book: str,
    client_order_id: str | None,
    home: Any,
    as_json: bool,
    **more: Any,
) -> None:
    """Places a composite order, and says how it stands; refused, it is an error."""
    parts_are = {"orders": "LEG..."} if kind == "legs" else _PARTS
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=OPTIONS | parts_are | {"kind": kind})
        body = {
            "kind": kind,
            "account_id": the_account(client, account)["id"],
            "orders": parts,
            "book": the_book(client, book),
            "client_order_id": client_order_id or f"cli-{uuid.uuid4()}",
        }
        given = {name: value for name, value in more.items() if value is not None}
        made = client.call("POST", "/trading/composites", body | given)
        refused = made["state"] == "REFUSED"
        if as_json:
            print_json(made)
        elif not refused:
            print(said(made))
        if refused:
            hint = f"Nothing was sent. All of it: evenkeel composite show {made['id']}"
            raise EvenkeelError(f"refused by {made['rule']}: {made['reason']}", hint=hint)


def said(one: dict[str, Any]) -> str:
    """A composite order in one line."""
    return f"{one['kind']} {one['side']} {one['quantity']} {one['symbol']}: {one['state']}  {one['id']}"


@orders.command(
    "bracket",
    epilog=examples(
        "evenkeel order bracket Main buy 10 AAPL --stop-loss 38 --take-profit 52",
        "evenkeel order bracket Main buy 10 AAPL --limit 41 --stop-loss 38 --trail 1.50",
        note="The exits are as large as the entry has filled. Its entry is cancelled by `evenkeel composite cancel`.",
    ),
)
def bracket(
    account: Account,
    side: TheSide,
    quantity: Quantity,
    symbol: Symbol,
    limit: Limit = None,
    stop: Stop = None,
    stop_loss: StopLoss = None,
    take_profit: TakeProfit = None,
    trail: order_terms.TrailOption = None,
    tif: Lasts = TimeInForce.DAY,
    book: Book = MANUAL,
    client_order_id: ClientId = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place an entry with exits that follow what it has filled: a stop, a profit target, or both."""
    parts = [_order(side, quantity, symbol=symbol, tif=tif, limit=limit, stop=stop)]
    more = {"stop_loss": plain(stop_loss), "take_profit": plain(take_profit), **(trail or {})}
    _place(
        "bracket", account, parts=parts, book=book, client_order_id=client_order_id, home=home, as_json=as_json, **more
    )


@orders.command(
    "cover",
    epilog=examples(
        "evenkeel order cover Main buy 10 AAPL --stop-loss 38",
        note="Where its stop cannot rest, or is cancelled, what was entered is closed at the market.",
    ),
)
def cover(
    account: Account,
    side: TheSide,
    quantity: Quantity,
    symbol: Symbol,
    limit: Limit = None,
    stop_loss: StopLoss = None,
    trail: order_terms.TrailOption = None,
    tif: Lasts = TimeInForce.DAY,
    book: Book = MANUAL,
    client_order_id: ClientId = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place an entry with a compulsory stop."""
    parts = [_order(side, quantity, symbol=symbol, tif=tif, limit=limit)]
    more = {"stop_loss": plain(stop_loss), **(trail or {})}
    _place(
        "cover", account, parts=parts, book=book, client_order_id=client_order_id, home=home, as_json=as_json, **more
    )


@orders.command(
    "oco",
    epilog=examples(
        "evenkeel order oco Main sell 10 AAPL --limit 52 --stop 38",
        "evenkeel order oco Main sell 10 AAPL --limit 52 --stop 38 --gtt",
        note="What one of them fills, the other gives up. With --gtt both are held here until their price is reached.",
    ),
)
def oco(
    account: Account,
    side: TheSide,
    quantity: Quantity,
    symbol: Symbol,
    limit: Annotated[Decimal, typer.Option("--limit", parser=number, metavar="PRICE", help="Of the limit order.")],
    stop: Annotated[Decimal, typer.Option("--stop", parser=number, metavar="PRICE", help="Of the stop order.")],
    gtt: Annotated[bool, typer.Option("--gtt", help="Hold both here, and send at the market what is reached.")] = False,
    tif: Lasts = TimeInForce.GTC,
    book: Book = MANUAL,
    client_order_id: ClientId = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place two orders of which one is to fill: a limit and a stop."""
    if gtt:
        part = _order(side, quantity, symbol=symbol, tif=tif, limit=None)
        parts = [part | {"trigger_price": f"{price:f}"} for price in (limit, stop)]
    else:
        parts = [
            _order(side, quantity, symbol=symbol, tif=tif, limit=limit),
            _order(side, quantity, symbol=symbol, tif=tif, limit=None, stop=stop),
        ]
    _place("oco", account, parts=parts, book=book, client_order_id=client_order_id, home=home, as_json=as_json)


@orders.command("iceberg", epilog=examples("evenkeel order iceberg Main buy 5000 AAPL --limit 41 --displayed 500"))
def iceberg(
    account: Account,
    side: TheSide,
    quantity: Quantity,
    symbol: Symbol,
    limit: Annotated[Decimal, typer.Option("--limit", parser=number, metavar="PRICE", help="Limit price.")],
    displayed: Displayed,
    tif: Lasts = TimeInForce.DAY,
    book: Book = MANUAL,
    client_order_id: ClientId = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place a limit order of which only a part is shown at a time."""
    parts = [_order(side, quantity, symbol=symbol, tif=tif, limit=limit)]
    shown = {"displayed": plain(displayed)}
    _place(
        "iceberg", account, parts=parts, book=book, client_order_id=client_order_id, home=home, as_json=as_json, **shown
    )


@orders.command(
    "slice",
    epilog=examples(
        "evenkeel order slice Main buy 5000 AAPL --size 1800",
        "evenkeel order slice Main buy 5000 AAPL --count 5 --every 60",
        note="--size, such as an exchange's freeze quantity, sends all parts at once; --count one after the other.",
    ),
)
def slice_order(
    account: Account,
    side: TheSide,
    quantity: Quantity,
    symbol: Symbol,
    limit: Limit = None,
    size: Annotated[
        Decimal | None, typer.Option("--size", parser=number, metavar="QUANTITY", help="At most so much an order.")
    ] = None,
    count: Annotated[int | None, typer.Option("--count", min=2, help="So many equal slices.")] = None,
    every: Annotated[
        int | None, typer.Option("--every", metavar="SECONDS", min=1, help="From one slice to the next.")
    ] = None,
    randomise: Randomise = None,
    tif: Lasts = TimeInForce.DAY,
    book: Book = MANUAL,
    client_order_id: ClientId = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place a large order as several small ones."""
    if (size is None) is (count is None):
        raise typer.BadParameter("give either a size or a count", param_hint="--size")
    parts = [_order(side, quantity, symbol=symbol, tif=tif, limit=limit)]
    more = {"size": plain(size), "count": count, "every": every, "randomise": randomise}
    kind = "slices" if size is None else "parts"
    _place(kind, account, parts=parts, book=book, client_order_id=client_order_id, home=home, as_json=as_json, **more)


@orders.command(
    "vwap",
    help="Place slices over a stretch of time, as large as what usually trades then.",
    epilog=examples(
        "evenkeel order vwap Main buy 5000 AAPL --every 300 --end 2099-12-31T20:00:00Z",
        note="It needs stored intraday bars with volume: evenkeel data list.",
    ),
)
@orders.command(
    "twap",
    help="Place equal slices over a stretch of time.",
    epilog=examples("evenkeel order twap Main buy 5000 AAPL --every 300 --end 2099-12-31T20:00:00Z"),
)
def over_time(
    context: typer.Context,
    account: Account,
    side: TheSide,
    quantity: Quantity,
    symbol: Symbol,
    every: Every,
    end: End,
    start: Start = None,
    limit: Limit = None,
    randomise: Randomise = None,
    tif: Lasts = TimeInForce.DAY,
    book: Book = MANUAL,
    client_order_id: ClientId = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place slices over a stretch of time, by the pace of the command's name: twap or vwap."""
    kind = str(context.info_name)
    parts = [_order(side, quantity, symbol=symbol, tif=tif, limit=limit)]
    more = {"every": every, "start": start, "end": end, "randomise": randomise}
    _place(kind, account, parts=parts, book=book, client_order_id=client_order_id, home=home, as_json=as_json, **more)


@orders.command("participate", epilog=examples("evenkeel order participate Main buy 5000 AAPL --share 0.1 --most 500"))
def participate(
    account: Account,
    side: TheSide,
    quantity: Quantity,
    symbol: Symbol,
    share: Annotated[float, typer.Option("--share", min=0, max=1, help="Of the volume that trades, such as 0.1.")],
    most: Annotated[
        Decimal | None, typer.Option("--most", parser=number, metavar="QUANTITY", help="At most so much after a bar.")
    ] = None,
    end: Annotated[str | None, typer.Option("--end", metavar="TIME", help="When what is left is cancelled.")] = None,
    limit: Limit = None,
    tif: Lasts = TimeInForce.DAY,
    book: Book = MANUAL,
    client_order_id: ClientId = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place after each bar a share of what has traded in it."""
    parts = [_order(side, quantity, symbol=symbol, tif=tif, limit=limit)]
    more = {"share": share, "most": plain(most), "end": end}
    kind = "participation"
    _place(kind, account, parts=parts, book=book, client_order_id=client_order_id, home=home, as_json=as_json, **more)


@orders.command(
    "legs",
    epilog=examples(
        'evenkeel order legs Main "buy 10 AAPL" "sell 10 MSFT @ 52.30"',
        'evenkeel order legs Main "buy 10 AAPL" "sell 10 MSFT" --on-failure unwind',
        note="Each leg is placed once the one before has filled in full.",
    ),
)
def legs(
    account: Account,
    leg: Annotated[list[str], typer.Argument(metavar="LEG...", help="SIDE QUANTITY SYMBOL, and @ PRICE for a limit.")],
    on_failure: Annotated[
        OnFailure, typer.Option("--on-failure", case_sensitive=False, help="Of a leg that does not fill in full.")
    ] = OnFailure.STOP,
    tif: Lasts = TimeInForce.DAY,
    book: Book = MANUAL,
    client_order_id: ClientId = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place orders one after the other."""
    parts = [_leg(text, tif) for text in leg]
    rule = {"on_failure": on_failure.value}
    _place("legs", account, parts=parts, book=book, client_order_id=client_order_id, home=home, as_json=as_json, **rule)


def _leg(text: str, tif: TimeInForce) -> dict[str, Any]:
    found = _LEG.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(f'{text!r} is not a leg such as "buy 10 AAPL @ 41.50"', param_hint="LEG...")
    limit = found["limit"]
    side, quantity = Side(found["side"].upper()), number(found["quantity"])
    return _order(side, quantity, symbol=found["symbol"], tif=tif, limit=None if limit is None else number(limit))
