"""Columns of bars of one instrument and timeframe: times in int64 ns UTC, prices in float64.

`ts` is a bar's open; it can be seen only at its `close_ts`. Bars are raw: a split or dividend is a dated row, and
`adjusted` applies the ones known at a given moment, so that no adjusted view ever looks ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.instruments import AROUND_THE_CLOCK, Instrument
from evenkeel.domain.marketdata import Bar, Dividend, Split
from evenkeel.market.columns import COLUMNS, DAY, MEASURES, PRICES, Floats, Ints, checked_columns
from evenkeel.market.frames import columns_of, completed
from evenkeel.market.inference import refuse_other_spacing

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_CHUNK = 4096


def utc_midnight(day: date) -> int:
    """The ns at which `day` begins in UTC."""
    return (day.toordinal() - _EPOCH_ORDINAL) * DAY


@dataclass(frozen=True, slots=True, eq=False, init=False)
class Bars:
    """Eight columns of equal length, ordered by `ts`; slices share memory. `instrument` where it is known.

    `Bars(ts, open, high, low, close, volume)` takes arrays (times as ns, datetime64 or datetimes in UTC; numbers that
    can only be s, ms or µs are taken for these); what is not given is worked out: `timeframe` from the commonest
    distance, `close_ts` from it. Raises InvalidInput as `of` does.
    """

    instrument_id: str
    timeframe: str
    ts: Ints
    close_ts: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    spread: Floats
    instrument: Instrument | None

    def __init__(
        self,
        ts: npt.ArrayLike,
        open: npt.ArrayLike,  # noqa: A002 - the name of the column
        high: npt.ArrayLike,
        low: npt.ArrayLike,
        close: npt.ArrayLike,
        volume: npt.ArrayLike | None = None,
        **more: Any,
    ) -> None:
        given = {"ts": ts, "open": open, "high": high, "low": low, "close": close, "volume": volume, **more}
        name, frame, instrument, columns = completed(given)
        self._set(name, frame, checked_columns(columns), instrument)

    def _set(self, name: str, frame: str, columns: Iterable[Any], instrument: Instrument | None) -> None:
        put = object.__setattr__
        put(self, "instrument_id", name)
        put(self, "timeframe", frame)
        for column, values in zip(COLUMNS, columns, strict=True):
            put(self, column, values)
        put(self, "instrument", instrument)

    @classmethod
    def raw(cls, name: str, frame: str, columns: Iterable[Any], instrument: Instrument | None = None) -> Self:
        """Bars of columns known to be good, in the order of `COLUMNS`; nothing is checked or copied."""
        made = object.__new__(cls)
        made._set(name, frame, columns, instrument)
        return made

    @classmethod
    def from_frame(cls, frame: Any, *, symbol: str = "", timeframe: str | None = None) -> Self:
        """Bars of a pandas or Polars frame, its columns named as people name them and times as a column or index.

        Naive times are UTC; numbers are seconds, milliseconds, microseconds or nanoseconds since 1970. `timeframe` says
        what the rows are. Raises InvalidInput naming the columns that are missing or what else is wrong, such as a
        timeframe that they are not apart.
        """
        columns = columns_of(frame)
        if timeframe is not None:
            refuse_other_spacing(columns["ts"], timeframe)
        return cls(**columns, symbol=symbol, timeframe=timeframe)

    @classmethod
    def of(cls, instrument_id: str, timeframe: str, columns: Mapping[str, Any]) -> Self:
        """Bars from a mapping of column name to values; `volume` and `spread` default to 0.

        Raises InvalidInput when a column is missing, lengths differ or times do not strictly rise.
        """
        return cls.raw(instrument_id, timeframe, checked_columns(columns))

    @classmethod
    def empty(cls, instrument_id: str, timeframe: str) -> Self:
        return cls.of(instrument_id, timeframe, dict.fromkeys(COLUMNS, ()))

    @classmethod
    def from_bars(cls, timeframe: str, bars: Sequence[Bar]) -> Self:
        """Bars from single ones of one instrument, at least one. Raises InvalidInput."""
        if not bars or any(bar.instrument_id != bars[0].instrument_id for bar in bars):
            raise InvalidInput("a column of bars needs at least one bar, and all of one instrument")
        return cls.of(
            bars[0].instrument_id, timeframe, {name: [getattr(bar, name) for bar in bars] for name in COLUMNS}
        )

    @classmethod
    def concat(cls, parts: Iterable[Bars]) -> Bars:
        """One `Bars` of parts that follow each other in time. Raises InvalidInput for none, or for overlaps."""
        kept = list(parts)
        if not kept:
            raise InvalidInput("nothing to put together")
        kept = [part for part in kept if len(part)] or kept[:1]
        if len(kept) == 1:
            return kept[0]
        columns = {name: np.concatenate([getattr(part, name) for part in kept]) for name in COLUMNS}
        return cls.of(kept[0].instrument_id, kept[0].timeframe, columns)

    def __len__(self) -> int:
        return len(self.ts)

    def __repr__(self) -> str:
        name = self.instrument.symbol if self.instrument is not None else self.instrument_id
        return f"Bars({name}, {self.timeframe}, {len(self)} bars)"

    def __iter__(self) -> Iterator[Bar]:
        """Each bar in turn, as a domain `Bar`."""
        for start in range(0, len(self), _CHUNK):
            columns = [getattr(self, name)[start : start + _CHUNK].tolist() for name in COLUMNS]
            for row in zip(*columns, strict=True):
                yield Bar(self.instrument_id, *row)

    @property
    def calendar(self) -> str:
        """The name of the calendar by which it trades; around the clock where no instrument is known."""
        return self.instrument.calendar if self.instrument is not None else AROUND_THE_CLOCK

    def bar(self, index: int) -> Bar:
        """The bar at `index` (negative from the end). Raises IndexError."""
        return Bar(self.instrument_id, *(getattr(self, name)[index].item() for name in COLUMNS))

    def rows(self, start: int | None, stop: int | None = None) -> Bars:
        """Bars `start` to `stop` by index, as in a slice; no copy."""
        part = slice(start, stop)
        columns = [getattr(self, name)[part] for name in COLUMNS]
        return Bars.raw(self.instrument_id, self.timeframe, columns, self.instrument)

    def between(self, start: int | None = None, end: int | None = None) -> Bars:
        """Bars that open at or after `start` and before `end` (ns)."""
        first = 0 if start is None else int(np.searchsorted(self.ts, start, side="left"))
        last = len(self) if end is None else int(np.searchsorted(self.ts, end, side="left"))
        return self.rows(first, max(first, last))

    def as_of(self, at: int) -> Bars:
        """Bars that can be seen at `at`: those closed by then."""
        return self.rows(0, int(np.searchsorted(self.close_ts, at, side="right")))

    def after(self, at: int) -> Bars:
        """Bars that close later than `at`."""
        return self.rows(int(np.searchsorted(self.close_ts, at, side="right")))

    def tail(self, count: int) -> Bars:
        """The last `count` bars, or all where there are fewer."""
        return self.rows(max(0, len(self) - count))

    def replaced(self, **columns: npt.NDArray[Any]) -> Bars:
        """The same bars with the named columns exchanged."""
        values = [columns.get(name, getattr(self, name)) for name in COLUMNS]
        return Bars.raw(self.instrument_id, self.timeframe, values, self.instrument)

    def of_instrument(self, instrument: Instrument) -> Bars:
        """The same bars, known to be of `instrument`."""
        return Bars.raw(instrument.id, self.timeframe, [getattr(self, name) for name in COLUMNS], instrument)

    def where(self, mask: npt.NDArray[np.bool_]) -> Bars:
        """The bars for which `mask` is true; a copy."""
        return self.replaced(**{name: getattr(self, name)[mask] for name in COLUMNS})

    def equals(self, other: Bars) -> bool:
        """Whether both hold the same bars, value by value."""
        same = (self.instrument_id, self.timeframe) == (other.instrument_id, other.timeframe)
        return same and all(np.array_equal(getattr(self, name), getattr(other, name)) for name in COLUMNS)

    def adjusted(
        self,
        splits: Iterable[Split] = (),
        dividends: Iterable[Dividend] = (),
        *,
        as_of: int,
        day_start: Callable[[date], int] = utc_midnight,
    ) -> Bars:
        """The bars seen at `as_of` (ns), with the splits and dividends that had gone ex by then applied backwards.

        `day_start` gives the ns at which an ex-date begins (a calendar's `day_start`). Prices and spread before a
        split are divided by its ratio and volume multiplied; before a dividend, prices are multiplied by
        1 − amount ÷ last raw close before. Raises InvalidInput for a dividend as large as the price.
        """
        seen = self.as_of(as_of)
        events: list[Split | Dividend] = [*splits, *dividends]
        events = [event for event in events if event.instrument_id == self.instrument_id]
        known = sorted((event for event in events if day_start(event.ex_date) < as_of), key=_event_order)
        price, volume = np.ones(len(seen)), np.ones(len(seen))
        ratios: dict[date, float] = {}
        for event in known:
            before = int(np.searchsorted(seen.ts, day_start(event.ex_date), side="left"))
            if isinstance(event, Split):
                ratio = float(event.numerator) / float(event.denominator)
                ratios[event.ex_date] = ratio
                price[:before] /= ratio
                volume[:before] *= ratio
            elif before:
                price[:before] *= _dividend_factor(event, seen.close[before - 1] / ratios.get(event.ex_date, 1.0))
        measures = {name: getattr(seen, name) * price for name in (*PRICES, "spread")}
        return seen.replaced(**measures, volume=seen.volume * volume) if known else seen

    def to_polars(self) -> pl.DataFrame:
        """A frame of `COLUMNS`; times as Datetime(ns, UTC)."""
        import polars as pl

        frame = pl.DataFrame({name: getattr(self, name) for name in COLUMNS})
        times = [pl.col(name).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC") for name in COLUMNS[:2]]
        return frame.with_columns(times)

    @classmethod
    def from_polars(cls, instrument_id: str, timeframe: str, frame: pl.DataFrame) -> Self:
        """Bars of a frame shaped as `to_polars` gives it (times as Datetime or int ns)."""
        import polars as pl

        times = {}
        for name in COLUMNS[:2]:
            series = frame[name]
            ns = series.dt.timestamp("ns") if series.dtype.is_temporal() else series.cast(pl.Int64)
            times[name] = ns.to_numpy()
        return cls.of(
            instrument_id, timeframe, times | {c: frame[c].to_numpy() for c in MEASURES if c in frame.columns}
        )

    def to_arrow(self) -> pa.Table:
        """A table of `COLUMNS`; times as timestamp(ns, UTC)."""
        import pyarrow as pa

        moment = pa.timestamp("ns", tz="UTC")
        arrays = [pa.array(getattr(self, name)) for name in COLUMNS]
        return pa.table([a.cast(moment) if i < 2 else a for i, a in enumerate(arrays)], names=list(COLUMNS))

    @classmethod
    def from_arrow(cls, instrument_id: str, timeframe: str, table: pa.Table) -> Self:
        """Bars of a table shaped as `to_arrow` gives it."""
        import pyarrow as pa

        columns: dict[str, Any] = {
            name: table[name].cast(pa.timestamp("ns", tz="UTC")).cast(pa.int64()).to_numpy() for name in COLUMNS[:2]
        }
        columns |= {name: table[name].to_numpy() for name in MEASURES if name in table.column_names}
        return cls.of(instrument_id, timeframe, columns)


def _event_order(event: Split | Dividend) -> tuple[date, bool]:
    return event.ex_date, isinstance(event, Dividend)


def _dividend_factor(event: Dividend, reference: float) -> float:
    factor = 1.0 - float(event.amount) / float(reference)
    if factor <= 0:
        raise InvalidInput(
            f"the dividend of {event.amount} on {event.ex_date} is not smaller than the price before it, {reference}"
        )
    return factor
