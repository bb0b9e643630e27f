"""Returns, the calendar, and what is undefined."""

from datetime import date
from math import isnan, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.market.calendars import calendar
from evenkeel.quant.analytics import Track, months, periods_per_year, returns
from evenkeel.quant.analytics.series import Floats
from tests.quant.analytics.bacon import MONTH_ENDS, PORTFOLIO

RETURNS = st.lists(st.floats(-0.5, 0.5).map(lambda r: round(r, 4)), min_size=1, max_size=60).map(np.array)


@given(RETURNS, st.floats(0.01, 1e9))
def test_equity_and_returns_are_two_views(values: Floats, capital: float) -> None:
    equity = returns.wealth(values, capital)
    assert equity[0] == capital
    np.testing.assert_allclose(returns.period_returns(equity), values, atol=1e-12)
    assert returns.total_return(values) == pytest.approx(equity[-1] / capital - 1)
    mean = returns.geometric_mean(values)
    assert (1 + mean) ** len(values) - 1 == pytest.approx(returns.total_return(values), abs=1e-9)


def test_growth_is_by_the_calendar_and_not_below_a_year() -> None:
    assert returns.cagr(np.array([0.1, 0.1]), years=2.0) == pytest.approx(0.1)
    assert isnan(returns.cagr(np.array([0.1]), years=0.99))
    whole = Track.of_equity(["2024-01-01"], [110.0], start="2023-01-01", capital=100.0)
    assert returns.annualised(0.10, years=whole.years) == pytest.approx(1.1 ** (365.25 / 365) - 1)
    assert isnan(returns.cagr(np.array([-1.0]), years=2.0))


def test_rates_compound_to_the_annual_one() -> None:
    assert (1 + returns.periodic_rate(0.05, 252)) ** 252 == pytest.approx(1.05)
    with pytest.raises(InvalidInput, match="periods a year"):
        returns.periodic_rate(0.05, 0)


def test_streaks_and_shares() -> None:
    values = np.array([0.1, 0.2, -0.1, 0.0, 0.1, 0.1, 0.1, -0.2, -0.1])
    assert (returns.gain_streak(values), returns.loss_streak(values)) == (3.0, 2.0)
    assert returns.gain_streak(np.array([-0.1])) == 0.0
    assert returns.positive_share(values) == pytest.approx(5 / 9)
    assert (returns.best(values), returns.worst(values)) == (0.2, -0.2)


@pytest.mark.parametrize(
    "function",
    [
        returns.total_return,
        returns.geometric_mean,
        returns.best,
        returns.worst,
        returns.positive_share,
        returns.gain_streak,
        returns.loss_streak,
    ],
)
def test_nothing_and_the_unknown_have_no_value(function: object) -> None:
    assert callable(function)
    assert isnan(function(np.empty(0)))
    assert isnan(function(np.array([0.1, nan])))


@pytest.mark.parametrize(("name", "expected"), [("XNYS", 252), ("XNSE", 247), ("24/7", 365)])
def test_periods_a_year_come_from_the_calendar(name: str, expected: int) -> None:
    sessions = calendar(name).sessions(date(2015, 1, 1), date(2024, 12, 31))
    assert periods_per_year([session.date for session in sessions]) == pytest.approx(expected, abs=1)
    if name != "XNSE":
        assert periods_per_year([session.date for session in sessions]) == expected


def test_periods_a_year_of_other_records() -> None:
    assert periods_per_year(MONTH_ENDS) == 12
    assert periods_per_year(np.arange("2020-01-03", "2023-01-03", 7, dtype="datetime64[D]")) == 52
    with pytest.raises(InvalidInput, match="a year of dates"):
        periods_per_year(["2024-01-01", "2024-06-30"])
    with pytest.raises(InvalidInput, match="a year of dates"):
        periods_per_year([])


