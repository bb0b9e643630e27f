"""`evenkeel backtest sweep` and `walk-forward`: many combinations, the best of them, and how far it can be trusted.

Both go on where they were stopped when the same command is given again, with `--study` or with `--keep`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from evenkeel.cli import history as h
from evenkeel.cli import kept as k
from evenkeel.cli import results as r
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
from evenkeel.cli.library import the_strategy
from evenkeel.cli.place import DatabaseOption
from evenkeel.domain.errors import InvalidInput

if TYPE_CHECKING:
    import polars as pl

    from evenkeel.cli.library import Named
    from evenkeel.desk.backtests import Search
    from evenkeel.market.bars import Bars
    from evenkeel.research.report import Searched
    from evenkeel.research.search.searching import SearchResult
    from evenkeel.research.walkforward import WalkForwardResult

TopOption = Annotated[int, typer.Option("--top", min=1, help="Rows to show.")]
TableOption = Annotated[
    Path | None, typer.Option("--table", metavar="FILE", help="Write every row as .csv or .parquet.")
]
SheetOption = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write the tear sheet of what was chosen, with the odds of luck."),
]
SWEEP_EXAMPLES = examples(
    "evenkeel backtest sweep --strategy sma-crossover --data gold.parquet --grid fast=5:25 --grid slow=30:230:4",
    "evenkeel backtest sweep --strategy rsi --symbol AAPL --grid period=7,14,21 --keep --html best.html",
    "evenkeel backtest sweep --strategy sma-crossover --symbol AAPL --grid fast=3:40 --grid slow=20:250 \\",
    "    --method nsga2 --trials 500 --objective cagr --objective max_drawdown --where 'trades >= 30' --study two",
    note="Stop it at any time: with --study or --keep, the same command goes on where it was.",
)
WALK_EXAMPLES = examples(
    "evenkeel backtest walk-forward --strategy rsi --data gold.csv --grid period=7:28:7 --train 6000 --test 1500",
    "evenkeel backtest walk-forward --strategy sma-crossover --symbol AAPL --grid fast=5:25 --grid slow=30:230:4 \\",
    "    --train 750 --test 250 --anchored --keep --html walked.html",
    note="Stop it at any time: with --study or --keep, the same command goes on where it was.",
)


class _Job(NamedTuple):
    """One search as the command line asked for it; `place` is where to keep it."""

    named: "Named"
    bars: "dict[str, Bars]"
    axes: dict[str, Any]
    how: dict[str, Any]
    place: k.Kept | None
    objective: str


@h.on_history(after="grid")
def sweep(
    asked: typer.Context,
    strategy: h.StrategyOption,
    grid: h.GridOption = None,
    where: h.WhereOption = None,
    objective: h.ObjectivesOption = None,
    method: h.MethodOption = "grid",
    trials: h.TrialsOption = 100,
    seed: h.SeedOption = 0,
    workers: h.WorkersOption = 0,
    study: h.StudyOption = None,
    top: TopOption = 10,
    table: TableOption = None,
    html: SheetOption = None,
    keep: k.KeepOption = False,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Many combinations of parameters, the best first; with --html or --keep, how far the winner can be trusted."""
    from evenkeel.research.search.searching import search

    with reporting(as_json=as_json):
        aims = objective or ["sharpe"]
        job = _job(asked.params, asked, aims[0])
        ways: dict[str, Any] = {"method": method, "trials": trials, "seed": seed}
        with _told(quiet=as_json) as tell:
            found = search(
                job.named.strategy, job.bars, space=job.axes, objective=aims, progress=tell.best(aims[0]), **ways,
                **job.how,
            )  # fmt: skip
            judged = _judged(found, tell, workers) if html is not None or keep else None
        stored = h.search_of(job.axes, where, objectives=tuple(aims), **ways)
        done = _written(asked.params, job, judged, stored) if judged is not None else {}
        rows = found.ranked()
        if table is not None:
            done["table"] = str(r.table_written(rows, table))
        _say_sweep(found, judged, done, rows, top=top, as_json=as_json)


