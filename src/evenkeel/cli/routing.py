"""`evenkeel route`: declare where orders may go, place one where that leads, and see why it went there."""

import uuid
from decimal import Decimal
from typing import Annotated, Any

import typer

from evenkeel.cli import order_terms
from evenkeel.cli.account import the_account, the_book
from evenkeel.cli.client import Client, path_of
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    examples,
    number,
    print_items,
    print_json,
    print_table,
    reporting,
    resolve_home,
)
from evenkeel.cli.order_options import OPTIONS, Whole, spread
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.orders import Side
from evenkeel.domain.routing import RouteRule

app = typer.Typer(no_args_is_help=True)

RouteArgument = Annotated[str, typer.Argument(metavar="ROUTE", help="The route's name.")]
_OPTIONS = OPTIONS | {
    "name": "ROUTE",
    "accounts": "ACCOUNT...",
    "venues": "--venue",
    "route": "ROUTE",
    "symbol": "SYMBOL",
    "quantity": "QUANTITY",
}


@app.command(
    "set",
    epilog=examples(
        "evenkeel route set best Main Second",
        "evenkeel route set roomy Main Second --rule most-cash",
        note="Declared again, it is another route from then on; orders that it has placed stay as they are.",
    ),
)
def set_route(
    route: RouteArgument,
    accounts: Annotated[list[str], typer.Argument(metavar="ACCOUNT...", help="Names or ids, preferred in this order.")],
    rule: Annotated[
        RouteRule, typer.Option("--rule", case_sensitive=False, help="Which account is preferred.")
    ] = RouteRule.CHEAPEST,
    venue: Annotated[
        list[str] | None, typer.Option("--venue", help="Trade here only; may be given again. Without it: anywhere.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Declare a route: the accounts an order may go to, and by which rule one is preferred."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        ids = [the_account(client, account)["id"] for account in accounts]
        body = {"name": route, "accounts": ids, "rule": rule.value, "venues": venue or []}
        made = client.call("POST", "/trading/routes", body)
        if as_json:
            print_json(made)
        else:
            print(f"{made['name']}: {made['rule']} of {len(made['accounts'])} accounts")


@app.command("list", epilog=examples("evenkeel route list", "evenkeel route list --json"))
def list_routes(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """The routes that are declared."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        items = client.get("/trading/routes")["items"]
        if as_json:
            print_items(items)
            return
        names = {one["id"]: one["name"] for one in client.get("/accounts")["items"]}
        rows = [
            [one["name"], one["rule"], ", ".join(names[each] for each in one["accounts"]), ", ".join(one["venues"])]
            for one in items
        ]
        print_table(
            ["route", "rule", "accounts", "venues"],
            rows,
            empty="No routes yet. Declare one: evenkeel route set best Main Second",
        )


@app.command("remove", epilog=examples("evenkeel route remove best"))
def remove(route: RouteArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Forget a route."""
    with reporting(as_json=as_json):
        Client(resolve_home(home)).call("DELETE", path_of("trading", "routes", route))
        if not as_json:
            print(f"{route}: forgotten")


@app.command(
    "order",
    epilog=examples(
        "evenkeel route order best buy 10 AAPL",
        "evenkeel route order best sell 10 AAPL --limit 52.30 --tif GTC",
        "evenkeel route order best sell 10 AAPL --trail 1.5% --expires 2099-12-31T21:00:00Z",
        note="Exit code 1 when no account may take it: it is recorded as refused, and the answer says by what.",
    ),
)
@spread
def order(
    route: RouteArgument,
    side: Annotated[Side, typer.Argument(metavar="SIDE", case_sensitive=False, help="buy or sell.")],
    quantity: Annotated[Decimal, typer.Argument(metavar="QUANTITY", parser=number, help="Units: shares, ounces …")],
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="As `evenkeel market symbols` lists it.")],
    shared: Whole,
) -> None:
    """Place an order where a route leads, and show what was made of every account."""
    with reporting(as_json=shared.as_json):
        client = Client(resolve_home(shared.home), options=_OPTIONS)
        body = {
            "route": route,
            "side": side.value,
            "quantity": f"{quantity:f}",
            "symbol": symbol,
            **shared.terms(),
            "book": the_book(client, shared.book),
            "client_order_id": shared.client_order_id or f"cli-{uuid.uuid4()}",
        }
        _told(client.call("POST", "/trading/orders/routed", body), shared.as_json)


@app.command("why", epilog=examples("evenkeel route why 01a2b3c4-d5e6-7f80-9a0b-1c2d3e4f5061"))
def why(
    order: Annotated[str, typer.Argument(metavar="ORDER", help="The order's id.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Why a routed order went where it went."""
    with reporting(as_json=as_json):
        found = Client(resolve_home(home)).get(path_of("trading", "orders", order, "route"))
        if as_json:
            print_json(found)
        else:
            _print_candidates(found)


def _told(routed: dict[str, Any], as_json: bool) -> None:
    made = routed["order"]
    if as_json:
        print_json(routed)
    else:
        print(order_terms.said(made))
        _print_candidates(routed)
    if made["state"] == "REFUSED":
        raise EvenkeelError(f"refused by {made['rule']}: {made['reason']}", hint="No account of the route may take it.")


def _print_candidates(routed: dict[str, Any]) -> None:
    rows = [
        [
            one["account"],
            one["venue"],
            one["cost"] or "",
            "reduces" if one["reduces"] else "",
            "taken" if one["taken"] else "",
            one["reason"] or "",
        ]
        for one in routed["candidates"]
    ]
    print_table(["account", "venue", "cost", "", "", "refused"], rows)
