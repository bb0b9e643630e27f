"""Positions: long, short, through zero; what is released and what is left are, to the last digit, what was paid."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.money import COST_STEP, ZERO
from evenkeel.domain.orders import Product, Side
from evenkeel.domain.positions import Position, PositionKey

D = Decimal
KEY = PositionKey("a", "manual", "i")
quantities = st.integers(-1_000, 1_000).filter(bool).map(D) | st.decimals(-50, 50, places=4).filter(bool)
prices = st.integers(1, 500_000).map(lambda cents: D(cents).scaleb(-2))
multipliers = st.sampled_from([D(1), D(50), D("0.1")])


def after(*trades: tuple[str, str], multiplier: str = "1") -> Position:
    position = Position(key=KEY)
    for quantity, price in trades:
        position.book(D(quantity), D(price), D(multiplier))
    return position


@pytest.mark.parametrize(
    ("trades", "quantity", "cost", "realised"),
    [
        ([("100", "10")], "100", "1000", "0"),
        ([("100", "10"), ("100", "20")], "200", "3000", "0"),
        ([("100", "10"), ("-40", "15")], "60", "600", "200"),
        ([("100", "10"), ("-100", "15")], "0", "0", "500"),
        ([("100", "10"), ("-150", "15")], "-50", "-750", "500"),
        ([("-100", "10")], "-100", "-1000", "0"),
        ([("-100", "10"), ("40", "8")], "-60", "-600", "80"),
        ([("-100", "10"), ("100", "12")], "0", "0", "-200"),
        ([("-100", "10"), ("250", "8")], "150", "1200", "200"),
        ([("100", "10"), ("-100", "11"), ("-100", "11"), ("100", "9")], "0", "0", "300"),
        ([("3", "0.01"), ("-1", "0.02")], "2", "0.02", "0.01"),
        ([("3", "33.34"), ("-1", "40"), ("-1", "40"), ("-1", "40")], "0", "0", "19.98"),
    ],
)
def test_trades(trades: list[tuple[str, str]], quantity: str, cost: str, realised: str) -> None:
    position = after(*trades)
    assert (position.quantity, position.total_cost, position.realised) == (D(quantity), D(cost), D(realised))


def test_a_third_of_an_odd_cost_is_rounded_once() -> None:
    position = after(("3", "33.33"), ("0.0001", "0.01"), ("-1", "33.33"))
    assert position.total_cost + (D("33.33") - position.realised) == D("99.990001")


@given(st.lists(st.tuples(quantities, prices), min_size=1, max_size=12), multipliers)
def test_quantity_is_the_sum_of_trades(trades: list[tuple[Decimal, Decimal]], multiplier: Decimal) -> None:
    position = Position(key=KEY)
    for quantity, price in trades:
        position.book(quantity, price, multiplier)
    assert position.quantity == sum(quantity for quantity, _ in trades)
    assert (position.quantity == ZERO) <= (position.total_cost == ZERO), "what is flat has cost nothing"


@given(st.lists(st.tuples(quantities, prices), min_size=1, max_size=12), multipliers, prices)
def test_profit_is_value_minus_what_was_paid(
    trades: list[tuple[Decimal, Decimal]], multiplier: Decimal, mark: Decimal
) -> None:
    position = Position(key=KEY)
    paid = Fraction(0)
    for quantity, price in trades:
        position.book(quantity, price, multiplier)
        paid += Fraction(quantity) * Fraction(price) * Fraction(multiplier)
    profit = Fraction(position.realised) + Fraction(position.unrealised(mark, multiplier))
    assert profit == Fraction(position.market_value(mark, multiplier)) - paid


@given(quantities, prices, st.lists(st.integers(1, 100), min_size=1, max_size=10), prices)
def test_released_and_left_are_what_was_paid(quantity: Decimal, price: Decimal, parts: list[int], at: Decimal) -> None:
    position = after((str(quantity), str(price)))
    paid, released = position.total_cost, ZERO
    for part in parts:
        closing = (quantity * part / 200).quantize(D("0.0001"))
        if not closing or abs(closing) >= abs(position.quantity):
            continue
        before = position.total_cost
        position.book(-closing, at, D(1))
        released += before - position.total_cost
        assert released + position.total_cost == paid
        assert (position.total_cost > 0) == (quantity > 0) or abs(position.total_cost) <= COST_STEP


@given(st.lists(st.tuples(quantities, prices), min_size=1, max_size=8))
def test_a_short_mirrors_a_long(trades: list[tuple[Decimal, Decimal]]) -> None:
    long, short = Position(key=KEY), Position(key=KEY)
    for quantity, price in trades:
        long.book(quantity, price, D(1))
        short.book(-quantity, price, D(1))
    assert (short.quantity, short.total_cost, short.realised) == (-long.quantity, -long.total_cost, -long.realised)


def test_long_numbers_stay_exact() -> None:
    position = after(("123456789.12345678", "98765.43210987"), ("-0.00000001", "98765.43210987"))
    assert position.quantity == D("123456789.12345677")
    position.book(D("-123456789.12345677"), D("1"), D(1))
    assert (position.quantity, position.total_cost) == (ZERO, ZERO)


def test_average_and_value() -> None:
    position = after(("2", "10"), ("1", "11"), multiplier="50")
    assert position.average_price == D("516.6666666666666666666666667")
    assert position.market_value(D("12"), D(50)) == D("1800")
    assert position.unrealised(D("12"), D(50)) == D("250")
    assert after(("1", "10"), ("-1", "10")).average_price is None


def test_keys_tell_books_products_and_sides_apart() -> None:
    keys = {
        KEY,
        PositionKey("a", "strategy", "i"),
        PositionKey("a", "manual", "i", Product.MIS),
        PositionKey("a", "manual", "i", Product.MIS, Side.SELL),
        PositionKey("b", "manual", "i"),
    }
    assert len(keys) == 5
    assert PositionKey("a", "manual", "i") in keys