@h.on_history(after="grid")
def walk_forward(
    asked: typer.Context,
    strategy: h.StrategyOption,
    train: Annotated[int, typer.Option("--train", min=2, help="Bars to choose on.")],
    test: Annotated[int, typer.Option("--test", min=1, help="Bars to trade on next, and to step on by.")],
    grid: h.GridOption = None,
    where: h.WhereOption = None,
    objective: h.ObjectiveOption = "sharpe",
    method: h.MethodOption = "grid",
    trials: h.TrialsOption = 100,
    seed: h.SeedOption = 0,
    anchored: Annotated[bool, typer.Option("--anchored", help="Choose on everything since the first bar.")] = False,
    embargo: Annotated[int, typer.Option("--embargo", min=0, help="Bars left out between the two.")] = 0,
    workers: h.WorkersOption = 0,
    study: h.StudyOption = None,
    table: TableOption = None,
    html: SheetOption = None,
    keep: k.KeepOption = False,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Choose parameters on one stretch, trade them on the next, and so on: what choosing would have made."""
    from evenkeel.research.walkforward import walk_forward as walked

    with reporting(as_json=as_json):
        job = _job(asked.params, asked, objective)
        ways: dict[str, Any] = {"method": method, "trials": trials, "seed": seed}
        lengths: dict[str, Any] = {"train": train, "test": test, "embargo": embargo, "anchored": anchored}
        axes: dict[str, Any] = {"grid" if method == "grid" else "space": job.axes}
        with _told(quiet=as_json) as tell:
            found = walked(
                job.named.strategy, job.bars, objective=objective, progress=tell.best(objective), **axes, **lengths,
                **ways, **job.how,
            )  # fmt: skip
            judged = _judged(found, tell, workers) if html is not None or keep else None
        stored = h.search_of(job.axes, where, objectives=(objective,), **lengths, **ways)
        done = _written(asked.params, job, judged, stored) if judged is not None else {}
        if table is not None:
            done["table"] = str(r.table_written(found.to_frame(), table))
        _say_walk(found, judged, done, as_json=as_json)


def _job(given: dict[str, Any], asked: typer.Context, objective: str) -> _Job:
    """Raises InvalidInput, NotFound."""
    r.check_places(given["html"], given["table"])
    home = given["home"]
    place = k.kept(home, given["database_url"]) if given["keep"] else None
    bars = h.history_given(given)
    named = the_strategy(home, given["strategy"], h.given(given["params"]))
    axes = h.axes_or_ranges(given["grid"], named)
    study = given["study"] if place is None or given["study"] is not None else place.studies
    how = {
        **h.terms_of(asked, named, bars),
        **h.searched(named, axes, given["where"], engine=given["engine"]),
        "risk_free": given["risk_free"],
        "workers": given["workers"],
        "study": study,
    }
    return _Job(named, bars, axes, how, place, objective)


class _Tell:
    """Draws what goes on: the search with its best figure so far, then what is made of it."""

    def __init__(self, draw: Callable[[str, int, int], None]) -> None:
        self._draw = draw

    def best(self, objective: str) -> Callable[[int, int, Any], None]:
        def told(done: int, of: int, best: Any) -> None:
            figure = best.get(objective) if best else None
            known = isinstance(figure, int | float)
            self._draw(f"best {objective} {figure:.3g}" if known else "searching", done, of)

        return told

    def judging(self, done: int, of: int, best: Any) -> None:
        self._draw("how much is luck", done, of)


@contextmanager
def _told(*, quiet: bool) -> Iterator[_Tell]:
    with progress(quiet=quiet) as draw:
        yield _Tell(draw)


def _judged(found: "SearchResult | WalkForwardResult", tell: _Tell, workers: int) -> "Searched":
    """Raises InvalidInput where a search chose nothing; what cannot be judged only says why."""
    from evenkeel.research.report import Searched
    from evenkeel.research.validation import judge

    _ = found.result
    try:
        return Searched(found, judge(found, workers=workers, progress=tell.judging))
    except InvalidInput as error:
        return Searched(found, unjudged=error.message)


def _written(given: dict[str, Any], job: _Job, searched: "Searched", search: "Search") -> dict[str, Any]:
    """What is left behind: the sheet, and the result kept in the home, whose study is then of no more use."""
    from evenkeel.research.concluding import conclude
    from evenkeel.research.report import write_whole
    from evenkeel.research.search.study import header_of, path_of

    concluded, done = conclude(searched), {}
    if given["html"] is not None:
        done["html"] = str(write_whole(given["html"], concluded.report.encode()))
    if job.place is not None:
        asked = k.asked_of(given, job.bars, searched.found.plan.bench.terms.sizing, search=search)
        kept = k.Result(concluded.result, concluded.summary, concluded.report, concluded.table)
        done["kept"] = k.keep(job.place, asked, kept).id
        if given["study"] is None:
            path_of(job.place.studies, header_of(searched.found.plan.bench)).unlink(missing_ok=True)
    return done


def _say_sweep(
    found: "SearchResult",
    searched: "Searched | None",
    done: dict[str, Any],
    rows: "pl.DataFrame",
    *,
    top: int,
    as_json: bool,
) -> None:
    from evenkeel.research.search.space import left_out

    said: dict[str, Any] = {
        "combinations": len(found.table),
        "resumed": found.resumed,
        "left_out": len(found.refused),
        "best": found.best,
        **_verdict(searched),
    }
    if as_json:
        print_json(said | done | {"rows": r.rows_of(rows)})
        return
    shown = r.rows_of(rows.head(top))
    print_table(rows.columns, [[r.cell(one) for one in row.values()] for row in shown], empty="No combination ran.")
    print_fields({name: r.cell(value) for name, value in said.items() if name != "best"})
    if (why := left_out(found.refused, ran=len(found.table))) is not None:
        print(why)
    _say_done(searched, done)


def _say_walk(found: "WalkForwardResult", searched: "Searched | None", done: dict[str, Any], *, as_json: bool) -> None:
    said = {
        "windows": len(found.windows),
        "combinations": len(found.tried),
        "resumed": found.resumed,
        "efficiency": found.efficiency,
        "consistency": found.consistency,
        **_verdict(searched),
    }
    if as_json:
        rows = r.rows_of(found.to_frame())
        print_json(said | done | {"out_of_sample": found.result.summary(), "rows": rows})
        return
    frame = r.windows_shown(found.to_frame(), list(found.plan.space.axes), objective=found.objective)
    print_table(frame.columns, [[r.cell(one) for one in row.values()] for row in r.rows_of(frame)])
    print_fields({name: r.cell(value) for name, value in said.items()})
    r.print_result(found.result)
    _say_done(searched, done)


def _verdict(searched: "Searched | None") -> dict[str, Any]:
    if searched is None or searched.verdict is None:
        return {}
    verdict = searched.verdict
    return {"probability_of_overfitting": verdict.probability, "deflated_sharpe": verdict.deflated_sharpe}


def _say_done(searched: "Searched | None", done: dict[str, Any]) -> None:
    if searched is not None and searched.unjudged:
        print(wrapped(f"Note: how much of it is luck could not be told: {searched.unjudged}"))
    for name, where in done.items():
        print(f"kept: {where}" if name == "kept" else f"written: {where}")
