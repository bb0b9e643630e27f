"""Many orders from the command line: a basket from a file, changes and cancels of all that fit a filter."""

import csv
import json
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from evenkeel.cli import basket_rows, order_terms
from evenkeel.cli.account import the_account, the_book
from evenkeel.cli.client import Client, path_of
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
)
from evenkeel.domain.errors import EvenkeelError, InvalidInput
from evenkeel.domain.orders import OrderKind, Product, Side

BASKET_EXAMPLES = examples(
    "evenkeel order basket orders.csv",
    "evenkeel order basket orders.json --all-or-none --id rebalance-2024-06",
    note="Columns, or names in JSON: account, symbol, side, quantity, and where wanted what else an order has, as "
    "limit_price, trigger_price or expires_at. Sent again with the same --id it places nothing new. Exit code 1 when "
    "an order is refused.",
)
MODIFY_EXAMPLES = examples(
    "evenkeel order modify 01a2b3c4-d5e6-7f80-9a0b-1c2d3e4f5061 --quantity 20 --limit 52.10",
    "evenkeel order modify 01a2b3c4-d5e6-7f80-9a0b-1c2d3e4f5061 --double",
    "evenkeel order modify 01a2b3c4-d5e6-7f80-9a0b-1c2d3e4f5061 --market",
    "evenkeel order modify --all --account Main --symbol AAPL --ticks -5",
    note="An order to the market is cancelled first; a market order takes its place once that is confirmed.",
)
_CHANGES = {
    "change.quantity": "--quantity",
    "change.factor": "--factor",
    "change.limit_price": "--limit",
    "change.stop_price": "--stop",
    "change.ticks": "--ticks",
    "change.percent": "--percent",
    "change.at_market": "--market",
    "change.trigger_price": "--trigger",
    "change.trail": "--trail",
    "change.trail_amount": "--trail",
    "change.trail_percent": "--trail",
    "change.trail_limit_offset": "--trail-limit",
    "change.expires_at": "--expires",
}
OPTIONS = {
    **_CHANGES,
    **{name.removeprefix("change."): option for name, option in _CHANGES.items()},
    **{f"{at}{name}": f"--{name}" for at in ("", "select.") for name in ("symbol", "book", "venue", "group")},
}
AccountFilter = Annotated[
    str | None, typer.Option("--account", metavar="ACCOUNT", help="With --all: those of one account, by name or id.")
]
GroupFilter = Annotated[
    str | None, typer.Option("--group", metavar="GROUP", help="With --all: those of a group of accounts.")
]
BookFilter = Annotated[
    str | None,
    typer.Option("--book", metavar="BOOK", help="With --all: manual, unassigned, or a strategy or portfolio."),
]
SymbolFilter = Annotated[str | None, typer.Option("--symbol", help="With --all: those of one symbol.")]
SideFilter = Annotated[
    Side | None, typer.Option("--side", case_sensitive=False, help="With --all: only what buys, or sells.")
]
KindFilter = Annotated[
    OrderKind | None, typer.Option("--kind", case_sensitive=False, help="With --all: those of one kind.")
]
ProductFilter = Annotated[
    Product | None, typer.Option("--product", case_sensitive=False, help="With --all: those of one product.")
]


