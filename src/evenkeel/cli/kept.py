"""Research kept in a home: what backtests, sweeps and walk-forwards found, listed, shown and compared later.

Read and written in the home's database and its `research` folder, whether its desk is running or not.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

import typer

from evenkeel.cli import results as r
from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    LimitOption,
    examples,
    minute,
    number,
    print_fields,
    print_items,
    print_json,
    print_table,
    reporting,
    wrapped,
)
from evenkeel.cli.mtm_terms import mtm_of
from evenkeel.cli.place import DatabaseOption, the_database
from evenkeel.cli.series import moment
from evenkeel.domain.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    import polars as pl

    from evenkeel.desk.backtests import Asked, Backtest, BacktestStore, Kind, Search
    from evenkeel.domain.sizing import Sizing
    from evenkeel.market.bars import Bars
    from evenkeel.research.backtest.result import BacktestResult
    from evenkeel.storage.database import Database

KeepOption = Annotated[bool, typer.Option("--keep", help="Keep the result in the home: see `evenkeel backtest list`.")]
IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="As `list` shows it; its beginning or its end is enough.")
]
_WIDEST = 60
LIST_EXAMPLES = examples("evenkeel backtest list", "evenkeel backtest list --kind sweep --strategy rsi --json")
SHOW_EXAMPLES = examples(
    "evenkeel backtest show 6422b808", "evenkeel backtest show 6422b808 --top 20 --html sheet.html"
)
COMPARE_EXAMPLES = examples(
    "evenkeel backtest compare 6422b808 54552e03",
    "evenkeel backtest compare 6422b808 54552e03 --metric sharpe --metric max_drawdown --json",
    note="A sweep stands there with the combination it chose, a walk-forward with what it traded out of sample.",
)
_HEADLINE = ("total_return", "cagr", "volatility", "sharpe", "sortino", "max_drawdown", "trades")
_FILES, _STUDIES = "research", "studies"
_MOST = 5000
T = TypeVar("T")


class Kept(NamedTuple):
    """The place for results: the home's database and folder, and whose they are."""

    where: "Database"
    owner: str

    @property
    def folder(self) -> Path:
        return self.where.home / _FILES

    @property
    def studies(self) -> Path:
        """Where searches under way are kept, so that the same command goes on with them."""
        folder = self.folder / _STUDIES
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def file_of(self, found: "Backtest") -> Path:
        return self.folder / f"{found.id}.npz"

    def ask(self, work: "Callable[[BacktestStore], Awaitable[T]]") -> T:
        """What `work` answers, of the store. Raises NotReady where the database does not answer."""
        from evenkeel.desk.backtests import Backtest
        from evenkeel.storage.engines import async_engine
        from evenkeel.storage.repositories import StoredBacktests

        async def run() -> T:
            engine = async_engine(self.where)
            try:
                return await work(StoredBacktests(engine, Backtest))
            finally:
                await engine.dispose()

        return asyncio.run(run())


def kept(home: Path | None, url: str | None = None) -> Kept:
    """That of a home. Raises NotFound where it was never started, NotReady where it needs an upgrade."""
    from evenkeel.desk.ports import User
    from evenkeel.storage.engines import async_engine
    from evenkeel.storage.repositories import StoredUsers
    from evenkeel.storage.schema import require_up_to_date

    where = the_database(home, url)
    missing = NotFound(f"there is nothing in {where.home}", hint="Start it once, or name the right folder with --home.")
    if where.is_sqlite and not where.file.exists():
        raise missing
    require_up_to_date(where)

    async def owners() -> Sequence[User]:
        engine = async_engine(where)
        try:
            found = await StoredUsers(engine, User).by_role("super-admin")
            return [user for user in found if user.is_active]
        finally:
            await engine.dispose()

    found = asyncio.run(owners())
    if not found:
        raise missing
    return Kept(where, found[0].id)


class Result(NamedTuple):
    """What is to be kept. `table` has the combinations or windows of a search."""

    result: "BacktestResult"
    summary: Mapping[str, Any]
    report: str
    table: "pl.DataFrame | None" = None


def keep(place: Kept, asked: "Asked", found: Result) -> "Backtest":
    """Keeps a result as the server would. Raises NotReady, and OSError where the disk says no."""
    from evenkeel.desk.backtests import Backtest, finite
    from evenkeel.domain.ids import Random
    from evenkeel.research.keeping import keep as keep_file

    now = time.time_ns()
    row = Backtest(
        id=Random().public(now, 0, "backtest"),
        user_id=place.owner,
        kind=_kind(asked.search),
        created_at=now,
        started_at=now,
        strategy=found.result.strategy,
        version=found.result.version,
        parameters=dict(found.result.params),
        request=asked.stored(),
    ).done(finite(found.summary))
    place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not row.has_ended or row.error is not None:
        raise InvalidInput(row.error or "there is no result to keep")
    # A desk that starts meanwhile removes files that no row speaks of: the row comes first, then the name.
    waiting = place.file_of(row).with_suffix(".new")
    keep_file(found.result, found.report, waiting, table=found.table)
    try:
        place.ask(lambda store: store.add(row))
    except BaseException:
        waiting.unlink(missing_ok=True)
        raise
    waiting.replace(place.file_of(row))
    return row


