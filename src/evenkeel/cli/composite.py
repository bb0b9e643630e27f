"""`evenkeel composite`: list, look into, change and cancel orders that consist of several."""

from decimal import Decimal
from typing import Annotated, Any

import typer

from evenkeel.cli import order_terms
from evenkeel.cli.account import the_account
from evenkeel.cli.client import Client, path_of
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    LimitOption,
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
from evenkeel.cli.composing import OPTIONS, StopLoss, TakeProfit, said
from evenkeel.cli.order_lists import AccountOption
from evenkeel.cli.order_options import Limit, Stop
from evenkeel.domain.errors import InvalidInput

app = typer.Typer(no_args_is_help=True)

CompositeArgument = Annotated[str, typer.Argument(metavar="COMPOSITE", help="The composite order's id.")]


@app.command(
    "list",
    epilog=examples(
        "evenkeel composite list --account Main --status live",
        "evenkeel composite list --status FAILED --json",
        note="Kinds and states are told in docs/orders/composites.md.",
    ),
)
def list_composites(
    account: AccountOption = None,
    status: Annotated[
        str | None, typer.Option("--status", metavar="STATUS", help="live, ended, or a state such as DONE.")
    ] = None,
    limit: LimitOption = 50,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Composite orders, newest first."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options={"status": "--status"})
        account_id = the_account(client, account)["id"] if account is not None else None
        wanted = status.lower() if status and status.lower() in ("live", "ended") else status and status.upper()
        items = client.pages("/trading/composites", limit=limit, account_id=account_id, status=wanted)
        if as_json:
            print_items(items)
            return
        rows = [
            [o["created_at"], o["kind"], o["side"], o["quantity"], o["symbol"], o["state"], o["filled_quantity"],
             o["open_quantity"], o["strategy"] or o["book"], o["reason"] or "", o["id"]]
            for o in items
        ]  # fmt: skip
        headings = ["at", "kind", "side", "quantity", "symbol", "state", "filled", "open", "book", "reason", "id"]
        print_table(headings, rows, empty="No composite orders. Place one: evenkeel order twap --help")


@app.command("show", epilog=examples("evenkeel composite show 01a2b3c4-d5e6-7f80-9a0b-1c2d3e4f5061"))
def show(composite: CompositeArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """One composite order in full, with the orders that were placed for it."""
    with reporting(as_json=as_json):
        found = Client(resolve_home(home)).call("GET", _path(composite))
        if as_json:
            print_json(found)
            return
        placed = found.pop("orders")
        print_fields({name: value for name, value in found.items() if name not in ("terms", "legs")})
        rows = [
            [o["leg"], o["side"], o["quantity"], o["kind"], o["state"], o["filled_quantity"], o["id"]] for o in placed
        ]
        print()
        print_table(["leg", "side", "quantity", "kind", "state", "filled", "id"], rows, empty="No orders yet.")


def _path(composite: str) -> str:
    if not composite.strip():
        raise InvalidInput("the id is empty", hint="`evenkeel composite list` shows ids in its last column.")
    return path_of("trading", "composites", composite)


@app.command(
    "change",
    epilog=examples(
        "evenkeel composite change 01a2b3c4-d5e6-7f80-9a0b-1c2d3e4f5061 --stop-loss 39",
        "evenkeel composite change 01a2b3c4-d5e6-7f80-9a0b-1c2d3e4f5061 --limit 41.50 --displayed 200",
    ),
)
def change(
    composite: CompositeArgument,
    stop_loss: StopLoss = None,
    take_profit: TakeProfit = None,
    trail: order_terms.TrailOption = None,
    limit: Limit = None,
    stop: Stop = None,
    displayed: Annotated[
        Decimal | None, typer.Option("--displayed", parser=number, metavar="QUANTITY", help="Shown at a time.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change prices of exits, of an entry or of slices, or what an iceberg shows."""
    given = {
        "stop_loss": plain(stop_loss),
        "take_profit": plain(take_profit),
        "limit_price": plain(limit),
        "stop_price": plain(stop),
        "displayed": plain(displayed),
        **(trail or {}),
    }
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=OPTIONS)
        _tell(
            client.call("PATCH", _path(composite), {k: v for k, v in given.items() if v is not None}), as_json=as_json
        )


def _tell(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        print(said(found))


@app.command(
    "cancel",
    epilog=examples(
        "evenkeel composite cancel 01a2b3c4-d5e6-7f80-9a0b-1c2d3e4f5061",
        "evenkeel composite cancel 01a2b3c4-d5e6-7f80-9a0b-1c2d3e4f5061 --close",
        note="Exits of what a bracket has entered stay, unless --close has it closed at the market.",
    ),
)
def cancel(
    composite: CompositeArgument,
    close: Annotated[bool, typer.Option("--close", help="Close what it has entered at the market.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel what of a composite order has not been entered yet."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        _tell(client.call("DELETE", _path(composite) + ("?close=true" if close else "")), as_json=as_json)
