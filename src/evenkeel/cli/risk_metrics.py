"""`evenkeel risk metrics`: what is held, how it moves together, and what a bad day would cost."""

from typing import Annotated, Any

import typer

from evenkeel.cli.account import the_account
from evenkeel.cli.client import Client, find
from evenkeel.cli.common import HomeOption, JsonOption, examples, print_fields, print_json, print_table, reporting
from evenkeel.cli.common import resolve_home as home_of
from evenkeel.cli.panic import AccountOption, StrategyOption

METRICS_EXAMPLES = examples(
    "evenkeel risk metrics",
    "evenkeel risk metrics --account Main --benchmark AAPL",
    "evenkeel risk metrics --strategy Trend --confidence 0.975 --horizon 10 --method historical",
    note="Without --account, --strategy or --all: every account of yours, currencies apart. Past returns are those of "
    "what is held now. VaR is the loss that is exceeded with probability 1 − confidence, CVaR the mean loss then.",
)
_OPTIONS = {
    "confidence": "--confidence",
    "horizon": "--horizon",
    "method": "--method",
    "benchmark": "--benchmark",
    "days": "--days",
}


def metrics(
    account: AccountOption = None,
    strategy: StrategyOption = None,
    everything: Annotated[bool, typer.Option("--all", help="The whole platform, for its owner.")] = False,
    confidence: Annotated[
        str, typer.Option("--confidence", metavar="SHARES", help="One or more, separated by commas.")
    ] = "0.95,0.99",
    horizon: Annotated[int, typer.Option("--horizon", metavar="DAYS", help="Over how many days.")] = 1,
    method: Annotated[
        str | None, typer.Option("--method", help="historical, normal, cornish-fisher or monte-carlo; else all.")
    ] = None,
    benchmark: Annotated[
        str | None, typer.Option("--benchmark", metavar="SYMBOL", help="What beta is against.")
    ] = None,
    days: Annotated[int, typer.Option("--days", help="How many daily returns to look back.")] = 250,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """VaR, CVaR, volatility, correlations, drawdown, beta, exposure and concentration."""
    if (account is not None) + (strategy is not None) + everything > 1:
        raise typer.BadParameter("name one of --account, --strategy and --all at most", param_hint="scope")
    with reporting(as_json=as_json):
        client = Client(home_of(home), options=_OPTIONS)
        asked = {"confidence": confidence, "horizon": horizon, "method": method, "benchmark": benchmark, "days": days}
        found = client.get(
            "/risk/metrics", **_scope(client, account=account, strategy=strategy, everything=everything), **asked
        )
        if as_json:
            print_json(found)
            return
        for place, book in enumerate(found["books"]):
            print("\n" * bool(place), end="")
            _print_book(found, book)
        if not found["books"]:
            print("There is no account yet.")


def _scope(client: Client, *, account: str | None, strategy: str | None, everything: bool) -> dict[str, Any]:
    if account is not None:
        return {"scope": "account", "id": the_account(client, account)["id"]}
    if strategy is not None:
        found = find(client.get("/strategies")["items"], strategy, what="strategy")
        return {"scope": "strategy", "id": found["id"]}
    return {"scope": "platform" if everything else "user"}


def _print_book(found: dict[str, Any], book: dict[str, Any]) -> None:
    history, exposure, currency = book["history"], book["exposure"], book["currency"]
    past = f"{history['returns']} days from {history['start']} to {history['end']}" if history["start"] else "none"
    print_fields(
        {
            "scope": f"{found['scope']} {found['name']}" if found["scope"] != "platform" else "platform",
            "at": found["at"],
            "capital": f"{book['capital']} {currency}",
            "gross exposure": f"{exposure['gross']} {currency}{_times(exposure['gross_leverage'])}",
            "net exposure": f"{exposure['net']} {currency}{_times(exposure['net_leverage'])}",
            "effective positions": _plain(book["effective_number"]),
            "diversification ratio": _plain(book["diversification_ratio"]),
            "volatility": _percent(book["volatility"]),
            "EWMA volatility": _percent(book["ewma_volatility"]),
            "drawdown": f"{_percent(book['drawdown'])}, at most {_percent(book['max_drawdown'])}",
            **({f"beta to {book['benchmark']}": _beta(book)} if book["benchmark"] else {}),
            "history": past,
            **({"lacking": history["lacking"]} if history["lacking"] else {}),
        }
    )
    if not book["holdings"]:
        print("Nothing is held.")
        return
    _print_tails(book)
    _print_holdings(book)
    _print_correlations(book)


def _print_tails(book: dict[str, Any]) -> None:
    rows = [
        [tail["method"], f"{tail['confidence']:.4g}", *(tail[name] or "" for name in ("var", "cvar")),
         _percent(tail["var_share"]) if tail["var"] else "", tail["lacking"] or ""]
        for tail in book["tails"]
    ]  # fmt: skip
    print()
    has_notes = any(row[-1] for row in rows)
    headings = ("method", "confidence", "VaR", "CVaR", "VaR of capital", "lacking")
    print_table(headings if has_notes else headings[:-1], rows if has_notes else [row[:-1] for row in rows])


def _print_holdings(book: dict[str, Any]) -> None:
    told = next((tail for tail in book["tails"] if tail["parts"]), None)
    parts = {part["symbol"]: part for part in told["parts"]} if told else {}
    rows = [
        [one["symbol"], one["quantity"], one["value"], _percent(one["share"]), _percent(one["volatility"]),
         _plain(one["beta"]), *(parts[one["symbol"]][name] if parts else "" for name in ("var", "cvar"))]
        for one in book["holdings"]
    ]  # fmt: skip
    print()
    of = f" ({told['method']}, {told['confidence']:.4g})" if told else ""
    print_table(("symbol", "quantity", "value", "share", "volatility", "beta", f"part of VaR{of}", "of CVaR"), rows)


def _print_correlations(book: dict[str, Any]) -> None:
    found = book["correlations"]
    if found is None or len(found["symbols"]) < 2:
        return
    print()
    rows = [[name, *map(_plain, row)] for name, row in zip(found["symbols"], found["rows"], strict=True)]
    print_table(("correlation", *found["symbols"]), rows)


def _percent(value: float | None) -> str:
    return "not known" if value is None else f"{value:.2%}"


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _times(value: float | None) -> str:
    return "" if value is None else f", {value:.2f} times capital"


def _beta(book: dict[str, Any]) -> str:
    return book["beta_lacking"] or _plain(book["beta"]) or "not defined"
