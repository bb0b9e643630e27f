"""Exact money: what is exact stays exact, what is not raises, and the ambient decimal context never takes part."""

import decimal
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import CurrencyMismatch, InexactMoney, InvalidInput
from evenkeel.domain.money import (
    COINS,
    COST_STEP,
    CURRENCIES,
    ISO_4217,
    MINOR_UNITS,
    ROUNDINGS,
    ZERO,
    Money,
    add,
    exact,
    is_bookable,
    is_multiple,
    minor_unit,
    mul,
    neg,
    plain,
    portion,
    ratio,
    rounded,
    sub,
    total,
)

D = Decimal
amounts = st.decimals(min_value=-(10**15), max_value=10**15, places=6, allow_nan=False, allow_infinity=False)
steps = st.sampled_from([D("0.01"), D("0.05"), D("0.25"), D(1), D(25), D("0.00000001")])


@pytest.fixture
def hostile_context() -> Iterator[None]:
    """An ambient context in which nothing of ours could be computed."""
    with decimal.localcontext(decimal.Context(prec=2, rounding=decimal.ROUND_UP, traps=[decimal.Inexact])):
        yield


@given(amounts, amounts)
def test_sums_differences_and_products_are_those_of_fractions(a: Decimal, b: Decimal) -> None:
    assert Fraction(add(a, b)) == Fraction(a) + Fraction(b)
    assert Fraction(sub(a, b)) == Fraction(a) - Fraction(b)
    c = D(int(b) % 10**12)
    assert Fraction(mul(a, c)) == Fraction(a) * Fraction(c)
    assert Fraction(neg(a)) == -Fraction(a)


@given(st.lists(amounts, max_size=20))
def test_a_total_does_not_depend_on_the_order(values: list[Decimal]) -> None:
    assert total(values) == total(values[::-1]) == total(tuple(sorted(values)))


@pytest.mark.usefixtures("hostile_context")
def test_the_ambient_context_takes_no_part() -> None:
    a, b = D("123456789.01"), D("0.99")
    assert add(a, b) == D("123456790.00")
    assert sub(a, b) == D("123456788.02")
    assert mul(a, b) == D("122222221.1199")
    assert rounded(D("2.675"), D("0.01")) == D("2.68")
    assert exact(0.1, D("0.0001")) == D("0.1")
    assert portion(D("100.01"), D(1), of=D(3), step=COST_STEP) == D("33.33666667")
    assert str(neg(a)) == "-123456789.01"
    assert plain(D("123.4500")) == "123.45"
    assert ratio(D(1), D(3)) == D("0.3333333333333333333333333333")
    assert is_multiple(a, D("0.01"))


@pytest.mark.parametrize(
    "operation",
    [
        lambda: add(D(10**37), D("0.01")),
        lambda: sub(D(10**37), D("0.01")),
        lambda: mul(D(10**37 + 1), D("1.01")),
        lambda: total([D(10**37), D("0.01")]),
        lambda: add(D("Infinity"), D("-Infinity")),
        lambda: mul(D("9E999999"), D("9E999999")),
        lambda: add(D("sNaN"), D(1)),
        lambda: rounded(D("9" * 38), D("0.07")),
        lambda: rounded(D("1E+90"), D("0.001")),
    ],
)
def test_what_would_have_to_be_rounded_raises_and_says_so(operation: object) -> None:
    assert callable(operation)
    with pytest.raises(InexactMoney):
        operation()


def test_thirty_eight_digits_are_exact() -> None:
    largest = D("9" * 38)
    assert add(largest, ZERO) == largest
    with pytest.raises(InexactMoney):
        add(largest, D(2))


@pytest.mark.parametrize(("a", "b"), [(D(1), ZERO), (ZERO, ZERO)])
def test_a_ratio_to_nothing_is_a_zero_division(a: Decimal, b: Decimal) -> None:
    with pytest.raises(ZeroDivisionError):
        ratio(a, b)


@pytest.mark.parametrize(
    ("value", "step", "rounding", "expected"),
    [
        ("2.345", "0.01", "ROUND_HALF_EVEN", "2.34"),
        ("2.355", "0.01", "ROUND_HALF_EVEN", "2.36"),
        ("2.345", "0.01", "ROUND_HALF_UP", "2.35"),
        ("-2.345", "0.01", "ROUND_HALF_UP", "-2.35"),
        ("2.341", "0.01", "ROUND_UP", "2.35"),
        ("-2.341", "0.01", "ROUND_UP", "-2.35"),
        ("2.349", "0.01", "ROUND_DOWN", "2.34"),
        ("-2.349", "0.01", "ROUND_DOWN", "-2.34"),
        ("-2.341", "0.01", "ROUND_FLOOR", "-2.35"),
        ("-2.349", "0.01", "ROUND_CEILING", "-2.34"),
        ("10.07", "0.05", "ROUND_HALF_EVEN", "10.05"),
        ("10.08", "0.05", "ROUND_HALF_EVEN", "10.10"),
        ("37", "25", "ROUND_HALF_EVEN", "25"),
        ("38", "25", "ROUND_HALF_EVEN", "50"),
        ("112.5", "25", "ROUND_HALF_EVEN", "100"),
        ("0.123456785", "0.00000001", "ROUND_HALF_EVEN", "0.12345678"),
    ],
)
def test_rounding_to_a_step(value: str, step: str, rounding: str, expected: str) -> None:
    assert rounded(D(value), D(step), rounding) == D(expected)


