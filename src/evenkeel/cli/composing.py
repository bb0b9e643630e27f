"""`evenkeel order bracket`, `oco`, `iceberg` and their like: place orders that consist of several."""

import re
import uuid
from decimal import Decimal
from typing import Annotated, Any

import typer

from evenkeel.cli import order_terms
from evenkeel.cli.account import the_account, the_book
from evenkeel.cli.client import Client
from evenkeel.cli.common import examples, number, plain, print_json, reporting, resolve_home
from evenkeel.cli.order import app as orders
from evenkeel.cli.order_options import OPTIONS as PLAIN
from evenkeel.cli.order_options import Common, Entry, Later, Sliced, spread
from evenkeel.domain.composites import OnFailure
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.orders import Side, TimeInForce

Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Name or id of the account.")]
TheSide = Annotated[Side, typer.Argument(metavar="SIDE", case_sensitive=False, help="buy or sell.")]
Quantity = Annotated[Decimal, typer.Argument(metavar="QUANTITY", parser=number, help="Units: shares, ounces …")]
Symbol = Annotated[str, typer.Argument(metavar="SYMBOL", help="As `evenkeel market symbols` lists it.")]
StopLoss = Annotated[
    Decimal | None, typer.Option("--stop-loss", parser=number, metavar="PRICE", help="Where it is stopped out.")
]
TakeProfit = Annotated[
    Decimal | None, typer.Option("--take-profit", parser=number, metavar="PRICE", help="Where it takes its profit.")
]
OwnLimit = Annotated[Decimal, typer.Option("--limit", parser=number, metavar="PRICE", help="Limit price.")]
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
_PRICE = r"(?P<{0}>[0-9.]+)"
_LEG = re.compile(
    r"(?P<side>buy|sell)\s+(?P<quantity>[0-9.]+)\s+(?P<symbol>\S+?)"
    rf"(\s*@\s*{_PRICE.format('limit')})?(\s+stop\s+{_PRICE.format('stop')})?"
    rf"(\s+trigger\s+{_PRICE.format('trigger')})?",
    re.IGNORECASE,
)
OPTIONS = PLAIN | {
    name: f"--{name.replace('_', '-')}"
    for name in (
        "stop_loss", "take_profit", "displayed", "size", "count", "every", "start", "end", "randomise", "share", "most",
        "on_failure",
    )
}  # fmt: skip


_OF_TWO = {
    "orders.0.trigger_price": "--limit",
    "orders.1.trigger_price": "--stop",
    "orders.1.limit_price": "--stop-limit",
}


def _order(side: Side, quantity: Decimal, *, symbol: str, terms: dict[str, Any]) -> dict[str, Any]:
    return {"symbol": symbol, "side": side.value, "quantity": f"{quantity:f}", **terms}


def _place(
    kind: str,
    account: str,
    *,
    parts: list[dict[str, Any]],
    shared: Common,
    **more: Any,
) -> None:
    """Places a composite order, and says how it stands; refused, it is an error."""
    with reporting(as_json=shared.as_json):
        client = Client(resolve_home(shared.home), options=OPTIONS | _parts_of(kind))
        body = {
            "kind": kind,
            "account_id": the_account(client, account)["id"],
            "orders": parts,
            "book": the_book(client, shared.book),
            "client_order_id": shared.client_order_id or f"cli-{uuid.uuid4()}",
        }
        given = {name: value for name, value in more.items() if value is not None}
        made = client.call("POST", "/trading/composites", body | given)
        refused = made["state"] == "REFUSED"
        if shared.as_json:
            print_json(made)
        elif not refused:
            print(said(made))
        if refused:
            hint = f"Nothing was sent. All of it: evenkeel composite show {made['id']}"
            raise EvenkeelError(f"refused by {made['rule']}: {made['reason']}", hint=hint)


