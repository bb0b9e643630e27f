"""From files to checked bars in the store: a file is taken whole or refused whole, and several files together.

Each row is judged before anything is kept. What a file leaves open (instrument, timeframe, time zone) is inferred, and
every guess is noted in the check report beside the data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace as with_changes

from evenkeel.domain.errors import Conflict, FieldError, InvalidInput
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.market.adjustments import read_adjustments
from evenkeel.market.bars import Bars
from evenkeel.market.calendars import calendar
from evenkeel.market.cells import measures
from evenkeel.market.checks import Source
from evenkeel.market.columns import Floats, Ints
from evenkeel.market.inference import Wanted, checked_symbol, instrument_for, refuse_other_spacing, spacing, symbol_of
from evenkeel.market.spans import spans
from evenkeel.market.tables import Table, read_table
from evenkeel.market.ticks import check_tick, tick_for
from evenkeel.market.timeframes import timeframe as parse
from evenkeel.market.times import Times, parse_times
from evenkeel.market.validation import Faults, check

if TYPE_CHECKING:
    from evenkeel.market.stores.edit import Edit
    from evenkeel.market.stores.parquet import ParquetStore

Progress = Callable[[str, int, int], None]
Find = Callable[[str, str | None], tuple[Instrument, ...]]
_NOT_A_TIME = "is not a time: expected ISO 8601 such as 2005-09-01T14:30:00Z, or an epoch number"
_BETWEEN = (
    "most prices lie between ticks of {:f}, as adjusted ones do: what is traded here is rounded to ticks; "
    "import prices as they were traded, or name their step with --tick"
)
_SKIPPED = "is not a time, or one that the change of the clock skips or passes twice"


class ImportOptions(Struct, frozen=True):
    """What the user said about the files; None and False where nothing was said."""

    symbol: str | None = None
    venue: str | None = None
    timeframe: str | None = None
    timezone: str | None = None
    currency: str | None = None
    tick: Decimal | None = None
    lot: Decimal | None = None
    asset_class: AssetClass | None = None
    calendar: str | None = None
    replace: bool = False
    drop_bad_rows: bool = False


class Imported(Struct, frozen=True):
    """What came of one series of one file; `gaps` and `missing` count the whole stored series, times are ns UTC."""

    file: str
    instrument: Instrument
    timeframe: str
    outcome: str
    rows_in_file: int
    added: int
    rows: int
    first_ts: int
    last_close_ts: int
    dropped: int
    gaps: int
    missing: int
    notes: tuple[str, ...]


class Prepared(Struct, frozen=True):
    """Checked bars of one symbol of a file, on their way into the store."""

    instrument: Instrument
    bars: Bars
    source: Source


class _Sheet(Struct, frozen=True):
    """A table whose times and numbers have been read."""

    table: Table
    times: Times
    measures: dict[str, Floats]
    closes: Times | None


class _Part(Struct, frozen=True):
    """One symbol's rows: those at `index` of the sheet."""

    instrument: Instrument
    timeframe: str
    index: Ints
    columns: dict[str, npt.NDArray[Any]]
    faults: Faults
    notes: tuple[str, ...]


