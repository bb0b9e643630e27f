"""Stored bars on their way out: as stored, made longer or adjusted; as CSV or Parquet that imports to the same bars."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.instruments import Instrument
from evenkeel.market.bars import Bars
from evenkeel.market.calendars import calendar
from evenkeel.market.ports import BarStore
from evenkeel.market.resample import resample
from evenkeel.market.timeframes import timeframe as parse


def stored_timeframe(store: BarStore, instrument: Instrument, wanted: str | None) -> str:
    """The stored timeframe meant: the one named, or the only one. Raises InvalidInput where there is none such."""
    stored = _timeframes(store, instrument)
    name = parse(wanted).name if wanted else stored[0] if len(stored) == 1 else None
    if name is None or name not in stored:
        raise InvalidInput(
            f"{instrument.symbol} is stored in {' and '.join(stored) or 'no timeframe'}"
            + (f", not in {name}" if name else ""),
            hint="Choose with --timeframe.",
        )
    return name


def select(
    store: BarStore,
    instrument: Instrument,
    wanted: str | None,
    *,
    start: int | None = None,
    end: int | None = None,
    adjusted: bool = False,
    cache: Path | None = None,
) -> tuple[Bars, str]:
    """(bars that open in [start, end), the stored timeframe they come from).

    A timeframe that is not stored is made of the longest stored one that divides it. `adjusted` applies splits and
    dividends as known at the last bar selected. Raises InvalidInput where the timeframe cannot be had.
    """
    sessions = calendar(instrument.calendar, cache=cache)
    stored = _timeframes(store, instrument)
    target = parse(wanted) if wanted else None
    if target is None or target.name in stored:
        source = stored_timeframe(store, instrument, wanted)
        bars = store.read(instrument.id, source, start=start, end=end)
    else:
        shorter = [name for name in stored if parse(name).ns < target.ns]
        fitting = [name for name in shorter if not target.intraday or target.ns % parse(name).ns == 0]
        source = fitting[-1] if fitting else stored_timeframe(store, instrument, wanted)
        bars = resample(store.read(instrument.id, source), target.name, sessions).between(start, end)
    if adjusted and len(bars):
        splits, dividends = store.splits(instrument.id), store.dividends(instrument.id)
        bars = bars.adjusted(splits, dividends, as_of=int(bars.close_ts[-1]), day_start=sessions.day_start)
    return bars, source


def encode(bars: Bars, instrument: Instrument, *, parquet: bool = False) -> bytes:
    """A file of `bars`, each row with symbol, venue and timeframe: CSV with times in ISO 8601, or Parquet."""
    import polars as pl

    named = {"symbol": instrument.symbol, "venue": instrument.venue, "timeframe": bars.timeframe}
    frame = bars.to_polars().rename({"ts": "timestamp", "close_ts": "close_timestamp"})
    frame = frame.select(*(pl.lit(value).alias(name) for name, value in named.items()), pl.all())
    buffer = BytesIO()
    if parquet:
        frame.write_parquet(buffer)
    else:
        times = pl.col("timestamp", "close_timestamp").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")
        frame.with_columns(times).write_csv(buffer)
    return buffer.getvalue()


def _timeframes(store: BarStore, instrument: Instrument) -> list[str]:
    """The stored timeframes of the instrument, shortest first."""
    held = (one.timeframe for one in store.series() if one.instrument_id == instrument.id)
    return sorted(held, key=lambda name: parse(name).ns)
