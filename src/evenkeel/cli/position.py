"""`evenkeel position`: close, reverse, target and flatten positions, and what they have made."""

import uuid
from decimal import Decimal
from typing import Annotated, Any

import typer

from evenkeel.cli import order_terms
from evenkeel.cli.account import GroupOption, the_account, the_book
from evenkeel.cli.client import Client
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    examples,
    number,
    plain,
    print_json,
    print_table,
    reporting,
    resolve_home,
    share,
)
from evenkeel.domain.accounts import MANUAL
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.orders import Product, Side

app = typer.Typer(no_args_is_help=True)

AccountArgument = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Name or id of the account.")]
SymbolArgument = Annotated[str, typer.Argument(metavar="SYMBOL", help="As `evenkeel market symbols` lists it.")]
AccountOption = Annotated[
    str | None, typer.Option("--account", metavar="ACCOUNT", help="Name or id; without it, all accounts.")
]
BookOption = Annotated[
    str | None, typer.Option("--book", metavar="BOOK", help="manual, unassigned, or a strategy or portfolio.")
]
ProductOption = Annotated[Product | None, typer.Option("--product", case_sensitive=False, help="Indian products.")]
VenueOption = Annotated[str | None, typer.Option("--venue", help="For symbols listed at several venues.")]
KeepOption = Annotated[
    bool, typer.Option("--keep-orders", help="Cancel nothing: close only what no working order may close.")
]
IdOption = Annotated[
    str | None,
    typer.Option("--client-order-id", metavar="ID", help="Yours, up to 60 characters: sent twice, done once."),
]
_OPTIONS = {
    "symbol": "SYMBOL",
    "quantity": "QUANTITY",
    "share": "--share",
    "book": "--book",
    "venue": "--venue",
    "limit_price": "--limit",
    "client_order_id": "--client-order-id",
}


