"""Feeds: merged in time, splits given once and in time, resumable anywhere."""

from datetime import date
from decimal import Decimal
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput, NotFound
from evenkeel.domain.marketdata import Dividend, MarketSlice, Split
from evenkeel.market.bars import Bars
from evenkeel.market.calendars import calendar
from evenkeel.market.feeds.ports import Feed
from evenkeel.market.feeds.replay import ReplayFeed
from evenkeel.market.feeds.simulated import SimulatedFeed
from evenkeel.market.stores.memory import MemoryStore
from tests.market.builders import HOUR, daily, day, instrument, intraday

ACME, OTHER, COIN = instrument(), instrument("OTHER"), instrument("COIN", days="24/7")
START, END = date(2004, 12, 1), date(2006, 2, 1)
BARS = (
    daily(ACME, START, END),
    daily(OTHER, date(2005, 6, 1), END, seed=2),
    daily(COIN, START, END, seed=3),
    intraday(ACME, date(2005, 2, 1), date(2005, 3, 31), span=HOUR, name="1h"),
)
SPLIT = Split(ACME.id, date(2005, 2, 28), Decimal(2), Decimal(1))
STORE = MemoryStore((ACME, OTHER, COIN), BARS, splits=[SPLIT])


def close_on(day_of: date) -> int:
    session = calendar("XNYS").session(day_of)
    assert session is not None
    return session.close


