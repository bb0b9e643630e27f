"""Columns of bars: what can be seen when, and adjustment that never looks ahead."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.marketdata import Bar, Dividend, Split
from evenkeel.market.bars import Bars, utc_midnight
from evenkeel.market.calendars import calendar
from tests.market.builders import daily, instrument

ACME = instrument()
YEAR = daily(ACME, date(2005, 1, 3), date(2005, 12, 30))


FIVE = ("ts", "open", "high", "low", "close")


def split(day: date, new: int, old: int = 1) -> Split:
    return Split(ACME.id, day, Decimal(new), Decimal(old))


def test_iterates_as_domain_bars_and_is_built_from_them() -> None:
    bars = list(YEAR)
    assert bars[0] == YEAR.bar(0)
    assert isinstance(bars[-1], Bar)
    assert type(bars[0].ts) is int
    assert Bars.from_bars("1d", bars).equals(YEAR)


def test_slices_by_open_and_by_what_can_be_seen() -> None:
    session = calendar("XNYS").session(date(2005, 3, 1))
    assert session is not None
    assert YEAR.between(session.open, session.open + 1).bar(0).ts == session.open
    assert YEAR.as_of(session.close).bar(-1).ts == session.open
    assert YEAR.as_of(session.close - 1).bar(-1).ts < session.open
    assert YEAR.after(session.close).bar(0).ts > session.close
    assert len(YEAR.tail(3)) == 3
    assert len(YEAR.tail(10_000)) == len(YEAR)
    assert len(YEAR.between(session.open + 1, session.open)) == 0


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"ts": [1], "close_ts": [2], "open": [1.0]}, "missing: high, low, close"),
        ({name: [1, 1] for name in FIVE} | {"close_ts": [2, 2]}, "rise strictly"),
        ({name: [1] for name in FIVE} | {"close_ts": [1]}, "close after"),
        ({name: [1] for name in FIVE} | {"close_ts": [2], "volume": [1, 2]}, "differ in length"),
    ],
)
def test_refuses_columns_that_are_no_bars(columns: dict[str, list[float]], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Bars.of("x", "1d", columns)


def test_goes_to_frames_and_tables_and_back() -> None:
    assert Bars.from_polars(ACME.id, "1d", YEAR.to_polars()).equals(YEAR)
    assert Bars.from_arrow(ACME.id, "1d", YEAR.to_arrow()).equals(YEAR)
    assert not YEAR.rows(1).equals(YEAR)


def test_concat_wants_parts_in_order() -> None:
    assert Bars.concat((YEAR.rows(0, 5), YEAR.rows(5, 5), YEAR.rows(5))).equals(YEAR)
    with pytest.raises(InvalidInput):
        Bars.concat((YEAR.rows(5), YEAR.rows(0, 5)))
    with pytest.raises(InvalidInput):
        Bars.concat(())


def test_a_split_halves_prices_before_it_and_doubles_volume() -> None:
    ex_date = date(2005, 2, 28)
    seen = YEAR.adjusted([split(ex_date, 2)], as_of=int(YEAR.close_ts[-1]))
    before = int(np.searchsorted(YEAR.ts, utc_midnight(ex_date)))
    assert np.array_equal(seen.close[:before], YEAR.close[:before] / 2)
    assert np.array_equal(seen.volume[:before], YEAR.volume[:before] * 2)
    assert np.array_equal(seen.close[before:], YEAR.close[before:])
    assert np.array_equal(seen.ts, YEAR.ts)


def test_a_split_is_unknown_before_its_day_and_known_on_it() -> None:
    ex_date = date(2005, 2, 28)
    at = int(np.searchsorted(YEAR.ts, utc_midnight(ex_date)))
    eve, day = int(YEAR.close_ts[at - 1]), int(YEAR.close_ts[at])
    assert YEAR.adjusted([split(ex_date, 2)], as_of=eve).equals(YEAR.as_of(eve))
    assert YEAR.adjusted([split(ex_date, 2)], as_of=day).close[at - 1] == YEAR.close[at - 1] / 2


def test_a_split_of_another_instrument_changes_nothing() -> None:
    other = Split("other", date(2005, 2, 28), Decimal(2), Decimal(1))
    assert YEAR.adjusted([other], as_of=int(YEAR.close_ts[-1])).equals(YEAR)


def test_a_dividend_takes_its_share_of_the_last_close() -> None:
    ex_date = date(2005, 5, 10)
    before = int(np.searchsorted(YEAR.ts, utc_midnight(ex_date)))
    seen = YEAR.adjusted(dividends=[Dividend(ACME.id, ex_date, Decimal("1.5"))], as_of=int(YEAR.close_ts[-1]))
    assert seen.close[before - 1] == pytest.approx(YEAR.close[before - 1] - 1.5)
    assert np.array_equal(seen.volume, YEAR.volume)


def test_a_dividend_on_the_day_of_a_split_is_paid_on_new_shares() -> None:
    ex_date = date(2005, 5, 10)
    before = int(np.searchsorted(YEAR.ts, utc_midnight(ex_date)))
    paid = Dividend(ACME.id, ex_date, Decimal(1))
    seen = YEAR.adjusted([split(ex_date, 2)], [paid], as_of=int(YEAR.close_ts[-1]))
    assert seen.close[before - 1] == pytest.approx(YEAR.close[before - 1] / 2 - 1)


def test_a_dividend_as_large_as_the_price_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not smaller than the price"):
        YEAR.adjusted(dividends=[Dividend(ACME.id, date(2005, 5, 10), Decimal(500))], as_of=int(YEAR.close_ts[-1]))


days = st.dates(date(2004, 12, 1), date(2006, 1, 31))
events = st.lists(
    st.one_of(
        st.builds(split, days, st.integers(1, 7), st.integers(1, 7)),
        st.builds(lambda day, cents: Dividend(ACME.id, day, Decimal(cents) / 100), days, st.integers(1, 50)),
    ),
    max_size=6,
)


@given(events, st.integers(0, len(YEAR) - 1))
def test_the_adjusted_view_never_looks_ahead(happened: list[Split | Dividend], at: int) -> None:
    """What is seen at a bar depends neither on later bars nor on events that go ex later."""
    moment, seen_day = int(YEAR.close_ts[at]), YEAR.rows(at, at + 1).to_polars()["ts"].dt.date()[0]
    splits = [one for one in happened if isinstance(one, Split)]
    dividends = [one for one in happened if isinstance(one, Dividend)]
    whole = YEAR.adjusted(splits, dividends, as_of=moment)
    past = YEAR.rows(0, at + 1).adjusted(
        [one for one in splits if one.ex_date <= seen_day],
        [one for one in dividends if one.ex_date <= seen_day],
        as_of=moment,
    )
    assert whole.equals(past)
    assert whole.close[-1] == YEAR.close[at]
