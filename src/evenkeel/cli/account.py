"""`evenkeel account`: list, open and look into accounts."""

from typing import Annotated, Any

import typer

from evenkeel.cli.client import Client, find, path_of
from evenkeel.cli.common import HomeOption, JsonOption, print_json, print_table, reporting, resolve_home

app = typer.Typer(name="account", help="List, open and look into accounts.", no_args_is_help=True)

AccountArgument = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Name or id.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many at most.")]


def the_account(client: Client, wanted: str) -> dict[str, Any]:
    return find(client.get("/accounts")["items"], wanted, what="account")


@app.command("list")
def list_accounts(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """All accounts with cash, equity and the day's result."""
    with reporting(as_json=as_json):
        items = Client(resolve_home(home)).get("/accounts")["items"]
        if as_json:
            print_json(items)
            return
        rows = [
            [a["name"], a["mode"], a["readiness"], a["currency"], a["cash"], a["equity"], a["day_pnl"], a["id"]]
            for a in items
        ]
        print_table(["name", "mode", "state", "currency", "cash", "equity", "day P&L", "id"], rows)


@app.command("show")
def show(account: AccountArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """One account in full: figures, limits, positions."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        found = the_account(client, account)
        found["holdings"] = client.pages("/trading/positions", limit=10_000, account_id=found["id"])
        if as_json:
            print_json(found)
            return
        print_table(["field", "value"], [[name, _shown(value)] for name, value in found.items() if name != "holdings"])
        print()
        print_positions(found["holdings"])


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    return "" if value is None else str(value)


def print_positions(items: list[dict[str, Any]]) -> None:
    rows = [
        [p["symbol"], p.get("strategy") or p["book"], p["quantity"], p["last_price"] or "", p["market_value"],
         p["unrealised_pnl"], p["realised_pnl"]]
        for p in items
    ]  # fmt: skip
    print_table(["symbol", "book", "quantity", "last", "value", "unrealised", "realised"], rows)


@app.command("open")
def open_account(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    cash: Annotated[str, typer.Option("--cash", help="First deposit, in its currency.")],
    currency: Annotated[str, typer.Option("--currency", help="Three letters.")] = "USD",
    kind: Annotated[str, typer.Option("--type", help="cash or margin.")] = "cash",
    fees: Annotated[str, typer.Option("--fees", help="Name of a cost schedule.")] = "zero",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open a paper account. Live accounts cannot be opened: live trading is off."""
    with reporting(as_json=as_json):
        body = {"name": name, "cash": cash, "currency": currency, "type": kind, "fees": fees}
        opened = Client(resolve_home(home)).call("POST", "/accounts", body)
        if as_json:
            print_json(opened)
        else:
            print(f"Opened paper account {opened['name']} with {opened['cash']} {opened['currency']}: {opened['id']}")


@app.command("ledger")
def ledger(
    account: AccountArgument, limit: LimitOption = 50, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """The cash ledger, newest first."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        items = client.pages(path_of("accounts", the_account(client, account)["id"], "ledger"), limit=limit)
        if as_json:
            print_json(items)
            return
        rows = [[e["at"], e["value_date"], e["kind"], e["component"] or "", e["amount"], e["currency"]] for e in items]
        print_table(["at", "value date", "kind", "component", "amount", "currency"], rows)


@app.command("equity")
def equity(
    account: AccountArgument, limit: LimitOption = 50, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Equity and cash at the end of each day, newest first."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        items = client.pages(path_of("accounts", the_account(client, account)["id"], "equity"), limit=limit)
        if as_json:
            print_json(items)
            return
        print_table(["at", "equity", "cash"], [[e["at"], e["equity"], e["cash"]] for e in items])


@app.command("positions")
def positions(
    account: Annotated[str | None, typer.Argument(help="Name or id; without it, all accounts.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open positions by book."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home))
        account_id = the_account(client, account)["id"] if account else None
        items = client.pages("/trading/positions", limit=100_000, account_id=account_id)
        if as_json:
            print_json(items)
        else:
            print_positions(items)
