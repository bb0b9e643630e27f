"""Daily closes: none from after the moment, adjusted as known then, read seldom, gathered where no store has them."""

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pytest

from evenkeel.desk.risk.closes import FRESH, MOST_DAYS, DailyCloses
from evenkeel.domain.clock import to_ns
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.domain.marketdata import Bar, Dividend, MarketSlice, Split
from evenkeel.market.bars import Bars
from evenkeel.market.calendars import calendar
from evenkeel.market.columns import DAY
from evenkeel.market.sample import sample_market
from evenkeel.market.stores.memory import MemoryStore

D = Decimal
COIN = Instrument("coin", "COIN", "X", AssetClass.CRYPTO, "USD", D("0.01"), D("0.01"))
STOCK = Instrument("stock", "STK", "XNYS", AssetClass.EQUITY, "USD", D("0.01"), D(1), calendar="XNYS")
NOON = to_ns(datetime(2024, 1, 1, 12, tzinfo=UTC))
HOUR = DAY // 24


class Counted(MemoryStore):
    """Counts how often it is read."""

    reads = 0

    def read(self, instrument_id: str, timeframe: str, *, start: int | None = None, end: int | None = None) -> Bars:
        self.reads += 1
        return super().read(instrument_id, timeframe, start=start, end=end)


def daily(instrument: Instrument, prices: list[float]) -> Bars:
    """Bars of the days from 2 January 2024 on, each open for the whole of its day."""
    first = to_ns(datetime(2024, 1, 2, tzinfo=UTC))
    bars = [Bar(instrument.id, first + n * DAY, first + (n + 1) * DAY, p, p, p, p, 1.0) for n, p in enumerate(prices)]
    return Bars.from_bars("1d", bars)


def dates(*days: int) -> list[int]:
    return [date(2024, 1, day).toordinal() for day in days]


def test_nothing_after_the_moment_is_given() -> None:
    closes = DailyCloses(MemoryStore([COIN], [daily(COIN, [1, 2, 3, 4, 5])]))
    found = closes.closes(COIN, at=NOON + 3 * DAY, count=10)
    assert (found.dates.tolist(), found.prices.tolist()) == (dates(2, 3), [1, 2])
    found = closes.closes(COIN, at=NOON + 5 * DAY, count=2)
    assert (found.dates.tolist(), found.prices.tolist()) == (dates(4, 5), [3, 4])


def test_the_last_price_is_the_newest_close() -> None:
    closes = DailyCloses(MemoryStore([COIN], [daily(COIN, [1, 2, 3])]))
    now = NOON + 3 * DAY
    found = closes.closes(COIN, at=now, count=10, last=(now - HOUR, 9.0))
    assert (found.dates.tolist(), found.prices.tolist()) == (dates(2, 3, 4), [1, 2, 9])
    stale = closes.closes(COIN, at=now, count=10, last=(now - DAY, 9.0))
    assert stale.prices.tolist() == [1, 2], "what is older than the last stored close is in it already"


def test_prices_that_no_store_has_are_gathered_one_a_day() -> None:
    closes = DailyCloses(MemoryStore([COIN], []))
    for hour, price in ((0, 1.0), (6, 2.0), (20, 3.0), (44, 4.0), (60, float("nan"))):
        moment = NOON + hour * HOUR
        closes.market_moved(
            MarketSlice(moment, (Bar(COIN.id, moment - HOUR, moment, price, price, price, price, 1.0),))
        )
    found = closes.closes(COIN, at=NOON + 3 * DAY, count=10)
    assert (found.dates.tolist(), found.prices.tolist()) == (dates(1, 2, 3), [2, 3, 4])


def test_no_more_is_gathered_than_is_ever_asked() -> None:
    closes = DailyCloses(MemoryStore([COIN], []))
    for day in range(MOST_DAYS + 50):
        moment = NOON + day * DAY
        closes.market_moved(MarketSlice(moment, (Bar(COIN.id, moment - HOUR, moment, 1.0, 1.0, 1.0, 1.0, 1.0),)))
    assert len(closes.closes(COIN, at=NOON + 5_000 * DAY, count=5_000)) == MOST_DAYS