def test_a_track_keeps_its_capital_first() -> None:
    track = Track.of_equity(["2024-01-31", "2024-02-29"], [90.0, 99.0], start=date(2023, 12, 31), capital=100.0)
    np.testing.assert_allclose(track.returns, [-0.1, 0.1])
    assert track.years == pytest.approx(60 / 365.25)
    again = Track.of_returns(track.dates, track.returns, start="2023-12-31", capital=100.0)
    np.testing.assert_allclose(again.equity, track.equity)


@pytest.mark.parametrize(
    ("dates", "equity", "capital", "message"),
    [
        (["2024-01-02", "2024-01-01"], [1.0, 1.0], 1.0, "in order"),
        (["2023-01-02"], [1.0], 1.0, "none before the start"),
        (["2024-01-02"], [1.0, 2.0], 1.0, "different lengths"),
        (["2024-01-02"], [nan], 1.0, "value 0 is not a finite number"),
        (["2024-01-02"], [1.0], 0.0, "positive amount"),
        (["yesterday"], [1.0], 1.0, "expected dates"),
        (["NaT"], [1.0], 1.0, "missing"),
    ],
)
def test_what_a_track_refuses(dates: list[str], equity: list[float], capital: float, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as refused:
        Track.of_equity(dates, equity, start="2023-12-31", capital=capital)
    assert refused.value.errors


def test_losses_beyond_the_capital_have_no_returns_after() -> None:
    with pytest.raises(InvalidInput, match="give the equity"):
        Track.of_returns(["2024-01-01"], [-1.2], start="2023-12-31")
    ruined = Track.of_equity(["2024-01-01", "2024-01-02"], [-20.0, -10.0], start="2023-12-31", capital=100.0)
    assert ruined.returns[0] == pytest.approx(-1.2)
    assert isnan(ruined.returns[1])


def test_days_and_parts_of_a_track() -> None:
    dates = ["2024-01-01", "2024-01-01", "2024-01-02", "2024-01-04"]
    track = Track.of_equity(dates, [101.0, 102.0, 103.0, 104.0], start="2023-12-31", capital=100.0)
    assert track.daily().equity.tolist() == [100.0, 102.0, 103.0, 104.0]
    assert track.daily().dates.astype(str).tolist() == ["2024-01-01", "2024-01-02", "2024-01-04"]
    part = track.since("2024-01-03")
    assert (str(part.start), part.equity.tolist()) == ("2024-01-02", [103.0, 104.0])
    with pytest.raises(InvalidInput, match="choose a later date"):
        track.since("2023-01-01")


def test_months_and_years_compound_to_the_total() -> None:
    rng = np.random.default_rng(5)
    days = np.arange("2022-11-15", "2024-02-10", dtype="datetime64[D]")
    days = days[(days < np.datetime64("2023-05-01")) | (days >= np.datetime64("2023-06-01"))]
    track = Track.of_returns(days, rng.normal(0, 0.01, len(days)), start="2022-11-14")
    table = months.year_table(track)
    assert table.years.tolist() == [2022, 2023, 2024]
    assert np.isnan(table.months[0, :10]).all()
    assert np.isnan(table.months[1, 4])  # no session in May 2023
    whole = returns.total_return(track.returns)
    assert np.nanprod(1 + table.months) - 1 == pytest.approx(whole)
    assert np.prod(1 + table.totals) - 1 == pytest.approx(whole)
    np.testing.assert_allclose(np.nanprod(1 + table.months, axis=1) - 1, table.totals)


def test_a_month_is_the_change_since_the_last_value_before() -> None:
    track = Track.of_returns(MONTH_ENDS, PORTFOLIO, start="2005-12-31")
    table = months.year_table(track)
    np.testing.assert_allclose(table.months.ravel(), PORTFOLIO)
    assert table.totals[0] == pytest.approx(np.prod(1 + PORTFOLIO[:12]) - 1)


def test_an_empty_record_has_an_empty_table() -> None:
    nothing = Track.of_equity([], [], start="2024-01-01", capital=1.0)
    assert [len(part) for part in months.year_table(nothing)] == [0, 0, 0]
    assert nothing.daily().equity.tolist() == [1.0]
    assert sqrt(nothing.years) == 0.0
