"""`evenkeel data`: import files of bars, list and check what is stored, export it, take a replacement back."""

from __future__ import annotations

import sys
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenkeel.cli.common import (
    HomeOption,
    JsonOption,
    examples,
    print_json,
    print_table,
    progress,
    reporting,
    resolve_home,
)
from evenkeel.domain.clock import iso, parse_iso
from evenkeel.domain.errors import EvenkeelError, InvalidInput, NotFound
from evenkeel.domain.instruments import AssetClass, Instrument

if TYPE_CHECKING:
    from evenkeel.market.bars import Bars
    from evenkeel.market.importing import Imported
    from evenkeel.market.stores.parquet import ParquetStore

app = typer.Typer(no_args_is_help=True)

_DAY = 86_400_000_000_000
_LISTED_GAPS = 10


class Format(StrEnum):
    CSV = "csv"
    PARQUET = "parquet"


def _size(text: str) -> Decimal:
    try:
        size = Decimal(text)
    except InvalidOperation as error:
        raise typer.BadParameter(f"{text!r} is not a number such as 0.01") from error
    if not size.is_finite() or size <= 0:
        raise typer.BadParameter(f"{text!r} is not above zero")
    return size


def _moment(text: str) -> int:
    try:
        return parse_iso(text)
    except InvalidInput as error:
        raise typer.BadParameter(error.message) from error


def _last_moment(text: str) -> int:
    """As `_moment`; a date means the end of that day."""
    return _moment(text) + (_DAY if len(text) <= len("2005-09-01") else 0)


Venue = Annotated[str | None, typer.Option(help="Where it is traded.", show_default="as stored")]
FileArgument = Annotated[
    list[Path] | None,
    typer.Argument(metavar="FILE...", exists=True, dir_okay=False, show_default=False, help="CSV or Parquet files."),
]


