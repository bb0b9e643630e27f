"""`evenkeel risk limits`, `risk check` and `risk lift`: limits of every layer, and whether an order would pass them."""

import re
from decimal import Decimal
from typing import Annotated, Any

import typer

from evenkeel.cli.account import the_account, the_book
from evenkeel.cli.client import Client, find
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
    share,
)
from evenkeel.cli.order_terms import terms
from evenkeel.domain.accounts import MANUAL
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.limits import AMOUNTS, COUNTS, RULES, SECONDS, Layer
from evenkeel.domain.orders import Product, Side

LIMITS_EXAMPLES = examples(
    "evenkeel risk limits",
    "evenkeel risk limits --scope account:Main --set max_gross_leverage=1.5 --set price_collar=0.05",
    "evenkeel risk limits --scope instrument:AAPL --set max_position=500",
    "evenkeel risk limits --scope strategy:Trend --set 'windows=09:45-15:45 America/New_York 1-5'",
    "evenkeel risk limits --scope user --off max_gross_exposure",
    note="Scopes: instrument:SYMBOL, strategy:NAME, account:NAME, user, platform. Shares and leverage are of equity: "
    "0.1 is 10 %, and may be written 10%. Every layer that an order falls under must let it pass. docs/limits.md says "
    "what each rule reads.",
)
CHECK_EXAMPLES = examples(
    "evenkeel risk check Main buy 100 AAPL",
    "evenkeel risk check Main sell 10 AAPL --limit 52.30 --json",
    note="Nothing is placed or recorded. Exit code 1 when it would be refused.",
)
LIFT_EXAMPLES = examples("evenkeel risk lift account:Main", note="Its drawdown is measured anew from now on.")

ScopeOption = Annotated[
    str | None, typer.Option("--scope", metavar="SCOPE", help="Such as account:Main, instrument:AAPL, user, platform.")
]
EveryoneOption = Annotated[
    bool, typer.Option("--everyone", help="With an instrument: for the accounts of everybody, by the owner.")
]
_WINDOW = re.compile(r"\s*(\d\d:\d\d)-(\d\d:\d\d)\s+(\S+)(?:\s+([1-7])(?:-([1-7]))?)?\s*")
_OPTIONS = {f"{prefix}.{name}": f"--set {name}" for name in RULES for prefix in ("rules", "limits")} | {
    "id": "--scope",
    "everyone": "--everyone",
}


