"""`sweep`: every combination of a grid of parameters, one row each."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.research.backtest.finding import StrategyLike
from evenkeel.research.backtest.run import History
from evenkeel.research.search.bench import FiguresBench, Trial
from evenkeel.research.search.figures import COUNTS, FEASIBLE, Figures, higher_is_better, is_ruined
from evenkeel.research.search.plan import Axes, SearchOptions, examine_some, plan_of
from evenkeel.research.search.session import Session
from evenkeel.research.search.space import Refusal, Space, left_out
from evenkeel.trading.strategies.parameters import Params

if TYPE_CHECKING:
    import polars as pl


class SweepOptions(SearchOptions, total=False):
    """`sort`: a column to sort the rows by, the best first."""

    sort: str | None


class CombinationsRefused(UserWarning):
    """Some combinations of a grid were left out, since the strategy or a constraint refuses them."""


@dataclass(frozen=True, eq=False)
class SweepResult:
    """`table` has a row a combination, `refused` what was left out, and `resumed` counts what a study already held."""

    table: pl.DataFrame
    refused: tuple[Refusal, ...]
    resumed: int

    @property
    def warning(self) -> str | None:
        """What was left out, in words; None where nothing was."""
        return left_out(self.refused, ran=len(self.table))


def sweep(strategy: StrategyLike, bars: History, *, grid: Axes, **how: Unpack[SweepOptions]) -> pl.DataFrame:
    """Runs every combination of `grid` (name to values, or a Range with a step) and gives a frame: parameters, then
    figures, one row each, in the order of the grid (the last parameter changes fastest) unless sorted.

    Undefined figures are null. Combinations that the strategy's own `check` refuses are left out, with a warning
    `CombinationsRefused` that counts them. The look-ahead check takes the first and last combination, and the first
    of each choice of flags and texts. Raises InvalidInput, NotFound, Conflict (a study in use), and what the strategy
    raises, with a note that names the combination.
    """
    result = run_sweep(strategy, bars, grid=grid, **how)
    if result.warning is not None:
        warnings.warn(result.warning, CombinationsRefused, stacklevel=2)
    return result.table


def run_sweep(strategy: StrategyLike, bars: History, *, grid: Axes, **how: Unpack[SweepOptions]) -> SweepResult:
    """As `sweep`, with what was left out beside the table."""
    own: dict[str, Any] = dict(how)
    sort = own.pop("sort", None)
    bench, space, rules, _ = plan_of(strategy, bars, grid, own)
    if rules.on_figures:
        raise InvalidInput(f"a sweep keeps every row, whatever its figures: leave out {rules.on_figures[0]}")
    _check_sort(sort, bench, space)
    every = space.every()
    if own.get("check", True):
        examine_some(bench, every)
    with Session(bench, own, objective=_objective(sort, bench)) as session:
        session.total = len(every)
        rows = session.run([Trial(params) for params in every])
    table = table_of(list(space.axes), every, rows, names=bench.names)
    if any(is_ruined(row) for row in rows):
        table = _with_feasible(table, rows)
    return SweepResult(_sorted(table, sort), tuple(space.refused), session.resumed)


def table_of(
    axes: Sequence[str], every: Sequence[Params], rows: Sequence[Figures], *, names: Sequence[str]
) -> pl.DataFrame:
    """The frame of these combinations: the searched parameters, then the figures."""
    import polars as pl

    parameters = {f"{name}": [params[name] for params in every] for name in axes}
    kinds = {name: pl.Int64 if name in COUNTS else pl.Float64 for name in names}
    figures = {name: pl.Series([row[name] for row in rows], dtype=kind) for name, kind in kinds.items()}
    clash = [name for name in parameters if name in figures]
    return pl.DataFrame(
        {(f"param_{name}" if name in clash else name): one for name, one in parameters.items()} | figures
    )


def _with_feasible(table: pl.DataFrame, rows: Sequence[Figures]) -> pl.DataFrame:
    import polars as pl

    return table.with_columns(pl.Series(FEASIBLE, [not is_ruined(row) for row in rows], dtype=pl.Boolean))


def _check_sort(sort: str | None, bench: FiguresBench, space: Space) -> None:
    columns = [*space.axes, *bench.names]
    if sort is not None and sort not in columns:
        message = f"there is no column {sort!r}; expected one of {', '.join(columns)}"
        raise InvalidInput(f"sort: {message}", errors=(FieldError("sort", message),))


def _objective(sort: str | None, bench: FiguresBench) -> str | None:
    """The figure by which one row is the best so far."""
    directed = [name for name in bench.names if higher_is_better(name) is not None]
    if sort in directed:
        return sort
    return "sharpe" if "sharpe" in directed else next(iter(directed), None)


def _sorted(table: pl.DataFrame, sort: str | None) -> pl.DataFrame:
    if sort is None:
        return table
    by, ways = [sort], [bool(higher_is_better(sort))]
    if FEASIBLE in table.columns:
        by, ways = [FEASIBLE, *by], [True, *ways]
    return table.sort(by, descending=ways, nulls_last=True, maintain_order=True)
