"""`search`: the best combinations of a space too large to try them all, by one objective or several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Unpack

import numpy as np

from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.strategies import Scalar
from evenkeel.research.backtest.finding import StrategyLike
from evenkeel.research.backtest.result import BacktestResult
from evenkeel.research.backtest.run import History
from evenkeel.research.search.bench import Place, Span, Trial
from evenkeel.research.search.figures import FEASIBLE, Figures, higher_is_better, is_ruined, score
from evenkeel.research.search.plan import Axes, Plan, SearchOptions, examine_some, plan_of
from evenkeel.research.search.proposers import Method, Proposer, proposer
from evenkeel.research.search.session import Session
from evenkeel.research.search.space import Refusal
from evenkeel.research.search.study import key_of
from evenkeel.research.search.sweep import table_of
from evenkeel.trading.strategies.parameters import Params

if TYPE_CHECKING:
    import polars as pl


class Found(NamedTuple):
    """A combination that was run."""

    params: Params
    figures: Figures


@dataclass(frozen=True, eq=False)
class SearchResult:
    """`table`: one row a combination, in the order tried. With constraints on figures, or where an
    account was ruined, it says which are `feasible`.

    `best`: parameters of the best feasible row by the first objective, None where none has one. `front`: the rows
    that no other beats in every objective (one row for a single objective). `refused` may not run; `resumed` counts
    rows that a study already held. `tried` are all parameters of each row, `chosen` those of the best.
    """

    table: pl.DataFrame
    best: dict[str, Scalar] | None
    front: pl.DataFrame
    objectives: tuple[str, ...]
    refused: tuple[Refusal, ...]
    resumed: int
    plan: Plan = field(repr=False)
    tried: tuple[Params, ...] = field(repr=False)
    chosen: Params | None = field(repr=False)

    @cached_property
    def result(self) -> BacktestResult:
        """The whole backtest of the best. Raises InvalidInput where there is none."""
        if self.chosen is None:
            raise InvalidInput(
                f"none of {len(self.table):,} combinations qualifies",
                hint="Loosen the constraints, or search elsewhere: the objective must be defined for one of them.",
            )
        return Place(self.plan.bench, self.plan.bench.series).result(self.chosen)

    def ranked(self) -> pl.DataFrame:
        """The table with the best first by the first objective; what is not feasible, or undefined, comes last."""
        return ranked(self.table, self.objectives[0])


def ranked(table: pl.DataFrame, objective: str) -> pl.DataFrame:
    """Rows of a search, the best first; what is not feasible, or undefined, comes last."""
    by, ways = [objective], [bool(higher_is_better(objective))]
    if FEASIBLE in table.columns:
        by, ways = [FEASIBLE, *by], [True, *ways]
    return table.sort(by, descending=ways, nulls_last=True, maintain_order=True)


def search(
    strategy: StrategyLike,
    bars: History,
    *,
    space: Axes,
    objective: str | Sequence[str] = "sharpe",
    method: Method = "random",
    trials: int = 100,
    seed: int = 0,
    **how: Unpack[SearchOptions],
) -> SearchResult:
    """Looks for the best combinations in `space` (name to values, or a Range).

    `method`: grid (all of them), random (without repeats), tpe (Bayesian) or nsga2 (genetic, for several objectives);
    the last two need the extra `evenkeel[search]`. Each objective is maximised or minimised as the figure is better.
    `trials`: how many combinations to try. The look-ahead check takes some of the first batch, and the winner.
    Raises InvalidInput, NotFound, Conflict (a study in use), and what the strategy raises, with a note.
    """
    aims = [objective] if isinstance(objective, str) else list(objective)
    if not aims:
        raise InvalidInput("a search needs an objective, such as sharpe")
    plan = plan_of(strategy, bars, space, how, objectives=aims)
    source, check = proposer(plan, method=method, trials=trials, seed=seed), how.get("check", True)
    with Session(plan.bench, how, objective=plan.objectives[0]) as session:
        session.total = trials if method in ("tpe", "nsga2") else 0  # the others are known at once
        found = explore(plan, session, source, check=check)
    allowed = [one for one in found if plan.rules.allow(*one)]
    best = best_of(allowed, plan.objectives[0])
    if best is not None and check:
        examine_some(plan.bench, [best.params])
    return SearchResult(
        table=_table(plan, found),
        best=None if best is None else {name: best.params[name] for name in plan.space.axes},
        front=_table(plan, _front(allowed, plan.objectives)),
        objectives=plan.objectives,
        refused=tuple(plan.space.refused),
        resumed=session.resumed,
        plan=plan,
        tried=tuple(one.params for one in found),
        chosen=None if best is None else best.params,
    )


def explore(
    plan: Plan, session: Session, source: Proposer, *, span: Span | None = None, check: bool = True
) -> list[Found]:
    """Runs what the proposer asks for until it asks no more; each combination once, in the order it came up."""
    found: dict[str, Found] = {}
    while batch := source.propose():
        if check and not found:
            examine_some(plan.bench, batch)
        rows = session.run([Trial(params, span) for params in batch])
        source.hear(rows)
        for params, figures in zip(batch, rows, strict=True):
            found.setdefault(key_of(params, span), Found(params, figures))
    return list(found.values())


def best_of(found: Iterable[Found], objective: str) -> Found | None:
    """The first of the best; None where the objective is defined for none."""
    defined = [one for one in found if one.figures[objective] is not None]
    return max(defined, key=lambda one: score(one.figures, objective), default=None)


def _front(found: Sequence[Found], objectives: Sequence[str]) -> list[Found]:
    """Those that no other is as good as in every objective and better in one."""
    defined = [one for one in found if all(one.figures[name] is not None for name in objectives)]
    scores = np.array([[score(one.figures, name) for name in objectives] for one in defined])
    kept = [
        one
        for one, mine in zip(defined, scores, strict=True)
        if not ((scores >= mine).all(axis=1) & (scores > mine).any(axis=1)).any()
    ]
    return kept if len(objectives) > 1 else kept[:1]


def _table(plan: Plan, found: Sequence[Found]) -> pl.DataFrame:
    import polars as pl

    table = table_of(
        list(plan.space.axes),
        [one.params for one in found],
        [one.figures for one in found],
        names=plan.bench.names,
    )
    if not plan.rules.on_figures and not any(is_ruined(one.figures) for one in found):
        return table
    return table.with_columns(pl.Series(FEASIBLE, [plan.rules.allow(*one) for one in found], dtype=pl.Boolean))
