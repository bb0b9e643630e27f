"""`evenkeel order`: place, list, look into and cancel orders, and list fills."""

import uuid
from typing import Annotated, Any

import typer

from evenkeel.cli.account import LimitOption, the_account
from evenkeel.cli.client import Client, path_of
from evenkeel.cli.common import HomeOption, JsonOption, print_json, print_table, reporting, resolve_home
from evenkeel.domain.errors import EvenkeelError

app = typer.Typer(name="order", help="Place, list and cancel orders.", no_args_is_help=True)

OrderArgument = Annotated[str, typer.Argument(metavar="ORDER", help="The order's id.")]
AccountOption = Annotated[str | None, typer.Option("--account", help="Name or id; without it, all accounts.")]


@app.command("place")
def place(
    account: Annotated[str, typer.Argument(help="Name or id of the account.")],
    side: Annotated[str, typer.Argument(help="buy or sell.")],
    quantity: Annotated[str, typer.Argument(help="Units of the instrument.")],
    symbol: Annotated[str, typer.Argument(help="Symbol.")],
    limit: Annotated[str | None, typer.Option("--limit", help="Limit price.")] = None,
    stop: Annotated[str | None, typer.Option("--stop", help="Stop price.")] = None,
    tif: Annotated[str, typer.Option("--tif", help="DAY, GTC, IOC or FOK.")] = "DAY",
    product: Annotated[str, typer.Option("--product", help="NONE, CNC, MIS or NRML.")] = "NONE",
    client_order_id: Annotated[
        str | None, typer.Option("--client-order-id", help="Yours, up to 64 characters: sent twice, ordered once.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place an order: market without prices, else limit, stop, or stop-limit. Exit code 1 when it is refused."""
    kind = {(False, False): "MARKET", (True, False): "LIMIT", (False, True): "STOP", (True, True): "STOP_LIMIT"}
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        body = {
            "account_id": the_account(client, account)["id"],
            "symbol": symbol,
            "side": side.upper(),
            "quantity": quantity,
            "kind": kind[limit is not None, stop is not None],
            "limit_price": limit,
            "stop_price": stop,
            "time_in_force": tif.upper(),
            "product": product.upper(),
            "book": "manual",
            "client_order_id": client_order_id or f"cli-{uuid.uuid4()}",
        }
        order = client.call("POST", "/trading/orders", body)
        if as_json:
            print_json(order)
        elif order["state"] != "REFUSED":
            print(f"{order['side']} {order['quantity']} {order['symbol']}: {order['state']}  {order['id']}")
        if order["state"] == "REFUSED":
            raise EvenkeelError(f"refused by {order['rule']}: {order['reason']}")


@app.command("list")
def list_orders(
    account: AccountOption = None,
    status: Annotated[str | None, typer.Option("--status", help="A state, or open or closed.")] = None,
    limit: LimitOption = 50,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Orders, newest first."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        account_id = the_account(client, account)["id"] if account else None
        items = client.pages("/trading/orders", limit=limit, account_id=account_id, status=status)
        if as_json:
            print_json(items)
            return
        rows = [
            [o["created_at"], o["side"], o["quantity"], o["symbol"], o["kind"], o["state"], o["filled_quantity"],
             o["strategy"] or o["book"], o["reason"] or "", o["id"]]
            for o in items
        ]  # fmt: skip
        print_table(["at", "side", "quantity", "symbol", "kind", "state", "filled", "book", "reason", "id"], rows)


@app.command("show")
def show(order: OrderArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """One order in full."""
    with reporting(as_json=as_json):
        _print(Client(resolve_home(home)).get(path_of("trading", "orders", order)), as_json=as_json)


@app.command("cancel")
def cancel(order: OrderArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Ask the broker to cancel a working order."""
    with reporting(as_json=as_json):
        _print(Client(resolve_home(home)).call("DELETE", path_of("trading", "orders", order)), as_json=as_json)


def _print(order: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(order)
    else:
        print_table(["field", "value"], [[name, "" if value is None else str(value)] for name, value in order.items()])


@app.command("fills")
def fills(
    account: AccountOption = None, limit: LimitOption = 50, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Executions, newest first."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        account_id = the_account(client, account)["id"] if account else None
        items = client.pages("/trading/fills", limit=limit, account_id=account_id)
        if as_json:
            print_json(items)
            return
        rows = [
            [f["executed_at"], f["side"], f["quantity"], f["symbol"], f["price"], f["fees"], f["strategy"] or f["book"]]
            for f in items
        ]
        print_table(["at", "side", "quantity", "symbol", "price", "fees", "book"], rows)
