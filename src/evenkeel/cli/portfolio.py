"""`evenkeel portfolio`: make and change portfolios, adopt strategies' books, and move cash between books."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer

from evenkeel.cli.account import print_positions, the_account, the_book
from evenkeel.cli.client import Client, find, path_of
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    examples,
    minute,
    neat,
    number,
    plain,
    print_fields,
    print_items,
    print_json,
    print_table,
    reporting,
    resolve_home,
)
from evenkeel.domain.accounts import MANUAL

app = typer.Typer(no_args_is_help=True)

PortfolioArgument = Annotated[str, typer.Argument(metavar="PORTFOLIO", help="Name, id, or beginning of the id.")]
AccountOption = Annotated[
    str | None, typer.Option("--account", metavar="ACCOUNT", help="Where it trades more than one.")
]
NoteOption = Annotated[str, typer.Option("--note", metavar="TEXT", help="A note for the ledger.")]
_OPTIONS = {
    "name": "NAME",
    "accounts": "--account",
    "add_accounts": "--add-account",
    "cash": "--cash",
    "amount": "AMOUNT",
    "risk_tolerance": "--risk-tolerance",
    "max_position": "--max-position",
    "strategy": "--strategy",
    "source": "--from",
    "target": "--to",
    "account_id": "--account",
    "type": "--type",
    "symbol": "--symbol",
    "start": "--start",
    "end": "--end",
}


def the_portfolio(client: Client, wanted: str) -> dict[str, Any]:
    """A portfolio by its name or id, archived ones too. Raises NotFound."""
    return find(client.get("/portfolio", archived="true")["items"], wanted, what="portfolio")


def connected(home: HomeOption) -> Client:
    return Client(resolve_home(home), options=_OPTIONS)


@app.command("list", epilog=examples("evenkeel portfolio list", "evenkeel portfolio list --account Main --json"))
def list_portfolios(
    account: Annotated[str | None, typer.Option("--account", metavar="ACCOUNT", help="Only those in one.")] = None,
    archived: Annotated[bool, typer.Option("--archived", help="Archived ones, too.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """All portfolios with what they are worth, and the totals."""
    with reporting(as_json=as_json):
        client = connected(home)
        account_id = the_account(client, account)["id"] if account is not None else None
        items = client.get("/portfolio", account_id=account_id, archived="true" if archived else None)["items"]
        if as_json:
            print_items(items)
            return
        rows = [
            [one["name"], one["currency"], one["value"], one["cash"], str(one["positions"]), one["result"],
             one["total_return"], "" if one["is_active"] else "archived"]
            for one in items
        ]  # fmt: skip
        headings = ["name", "currency", "value", "cash", "positions", "result", "return", "state"]
        empty = "No portfolios yet. Make one: evenkeel portfolio create Growth --account Main --cash 10000"
        print_table(headings, rows, empty=empty)
        for one in client.get("/portfolio/totals", account_id=account_id)["items"] if items else []:
            counts = f"{one['num_portfolios']} portfolios, {one['total_positions']} positions"
            print(f"Total {neat(one['total_value'])} {one['currency']}: {counts}")


@app.command("show", epilog=examples("evenkeel portfolio show Growth"))
def show(portfolio: PortfolioArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """One portfolio in full: figures, books, positions."""
    with reporting(as_json=as_json):
        client = connected(home)
        found = the_portfolio(client, portfolio)
        holdings = client.get(path_of("portfolio", found["id"], "positions"))["items"]
        if as_json:
            print_json({**found, "holdings": holdings})
            return
        names = _names(client)
        print_fields({**found, "accounts": [names[one] for one in found["accounts"]], "books": _books(found, names)})
        print()
        print_positions(holdings, names)


def _books(found: dict[str, Any], names: dict[str, str]) -> list[str]:
    """Each of a portfolio's books: its account, whose it is, and since when."""
    return [
        f"{one['strategy'] or 'its own'} in {names[one['account_id']]} since {minute(one['since'])}"
        for one in found["books"]
    ]


def _names(client: Client) -> dict[str, str]:
    return {one["id"]: one["name"] for one in client.get("/accounts")["items"]}


