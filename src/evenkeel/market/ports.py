"""What this room needs of a place that keeps bars; `stores/` holds the implementations."""

from typing import Protocol

from msgspec import Struct

from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Dividend, Split
from evenkeel.market.bars import Bars


class Series(Struct, frozen=True):
    """One stored run of bars: how many, the first open and the last close (ns)."""

    instrument_id: str
    timeframe: str
    rows: int
    first_ts: int
    last_close_ts: int


class BarStore(Protocol):
    """Raw bars and the dated rows that adjust them, readable by several threads and processes at once."""

    def instruments(self) -> tuple[Instrument, ...]: ...

    def series(self) -> tuple[Series, ...]: ...

    def read(self, instrument_id: str, timeframe: str, *, start: int | None = None, end: int | None = None) -> Bars:
        """Raw bars that open at or after `start` and before `end` (ns). Raises NotFound for a series not kept."""
        ...

    def splits(self, instrument_id: str) -> tuple[Split, ...]: ...

    def dividends(self, instrument_id: str) -> tuple[Dividend, ...]: ...


def latest(store: BarStore, series: Series, *, before: int, count: int) -> Bars:
    """The last `count` bars of `series` closed at or before `before` (ns), fewer where the series is shorter."""
    span = max(before - series.first_ts, 0)
    window = min(span, _WINDOW)
    while True:
        start = series.first_ts if window >= span else before - window
        seen = store.read(series.instrument_id, series.timeframe, start=start, end=before).as_of(before)
        if len(seen) >= count or window >= span:
            return seen.tail(count)
        window = min(span, max(window * 2, window * count // max(len(seen), 1)))


_WINDOW = 32 * 86_400_000_000_000
