"""A search as it is kept: the backtest of what it chose, the table of what it tried, a summary, and the sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from evenkeel.research.backtest.result import BacktestResult
from evenkeel.research.report import Searched, search_sheet
from evenkeel.research.search.figures import FEASIBLE
from evenkeel.research.search.searching import SearchResult
from evenkeel.research.validation import Verdict
from evenkeel.research.walkforward import WalkForwardResult

if TYPE_CHECKING:
    import polars as pl

FRONT = "front"


class Concluded(NamedTuple):
    """`summary` is that of `result` with the search under "search"; `table` has a row a combination, or a window."""

    result: BacktestResult
    summary: dict[str, Any]
    table: pl.DataFrame
    report: str


def conclude(searched: Searched) -> Concluded:
    """Everything to be kept of it. Raises InvalidInput where the search chose nothing."""
    found, result = searched.found, searched.result
    summary = result.summary() | {"search": summary_of(searched)}
    table = found.to_frame() if isinstance(found, WalkForwardResult) else _table(found)
    return Concluded(result, summary, table, search_sheet(searched))


def summary_of(searched: Searched) -> dict[str, Any]:
    """What a search found, in plain values. `axes` are its parameters, in the order of the table's first columns."""
    found = searched.found
    refused = found.plan.space.refused
    said: dict[str, Any] = {
        "combinations": len(found.tried),
        "refused": len(refused),
        "first_refusal": None if not refused else f"{_spoken(refused[0].params)}: {refused[0].why}",
        "axes": list(found.plan.space.axes),
        "resumed": found.resumed,
        "verdict": None if searched.verdict is None else _verdict(searched.verdict),
        "unjudged": searched.unjudged or None,
    }
    if isinstance(found, WalkForwardResult):
        walked = {"windows": len(found.windows), "efficiency": found.efficiency, "consistency": found.consistency}
        return said | {"best": None, "feasible": None, "front": None} | walked
    feasible = int(found.table[FEASIBLE].sum()) if FEASIBLE in found.table.columns else len(found.table)
    best = {"best": found.best, "feasible": feasible, "front": len(found.front)}
    return said | best | dict.fromkeys(("windows", "efficiency", "consistency"))


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "trials": int(verdict.trials.number),
        "sharpe": verdict.sharpe,
        "sharpe_by_luck": verdict.sharpe_by_luck,
        "deflated_sharpe": verdict.deflated_sharpe,
        "probability_of_overfitting": verdict.probability,
        "probability_of_loss": verdict.overfitting.loss_probability,
    }


def _table(found: SearchResult) -> pl.DataFrame:
    """In the order tried; with several objectives, a column says which rows no other beats in all of them."""
    import polars as pl

    if len(found.objectives) == 1:
        return found.table
    axes = list(found.plan.space.axes)
    kept = set(found.front.select(axes).iter_rows())
    on_front = [row in kept for row in found.table.select(axes).iter_rows()]
    return found.table.with_columns(pl.Series(FRONT, on_front, dtype=pl.Boolean))


def _spoken(params: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in params.items())
