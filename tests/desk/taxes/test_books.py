"""Lots of books: from fills, splits, corrections and busts, by the terms of the day; they add up to positions."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings

from evenkeel.desk.taxes import books as module
from evenkeel.desk.taxes.books import LotBooks, by_method
from evenkeel.desk.taxes.plans import first_long_day
from evenkeel.desk.taxes.washing import past
from evenkeel.domain import events as e
from evenkeel.domain.fills import Charge
from evenkeel.domain.marketdata import MarketSlice, Split
from evenkeel.domain.money import ONE, ZERO, sub, total
from evenkeel.domain.orders import Product, Side
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.taxes import BEGINNING, UNTOLD, LotMethod, TaxStatus
from tests.desk.taxes.books import always, followed, lots_in, terms
from tests.server.test_pnl import MOVES, _move, desk
from tests.trading.engine.world import ACME, START, World, at

D = Decimal
FIRST = START.date()


def world() -> World:
    made = World()
    made.account()
    made.price(ACME, 10.0)
    return made


def test_lots_are_of_their_days_and_cost_what_was_paid() -> None:
    made = world()
    made.fill(made.resting(Side.BUY, "10"), "10", "5", charges=(Charge("fee", D("1.50")),))
    made.price(ACME, 11.0, 3)
    made.holding("6", "7")
    (first, second) = lots_in(made, followed(made)).held
    assert (first.quantity, first.basis, first.opened) == (D(10), D("51.50"), FIRST)
    assert (second.basis, second.opened) == (D(42), FIRST + timedelta(days=3))
    assert first.origin in made.state.orders


def test_many_fills_are_taken_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2)
    made, key = world(), PositionKey("A", "manual", ACME.id)
    for price in ("5", "6", "7", "8", "9"):
        made.holding("1", price)
    made.holding("-3", "10")
    books, own = followed(made), always(terms(LotMethod.HIGHEST_COST))
    asyncio.run(books.ready(made.state, {"A": own, "B": ()}))
    supposed = asyncio.run(books.supposed(made.state, key, own))
    for lots in (books.lots(made.state, key, own), supposed):
        assert [lot.basis for lot in lots.held] == [D(5), D(6)]


def test_books_go_on_where_they_were() -> None:
    made, books = world(), LotBooks()
    for quantity in ("10", "-4", "-9"):
        made.holding(quantity, "5")
        asyncio.run(books.follow(made.state))
        assert lots_in(made, books).quantity == made.position()
    assert list(books.keys({"A"})) == [PositionKey("A", "manual", ACME.id)]
    assert list(books.keys({"B"})) == []


def test_each_sale_is_by_the_terms_of_its_day() -> None:
    """The oldest first until the third day, then the dearest; what has been closed stays closed."""
    made = world()
    for price in ("5", "9", "7"):
        made.holding("1", price)
    own = (*always(terms()), *always(terms(LotMethod.HIGHEST_COST), since=FIRST + timedelta(days=3)))
    made.holding("-1", "6")
    made.price(ACME, 6.0, 3)
    made.holding("-1", "6")
    books = followed(made)
    lots = lots_in(made, books, settings=own)
    assert [one.basis for one in lots.closed or ()] == [D(5), D(9)]
    key = PositionKey("A", "manual", ACME.id)
    supposed = asyncio.run(books.supposed(made.state, key, by_method(own, LotMethod.LIFO)))
    assert [one.basis for one in supposed.closed or ()] == [D(7), D(9)]
    assert [one.basis for one in lots_in(made, books, settings=own).closed or ()] == [D(5), D(9)]
    changed = lots_in(made, books, settings=always(terms(LotMethod.LOWEST_COST)))
    assert [one.basis for one in changed.closed or ()] == [D(5), D(7)]


def test_another_method_holds_from_the_beginning() -> None:
    (first,) = by_method((), LotMethod.LIFO)
    assert (first.since, first.terms.method, first.terms.short) == (BEGINNING, LotMethod.LIFO, 0)
    later = always(terms(), since=FIRST)
    assert [one.terms.method for one in by_method(later, LotMethod.LIFO)] == [LotMethod.LIFO] * 2


def test_what_was_taken_back_has_never_been() -> None:
    made = world()
    made.holding("10", "5")
    order = made.holding("10", "7")
    (bought,) = (fill for fill in made.state.fills.values() if fill.order_id == order.id)
    made.holding("-10", "8")
    books = followed(made)
    own = always(terms(LotMethod.LIFO))
    assert [one.basis for one in lots_in(made, books, settings=own).closed or ()] == [D(70)]
    made.step(made.said(e.VenueBusted, order, execution_id=bought.venue_execution_id, reason="error"))
    asyncio.run(books.follow(made.state))
    lots = lots_in(made, books, settings=own)
    assert [(one.basis, one.gain) for one in lots.closed or ()] == [(D(50), D(30))]
    assert not lots.held


def test_a_split_between_makes_of_it_a_trade_of_its_own() -> None:
    made = world()
    order = made.holding("10", "5")
    (bought,) = made.state.fills.values()
    ex_date = FIRST + timedelta(days=1)
    made.step(MarketSlice(at(1), splits=(Split(ACME.id, ex_date, D(2), ONE),)), at(1))
    made.step(made.said(e.VenueBusted, order, execution_id=bought.venue_execution_id, reason="error"))
    lots = lots_in(made, followed(made))
    assert lots.quantity == made.position() == 10
    assert [(lot.quantity, lot.basis, lot.opened) for lot in lots.held] == [(D(10), D(25), FIRST)]


def test_what_was_found_at_the_broker_is_a_lot_of_that_day() -> None:
    made = world()
    held = e.BrokerPosition(account_id="A", instrument_id=ACME.id, product=Product.NONE, quantity=D(30))
    made.step(made.snapshot(positions=(held,)))
    (lot,) = lots_in(made, followed(made), book="unassigned").held
    assert (lot.quantity, lot.basis, lot.opened) == (D(30), D(300), made.state.accounts["A"].day)


@settings(max_examples=60, deadline=None)
@given(MOVES)
def test_whatever_happens_lots_add_up_to_positions(moves: list[tuple[str, int, tuple[str, str], Any]]) -> None:
    made, books = desk(), LotBooks()
    for day, (move, size, (account_id, book), of) in enumerate(moves, 1):
        _move(made, move, day, size=size, account_id=account_id, book=book, of=of)
        if day == len(moves) // 2:
            asyncio.run(books.follow(made.state))
            [books.lots(made.state, key, ()) for key in books.keys({"A", "B"})]
    asyncio.run(books.follow(made.state))
    for key in books.keys({"A", "B"}):
        position = made.state.position(key)
        made_here = sub(sub(position.realised, position.total_cost), position.charges)
        for method in LotMethod:
            lots = books.lots(made.state, key, always(terms(method), key.account_id))
            assert lots.quantity == position.quantity
            assert sub(total([one.gain for one in lots.closed or ()]), lots.basis) == made_here, method


def test_what_counts_as_a_loss_and_as_a_purchase() -> None:
    made = world()
    made.account("B")
    for account_id in "AB":
        made.holding("10", "9", account_id=account_id)
        made.holding("-10", "5", account_id=account_id)
        made.holding("-3", "8", account_id=account_id)
        made.holding("3", "9", account_id=account_id)
    taxes = {"A": always(terms()), "B": always(terms(status=TaxStatus.FREE), "B")}
    found = past(made.state, followed(made), taxes, instrument_id=ACME.id)
    assert [(one.account_id, one.closing.gain) for one in found.losses] == [("A", D(-40))], "longs that are taxed"
    assert [(one.account_id, one.quantity) for one in found.purchases] == [("A", D(10)), ("B", D(10))]
    untold = past(made.state, followed(made), {"A": (), "B": ()}, instrument_id=ACME.id)
    assert [one.account_id for one in untold.losses] == ["A", "B"]


def test_the_first_long_day_is_after_the_days() -> None:
    assert first_long_day(FIRST, UNTOLD.days) == FIRST + timedelta(days=366)
    assert ZERO == 0