def _kind(search: "Search | None") -> "Kind":
    if search is None:
        return "backtest"
    return "sweep" if search.train is None else "walk-forward"


def asked_of(
    given: Mapping[str, Any], bars: "Mapping[str, Bars]", size: "Sizing", *, search: "Search | None" = None
) -> "Asked":
    """What the command line asked for, as it is stored."""
    from evenkeel.desk.backtests import RATES, STOPS, Asked

    series = list(bars.values())
    ids = [one.instrument.id if one.instrument is not None else one.instrument_id for one in series]
    stops: dict[str, Any] = {name: None if given[name] is None else number(str(given[name])) for name in STOPS}
    rates: dict[str, Any] = {name: number(str(given[name])) for name in (*RATES, "spread_share")}
    return Asked(
        symbols=tuple(bars),
        instrument_ids=tuple(ids),
        timeframe=series[0].timeframe,
        until=max(int(one.close_ts[-1]) for one in series),
        start=moment(given["start"], "--start"),
        end=moment(given["end"], "--end"),
        cash=number(given["cash"]),
        fees=given["fees"],
        fees_bps=None if given["fees_bps"] is None else number(given["fees_bps"]),
        size=size,
        fill=given["fill"],
        slippage_bps=number(str(given["slippage_bps"])),
        engine=given["engine"],
        risk_free=number(str(given["risk_free"])),
        mtm=mtm_of(given["mtm"]),
        search=search,
        files=tuple(str(path.absolute()) for path in given["data"] or ()),
        **stops,
        **rates,
    )