@app.command(
    "close",
    epilog=examples(
        "evenkeel position close Main AAPL",
        "evenkeel position close Main AAPL --share 50%",
        "evenkeel position close Main AAPL --quantity 30 --book Trend",
        note="What works in AAPL is cancelled first, and it is closed once that is confirmed.",
    ),
)
def close(
    account: AccountArgument,
    symbol: SymbolArgument,
    quantity: Annotated[
        Decimal | None, typer.Option("--quantity", parser=number, metavar="UNITS", help="Only so many units.")
    ] = None,
    share: Annotated[
        Decimal | None, typer.Option("--share", parser=share, metavar="SHARE", help="Only a share: 50% or 0.5.")
    ] = None,
    book: BookOption = None,
    product: ProductOption = None,
    venue: VenueOption = None,
    keep_orders: KeepOption = False,
    client_order_id: IdOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close what an account holds of a symbol at the market, each book by an order of its own."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS | {"quantity": "--quantity"})
        body = _where(client, account, symbol=symbol, book=book, product=product, venue=venue, name=client_order_id) | {
            "quantity": plain(quantity),
            "share": plain(share),
            "cancel": not keep_orders,
        }
        _told(client.call("POST", "/trading/positions/close", body), as_json=as_json)


def _where(
    client: Client,
    account: str,
    *,
    symbol: str,
    book: str | None,
    product: Product | None,
    venue: str | None,
    name: str | None,
) -> dict[str, Any]:
    return {
        "account_id": the_account(client, account)["id"],
        "symbol": symbol,
        "venue": venue,
        "client_order_id": name or f"cli-{uuid.uuid4()}",
        **({} if book is None else {"book": the_book(client, book)}),
        **({} if product is None else {"product": product.value}),
    }


def _told(answer: dict[str, Any], *, as_json: bool) -> None:
    refused = [one for one in answer["orders"] if one["state"] == "REFUSED"]
    if as_json:
        print_json(answer)
    else:
        for one in answer["orders"]:
            print(order_terms.said(one))
        if answer["stopped"]:
            print(order_terms.stopped(answer["stopped"]))
        if answer["cancelling"]:
            print(f"{len(answer['cancelling'])} working orders are being cancelled.")
        if answer["waiting"]:
            print(f"{answer['waiting']} positions follow once that is confirmed.")
        if not any(answer.values()):
            print("Nothing to do.")
    if refused:
        raise EvenkeelError(f"refused by {refused[0]['rule']}: {refused[0]['reason']}")


@app.command(
    "reverse",
    epilog=examples(
        "evenkeel position reverse Main AAPL",
        note="A long becomes a short of the same size, a short a long: the account must be allowed to sell short.",
    ),
)
def reverse(
    account: AccountArgument,
    symbol: SymbolArgument,
    book: BookOption = None,
    product: ProductOption = None,
    venue: VenueOption = None,
    client_order_id: IdOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Turn a position round, by one order that closes it and one that opens the opposite."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        body = _where(client, account, symbol=symbol, book=book, product=product, venue=venue, name=client_order_id)
        _told(client.call("POST", "/trading/positions/reverse", body), as_json=as_json)


@app.command(
    "target",
    context_settings={"ignore_unknown_options": True},  # -50 is a quantity
    epilog=examples(
        "evenkeel position target Main AAPL 100",
        "evenkeel position target Main AAPL 0",
        "evenkeel position target Main AAPL -50",
        note="Orders that work count: given twice, it orders once. A negative quantity is a short.",
    ),
)
def target(
    account: AccountArgument,
    symbol: SymbolArgument,
    quantity: Annotated[
        Decimal, typer.Argument(metavar="QUANTITY", parser=number, help="What is to be held; negative is short.")
    ],
    limit: Annotated[
        Decimal | None, typer.Option("--limit", parser=number, metavar="PRICE", help="By limit orders.")
    ] = None,
    book: BookOption = MANUAL,
    product: ProductOption = None,
    venue: VenueOption = None,
    client_order_id: IdOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a position to a quantity, counting what works; what works the wrong way is cancelled."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        body = _where(client, account, symbol=symbol, book=book, product=product, venue=venue, name=client_order_id) | {
            "quantity": f"{quantity:f}",
            "limit_price": plain(limit),
        }
        _told(client.call("POST", "/trading/positions/target", body), as_json=as_json)


@app.command(
    "flatten",
    epilog=examples(
        "evenkeel position flatten --account Main",
        "evenkeel position flatten --group Family --yes",
        "evenkeel position flatten --symbol AAPL --yes",
        "evenkeel position flatten --book Trend --yes",
        "evenkeel position flatten --all",
        note="Trading goes on: `evenkeel panic` halts it as well.",
    ),
)
def flatten(
    account: AccountOption = None,
    group: GroupOption = None,
    book: BookOption = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="Of one symbol only.")] = None,
    side: Annotated[
        Side | None, typer.Option("--side", case_sensitive=False, help="buy for longs only, sell for shorts only.")
    ] = None,
    product: ProductOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that you hold.")] = False,
    keep_orders: KeepOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close every position that fits, after cancelling what works there."""
    given = {
        "account": account, "group": group, "book": book, "symbol": symbol, "side": side, "product": product,
    }  # fmt: skip
    named = {name: str(value) for name, value in given.items() if value is not None}
    if bool(named) is everything:
        raise typer.BadParameter("say what to close, or --all of it", param_hint="--account, --group, --book, --symbol")
    if not yes:
        what = ", ".join(f"{name} {value}" for name, value in named.items()) or "all you hold"
        typer.confirm(f"Close every position of {what} at the market?", abort=True, err=True)
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options={name: f"--{name}" for name in ("symbol", "book", "group")})
        if "account" in named:
            named["account_id"] = the_account(client, named.pop("account"))["id"]
        if "book" in named:
            named["book"] = the_book(client, named["book"])
        body = {**named, "all": everything, "cancel": not keep_orders}
        _told(client.call("POST", "/trading/positions/flatten", body), as_json=as_json)


@app.command(
    "pnl",
    epilog=examples(
        "evenkeel position pnl",
        "evenkeel position pnl --by strategy --account Main",
        "evenkeel position pnl --cost fifo --json",
        note="The rows add up to equity less what was paid in.",
    ),
)
def pnl(
    account: AccountOption = None,
    group: GroupOption = None,
    by: Annotated[str, typer.Option("--by", help="instrument, strategy, account, group or user.")] = "instrument",
    cost: Annotated[str, typer.Option("--cost", help="average, or fifo: the oldest is sold first.")] = "average",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """What has been made: realised, unrealised, charges, and what no trade has made."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options={"by": "--by", "cost": "--cost"})
        account_id = the_account(client, account)["id"] if account is not None else None
        found = client.get("/trading/pnl", by=by.lower(), cost=cost.lower(), account_id=account_id, group=group)
        if as_json:
            print_json(found)
            return
        figures = ("realised", "unrealised", "charges", "other", "total")
        rows = [
            [one["name"], one["currency"], *(one[name] for name in figures)]
            for one in (*found["items"], *found["totals"])
        ]
        print_table(
            [by.lower(), "currency", *figures],
            rows,
            empty="Nothing has been traded yet. `evenkeel order list` shows what works.",
        )
