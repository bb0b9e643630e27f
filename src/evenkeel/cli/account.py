"""`evenkeel account`: list, open and look into accounts."""

from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from evenkeel.cli.client import Client, find, path_of
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    LimitOption,
    examples,
    neat,
    number,
    print_fields,
    print_items,
    print_json,
    print_table,
    reporting,
    resolve_home,
    share,
)
from evenkeel.domain.accounts import MANUAL, UNASSIGNED, AccountType
from evenkeel.domain.orders import Product

app = typer.Typer(no_args_is_help=True)

AccountArgument = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Name, id, or beginning of the id.")]
GroupOption = Annotated[str | None, typer.Option("--group", metavar="GROUP", help="Only accounts of this group.")]
NO_POSITIONS = "No open positions. Open one: evenkeel order place Main buy 1 AAPL"
AmountArgument = Annotated[Decimal, typer.Argument(metavar="AMOUNT", parser=number, help="In the account's currency.")]


def the_account(client: Client, wanted: str) -> dict[str, Any]:
    return find(client.get("/accounts")["items"], wanted, what="account")


def the_book(client: Client, wanted: str) -> str:
    """A book by its name or id. Raises NotFound."""
    if wanted in (MANUAL, UNASSIGNED):
        return wanted
    books = [*client.get("/strategies")["items"], *client.get("/portfolio")["items"]]
    return str(find(books, wanted, what="strategy or portfolio")["id"])


