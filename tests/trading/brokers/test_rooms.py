"""Those who stand in line for a bar's volume meet the market as if the bar looked at every order."""

from dataclasses import dataclass
from math import nan
from unittest.mock import patch

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain.accounts import FillTerms
from evenkeel.domain.errors import BrokerRejected
from evenkeel.domain.events import AnyVenueEvent, VenueExpired, VenueFilled
from evenkeel.domain.marketdata import Bar, Split
from evenkeel.domain.orders import OrderSpec, Side, TimeInForce
from evenkeel.quant.costs import FillModel
from evenkeel.trading.brokers.simulated import matching, rooms
from evenkeel.trading.brokers.simulated.book import Book
from tests.contracts.samples import (
    ACME,
    ALPHA,
    BRAVO,
    CASH,
    FIRST_DAY,
    D,
    amendment,
    cancellation,
    opens,
    quoted,
    shown,
    spec,
    ticket,
)

MINUTE = 60_000_000_000
HOURS = 4 * 60 * MINUTE
APART = msgspec.structs.replace(BRAVO, id="apart", terms=FillTerms(latency=HOURS // 2, spread=0.0, participation=0.05))
TENTH = FillModel(participation=0.1)
BARS_A_DAY = 6

prices = st.none() | st.integers(980, 1020).map(lambda cents: D(cents) / 100)
wanted = st.builds(
    spec,
    st.sampled_from(Side),
    st.integers(1, 40),
    limit=st.none() | st.none() | prices,
    stop=st.none() | st.none() | prices,
    time_in_force=st.sampled_from([TimeInForce.DAY, TimeInForce.DAY, *TimeInForce]),
    account=st.sampled_from([ALPHA, BRAVO, APART]),
)


@dataclass(frozen=True)
class Moment:
    """What is asked for before a bar of four hours, and the bar; `changes` and `cancels` name orders by their place."""

    orders: list[OrderSpec]
    changes: list[tuple[int, int, int]]
    cancels: list[int]
    path: list[D]
    volume: float
    quote: bool
    split: bool
    restart: bool


rarely = st.sampled_from([False] * 9 + [True])
moments = st.builds(
    Moment,
    st.lists(wanted, max_size=6),
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 40), st.integers(0, 3)), max_size=2),
    st.lists(st.integers(0, 20), max_size=2),
    st.lists(st.integers(980, 1020).map(lambda cents: D(cents) / 100), min_size=4, max_size=4),
    st.sampled_from([0.0, 50.0, 100.0, 300.0, 1000.0]),
    rarely,
    rarely,
    rarely,
)


def new_book() -> Book:
    book = Book(model=TENTH)
    book.list_instrument(ACME)
    for account in (ALPHA, BRAVO, APART):
        book.open_account(account, CASH)
    return book


def begins(number: int) -> int:
    """The moment (ns) at which a bar opens, counted over the days."""
    day, hour = divmod(number, BARS_A_DAY)
    return opens(day) + hour * HOURS


def bar_of(number: int, moment: Moment) -> Bar:
    path = [float(price) for price in moment.path]
    opened = begins(number)
    return Bar(ACME.id, opened, opened + HOURS, path[0], max(path), min(path), path[3], moment.volume)


def play(story: list[Moment]) -> tuple[list[AnyVenueEvent], Book]:
    """What a story makes of a book: everything that it tells, and the book itself."""
    book, told = new_book(), list[AnyVenueEvent]()
    placed: list[tuple[str, OrderSpec]] = []
    for number, moment in enumerate(story):
        at = begins(number)
        for place, order in enumerate(moment.orders):
            name = f"N{len(placed) + 7 * (place % 2)}.{number}.{place}"
            told += book.place(msgspec.structs.replace(ticket(name, order), at=at))
            placed.append((name, order))
        for which, quantity, later in moment.changes:
            if which < len(placed):
                name, order = placed[which]
                change = amendment(name, msgspec.structs.replace(order, quantity=D(quantity)))
                try:
                    told += book.modify(msgspec.structs.replace(change, at=at + later * HOURS // 2))
                except BrokerRejected:
                    continue
        for which in moment.cancels:
            if which < len(placed):
                name, order = placed[which]
                account = {one.id: one for one in (ALPHA, BRAVO, APART)}[order.account_id]
                told += book.cancel(cancellation(name, account=account))
        if moment.restart:
            book = Book(book.state, model=TENTH)
        if moment.quote:
            told += book.observe(quoted(at + 1, nan, float(moment.path[0]) if moment.volume else nan))
            continue
        day = FIRST_DAY.replace(day=FIRST_DAY.day + number)
        split = (Split(ACME.id, day, D(1), D(10)),) if moment.split else ()
        told += book.observe(shown(bar_of(number, moment), splits=split))
    return told, book


@settings(deadline=None, max_examples=300)
@given(st.lists(moments, min_size=1, max_size=14))
def test_a_line_changes_nothing_of_what_happens(story: list[Moment]) -> None:
    told, book = play(story)
    with patch.object(rooms, "_CAN_WAIT", frozenset()):
        expected, other = play(story)
    assert told == expected
    assert msgspec.json.encode(list(book.state.orders.values())) == msgspec.json.encode(
        list(other.state.orders.values())
    )
    assert {name: room.orders.keys() for name, room in book._rooms.free.items()} == {
        name: room.orders.keys() for name, room in other._rooms.free.items()
    }


def test_whoever_has_met_a_quote_first_ends_with_the_last_bar_of_the_day_as_well() -> None:
    """Nobody is behind the quote, so that the order learns its session from it, and waits; the bars fill another."""
    orders = [spec(quantity=40, time_in_force=TimeInForce.GTC), spec(quantity=1)]
    asked = Moment(orders, [], [], [D(10)] * 4, 0.0, quote=True, split=False, restart=False)
    then = Moment([], [], [], [D(10)] * 4, 50.0, quote=False, split=False, restart=False)
    told, _ = play([asked, *[then] * 4])
    with patch.object(rooms, "_CAN_WAIT", frozenset()):
        assert told == play([asked, *[then] * 4])[0]
    assert [one.venue_client_id for one in told if isinstance(one, VenueExpired)] == ["N8.0.1"]


def test_a_bar_looks_at_no_more_of_a_line_than_it_fills() -> None:
    book = new_book()
    for number in range(1000):
        order = spec(quantity=1, time_in_force=[TimeInForce.DAY, TimeInForce.GTC][number % 2])
        book.place(msgspec.structs.replace(ticket(f"N{number:04d}", order), at=begins(0)))
    for number in range(1, 5):
        opened = begins(0) + number * MINUTE
        quiet = Bar(ACME.id, opened, opened + MINUTE, 10.0, 10.0, 10.0, 10.0, 100.0)
        with patch.object(matching.Volume, "attempt", autospec=True, side_effect=matching.Volume.attempt) as attempts:
            fills = book.observe(shown(quiet))
        assert attempts.call_count == 10
        assert [fill.venue_client_id for fill in fills if isinstance(fill, VenueFilled)] == [
            f"N{which:04d}" for which in range(10 * (number - 1), 10 * number)
        ]
