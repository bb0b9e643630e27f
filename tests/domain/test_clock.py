"""Time: nanoseconds UTC whatever the host's zone, and account days that neither overlap nor leave a gap."""

import os
import time as host_time
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.clock import SECOND, day_bounds, from_ns, iso, parse_iso, session_date, to_ns
from evenkeel.domain.errors import InvalidInput

HOUR = 3600 * SECOND
NEW_YORK, KOLKATA, LONDON, CAIRO = "America/New_York", "Asia/Kolkata", "Europe/London", "Africa/Cairo"
zones = st.sampled_from([NEW_YORK, KOLKATA, LONDON, CAIRO, "UTC", "Asia/Singapore", "Australia/Lord_Howe"])
rolls = st.sampled_from([time(0), time(17), time(1, 30), time(2, 30), time(23, 59), time(0, 30)])
moments = st.integers(to_ns(datetime(2000, 1, 1, tzinfo=UTC)), to_ns(datetime(2035, 1, 1, tzinfo=UTC)))


def at(text: str) -> int:
    return parse_iso(text)


@pytest.fixture(params=["Asia/Singapore", "America/New_York"])
def host_zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """The host's own zone, as a person far away would have set it."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    host_time.tzset()
    yield request.param
    os.environ.pop("TZ") if before is None else os.environ.__setitem__("TZ", before)
    host_time.tzset()


def test_the_hosts_zone_takes_no_part(host_zone: str) -> None:
    assert host_time.tzname[0] != "UTC", host_zone
    noon = at("2024-03-10T12:00:00")
    assert noon == 1_710_072_000 * SECOND
    assert iso(noon) == "2024-03-10T12:00:00Z"
    assert from_ns(noon).tzinfo is UTC
    assert session_date(noon, NEW_YORK, time(17)) == date(2024, 3, 10)
    assert day_bounds(date(2024, 3, 10), NEW_YORK, time(17)) == (at("2024-03-09T22:00:00"), at("2024-03-10T21:00:00"))


@given(moments)
def test_times_come_back(moment: int) -> None:
    cut = moment // 1000 * 1000
    assert to_ns(from_ns(moment)) == cut
    assert parse_iso(iso(moment)) == cut


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("2005-09-01", "2005-09-01T00:00:00Z"),
        ("2005-09-01T16:00:00-04:00", "2005-09-01T20:00:00Z"),
        ("2005-09-01 20:00", "2005-09-01T20:00:00Z"),
        ("2005-09-01T20:00:00.25Z", "2005-09-01T20:00:00.250000Z"),
        ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z"),
    ],
)
def test_reading_times(text: str, same_as: str) -> None:
    assert iso(parse_iso(text)) == same_as


@pytest.mark.parametrize("text", ["", "yesterday", "2005-13-01", "01/09/2005", "2005-09-01T25:00"])
def test_what_is_no_time_says_what_was_expected(text: str) -> None:
    with pytest.raises(InvalidInput, match="ISO 8601"):
        parse_iso(text)


def test_a_time_without_zone_is_refused_where_one_is_needed() -> None:
    with pytest.raises(InvalidInput, match="no time zone"):
        to_ns(datetime(2005, 9, 1))  # noqa: DTZ001 - the very thing that is refused
    assert to_ns(datetime(2005, 9, 1, 4, tzinfo=timezone(timedelta(hours=4)))) == at("2005-09-01")


@pytest.mark.parametrize(
    ("zone", "roll", "moment", "day"),
    [
        (NEW_YORK, time(17), "2024-07-01T20:59:59", date(2024, 7, 1)),
        (NEW_YORK, time(17), "2024-07-01T21:00:00", date(2024, 7, 2)),
        (NEW_YORK, time(17), "2024-01-02T21:59:59", date(2024, 1, 2)),
        (NEW_YORK, time(17), "2024-01-02T22:00:00", date(2024, 1, 3)),
        (NEW_YORK, time(0), "2024-01-02T04:59:59", date(2024, 1, 1)),
        (NEW_YORK, time(0), "2024-01-02T05:00:00", date(2024, 1, 2)),
        (KOLKATA, time(0), "2024-01-02T18:30:00", date(2024, 1, 3)),
        (KOLKATA, time(15, 30), "2024-01-02T10:00:00", date(2024, 1, 3)),
        # A half day (13:00 New York on the day after Thanksgiving) still belongs to its own date.
        (NEW_YORK, time(17), "2024-11-29T18:00:00", date(2024, 11, 29)),
    ],
)
def test_the_account_day_of_a_moment(zone: str, roll: time, moment: str, day: date) -> None:
    assert session_date(at(moment), zone, roll) == day


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (NEW_YORK, date(2024, 3, 10), 23),
        (NEW_YORK, date(2024, 3, 11), 24),
        (NEW_YORK, date(2024, 11, 3), 25),
        (KOLKATA, date(2024, 11, 3), 24),
        (LONDON, date(2024, 3, 31), 23),
        (CAIRO, date(2024, 4, 26), 23),
    ],
)
def test_days_on_which_the_clocks_change(zone: str, day: date, hours: int) -> None:
    """F25: an account's day is as long as the clocks of its zone make it."""
    start, end = day_bounds(day, zone, time(0))
    assert end - start == hours * HOUR


@given(zones, rolls, st.dates(date(2000, 1, 1), date(2034, 12, 31)))
def test_days_follow_each_other_without_gap(zone: str, roll: time, day: date) -> None:
    start, end = day_bounds(day, zone, roll)
    assert start < end
    assert day_bounds(day + timedelta(days=1), zone, roll)[0] == end
    assert session_date(start, zone, roll) == day == session_date(end - 1, zone, roll)


@given(zones, rolls, moments)
def test_a_moment_lies_in_its_own_day(zone: str, roll: time, moment: int) -> None:
    start, end = day_bounds(session_date(moment, zone, roll), zone, roll)
    assert start <= moment < end


@pytest.mark.parametrize("minutes", range(0, 180, 10))
def test_a_roll_in_an_hour_that_comes_twice_is_passed_once(minutes: int) -> None:
    roll, first = time(1, 30), at("2024-11-03T04:30:00")
    days = [session_date(first + m * 60 * SECOND, NEW_YORK, roll) for m in range(minutes + 1)]
    assert days == sorted(days), "a day that is over never comes back"
