"""`evenkeel portfolio rebalance` and `rebalances`: bring a portfolio to its weights, and see what came of it."""

import time
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer

from evenkeel.cli.aiming import FIELDS, aim_of, share_of, wishes
from evenkeel.cli.client import Client, path_of
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    examples,
    finite,
    number,
    plain,
    print_items,
    print_json,
    print_table,
    reporting,
    resolve_home,
    share,
    taking,
)
from evenkeel.cli.idle import check_rebalance
from evenkeel.cli.portfolio import PortfolioArgument, the_portfolio
from evenkeel.cli.portfolio_history import app
from evenkeel.cli.taxes import print_tax

__all__ = ["app"]

OPTIONS = FIELDS | {
    "buffer": "--buffer",
    "band": "--band",
    "min_trade": "--min-trade",
    "across": "--across",
    "yields": "--yield",
    "wash_days": "--wash-days",
    "client_rebalance_id": "--id",
    "retry": "--retry",
}
_POLL = 0.2


class State(StrEnum):
    RUNNING = "RUNNING"
    DONE = "DONE"
    INCOMPLETE = "INCOMPLETE"


@app.command(
    "rebalance",
    epilog=examples(
        "evenkeel portfolio rebalance Growth --weight AAPL=0.6 --weight IBM=0.4 --preview",
        "evenkeel portfolio rebalance Growth --weight AAPL=60% --weight IBM=40% --id october --wait 60",
        "evenkeel portfolio rebalance Growth --objective min-variance --symbol AAPL --symbol IBM --symbol MSFT",
        "evenkeel portfolio rebalance Growth --objective target-return --param target=0.08 --symbol AAPL --symbol IBM",
        "evenkeel portfolio rebalance Growth --symbol AAPL --symbol IBM --execution twap --duration 3600 --slices 12",
        "evenkeel portfolio rebalance Growth --weight AAPL=0.6 --weight IBM=0.4 --across --yield IBM=5% --preview",
        "evenkeel portfolio rebalance Growth --weight AAPL=0.6 --weight IBM=0.4 --id october --retry",
        note="What it holds and is not named is sold. In each account sales go first; purchases follow them.",
    ),
)
@taking(wishes, after="portfolio")
def rebalance(
    asked: typer.Context,
    portfolio: PortfolioArgument,
    buffer: Annotated[
        Decimal, typer.Option("--buffer", parser=share, metavar="SHARE", help="What stays in cash.")
    ] = Decimal(0),
    band: Annotated[
        Decimal, typer.Option("--band", parser=share, metavar="SHARE", help="How far a weight may be off.")
    ] = Decimal(0),
    min_trade: Annotated[
        Decimal, typer.Option("--min-trade", parser=number, metavar="AMOUNT", help="The least value of a trade.")
    ] = Decimal(0),
    across: Annotated[
        bool, typer.Option("--across", help="Weights of all accounts together, traded where least tax is paid.")
    ] = False,
    yields: Annotated[
        list[str] | None, typer.Option("--yield", metavar="SYMBOL=SHARE", help="With --across: paid a year; repeat.")
    ] = None,
    wash_days: Annotated[
        int | None,
        typer.Option(
            "--wash-days",
            metavar="DAYS",
            show_default="30",
            help="With --preview: how near a purchase makes a wash sale.",
        ),
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Show what would be traded; trade nothing.")] = False,
    name: Annotated[
        str | None, typer.Option("--id", metavar="NAME", help="Sent again by this name, nothing is traded twice.")
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="With --id: place anew what came to nothing.")] = False,
    wait: Annotated[
        float | None,
        typer.Option("--wait", parser=finite, metavar="SECONDS", show_default="0", help="Wait so long for its end."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Trade a portfolio to its weights, in all of its accounts."""
    with reporting(as_json=as_json):
        check_rebalance(preview, wash_days=wash_days, name=name, retry=retry, wait=wait)
        client = Client(resolve_home(home), options=OPTIONS)
        found = the_portfolio(client, portfolio)
        body = aim_of(asked.params) | {"buffer": plain(buffer), "band": plain(band), "min_trade": plain(min_trade)}
        body |= {"across": across} | ({} if wash_days is None else {"wash_days": wash_days})
        body["yields"] = [share_of(one, "share", option="--yield") for one in yields or ()]
        if preview:
            plan = client.call("POST", path_of("portfolio", found["id"], "rebalance", "preview"), body)
            print_json(plan) if as_json else _print_plan(client, plan, currency=found["currency"])
            return
        body |= {"client_rebalance_id": name, "retry": retry}
        one = client.call("POST", path_of("portfolio", found["id"], "rebalance"), body)
        one = _ended(client, one, seconds=wait or 0.0)
        print_json(one) if as_json else _print_rebalance(client, one, currency=found["currency"])


def _ended(client: Client, one: dict[str, Any], *, seconds: float) -> dict[str, Any]:
    """The rebalance once it has ended, or as it stands when time is up."""
    until = time.monotonic() + seconds
    while one["state"] == State.RUNNING and time.monotonic() < until:
        time.sleep(_POLL)
        items = client.get(path_of("portfolio", one["portfolio_id"], "rebalances"))["items"]
        one = next((item for item in items if item["id"] == one["id"]), one)
    return one


def _names(client: Client) -> dict[str, str]:
    return {one["id"]: one["name"] for one in client.get("/accounts")["items"]}


def _print_plan(client: Client, plan: dict[str, Any], *, currency: str) -> None:
    names = _names(client)
    rows = [
        [names[one["account_id"]], trade["side"], trade["quantity"], trade["symbol"], trade["price"], trade["value"]]
        for one in plan["accounts"]
        for trade in one["trades"]
    ]
    print_table(["account", "side", "quantity", "symbol", "price", "value"], rows, empty="Nothing to trade.")
    for one in plan["accounts"]:
        print(
            f"{names[one['account_id']]}: worth {one['worth']} {currency}, "
            f"cash {one['cash']} then {one['cash_after']}, charges {one['cost']}, "
            f"furthest off {_percent(one['drift'])} then {_percent(one['drift_after'])}"
        )
    for one in plan["skipped"]:
        print(f"{names[one['account_id']]}, {one['symbol'] or 'all of it'}: {one['reason']}")
    for one in plan["refusals"]:
        print(f"{names[one['account_id']]}, {one['symbol']} would be refused by {one['reason']}")
    print_tax(names, plan["tax"], currency=currency)
    print_warnings(plan)
    if len(plan["accounts"]) > 1:
        print(f"All accounts together: furthest off {_percent(plan['drift'])} then {_percent(plan['drift_after'])}")
    print(f"Turnover {_percent(plan['turnover'])}, charges {plan['cost']} {currency}. Nothing has been traded.")


def print_warnings(answer: dict[str, Any]) -> None:
    """What may not go as it is asked for."""
    for one in answer["warnings"]:
        print(f"Warning: {one}.")


def _percent(share: str) -> str:
    return f"{Decimal(share) * 100:.2f} %"


def _print_rebalance(client: Client, one: dict[str, Any], *, currency: str) -> None:
    names = _names(client)
    rows = [
        [names[order["account_id"]], order["side"], order["quantity"], order["symbol"],
         order["state"] or order["composite_state"] or "waits for sales", order["filled"]]
        for order in one["orders"]
    ]  # fmt: skip
    headings = ["account", "side", "quantity", "symbol", "state", "filled"]
    print_table(headings, rows, empty="Nothing to trade.")
    for reason in one["reasons"]:
        print(reason)
    print_warnings(one)
    traded = f"traded {one['traded']} {currency}, charges {one['cost']}"
    print(f"Rebalance {one['client_rebalance_id']}: {one['state']}, {traded}")


@app.command("rebalances", epilog=examples("evenkeel portfolio rebalances Growth --json"))
def rebalances(
    portfolio: PortfolioArgument,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="How many at most.")] = 50,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """A portfolio's rebalances, newest first."""
    with reporting(as_json=as_json):
        client = Client(resolve_home(home), options=OPTIONS)
        path = path_of("portfolio", the_portfolio(client, portfolio)["id"], "rebalances")
        items = client.get(path, limit=limit)["items"]
        if as_json:
            print_items(items)
            return
        rows = [
            [one["created_at"], one["client_rebalance_id"], one["state"], str(len(one["orders"])), one["traded"],
             one["estimated_cost"], one["cost"]]
            for one in items
        ]  # fmt: skip
        headings = ["at", "id", "state", "orders", "traded", "expected cost", "cost"]
        print_table(
            headings,
            rows,
            empty="It has not been rebalanced yet. See what it would trade: evenkeel portfolio rebalance --help",
        )