@app.command(
    "import",
    epilog=examples(
        "evenkeel data import eurusd_1h.parquet aapl.csv",
        "evenkeel data import prices.csv --symbol AAPL --venue XNAS --adjustments splits.csv --dry-run",
        note="Formats, columns and what is refused: docs/data.md.",
    ),
)
def import_(
    files: FileArgument = None,
    symbol: Annotated[str | None, typer.Option(help="Its symbol.", show_default="column, or file name")] = None,
    venue: Annotated[str | None, typer.Option(help="Where it is traded.", show_default="by symbol")] = None,
    timeframe: Annotated[str | None, typer.Option(help="1m, 1h, 1d …", show_default="spacing of rows")] = None,
    timezone: Annotated[str | None, typer.Option(help="Zone of times that name none.", show_default="UTC")] = None,
    currency: Annotated[str | None, typer.Option(help="Currency of prices.", show_default="by symbol")] = None,
    tick: Annotated[Decimal | None, typer.Option(parser=_size, help="Smallest price step.", metavar="STEP")] = None,
    lot: Annotated[Decimal | None, typer.Option(parser=_size, help="Smallest quantity step.", metavar="STEP")] = None,
    asset_class: Annotated[AssetClass | None, typer.Option(case_sensitive=False, help="What it is.")] = None,
    calendar: Annotated[str | None, typer.Option(help="XNYS, XNSE, CME, FX, METALS, 24/7 …")] = None,
    adjustments: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="File of splits and dividends.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Prefer these rows to stored ones.")] = False,
    drop_bad_rows: Annotated[bool, typer.Option("--drop-bad-rows", help="Leave bad rows out, and note them.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check only, change nothing.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import bars from files: all of them, or nothing.

    A file with impossible rows is refused whole and its rows are listed. Importing the same file again changes nothing.
    """
    if not files and adjustments is None:
        raise typer.BadParameter("name at least one file, or --adjustments", param_hint="FILE...")
    with reporting(as_json=as_json):
        from evenkeel.market.importing import ImportOptions, import_files

        options = ImportOptions(
            symbol=symbol,
            venue=venue,
            timeframe=timeframe,
            timezone=timezone,
            currency=currency,
            tick=tick,
            lot=lot,
            asset_class=asset_class,
            calendar=calendar,
            replace=replace,
            drop_bad_rows=drop_bad_rows,
        )
        folder = resolve_home(home)
        with progress(quiet=as_json) as tell:
            files, cache = files or [], folder / "cache"
            done = import_files(
                the_store(folder), files, options, adjustments=adjustments, cache=cache, dry_run=dry_run, progress=tell
            )
        if as_json:
            print_json({"dry_run": dry_run, "items": [_imported_json(one) for one in done]})
        else:
            _print_imported(done, dry_run=dry_run)


@app.command("list", epilog=examples("evenkeel data list", "evenkeel data list --json"))
def list_(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the stored series."""
    with reporting(as_json=as_json):
        store = the_store(resolve_home(home))
        held = {one.id: one for one in store.instruments()}
        series = sorted(store.series(), key=lambda one: (held[one.instrument_id].symbol, one.first_ts))
        items = [
            {
                **_instrument_json(held[one.instrument_id]),
                "timeframe": one.timeframe,
                "rows": one.rows,
                "from": iso(one.first_ts),
                "to": iso(one.last_close_ts),
                "splits": len(store.splits(one.instrument_id)),
                "dividends": len(store.dividends(one.instrument_id)),
            }
            for one in series
        ]
        if as_json:
            print_json({"items": items})
        elif not items:
            print(f"No bars in {store.root}. Add some with `evenkeel data import FILE...`.")
        else:
            shown = ("symbol", "venue", "timeframe", "rows", "from", "to", "asset_class", "calendar", "splits")
            print_table(shown, [[str(item[name]) for name in shown] for item in items])


@app.command(epilog=examples("evenkeel data check", "evenkeel data check EURUSD --json"))
def check(
    symbol: Annotated[str | None, typer.Argument(metavar="[SYMBOL]", help="Without it, all.")] = None,
    venue: Venue = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read stored series again and check every row; gaps against the calendar are warnings.

    Exits with 1 if a stored row is impossible or a file is damaged.
    """
    with reporting(as_json=as_json):
        folder = resolve_home(home)
        store = the_store(folder)
        held = {one.id: one for one in _chosen(store, symbol, venue)}
        items = [
            _checked(store, held[one.instrument_id], one.timeframe, folder / "cache")
            for one in store.series()
            if one.instrument_id in held
        ]
        if as_json:
            print_json({"ok": all(item["ok"] for item in items), "items": items})
        else:
            _print_checked(items)
    if not all(item["ok"] for item in items):
        raise typer.Exit(1)


@app.command(epilog=examples("evenkeel data export AAPL --from 2005-01-01 --adjusted -o aapl.csv"))
def export(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="As `evenkeel data list` shows it.")],
    timeframe: Annotated[str | None, typer.Option(help="1m, 1h, 1d …", show_default="the one stored")] = None,
    venue: Venue = None,
    start: Annotated[int | None, typer.Option("--from", parser=_moment, metavar="TIME", help="First open.")] = None,
    end: Annotated[
        int | None,
        typer.Option("--to", parser=_last_moment, metavar="TIME", help="Last open; a date includes its day."),
    ] = None,
    adjusted: Annotated[bool, typer.Option("--adjusted", help="Adjust as known at the last bar.")] = False,
    form: Annotated[
        Format | None, typer.Option("--format", help="Of the file.", show_default="by -o, else csv")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", dir_okay=False, help="File.", show_default="stdout")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Export bars as CSV or Parquet; importing the file again gives the same bars."""
    named = Format.PARQUET if output is not None and output.suffix.lower() in (".parquet", ".pq") else Format.CSV
    chosen = form or named
    if output is None and chosen is Format.PARQUET:
        raise typer.BadParameter("needs a file: add -o FILE", param_hint="--format parquet")
    with reporting(as_json=as_json):
        from evenkeel.market.exporting import encode, select

        folder = resolve_home(home)
        store = the_store(folder)
        instrument = the_instrument(store, symbol, venue)
        bars, source = select(
            store, instrument, timeframe, start=start, end=end, adjusted=adjusted, cache=folder / "cache"
        )
        if source != bars.timeframe:
            print(f"Made of the stored {source} bars.", file=sys.stderr)
        if output is None and as_json:
            print_json({**_instrument_json(instrument), "timeframe": bars.timeframe, "items": _bars_json(bars)})
            return
        content = encode(bars, instrument, parquet=chosen is Format.PARQUET)
        if output is None:
            sys.stdout.write(content.decode())
            return
        part = output.with_name(f"{output.name}.part")
        part.write_bytes(content)
        part.replace(output)
        if as_json:
            print_json({"file": str(output), "rows": len(bars), "timeframe": bars.timeframe, "adjusted": adjusted})
        else:
            print(f"{len(bars)} {bars.timeframe} bars of {instrument.symbol} written to {output}")


@app.command(epilog=examples("evenkeel data restore AAPL"))
def restore(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="As `evenkeel data list` shows it.")],
    timeframe: Annotated[str | None, typer.Option(help="1m, 1h, 1d …", show_default="the one stored")] = None,
    venue: Venue = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put back the bars that the last `import --replace` replaced; doing it twice changes nothing."""
    with reporting(as_json=as_json):
        from evenkeel.market.exporting import stored_timeframe

        store = the_store(resolve_home(home))
        instrument = the_instrument(store, symbol, venue)
        name = stored_timeframe(store, instrument, timeframe)
        with store.editing() as edit:
            edit.restore(instrument.id, name)
        rows = len(store.read(instrument.id, name))
        if as_json:
            print_json({**_instrument_json(instrument), "timeframe": name, "rows": rows})
        else:
            print(f"{instrument.symbol} {name}: the earlier {rows} bars are back")


def the_store(home: Path) -> ParquetStore:
    from evenkeel.market.stores.parquet import ParquetStore

    return ParquetStore(home / "data", cache=home / "cache")


def _chosen(store: ParquetStore, symbol: str | None, venue: str | None) -> tuple[Instrument, ...]:
    if symbol is None:
        return tuple(one for one in store.instruments() if venue in (None, one.venue))
    found = store.find(symbol, venue)
    if not found:
        known = ", ".join(sorted({one.symbol for one in store.instruments()}))
        hint = f"Stored: {known}." if known else "Nothing is stored yet. Import some: evenkeel data import FILE"
        raise NotFound(f"there are no bars of {symbol}{f' at {venue}' if venue else ''}", hint=hint)
    return found


def the_instrument(store: ParquetStore, symbol: str, venue: str | None) -> Instrument:
    found = _chosen(store, symbol, venue)
    if len(found) > 1:
        raise InvalidInput(
            f"{symbol} is stored at {', '.join(one.venue for one in found)}", hint="Choose with --venue."
        )
    return found[0]


def _checked(store: ParquetStore, instrument: Instrument, timeframe: str, cache: Path) -> dict[str, Any]:
    from evenkeel.market.calendars import calendar
    from evenkeel.market.checks import report
    from evenkeel.market.columns import COLUMNS
    from evenkeel.market.validation import refuse_bad_rows

    item: dict[str, Any] = {**_instrument_json(instrument), "timeframe": timeframe, "ok": True, "errors": []}
    try:
        bars = store.read(instrument.id, timeframe)
        sources = store.report(instrument.id, timeframe).sources
        refuse_bad_rows({name: getattr(bars, name) for name in COLUMNS}, f"{instrument.symbol} {timeframe}")
    except EvenkeelError as error:
        found = [f"{one.field}: {one.message}" for one in getattr(error, "errors", ())]
        return {**item, "ok": False, "errors": [error.message, *found]}
    made = report(bars, calendar(instrument.calendar, cache=cache), sources=sources)
    return {
        **item,
        "rows": made.rows,
        "from": iso(made.first_ts),
        "to": iso(made.last_close_ts),
        "missing": made.missing,
        "gap_count": made.gap_count,
        "gaps": [{"from": iso(gap.start), "to": iso(gap.end), "missing": gap.missing} for gap in made.gaps],
        "outside_sessions": made.outside_sessions,
        "dropped": sum(source.dropped_total for source in made.sources),
        "sources": [
            {"file": one.file, "rows": one.rows, "dropped": one.dropped_total, "notes": list(one.notes)}
            for one in made.sources
        ],
    }


def _instrument_json(instrument: Instrument) -> dict[str, Any]:
    return {
        "id": instrument.id,
        "symbol": instrument.symbol,
        "venue": instrument.venue,
        "asset_class": instrument.asset_class.value,
        "currency": instrument.currency,
        "tick_size": f"{instrument.tick_size:f}",
        "lot_size": f"{instrument.lot_size:f}",
        "calendar": instrument.calendar,
    }


def _bars_json(bars: Bars) -> list[dict[str, Any]]:
    return [
        {
            "ts": iso(bar.ts),
            "close_ts": iso(bar.close_ts),
            **{name: getattr(bar, name) for name in ("open", "high", "low", "close", "volume", "spread")},
        }
        for bar in bars
    ]


def _imported_json(one: Imported) -> dict[str, Any]:
    return {
        "file": one.file,
        **_instrument_json(one.instrument),
        "timeframe": one.timeframe,
        "outcome": one.outcome,
        "rows_in_file": one.rows_in_file,
        "added": one.added,
        "rows": one.rows,
        "from": iso(one.first_ts),
        "to": iso(one.last_close_ts),
        "dropped": one.dropped,
        "gap_count": one.gaps,
        "missing": one.missing,
        "notes": list(one.notes),
    }


def _print_imported(done: tuple[Imported, ...], *, dry_run: bool) -> None:
    headings = ("file", "symbol", "venue", "timeframe", "outcome", "added", "rows", "from", "to", "missing", "dropped")
    rows = []
    for one in done:
        item = _imported_json(one) | {"from": iso(one.first_ts)[:10], "to": iso(one.last_close_ts)[:10]}
        rows.append([str(item[name]) for name in headings])
    if rows:
        print_table(headings, rows)
    for note in dict.fromkeys(f"{one.instrument.symbol}: {note}" for one in done for note in one.notes):
        print(f"  {note}")
    if any(one.missing for one in done):
        print("Some bars are missing against the trading calendar: `evenkeel data check SYMBOL` lists the gaps.")
    if dry_run:
        print("Nothing was changed: this was a dry run.")


def _print_checked(items: list[dict[str, Any]]) -> None:
    if not items:
        print("No bars are stored.")
    for item in items:
        title = f"{item['symbol']} {item['timeframe']} at {item['venue']}"
        if not item["ok"]:
            print("\n  ".join([f"{title}: DAMAGED", *item["errors"]]))
            continue
        span = f"{item['rows']} bars, {item['from']} to {item['to']}"
        print(f"{title}: ok, {span}, {item['missing']} missing in {item['gap_count']} gaps")
        for gap in item["gaps"][:_LISTED_GAPS]:
            print(f"  gap {gap['from']} to {gap['to']}: {gap['missing']} bars")
        if item["gap_count"] > _LISTED_GAPS:
            print(f"  and {item['gap_count'] - _LISTED_GAPS} more; --json lists up to 200")
        if item["outside_sessions"]:
            print(f"  {item['outside_sessions']} bars lie outside the sessions of {item['calendar']}")
        if item["dropped"]:
            print(f"  {item['dropped']} bad rows were left out on import")
