"""Calendars: by rule as by library, special sessions, gaps between sessions as trading time."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from evenkeel.domain.clock import SECOND, to_ns
from evenkeel.domain.errors import InvalidInput
from evenkeel.market import schedules
from evenkeel.market.calendars import calendar


def at(text: str) -> int:
    return to_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.filterwarnings("ignore")
def test_new_york_by_rule_is_new_york_by_library() -> None:
    library = pytest.importorskip("pandas_market_calendars").get_calendar("NYSE")
    found = library.schedule("1993-01-01", "2040-12-31")
    ours = calendar("XNYS").sessions(date(1993, 1, 1), date(2040, 12, 31))
    assert [date.fromordinal(day) for day in ours.days.tolist()] == [day.date() for day in found.index]
    for mine, theirs in ((ours.opens, found["market_open"]), (ours.closes, found["market_close"])):
        expected = theirs.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[ns]")
        assert np.array_equal(mine, expected.astype(np.int64))


def test_a_half_day_closes_early() -> None:
    session = calendar("XNYS").session(date(2005, 11, 25))
    assert session is not None
    assert (session.open, session.close) == (at("2005-11-25T14:30"), at("2005-11-25T18:00"))


@pytest.mark.parametrize(
    ("name", "day", "hours"),
    [
        ("XNYS", date(2001, 9, 12), None),
        ("NYSE", date(2012, 10, 29), None),
        ("XNAS", date(2005, 2, 28), ("14:30", "21:00")),
        ("FX", date(2014, 5, 5), ("21:00", "21:00")),
        ("24/7", date(2017, 1, 1), ("00:00", "00:00")),
        ("FX", date(2013, 12, 25), None),
        ("METALS", date(2014, 5, 7), ("22:00", "21:00")),
    ],
)
def test_sessions_of_computed_calendars(name: str, day: date, hours: tuple[str, str] | None) -> None:
    session = calendar(name).session(day)
    if hours is None:
        assert session is None
        return
    assert session is not None
    clock = [datetime.fromtimestamp(ns // SECOND, UTC).strftime("%H:%M") for ns in (session.open, session.close)]
    assert tuple(clock) == hours


@pytest.mark.filterwarnings("ignore")
class TestIndia:
    def test_trades_on_a_budget_saturday(self) -> None:
        session = calendar("NSE").session(date(2020, 2, 1))
        assert session is not None
        assert session.date.weekday() == 5
        assert (session.open, session.close) == (at("2020-02-01T03:45"), at("2020-02-01T10:00"))

    def test_keeps_muhurat_on_weekdays_from_the_library_and_on_sundays_from_ours(self) -> None:
        weekday, sunday = (calendar("XNSE").session(day) for day in (date(2021, 11, 4), date(2023, 11, 12)))
        assert weekday is not None
        assert sunday is not None
        assert weekday.close - weekday.open == sunday.close - sunday.open == 3600 * SECOND

    def test_pauses_while_the_recovery_site_takes_over(self) -> None:
        days = calendar("XNSE")
        assert days.is_open(at("2024-03-02T04:00"))
        assert not days.is_open(at("2024-03-02T05:00"))
        assert days.is_open(at("2024-03-02T06:30"))
        morning = days.around(at("2024-03-02T04:00"), at("2024-03-02T07:00"))
        traded = morning.open_time(np.array([at("2024-03-02T03:45"), at("2024-03-02T07:00")]))
        assert traded[1] - traded[0] == (45 + 60) * 60 * SECOND

    def test_is_kept_in_the_cache_folder(self, tmp_path: Path) -> None:
        first = schedules.table("XNSE", 2019, tmp_path)
        kept = list((tmp_path / "calendars").iterdir())
        assert [path.name.split("-")[:2] for path in kept] == [["XNSE", "2019"]]
        assert np.array_equal(schedules.table("XNSE", 2019, tmp_path), first)
        kept[0].write_bytes(b"damaged")
        assert np.array_equal(schedules.table("XNSE", 2019, tmp_path), first)

    def test_an_unknown_exchange_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="no calendar named 'XXXX'"):
            calendar("XXXX")


def test_walks_from_session_to_session() -> None:
    days = calendar("XNYS")
    assert days.next_session(date(2004, 12, 31)).date == date(2005, 1, 3)
    assert days.previous_session(date(2005, 1, 3)).date == date(2004, 12, 31)
    assert days.next_session(date(2001, 9, 10)).date == date(2001, 9, 17)
    assert days.session_at(at("2005-09-01T14:00")) == days.session(date(2005, 9, 1))
    assert days.session_at(at("2005-09-01T20:00")) is None
    assert days.local_date(at("2005-09-02T02:00")) == date(2005, 9, 1)
    assert calendar("FX").local_date(at("2014-05-04T22:00")) == date(2014, 5, 5)


def test_a_day_starts_at_local_midnight_or_with_an_evening_session() -> None:
    assert calendar("XNYS").day_start(date(2005, 2, 28)) == at("2005-02-28T05:00")
    assert calendar("FX").day_start(date(2014, 5, 5)) == at("2014-05-04T21:00")


def test_open_time_counts_only_trading() -> None:
    days = calendar("XNYS")
    friday, monday = at("2005-09-02T19:00"), at("2005-09-06T14:30")
    sessions = days.around(friday, monday)
    first, second = sessions.open_time(np.array([friday, monday])).tolist()
    assert second - first == 2 * 3600 * SECOND


def test_sessions_never_overlap_and_hold_their_date() -> None:
    for name in ("XNYS", "FX", "METALS", "24/7"):
        sessions = calendar(name).sessions(date(1999, 1, 1), date(2030, 12, 31))
        assert (sessions.opens[1:] >= sessions.closes[:-1]).all()
        assert (np.diff(sessions.days) > 0).all()
        for session in list(sessions)[::97]:
            assert calendar(name).session_at(session.close - 1) == session
            assert session.date - timedelta(days=1) <= datetime.fromtimestamp(session.open // SECOND, UTC).date()


def test_importing_and_using_new_york_loads_no_frames() -> None:
    code = (
        "import sys; from datetime import date; from evenkeel.market.calendars import calendar;"
        "calendar('XNYS').sessions(date(2000, 1, 1), date(2020, 1, 1));"
        "print([name for name in ('pandas', 'polars', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
