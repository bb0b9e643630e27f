"""What backtests and searches found, as a person reads it on a terminal, and as plain values."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evenkeel.cli.common import print_fields, wrapped

if TYPE_CHECKING:
    import polars as pl

    from evenkeel.research.backtest.result import BacktestResult

_TABLES = (".csv", ".parquet")
_HEADLINE = (
    "total_return", "cagr", "volatility", "sharpe", "sortino", "max_drawdown", "calmar", "time_in_market", "win_rate",
    "profit_factor", "benchmark_total_return",
)  # fmt: skip
_CARRIED = {"interest": "interest", "borrow_fees": "borrow fees", "dividends": "dividends"}


def print_result(result: "BacktestResult") -> None:
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
            "fills": f"{summary['fills']:,} of {summary['orders']:,} orders, in {summary['trades']:,} trades, "
            f"{summary['fees']:,.2f} in fees",
            **{title: f"{summary[name]:,.2f}" for name, title in _CARRIED.items() if summary[name]},
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


def verdict_of(search: Mapping[str, Any]) -> dict[str, Any]:
    """How a search stands, by the summary that is kept of it: a line a figure, with what is not known left out."""
    verdict = search["verdict"] or {}
    said = {
        "combinations": search["combinations"],
        "left_out": search["refused"] or None,
        "windows": search["windows"],
        "efficiency": search["efficiency"],
        "consistency": search["consistency"],
        **{name: verdict.get(name) for name in ("sharpe_by_luck", "deflated_sharpe", "probability_of_overfitting")},
        "not_judged": search["unjudged"],
    }
    return {name: value for name, value in said.items() if value is not None}


def windows_shown(frame: "pl.DataFrame", axes: Sequence[str], *, objective: str) -> "pl.DataFrame":
    """The columns of a walk-forward's table that fit a screen: when, with what, and what came of it."""
    import polars as pl

    figures = [f"in_{objective}", f"out_{objective}", "out_total_return", "out_max_drawdown", "out_trades"]
    dates = [pl.col(name).dt.date() for name in ("train_start", "test_start", "test_end")]
    return frame.select(*dates, *axes, *dict.fromkeys(name for name in figures if name in frame.columns))


def check_places(html: Path | None, table: Path | None = None) -> None:
    """Raises InvalidInput where these files could not be written, before anything is run."""
    from evenkeel.research.report.writing import check_place, refused

    if table is not None and table.suffix not in _TABLES:
        raise refused(table, f"{table.suffix or 'no ending'} is no table", hint=f"End it in {' or '.join(_TABLES)}.")
    for path in (html, table):
        if path is not None:
            check_place(path)


def table_written(frame: "pl.DataFrame", path: Path) -> Path:
    """Writes a table as CSV or Parquet, by its ending."""
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path)
    return path


def rows_of(frame: "pl.DataFrame") -> list[dict[str, Any]]:
    """The rows in plain values: times as text, what is undefined as None."""
    return [
        {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
        for row in frame.iter_rows(named=True)
    ]


def cell(value: Any) -> str:
    """A figure as a table shows it."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.2f}"
    return str(value)
