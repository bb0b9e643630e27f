"""Round trips: from flat to flat, exact, through splits, busts and zero; they add up to what positions have made."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from evenkeel.desk.portfolios.trips import Trip, Trips
from evenkeel.domain import events as e
from evenkeel.domain.fills import Charge
from evenkeel.domain.orders import Side
from tests.trading.engine.world import ACME, BOLT, World, split_slice

D = Decimal
ONE = D(1)


def world() -> World:
    made = World()
    made.account("A", "1000000")
    made.price(ACME, 10.0)
    made.price(BOLT, 20.0)
    return made


def trade(made: World, quantity: str, price: str, *, charge: str = "0", **more: str) -> str:
    side = Side.BUY if D(quantity) > 0 else Side.SELL
    order = made.resting(side, str(abs(D(quantity))), **more)
    charges = (Charge("commission", D(charge)),) if D(charge) else ()
    return made.fill(order, str(abs(D(quantity))), price, charges=charges).execution_id


async def trips(made: World) -> list[Trip]:
    found = Trips()
    await found.follow(made.state)
    return [trip for of_book in found.of_book.values() for trip in of_book]


async def test_a_trip_is_what_was_opened_and_closed_again() -> None:
    made = world()
    trade(made, "100", "10", charge="1")
    trade(made, "50", "13", charge="1")
    trade(made, "-60", "12", charge="1")
    trade(made, "-90", "15", charge="1")
    (trip,) = await trips(made)
    assert (trip.side, trip.entered, trip.left) == (1, D(150), D(150))
    assert (trip.entry_price(ONE), trip.exit_price(ONE)) == (D(11), D("13.8"))
    assert (trip.realised, trip.charges, trip.made) == (D(420), D(4), D(416))
    assert trip.closed_at is not None


async def test_a_fill_through_flat_closes_one_and_opens_the_next() -> None:
    made = world()
    trade(made, "10", "10")
    trade(made, "-25", "12", charge="3")
    first, second = await trips(made)
    assert (first.side, first.made, first.closed_at) == (1, D(17), second.opened_at)
    assert (second.side, second.entered, second.closed_at, second.exit_price(ONE)) == (-1, D(15), None, None)


async def test_a_split_restates_what_is_open() -> None:
    made = world()
    trade(made, "10", "10")
    made.step(split_slice(1, "2:1"))
    trade(made, "-20", "6")
    (trip,) = await trips(made)
    assert (trip.entered, trip.left, trip.made) == (D(20), D(20), D(20))
    assert (trip.entry_price(ONE), trip.exit_price(ONE)) == (D(5), D(6))


async def test_what_is_taken_back_ends_where_it_began() -> None:
    made = world()
    execution = trade(made, "10", "10", charge="1")
    made.step(e.VenueBusted(account_id="A", execution_id=execution, reason="an error"))
    (trip,) = await trips(made)
    assert (trip.realised, trip.charges, trip.closed_at is not None) == (D(0), D(0), True)


async def test_it_catches_up_and_begins_anew_with_another_state() -> None:
    made, other, found = world(), world(), Trips()
    trade(made, "10", "10")
    await found.follow(made.state)
    trade(made, "-10", "11")
    await found.follow(made.state)
    assert [trip.made for trip in found.of_book["A", "manual"]] == [D(10)]
    await found.follow(other.state)
    assert not found.of_book


TRADES = st.lists(
    st.tuples(
        st.sampled_from([ACME, BOLT]), st.sampled_from(["manual", "other"]), st.integers(-9, 9), st.integers(1, 99)
    ),
    max_size=20,
)


@given(TRADES, st.booleans())
async def test_trips_add_up_to_what_positions_have_made(trades: list, split: bool) -> None:
    made = world()
    for place, (of, book, quantity, price) in enumerate(trades):
        if quantity:
            trade(made, str(quantity), str(price), charge="0.35", book=book, instrument_id=of.id)
        if split and place == 5:
            made.step(split_slice(1, "3:2"))
    found = Trips()
    await found.follow(made.state)
    for key, position in made.state.accounts["A"].positions.items():
        mine = [trip for trip in found.of_book[key.account_id, key.book] if trip.key == key]
        assert sum((trip.realised for trip in mine), D(0)) == position.realised
        assert sum((trip.charges for trip in mine), D(0)) == position.charges
        assert [trip.closed_at is None for trip in mine] == [False] * (len(mine) - 1) + [bool(position.quantity)]