def _parts_of(kind: str) -> dict[str, str]:
    """What stands for the fields of its orders, which are named one by one in a request."""
    own = {"symbol": "SYMBOL", "quantity": "QUANTITY"}
    parts = {f"orders.{name}": option for name, option in (PLAIN | own).items()}
    if kind == "oco":
        parts |= _OF_TWO
    if kind == "legs":
        written = ("symbol", "quantity", "limit_price", "stop_price", "trigger_price")
        parts |= {"orders": "LEG...", **{f"orders.{name}": "LEG..." for name in written}}
    return parts | {"kind": kind}


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
@spread
def bracket(
    account: Account,
    side: TheSide,
    quantity: Quantity,
    symbol: Symbol,
    stop_loss: StopLoss = None,
    take_profit: TakeProfit = None,
    trail: order_terms.TrailOption = None,
    *,
    shared: Entry,
) -> None:
    """Place an entry with exits that follow what it has filled: a stop, a profit target, or both."""
    parts = [_order(side, quantity, symbol=symbol, terms=shared.terms())]
    more = {"stop_loss": plain(stop_loss), "take_profit": plain(take_profit), **(trail or {})}
    _place("bracket", account, parts=parts, shared=shared, **more)


@orders.command(
    "cover",
    epilog=examples(
        "evenkeel order cover Main buy 10 AAPL --stop-loss 38",
        note="Where its stop cannot rest, or is cancelled, what was entered is closed at the market.",
    ),
)
@spread
def cover(
    account: Account,
    side: TheSide,
    quantity: Quantity,
    symbol: Symbol,
    stop_loss: StopLoss = None,
    trail: order_terms.TrailOption = None,
    *,
    shared: Entry,
) -> None:
    """Place an entry with a compulsory stop."""
    parts = [_order(side, quantity, symbol=symbol, terms=shared.terms())]
    more = {"stop_loss": plain(stop_loss), **(trail or {})}
    _place("cover", account, parts=parts, shared=shared, **more)


@orders.command(
    "oco",
    epilog=examples(
        "evenkeel order oco Main sell 10 AAPL --limit 52 --stop 38",
        "evenkeel order oco Main sell 10 AAPL --limit 52 --stop 38 --stop-limit 37.50",
        "evenkeel order oco Main sell 10 AAPL --limit 52 --trail 3%",
        "evenkeel order oco Main sell 10 AAPL --limit 52 --stop 38 --gtt",
        note="What one of them fills, the other gives up. With --gtt both are held here until their price is reached.",
    ),
)
@spread
def oco(
    account: Account,
    side: TheSide,
    quantity: Quantity,
    symbol: Symbol,
    limit: Annotated[Decimal, typer.Option("--limit", parser=number, metavar="PRICE", help="Of the limit order.")],
    stop: Annotated[
        Decimal | None, typer.Option("--stop", parser=number, metavar="PRICE", help="Of the stop order.")
    ] = None,
    stop_limit: Annotated[
        Decimal | None, typer.Option("--stop-limit", parser=number, metavar="PRICE", help="Its limit, if it has one.")
    ] = None,
    trail: order_terms.TrailOption = None,
    trail_limit: order_terms.TrailLimitOption = None,
    gtt: Annotated[bool, typer.Option("--gtt", help="Hold both here, and send at the market what is reached.")] = False,
    *,
    shared: Later,
) -> None:
    """Place two orders of which one is to fill: a limit and a stop."""
    if (stop is None) is (trail is None):
        raise typer.BadParameter("give either a stop or a trail", param_hint="--stop")
    if gtt and (stop_limit is not None or trail is not None):
        raise typer.BadParameter("takes a --limit and a --stop, and nothing else", param_hint="--gtt")
    lasts = shared.terms(usual=TimeInForce.GTC)
    if gtt:
        both = [order_terms.prices(limit=None) | {"trigger_price": plain(price)} for price in (limit, stop)]
    else:
        stopping = order_terms.stopping(stop=stop, limit=stop_limit, distance=trail, offset=trail_limit)
        both = [order_terms.prices(limit=limit), stopping]
    parts = [_order(side, quantity, symbol=symbol, terms=lasts | one) for one in both]
    _place("oco", account, parts=parts, shared=shared)


@orders.command("iceberg", epilog=examples("evenkeel order iceberg Main buy 5000 AAPL --limit 41 --displayed 500"))
@spread
def iceberg(
    account: Account,
    side: TheSide,
    quantity: Quantity,
    symbol: Symbol,
    limit: OwnLimit,
    displayed: Displayed,
    shared: Common,
) -> None:
    """Place a limit order of which only a part is shown at a time."""
    terms = shared.terms() | order_terms.prices(limit=limit)
    parts = [_order(side, quantity, symbol=symbol, terms=terms)]
    _place("iceberg", account, parts=parts, shared=shared, displayed=plain(displayed))