@given(amounts, steps, st.sampled_from(sorted(ROUNDINGS)))
def test_a_rounded_value_is_a_multiple_less_than_a_step_away(value: Decimal, step: Decimal, rounding: str) -> None:
    result = rounded(value, step, rounding)
    assert is_multiple(result, step)
    assert abs(Fraction(result) - Fraction(value)) < Fraction(step)
    assert rounded(result, step, rounding) == result


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12), steps)
def test_a_measurement_crosses_to_the_nearest_multiple(measured: float, step: Decimal) -> None:
    result = exact(measured, step)
    assert is_multiple(result, step)
    assert abs(Fraction(result) - Fraction(repr(measured))) <= Fraction(step) / 2


def test_a_measurement_crosses_as_it_is_written() -> None:
    assert exact(2.675, D("0.01"), "ROUND_HALF_UP") == D("2.68"), "2.675 is below itself in binary"
    assert exact(0.1 + 0.2, D("0.1")) == D("0.3")


@pytest.mark.parametrize("measured", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_not_booked(measured: float) -> None:
    with pytest.raises(InvalidInput, match="not a number that can be booked"):
        exact(measured, D("0.01"))


@pytest.mark.parametrize(
    ("value", "step", "answer"),
    [
        ("1.05", "0.05", True),
        ("1.06", "0.05", False),
        ("0", "0.05", True),
        ("-75", "25", True),
        ("NaN", "1", False),
        ("sNaN", "1", False),
        ("Infinity", "1", False),
        ("1E+90", "0.01", False),
    ],
)
def test_multiples(value: str, step: str, answer: bool) -> None:
    assert is_multiple(D(value), D(step)) is answer


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("0", True),
        ("99999999999999999.99", True),
        ("1E+17", False),
        ("0.000000000000000001", True),
        ("0.0000000000000000001", False),
        ("NaN", False),
        ("-Infinity", False),
    ],
)
def test_what_can_be_booked(value: str, answer: bool) -> None:
    assert is_bookable(D(value)) is answer


@given(amounts, st.integers(1, 10**9), st.integers(1, 10**9))
def test_a_portion_and_the_rest_are_the_whole(whole: Decimal, a: int, b: int) -> None:
    part = portion(whole, D(min(a, b)), of=D(max(a, b)), step=COST_STEP)
    assert add(part, sub(whole, part)) == whole
    assert abs(Fraction(part)) <= abs(Fraction(whole)) + Fraction(COST_STEP)


def test_a_portion_of_long_numbers_does_not_run_out_of_digits() -> None:
    whole, held = D("123456789012345678901234567890.12345678"), D("98765432109876543210.12345678")
    assert portion(whole, held, of=held, step=COST_STEP) == whole


@pytest.mark.parametrize(("value", "text"), [("10.00", "10"), ("1E+1", "10"), ("0.0000", "0"), ("-2.50", "-2.5")])
def test_plain_notation(value: str, text: str) -> None:
    assert plain(D(value)) == text


@pytest.mark.parametrize(
    ("currencies", "unit"),
    [
        ("USD EUR INR MGA IRR", "0.01"),
        ("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF", "1"),
        ("BHD IQD JOD KWD LYD OMR TND", "0.001"),
        ("USDT USDC", "0.000001"),
        ("BTC ETH", "0.00000001"),
    ],
)
def test_minor_units_are_those_of_iso_4217(currencies: str, unit: str) -> None:
    assert {minor_unit(code) for code in currencies.split()} == {D(unit)}


@pytest.mark.parametrize(("currency", "unit"), [("USD", "0.01"), ("JPY", "1"), ("BTC", "0.00000001"), ("XXX", "0.01")])
def test_minor_units(currency: str, unit: str) -> None:
    assert minor_unit(currency) == D(unit)


def test_money_of_one_currency_adds_up() -> None:
    assert Money(D("1.10"), "USD") + Money(D("2.20"), "USD") == Money(D("3.30"), "USD")
    assert Money(D("1.10"), "USD") - Money(D("2.20"), "USD") == Money(D("-1.10"), "USD")
    assert -Money(D("1.10"), "USD") == Money(D("-1.10"), "USD")


def test_currencies_do_not_mix() -> None:
    with pytest.raises(CurrencyMismatch, match="USD and EUR"):
        Money(D(1), "USD") + Money(D(1), "EUR")
    with pytest.raises(CurrencyMismatch):
        Money(D(1), "USD") - Money(D(1), "EUR")
    with pytest.raises(TypeError, match="money meets only money"):
        Money(D(1), "USD") + D(1)  # type: ignore[operator]


@given(
    st.integers(-(10**10), 10**10),
    st.floats(-0.5, 0.5),
    st.sampled_from([*map(D, ("0.01", "0.05", "0.25", "1", "25", "0.00000001", "0.010", "1E+2", "0.03125"))]),
    st.sampled_from(sorted(ROUNDINGS)),
)
def test_few_steps_are_counted_by_floats_as_by_decimals(count: int, part: float, step: Decimal, rounding: str) -> None:
    """To the digit: the same number, written the same."""
    for measured in (float(step) * count, float(step) * (count + part), float(step) * (count + 0.5)):
        assert str(exact(measured, step, rounding)) == str(rounded(D(repr(measured)), step, rounding))


@given(
    st.one_of(st.decimals(), st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{0,20})?(E[+-]?[0-9]{1,2})?", fullmatch=True).map(D))
)
def test_what_can_be_booked_has_so_many_places(value: Decimal) -> None:
    is_short = value.is_finite() and value.adjusted() < 17 and int(value.as_tuple().exponent) >= -18
    assert is_bookable(value) is is_short


def test_currencies_are_three_letters_and_coins_up_to_four() -> None:
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in ISO_4217)
    assert all(3 <= len(code) <= 4 and code.isupper() for code in COINS)
    assert COINS <= MINOR_UNITS.keys() <= CURRENCIES
    assert CURRENCIES.isdisjoint({"XXX", "XTS", "XAU", "ZZZ", "usd"})
