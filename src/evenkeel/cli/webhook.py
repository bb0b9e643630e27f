"""`evenkeel webhook`: addresses at which alerts of TradingView, or of any program, become orders."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from evenkeel.cli.account import the_account
from evenkeel.cli.client import Client, find, path_of
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    examples,
    minute,
    print_fields,
    print_items,
    print_json,
    print_table,
    reporting,
    resolve_home,
    taking,
)
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.orders import Product, Side
from evenkeel.domain.webhooks import Decision, SignalType, template

app = typer.Typer(no_args_is_help=True)
_PATH = "/webhooks"
_OPTIONS = {
    "name": "NAME", "account_id": "ACCOUNT", "book": "--book", "product": "--product", "networks": "--from",
    "per_minute": "--per-minute", "max_age": "--max-age", "window": "--window", "in_order": "--in-order",
    "quantity": "--quantity", "symbols": "--symbol", "allowed": "--allow",
}  # fmt: skip
HookArgument = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its name, its id, or the beginning of its id.")]
BookOption = Annotated[str | None, typer.Option("--book", help="A portfolio or strategy; without, orders by hand.")]
ProductOption = Annotated[Product | None, typer.Option("--product", help="CNC, MIS, NRML, or NONE.")]
FromOption = Annotated[
    list[str] | None,
    typer.Option("--from", metavar="NETWORK", help="Where it may come from, or tradingview; may be given again."),
]
PerMinuteOption = Annotated[int | None, typer.Option("--per-minute", help="How many it takes a minute; else 60.")]
MaxAgeOption = Annotated[int | None, typer.Option("--max-age", metavar="SECONDS", help="How old one may be; else 60.")]
WindowOption = Annotated[
    int | None,
    typer.Option("--window", metavar="SECONDS", help="For how long the same body is the same alert; else 30."),
]
OrderOption = Annotated[
    bool | None, typer.Option("--in-order/--any-order", help="Refuse what is older than the last one for its symbol.")
]
QuantityOption = Annotated[str | None, typer.Option("--quantity", help="For alerts that have none; none: no default.")]
SymbolOption = Annotated[
    list[str] | None, typer.Option("--symbol", metavar="THEIRS=OURS", help="What a symbol of theirs is here.")
]
AllowOption = Annotated[list[str] | None, typer.Option("--allow", metavar="SYMBOL", help="Only these may be traded.")]


def _shared(
    book: BookOption = None,
    product: ProductOption = None,
    networks: FromOption = None,
    per_minute: PerMinuteOption = None,
    max_age: MaxAgeOption = None,
    window: WindowOption = None,
    in_order: OrderOption = None,
    quantity: QuantityOption = None,
    symbol: SymbolOption = None,
    allow: AllowOption = None,
) -> None:
    """The terms of a webhook, as its commands take them."""


@app.command(
    "add",
    epilog=examples(
        "evenkeel webhook add Crossing Main --from tradingview --allow AAPL",
        "evenkeel webhook add Alerts Main --symbol NASDAQ:AAPL=AAPL --quantity 10 --max-age 30",
        note="Whoever has the token can place orders in the account: it is shown once, and can be rotated.",
    ),
)
@taking(_shared, after="account")
def add(
    asked: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Where its orders go.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a webhook, and show its address for the only time."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        body = {"name": name, "account_id": the_account(client, account)["id"]} | _terms(asked.params)
        _show_once(client.call("POST", _PATH, body), as_json=as_json)


def _terms(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was said of a webhook, without what was not. Raises InvalidInput."""
    names = ("book", "product", "per_minute", "max_age", "window", "in_order")
    found: dict[str, Any] = {name: given[name] for name in names if given[name] is not None}
    lists = {"networks": given["networks"], "symbols": given["symbol"], "allowed": given["allow"]}
    found |= {name: [one for one in several if one] for name, several in lists.items() if several}
    if "symbols" in found:
        found["symbols"] = _mapped(found["symbols"])
    if (quantity := given["quantity"]) is not None:
        found["quantity"] = None if quantity.lower() == "none" else quantity
    return found


def _mapped(pairs: list[str]) -> dict[str, str]:
    """Raises InvalidInput for what is no pair."""
    faults = tuple(FieldError("--symbol", f"{one!r} is not THEIRS=OURS") for one in pairs if "=" not in one)
    if faults:
        raise InvalidInput("the symbols are not valid", errors=faults)
    return {theirs.strip(): ours.strip() for theirs, _, ours in (one.rpartition("=") for one in pairs)}


