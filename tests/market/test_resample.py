"""Timeframes, and longer bars from shorter ones."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.market.bars import Bars
from evenkeel.market.calendars import calendar
from evenkeel.market.resample import resample
from evenkeel.market.timeframes import timeframe
from tests.market.builders import HOUR, MINUTE, daily, instrument, intraday

ACME = instrument()
NEW_YORK = calendar("XNYS")
# Thanksgiving week: a holiday and a half day.
WEEK = intraday(ACME, date(2005, 11, 21), date(2005, 11, 25))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("1m", "1m"), ("60m", "1h"), ("Hourly", "1h"), ("D", "1d"), ("daily", "1d"), ("24h", "1d"), ("90s", "90s"),
        ("15 min", "15m"), ("4H", "4h"), ("weekly", "1w"), ("1mo", "1mo"), ("M", "1mo"), ("240m", "4h"),
    ],
)  # fmt: skip
def test_timeframes_have_one_name(text: str, name: str) -> None:
    assert timeframe(text).name == name


@pytest.mark.parametrize("text", ["", "0m", "soon", "2d", "25h", "m5", "-1m"])
def test_other_text_is_no_timeframe(text: str) -> None:
    with pytest.raises(InvalidInput):
        timeframe(text)


def test_hours_count_from_the_open_and_stop_at_the_close() -> None:
    hours = resample(WEEK, "1h", NEW_YORK)
    monday = hours.rows(0, 7)
    opened = NEW_YORK.session(date(2005, 11, 21))
    assert opened is not None
    assert (monday.ts - opened.open).tolist() == [n * HOUR for n in range(7)]
    assert monday.close_ts[-1] == opened.close
    assert len(hours) == 3 * 7 + 4


def test_days_and_weeks_take_the_calendar_s_hours() -> None:
    days, weeks = resample(WEEK, "1d", NEW_YORK), resample(WEEK, "1w", NEW_YORK)
    sessions = NEW_YORK.sessions(date(2005, 11, 21), date(2005, 11, 25))
    assert np.array_equal(days.ts, sessions.opens)
    assert np.array_equal(days.close_ts, sessions.closes)
    assert (weeks.ts.tolist(), weeks.close_ts.tolist()) == ([sessions.opens[0]], [sessions.closes[-1]])


def test_an_unfinished_bar_is_kept_back() -> None:
    part = WEEK.rows(0, 100)
    assert len(resample(part, "1h", NEW_YORK)) == 1
    assert len(resample(part, "1d", NEW_YORK)) == 0
    shown = resample(part, "1h", NEW_YORK, partial=True)
    assert len(shown) == 2
    assert shown.close_ts[-1] == part.close_ts[-1]
    told = resample(part, "1h", NEW_YORK, as_of=int(part.ts[0]) + 2 * HOUR)
    assert len(told) == 2
    assert told.close_ts[-1] == int(part.ts[0]) + 2 * HOUR


def test_bars_before_and_after_the_session_stay_apart_and_out_of_the_day() -> None:
    session = NEW_YORK.session(date(2005, 11, 22))
    assert session is not None
    ts = np.arange(session.open - 90 * MINUTE, session.close + 90 * MINUTE, MINUTE, dtype=np.int64)
    ones = np.ones(len(ts))
    flat = {"open": ones, "high": ones, "low": ones, "close": ones, "volume": ones}
    extended = Bars.of(ACME.id, "1m", {"ts": ts, "close_ts": ts + MINUTE} | flat)
    hours = resample(extended, "1h", NEW_YORK, partial=True)
    assert hours.volume.tolist() == [30, 60, *[60] * 6, 30, 30, 60]
    assert session.open in hours.ts
    assert session.close in hours.close_ts
    assert resample(extended, "1d", NEW_YORK).volume.tolist() == [390]


def test_clock_hours_keep_their_grid() -> None:
    session = NEW_YORK.session(date(2005, 11, 22))
    assert session is not None
    ts = session.open - 30 * MINUTE + HOUR * np.arange(7, dtype=np.int64)
    ones = np.ones(len(ts))
    flat = {"open": ones, "high": ones, "low": ones, "close": ones, "volume": ones}
    made = resample(Bars.of(ACME.id, "1h", {"ts": ts, "close_ts": ts + HOUR} | flat), "4h", NEW_YORK)
    assert made.ts.tolist() == [ts[0], ts[4]]
    assert made.volume.tolist() == [4, 3]
    assert made.close_ts.tolist() == [ts[4], session.close]


@pytest.mark.parametrize(("source", "target"), [("1h", "1m"), ("2h", "3h"), ("1d", "4h"), ("1w", "1d")])
def test_refuses_what_cannot_be_made(source: str, target: str) -> None:
    bars = daily(ACME, date(2005, 1, 3), date(2005, 1, 31))
    with pytest.raises(InvalidInput, match="no multiple"):
        resample(Bars.raw(bars.instrument_id, source, [getattr(bars, name) for name in _COLUMNS]), target, NEW_YORK)


_COLUMNS = ("ts", "close_ts", "open", "high", "low", "close", "volume", "spread")


@given(
    st.sampled_from(["5m", "15m", "1h", "4h", "1d", "1w", "1mo"]),
    st.lists(st.integers(0, len(WEEK) - 1), min_size=1, max_size=400, unique=True),
    st.sampled_from(["XNYS", "24/7", "FX"]),
)
def test_resampling_conserves_prices_and_volume(target: str, chosen: list[int], days: str) -> None:
    """Whatever rows are there: nothing is lost, nothing made up, nothing seen before its sources."""
    kept = WEEK.where(np.isin(np.arange(len(WEEK)), chosen))
    made = resample(kept, target, calendar(days), partial=True)
    assert made.volume.sum() == kept.volume.sum()
    assert (made.high.max(), made.low.min()) == (kept.high.max(), kept.low.min())
    assert (made.open[0], made.close[-1]) == (kept.open[0], kept.close[-1])
    assert (made.ts[1:] >= made.close_ts[:-1]).all()
    assert made.close_ts[-1] >= kept.close_ts[-1]
    assert (made.high >= np.maximum(made.open, made.close)).all()
    finished = resample(kept, target, calendar(days))
    assert len(made) - len(finished) in (0, 1)
    assert (finished.close_ts <= kept.close_ts[-1]).all()


@given(st.integers(1, len(WEEK)), st.sampled_from(["5m", "1h", "1d"]))
def test_finished_bars_do_not_change_when_more_arrive(rows: int, target: str) -> None:
    early, late = resample(WEEK.rows(0, rows), target, NEW_YORK), resample(WEEK, target, NEW_YORK)
    assert early.equals(late.rows(0, len(early)))
