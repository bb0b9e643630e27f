"""When schedules are due: by the sessions of exchanges, with holidays, short days and clock changes."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.desk.portfolios.moments import last_moment, next_moment
from evenkeel.domain.clock import from_ns, iso, parse_iso
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.rebalance_schedules import DAY, HALF_HOUR, HOUR, MINUTE, Cadence, Timing
from evenkeel.market.calendars import calendar


def after(text: str, cadence: Cadence, *calendars: str, **more: object) -> str:
    found = next_moment(Timing(cadence, **more), calendars or ("XNYS",), after=parse_iso(text))  # type: ignore[arg-type]
    assert found is not None
    return iso(found)


def test_half_an_hour_after_the_open_of_the_first_session() -> None:
    assert after("2024-06-28T15:00", Cadence.DAILY) == "2024-07-01T14:00:00Z"
    assert after("2024-06-28T13:59", Cadence.DAILY) == "2024-06-28T14:00:00Z"
    assert after("2024-06-28T14:00", Cadence.DAILY) == "2024-07-01T14:00:00Z", "after, not at"
    assert after("2024-07-01T15:00", Cadence.WEEKLY) == "2024-07-08T14:00:00Z"
    assert after("2024-09-01", Cadence.WEEKLY) == "2024-09-03T14:00:00Z", "Labor Day"
    assert after("2024-01-15", Cadence.MONTHLY) == "2024-02-01T15:00:00Z", "in winter"
    assert after("2023-12-30", Cadence.MONTHLY) == "2024-01-02T15:00:00Z"
    assert after("2024-01-15", Cadence.QUARTERLY) == "2024-04-01T14:00:00Z"
    assert after("2024-10-05", Cadence.QUARTERLY) == "2025-01-02T15:00:00Z"


def test_the_last_session_and_before_its_close() -> None:
    assert after("2024-02-10", Cadence.MONTHLY, last=True) == "2024-02-29T15:00:00Z"
    assert after("2024-02-10", Cadence.QUARTERLY, last=True) == "2024-03-28T14:00:00Z", "Good Friday is the 29th"
    assert after("2024-07-02", Cadence.DAILY, before_close=15 * MINUTE) == "2024-07-02T19:45:00Z"
    assert after("2024-07-03", Cadence.DAILY, before_close=15 * MINUTE) == "2024-07-03T16:45:00Z", "a short day"
    assert after("2024-07-03", Cadence.DAILY, after_open=23 * HOUR) == "2024-07-03T16:59:00Z", "inside it"
    assert after("2024-07-03", Cadence.DAILY, before_close=0) == "2024-07-03T16:59:00Z", "and to the minute"


def test_several_exchanges_have_the_days_of_all() -> None:
    assert after("2024-07-03T18:00", Cadence.DAILY, "XNYS", "24/7") == "2024-07-05T14:00:00Z"
    assert after("2024-07-04", Cadence.DAILY, "24/7") == "2024-07-04T00:30:00Z"
    with pytest.raises(InvalidInput, match="no calendar named"):
        after("2024-07-04", Cadence.DAILY, "NOWHERE")
    assert next_moment(Timing(Cadence.DAILY), (), after=0) is None


def test_bands_are_looked_at_all_through_the_session() -> None:
    timing, start = Timing(Cadence.BAND, every=2 * HOUR), parse_iso("2024-07-02T12:00")
    seen = list[int]()
    while len(seen) < 6:
        found = next_moment(timing, ("XNYS",), after=seen[-1] if seen else start)
        assert found is not None
        seen.append(found)
    assert [iso(one)[5:16] for one in seen] == [
        "07-02T14:00", "07-02T16:00", "07-02T18:00", "07-03T14:00", "07-03T16:00", "07-05T14:00",
    ]  # fmt: skip


def test_what_was_missed_is_counted() -> None:
    start, end = parse_iso("2024-07-01T18:00"), parse_iso("2024-07-08T12:00")
    moment, missed = last_moment(Timing(Cadence.DAILY), ("XNYS",), after=start, until=end)
    assert (moment and iso(moment), missed) == ("2024-07-05T14:00:00Z", 2)
    assert last_moment(Timing(Cadence.MONTHLY), ("XNYS",), after=start, until=end) == (None, 0)
    years = last_moment(Timing(Cadence.BAND), ("XNYS",), after=parse_iso("2019-01-01"), until=end)
    assert years[0] == parse_iso("2024-07-05T19:00")


@given(
    cadence=st.sampled_from(Cadence), day=st.dates(date(2004, 1, 1), date(2030, 1, 1)), last=st.booleans(),
    close=st.booleans(), name=st.sampled_from(["XNYS", "24/7", "FX"]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_whatever_the_day(cadence: Cadence, day: date, last: bool, close: bool, name: str) -> None:
    """Moments rise, lie inside sessions of the exchange, and one at least comes in every period."""
    timing = Timing(cadence, HALF_HOUR, 20 * MINUTE if close else None, last)
    at = parse_iso(day.isoformat())
    found = [at]
    for _ in range(4):
        following = next_moment(timing, (name,), after=found[-1])
        assert following is not None
        assert last_moment(timing, (name,), after=found[-1], until=following) == (following, 0)
        found.append(following)
    longest = {Cadence.DAILY: 5, Cadence.BAND: 5, Cadence.WEEKLY: 12, Cadence.MONTHLY: 40, Cadence.QUARTERLY: 100}
    for before, moment in pairwise(found):
        assert before < moment <= before + longest[cadence] * DAY
        session = calendar(name).session_at(moment)
        assert session is not None
        if cadence is not Cadence.BAND:
            near = session.close - 20 * MINUTE if close else session.open + HALF_HOUR
            assert moment == near
    zone = calendar(name).zone
    days = [from_ns(one).astimezone(zone).date() for one in found[1:]]
    if cadence is Cadence.MONTHLY and name == "24/7":
        assert all((one + timedelta(days=1)).day == 1 if last else one.day == 1 for one in days)