def _show_once(made: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    print_fields({name: made["webhook"][name] for name in ("name", "account_id", "id")})
    print_fields({"address": made["path"]})
    print("Keep the address now, it is not shown again: whoever has it can place orders in the account.")


@app.command("list", epilog=examples("evenkeel webhook list"))
def list_webhooks(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """All webhooks."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        items = client.get(_PATH)["items"]
        if as_json:
            print_items(items)
            return
        names = {one["id"]: one["name"] for one in client.get("/accounts")["items"]}
        rows = [
            [
                one["name"],
                names.get(one["account_id"], one["account_id"]),
                "on" if one["enabled"] else "off",
                ", ".join(one["allowed"]) or "all",
                ", ".join(one["networks"]) or "anywhere",
                one["id"],
            ]
            for one in items
        ]
        headings = ["name", "account", "state", "symbols", "from", "id"]
        print_table(headings, rows, empty="There is no webhook. `evenkeel webhook add` makes one.")


@app.command("show", epilog=examples("evenkeel webhook show Crossing"))
def show(webhook: HookArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """One webhook with its terms."""
    with reporting(as_json=as_json):
        _told(_the_webhook(Client(resolve_home(home)), webhook), as_json=as_json)


def _the_webhook(client: Client, wanted: str) -> dict[str, Any]:
    return find(client.get(_PATH)["items"], wanted, what="webhook")


def _told(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    shown = found | {
        "networks": ", ".join(found["networks"]) or "anywhere",
        "symbols": ", ".join(f"{theirs}={ours}" for theirs, ours in found["symbols"].items()) or "as they are here",
        "allowed": ", ".join(found["allowed"]) or "all",
        "enabled": "on" if found["enabled"] else "off",
    }
    print_fields(shown)


@app.command(
    "edit",
    epilog=examples(
        "evenkeel webhook edit Crossing --off",
        "evenkeel webhook edit Crossing --max-age 20 --allow AAPL --allow MSFT",
        note="What is left out stays; what may be given again replaces all of it, and '' empties it.",
    ),
)
@taking(_shared, after="rename")
def edit(
    asked: typer.Context,
    webhook: HookArgument,
    enabled: Annotated[bool | None, typer.Option("--on/--off", help="Whether it takes alerts.")] = None,
    rename: Annotated[str | None, typer.Option("--name", help="Another name.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a webhook, or switch it on or off."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS | {"name": "--name"})
        own = {"enabled": enabled, "name": rename}
        body = {name: value for name, value in own.items() if value is not None} | _terms(asked.params)
        path = path_of("webhooks", _the_webhook(client, webhook)["id"])
        _told(client.call("PATCH", path, body), as_json=as_json)


@app.command("rotate", epilog=examples("evenkeel webhook rotate Crossing"))
def rotate(webhook: HookArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Give a webhook another address; the old one ends at once."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        path = path_of("webhooks", _the_webhook(client, webhook)["id"], "rotate")
        _show_once(client.call("POST", path), as_json=as_json)


@app.command("remove", epilog=examples("evenkeel webhook remove Crossing"))
def remove(webhook: HookArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Forget a webhook and its log; its orders stay as they are."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        found = _the_webhook(client, webhook)
        client.call("DELETE", path_of("webhooks", found["id"]))
        if as_json:
            print_json({"removed": found["id"]})
        else:
            print(f"{found['name']} is forgotten: nobody is heard through it any more.")


@app.command(
    "deliveries",
    epilog=examples("evenkeel webhook deliveries Crossing", "evenkeel webhook deliveries Crossing --decision declined"),
)
def deliveries(
    webhook: HookArgument,
    decision: Annotated[Decision | None, typer.Option("--decision", help="Only these.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, the newest first.")] = 20,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """What was sent to a webhook, and what was made of it."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        path = path_of("webhooks", _the_webhook(client, webhook)["id"], "deliveries")
        only = None if decision is None else decision.value
        items = client.pages(path, limit=limit, decision=only)
        if as_json:
            print_items(items)
            return
        rows = [
            [
                minute(one["received_at"]),
                one["address"],
                one["symbol"] or "",
                one["decision"],
                one["order_id"] or "",
                one["reason"] or one["body"],
            ]
            for one in items
        ]
        headings = ["received", "from", "symbol", "decision", "order", "why, or what was sent"]
        print_table(headings, rows, empty="Nothing was sent to it yet.")


@app.command(
    "payload",
    epilog=examples(
        "evenkeel webhook payload Crossing",
        "evenkeel webhook payload Crossing --action buy       for an indicator's alert",
        "evenkeel webhook payload Crossing --exit --action sell",
    ),
)
def payload(
    webhook: HookArgument,
    is_exit: Annotated[bool, typer.Option("--exit", help="Close what is held, and never more.")] = False,
    action: Annotated[Side | None, typer.Option("--action", case_sensitive=False, help="Of an indicator.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """The JSON to paste into an alert's message on TradingView; {{…}} is filled in there."""
    with reporting(as_json=as_json):
        found = _the_webhook(Client(resolve_home(home)), webhook)
        signal = SignalType.EXIT if is_exit else SignalType.ENTRY
        made = template(
            name=found["name"],
            account_id=found["account_id"],
            quantity=found["quantity"],
            signal_type=signal,
            action=action,
        )
        print_json(made)
