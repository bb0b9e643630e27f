"""Carrying costs: published arithmetic, signs that always agree, and the compiled kernels bit by bit."""

from datetime import UTC, datetime, time
from math import nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.quant.costs import Carry
from evenkeel.quant.costs import carrying as c
from evenkeel.quant.kernels import compiled

HOUR = c.DAY // 24
AMOUNT = st.integers(-(10**9), 10**9).map(lambda cents: cents / 100)
RATE = st.sampled_from([0.0, 0.0375, 0.05, 0.0583, 0.12])
DAYS = st.integers(0, 400).map(float)
YEAR = st.sampled_from(sorted(c.DAY_COUNTS.values()))


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


@pytest.mark.parametrize(
    ("cash", "debit", "credit", "days", "year", "expected"),
    [
        (90_000.0, 0.0, 0.0375, 1, 360.0, 9.375),  # 4.25 % less 0.50 % on 90,000 for a night
        (100_000.0, 0.0, 0.04, 1, 360.0, 11.11),
        (-100_000.0, 0.0583, 0.0, 30, 360.0, -485.83),
        (-100_000.0, 0.0583, 0.0, 30, 365.0, -479.18),
        (-50_000.0, 0.06, 0.02, 3, 360.0, -25.00),  # Friday to Monday: three nights
        (0.0, 0.06, 0.02, 3, 360.0, 0.0),
    ],
)
def test_interest_by_hand(cash: float, debit: float, credit: float, days: float, year: float, expected: float) -> None:
    assert c.financing(cash, debit, credit, days, year) == pytest.approx(expected, abs=5e-3)


def test_a_borrow_fee_by_hand() -> None:
    assert c.borrow_fee(-20_000.0, 0.05, 1.0, 365.0) == pytest.approx(-2.74, abs=5e-3)  # 1,000 at 20, 5 % a year
    assert c.borrow_fee(20_000.0, 0.05, 1.0, 365.0) == 0.0


@pytest.mark.parametrize(
    ("price", "markup", "step", "expected"),
    [(25.0, 1.02, 1.0, 26.0), (50.0, 1.02, 1.0, 51.0), (0.10, 1.02, 1.0, 1.0), (10.0, 1.05, 0.01, 10.5)],
)
def test_collateral_is_marked_up_and_rounded_up(price: float, markup: float, step: float, expected: float) -> None:
    assert c.collateral_price(price, markup, step) == pytest.approx(expected)


def test_the_day_ends_at_midnight_utc_only_where_all_trade_around_the_clock() -> None:
    assert c.day_roll(["24/7", "24/7"]) == ("UTC", time(0))
    assert c.day_roll(["24/7", "NYSE"]) == ("America/New_York", time(17))


def test_nights_are_counted_at_the_first_moment_after_them() -> None:
    """A Friday's close in New York, Monday's, Tuesday's; then the clock is put forward, in the night to a Sunday."""
    closes = [at("2024-03-01T21:00"), at("2024-03-04T21:00"), at("2024-03-05T21:00"), at("2024-03-11T20:00")]
    assert c.nights(np.array(closes), *c.day_roll(["NYSE"])).tolist() == [0, 3, 1, 6]


def test_a_night_that_falls_on_a_close_counts_at_the_next() -> None:
    day_bars = [at("2024-03-01"), at("2024-03-02"), at("2024-03-02T00:01"), at("2024-03-05")]
    assert c.nights(np.array(day_bars), *c.day_roll(["24/7"])).tolist() == [0, 1, 1, 2]


@given(st.lists(st.integers(0, 10_000), min_size=2, unique=True).map(sorted), st.integers(0, 10_000))
def test_nights_add_up_however_they_are_parted(hours: list[int], between: int) -> None:
    moments = np.array(hours) * HOUR
    more = np.unique(np.append(moments, np.clip(between * HOUR, moments[0], moments[-1])))
    where = c.day_roll(["NYSE"])
    assert c.nights(more, *where).sum() == c.nights(moments, *where).sum()


