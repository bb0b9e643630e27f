"""`evenkeel order`: place, list, look into and cancel orders, and list fills."""

import uuid
from decimal import Decimal
from typing import Annotated, Any

import typer

from evenkeel.cli import many, order_history, order_lists, order_templates, order_terms
from evenkeel.cli.account import the_account, the_book
from evenkeel.cli.client import Client, path_of
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    examples,
    number,
    print_fields,
    print_items,
    print_json,
    reporting,
    resolve_home,
)
from evenkeel.cli.order_options import OPTIONS, Whole, spread
from evenkeel.domain.errors import EvenkeelError, InvalidInput, NotFound
from evenkeel.domain.orders import Side

app = typer.Typer(no_args_is_help=True)

OrderArgument = Annotated[str, typer.Argument(metavar="ORDER", help="The order's id.")]
_OPTIONS = OPTIONS | {"symbol": "SYMBOL", "quantity": "QUANTITY"}


@app.command(
    "place",
    epilog=examples(
        "evenkeel order place Main buy 10 AAPL",
        "evenkeel order place Main sell 10 AAPL --limit 52.30 --tif GTC",
        "evenkeel order place Main sell 10 AAPL --stop 47.50",
        "evenkeel order place Main sell 10 AAPL --trail 1.5% --tif GTC",
        "evenkeel order place Main buy 10 AAPL --limit 41 --trigger 41.50 --expires 2099-12-31T21:00:00Z",
        note="Exit code 1 when risk refuses it: the refusal is recorded, and the answer names rule, limit and value.",
    ),
)
@spread
def place(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Name or id of the account.")],
    side: Annotated[Side, typer.Argument(metavar="SIDE", case_sensitive=False, help="buy or sell.")],
    quantity: Annotated[Decimal, typer.Argument(metavar="QUANTITY", parser=number, help="Units: shares, ounces …")],
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="As `evenkeel market symbols` lists it.")],
    shared: Whole,
) -> None:
    """Place an order: market without prices, else limit, stop, or stop-limit with both; with a trail, trailing stop."""
    with reporting(as_json=shared.as_json):
        client = Client(resolve_home(shared.home), options=_OPTIONS)
        body = {
            "account_id": the_account(client, account)["id"],
            "symbol": symbol,
            "side": side.value,
            "quantity": f"{quantity:f}",
            **shared.terms(),
            "book": the_book(client, shared.book),
            "client_order_id": shared.client_order_id or f"cli-{uuid.uuid4()}",
        }
        _placed(client.call("POST", "/trading/orders", body), as_json=shared.as_json)


def _placed(order: dict[str, Any], *, as_json: bool) -> None:
    refused = order["state"] == "REFUSED"
    if as_json:
        print_json(order)
    elif not refused:
        print(order_terms.said(order))
    if refused:
        hint = f"Nothing was sent. The whole order: evenkeel order show {order['id']}"
        raise EvenkeelError(f"refused by {order['rule']}: {order['reason']}", hint=hint)


app.command("list", epilog=order_lists.LIST_EXAMPLES)(order_lists.list_orders)


@app.command("show", epilog=examples("evenkeel order show 01a2b3c4-d5e6-7f80-9a0b-1c2d3e4f5061"))
def show(order: OrderArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """One order in full, with its history: checks and what they saw, states, changes, fills."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        found = _of_order(client, order)
        events = order_history.history_of(client, found["id"])
        if as_json:
            print_json(found | {"history": events})
            return
        print_fields(found)
        print()
        order_history.print_history(events)


def _of_order(client: Client, order: str, *, method: str = "GET", verb: str | None = None) -> dict[str, Any]:
    if not order.strip():
        raise InvalidInput("the order's id is empty", hint="`evenkeel order list` shows ids in its last column.")
    try:
        found: dict[str, Any] = client.call(method, path_of("trading", "orders", order, *([verb] if verb else [])))
    except NotFound as error:
        error.hint = "Give the whole id; `evenkeel order list` shows it in its last column."
        raise
    return found


@app.command(
    "cancel",
    epilog=examples(
        "evenkeel order cancel 01a2b3c4-d5e6-7f80-9a0b-1c2d3e4f5061",
        "evenkeel order cancel --all --account Main",
        "evenkeel order cancel --all --symbol AAPL --side buy --json",
        note="An order may still fill before its cancel arrives; `evenkeel order show ORDER` tells what became of it.",
    ),
)
def cancel(
    orders: Annotated[list[str] | None, typer.Argument(metavar="ORDER...", help="Ids of orders.")] = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="Every working order that fits.")] = False,
    account: many.AccountFilter = None,
    group: many.GroupFilter = None,
    book: many.BookFilter = None,
    symbol: many.SymbolFilter = None,
    side: many.SideFilter = None,
    kind: many.KindFilter = None,
    product: many.ProductFilter = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the broker to cancel working orders. Exit code 1 when one of them cannot be cancelled."""
    given = {"account": account, "group": group, "book": book, "symbol": symbol, "side": side, "kind": kind}
    given["product"] = product
    many.check_choice(orders, given, all_of_them=all_of_them)
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=many.OPTIONS)
        wanted = orders or []
        if not wanted:
            many.cancel_all(client, given, as_json=as_json)
            return
        done, faults = _cancel(client, wanted)
        if as_json:
            print_items(done)
        for one in [] if as_json else done:
            print(order_terms.said(one))
        if len(faults) == 1:
            raise faults[0]
        if faults:
            told = "; ".join(dict.fromkeys(fault.message for fault in faults))
            raise EvenkeelError(f"{len(faults)} of {len(wanted)} orders cannot be cancelled: {told}")


@app.command(
    "resolve",
    epilog=examples(
        "evenkeel order resolve 01a2b3c4-d5e6-7f80-9a0b-1c2d3e4f5061",
        note="Look at the broker's own screen first. If it does have the order, do not use this: reconcile finds it.",
    ),
)
def resolve(
    order: OrderArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """End an order in doubt, on your word that the broker never had it."""
    if not yes:
        typer.confirm("Have you seen at the broker that it never had this order?", abort=True, err=True)
    with reporting(as_json=as_json):
        found = _of_order(Client(resolve_home(home)), order, method="POST", verb="resolve")
        if as_json:
            print_json(found)
        else:
            print(order_terms.said(found))


def _cancel(client: Client, wanted: list[str]) -> tuple[list[dict[str, Any]], list[EvenkeelError]]:
    done: list[dict[str, Any]] = []
    faults: list[EvenkeelError] = []
    for order in wanted:
        try:
            done.append(_of_order(client, order, method="DELETE"))
        except EvenkeelError as error:
            faults.append(error)
    return done, faults


app.command("fills", epilog=order_lists.FILLS_EXAMPLES)(order_lists.fills)
app.command("basket", epilog=many.BASKET_EXAMPLES)(many.basket)
app.command("modify", epilog=many.MODIFY_EXAMPLES)(many.modify)
app.add_typer(order_templates.app)
