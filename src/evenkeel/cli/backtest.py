"""`evenkeel backtest`: strategies on history, from a file or from the home's stored bars. Needs no running server."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenkeel.cli import history as h
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    examples,
    print_fields,
    print_json,
    print_table,
    progress,
    reporting,
    wrapped,
)

if TYPE_CHECKING:
    import polars as pl

    from evenkeel.research.backtest.result import BacktestResult
    from evenkeel.research.walkforward import WalkForwardResult

app = typer.Typer(name="backtest", help="Strategies on history.", no_args_is_help=True)
# The terms of a backtest (cash, size, fees, stops …) are options of every command here, and read from `asked`.

_HEADLINE = (
    "total_return", "cagr", "volatility", "sharpe", "sortino", "max_drawdown", "calmar", "time_in_market", "win_rate",
    "profit_factor", "benchmark_total_return",
)  # fmt: skip


@app.command(
    "run",
    epilog=examples(
        "evenkeel backtest run --strategy sma-crossover --data prices.csv --param fast=10 --param slow=50",
        "evenkeel backtest run --strategy mine.py --symbol AAPL --size 50% --fees us-per-share --html sheet.html",
        "evenkeel backtest run --strategy rsi --data gold.parquet --stop-loss 0.02 --fees-bps 1 --json",
    ),
)
def run(
    asked: typer.Context,
    strategy: h.StrategyOption,
    data: h.DataOption = None,
    symbols: h.SymbolOption = None,
    timeframe: h.TimeframeOption = "1d",
    start: h.StartOption = None,
    end: h.EndOption = None,
    params: h.ParamOption = None,
    cash: h.CashOption = "100000",
    size: h.SizeOption = "100%",
    fees: h.FeesOption = None,
    fees_bps: h.FeesBpsOption = None,
    fill: h.FillOption = "next-open",
    slippage_bps: h.SlippageOption = 0.0,
    spread_share: h.SpreadOption = 0.0,
    stop_loss: h.StopOption = None,
    take_profit: h.TargetOption = None,
    trailing_stop: h.TrailOption = None,
    engine: h.EngineOption = "auto",
    risk_free: h.RiskFreeOption = 0.0,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the tear sheet there.")] = None,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="DIR", help="Write fills, trades and equity there as CSV.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """One backtest: what a strategy would have made, with what it cost."""
    from evenkeel.research.backtest.run import backtest

    with reporting(as_json=as_json):
        history = h.history_of(home, data, symbols, timeframe=timeframe, start=start, end=end)
        options = h.options_of(asked.params)
        chosen: Any = engine
        values = {name: h.value_of(text) for name, text in h.pairs(params or [], "--param").items()}
        result = backtest(strategy, history, params=values, engine=chosen, risk_free=risk_free, **options)
        written = _written(result, html, export)
        if as_json:
            print_json(result.summary())
            return
        _print(result)
        for path in written:
            print(f"written: {path}")


def _written(result: "BacktestResult", html: Path | None, export: Path | None) -> list[Path]:
    from evenkeel.research.report import export as exported
    from evenkeel.research.report import write_tear_sheet

    paths = [write_tear_sheet(result, html)] if html is not None else []
    return paths + (exported(result, export) if export is not None else [])


def _print(result: "BacktestResult") -> None:
    """The result as a person reads it: what was asked, what came out, and what to be wary of."""
    from evenkeel.quant.analytics import METRICS

    summary = result.summary()
    said = " ".join(f"{name}={value}" for name, value in result.params.items())
    start, end, bars = summary["start"][:10], summary["end"][:10], f"{summary['bars']:,} bars"
    print(f"{result.strategy} {said}".rstrip())
    print_fields(
        {
            "symbols": summary["symbols"],
            "period": f"{start} to {end}, {bars} of {summary['timeframe']}",
            "engine": summary["engine"],
            "final equity": f"{summary['final_equity']:,.2f} {summary['currency']} of {summary['cash']:,.2f}",
            "fills": f"{summary['fills']:,} in {summary['trades']:,} trades, {summary['fees']:,.2f} in fees",
        }
    )
    units = {metric.name: metric for metric in METRICS}
    shown = {units[name].title: _figure(summary["metrics"][name], units[name].unit) for name in _HEADLINE}
    print_fields({title.lower(): text for title, text in shown.items()})
    print(f"periods a year: {summary['periods_per_year']:g} ({summary['periods_basis']})")
    for warning in summary["warnings"]:
        print(wrapped(f"Note: {warning}"))


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "not defined"
    return f"{value:.2%}" if unit == "fraction" else f"{value:,.2f}"


_TOP = Annotated[int, typer.Option("--top", min=1, help="Rows to show.")]
_TABLE = Annotated[Path | None, typer.Option("--table", metavar="FILE", help="Write every row as .csv or .parquet.")]
_SHEET = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write the winner's tear sheet, with the odds of luck.")
]


@app.command(
    "sweep",
    epilog=examples(
        "evenkeel backtest sweep --strategy sma-crossover --data gold.parquet --grid fast=5:25 --grid slow=30:230:4",
        "evenkeel backtest sweep --strategy rsi --symbol AAPL --grid period=7,14,21 --study rsi --workers 0",
        note="Stop it at any time: with --study, the same command goes on where it was.",
    ),
)
def sweep(
    asked: typer.Context,
    strategy: h.StrategyOption,
    grid: h.GridOption,
    data: h.DataOption = None,
    symbols: h.SymbolOption = None,
    timeframe: h.TimeframeOption = "1d",
    start: h.StartOption = None,
    end: h.EndOption = None,
    params: h.ParamOption = None,
    cash: h.CashOption = "100000",
    size: h.SizeOption = "100%",
    fees: h.FeesOption = None,
    fees_bps: h.FeesBpsOption = None,
    fill: h.FillOption = "next-open",
    slippage_bps: h.SlippageOption = 0.0,
    spread_share: h.SpreadOption = 0.0,
    stop_loss: h.StopOption = None,
    take_profit: h.TargetOption = None,
    trailing_stop: h.TrailOption = None,
    engine: h.EngineOption = "auto",
    risk_free: h.RiskFreeOption = 0.0,
    where: h.WhereOption = None,
    objective: h.ObjectiveOption = "sharpe",
    workers: h.WorkersOption = 1,
    study: h.StudyOption = None,
    top: _TOP = 10,
    table: _TABLE = None,
    html: _SHEET = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Every combination of parameters, the best first; with --html, how far the winner can be trusted."""
    from evenkeel.research.search.sweep import run_sweep
    from evenkeel.research.validation import overfitting

    with reporting(as_json=as_json):
        bars = h.history_of(home, data, symbols, timeframe=timeframe, start=start, end=end)
        how: dict[str, Any] = {
            **h.options_of(asked.params), **h.searched(params, where, engine),
            "risk_free": risk_free, "workers": workers,
        }  # fmt: skip
        axes = h.axes_of(grid)
        with _told(objective, quiet=as_json) as tell:
            found = run_sweep(strategy, bars, grid=axes, sort=objective, study=study, progress=tell, **how)
        verdict = overfitting(strategy, bars, grid=axes, **how) if html is not None else None
        written = _table_written(found.table, table)
        if verdict is not None and html is not None:
            written.append(verdict.result.to_html(html))
        said: dict[str, Any] = {
            "combinations": len(found.table),
            "resumed": found.resumed,
            "left_out": len(found.refused),
        }
        if verdict is not None:
            said |= {"probability_of_overfitting": verdict.probability, "deflated_sharpe": verdict.deflated_sharpe}
        _show(found.table, said, written, top=top, as_json=as_json)


