"""Orders and fills at the command line, newest first, those that fit what is asked for."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from evenkeel.cli import order_terms
from evenkeel.cli.account import GroupOption, the_account, the_book
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
    taking,
)
from evenkeel.domain.orders import OrderKind, Product, Side

LIST_EXAMPLES = examples(
    "evenkeel order list --account Main --status open",
    "evenkeel order list --status REFUSED --limit 5 --json",
    "evenkeel order list --strategy Trend --symbol AAPL --start 2005-09-01",
    note="States are told in docs/trading.md.",
)
FILLS_EXAMPLES = examples(
    "evenkeel order fills --account Main --limit 20",
    "evenkeel order fills --symbol AAPL --side sell --start 2005-09-01 --end 2005-10-01",
    "evenkeel order fills --order 01a2b3c4-d5e6-7f80-9a0b-1c2d3e4f5061",
)
AccountOption = Annotated[
    str | None, typer.Option("--account", metavar="ACCOUNT", help="Name or id; without it, all accounts.")
]
_OPTIONS = {
    name: f"--{name}" for name in ("status", "group", "book", "strategy", "symbol", "venue", "start", "end")
} | {"order_id": "--order"}


def _filters(
    account: AccountOption = None,
    group: GroupOption = None,
    status: Annotated[
        str | None, typer.Option("--status", metavar="STATUS", help="Of the order: open, closed, or such as FILLED.")
    ] = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="Of this symbol only.")] = None,
    venue: Annotated[str | None, typer.Option("--venue", help="Of this venue only.")] = None,
    side: Annotated[Side | None, typer.Option("--side", case_sensitive=False, help="Only buy, or sell.")] = None,
    kind: Annotated[
        OrderKind | None,
        typer.Option("--kind", parser=order_terms.kind, metavar="KIND", help="Of this kind of order only."),
    ] = None,
    product: Annotated[
        Product | None, typer.Option("--product", case_sensitive=False, help="Of this product only.")
    ] = None,
    book: Annotated[
        str | None, typer.Option("--book", metavar="BOOK", help="manual, unassigned, or a strategy or portfolio.")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option("--strategy", metavar="STRATEGY", help="Of this deployment, by name or id.")
    ] = None,
    start: Annotated[str | None, typer.Option("--start", metavar="TIME", help="From then on (UTC).")] = None,
    end: Annotated[str | None, typer.Option("--end", metavar="TIME", help="Before then (UTC).")] = None,
) -> None:
    """What both lists are narrowed down by."""


def _filtered(after: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the options of `_filters`, behind its own `after`."""
    return taking(_filters, after=after)


def _query(client: Client, given: dict[str, Any]) -> dict[str, Any]:
    """The filters as the API has them: accounts and books by name become ids."""
    account, book, status = given["account"], given["book"], given["status"]
    found = {name: given[name] for name in ("group", "symbol", "venue", "side", "kind", "product", "strategy")}
    return {
        **found,
        "account_id": the_account(client, account)["id"] if account is not None else None,
        "book": the_book(client, book) if book is not None else None,
        "status": status.lower() if status and status.lower() in ("open", "closed") else status and status.upper(),
        "start": given["start"],
        "end": given["end"],
    }


@_filtered("asked")
def list_orders(
    asked: typer.Context, limit: LimitOption = 50, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Orders, newest first; those that fit everything given."""
    given = asked.params
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        query = _query(client, given)
        items = client.pages("/trading/orders", limit=limit, **query)
        if as_json:
            print_items(items)
            return
        is_one = given["account"] is not None
        names = {} if is_one else {one["id"]: one["name"] for one in client.get("/accounts")["items"]}
        rows = [
            [o["created_at"], *([names.get(o["account_id"], o["account_id"])] if names else []), o["side"],
             o["quantity"], o["symbol"], o["kind"], o["limit_price"] or "",
             o["stop_price"] or o["trigger_price"] or "", order_terms.good_for(o), o["state"], o["rests_at"] or "",
             o["filled_quantity"], o["average_price"] or "", o["strategy"] or o["portfolio"] or o["book"],
             o["reason"] or "", o["id"]]
            for o in items
        ]  # fmt: skip
        headings = ["side", "quantity", "symbol", "kind", "limit", "stop", "good for", "state", "rests at", "filled",
                    "price", "book", "reason", "id"]  # fmt: skip
        headings = ["at", *(["account"] if names else []), *headings]
        print_table(headings, rows, empty=_empty(query, "No orders. Place one: evenkeel order place Main buy 1 AAPL"))


@_filtered("asked")
def fills(
    asked: typer.Context,
    order: Annotated[str | None, typer.Option("--order", metavar="ORDER", help="Of this order, by its id.")] = None,
    limit: LimitOption = 50,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Executions, newest first, with price and fees; those that fit everything given."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        query = {**_query(client, asked.params), "order_id": order}
        items = client.pages("/trading/fills", limit=limit, **query)
        if as_json:
            print_items(items)
            return
        rows = [
            [
                f["executed_at"],
                f["side"],
                f["quantity"],
                f["symbol"],
                f["price"],
                f["fees"],
                f["strategy"] or f["portfolio"] or f["book"],
            ]
            for f in items
        ]
        print_table(
            ["at", "side", "quantity", "symbol", "price", "fees", "book"],
            rows,
            empty=_empty(query, "No fills yet. `evenkeel order list` shows what works."),
        )


def _empty(query: dict[str, Any], whole: str) -> str:
    """What is said of no rows: `whole` where nothing narrowed the list down."""
    return whole if all(value is None for value in query.values()) else "Nothing fits."