class TestReplay:
    def test_gives_every_bar_once_in_order(self) -> None:
        feed: Feed = ReplayFeed(STORE, timeframes=("1d", "1h"), start=0)
        slices = list(feed.slices())
        assert all(earlier.at < later.at for earlier, later in pairwise(slices))
        assert all(bar.close_ts == one.at for one in slices for bar in one.bars)
        assert sum(len(one.bars) for one in slices) == sum(len(bars) for bars in BARS)

    def test_short_timeframes_come_first_within_a_moment(self) -> None:
        feed = ReplayFeed(STORE, timeframes=("1d", "1h"))
        together = next(one for one in feed.slices() if one.at == close_on(date(2005, 2, 1)))
        assert [bar.close_ts - bar.ts for bar in together.bars] == [HOUR // 2, 6 * HOUR + HOUR // 2]

    @pytest.mark.parametrize(
        ("timeframes", "at"),
        [(("1d",), close_on(date(2005, 2, 28))), (("1d", "1h"), close_on(date(2005, 2, 28)) - 11 * HOUR // 2)],
    )
    def test_a_split_comes_once_with_the_first_bar_of_its_day(self, timeframes: tuple[str, ...], at: int) -> None:
        feed = ReplayFeed(STORE, timeframes=timeframes)
        assert [(one.at, one.splits) for one in feed.slices() if one.splits] == [(at, (SPLIT,))]
        assert [one.splits for one in islice(feed.slices(at - 1), 1)] == [(SPLIT,)]
        assert not any(one.splits for one in feed.slices(at))

    def test_dividends_come_with_the_first_bar_of_their_day_beside_splits(self) -> None:
        paid = [Dividend(ACME.id, day, Decimal("0.5")) for day in (date(2005, 2, 28), date(2005, 4, 2))]
        feed = ReplayFeed(MemoryStore((ACME, OTHER), BARS[:2], splits=[SPLIT], dividends=paid))
        found = {one.at: (one.splits, one.dividends) for one in feed.slices() if one.splits or one.dividends}
        saturday = close_on(date(2005, 4, 4))
        assert found == {close_on(date(2005, 2, 28)): ((SPLIT,), (paid[0],)), saturday: ((), (paid[1],))}

    def test_a_split_before_the_start_is_history(self) -> None:
        feed = ReplayFeed(STORE, start=day(2005, 3, 1))
        assert not any(one.splits for one in feed.slices())
        assert feed.splits(ACME.id) == (SPLIT,)

    def test_a_halted_instrument_s_split_waits_for_its_first_bar(self) -> None:
        halted = BARS[0].where((BARS[0].ts < day(2005, 2, 24)) | (BARS[0].ts > day(2005, 3, 3)))
        feed = ReplayFeed(MemoryStore((ACME, OTHER), (halted, BARS[1]), splits=[SPLIT]))
        assert [one.at for one in feed.slices() if one.splits] == [close_on(date(2005, 3, 3))]

    def test_history_and_slices_share_no_bar(self) -> None:
        start = close_on(date(2005, 9, 1))
        feed = ReplayFeed(STORE, start=start, end=close_on(date(2005, 9, 9)))
        past = feed.history(ACME.id, "1d", before=start, count=250)
        assert past.close_ts[-1] == start
        first = next(feed.slices())
        assert first.at > start
        assert len(past) == len(BARS[0].as_of(start))
        assert len(feed.history(ACME.id, "1d", before=start, count=10)) == 10
        assert len(feed.history(ACME.id, "1d", before=int(BARS[0].ts[0]), count=10)) == 0

    def test_keeps_to_its_range(self) -> None:
        start, end = close_on(date(2005, 9, 1)), close_on(date(2005, 9, 9))
        moments = [one.at for one in ReplayFeed(STORE, start=start, end=end).slices()]
        assert moments[0] > start
        assert moments[-1] == end

    def test_asks_for_bars_there_are(self) -> None:
        with pytest.raises(NotFound, match="no 1m bars of any instrument"):
            ReplayFeed(STORE, timeframes=("1m",))
        with pytest.raises(NotFound, match="no 1h bars of OTHER"):
            ReplayFeed(STORE, instruments=(ACME, OTHER), timeframes=("1h",))
        with pytest.raises(InvalidInput, match="empty"):
            ReplayFeed(STORE, start=day(2030, 1, 1))
        with pytest.raises(NotFound, match="no 5m bars"):
            ReplayFeed(STORE).history(ACME.id, "5m", before=0, count=1)


ALL = list(ReplayFeed(STORE, timeframes=("1d", "1h")).slices())


@given(st.integers(0, len(ALL) - 1), st.integers(-1, 1))
@settings(max_examples=30)
def test_a_replay_resumes_anywhere(at: int, shift: int) -> None:
    cursor = ALL[at].at + shift
    feed = ReplayFeed(STORE, timeframes=("1d", "1h"))
    assert list(feed.slices(cursor)) == [one for one in ALL if one.at > cursor]


FX = instrument("EURUSD", days="FX")


def simulated(seed: int = 7, timeframe: str = "1d") -> SimulatedFeed:
    return SimulatedFeed(seed, (ACME, COIN, FX), start=day(2024, 1, 2), timeframe=timeframe, prices={"ACME": 42.0})


class TestSimulated:
    @pytest.mark.parametrize("timeframe", ["1d", "1h", "5m"])
    def test_the_same_seed_makes_the_same_market_and_another_does_not(self, timeframe: str) -> None:
        feed: Feed = simulated(timeframe=timeframe)
        assert feed.end is None
        first, again, other = (
            list(islice(one.slices(), 300)) for one in (feed, simulated(timeframe=timeframe), simulated(8, timeframe))
        )
        assert first == again
        assert first != other
        assert all(earlier.at < later.at for earlier, later in pairwise(first))
        assert first[0].at > feed.start

    def test_begins_at_the_price_asked_for_and_stays_on_the_tick(self) -> None:
        bars = [bar for one in islice(simulated().slices(), 400) for bar in one.bars if bar.instrument_id == ACME.id]
        assert bars[0].open == 42.0
        for bar in bars:
            prices = (bar.open, bar.high, bar.low, bar.close)
            assert all(round(price, 2) == price > 0 for price in prices)
            assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert all(later.open == earlier.close for earlier, later in pairwise(bars))

    def test_history_runs_into_the_feed(self) -> None:
        feed = simulated(timeframe="1h")
        past = feed.history(ACME.id, "1h", before=feed.start, count=100)
        assert (len(past), bool(past.close_ts[-1] <= feed.start)) == (100, True)
        ahead = [bar for one in islice(feed.slices(), 200) for bar in one.bars if bar.instrument_id == ACME.id]
        assert past.close[-1] == ahead[0].open
        later = feed.history(ACME.id, "1h", before=ahead[30].close_ts, count=131)
        assert later.equals(Bars.concat((past, Bars.from_bars("1h", ahead[:31]))))
        assert feed.splits(ACME.id) == ()

    def test_says_what_it_has_not(self) -> None:
        with pytest.raises(NotFound):
            simulated().history(ACME.id, "1h", before=0, count=1)
        with pytest.raises(InvalidInput, match="a day or less"):
            simulated(timeframe="1w")


MADE = {name: list(islice(simulated(timeframe=name).slices(), 900)) for name in ("1d", "30m")}


@given(st.sampled_from(sorted(MADE)), st.integers(0, 880), st.integers(-1, 1))
@settings(max_examples=30)
def test_a_simulated_market_resumes_anywhere(timeframe: str, at: int, shift: int) -> None:
    slices: list[MarketSlice] = MADE[timeframe]
    cursor = slices[at].at + shift
    expected = [one for one in slices if one.at > cursor]
    assert list(islice(simulated(timeframe=timeframe).slices(cursor), len(expected))) == expected