def list_kept(
    kind: Annotated[str | None, typer.Option("--kind", help="backtest, sweep or walk-forward.")] = None,
    strategy: Annotated[str | None, typer.Option("--strategy", help="Of this template only.")] = None,
    limit: LimitOption = 50,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """What is kept, newest first: by this command line with --keep, and by the desk."""
    with reporting(as_json=as_json):
        place = kept(home, database_url)
        asked: dict[str, Any] = {"kind": kind, "strategy": strategy, "limit": min(limit, _MOST)}
        found, _ = place.ask(lambda store: store.page(place.owner, **asked))
        if as_json:
            print_items([_line(one) for one in found])
            return
        heads = ["id", "kind", "state", "strategy", "symbols", "created", "return", "sharpe", "drawdown"]
        print_table(heads, [_row(one) for one in found], empty="Nothing is kept yet: add --keep to a backtest.")


def _line(found: "Backtest") -> dict[str, Any]:
    from evenkeel.domain.clock import iso

    asked = found.asked
    same = ("id", "kind", "state", "strategy", "version")
    figures = ("total_return", "sharpe", "max_drawdown", "fingerprint", "error")
    return {
        **{name: getattr(found, name) for name in same},
        "parameters": dict(found.parameters),
        "symbols": list(asked.symbols),
        "timeframe": asked.timeframe,
        "created_at": iso(found.created_at),
        "final_equity": None if found.final_equity is None else format(found.final_equity.normalize(), "f"),
        **{name: getattr(found, name) for name in figures},
    }


def _row(found: "Backtest") -> list[str]:
    from evenkeel.domain.clock import iso

    symbols = ", ".join(found.asked.symbols[:3]) + (" …" if len(found.asked.symbols) > 3 else "")
    said = " ".join(f"{name}={value}" for name, value in found.parameters.items())
    what = f"{found.strategy} {said}".rstrip()
    return [
        found.id,
        found.kind,
        found.state,
        what if len(what) <= _WIDEST else f"{what[: _WIDEST - 1].rstrip()}…",
        symbols,
        minute(iso(found.created_at)),
        _share(found.total_return),
        "–" if found.sharpe is None else f"{found.sharpe:.2f}",
        _share(found.max_drawdown),
    ]


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def show(
    which: IdArgument,
    top: Annotated[int, typer.Option("--top", min=1, help="Rows of a search to show.")] = 10,
    table: Annotated[
        Path | None, typer.Option("--table", metavar="FILE", help="Write all rows of a search there.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the tear sheet there.")] = None,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """One result in full; of a search, with its best rows and how far they can be trusted."""
    from evenkeel.research import keeping
    from evenkeel.research.report import write_whole

    with reporting(as_json=as_json):
        place = kept(home, database_url)
        (found,) = _these(place, [which])
        file = place.file_of(found)
        written = []
        if html is not None:
            written.append(write_whole(html, keeping.report(file)))
        rows = _rows(found, file)
        if table is not None and rows is not None:
            written.append(r.table_written(rows, table))
        if as_json:
            print_json(_line(found) | {"summary": found.summary, "rows": None if rows is None else r.rows_of(rows)})
            return
        _print(found, rows, top)
        for path in written:
            print(f"written: {path}")


def _rows(found: "Backtest", file: Path) -> "pl.DataFrame | None":
    """The rows of a search that is done: windows as they came, combinations with the best first."""
    from evenkeel.research import keeping
    from evenkeel.research.search.searching import ranked

    search = found.asked.search
    if search is None or found.summary is None:
        return None
    rows = keeping.table(file)
    return rows if found.kind == "walk-forward" else ranked(rows, search.objectives[0])


def _print(found: "Backtest", rows: "pl.DataFrame | None", top: int) -> None:
    summary, line = found.summary, _line(found)
    said = " ".join(f"{name}={value}" for name, value in found.parameters.items())
    print(f"{found.strategy} {said}".rstrip())
    shown = ("id", "kind", "state", "symbols", "timeframe", "created_at", "fingerprint", "error")
    print_fields({name: line[name] for name in shown if line[name] is not None})
    if summary is None:
        return
    figures = {name: summary["metrics"].get(name) for name in _HEADLINE}
    equity = f"{summary['final_equity']:,.2f} {summary['currency']} of {summary['cash']:,.2f}"
    print_fields({"final equity": equity, **{name: r.cell(one) for name, one in figures.items() if one is not None}})
    search = summary.get("search")
    if rows is not None and search is not None:
        if found.kind == "walk-forward":
            rows = r.windows_shown(rows, search["axes"], objective=found.asked.search.objectives[0])  # type: ignore[union-attr]
        print_fields({name: r.cell(value) for name, value in r.verdict_of(search).items()})
        print_table(rows.columns, [[r.cell(one) for one in row.values()] for row in r.rows_of(rows.head(top))])
    for warning in summary["warnings"]:
        print(wrapped(f"Note: {warning}"))


def compare(
    which: Annotated[list[str], typer.Argument(metavar="ID...", help="Two or more, as `list` shows them.")],
    metric: Annotated[list[str] | None, typer.Option("--metric", help="Only these; repeat. Default: all.")] = None,
    home: HomeOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Results side by side, one metric a row."""
    from evenkeel.quant.analytics import METRICS

    with reporting(as_json=as_json):
        place = kept(home, database_url)
        found = _these(place, which)
        known = [one.name for one in METRICS]
        unknown = [name for name in metric or [] if name not in known]
        if unknown:
            raise InvalidInput(f"there is no metric {unknown[0]!r}", hint="docs/metrics.md lists them all.")
        figures = [{} if one.summary is None else one.summary["metrics"] for one in found]
        rows: list[dict[str, Any]] = [
            {"name": one.name, "title": one.title, "unit": one.unit, "values": [each.get(one.name) for each in figures]}
            for one in METRICS
            if not metric or one.name in metric
        ]
        if as_json:
            print_json({"backtests": [_line(one) for one in found], "metrics": rows})
            return
        numbers = [f"({at})" for at in range(1, len(found) + 1)]
        for at, one in zip(numbers, found, strict=True):
            print(at, *_row(one)[:5])
        heads = ["metric", "unit", *numbers]
        print_table(heads, [[row["title"], row["unit"], *map(r.cell, row["values"])] for row in rows])


def _these(place: Kept, parts: Sequence[str]) -> "list[Backtest]":
    """The results whose ids begin or end so, in this order. Raises NotFound, and InvalidInput where several fit."""

    async def find(store: "BacktestStore") -> "list[Backtest]":
        lines, cursor = [], None
        while True:
            page, cursor = await store.page(place.owner, limit=_MOST, cursor=cursor)
            lines += [one.id for one in page]
            if cursor is None:
                break
        ids = [_the_one(lines, part) for part in parts]
        found = await store.some(place.owner, ids)
        return [found[name] for name in ids]

    return place.ask(find)


def _the_one(ids: Sequence[str], part: str) -> str:
    fitting = [name for name in ids if name.startswith(part) or name.endswith(part)]
    if part in fitting or len(fitting) == 1:
        return part if part in fitting else fitting[0]
    if fitting:
        raise InvalidInput(f"{len(fitting)} results begin or end with {part!r}", hint="Write more of the id.")
    raise NotFound(f"there is no result {part!r}", hint="`evenkeel backtest list` shows what there is.")