def basket(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV or JSON file of orders.")],
    together: Annotated[
        bool, typer.Option("--all-or-none", help="Send none of them unless every one is approved.")
    ] = False,
    name: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Yours, up to 56 characters: sent twice, ordered once.")
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Place anew those of the basket with this --id that came to nothing.")
    ] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place the orders of a file as one basket: judged one by one, or together with --all-or-none."""
    if retry and (name is None or together):
        raise typer.BadParameter("goes with --id, and not with --all-or-none", param_hint="--retry")
    with reporting(as_json=as_json):
        rows = read_orders(file)
        client = Client(resolve_home(home))
        body = {
            "orders": [_order(client, row) for row in rows],
            "mode": "all" if together else "each",
            "client_basket_id": name or f"cli-{uuid.uuid4()}",
            "retry": retry,
        }
        answer = client.call("POST", "/trading/baskets", body)
        if as_json:
            print_json(answer)
        else:
            _print_verdicts(rows, answer)
        if answer["refused"]:
            why = "; ".join(dict.fromkeys(one["reason"] for one in answer["orders"] if one["reason"]))
            raise EvenkeelError(f"{answer['refused']} of {len(rows)} orders are refused: {why}")


def _print_verdicts(rows: list[dict[str, Any]], answer: dict[str, Any]) -> None:
    cells = [
        [str(row["side"]).upper(), str(row["quantity"]), str(row["symbol"]), one["state"], one["rule"] or "", one["id"]]
        for row, one in zip(rows, answer["orders"], strict=True)
    ]
    print_table(["side", "quantity", "symbol", "state", "refused by", "id"], cells)


def read_orders(file: Path) -> list[dict[str, Any]]:
    """The orders of a CSV or JSON file, by the names of its columns. Raises InvalidInput."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput(f"{file} is not UTF-8 text", hint="Save it as CSV UTF-8, or as JSON.") from None
    return basket_rows.checked(_of_json(text, file) if file.suffix.lower() == ".json" else _of_csv(text, file), file)


def _of_csv(text: str, file: Path) -> list[dict[str, Any]]:
    try:
        rows = list(csv.DictReader(text.splitlines(), strict=True))
    except csv.Error as error:
        raise InvalidInput(f"{file} is not CSV: {error}") from error
    return [
        {str(name): (value or "").strip() for name, value in row.items() if value} for row in rows if any(row.values())
    ]