def test_what_went_ex_by_then_is_applied_backwards() -> None:
    split, paid = Split(COIN.id, date(2024, 1, 4), D(2), D(1)), Dividend(COIN.id, date(2024, 1, 5), D("0.5"))
    closes = DailyCloses(MemoryStore([COIN], [daily(COIN, [10, 10, 5, 4.5])], splits=[split], dividends=[paid]))
    assert closes.closes(COIN, at=NOON + 2 * DAY, count=9).prices.tolist() == [10]
    assert closes.closes(COIN, at=NOON + 4 * DAY - 12 * HOUR, count=9).prices.tolist() == [5, 5, 5]
    assert closes.closes(COIN, at=NOON + 5 * DAY, count=9).prices == pytest.approx([4.5, 4.5, 4.5, 4.5])


def test_a_split_that_only_the_feed_has_told_is_applied_too_and_once() -> None:
    split = Split(COIN.id, date(2024, 1, 4), D(2), D(1))
    for known in ([], [split]):
        closes = DailyCloses(MemoryStore([COIN], [daily(COIN, [10, 10, 5])], splits=known))
        closes.market_moved(MarketSlice(NOON + 3 * DAY, splits=(split,)))
        assert closes.closes(COIN, at=NOON + 4 * DAY, count=9).prices.tolist() == [5, 5, 5]


def test_the_bars_of_a_day_count_by_its_session() -> None:
    """Hourly bars of New York: the session's last price, whatever its date in UTC."""
    sessions = calendar("XNYS").sessions(date(2024, 1, 2), date(2024, 1, 4))
    bars = [
        Bar(STOCK.id, end - HOUR, end, 1.0, 1.0, 1.0, price, 1.0)
        for place, session in enumerate(sessions)
        for end, price in ((session.open + HOUR, 50.0), (session.close, 10.0 + place))
    ]
    closes = DailyCloses(MemoryStore([STOCK], [Bars.from_bars("1h", bars)]))
    found = closes.closes(STOCK, at=sessions[2].close, count=9)
    assert (found.dates.tolist(), found.prices.tolist()) == (dates(2, 3, 4), [10, 11, 12])
    midday = closes.closes(STOCK, at=sessions[2].open + 2 * HOUR, count=9, last=(sessions[2].open + HOUR, 50.0))
    assert midday.prices.tolist() == [10, 11, 50]


def test_daily_bars_are_taken_before_finer_ones_and_weeks_never() -> None:
    day = daily(COIN, [1, 2])
    hour, week = Bars.from_bars("1h", list(daily(COIN, [7, 8]))), Bars.from_bars("1w", list(daily(COIN, [9])))
    closes = DailyCloses(MemoryStore([COIN], [week, hour, day]))
    assert closes.closes(COIN, at=NOON + 9 * DAY, count=9).prices.tolist() == [1, 2]
    assert len(DailyCloses(MemoryStore([COIN], [week])).closes(COIN, at=NOON + 9 * DAY, count=9)) == 0


def test_the_store_is_read_again_only_for_other_bars_or_after_an_hour() -> None:
    store, now = Counted([COIN], [daily(COIN, [1.0] * 300)]), [0.0]
    closes = DailyCloses(store, clock=lambda: now[0])
    for day in range(100, 200):
        closes.closes(COIN, at=NOON + day * DAY, count=20)
    assert store.reads == 1
    closes.closes(COIN, at=NOON + 200 * DAY, count=200)
    assert store.reads == 2, "a longer window than was read"
    now[0] = FRESH + 1
    closes.closes(COIN, at=NOON + 200 * DAY, count=200)
    assert store.reads == 3
    store._bars[COIN.id, "1d"] = daily(COIN, [2.0] * 301)
    assert closes.closes(COIN, at=NOON + 200 * DAY, count=200).prices[-1] == 2
    assert store.reads == 4


def test_they_are_those_of_the_adjusted_bars_of_the_sample() -> None:
    instruments, bars, splits = sample_market()
    closes = DailyCloses(MemoryStore(instruments, bars.values(), splits=splits))
    moment = to_ns(datetime(2005, 3, 10, tzinfo=UTC))
    for one in instruments:
        expected = bars[one.id].adjusted([s for s in splits if s.instrument_id == one.id], as_of=moment).tail(251)
        assert np.array_equal(closes.closes(one, at=moment, count=251).prices, expected.close)