def limits(
    scope: ScopeOption = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A rule and its limit; may be repeated.")
    ] = None,
    off: Annotated[list[str] | None, typer.Option("--off", metavar="NAME", help="A rule to turn off.")] = None,
    everyone: EveryoneOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Limits of every layer with what is used of them; or change those of one scope."""
    change = {name: _value(name, text) for name, text in map(_pair, settings or ())}
    change |= {_known(name): None for name in off or ()}
    if change and scope is None:
        raise typer.BadParameter("say whose limits: --scope account:Main", param_hint="--scope")
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        if change:
            body = {**_named(client, scope or "", everyone=everyone), "rules": change}
            items = [client.call("PUT", "/risk/limits", body)]
        else:
            items = client.get("/risk/limits")["items"]
            wanted = _named(client, scope, everyone=False) if scope is not None else None
            items = [one for one in items if wanted is None or _fits(one, wanted)]
        if as_json:
            print_items(items)
        else:
            _print_layers(items)


def _pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE, such as max_position=500", param_hint="--set")
    return _known(name), value.strip()


def _known(name: str) -> str:
    wanted = name.strip().replace("-", "_")
    if wanted not in RULES:
        raise typer.BadParameter(f"there is no rule {name!r}; there are {', '.join(RULES)}", param_hint="--set")
    return wanted


def _value(name: str, text: str) -> Any:
    if name == "windows":
        return [_window(part) for part in text.split(";")]
    if name == "exchange_hours":
        if text not in ("yes", "no"):
            raise typer.BadParameter("yes or no", param_hint=f"--set {name}")
        return text == "yes"
    try:
        value = (number if name in COUNTS | SECONDS | AMOUNTS else share)(text)
    except typer.BadParameter as error:
        raise typer.BadParameter(error.message, param_hint=f"--set {name}") from error
    if name in COUNTS | SECONDS:
        if value != value.to_integral_value():
            raise typer.BadParameter(f"{text} is not a whole number", param_hint=f"--set {name}")
        return int(value)
    return f"{value:f}"


def _window(text: str) -> dict[str, Any]:
    found = _WINDOW.fullmatch(text)
    if found is None:
        message = f"{text!r} is not START-END ZONE [DAYS], such as '09:45-15:45 America/New_York 1-5'"
        raise typer.BadParameter(message, param_hint="--set windows")
    start, end, zone, first, last = found.groups()
    days = list(range(int(first), int(last or first) + 1)) if first else []
    return {"start": start, "end": end, "time_zone": zone, "days": days}


def _named(client: Client, scope: str, *, everyone: bool) -> dict[str, Any]:
    """The scope as a request has it; an account or a strategy may be named by its name. Raises NotFound."""
    kind, _, name = scope.partition(":")
    if kind not in tuple(Layer):
        raise typer.BadParameter(f"{kind!r} is none of {', '.join(Layer)}", param_hint="--scope")
    found: str | None = name or None
    if kind == Layer.ACCOUNT and name:
        found = str(the_account(client, name)["id"])
    if kind == Layer.STRATEGY and name:
        found = str(find(client.get("/strategies")["items"], name, what="strategy")["id"])
    if kind == Layer.PORTFOLIO and name:
        found = str(find(client.get("/portfolio", archived="true")["items"], name, what="portfolio")["id"])
    return {"scope": kind, "id": found, "everyone": everyone}


def _fits(one: dict[str, Any], wanted: dict[str, Any]) -> bool:
    is_named = wanted["id"] in (None, one["scope_id"], one["name"].partition(" ")[2])
    return bool(one["scope"] == wanted["scope"] and is_named)


def _print_layers(items: list[dict[str, Any]]) -> None:
    for place, one in enumerate(items):
        print("\n" * bool(place) + one["name"] + (f": {one['tier']}" if one["tier"] != "none" else ""))
        if one["halted"]:
            print(f"No entries: {one['halted']}")
        rows = [
            [rule["rule"], _shown(rule["limit"]), rule["used"] or "", rule["headroom"] or "",
             rule["symbol"] or rule["currency"] or ""]
            for rule in one["rules"]
        ]  # fmt: skip
        print_table(["rule", "limit", "used", "left", "of"], rows, empty="No limits. Set one with --set NAME=VALUE.")
    if not items:
        print("No limits.")


def _shown(limit: Any) -> str:
    match limit:
        case bool():
            return "yes" if limit else "no"
        case list():
            return "; ".join(f"{one['start']}–{one['end']} {one['time_zone']}" for one in limit)
    return str(limit)


def check(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Name or id of the account.")],
    side: Annotated[Side, typer.Argument(metavar="SIDE", case_sensitive=False, help="buy or sell.")],
    quantity: Annotated[Decimal, typer.Argument(metavar="QUANTITY", parser=number, help="Units: shares, ounces …")],
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="As `evenkeel market symbols` lists it.")],
    limit: Annotated[
        Decimal | None, typer.Option("--limit", parser=number, metavar="PRICE", help="Limit price.")
    ] = None,
    stop: Annotated[Decimal | None, typer.Option("--stop", parser=number, metavar="PRICE", help="Stop price.")] = None,
    product: Annotated[Product, typer.Option("--product", case_sensitive=False, help="Indian products.")] = (
        Product.NONE
    ),
    venue: Annotated[str | None, typer.Option("--venue", help="For symbols listed at several venues.")] = None,
    book: Annotated[
        str, typer.Option("--book", metavar="BOOK", help="manual, unassigned, or a strategy or portfolio.")
    ] = MANUAL,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Would this order pass? Every check of every layer, and nothing is placed."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options={"symbol": "SYMBOL", "quantity": "QUANTITY"})
        body = {
            "account_id": the_account(client, account)["id"],
            "symbol": symbol,
            "side": side.value,
            "quantity": f"{quantity:f}",
            **terms(wanted=None, limit=limit, stop=stop, distance=None, tif=None, expires=None),
            "product": product.value,
            "venue": venue,
            "book": the_book(client, book),
        }
        found = client.call("POST", "/risk/check", body)
        if as_json:
            print_json(found)
        else:
            _print_checks(found["checks"])
        refused = found["refused_by"]
        if refused is not None:
            raise EvenkeelError(f"it would be refused by {refused['rule']}: {refused['reason']}")
        if not as_json:
            print("\nIt would pass.")


def _print_checks(found: list[dict[str, Any]]) -> None:
    rows = [
        [one["rule"], one["layer"], one["limit"], one["value"], one["headroom"] or "", "" if one["passed"] else "no"]
        for one in found
    ]
    print_table(["rule", "layer", "limit", "value", "left", "passes"], rows)


def lift(
    scope: Annotated[str, typer.Argument(metavar="SCOPE", help="Such as account:Main, user or platform.")],
    everyone: EveryoneOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Allow entries again that a drawdown has halted, or too many rejects."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_OPTIONS)
        found = client.call("POST", "/risk/limits/lift", _named(client, scope, everyone=everyone))
        if as_json:
            print_json(found)
        else:
            print(f"Entries of {found['name']} are allowed again.")
