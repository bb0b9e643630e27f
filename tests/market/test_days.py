"""Which bars end a trading day, and how many days a year has."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.market.bars import Bars
from evenkeel.market.columns import DAY
from evenkeel.market.days import bars_a_year, days_of, days_together
from evenkeel.market.reading import sample_bars

HOUR = DAY // 24


def bars_at(opens: list[int], timeframe: str, calendar: str | None = None) -> Bars:
    flat = [100.0] * len(opens)
    step = HOUR if timeframe == "1h" else DAY
    bars = Bars(opens, flat, flat, flat, flat, timeframe=timeframe, close_ts=[at + step for at in opens])
    if calendar is None:
        return bars
    one = Decimal(1)
    return bars.of_instrument(Instrument("X", "X", "V", AssetClass.EQUITY, "USD", one, one, calendar=calendar))


@pytest.mark.parametrize(
    ("timeframe", "calendar", "expected"),
    [
        ("1d", "XNYS", 251.6),
        ("1w", "XNYS", 52.0),
        ("1d", "24/7", 365.3),
        ("1h", "24/7", 24 * 365.3),
        ("1h", "XNYS", 1755.2),  # seven a session, four where it closes early
        ("30m", "XNYS", 3258.8),
    ],
)
def test_bars_a_year_are_those_of_the_calendar(timeframe: str, calendar: str, expected: float) -> None:
    assert bars_a_year(timeframe, calendar) == pytest.approx(expected, abs=0.05)


@given(st.lists(st.integers(0, 24 * 40), min_size=1, max_size=200, unique=True).map(sorted))
def test_days_of_hours_are_days_in_utc(hours: list[int]) -> None:
    days = days_of(bars_at([hour * HOUR for hour in hours], "1h"))
    expected = [n for n, hour in enumerate(hours) if n + 1 == len(hours) or hours[n + 1] // 24 != hour // 24]
    assert days.last.tolist() == expected
    assert days.dates.tolist() == [date(1970, 1, 1).toordinal() + hours[n] // 24 for n in expected]


def test_days_of_hours_are_sessions_where_there_is_a_calendar() -> None:
    monday = int(np.datetime64("2024-01-08T14:30", "ns").astype(np.int64))
    opens = [monday + day * DAY + hour * HOUR for day in range(3) for hour in range(6)]
    days = days_of(bars_at(opens, "1h", "XNYS"))
    assert days.last.tolist() == [5, 11, 17]
    assert [date.fromordinal(day) for day in days.dates.tolist()] == [date(2024, 1, 8 + n) for n in range(3)]
    assert (days.per_year, days.basis) == (252.0, "sessions of XNYS in 2024–2024")


def test_daily_bars_are_a_day_each() -> None:
    bars = sample_bars("IBM")
    days = days_of(bars)
    assert days.last.tolist() == list(range(len(bars)))
    assert days.per_year == pytest.approx(252, abs=1)


days = st.lists(st.integers(0, 60), min_size=1, max_size=40, unique=True).map(sorted)


@given(st.lists(days, min_size=1, max_size=4))
def test_days_together_reach_from_the_first_close_to_the_last(opens: list[list[int]]) -> None:
    series = [bars_at([day * DAY for day in one], "1d") for one in opens]
    moments = np.unique(np.concatenate([bars.close_ts for bars in series]))
    found, longest = days_together(series, moments), max(series, key=len)
    assert found.last[-1] == len(moments) - 1
    assert (np.diff(found.last) > 0).all()
    assert (np.diff(found.dates) > 0).all()
    assert found.dates[0] == date(1970, 1, 1).toordinal() + min(map(min, opens))
    assert (found.per_year, found.basis) == (days_of(longest).per_year, days_of(longest).basis)
    if len(series) == 1:
        assert (found.last.tolist(), found.dates.tolist()) == (
            days_of(longest).last.tolist(),
            days_of(longest).dates.tolist(),
        )


@pytest.mark.parametrize(
    ("opens", "per_year", "basis"),
    [
        ([4 * DAY, 5 * DAY], 252.0, "bars on weekdays only"),
        ([2 * DAY, 3 * DAY], 365.0, "bars on weekends, too"),
        ([n * DAY for n in range(800)], 365.0, "trading days that the bars show"),
    ],
)
def test_without_a_calendar_the_bars_tell(opens: list[int], per_year: float, basis: str) -> None:
    days = days_of(bars_at(opens, "1d"))
    assert (days.per_year, days.basis) == (per_year, basis)
