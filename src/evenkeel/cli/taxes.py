"""`evenkeel account tax`, `portfolio lots` and `gains`: how gains are taxed, what is held lot by lot, what was made."""

import csv
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

import typer

from evenkeel.cli.account import AccountArgument, GroupOption, the_account
from evenkeel.cli.account import app as accounts
from evenkeel.cli.aiming import at_fault
from evenkeel.cli.client import Client, path_of
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
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
from evenkeel.cli.portfolio import app as portfolios
from evenkeel.cli.portfolio import the_portfolio
from evenkeel.domain.taxes import LotMethod, TaxStatus

TAX_EXAMPLES = examples(
    "evenkeel account tax Main",
    "evenkeel account tax Main --status taxable --short 0.30 --long 0.15 --method min-tax",
    "evenkeel account tax Pension --status tax-deferred",
    "evenkeel account tax Main --method highest-cost --from 2025-01-01",
    "evenkeel account tax Main --forget",
    note="Shares are of a gain: 0.3 is 30 %. Your broker keeps the lots that count: have it use the same method.",
)
LOTS_EXAMPLES = examples(
    "evenkeel portfolio lots Growth",
    "evenkeel portfolio lots --account Main --symbol AAPL --method lifo",
    "evenkeel portfolio lots --csv",
)
GAINS_EXAMPLES = examples(
    "evenkeel portfolio gains Growth --year 2024",
    "evenkeel portfolio gains --account Main --year 2024 --csv",
    note="What a wash sale puts at risk is a warning, and none of it is tax advice.",
)
_FIELDS = {
    "short": "--short", "long": "--long", "status": "--status", "days": "--days", "since": "--from",
    "symbol": "--symbol", "year": "--year", "wash_days": "--wash-days",
}  # fmt: skip
PortfolioArgument = Annotated[str | None, typer.Argument(metavar="[PORTFOLIO]", help="Without it, all accounts.")]
AccountOption = Annotated[str | None, typer.Option("--account", metavar="ACCOUNT", help="In one account.")]
SymbolOption = Annotated[str | None, typer.Option("--symbol", metavar="SYMBOL", help="Of one instrument.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="Answer in CSV.")]
MethodOption = Annotated[
    LotMethod | None, typer.Option("--method", case_sensitive=False, help="As if sales had closed lots by this one.")
]


@accounts.command("tax", epilog=TAX_EXAMPLES)
def tax(
    account: AccountArgument,
    status: Annotated[
        TaxStatus | None, typer.Option("--status", case_sensitive=False, help="When its gains are taxed.")
    ] = None,
    short: Annotated[
        Decimal | None, typer.Option("--short", parser=number, metavar="SHARE", help="Tax on short-term gains.")
    ] = None,
    long: Annotated[
        Decimal | None, typer.Option("--long", parser=number, metavar="SHARE", help="Tax on long-term gains.")
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", metavar="DAYS", help="A gain is long-term after so many.")
    ] = None,
    method: Annotated[
        LotMethod | None, typer.Option("--method", case_sensitive=False, help="Which lots a sale closes first.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="From this day on; the first: from the beginning.")
    ] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Take back all that was said.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how gains are taxed in an account, or say it; what is not given stays as it is."""
    given = {"status": status, "short": plain(short), "long": plain(long), "days": days, "method": method}
    change = {name: value for name, value in given.items() if value is not None}
    if forget and (change or since):
        raise typer.BadParameter("goes with nothing else", param_hint="--forget")
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=_FIELDS)
        path = path_of("accounts", the_account(client, account)["id"], "tax")
        if forget:
            client.call("DELETE", path)
        found = client.get(path)
        if since and not change and not found["is_set"]:
            message = "says from when terms hold, and there are none yet: say them too, such as --short 0.3 --long 0.15"
            raise typer.BadParameter(message, param_hint="--from")
        if change or since:
            found = client.call("PUT", path, _body(found["now"], change, since))
        print_json(found) if as_json else _print_terms(found)


def _body(now: dict[str, Any], change: dict[str, Any], since: str | None) -> dict[str, Any]:
    """What stands, with what is given: an account that is not taxed has no rates."""
    stands = {name: now[name] for name in ("status", "short", "long", "days", "method")}
    if change.get("status", TaxStatus.TAXABLE) is not TaxStatus.TAXABLE:
        stands |= {"short": "0", "long": "0"}
    return stands | change | ({"since": since} if since else {})


def _print_terms(found: dict[str, Any]) -> None:
    if not found["is_set"]:
        print("Nothing is said of how its gains are taxed: the oldest lots go first, and no tax is worked out.")
        return
    print_fields(found["now"] | {"since": found["now"]["since"] or "its beginning"})
    for one in found["settings"][:-1]:
        print(
            f"from {one['since'] or 'its beginning'}: {one['status']}, {one['short']} and {one['long']}, "
            f"{one['method']}"
        )
    first = found["settings"][0]["since"]
    if first is not None:
        print(f"Nothing is said of the time before {first}: no tax is worked out of it.")


@portfolios.command("lots", epilog=LOTS_EXAMPLES)
def lots(
    portfolio: PortfolioArgument = None,
    account: AccountOption = None,
    group: GroupOption = None,
    symbol: SymbolOption = None,
    method: MethodOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """What is left of each purchase, with its gain at the last price and the days until that is long-term."""
    with reporting(as_json=as_json):
        _check_form(as_json, as_csv)
        client, wanted = _asked(home, portfolio, account, group=group, symbol=symbol, method=method)
        items = client.get("/portfolio/lots", **wanted)["items"]
        if as_json or as_csv:
            print_items(items) if as_json else _print_csv(items)
            return
        names = _names(client)
        rows = [
            [names[one["account_id"]], one["symbol"], one["opened"], one["quantity"], one["unit_cost"],
             one["value"] or "", one["gain"] or "", one["term"], _until(one), one["tax"] or ""]
            for one in items
        ]  # fmt: skip
        headings = ["account", "symbol", "opened", "quantity", "unit cost", "value", "gain", "term", "long in", "tax"]
        print_table(headings, rows, empty="No lots are held.")


def _until(one: dict[str, Any]) -> str:
    return f"{one['days_to_long']} days" if one["days_to_long"] else ""


@portfolios.command("gains", epilog=GAINS_EXAMPLES)
def gains(
    portfolio: PortfolioArgument = None,
    year: Annotated[int | None, typer.Option("--year", metavar="YEAR", help="Default: this one.")] = None,
    account: AccountOption = None,
    group: GroupOption = None,
    symbol: SymbolOption = None,
    method: MethodOption = None,
    wash_days: Annotated[
        int, typer.Option("--wash-days", metavar="DAYS", help="How near a purchase makes a wash sale.")
    ] = 30,
    home: HomeOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """What sales of a year have realised, short-term and long-term, and the losses that a wash sale puts at risk."""
    with reporting(as_json=as_json):
        _check_form(as_json, as_csv)
        client, wanted = _asked(home, portfolio, account, group=group, symbol=symbol, method=method)
        found = client.get("/portfolio/gains", year=year, wash_days=wash_days, **wanted)
        if as_json or as_csv:
            print_json(found) if as_json else _print_csv(found["items"])
            return
        names = _names(client)
        rows = [
            [names[one["account_id"]], one["symbol"], one["opened"], one["closed"], one["quantity"], one["cost"],
             one["proceeds"], one["gain"], one["term"], one["tax"] or "", _risk(one)]
            for one in found["items"]
        ]  # fmt: skip
        headings = ["account", "symbol", "opened", "closed", "quantity", "cost", "proceeds", "gain", "term", "tax"]
        print_table([*headings, "at risk"], rows, empty=f"Nothing was sold in {found['year']}.")
        for one in found["totals"]:
            print(
                f"{found['year']}: short-term {one['short']}, long-term {one['long']}, together {one['gain']} "
                f"{one['currency']}; tax {one['tax']}; at risk by wash sales {one['at_risk'] or 'not worked out'}"
            )
        if found["untold"]:
            print(f"No tax is worked out of {', '.join(names[one] for one in found['untold'])}: evenkeel account tax")
        print(found["note"])


def _risk(one: dict[str, Any]) -> str:
    return one["at_risk"] if one["wash_purchases"] else ""


def _asked(
    home: HomeOption, portfolio: str | None, account: str | None, **wanted: str | None
) -> tuple[Client, dict[str, str | None]]:
    client = Client(resolve_home(home), options=_FIELDS)
    named = {
        "portfolio_id": None if portfolio is None else the_portfolio(client, portfolio)["id"],
        "account_id": None if account is None else the_account(client, account)["id"],
    }
    return client, {**wanted, **named}


def _names(client: Client) -> dict[str, str]:
    return {one["id"]: one["name"] for one in client.get("/accounts")["items"]}


def _check_form(as_json: bool, as_csv: bool) -> None:
    if as_json and as_csv:
        raise at_fault("--csv", "is another form of the answer than --json: leave one of the two out")


def _print_csv(items: Sequence[dict[str, Any]]) -> None:
    """A row for each, with those fields that are one value."""
    names = [name for name, value in items[0].items() if not isinstance(value, list)] if items else []
    writer = csv.DictWriter(sys.stdout, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(items)


def print_tax(names: dict[str, str], tax: dict[str, Any], *, currency: str) -> None:
    """What a planned rebalance realises, and its wash sales."""
    rows = [
        [names[one["account_id"]], one["symbol"], one["method"], one["short"], one["long"], one["tax"] or "not set"]
        for one in tax["trades"]
    ]
    if rows:
        print_table(["account", "symbol", "lots", "short-term gain", "long-term gain", "tax"], rows)
        print(
            f"Gains of {tax['short']} {currency} short-term and {tax['long']} long-term; tax {tax['tax']} {currency}."
        )
    if tax["untold"]:
        print(f"No tax is worked out of {', '.join(names[one] for one in tax['untold'])}: evenkeel account tax")
    for one in tax["wash_sales"]:
        bought = ", ".join(
            f"{each['quantity']} in {names[each['account_id']]} {'by this' if each['planned'] else each['date']}"
            for each in one["purchases"]
        )
        lots = f" over {len(one['lots'])} lots" if len(one["lots"]) > 1 else ""
        print(
            f"WASH SALE? {one['symbol']}: a loss of {one['loss']} {currency}{lots} in {names[one['account_id']]} "
            f"on {one['date']}, and within {tax['wash_days']} days bought {bought}; "
            f"{one['at_risk']} of it may not count. A warning, no tax advice."
        )