@app.command("list", epilog=examples("evenkeel account list", "evenkeel account list --group Family --active --json"))
def list_accounts(
    group: GroupOption = None,
    label: Annotated[str | None, typer.Option("--label", metavar="LABEL", help="Only with this label.")] = None,
    active: Annotated[
        bool | None, typer.Option("--active/--inactive", help="Only those in use, or out of it.", show_default="all")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """All accounts with cash, equity and the day's result."""
    with reporting(as_json=as_json):
        wanted = {"group": group, "label": label, "active": None if active is None else str(active).lower()}
        items = Client(resolve_home(home)).get("/accounts", **wanted)["items"]
        if as_json:
            print_items(items)
            return
        rows = [
            [a["name"], a["mode"], _standing(a), a["currency"], a["cash"], a["equity"], a["day_pnl"], a["id"]]
            for a in items
        ]
        headings = ["name", "mode", "state", "currency", "cash", "equity", "day P&L", "id"]
        print_table(headings, rows, empty="No accounts yet. Open one: evenkeel account open Main --cash 100000")


def _standing(account: dict[str, Any]) -> str:
    return str(account["readiness"]) if account["is_active"] else "OUT OF USE"


@app.command("show", epilog=examples("evenkeel account show Main"))
def show(account: AccountArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """One account in full: figures, limits, positions."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        found = the_account(client, account)
        holdings = client.pages("/trading/positions", limit=100_000, account_id=found["id"])
        details = client.get(path_of("accounts", found["id"], "details"))
        details.pop("account_id")
        if as_json:
            print_json({**found, "details": details, "holdings": holdings})
            return
        print_fields({**found, **details})
        print()
        print_positions(holdings)


def print_positions(items: list[dict[str, Any]], names: dict[str, str] | None = None) -> None:
    """Positions as a table; `names` gives each account's, and adds that column."""
    with_product = any(p["product"] != Product.NONE for p in items)
    rows = [
        [*([names[p["account_id"]]] if names else []), p["symbol"], *([p["product"]] if with_product else []),
         p.get("strategy") or p.get("portfolio") or p["book"], p["quantity"], p["currency"],
         _price(p["average_price"]), p["last_price"] or "", p["market_value"], p["unrealised_pnl"], p["realised_pnl"]]
        for p in items
    ]  # fmt: skip
    headings = ["symbol", *(["product"] if with_product else []), "book", "quantity", "currency", "average", "last",
                "value", "unrealised", "realised"]  # fmt: skip
    print_table([*(["account"] if names else []), *headings], rows, empty=NO_POSITIONS)


def _price(average: str | None) -> str:
    """A mean price as people read it: to the hundredth of a cent."""
    return "" if average is None else f"{Decimal(average):.4f}"


@app.command(
    "open",
    epilog=examples(
        "evenkeel account open Main --cash 100000",
        "evenkeel account open Margin --cash 50000 --type margin --fees us-per-share",
        note="Limits come from the settings: see docs/settings.md.",
    ),
)
def open_account(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    cash: Annotated[Decimal, typer.Option("--cash", parser=number, metavar="AMOUNT", help="First deposit.")],
    currency: Annotated[str, typer.Option("--currency", metavar="CODE", help="Three letters.")] = "USD",
    kind: Annotated[AccountType, typer.Option("--type", case_sensitive=False, help="What it may do.")] = (
        AccountType.CASH
    ),
    fees: Annotated[
        str,
        typer.Option("--fees", metavar="SCHEDULE", help="zero, fixed, percent, us-per-share or us-zero-commission."),
    ] = "zero",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open a paper account. Live accounts cannot be opened: live trading is off."""
    with reporting(as_json=as_json):
        options = {"name": "NAME", "cash": "--cash", "currency": "--currency", "fees": "--fees"}
        body = {
            "name": name,
            "cash": f"{cash:f}",
            "currency": currency.upper(),
            "type": kind.value,
            "fees": fees,
        }
        opened = Client(resolve_home(home), options=options).call("POST", "/accounts", body)
        if as_json:
            print_json(opened)
        else:
            cash_now = f"{neat(opened['cash'])} {opened['currency']}"
            print(f"Opened paper account {opened['name']} with {cash_now}: {opened['id']}")


@app.command("ledger", epilog=examples("evenkeel account ledger Main --limit 20"))
def ledger(
    account: AccountArgument, limit: LimitOption = 50, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """The cash ledger, newest first: its amounts add up to the balance."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        items = client.pages(path_of("accounts", the_account(client, account)["id"], "ledger"), limit=limit)
        if as_json:
            print_items(items)
            return
        rows = [[e["at"], e["value_date"], e["kind"], e["component"] or "", e["amount"], e["currency"]] for e in items]
        headings = ["at", "value date", "kind", "component", "amount", "currency"]
        print_table(headings, rows, empty="Nothing is booked yet. Put money in: evenkeel account deposit --help")


@app.command("equity", epilog=examples("evenkeel account equity Main --limit 5", "evenkeel account equity Main --json"))
def equity(
    account: AccountArgument, limit: LimitOption = 50, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Equity and cash at the end of each day, newest first."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        items = client.pages(path_of("accounts", the_account(client, account)["id"], "equity"), limit=limit)
        if as_json:
            print_items(items)
            return
        rows = [[e["at"], e["equity"], e["cash"]] for e in items]
        print_table(
            ["at", "equity", "cash"],
            rows,
            empty="No day has ended yet. `evenkeel account show` tells how it stands now.",
        )


@app.command("health", epilog=examples("evenkeel account health Main"))
def health(account: AccountArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """How an account stands with its broker: readiness, queues, reconciles, planned restarts, rejects."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        found = client.get(path_of("accounts", the_account(client, account)["id"], "health"))
        if as_json:
            print_json(found)
            return
        reconciled, waiting = found.pop("reconciled"), found.pop("waiting")
        found["waiting"] = ", ".join(f"{lane} {count}" for lane, count in waiting.items() if count) or "nothing"
        rate = found.pop("rate")
        found["oldest"] = f"{found['oldest']:g} s"
        found["rate"] = "no limit" if rate is None else f"{rate['per_second']:g} a second, {rate['burst']} at once"
        found |= {f"reconcile {name}".replace("_", " "): value for name, value in reconciled.items()}
        print_fields({name: value for name, value in found.items() if name != "id" and value is not None})


class PositionStatus(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    ALL = "all"


@app.command("positions", epilog=examples("evenkeel account positions", "evenkeel account positions Main --status all"))
def positions(
    account: Annotated[str | None, typer.Argument(metavar="[ACCOUNT]", help="Without it, all accounts.")] = None,
    status: Annotated[PositionStatus, typer.Option("--status", case_sensitive=False, help="Which.")] = (
        PositionStatus.OPEN
    ),
    group: GroupOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Positions by book, valued at the last prices."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        names = {one["id"]: one["name"] for one in client.get("/accounts")["items"]}
        account_id = the_account(client, account)["id"] if account is not None else None
        wanted = {"account_id": account_id, "status": status.value, "group": group}
        items = client.pages("/trading/positions", limit=100_000, **wanted)
        if as_json:
            print_items(items)
        else:
            print_positions(items, names)


@app.command("deposit", epilog=examples("evenkeel account deposit Main 5000"))
def deposit(
    account: AccountArgument, amount: AmountArgument, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Add cash to a paper account, in its currency. It counts as contributed, not as gained."""
    _move(account, amount, "deposit", home=home, as_json=as_json)


@app.command("withdraw", epilog=examples("evenkeel account withdraw Main 2500.50"))
def withdraw(
    account: AccountArgument, amount: AmountArgument, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Take cash out of a paper account, in its currency."""
    _move(account, amount, "withdrawal", home=home, as_json=as_json)


def _move(account: str, amount: Decimal, kind: str, *, home: Path | None, as_json: bool) -> None:
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options={"amount": "AMOUNT"})
        path = path_of("accounts", the_account(client, account)["id"], "cash")
        after = client.call("POST", path, {"kind": kind, "amount": f"{amount:f}"})
        if as_json:
            print_json(after)
        else:
            print(f"{after['name']}: {kind} of {amount:f} {after['currency']}; cash is now {neat(after['cash'])}")


_LIMITS = {
    "max_position_share": "--max-position-share",
    "daily_loss": "--daily-loss",
    "max_trades_per_day": "--max-trades-per-day",
    "allow_short": "--allow-short",
    "cash_check": "--cash-check",
    "rate": "--rate",
    "rate.per_second": "--rate",
    "rate.burst": "--burst",
    "rate.reserved": "--reserved",
    "rate.queue": "--queue",
}


def _limit(text: str) -> str:
    return "off" if text.lower() == "off" else f"{share(text):f}"


@app.command(
    "limits",
    epilog=examples(
        "evenkeel account limits Main",
        "evenkeel account limits Main --max-position-share 0.25 --daily-loss 0.05",
        "evenkeel account limits Main --max-trades-per-day off",
        "evenkeel account limits Main --rate 8 --burst 4",
        "evenkeel account limits Main --rate 8 --burst 4 --reserved 1 --queue 10",
        note="Shares are of the account's equity: 0.1, or 10%. `off` turns a check off, which is recorded.",
    ),
)
def limits(
    account: AccountArgument,
    max_position_share: Annotated[
        str | None, typer.Option("--max-position-share", parser=_limit, metavar="SHARE", help="Of one instrument.")
    ] = None,
    daily_loss: Annotated[
        str | None, typer.Option("--daily-loss", parser=_limit, metavar="SHARE", help="From which on no risk is added.")
    ] = None,
    max_trades_per_day: Annotated[
        str | None, typer.Option("--max-trades-per-day", parser=_limit, metavar="NUMBER", help="Orders in a day.")
    ] = None,
    allow_short: Annotated[
        bool | None, typer.Option("--allow-short/--no-short", help="Margin accounts only.", show_default="unchanged")
    ] = None,
    cash_check: Annotated[
        bool | None,
        typer.Option("--cash-check/--no-cash-check", help="Refuse what cash does not cover.", show_default="unchanged"),
    ] = None,
    rate: Annotated[
        str | None, typer.Option("--rate", parser=_limit, metavar="NUMBER", help="Requests a second to its broker.")
    ] = None,
    burst: Annotated[
        int | None, typer.Option("--burst", metavar="NUMBER", help="Of them at once; goes with --rate.")
    ] = None,
    reserved: Annotated[
        int | None,
        typer.Option("--reserved", metavar="NUMBER", help="Of the burst, for panics and cancels; goes with --rate."),
    ] = None,
    queue: Annotated[
        int | None,
        typer.Option("--queue", metavar="NUMBER", help="Orders that may wait to be sent; goes with --rate."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show an account's limits, or change those that are given; the others stay."""
    sending = {"burst": burst, "reserved": reserved, "queue": queue}
    sending = {name: number for name, number in sending.items() if number is not None}
    for name in sending if rate in (None, "off") else ():
        raise typer.BadParameter("goes with --rate", param_hint=f"--{name}")
    texts = {
        "max_position_share": max_position_share,
        "daily_loss": daily_loss,
        "max_trades_per_day": max_trades_per_day,
    }
    change: dict[str, Any] = {name: None if text == "off" else text for name, text in texts.items() if text is not None}
    if (change.get("max_trades_per_day") or "").isdigit():
        change["max_trades_per_day"] = int(change["max_trades_per_day"])
    flags = {"allow_short": allow_short, "cash_check": cash_check}
    change |= {name: flag for name, flag in flags.items() if flag is not None}
    if rate is not None:
        fast = 0.0 if rate == "off" else float(rate)
        change["rate"] = {"per_second": fast, "burst": max(1, int(fast)), **sending} if fast else None
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_LIMITS)
        found = the_account(client, account)
        if change:
            found = client.call("PATCH", path_of("accounts", found["id"], "limits"), change)
        if as_json:
            print_json(found["limits"])
        else:
            print_fields({name: "off" if value is None else value for name, value in found["limits"].items()})