@app.command(
    "walk-forward",
    epilog=examples(
        "evenkeel backtest walk-forward --strategy rsi --data gold.csv --grid period=7:28:7 --train 6000 --test 1500",
    ),
)
def walk_forward(
    asked: typer.Context,
    strategy: h.StrategyOption,
    grid: h.GridOption,
    train: Annotated[int, typer.Option("--train", min=2, help="Bars to choose on.")],
    test: Annotated[int, typer.Option("--test", min=1, help="Bars to trade on next, and to step on by.")],
    data: h.DataOption = None,
    symbols: h.SymbolOption = None,
    timeframe: h.TimeframeOption = "1d",
    start: h.StartOption = None,
    end: h.EndOption = None,
    params: h.ParamOption = None,
    cash: h.CashOption = "100000",
    size: h.SizeOption = "100%",
    fees: h.FeesOption = None,
    fees_bps: h.FeesBpsOption = None,
    fill: h.FillOption = "next-open",
    slippage_bps: h.SlippageOption = 0.0,
    spread_share: h.SpreadOption = 0.0,
    stop_loss: h.StopOption = None,
    take_profit: h.TargetOption = None,
    trailing_stop: h.TrailOption = None,
    engine: h.EngineOption = "auto",
    risk_free: h.RiskFreeOption = 0.0,
    where: h.WhereOption = None,
    objective: h.ObjectiveOption = "sharpe",
    anchored: Annotated[bool, typer.Option("--anchored", help="Choose on everything since the first bar.")] = False,
    embargo: Annotated[int, typer.Option("--embargo", min=0, help="Bars left out between the two.")] = 0,
    workers: h.WorkersOption = 1,
    study: h.StudyOption = None,
    table: _TABLE = None,
    html: _SHEET = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Choose parameters on one stretch, trade them on the next, and so on: what choosing would have made."""
    from evenkeel.research.walkforward import walk_forward as walked

    with reporting(as_json=as_json):
        bars = h.history_of(home, data, symbols, timeframe=timeframe, start=start, end=end)
        how: dict[str, Any] = {
            **h.options_of(asked.params), **h.searched(params, where, engine),
            "risk_free": risk_free, "workers": workers,
            "study": study, "anchored": anchored, "embargo": embargo, "objective": objective,
        }  # fmt: skip
        with _told(objective, quiet=as_json) as tell:
            found = walked(strategy, bars, train=train, test=test, grid=h.axes_of(grid), progress=tell, **how)
        written = _table_written(found.to_frame(), table)
        if html is not None:
            written.append(found.result.to_html(html))
        said = {"windows": len(found.windows), "efficiency": found.efficiency, "consistency": found.consistency}
        if as_json:
            print_json(said | {"out_of_sample": found.result.summary(), "rows": h.rows_of(found.to_frame())})
            return
        _show(_windows(found, objective), said, [], top=len(found.windows), as_json=False)
        _print(found.result)
        for path in written:
            print(f"written: {path}")


def _windows(found: "WalkForwardResult", objective: str) -> "pl.DataFrame":
    """The columns of its table that fit a screen: when, with what, and what came of it."""
    import polars as pl

    frame = found.to_frame()
    names = sorted({name for window in found.windows for name in window.params or {}})
    figures = [f"in_{objective}", f"out_{objective}", "out_total_return", "out_max_drawdown", "out_trades"]
    dates = [pl.col(name).dt.date() for name in ("train_start", "test_start", "test_end")]
    return frame.select(*dates, *names, *dict.fromkeys(name for name in figures if name in frame.columns))


@contextmanager
def _told(objective: str, *, quiet: bool) -> Iterator[Callable[[int, int, Any], None]]:
    """A function to tell (done, of, best row so far), drawn as a bar with the best figure on a terminal."""
    with progress(quiet=quiet) as tell:

        def told(done: int, of: int, best: Any) -> None:
            figure = best.get(objective) if best else None
            tell(f"best {objective} {figure:.3g}" if isinstance(figure, int | float) else "running", done, of)

        yield told


def _table_written(frame: "pl.DataFrame", path: Path | None) -> list[Path]:
    if path is None:
        return []
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path)
    return [path]


def _show(frame: "pl.DataFrame", said: dict[str, Any], written: list[Path], *, top: int, as_json: bool) -> None:
    rows = h.rows_of(frame.head(top))
    if as_json:
        print_json(said | {"rows": h.rows_of(frame)})
        return
    print_table(frame.columns, [[h.cell(value) for value in row.values()] for row in rows], empty="No combination ran.")
    print_fields({name: h.cell(value) for name, value in said.items()})
    for path in written:
        print(f"written: {path}")
