"""What usually trades at which time of the day, over summer time and all."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from evenkeel.domain.clock import to_ns
from evenkeel.market.bars import Bars
from evenkeel.market.profiles import volume_profile

ZONE = ZoneInfo("America/New_York")
HOUR, MINUTE = 3600 * 10**9, 60 * 10**9


def at(day: int, hour: int, minute: int = 0) -> int:
    """A moment of a day of March 2024 in New York; its clocks went forward on the 10th."""
    return to_ns(datetime(2024, 3, day, hour, minute, tzinfo=ZONE).astimezone(UTC))


def bars(volumes: dict[int, float]) -> Bars:
    ts = np.array(sorted(volumes), dtype=np.int64)
    flat = np.full(len(ts), 50.0)
    return Bars(ts, flat, flat, flat, flat, np.array([volumes[int(one)] for one in ts]), timeframe="30m")


def test_the_hours_of_the_clock_count_before_and_after_it_changes() -> None:
    known = bars({at(8, 10): 100.0, at(8, 11): 300.0, at(11, 10): 100.0, at(11, 11): 100.0, at(11, 15): 9_999.0})
    profile = volume_profile(known, ZONE, start=at(12, 10), end=at(12, 12), every=HOUR)
    assert profile == pytest.approx((200 / 600, 400 / 600))


def test_only_the_last_days_count() -> None:
    known = bars({at(7, 10): 1_000.0, at(8, 10): 100.0, at(8, 11): 300.0})
    assert volume_profile(known, ZONE, start=at(12, 10), end=at(12, 12), every=HOUR, days=1) == (0.25, 0.75)


def test_a_last_stretch_that_is_shorter_counts_what_it_holds() -> None:
    known = bars({at(8, 10): 100.0, at(8, 10, 30): 100.0, at(8, 11): 100.0, at(8, 11, 30): 100.0})
    profile = volume_profile(known, ZONE, start=at(12, 10), end=at(12, 10) + 90 * MINUTE, every=HOUR)
    assert profile == pytest.approx((2 / 3, 1 / 3))


def test_nothing_traded_then() -> None:
    known = bars({at(8, 10): 100.0})
    assert volume_profile(known, ZONE, start=at(12, 14), end=at(12, 16), every=HOUR) == (0.0, 0.0)


def test_a_night_is_crossed() -> None:
    start = at(8, 23)
    known = bars({at(8, 23): 100.0, at(9, 0): 300.0})
    profile = volume_profile(known, ZONE, start=start, end=start + 2 * HOUR, every=HOUR)
    assert profile == (0.25, 0.75)


def test_only_the_stretches_that_are_named_count() -> None:
    known = bars({at(8, 10): 100.0, at(8, 11): 500.0, at(8, 12): 300.0})
    profile = volume_profile(known, ZONE, start=at(12, 10), end=at(12, 13), every=HOUR, numbers=[0, 2])
    assert profile == (0.25, 0.75)
