"""Sweeps and walk-forwards: asked for here, checked before they are queued, looked at row by row when they are done.

Everything else about them (state, equity, sheet, comparison, cancelling) is as with single backtests.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from math import isfinite
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import Depends, Request, Response

from evenkeel.desk.backtests import Backtest, Search, Stretch
from evenkeel.desk.permissions import Permission
from evenkeel.domain.errors import Conflict, FieldError, InvalidInput
from evenkeel.research import keeping
from evenkeel.server import backtests as b
from evenkeel.server import requests, searches, wire
from evenkeel.server import schemas as s
from evenkeel.server import search_requests as asked
from evenkeel.server.api.backtesting import NAMES, ONE, PATH, done, row_of, submitted
from evenkeel.server.api.templates import check_printable, chosen
from evenkeel.server.contract import Endpoint, Link
from evenkeel.server.listing import BAD_CURSOR
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant, parts_of, tenant
from evenkeel.trading.strategies.configured import Chosen
from evenkeel.trading.strategies.registry import AnyStrategy

if TYPE_CHECKING:
    import polars as pl

MOST_COMBINATIONS = 100_000
MOST_VALUES = 10_000


async def run_sweep(request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """Queues a sweep. It shares the machine with whoever trades and gives way to them; killed with the server, it goes
    on where it was when that starts again."""
    given = await wire.body(request, asked.NewSweep)
    return await _submit(seen, parts, given, Search(**_common(given), objectives=tuple(given.objectives)))


async def run_walk_forward(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Queues a walk-forward: a sweep in each window, and one record of trading what was chosen. It survives the server
    as a sweep does."""
    given = await wire.body(request, asked.NewWalkForward)
    lengths = {name: getattr(given, name) for name in ("train", "test", "embargo", "anchored")}
    return await _submit(seen, parts, given, Search(**_common(given), objectives=(given.objective,), **lengths))


def _common(given: asked.NewSearch) -> dict[str, Any]:
    space = {name: one if isinstance(one, Stretch) else tuple(one) for name, one in given.space.items()}
    rest = {name: getattr(given, name) for name in ("method", "trials", "seed")}
    return {"space": space, "constraints": tuple(given.constraints), **rest}


async def _submit(seen: Tenant, parts: AppParts, given: asked.NewSearch, search: Search) -> Response:
    fields = wire.Fields()
    code = await chosen(seen, parts, given.strategy, values={}, fields=fields, field="strategy")
    check_printable(given.parameters, fields)
    _check_space(search, fields)
    if not fields.faults:
        templates = await asyncio.to_thread(parts.templates)
        strategy = await asyncio.to_thread(templates.create, code.template)
        code = await asyncio.to_thread(_fixed, given, search, strategy, code=code, fields=fields)
    return await submitted(seen, parts, given, code=code, search=search, fields=fields)


def _check_space(search: Search, fields: wire.Fields) -> None:
    """Faults of texts that cannot be seen, and of stretches that go nowhere, or on for ever; nothing is listed before
    this has passed."""
    for name, axis in search.space.items():
        if not isinstance(axis, Stretch):
            if not all(value.isprintable() for value in axis if isinstance(value, str)):
                fields.fault(f"space.{name}", "expected printable characters only")
            continue
        wide, step = axis.high - axis.low, 1.0 if axis.step is None else axis.step
        if not (isfinite(wide) and wide >= 0 and isfinite(step) and step > 0):
            fields.fault(f"space.{name}", "expected low, high and a step above 0, from low to high")
        elif axis.log and (axis.low <= 0 or axis.step is not None):
            fields.fault(f"space.{name}", "a logarithmic stretch lies above 0 and has no step")
        elif wide / step >= MOST_VALUES:
            fields.fault(f"space.{name}", f"expected at most {MOST_VALUES:,} steps")
    if search.method in ("tpe", "nsga2") and find_spec("optuna") is None:
        fields.fault("method", f"{search.method} needs Optuna, which is not installed here; take random or grid")