@orders.command(
    "slice",
    epilog=examples(
        "evenkeel order slice Main buy 5000 AAPL --size 1800",
        "evenkeel order slice Main buy 5000 AAPL --count 5 --every 60",
        note="--size, such as an exchange's freeze quantity, sends all parts at once; --count one after the other.",
    ),
)
@spread
def slice_order(
    account: Account,
    side: TheSide,
    quantity: Quantity,
    symbol: Symbol,
    size: Annotated[
        Decimal | None, typer.Option("--size", parser=number, metavar="QUANTITY", help="At most so much an order.")
    ] = None,
    count: Annotated[int | None, typer.Option("--count", min=2, help="So many equal slices.")] = None,
    every: Annotated[
        int | None, typer.Option("--every", metavar="SECONDS", min=1, help="From one slice to the next.")
    ] = None,
    randomise: Randomise = None,
    *,
    shared: Sliced,
) -> None:
    """Place a large order as several small ones."""
    if (size is None) is (count is None):
        raise typer.BadParameter("give either a size or a count", param_hint="--size")
    parts = [_order(side, quantity, symbol=symbol, terms=shared.terms())]
    more = {"size": plain(size), "count": count, "every": every, "randomise": randomise}
    kind = "slices" if size is None else "parts"
    _place(kind, account, parts=parts, shared=shared, **more)


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
@spread
def over_time(
    context: typer.Context,
    account: Account,
    side: TheSide,
    quantity: Quantity,
    symbol: Symbol,
    every: Every,
    end: End,
    start: Start = None,
    randomise: Randomise = None,
    *,
    shared: Sliced,
) -> None:
    """Place slices over a stretch of time, by the pace of the command's name: twap or vwap."""
    kind = str(context.info_name)
    parts = [_order(side, quantity, symbol=symbol, terms=shared.terms())]
    more = {"every": every, "start": start, "end": end, "randomise": randomise}
    _place(kind, account, parts=parts, shared=shared, **more)


@orders.command("participate", epilog=examples("evenkeel order participate Main buy 5000 AAPL --share 0.1 --most 500"))
@spread
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
    *,
    shared: Sliced,
) -> None:
    """Place after each bar a share of what has traded in it."""
    parts = [_order(side, quantity, symbol=symbol, terms=shared.terms())]
    more = {"share": share, "most": plain(most), "end": end}
    kind = "participation"
    _place(kind, account, parts=parts, shared=shared, **more)


@orders.command(
    "legs",
    epilog=examples(
        'evenkeel order legs Main "buy 10 AAPL" "sell 10 MSFT @ 52.30"',
        'evenkeel order legs Main "buy 10 AAPL" "sell 10 MSFT" --on-failure unwind',
        'evenkeel order legs Main "buy 10 AAPL trigger 41" "sell 10 AAPL stop 38" --tif gtc',
        note="Each leg is placed once the one before has filled in full.",
    ),
)
@spread
def legs(
    account: Account,
    leg: Annotated[
        list[str],
        typer.Argument(metavar="LEG...", help="SIDE QUANTITY SYMBOL, and @ PRICE, stop PRICE, trigger PRICE."),
    ],
    on_failure: Annotated[
        OnFailure, typer.Option("--on-failure", case_sensitive=False, help="Of a leg that does not fill in full.")
    ] = OnFailure.STOP,
    *,
    shared: Later,
) -> None:
    """Place orders one after the other."""
    parts = [_leg(text, shared.terms()) for text in leg]
    _place("legs", account, parts=parts, shared=shared, on_failure=on_failure.value)


def _leg(text: str, terms: dict[str, Any]) -> dict[str, Any]:
    found = _LEG.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(f'{text!r} is not a leg such as "buy 10 AAPL @ 41.50"', param_hint="LEG...")
    given = (found[name] for name in ("limit", "stop", "trigger"))
    limit, stop, trigger = (None if price is None else number(price) for price in given)
    own = order_terms.prices(limit=limit, stop=stop) | {"trigger_price": plain(trigger)}
    side, quantity = Side(found["side"].upper()), number(found["quantity"])
    return _order(side, quantity, symbol=found["symbol"], terms=terms | own)