def _of_json(text: str, file: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(text, parse_float=str, parse_int=str)
    except ValueError as error:
        raise InvalidInput(f"{file} is not JSON: {error}") from error
    rows = found.get("orders") if isinstance(found, dict) else found
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidInput(f'{file} is neither a list of orders nor {{"orders": [...]}}')
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def _order(client: Client, row: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in row.items() if name != "account"}
    account = the_account(client, str(row["account"]))["id"]
    book = {"book": the_book(client, str(row["book"]))} if "book" in row else {}
    return {**given, **book, "account_id": account}


def modify(
    orders: Annotated[list[str] | None, typer.Argument(metavar="ORDER...", help="Ids of orders.")] = None,
    quantity: Annotated[
        Decimal | None, typer.Option("--quantity", parser=number, metavar="UNITS", help="The new total.")
    ] = None,
    factor: Annotated[
        Decimal | None, typer.Option("--factor", parser=number, metavar="N", help="Times the present quantity.")
    ] = None,
    double: Annotated[bool, typer.Option("--double", help="Twice the present quantity.")] = False,
    halve: Annotated[bool, typer.Option("--halve", help="Half the present quantity.")] = False,
    limit: Annotated[
        Decimal | None, typer.Option("--limit", parser=number, metavar="PRICE", help="Limit price.")
    ] = None,
    stop: Annotated[Decimal | None, typer.Option("--stop", parser=number, metavar="PRICE", help="Stop price.")] = None,
    ticks: Annotated[int | None, typer.Option("--ticks", metavar="N", help="Move prices by so many ticks.")] = None,
    percent: Annotated[
        Decimal | None, typer.Option("--percent", parser=number, metavar="N", help="Move prices by so many per cent.")
    ] = None,
    market: Annotated[bool, typer.Option("--market", help="Trade what is left at the market instead.")] = False,
    trigger: order_terms.TriggerOption = None,
    trail: order_terms.TrailOption = None,
    trail_limit: order_terms.TrailLimitOption = None,
    expires: order_terms.ExpiresOption = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="Every working order that fits.")] = False,
    account: AccountFilter = None,
    group: GroupFilter = None,
    book: BookFilter = None,
    symbol: SymbolFilter = None,
    side: SideFilter = None,
    kind: KindFilter = None,
    product: ProductFilter = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change working orders: quantity, prices, or to the market. Exit code 1 when one of them cannot be changed."""
    given = {"account": account, "group": group, "book": book, "symbol": symbol, "side": side, "kind": kind}
    given["product"] = product
    check_choice(orders, given, all_of_them=all_of_them)
    factors = [one for one in (factor, Decimal(2) if double else None, Decimal("0.5") if halve else None) if one]
    if len(factors) > 1:
        raise typer.BadParameter("give one of them", param_hint="--factor, --double, --halve")
    if trail is not None and "trail_atr" in trail:
        raise typer.BadParameter("average ranges are counted as an order is placed", param_hint="--trail")
    change = {
        "quantity": plain(quantity),
        "factor": plain(next(iter(factors), None)),
        "limit_price": plain(limit),
        "stop_price": plain(stop),
        "ticks": ticks,
        "percent": plain(percent),
        "at_market": market,
        "trigger_price": plain(trigger),
        "expires_at": expires,
        "trail_limit_offset": plain(trail_limit),
        **(trail or {}),
    }
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=OPTIONS)
        if orders and len(orders) == 1:
            found = client.call("PATCH", path_of("trading", "orders", orders[0]), change)
            report([found], [], asked=_asked(change), as_json=as_json)
            return
        if orders:
            body: dict[str, Any] = {"orders": [{"order_id": one, **change} for one in orders]}
        else:
            body = {"select": filter_of(client, given), "change": change}
        answer = client.call("PATCH", "/trading/orders", body)
        answered(client, answer, verb="changed", asked=_asked(change), as_json=as_json)


def _asked(change: dict[str, Any]) -> str:
    """What the broker is asked for, which an order shows once that has answered."""
    names = {"at_market": "market", "trail_amount": "trail", "trail_percent": "trail %", "expires_at": "expires"}
    names["trail_limit_offset"] = "limit beyond the stop"
    given = {names.get(name, name.removesuffix("_price")): value for name, value in change.items() if value}
    return ", ".join(name if value is True else f"{name} {value}" for name, value in given.items())


def check_choice(orders: list[str] | None, given: dict[str, Any], *, all_of_them: bool) -> None:
    """Orders are named, or all that fit a filter are meant. Raises BadParameter for anything else."""
    if bool(orders) is all_of_them:
        raise typer.BadParameter("name orders, or --all of them", param_hint="ORDER...")
    for name, value in given.items():
        if value is not None and not all_of_them:
            raise typer.BadParameter("goes with --all", param_hint=f"--{name}")


def filter_of(client: Client, given: dict[str, Any]) -> dict[str, Any]:
    """A filter of the API: accounts and books by name become ids; where nothing narrows it down, it says so."""
    found: dict[str, str] = {name: str(value) for name, value in given.items() if value is not None}
    if "account" in found:
        found["account_id"] = the_account(client, found.pop("account"))["id"]
    if "book" in found:
        found["book"] = the_book(client, found["book"])
    return dict(found) or {"all": True}


def cancel_all(client: Client, given: dict[str, Any], *, as_json: bool) -> None:
    """Cancels every working order that fits, and says which; all of them where nothing narrows that down."""
    answer = client.call("POST", "/trading/orders/cancel", filter_of(client, given))
    answered(client, answer, verb="cancelled", as_json=as_json, stopped=answer["stopped"])


def answered(
    client: Client,
    answer: dict[str, Any],
    *,
    verb: str,
    as_json: bool,
    asked: str = "",
    stopped: list[str] | None = None,
) -> None:
    """Prints each order, and what was asked for. Raises what was wrong, if anything was."""
    done = [client.get(path_of("trading", "orders", one["id"])) for one in answer["items"] if one["fault"] is None]
    faults = [f"{one['id']}: {one['fault']['detail']}" for one in answer["items"] if one["fault"] is not None]
    report(done, faults, verb=verb, asked=asked, as_json=as_json, stopped=stopped)


def report(
    done: list[dict[str, Any]],
    faults: list[str],
    *,
    as_json: bool,
    verb: str = "changed",
    asked: str = "",
    stopped: list[str] | None = None,
) -> None:
    """Orders a line each, or as JSON, and composites that were stopped. Raises EvenkeelError where there are faults."""
    if as_json:
        print_json({"items": done} if stopped is None else {"items": done, "stopped": stopped})
    elif stopped:
        print(order_terms.stopped(stopped))
    elif not done and not faults:
        print("No order is working.")
    for one in [] if as_json else done:
        print(order_terms.said(one) + (f"  asked for {asked}" if asked else ""))
    if faults:
        whole = len(done) + len(faults)
        raise EvenkeelError(f"{len(faults)} of {whole} orders cannot be {verb}: {'; '.join(faults)}")
