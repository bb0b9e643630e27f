"""The bars that a command names: of files, or of the home's store, in the timeframe that is asked for."""

import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from evenkeel.cli.common import resolve_home
from evenkeel.domain.errors import FieldError, InvalidInput

if TYPE_CHECKING:
    from evenkeel.domain.marketdata import Split
    from evenkeel.market.bars import Bars


def history_of(
    home: Path | None,
    files: list[Path] | None,
    symbols: list[str] | None,
    *,
    timeframe: str | None,
    start: str | None,
    end: str | None,
) -> "Mapping[str, Bars]":
    """Bars by symbol, of files or of the home's store. Raises InvalidInput where nothing was named or found."""
    from evenkeel.market.reading import read_all_bars

    if files:
        found = _of_files(read_all_bars(path) for path in files)
        if len(files) == 1 and symbols and len(symbols) == 1 and len(found) == 1:
            found = read_all_bars(files[0], symbol=symbols[0])
        found = {name: _in_timeframe(name, bars, timeframe) for name, bars in _chosen(found, symbols).items()}
    elif symbols:
        found = {name: stored(home, name, timeframe=timeframe or "1d") for name in symbols}
    else:
        raise InvalidInput("there is nothing to test on", hint="Name a file with --data, or stored bars with --symbol.")
    return {name: _between(name, bars, start, end) for name, bars in found.items()}


def _of_files(read: "Iterable[Mapping[str, Bars]]") -> "dict[str, Bars]":
    """The bars of several files. Raises InvalidInput where two of them hold one symbol."""
    found: dict[str, Bars] = {}
    for bars in read:
        if twice := sorted(found.keys() & bars.keys()):
            raise InvalidInput(
                f"{twice[0]} is in two of the files", hint="Name one of them, or import both: `evenkeel data import`."
            )
        found |= bars
    return found


def _chosen(found: "dict[str, Bars]", symbols: list[str] | None) -> "dict[str, Bars]":
    missing = [name for name in symbols or [] if name not in found]
    if missing:
        raise InvalidInput(f"the data has no {', '.join(missing)}; it has {', '.join(list(found)[:20])}")
    return {name: found[name] for name in symbols} if symbols else found


def _in_timeframe(name: str, bars: "Bars", timeframe: str | None) -> "Bars":
    """The bars of a file, or longer ones made of them by their calendar. Raises InvalidInput for shorter ones."""
    from evenkeel.market.calendars import calendar
    from evenkeel.market.resample import resample
    from evenkeel.market.timeframes import timeframe as parse

    if timeframe is None or parse(timeframe).name == bars.timeframe:
        return bars
    made = resample(bars, timeframe, calendar(bars.calendar))
    print(f"{name}: {made.timeframe} bars made of the file's {bars.timeframe} bars.", file=sys.stderr)
    return made if bars.instrument is None else made.of_instrument(bars.instrument)


def stored(home: Path | None, symbol: str, *, timeframe: str) -> "Bars":
    """Stored bars, or ones made of the longest that fit. Raises NotFound, and InvalidInput naming what is stored."""
    from evenkeel.cli.data import the_instrument, the_store
    from evenkeel.market.exporting import select

    folder = resolve_home(home)
    store = the_store(folder)
    instrument = the_instrument(store, symbol, None)
    bars, source = select(store, instrument, timeframe, cache=folder / "cache")
    if source != bars.timeframe:
        print(f"{symbol}: {bars.timeframe} bars made of the stored {source} bars.", file=sys.stderr)
    return bars.of_instrument(instrument)


def refuse_splits_within(bars: "Mapping[str, Bars]", splits: "Iterable[Split]") -> None:
    """Raises InvalidInput where a split goes ex inside a bar, which has prices of before and of after it then."""
    from evenkeel.market.calendars import calendar

    known = {one.instrument_id: (name, one) for name, one in bars.items()}
    for split in splits:
        name, one = known.get(split.instrument_id, ("", None))
        if one is None:
            continue
        at = calendar(one.calendar).day_start(split.ex_date)
        if ((one.ts < at) & (at < one.close_ts)).any():
            raise InvalidInput(
                f"{name} was split on {split.ex_date}, inside a bar of {one.timeframe}: half of it is of before",
                hint="Test on 1d bars, or on a file of prices that are adjusted for splits.",
            )


def _between(name: str, bars: "Bars", start: str | None, end: str | None) -> "Bars":
    kept = bars.between(moment(start, "--start"), moment(end, "--end"))
    if not len(kept):
        from evenkeel.domain.clock import iso

        held = f"{iso(int(bars.ts[0]))} to {iso(int(bars.close_ts[-1]))}" if len(bars) else "none"
        raise InvalidInput(f"there are no bars of {name} between --start and --end; there are {held}")
    return kept


def moment(text: str | None, option: str) -> int | None:
    if text is None:
        return None
    from evenkeel.domain.clock import to_ns

    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"expected a date or time such as 2015-01-01 or 2015-01-01T14:30, not {text!r}"
        raise InvalidInput(message, errors=(FieldError(option, message),)) from error
    return to_ns(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
