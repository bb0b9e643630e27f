"""Splits: exact, value-preserving up to the cash in lieu, and the same for a venue as for the sum of our books."""

from datetime import date
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain import events as e
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.marketdata import Split
from evenkeel.domain.orders import OrderState, Side, TimeInForce
from evenkeel.quant.costs import FillModel
from evenkeel.trading.brokers.simulated.book import Book
from evenkeel.trading.brokers.splits import SplitHolding, SplitTerms, split_books, split_order, split_position
from tests.contracts.samples import ACME, ALPHA, CASH, D, flat, shown, spec, ticket

GTC = TimeInForce.GTC
EX = date(2024, 3, 6)


def ratio(numerator: int, denominator: int) -> Split:
    return Split(ACME.id, EX, D(numerator), D(denominator))


@pytest.mark.parametrize(
    ("quantity", "split", "kept", "paid"),
    [
        (100, ratio(2, 1), 200, "0"),
        (-100, ratio(2, 1), -200, "0"),
        (15, ratio(3, 2), 22, "3.33"),
        (-15, ratio(3, 2), -22, "-3.33"),
        (105, ratio(1, 10), 10, "50.00"),
        (3, ratio(1, 10), 0, "30.00"),
        (0, ratio(2, 1), 0, "0"),
    ],
)
def test_one_holding(quantity: int, split: Split, kept: int, paid: str) -> None:
    after = split_position(D(quantity), split, instrument=ACME, last_price=D(10))
    assert after == SplitHolding(D(kept), D(paid))


quantities = st.lists(st.integers(-500, 500).map(D), min_size=1, max_size=5)
splits = st.builds(ratio, st.integers(1, 30), st.integers(1, 30))
prices = st.integers(1, 100_000).map(lambda n: D(n) / 100)


@given(quantities, splits, prices)
def test_books_add_up_to_what_the_venue_holds(held: list[Decimal], split: Split, price: Decimal) -> None:
    whole = split_position(sum(held, D(0)), split, instrument=ACME, last_price=price)
    parts = split_books(held, split, instrument=ACME, last_price=price)
    assert sum((part.quantity for part in parts), D(0)) == whole.quantity
    assert sum((part.cash_in_lieu for part in parts), D(0)) == whole.cash_in_lieu
    for old, part in zip(held, parts, strict=True):
        assert abs(part.quantity * split.denominator - old * split.numerator) < split.denominator
        assert part.quantity == part.quantity.to_integral_value()


@given(st.integers(-500, 500).map(D), splits, prices)
def test_value_is_preserved_up_to_a_cent(quantity: Decimal, split: Split, price: Decimal) -> None:
    after = split_position(quantity, split, instrument=ACME, last_price=price)
    kept = after.quantity * price * split.denominator / split.numerator
    assert abs(kept + after.cash_in_lieu - quantity * price) <= D("0.01")
    assert after.quantity * quantity >= 0


@pytest.mark.parametrize(
    ("terms", "split", "expected"),
    [
        (SplitTerms(D(10), D(4), D("20.00"), None), ratio(2, 1), SplitTerms(D(20), D(8), D("10.00"), None)),
        (SplitTerms(D(2), D(1), None, D("9.99")), ratio(3, 2), SplitTerms(D(2), D(1), None, D("6.66"))),
        (SplitTerms(D(5), D(0), D(1), D(1)), ratio(1, 10), SplitTerms(D(0), D(0), D("10.00"), D("10.00"))),
        (SplitTerms(D(5), D(0), D("0.01"), None), ratio(9, 1), SplitTerms(D(45), D(0), D("0.01"), None)),
    ],
)
def test_one_order(terms: SplitTerms, split: Split, expected: SplitTerms) -> None:
    assert split_order(terms, split, side=Side.BUY, instrument=ACME) == expected