def import_files(
    store: ParquetStore,
    paths: Sequence[Path],
    options: ImportOptions,
    *,
    adjustments: Path | None = None,
    cache: Path | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> tuple[Imported, ...]:
    """Imports all of `paths` and the splits and dividends of `adjustments`, or nothing.

    `progress` is told (what, done, of). Raises DataRefused with the rows at fault, InvalidInput for options that do not
    fit, Conflict where another process changes the store or it holds the instrument with other properties.
    """
    tell = progress or _silent
    results = []
    with store.editing() as edit:
        for number, path in enumerate(paths):
            tell(path.name, number, len(paths))
            results += [_put(edit, one, options) for one in prepare(path, options, edit.find, cache=cache)]
        if adjustments is not None:
            for instrument_id, found in read_adjustments(adjustments, options.venue, edit.find, cache=cache).items():
                edit.adjust(instrument_id, splits=found.splits, dividends=found.dividends)
        tell("writing", len(paths), len(paths))
        if dry_run:
            edit.abandon()
    return tuple(results)


def prepare(path: Path, options: ImportOptions, known: Find, *, cache: Path | None = None) -> list[Prepared]:
    """The checked bars of each symbol in `path`; `known` finds instruments by symbol and venue. Raises DataRefused."""
    table = read_table(path)
    zone = _zone(options.timezone)
    times = _times(table, zone)
    numbers, notes = measures(table)
    if not (times.zoned or times.dates or options.timezone):
        notes.append("times without a zone were read as UTC; if they are not, name it with --timezone")
    closes = parse_times(table.columns["close_timestamp"], zone) if "close_timestamp" in table.columns else None
    sheet = _Sheet(table, times, numbers, closes)
    parts = []
    for named, index in _groups(table):
        part = _part(sheet, index, _said(path, options, named), known, cache=cache)
        table.faults.absorb(part.faults, index)
        parts.append(part)
    faults = table.faults
    if faults and not (options.drop_bad_rows and not faults.bad.all()):
        raise faults.refusal(path.name, hint=_hint(sheet))
    return [_prepared(path, part, (*table.notes, *notes)) for part in parts if not part.faults.bad.all()]


def _times(table: Table, zone: str) -> Times:
    import polars as pl

    columns = table.columns
    if "timestamp" in columns:
        raw = columns["timestamp"]
    elif "date" in columns and "time" in columns:
        raw = columns["date"].cast(pl.String) + " " + columns["time"].cast(pl.String)
    else:
        raw = columns["date"] if "date" in columns else columns["time"]
    times = parse_times(raw, zone)
    table.faults.add(times.bad, str(raw.name), raw, _NOT_A_TIME if zone == "UTC" else _SKIPPED)
    return times


def _zone(name: str | None) -> str:
    try:
        return ZoneInfo(name or "UTC").key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(
            f"{name!r} is not a time zone",
            errors=(FieldError("timezone", "expected a name such as America/New_York, Asia/Kolkata or UTC"),),
        ) from error


def _groups(table: Table) -> list[tuple[dict[str, str], Ints]]:
    """(what the rows say of themselves, their positions) for each symbol, venue and timeframe in the table."""
    import polars as pl

    names = [name for name in ("symbol", "venue", "timeframe") if name in table.columns]
    if not names:
        return [({}, np.arange(len(table.rows)))]
    keys = pl.DataFrame({name: table.columns[name].cast(pl.String).str.strip_chars() for name in names})
    nameless = np.zeros(len(table.rows), dtype=np.bool_)
    for name in names:
        empty = (keys[name].fill_null("") == "").to_numpy()
        table.faults.add(empty, name, keys[name], f"every row needs a {name}, or none")
        nameless |= empty
    grouped = keys.with_row_index("row").filter(~pl.Series(nameless)).group_by(names, maintain_order=True)
    return [
        ({name: str(word) for name, word in zip(names, key, strict=True)}, rows["row"].cast(pl.Int64).to_numpy())
        for key, rows in grouped
    ]


def _said(path: Path, options: ImportOptions, named: dict[str, str]) -> ImportOptions:
    """The options, with what the rows and then the file's name add to them."""
    symbol, timeframe = options.symbol or named.get("symbol"), options.timeframe or named.get("timeframe")
    if options.symbol and named.get("symbol") not in (None, options.symbol):
        raise InvalidInput(
            f"{path.name} holds {named['symbol']}, not {options.symbol}",
            errors=(FieldError("symbol", "the file names its symbols itself"),),
            hint="Leave --symbol out for a file with a symbol column.",
        )
    if symbol is None:
        symbol = symbol_of(path.name.split(".")[0])[0]
        if symbol is None:
            raise InvalidInput(
                f"neither a column nor the name of {path.name} tells the symbol",
                errors=(FieldError("symbol", "missing"),),
                hint="Name it with --symbol.",
            )
    venue = options.venue or named.get("venue")
    return with_changes(options, symbol=checked_symbol(symbol), timeframe=timeframe, venue=venue)


def _part(sheet: _Sheet, index: Ints, said: ImportOptions, known: Find, *, cache: Path | None) -> _Part:
    instrument, notes = _instrument(said, known)
    faults = sheet.table.faults.part(index)
    ts, close_ts = np.zeros(len(index), dtype=np.int64), np.ones(len(index), dtype=np.int64)
    fine = ~faults.bad
    timeframe = ""
    if fine.any():
        timeframe = _timeframe(said, sheet, index)
        sessions = calendar(instrument.calendar, cache=cache)
        stamps = sheet.times.ns[index[fine]]
        ts[fine], close_ts[fine] = spans(stamps, parse(timeframe), sessions, dates=sheet.times.dates)
    if sheet.closes is not None:
        given = ~sheet.closes.bad[index]
        ts, close_ts = np.where(given, sheet.times.ns[index], ts), np.where(given, sheet.closes.ns[index], close_ts)
    columns: dict[str, npt.NDArray[Any]] = {name: values[index] for name, values in sheet.measures.items()}
    columns |= {"ts": ts, "close_ts": close_ts}
    check(columns, faults)
    return _Part(instrument, timeframe, index, columns, faults, notes)


def _instrument(said: ImportOptions, known: Find) -> tuple[Instrument, tuple[str, ...]]:
    """The instrument the rows belong to, with what was said of it, and what was guessed."""
    symbol = said.symbol or ""
    found = known(symbol, said.venue)
    if len(found) > 1:
        venues = ", ".join(one.venue for one in found)
        raise InvalidInput(
            f"{symbol} is known at several venues: {venues}",
            errors=(FieldError("venue", "missing"),),
            hint="Name one with --venue.",
        )
    wanted = Wanted(symbol, said.venue, said.currency, said.tick, said.lot, said.asset_class, said.calendar)
    made = instrument_for(wanted)
    if not found:
        guess = f"taken as {made.asset_class} in {made.currency} at {made.venue}, tick {made.tick_size:f}, "
        return made, (f"{guess}lot {made.lot_size:f}, trading days of {made.calendar}",)
    stated = {
        name: getattr(made, name)
        for name, given in (
            ("currency", said.currency),
            ("tick_size", said.tick),
            ("lot_size", said.lot),
            ("asset_class", said.asset_class),
            ("calendar", said.calendar),
        )
        if given is not None
    }
    return with_changes(found[0], **stated), ()


def _timeframe(said: ImportOptions, sheet: _Sheet, index: Ints) -> str:
    """As said, where the rows can be such bars, else as they are spaced. Raises InvalidInput."""
    ns = sheet.times.ns[index[~sheet.times.bad[index]]]
    chosen = said.timeframe or spacing(ns)
    if chosen is None:
        raise InvalidInput(
            "a single row does not tell how long its bar lasts",
            errors=(FieldError("timeframe", "missing"),),
            hint="Name it with --timeframe, such as 1d or 1h.",
        )
    if said.timeframe is not None:
        refuse_other_spacing(ns, chosen, longest=_longest(sheet, index))
    return parse(chosen).name


def _longest(sheet: _Sheet, index: Ints) -> int:
    """How long (ns) the longest bar is by its own close; 0 where closes are not given."""
    if sheet.closes is None:
        return 0
    known = index[~(sheet.times.bad[index] | sheet.closes.bad[index])]
    return int((sheet.closes.ns[known] - sheet.times.ns[known]).max(initial=0))


def _prepared(path: Path, part: _Part, notes: tuple[str, ...]) -> Prepared:
    kept = ~part.faults.bad
    columns = {name: values[kept] for name, values in part.columns.items()}
    bars = Bars.of(part.instrument.id, part.timeframe, columns)
    check_tick(part.instrument.symbol, part.instrument.tick_size, float(bars.low.min()))
    if tick_for(bars, part.instrument.tick_size) != part.instrument.tick_size:
        notes += (f"{part.instrument.symbol}: {_BETWEEN.format(part.instrument.tick_size)}",)
    said = symbol_of(path.name.split(".")[0])[1]
    if said not in (None, part.timeframe):
        notes += (f"the file's name says {said}, its rows are {part.timeframe} apart",)
    dropped = tuple(part.faults.first())
    source = Source(path.name, len(bars), dropped, part.faults.total, (*part.notes, *notes))
    return Prepared(part.instrument, bars, source)


def _hint(sheet: _Sheet) -> str:
    good = sheet.times.ns[~sheet.times.bad]
    if len(good) > 1 and (np.diff(good) < 0).all():
        return "The file begins with the newest row: sort it by time and import it again."
    return "Repair the rows, or import the others with --drop-bad-rows."


def _put(edit: Edit, one: Prepared, options: ImportOptions) -> Imported:
    held = edit.instrument(one.instrument.id)
    if held not in (None, one.instrument) and not options.replace:
        raise Conflict(
            f"{one.instrument.symbol} at {one.instrument.venue} is stored with other properties than those given",
            hint="Leave the options out to keep what is stored, or use --replace to change it.",
        )
    edit.list_instrument(one.instrument)
    put = edit.put(one.bars, one.source, replace=options.replace)
    return Imported(
        file=one.source.file,
        instrument=one.instrument,
        timeframe=one.bars.timeframe,
        outcome=put.outcome.value,
        rows_in_file=len(one.bars),
        added=put.added,
        rows=put.rows,
        first_ts=put.report.first_ts,
        last_close_ts=put.report.last_close_ts,
        dropped=one.source.dropped_total,
        gaps=put.report.gap_count,
        missing=put.report.missing,
        notes=one.source.notes,
    )


def _silent(what: str, done: int, of: int) -> None:
    return None
