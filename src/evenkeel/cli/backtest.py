"""`evenkeel backtest`: strategies on history, from a file or from the home's stored bars. Needs no running server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenkeel.cli import history as h
from evenkeel.cli import kept as k
from evenkeel.cli import results as r
from evenkeel.cli import searches
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    examples,
    print_json,
    progress,
    reporting,
)
from evenkeel.cli.library import the_strategy
from evenkeel.cli.place import DatabaseOption

if TYPE_CHECKING:
    from evenkeel.desk.backtests import Asked
    from evenkeel.research.backtest.result import BacktestResult

app = typer.Typer(no_args_is_help=True)


@app.command(
    "run",
    epilog=examples(
        "evenkeel backtest run --strategy sma-crossover --data prices.csv --param fast=10 --param slow=50",
        "evenkeel backtest run --strategy mine.py --symbol AAPL --size 50% --fees us-per-share --html sheet.html",
        "evenkeel backtest run --strategy rsi --data gold.parquet --stop-loss 0.02 --fees-bps 1 --json",
    ),
)
@h.on_history(after="strategy")
def run(
    asked: typer.Context,
    strategy: h.StrategyOption,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the tear sheet there.")] = None,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="DIR", help="Write fills, trades and equity there as CSV.")
    ] = None,
    keep: k.KeepOption = False,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """One backtest: what a strategy would have made, with what it cost."""
    from evenkeel.research.backtest.run import backtest

    with reporting(as_json=as_json):
        r.check_places(html)
        place = k.kept(home, database_url) if keep else None
        given = asked.params
        history = h.history_given(given)
        named = the_strategy(home, strategy, h.given(given["params"]))
        ways: dict[str, Any] = {name: given[name] for name in ("engine", "risk_free")}
        with progress(quiet=as_json) as tell:
            result = backtest(
                named.strategy, history, params=named.parameters, progress=lambda done, of: tell("running", done, of),
                **ways, **h.terms_of(asked, named, history),
            )  # fmt: skip
        written = _written(result, html, export)
        row = None if place is None else _kept(place, k.asked_of(given, history, result.terms.sizing), result)
        if as_json:
            print_json(result.summary() | ({} if row is None else {"kept": row}))
            return
        r.print_result(result)
        for path in written:
            print(f"written: {path}")
        if row is not None:
            print(f"kept: {row}")


def _kept(place: k.Kept, asked: "Asked", result: "BacktestResult") -> str:
    from evenkeel.research.report import tear_sheet

    return k.keep(place, asked, k.Result(result, result.summary(), tear_sheet(result))).id


def _written(result: "BacktestResult", html: Path | None, export: Path | None) -> list[Path]:
    from evenkeel.research.report import export as exported
    from evenkeel.research.report import write_tear_sheet

    paths = [write_tear_sheet(result, html)] if html is not None else []
    return paths + (exported(result, export) if export is not None else [])


app.command("sweep", epilog=searches.SWEEP_EXAMPLES)(searches.sweep)
app.command("walk-forward", epilog=searches.WALK_EXAMPLES)(searches.walk_forward)
app.command("list", epilog=k.LIST_EXAMPLES)(k.list_kept)
app.command("show", epilog=k.SHOW_EXAMPLES)(k.show)
app.command("compare", epilog=k.COMPARE_EXAMPLES)(k.compare)
