"""`evenkeel portfolio positions`, `transactions`, `performance`, `trades`, `correlations`: what one holds, and did."""

from typing import Annotated, Any

import typer

from evenkeel.cli.account import print_positions, the_account
from evenkeel.cli.client import path_of
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    LimitOption,
    examples,
    print_items,
    print_json,
    print_table,
    reporting,
)
from evenkeel.cli.portfolio import PortfolioArgument, app, connected, the_portfolio

__all__ = ["app"]

StartOption = Annotated[str | None, typer.Option("--start", metavar="DATE", help="From here on.")]
EndOption = Annotated[str | None, typer.Option("--end", metavar="DATE", help="Before this.")]


@app.command("positions", epilog=examples("evenkeel portfolio positions Growth"))
def positions(portfolio: PortfolioArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """What a portfolio holds, book by book, at the last prices."""
    with reporting(as_json=as_json):
        client = connected(home)
        items = client.get(path_of("portfolio", the_portfolio(client, portfolio)["id"], "positions"))["items"]
        if as_json:
            print_items(items)
        else:
            print_positions(items, {one["id"]: one["name"] for one in client.get("/accounts")["items"]})


@app.command(
    "transactions",
    epilog=examples(
        "evenkeel portfolio transactions Growth --limit 20",
        "evenkeel portfolio transactions Growth --type buy --symbol AAPL",
        "evenkeel portfolio transactions --account Main --start 2024-01-01",
    ),
)
def transactions(
    portfolio: Annotated[str | None, typer.Argument(metavar="[PORTFOLIO]", help="Without it, all accounts.")] = None,
    kind: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="buy, sell, dividend, fee …")] = None,
    symbol: Annotated[str | None, typer.Option("--symbol", metavar="SYMBOL", help="Of one instrument.")] = None,
    account: Annotated[str | None, typer.Option("--account", metavar="ACCOUNT", help="In one account.")] = None,
    start: StartOption = None,
    end: EndOption = None,
    limit: LimitOption = 50,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Purchases, sales, dividends, fees, payments, transfers and splits, newest first."""
    with reporting(as_json=as_json):
        client = connected(home)
        path = "/portfolio/transactions"
        if portfolio is not None:
            path = path_of("portfolio", the_portfolio(client, portfolio)["id"], "transactions")
        asked = {"type": kind, "symbol": symbol, "start": start, "end": end}
        account_id = None if account is None else the_account(client, account)["id"]
        items = client.pages(path, limit=limit, account_id=account_id, **asked)
        if as_json:
            print_items(items)
            return
        rows = [
            [one["at"], one["type"], one["symbol"] or "", one["quantity"] or "", one["price"] or "",
             one["amount"] or "", one["currency"], one["note"]]
            for one in items
        ]  # fmt: skip
        headings = ["at", "type", "symbol", "quantity", "price", "amount", "currency", "note"]
        print_table(
            headings, rows, empty="Nothing has moved that fits. Put money in: evenkeel portfolio transfer --help"
        )


@app.command("performance", epilog=examples("evenkeel portfolio performance Growth --limit 20"))
def performance(
    portfolio: PortfolioArgument, limit: LimitOption = 50, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """What a portfolio was worth at the end of each day, and how it has done until then; newest first."""
    with reporting(as_json=as_json):
        client = connected(home)
        path = path_of("portfolio", the_portfolio(client, portfolio)["id"], "performance")
        items = client.pages(path, limit=limit)
        if as_json:
            print_items(items)
            return
        rows = [
            [one["date"], one["total_value"], one["cash_value"], *(_measured(one[name]) for name in _MEASURES)]
            for one in items
        ]
        headings = ["date", "value", "cash", "day", "return", "volatility", "Sharpe", "Sortino", "drawdown", "wins"]
        print_table(headings, rows, empty="No day has ended yet. `evenkeel portfolio show` tells how it stands now.")


_MEASURES = (
    "daily_return", "cumulative_return", "volatility", "sharpe_ratio", "sortino", "drawdown", "win_rate",
)  # fmt: skip


def _measured(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


@app.command("trades", epilog=examples("evenkeel portfolio trades Growth", "evenkeel portfolio trades Growth --open"))
def trades(
    portfolio: PortfolioArgument,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that are open.")] = False,
    limit: LimitOption = 50,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Round trips, from flat to flat, newest first."""
    with reporting(as_json=as_json):
        client = connected(home)
        path = path_of("portfolio", the_portfolio(client, portfolio)["id"], "trades")
        items = client.get(path, limit=min(limit, 5000), status="open" if only_open else None)["items"]
        if as_json:
            print_items(items)
            return
        rows = [
            [one["symbol"], one["side"], one["quantity"], one["entry_price"], one["exit_price"] or "", one["profit"],
             one["opened_at"], one["closed_at"] or "open"]
            for one in items
        ]  # fmt: skip
        headings = ["symbol", "side", "quantity", "entry", "exit", "profit", "opened", "closed"]
        print_table(headings, rows, empty="No round trips yet: one ends when a position is closed.")


@app.command("correlations", epilog=examples("evenkeel portfolio correlations --days 120"))
def correlations(
    days: Annotated[int, typer.Option("--days", min=2, max=2500, help="Over how many common days.")] = 250,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """How portfolios have gone together, day by day."""
    with reporting(as_json=as_json):
        found: dict[str, Any] = connected(home).get("/portfolio/correlations", days=days)
        if as_json:
            print_json(found)
            return
        rows = [
            [name, *("" if one is None else f"{one:.2f}" for one in row)]
            for name, row in zip(found["names"], found["rows"], strict=True)
        ]
        print_table(
            ["", *found["names"]], rows, empty="No portfolio has had a day yet. `evenkeel portfolio list` shows them."
        )
        print(f"Over {found['days']} days in common.")