@app.command(
    "create",
    epilog=examples(
        "evenkeel portfolio create Growth --account Main --cash 10000 --max-position 0.2",
        "evenkeel portfolio create Trend --account Main --account Second --adopt 'Trend follower'",
        note="Its cash comes from what the first account holds beside its portfolios. It spends what it is worth and "
        "no more; its limits are those of `evenkeel risk limits --scope portfolio:NAME`.",
    ),
)
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    account: Annotated[list[str], typer.Option("--account", metavar="ACCOUNT", help="It trades this one; repeat.")],
    cash: Annotated[
        Decimal, typer.Option("--cash", parser=number, metavar="AMOUNT", help="From its first account.")
    ] = Decimal(0),
    strategy: Annotated[str, typer.Option("--strategy", metavar="TEXT", help="What it is for, in words.")] = "",
    adopt: Annotated[
        list[str] | None, typer.Option("--adopt", metavar="STRATEGY", help="Adopt its book in these accounts; repeat.")
    ] = None,
    risk_tolerance: Annotated[
        Decimal | None,
        typer.Option("--risk-tolerance", parser=number, metavar="0–1", help="0 careful, 1 bold; 0.5 unless given."),
    ] = None,
    max_position: Annotated[
        Decimal | None,
        typer.Option("--max-position", parser=number, metavar="SHARE", help="The most one instrument may be of it."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a portfolio in one account or several."""
    with reporting(as_json=as_json):
        client = connected(home)
        body = {
            "name": name,
            "accounts": [the_account(client, one)["id"] for one in account],
            "cash": plain(cash),
            "strategy": strategy,
            "adopt": [_the_strategy(client, one) for one in adopt or ()],
            "risk_tolerance": plain(risk_tolerance),
            "max_position": plain(max_position),
        }
        made = client.call("POST", "/portfolio", body)
        if as_json:
            print_json(made)
        else:
            print(f"Made portfolio {made['name']} with {neat(made['value'])} {made['currency']}: {made['id']}")


def _the_strategy(client: Client, wanted: str) -> str:
    return str(find(client.get("/strategies")["items"], wanted, what="strategy")["id"])


@app.command(
    "change",
    epilog=examples(
        "evenkeel portfolio change Growth --name Income --max-position 0.1",
        "evenkeel portfolio change Growth --add-account Second",
        "evenkeel portfolio change Growth --max-position off",
    ),
)
def change(
    portfolio: PortfolioArgument,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Another name.")] = None,
    strategy: Annotated[str | None, typer.Option("--strategy", metavar="TEXT", help="What it is for.")] = None,
    risk_tolerance: Annotated[
        Decimal | None, typer.Option("--risk-tolerance", parser=number, metavar="0–1", help="0 careful, 1 bold.")
    ] = None,
    max_position: Annotated[
        str | None, typer.Option("--max-position", metavar="SHARE", help="A share of it, or off.")
    ] = None,
    add_account: Annotated[
        list[str] | None, typer.Option("--add-account", metavar="ACCOUNT", help="Trade this one, too; repeat.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rename it, change its notes or its largest position, or have it trade further accounts."""
    with reporting(as_json=as_json):
        client = connected(home)
        given = {"name": name, "strategy": strategy, "risk_tolerance": plain(risk_tolerance)}
        body: dict[str, Any] = {field: value for field, value in given.items() if value is not None}
        if max_position is not None:
            body["max_position"] = None if max_position == "off" else plain(number(max_position))
        body["add_accounts"] = [the_account(client, one)["id"] for one in add_account or ()]
        _told(client.call("PATCH", path_of("portfolio", the_portfolio(client, portfolio)["id"]), body), as_json=as_json)


def _told(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        print_fields(found)


@app.command(
    "archive", epilog=examples("evenkeel portfolio archive Growth", "evenkeel portfolio archive Growth --undo")
)
def archive(
    portfolio: PortfolioArgument,
    undo: Annotated[bool, typer.Option("--undo", help="Put it back into use.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an empty portfolio out of use; its history stays."""
    with reporting(as_json=as_json):
        client = connected(home)
        found = the_portfolio(client, portfolio)
        after = client.call("POST", path_of("portfolio", found["id"], "restore" if undo else "archive"))
        if as_json:
            print_json(after)
        else:
            print(f"{after['name']} is {'in use again' if undo else 'archived'}.")


@app.command(
    "adopt",
    epilog=examples(
        "evenkeel portfolio adopt Growth 'Trend follower'",
        "evenkeel portfolio adopt Growth 'Trend follower' --account Main",
        "evenkeel portfolio adopt Growth 'Trend follower' --release",
        note="What a strategy holds then counts as the portfolio's, with its cash and under its limits.",
    ),
)
def adopt(
    portfolio: PortfolioArgument,
    strategy: Annotated[str, typer.Argument(metavar="STRATEGY", help="Name or id of the strategy.")],
    account: AccountOption = None,
    release: Annotated[bool, typer.Option("--release", help="The other way round: let it go.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a strategy's book belong to a portfolio, in every account that both trade."""
    with reporting(as_json=as_json):
        client = connected(home)
        body: dict[str, Any] = {"strategy": _the_strategy(client, strategy)}
        if account is not None:
            body["account_id"] = the_account(client, account)["id"]
        path = path_of("portfolio", the_portfolio(client, portfolio)["id"], "release" if release else "adopt")
        after = client.call("POST", path, body)
        if as_json:
            print_json(after)
        else:
            print(
                f"{after['name']} has {len(after['books'])} books, "
                f"and is worth {neat(after['value'])} {after['currency']}."
            )


@app.command(
    "transfer",
    epilog=examples(
        "evenkeel portfolio transfer 2500 --from Growth --to Income",
        "evenkeel portfolio transfer 500 --from Growth --to manual",
        "evenkeel portfolio transfer 1000 --from Main:manual --to Second:Growth",
        note="A place is a portfolio, a strategy or manual; ACCOUNT:PLACE where it is in more than one account.",
    ),
)
def transfer(
    amount: Annotated[Decimal, typer.Argument(metavar="AMOUNT", parser=number, help="In their currency.")],
    source: Annotated[str, typer.Option("--from", metavar="PLACE", help="Where it comes from.")],
    target: Annotated[str, typer.Option("--to", metavar="PLACE", help="Where it goes to.")],
    note: NoteOption = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move cash between portfolios, or between one and its account; the two lines add up to nothing."""
    with reporting(as_json=as_json):
        client = connected(home)
        here, there = _place(client, source, option="--from"), _place(client, target, option="--to")
        from_account, to_account = here[0] or there[0], there[0] or here[0]
        if from_account is None:
            raise typer.BadParameter("say in which account, such as Main:manual", param_hint="--from")
        body = {
            "amount": plain(amount),
            "from_account": from_account,
            "from_book": here[1],
            "to_account": to_account,
            "to_book": there[1],
            "note": note,
        }
        after = client.call("POST", "/portfolio/transfers", body)
        if as_json:
            print_json(after)
        else:
            print(f"Moved {amount:f} {after['items'][0]['currency']} from {source} to {target}.")


def _place(client: Client, text: str, *, option: str) -> tuple[str | None, str]:
    """(account or None, book): a portfolio with one account is there."""
    account, found, name = text.rpartition(":")
    book = the_book(client, name)
    if found:
        return str(the_account(client, account)["id"]), book
    if book == MANUAL:
        return None, book
    accounts: list[str] = next((one["accounts"] for one in client.get("/portfolio")["items"] if one["id"] == book), [])
    if len(accounts) > 1:
        raise typer.BadParameter(
            f"{name} trades {len(accounts)} accounts: say which, ACCOUNT:{name}", param_hint=option
        )
    return (accounts[0] if accounts else None), book


class Kind(StrEnum):
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    DIVIDEND = "dividend"
    INTEREST = "interest"
    FEE = "fee"


@app.command(
    "record",
    epilog=examples(
        "evenkeel portfolio record Growth deposit 5000",
        "evenkeel portfolio record Growth fee 12.50 --note 'data feed'",
        note="Deposits and withdrawals are no gain or loss; dividends, interest and fees are.",
    ),
)
def record(
    portfolio: PortfolioArgument,
    kind: Annotated[Kind, typer.Argument(case_sensitive=False, help="What it is.")],
    amount: Annotated[Decimal, typer.Argument(metavar="AMOUNT", parser=number, help="More than zero.")],
    account: AccountOption = None,
    note: NoteOption = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Book cash into a portfolio, or out of it."""
    with reporting(as_json=as_json):
        client = connected(home)
        body: dict[str, Any] = {"kind": kind.value, "amount": plain(amount), "note": note}
        if account is not None:
            body["account_id"] = the_account(client, account)["id"]
        path = path_of("portfolio", the_portfolio(client, portfolio)["id"], "transactions")
        after = client.call("POST", path, body)
        if as_json:
            print_json(after)
        else:
            print(f"{after['name']}: {kind.value} of {amount:f} {after['currency']}; cash is now {neat(after['cash'])}")
