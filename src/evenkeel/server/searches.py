"""What the API says of sweeps and walk-forwards: what was asked, what came out, their rows, and heat maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from evenkeel.desk.backtests import Asked, Method, Stretch, finite
from evenkeel.domain import clock
from evenkeel.domain.strategies import Scalar
from evenkeel.server.schemas import Moment

if TYPE_CHECKING:
    import polars as pl

    from evenkeel.research.report.heat import HeatGrid

EDGES = ("train_start", "train_end", "test_start", "test_end")
FEASIBLE, FRONT = "feasible", "front"


class WalkTerms(Struct):
    """Lengths in bars."""

    train: int
    test: int
    embargo: int
    anchored: bool


class SearchTerms(Struct):
    """Where and how it was searched, as it can be sent again."""

    space: dict[str, list[Scalar] | Stretch]
    method: Method
    objectives: list[str]
    constraints: list[str]
    trials: int
    seed: int
    walk: WalkTerms | None


class Luck(Struct):
    """How far the choice can be trusted. Sharpe ratios are annual; `sharpe_by_luck` is what the best of as many
    worthless trials would show. Probabilities are from 0 to 1."""

    trials: int
    sharpe: float | None
    sharpe_by_luck: float | None
    deflated_sharpe: float | None
    probability_of_overfitting: float | None
    probability_of_loss: float | None


class SearchSummary(Struct):
    """What a search found. `refused` combinations may not run; `feasible` ones meet all constraints; `front` counts
    those that no other beats in every objective. `verdict` is null where `unjudged` says why. The last three are of a
    walk-forward, which has no `best`."""

    combinations: int
    refused: int
    first_refusal: str | None
    axes: list[str]
    best: dict[str, Scalar] | None
    feasible: int | None
    front: int | None
    verdict: Luck | None
    unjudged: str | None
    windows: int | None
    efficiency: float | None
    consistency: float | None


class CombinationOut(Struct):
    """A combination that was run; `front` is null where there is one objective."""

    id: str
    parameters: dict[str, Scalar]
    figures: dict[str, float | None]
    feasible: bool
    front: bool | None


class WindowOut(Struct):
    """A window of a walk-forward: parameters that were best of `tried` in training, null where none qualified; figures
    of them in training, and of trading the test alone."""

    id: str
    train_start: Moment
    train_end: Moment
    test_start: Moment
    test_end: Moment
    parameters: dict[str, Scalar] | None
    tried: int
    in_sample: dict[str, float | None]
    out_of_sample: dict[str, float | None]


class HeatAxis(Struct):
    name: str
    values: list[Scalar]


class HeatMapOut(Struct):
    """`cells` has a row for each value of `y` (one row where there is no `y`), null where nothing was run."""

    x: HeatAxis
    y: HeatAxis | None
    value: str
    higher_is_better: bool | None
    others: str
    cells: list[list[float | None]]


def terms(asked: Asked) -> SearchTerms | None:
    search = asked.search
    if search is None:
        return None
    walk = None
    if search.train is not None and search.test is not None:
        walk = WalkTerms(search.train, search.test, search.embargo, search.anchored)
    space = {name: one if isinstance(one, Stretch) else list(one) for name, one in search.space.items()}
    return SearchTerms(
        space, search.method, list(search.objectives), list(search.constraints), search.trials, search.seed, walk
    )


def summary(said: Mapping[str, Any]) -> SearchSummary | None:
    """That of a stored summary; None for a single backtest."""
    found = said.get("search")
    return None if found is None else msgspec.convert(found, SearchSummary)


def combinations(rows: pl.DataFrame, places: list[int], axes: int) -> list[CombinationOut]:
    """The rows, which are those at these places in the order tried; their first `axes` columns are parameters."""
    parameters = rows.columns[:axes]
    figures = [name for name in rows.columns[axes:] if name not in (FEASIBLE, FRONT)]
    return [
        CombinationOut(
            id=str(place),
            parameters={name: row[name] for name in parameters},
            figures=finite({name: row[name] for name in figures}),
            feasible=row.get(FEASIBLE, True),
            front=row.get(FRONT),
        )
        for place, row in zip(places, rows.iter_rows(named=True), strict=True)
    ]


def windows(rows: pl.DataFrame, start: int) -> list[WindowOut]:
    """The rows, the first of which is window `start`. Columns between the edges and `tried` are parameters."""
    names = rows.columns
    parameters = names[len(EDGES) : names.index("tried")]
    found = []
    for place, row in enumerate(rows.iter_rows(named=True), start):
        chosen = {name: row[name] for name in parameters if row[name] is not None}
        found.append(
            WindowOut(
                id=str(place),
                **{name: clock.iso(clock.to_ns(row[name])) for name in EDGES},
                parameters=chosen or None,
                tried=row["tried"],
                in_sample=_figures(row, "in_"),
                out_of_sample=_figures(row, "out_"),
            )
        )
    return found


def _figures(row: Mapping[str, Any], prefix: str) -> dict[str, float | None]:
    figures: dict[str, float | None] = finite(
        {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)}
    )
    return figures


def heat_map(grid: HeatGrid, *, others: str, higher_is_better: bool | None) -> HeatMapOut:
    x, y, value = grid.names
    return HeatMapOut(
        x=HeatAxis(x, grid.xs),
        y=HeatAxis(y, grid.ys) if y else None,
        value=value,
        higher_is_better=higher_is_better,
        others=others,
        cells=finite(grid.values.tolist()),
    )