def _fixed(
    given: asked.NewSearch, search: Search, strategy: AnyStrategy, *, code: Chosen, fields: wire.Fields
) -> Chosen:
    """The code with those parameters that are not searched. Faults of space, rules and objectives go to `fields`."""
    from evenkeel.research.search.conditions import Rules
    from evenkeel.research.search.figures import checked_objective
    from evenkeel.research.search.space import space_of

    fixed = {name: value for name, value in code.parameters.items() if name not in search.space} | given.parameters
    rules = _tried(lambda: Rules.of(search.constraints, [one.name for one in strategy.parameters]), search, fields)
    for name in search.objectives:
        _tried(partial(checked_objective, name), search, fields)
    conditions = () if rules is None else rules.on_params
    space = _tried(lambda: space_of(strategy, search.axes(), fixed=fixed, conditions=conditions), search, fields)
    size = _tried(lambda: space.size, search, fields) if space is not None and search.method == "grid" else None
    if size is not None and size > MOST_COMBINATIONS:
        most = f"at most {MOST_COMBINATIONS:,} are taken here, `evenkeel backtest sweep` has no such limit"
        fields.fault("space", f"these are {size:,} combinations; {most}")
    return msgspec.structs.replace(code, parameters=fixed)


def _tried(ask: Callable[[], Any], search: Search, fields: wire.Fields) -> Any:
    """What it gives; None, and the faults by the names of the request, where it raises InvalidInput."""
    try:
        return ask()
    except InvalidInput as error:
        faults = error.errors or (FieldError("space", error.message),)
        fields.faults.extend(FieldError(_named(one.field, search), one.message) for one in faults)
    return None


def _named(field: str, search: Search) -> str:
    kind, _, name = field.partition(".")
    if kind == "objective":
        return "objective" if search.train is not None else "objectives"
    return f"space.{name}" if kind in ("parameters", "grid") and name in search.space else field


