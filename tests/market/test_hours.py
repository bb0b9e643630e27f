"""Stretches of time inside the hours of an exchange: over nights, weekends, pauses and from a closed hour on."""

from datetime import UTC, datetime
from itertools import islice

import pytest

from evenkeel.domain.clock import SECOND, from_ns, to_ns
from evenkeel.market.calendars import calendar
from evenkeel.market.hours import open_stretches

HOUR = 3600 * SECOND


def at(text: str) -> int:
    return to_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))


def stretches(exchange: str, start: str, end: str, every: int) -> list[tuple[int, str, str]]:
    found = open_stretches(calendar(exchange), start=at(start), every=every, end=at(end))
    return [(one.number, f"{from_ns(one.start):%d %H:%M}", f"{from_ns(one.end):%d %H:%M}") for one in found]


def test_a_weekend_is_left_out() -> None:
    assert stretches("XNYS", "2025-01-10T20:00", "2025-01-13T15:30", HOUR // 2) == [
        (0, "10 20:00", "10 20:30"),
        (1, "10 20:30", "10 21:00"),
        (133, "13 14:30", "13 15:00"),
        (134, "13 15:00", "13 15:30"),
    ]


def test_a_stretch_that_begins_before_the_open_begins_with_it_and_ends_with_the_close() -> None:
    assert stretches("XNYS", "2025-01-10T14:00", "2025-01-10T22:00", 4 * HOUR) == [
        (0, "10 14:30", "10 18:00"),
        (1, "10 18:00", "10 21:00"),
    ]


def test_stretches_longer_than_a_day_have_one_moment_each() -> None:
    assert stretches("XNYS", "2025-01-09T18:00", "2025-01-15T18:00", 48 * HOUR) == [
        (0, "10 14:30", "10 21:00"),  # the 9th was a day of mourning
        (1, "13 14:30", "13 18:00"),
        (2, "13 18:00", "13 21:00"),
    ]


@pytest.mark.filterwarnings("ignore")
def test_a_pause_in_the_middle_of_the_day_is_left_out() -> None:
    assert stretches("XHKG", "2025-01-10T03:30", "2025-01-10T06:00", HOUR // 2) == [
        (0, "10 03:30", "10 04:00"),
        (3, "10 05:00", "10 05:30"),
        (4, "10 05:30", "10 06:00"),
    ]


def test_nothing_is_open_over_a_night() -> None:
    assert stretches("XNYS", "2025-01-13T21:00", "2025-01-14T14:30", HOUR) == []


def test_without_an_end_they_go_on() -> None:
    found = islice(open_stretches(calendar("FX"), start=at("2025-01-11T12:00"), every=12 * HOUR), 3)
    assert [f"{from_ns(one.start):%d %H:%M}" for one in found] == ["12 22:00", "13 00:00", "13 12:00"]
