"""Daily closes of instruments: from the store of bars as far as it goes, then from the market as it is seen.

The store is read on a thread, a window at a time and well ahead of a replay's clock, and again only when it has other
bars or an hour has passed; what lies after the moment asked about is never given. What no store holds, such as a
made-up market, is gathered from the prices that pass, from the start of this process on.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from math import inf

import numpy as np
from msgspec import Struct, field

from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import Dividend, MarketSlice, Split
from evenkeel.market.bars import Bars
from evenkeel.market.calendars import calendar
from evenkeel.market.columns import DAY, Floats, Ints
from evenkeel.market.days import dates_at
from evenkeel.market.ports import BarStore, Series
from evenkeel.market.timeframes import timeframe
from evenkeel.quant.risk import Closes

MOST_DAYS = 1_000
AHEAD = 400 * DAY
FRESH = 3600.0
_SPARE = 15 * DAY
_Event = Split | Dividend


class _Read(Struct):
    """What was read of `series`, from `since` to `until` (ns): the last raw bar of each session as (open, close) times
    and price, and what went ex. `at` is when, on the clock of this process."""

    series: Series
    since: int
    until: int
    at: float
    opens: Ints
    closes: Ints
    prices: Floats
    events: list[_Event]


class _Seen(Struct):
    """Prices that passed, the last of each day in UTC as (time, price), and what went ex meanwhile."""

    prices: dict[int, tuple[int, float]] = field(default_factory=dict)
    events: list[_Event] = field(default_factory=list)

    def take(self, at: int, price: float) -> None:
        if not 0.0 < price < inf:
            return
        self.prices[(at - 1) // DAY] = (at, price)
        if len(self.prices) > MOST_DAYS:
            del self.prices[next(iter(self.prices))]


class DailyCloses:
    """Call `market_moved` on the loop and `closes` on a thread. `clock` is seconds, for how old a reading is."""

    def __init__(self, store: BarStore, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._read: dict[str, _Read] = {}
        self._seen: defaultdict[str, _Seen] = defaultdict(_Seen)
        self._lock = threading.Lock()

    def market_moved(self, market: MarketSlice) -> None:
        """Gathers what a slice of the market shows."""
        for bar in market.bars:
            self._seen[bar.instrument_id].take(bar.close_ts, bar.close)
        for split in market.splits:
            self._seen[split.instrument_id].events.append(split)
        for dividend in market.dividends:
            self._seen[dividend.instrument_id].events.append(dividend)

    def closes(self, instrument: Instrument, *, at: int, count: int, last: tuple[int, float] | None = None) -> Closes:
        """The last `count` closes of sessions up to `at` (ns), adjusted for what had gone ex by then.

        `last` (time, price) is the last price: of a session that has not closed yet it is the newest close there is.
        """
        with self._lock:
            stored = self._stored(instrument.id, at=at, count=count)
            seen = self._seen.get(instrument.id, _Seen())
            passed = sorted(seen.prices.values())
            events = {(type(one), one.ex_date): one for one in (*seen.events, *(stored.events if stored else ()))}
        if last is not None:
            passed.append(last)
        bars = _together(instrument, stored, passed=passed, at=at)
        if events and len(bars):
            splits = [one for one in events.values() if isinstance(one, Split)]
            dividends = [one for one in events.values() if isinstance(one, Dividend)]
            starts = calendar(instrument.calendar).day_start
            bars = bars.adjusted(splits, dividends, as_of=at, day_start=starts)
        bars = bars.tail(count)
        return Closes(dates_at(bars.close_ts, instrument.calendar), bars.close)

    def _stored(self, instrument_id: str, *, at: int, count: int) -> _Read | None:
        """What the store has around `at`, read again where it is not what was read; None where it has nothing."""
        series = _daily_or_finer([one for one in self._store.series() if one.instrument_id == instrument_id])
        if series is None:
            return None
        since = at - int(count * 1.5 * DAY) - _SPARE
        known = self._read.get(instrument_id)
        is_good = known is not None and known.series == series and known.since <= since and at <= known.until
        if known is None or not is_good or self._clock() - known.at > FRESH:
            known = self._read[instrument_id] = self._fetched(series, since=since, until=at + AHEAD)
        return known

    def _fetched(self, series: Series, *, since: int, until: int) -> _Read:
        bars = self._store.read(series.instrument_id, series.timeframe, start=since, end=until)
        known = {one.id: one for one in self._store.instruments()}
        dates = dates_at(bars.close_ts, known[series.instrument_id].calendar)
        ends = np.flatnonzero(np.diff(dates, append=dates[-1:] + 1))
        events: list[_Event] = [*self._store.splits(series.instrument_id), *self._store.dividends(series.instrument_id)]
        columns = bars.ts[ends], bars.close_ts[ends], bars.close[ends]
        return _Read(series, since, until, self._clock(), *columns, events)


def _daily_or_finer(series: list[Series]) -> Series | None:
    """Daily bars, else the longest of those within a day, which are the fewest to read."""
    fitting = {one.timeframe: one for one in series if one.timeframe == "1d" or timeframe(one.timeframe).intraday}
    return fitting.get("1d") or max(fitting.values(), key=lambda one: timeframe(one.timeframe).ns, default=None)


def _together(instrument: Instrument, stored: _Read | None, *, passed: list[tuple[int, float]], at: int) -> Bars:
    """One raw bar a session up to `at`, of its last price: of what has passed only what the store does not know."""
    opens = closes = np.empty(0, dtype=np.int64)
    prices = np.empty(0)
    if stored is not None:
        seen = int(np.searchsorted(stored.closes, at, side="right"))
        opens, closes, prices = stored.opens[:seen], stored.closes[:seen], stored.prices[:seen]
    after = int(closes[-1]) if len(closes) else -(2**62)
    newer = [(moment, price) for moment, price in passed if after < moment <= at]
    times = np.array([moment for moment, _ in newer], dtype=np.int64)
    opens, closes = np.concatenate((opens, times)), np.concatenate((closes, times))
    prices = np.concatenate((prices, np.array([price for _, price in newer], dtype=np.float64)))
    good = prices > 0.0
    opens, closes, prices = opens[good], closes[good], prices[good]
    dates = dates_at(closes, instrument.calendar)
    ends = np.flatnonzero(np.diff(dates, append=dates[-1:] + 1))
    nothing = np.zeros(len(ends))
    columns = (opens[ends], closes[ends], *(prices[ends],) * 4, nothing, nothing)
    return Bars.raw(instrument.id, "1d", columns, instrument)