async def resume_search(
    backtest_id: str, *, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Queues a sweep or walk-forward that has failed again, by the same id: it goes on with the combinations it had
    finished, as after a disk that was full. It begins anew where bars or strategy have changed since."""
    return wire.Json(b.line(await parts.backtests.resume(seen.user.id, backtest_id), None), 202)


async def list_combinations(
    backtest_id: str, request: Request, *, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Every combination that a sweep ran, the best first unless `sort` says otherwise."""
    query = wire.query(request, asked.CombinationsQuery)
    found = await _swept(backtest_id, seen, parts)
    return await asyncio.to_thread(_combinations, found, parts, query)


def _combinations(found: Backtest, parts: AppParts, query: asked.CombinationsQuery) -> Response:
    from evenkeel.research.search.searching import ranked

    summary, search = _summary(found), found.asked.search
    assert search is not None
    table = keeping.table(parts.backtests.file_of(found)).with_row_index("_place")
    rows = ranked(table, search.objectives[0]) if query.sort is None else _sorted(table, query.sort)
    _, part, cursor = _cut(rows, query)
    items = searches.combinations(part.drop("_place"), part["_place"].to_list(), len(summary.axes))
    return wire.Json(s.Page(items, cursor))


def _cut(table: "pl.DataFrame", query: requests.PageQuery) -> "tuple[int, pl.DataFrame, str | None]":
    """The first row of a page, its rows, and the cursor of the next. Raises InvalidInput."""
    start = row_of(query.cursor)
    if start > len(table):
        raise BAD_CURSOR
    after = start + query.limit
    return start, table.slice(start, query.limit), str(after) if after < len(table) else None


def _sorted(table: "pl.DataFrame", sort: str) -> "pl.DataFrame":
    """Raises InvalidInput for a column that is not there."""
    name, columns = sort.removeprefix("-"), table.columns[1:]
    if name not in columns:
        fault = FieldError("sort", f"there is no {name!r}; expected one of {', '.join(columns)}")
        raise InvalidInput("the query is not valid", errors=(fault,))
    return table.sort(name, descending=sort.startswith("-"), nulls_last=True, maintain_order=True)


async def get_heat_map(
    backtest_id: str, request: Request, *, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """A figure of a sweep by two of its parameters."""
    query = wire.query(request, asked.HeatMapQuery)
    found = await _swept(backtest_id, seen, parts)
    return wire.Json(await asyncio.to_thread(_heat_map, found, parts, query))


def _heat_map(found: Backtest, parts: AppParts, query: asked.HeatMapQuery) -> searches.HeatMapOut:
    import polars as pl

    from evenkeel.research.report.heat import heat_grid
    from evenkeel.research.search.figures import NAMES as FIGURES
    from evenkeel.research.search.figures import higher_is_better

    summary, search = _summary(found), found.asked.search
    assert search is not None
    table = keeping.table(parts.backtests.file_of(found))
    axes = table.columns[: len(summary.axes)]
    free = [name for name in axes if name not in (query.x, query.y)]
    free.sort(key=lambda name: table[name].n_unique() < 2)
    x = query.x or free.pop(0)
    y = query.y or (free[0] if free else "")
    if not y:
        table = table.with_columns(pl.lit("").alias(""))
    value = query.value or search.objectives[0]
    figures = [name for name in table.columns[len(axes) :] if table[name].dtype.is_numeric()]
    for field, name, there_are in (("x", x, axes), ("y", y, axes), ("value", value, figures)):
        if name and name not in there_are:
            what = "figure" if there_are is figures else "parameter"
            fault = FieldError(field, f"there is no {what} {name!r} here; expected one of {', '.join(there_are)}")
            raise InvalidInput("the query is not valid", errors=(fault,))
    grid = heat_grid(table, x=x, y=y, value=value, others=query.others)
    better = higher_is_better(value) if value in FIGURES else None
    return searches.heat_map(grid, others=query.others, higher_is_better=better)


async def list_windows(
    backtest_id: str, request: Request, *, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """The windows of a walk-forward, oldest first."""
    query = wire.query(request, requests.PageQuery)
    found = await done(backtest_id, seen, parts)
    if found.kind != "walk-forward":
        raise Conflict(f"a {found.kind} has no windows", hint="Those are of walk-forwards.")
    table = await asyncio.to_thread(keeping.table, parts.backtests.file_of(found))
    start, part, cursor = _cut(table, query)
    return wire.Json(s.Page(searches.windows(part, start), cursor))


async def _swept(backtest_id: str, seen: Tenant, parts: AppParts) -> Backtest:
    """Raises NotFound, and Conflict for what has no combinations."""
    found = await done(backtest_id, seen, parts)
    if found.kind != "sweep":
        raise Conflict(f"a {found.kind} has no combinations", hint="Those are of sweeps; a walk-forward has windows.")
    return found


def _summary(found: Backtest) -> searches.SearchSummary:
    summary = searches.summary(found.summary or {})
    assert summary is not None
    return summary


_LINKS = tuple(Link(name, "backtest_id") for name in (*NAMES, "list_combinations", "list_windows", "get_heat_map"))
ENDPOINTS = (
    Endpoint(method="POST", path=f"{PATH}/sweeps", handler=run_sweep, needs=Permission.TRADE, cost=5,
             summary="Run a sweep",
             tag="backtesting", body=asked.NewSweep, answers={202: b.BacktestOut}, errors=(409,), links=_LINKS),
    Endpoint(method="POST", path=f"{PATH}/walk-forwards", handler=run_walk_forward, needs=Permission.TRADE, cost=5,
             summary="Run a walk-forward", tag="backtesting", body=asked.NewWalkForward, answers={202: b.BacktestOut},
             errors=(409,), links=_LINKS),
    Endpoint(method="POST", path=f"{ONE}/resume", handler=resume_search, needs=Permission.TRADE, cost=5,
             summary="Resume a search", tag="backtesting", answers={202: b.BacktestOut}, errors=(409,)),
    Endpoint(method="GET", path=f"{ONE}/combinations", handler=list_combinations, needs=Permission.READ,
             summary="Combinations of a sweep", tag="backtesting", query=asked.CombinationsQuery,
             answers={200: s.Page[searches.CombinationOut]}, errors=(409,)),
    Endpoint(method="GET", path=f"{ONE}/heat-map", handler=get_heat_map, needs=Permission.READ, cost=1,
             summary="Heat map of a sweep", tag="backtesting", query=asked.HeatMapQuery,
             answers={200: searches.HeatMapOut}, errors=(409,)),
    Endpoint(method="GET", path=f"{ONE}/windows", handler=list_windows, needs=Permission.READ,
             summary="Windows of a walk-forward", tag="backtesting", query=requests.PageQuery,
             answers={200: s.Page[searches.WindowOut]}, errors=(409,)),
)  # fmt: skip
