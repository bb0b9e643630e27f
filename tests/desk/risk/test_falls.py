"""The fall of several accounts together: growths weighed by what each was worth, whatever was paid in and out."""

from datetime import date

import pytest

from evenkeel.desk.risk.falls import Fall, Standing, fall_of


def day(number: int) -> date:
    return date(2024, 1, number)


def test_one_account_falls_as_its_growth() -> None:
    days = {day(n): [("A", Standing(100.0 * g, g))] for n, g in ((1, 1.0), (2, 1.2), (3, 0.9))}
    assert fall_of(days, {"A": Standing(114.0, 1.14)}) == (pytest.approx(0.05), pytest.approx(0.25))


def test_two_accounts_by_what_they_are_worth() -> None:
    """300 lose a tenth and 100 gain a tenth: 400 become 380."""
    days = {day(1): [("A", Standing(300, 1.0)), ("B", Standing(100, 2.0))]}
    found = fall_of(days, {"A": Standing(270, 0.9), "B": Standing(110, 2.2)})
    assert found == (pytest.approx(0.05), pytest.approx(0.05))


def test_what_is_paid_in_or_out_is_no_fall() -> None:
    days = {day(1): [("A", Standing(300, 1.0))], day(2): [("A", Standing(30, 1.0))]}
    assert fall_of(days, {"A": Standing(3_000, 1.0)}) == (0, 0)


def test_an_account_counts_from_its_second_day_on() -> None:
    days = {day(1): [("A", Standing(100, 1.0))], day(2): [("A", Standing(100, 1.0)), ("B", Standing(900, 1.0))]}
    assert fall_of(days, {"A": Standing(100, 1.0), "B": Standing(450, 0.5)}).now == pytest.approx(0.45)


def test_without_a_past_there_is_no_fall() -> None:
    assert fall_of({}, {}) == fall_of({}, {"A": Standing(100, 1.0)}) == Fall(0, 0)
