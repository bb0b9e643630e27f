"""`evenkeel order template`: orders saved under a name, sized and priced when they are used."""

import uuid
from typing import Annotated, Any

import typer

from evenkeel.cli.account import the_account, the_book
from evenkeel.cli.client import Client, path_of
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
)
from evenkeel.cli.order_terms import KINDS
from evenkeel.cli.templates import sizing
from evenkeel.domain.accounts import MANUAL
from evenkeel.domain.errors import EvenkeelError, FieldError, InvalidInput
from evenkeel.domain.orders import Product, Side, TimeInForce

app = typer.Typer(name="template", help="Orders saved under a name.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the template.")]
_OPTIONS = {
    "name": "NAME",
    "template": "NAME",
    "size": "--size",
    "limit": "--limit",
    "stop": "--stop",
    "stop_loss": "--stop-loss",
    "take_profit": "--take-profit",
    "symbol": "--symbol",
    "side": "--side",
    "book": "--book",
    "venue": "--venue",
    "timeframe": "--timeframe",
}


@app.command(
    "save",
    epilog=examples(
        "evenkeel order template save dip --size 10 --limit -0.5% --side buy --symbol AAPL",
        "evenkeel order template save swing --size risk:1% --stop-loss 4% --take-profit 8%",
        "evenkeel order template save calm --size vol:10%",
        note="Prices are told from the last one, in ticks (5t) or per cent: above it for a buy where positive, below "
        "it for a sale. With a stop loss or a profit target it becomes a bracket.",
    ),
)
def save(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it: small letters, digits, - and _.")],
    size: Annotated[
        str,
        typer.Option(
            "--size",
            metavar="RULE",
            help="10 (units), cash:5000, 50% of equity, risk:1% between entry and stop, vol:10% a year, kelly:0.5.",
        ),
    ],
    symbol: Annotated[str | None, typer.Option("--symbol", help="Else it is given when it is used.")] = None,
    side: Annotated[Side | None, typer.Option("--side", case_sensitive=False, help="buy or sell.")] = None,
    limit: Annotated[str | None, typer.Option("--limit", metavar="OFFSET", help="Limit: -5t or -0.5%.")] = None,
    stop: Annotated[str | None, typer.Option("--stop", metavar="OFFSET", help="Stop: 5t or 1%.")] = None,
    stop_loss: Annotated[
        str | None, typer.Option("--stop-loss", metavar="DISTANCE", help="Of a stop for what it opens: 50t or 4%.")
    ] = None,
    take_profit: Annotated[
        str | None, typer.Option("--take-profit", metavar="DISTANCE", help="Of a target for it: 100t or 8%.")
    ] = None,
    tif: Annotated[TimeInForce, typer.Option("--tif", case_sensitive=False, help="DAY, GTC, IOC or FOK.")] = (
        TimeInForce.DAY
    ),
    product: Annotated[Product, typer.Option("--product", case_sensitive=False, help="Indian products.")] = (
        Product.NONE
    ),
    book: Annotated[
        str, typer.Option("--book", metavar="BOOK", help="manual, unassigned, or a strategy or portfolio.")
    ] = MANUAL,
    venue: Annotated[str | None, typer.Option("--venue", help="For symbols listed at several venues.")] = None,
    timeframe: Annotated[str, typer.Option("--timeframe", help="Bars that vol: and kelly: look at.")] = "1d",
    description: Annotated[str, typer.Option("--description", help="A line about it.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Save a template, or exchange the one of that name."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        body = {
            "name": name,
            "size": _size(size),
            "kind": KINDS[limit is not None, stop is not None].value,
            "symbol": symbol,
            "venue": venue,
            "side": None if side is None else side.value,
            "limit": _offset(limit, "--limit"),
            "stop": _offset(stop, "--stop"),
            "stop_loss": _offset(stop_loss, "--stop-loss"),
            "take_profit": _offset(take_profit, "--take-profit"),
            "time_in_force": tif.value,
            "product": product.value,
            "book": the_book(client, book),
            "timeframe": timeframe,
            "description": description,
        }
        saved = client.call("POST", "/trading/order-templates", body)
        if as_json:
            print_json(saved)
        else:
            print(f"Saved as {saved['name']}: {_said(saved)}")


def _size(text: str) -> dict[str, Any]:
    rule, _, value = text.rpartition(":")
    if rule != "risk":
        return sizing(text)
    return {"type": "risk-per-trade", "share": plain(share(value))}


def _offset(text: str | None, option: str) -> dict[str, Any] | None:
    if text is None:
        return None
    if text.endswith("%"):
        return {"percent": f"{number(text.removesuffix('%')):f}"}
    if text.endswith("t") and text[:-1].lstrip("+-").isdigit():
        return {"ticks": int(text[:-1])}
    message = f"expected ticks such as 5t, or per cent such as 0.5%, not {text!r}"
    raise InvalidInput(f"{option}: {message}", errors=(FieldError(option, message),))


def _said(one: dict[str, Any]) -> str:
    """A template in a line."""
    size = " ".join(str(value) for value in one["size"].values())
    offsets = [f"{name.replace('_', ' ')} {_written(one[name])}" for name in ("limit", "stop") if one[name]]
    exits = [f"{name.replace('_', ' ')} {_written(one[name])}" for name in ("stop_loss", "take_profit") if one[name]]
    return " ".join([one["side"] or "BUY or SELL", size, one["symbol"] or "any symbol", one["kind"], *offsets, *exits])


def _written(offset: dict[str, Any]) -> str:
    return f"{offset['ticks']}t" if offset["ticks"] is not None else f"{offset['percent']}%"


@app.command("list", epilog=examples("evenkeel order template list"))
def list_templates(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """All you have saved."""
    with reporting(as_json=as_json):
        items = Client(resolve_home(home)).get("/trading/order-templates")["items"]
        if as_json:
            print_items(items)
        else:
            rows = [[one["name"], _said(one), one["description"]] for one in items]
            print_table(
                ["name", "order", "description"],
                rows,
                empty="No templates yet. Save one: evenkeel order template save --help",
            )


@app.command("show", epilog=examples("evenkeel order template show dip"))
def show(name: NameArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """One template in full."""
    with reporting(as_json=as_json):
        found = Client(resolve_home(home)).get(path_of("trading", "order-templates", name))
        if as_json:
            print_json(found)
        else:
            print_fields(found)


@app.command("remove", epilog=examples("evenkeel order template remove dip"))
def remove(name: NameArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Forget a template; orders made from it stay as they are."""
    with reporting(as_json=as_json):
        Client(resolve_home(home)).call("DELETE", path_of("trading", "order-templates", name))
        if as_json:
            print_json({"name": name, "removed": True})
        else:
            print(f"Forgot {name}.")


@app.command(
    "use",
    epilog=examples(
        "evenkeel order template use dip Main",
        "evenkeel order template use swing Main --symbol AAPL --side buy --dry-run",
        note="With --dry-run nothing is placed: it says what the order would come to.",
    ),
)
def use(
    name: NameArgument,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Name or id of the account.")],
    symbol: Annotated[str | None, typer.Option("--symbol", help="In place of the template's.")] = None,
    side: Annotated[Side | None, typer.Option("--side", case_sensitive=False, help="buy or sell.")] = None,
    venue: Annotated[str | None, typer.Option("--venue", help="For symbols listed at several venues.")] = None,
    client_order_id: Annotated[
        str | None,
        typer.Option("--client-order-id", metavar="ID", help="Yours, up to 60 characters: sent twice, ordered once."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Place nothing, only say what it would be.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place what a template comes to now."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        body = {
            "template": name,
            "account_id": the_account(client, account)["id"],
            "symbol": symbol,
            "venue": venue,
            "side": None if side is None else side.value,
            "client_order_id": client_order_id or f"cli-{uuid.uuid4()}",
            "dry_run": dry_run,
        }
        answer = client.call("POST", "/trading/orders/from-template", body)
        if as_json:
            print_json(answer)
        else:
            _print_use(answer)
        if answer["state"] == "REFUSED":
            order = answer["order"]
            shown = f"order show {order['id']}" if order is not None else f"composite show {answer['composite_id']}"
            hint = f"Nothing was sent. The whole order: evenkeel {shown}"
            raise EvenkeelError(f"refused by {answer['rule']}: {answer['reason']}", hint=hint)


def _print_use(answer: dict[str, Any]) -> None:
    what = f"{answer['side']} {answer['quantity']} {answer['symbol']} {answer['kind']}"
    prices = ("limit_price", "stop_price", "stop_loss", "take_profit")
    told = [f"{name.replace('_', ' ')} {answer[name]}" for name in prices if answer[name] is not None]
    order, composite = answer["order"], answer["composite_id"]
    became = "not placed" if order is None and composite is None else f"bracket {answer['state']}  {composite}"
    if order is not None:
        became = f"{order['state']}  {order['id']}"
    print(f"{', '.join([what, *told])}: {became}")