def test_funding_by_hand() -> None:
    three_times_a_day = c.rolls(at("2026-03-02"), at("2026-03-03"), 8 * HOUR, 0)
    assert three_times_a_day == 3
    assert c.funding(20_000.0, 0.0001) * three_times_a_day == pytest.approx(-6.0)
    assert c.funding(-20_000.0, 0.0001) == pytest.approx(2.0)
    assert c.funding(20_000.0, -0.0001) == pytest.approx(2.0)


def test_a_dividend_is_taxed_for_a_holder_and_owed_in_full_by_a_short() -> None:
    assert c.dividend(100.0, 0.24, 0.15) == pytest.approx(20.40)
    assert c.dividend(-100.0, 0.24, 0.15) == pytest.approx(-24.00)


@pytest.mark.parametrize(
    ("before", "after", "roll", "nights"),
    [
        ("2026-03-06T20:00", "2026-03-09T14:30", 0, 3),  # over a weekend
        ("2026-03-06T14:30", "2026-03-06T20:00", 0, 0),
        ("2026-03-06T14:30", "2026-03-06T22:00", 22 * HOUR, 1),  # the moment itself counts
        ("2026-03-06T22:00", "2026-03-07T21:59", 22 * HOUR, 0),
        ("1969-12-31T12:00", "1970-01-01T12:00", 0, 1),
    ],
)
def test_nights_are_rolls_passed(before: str, after: str, roll: int, nights: int) -> None:
    assert c.rolls(at(before), at(after), c.DAY, roll) == nights


@given(st.lists(st.integers(0, 10**18), min_size=3, max_size=3).map(sorted), st.integers(0, c.DAY - 1))
def test_no_roll_is_lost_or_counted_twice(moments: list[int], roll: int) -> None:
    first, middle, last = moments
    assert c.rolls(first, middle, c.DAY, roll) + c.rolls(middle, last, c.DAY, roll) == c.rolls(first, last, c.DAY, roll)


@given(AMOUNT, RATE, RATE, DAYS, YEAR)
def test_debts_cost_and_credits_earn(amount: float, debit: float, credit: float, days: float, year: float) -> None:
    interest = c.financing(amount, debit, credit, days, year)
    assert interest * amount >= 0.0
    assert c.financing(amount, debit, credit, 2 * days, year) == pytest.approx(2 * interest)
    assert c.borrow_fee(amount, debit, days, year) <= 0.0
    assert c.funding(amount, credit) == -c.funding(-amount, credit)


@given(AMOUNT, RATE, DAYS)
def test_a_year_of_360_days_costs_more(amount: float, rate: float, days: float) -> None:
    assert abs(c.financing(amount, rate, rate, days, 360.0)) >= abs(c.financing(amount, rate, rate, days, 365.0))


@compiled(lambda t: t.float64(*[t.float64] * 5, t.int64, t.int64))
def everything(value: float, debit: float, credit: float, days: float, year: float, before: int, after: int) -> float:
    nights = c.rolls(before, after, c.DAY, c.DAY // 3)
    interest = c.financing(value, debit, credit, days + nights, year) + c.borrow_fee(value, debit, days, year)
    return interest + c.funding(value, credit) + c.dividend(value, credit, debit) + c.collateral_price(value, 1.02, 0.5)


def test_compiled_kernels_give_the_same_bits() -> None:
    moment = st.integers(-(10**18), 10**18)

    @given(st.tuples(AMOUNT, RATE, RATE, DAYS, YEAR, moment, moment))
    def same(arguments: tuple[Any, ...]) -> None:
        plain, fast = everything.plain(*arguments), everything(*arguments)
        assert np.float64(plain).tobytes() == np.float64(fast).tobytes()

    same()


def test_a_carry_knows_its_year() -> None:
    assert (Carry().year, Carry(day_count="ACT/365").year) == (360.0, 365.0)


def test_a_faulty_carry_lists_every_field() -> None:
    with pytest.raises(InvalidInput) as caught:
        Carry(debit_rate=nan, credit_rate=-1.0, borrow_rate=500.0, withholding=1.5, day_count="30/360", roll=c.DAY)
    fields = {error.field for error in caught.value.errors}
    assert fields == {"debit_rate", "credit_rate", "borrow_rate", "withholding", "day_count", "roll"}