@given(st.integers(1, 500), st.integers(0, 500), prices, splits, st.sampled_from(Side))
def test_an_order_never_grows_and_its_limit_never_worsens(
    quantity: int, filled: int, limit: Decimal, split: Split, side: Side
) -> None:
    terms = SplitTerms(D(max(quantity, filled)), D(filled), limit, limit)
    after = split_order(terms, split, side=side, instrument=ACME)
    left, right = after.quantity - after.filled, terms.quantity - terms.filled
    assert left * split.denominator <= right * split.numerator
    assert D(0) <= after.filled <= after.quantity
    assert after.limit_price is not None
    assert after.stop_price is not None
    worse = side.sign * (after.limit_price - limit * split.denominator / split.numerator)
    assert worse <= 0 or after.limit_price == ACME.tick_size
    assert after.stop_price % ACME.tick_size == 0


def test_a_split_needs_two_positive_numbers() -> None:
    for broken in (ratio(0, 1), ratio(1, -1)):
        with pytest.raises(InvalidInput, match="two positive numbers"):
            split_position(D(1), broken, instrument=ACME, last_price=D(1))
        with pytest.raises(InvalidInput, match="two positive numbers"):
            split_order(SplitTerms(D(1), D(0), None, None), broken, side=Side.BUY, instrument=ACME)


def make_book() -> Book:
    book = Book(model=FillModel())
    book.list_instrument(ACME)
    book.open_account(ALPHA, CASH)
    return book


def test_a_split_adjusts_position_resting_stop_and_average_before_the_bar() -> None:
    book = make_book()
    book.place(ticket("A", spec(quantity=15)))
    book.observe(shown(flat(1, 10.0)))
    book.place(ticket("S", spec(Side.SELL, 15, stop=8, time_in_force=GTC), day=1))
    assert book.observe(shown(flat(2, 6.60), splits=(ratio(3, 2),))) == []
    [position] = book.positions("alpha")
    assert position.quantity == D(22)
    assert book.balance("alpha").cash["USD"] == CASH - 150 + D("3.33")
    [stop] = book.open_orders("alpha")
    assert (stop.quantity, stop.stop_price) == (D(22), D("5.33"))
    [_, fill] = book.observe(shown(flat(3, 5.0)))
    assert isinstance(fill, e.VenueFilled)
    assert (fill.quantity, fill.price) == (D(22), D("5.00"))
    assert book.positions("alpha") == ()


def test_a_split_is_applied_once() -> None:
    book = make_book()
    book.place(ticket("A", spec(quantity=10)))
    book.observe(shown(flat(1, 10.0)))
    for _ in range(2):
        book.observe(shown(flat(2, 5.0), splits=(ratio(2, 1),)))
    book.observe(shown(flat(3, 5.0), splits=(ratio(2, 1),)))
    assert [p.quantity for p in book.positions("alpha")] == [D(20)]


def test_what_is_left_with_less_than_a_lot_is_cancelled() -> None:
    book = make_book()
    book.place(ticket("A", spec(quantity=5, limit=1, time_in_force=GTC)))
    [cancelled] = book.observe(shown(flat(1, 100.0), splits=(ratio(1, 10),)))
    assert isinstance(cancelled, e.VenueCancelled)
    assert cancelled.reason == "the split left less than one lot of it"
    assert book.open_orders("alpha") == ()
    status = book.order_status("alpha", "A")
    assert status is not None
    assert status.state is OrderState.CANCELLED


def test_lots_and_ticks_of_any_size() -> None:
    odd = msgspec.structs.replace(ACME, tick_size=D("0.05"), lot_size=D("0.5"))
    after = split_position(D("7.5"), ratio(4, 3), instrument=odd, last_price=D(9))
    assert after == SplitHolding(D("10.0"), D("0"))
    terms = split_order(SplitTerms(D("7.5"), D("1"), D("9.05"), None), ratio(4, 3), side=Side.SELL, instrument=odd)
    assert (terms.quantity, terms.filled, terms.limit_price) == (D("9.5"), D("1.0"), D("6.80"))
