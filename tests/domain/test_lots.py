"""Lots: first in, first out, long, short and through zero, over splits; the whole is what average cost makes of it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.lots import Lot, Lots, Trade
from evenkeel.domain.positions import Position, PositionKey

D = Decimal
ONE = D(1)


def traded(*trades: tuple[str, str]) -> Lots:
    lots = Lots()
    for quantity, price in trades:
        lots.trade(Trade(D(quantity), D(price)), ONE)
    return lots


def held(lots: Lots) -> list[tuple[Decimal, Decimal]]:
    return [(lot.quantity, lot.cost) for lot in lots.held]


@pytest.mark.parametrize(
    ("trades", "realised", "left"),
    [
        ((("10", "5"), ("10", "7"), ("-10", "8")), "30", [("10", "70")]),
        ((("10", "5"), ("10", "7"), ("-15", "8")), "35", [("5", "35")]),
        ((("10", "5"), ("10", "7"), ("-20", "8")), "40", []),
        ((("10", "5"), ("-15", "8")), "30", [("-5", "-40")]),
        ((("-10", "5"), ("-10", "7"), ("10", "6")), "-10", [("-10", "-70")]),
        ((("-10", "5"), ("20", "4")), "10", [("10", "40")]),
        ((("3", "1"), ("-1", "2"), ("-1", "2"), ("-1", "2")), "3", []),
    ],
)
def test_the_oldest_is_closed_first(
    trades: tuple[tuple[str, str], ...], realised: str, left: list[tuple[str, str]]
) -> None:
    lots = traded(*trades)
    assert lots.realised == D(realised)
    assert held(lots) == [(D(quantity), D(cost)) for quantity, cost in left]


def test_the_multiplier_counts() -> None:
    lots = Lots()
    lots.trade(Trade(D(2), D(100)), D(50))
    lots.trade(Trade(D(-1), D(101)), D(50))
    assert (lots.realised, lots.cost) == (D(50), D(5000))


def test_what_undoes_a_trade_takes_back_the_newest() -> None:
    lots = traded(("10", "5"), ("10", "7"))
    lots.trade(Trade(D(-10), D(7)), ONE, undoes=True)
    assert (lots.realised, held(lots)) == (0, [(D(10), D(50))])


def test_a_split_keeps_the_cost_and_pays_fractions_from_the_oldest() -> None:
    lots = traded(("3", "10"), ("2", "20"))
    lots.split(D(2), D(1), quantity=D(10), cash=D(0))
    assert held(lots) == [(D(6), D(30)), (D(4), D(40))]
    lots.split(D(1), D(4), quantity=D(2), cash=D(20))
    assert held(lots) == [(D(1), D(20)), (D(1), D(40))]
    assert lots.realised == D(10)


def test_what_a_split_gives_a_book_is_a_lot_of_its_own() -> None:
    lots = traded(("1", "10"))
    lots.split(D(3), D(2), quantity=D(2), cash=D(-3))
    assert held(lots) == [(D("1.5"), D(10)), (D("0.5"), D(3))]
    assert lots.realised == 0


prices = st.integers(1, 10_000).map(lambda cents: D(cents).scaleb(-2))
quantities = st.integers(-500, 500).filter(bool).map(D)


@given(st.lists(st.tuples(quantities, prices), max_size=30), prices)
def test_realised_and_unrealised_together_are_those_of_average_cost(
    trades: list[tuple[Decimal, Decimal]], last: Decimal
) -> None:
    lots, position = Lots(), Position(key=PositionKey("a", "b", "i"))
    for quantity, price in trades:
        lots.trade(Trade(quantity, price), ONE)
        position.book(quantity, price, ONE)
        assert lots.quantity == position.quantity
        assert len({lot.quantity > 0 for lot in lots.held}) <= 1
    worth = position.quantity * last
    assert lots.realised + worth - lots.cost == position.realised + worth - position.total_cost


def test_nothing_held_costs_nothing() -> None:
    assert (Lots().cost, Lots().quantity, Lot(ONE, ONE).cost) == (0, 0, 1)
