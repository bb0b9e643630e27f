"""Exits at the simulated venue: last in a bar, one of a link a bar; and orders good for one bar, or for the close."""

from math import nan

import msgspec
import pytest

from evenkeel.domain import events as e
from evenkeel.domain.accounts import Account, FillTerms
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.marketdata import Dividend, MarketSlice
from evenkeel.domain.orders import OrderSpec, OrderState, Side, TimeInForce
from evenkeel.quant.costs import FillModel, Slippage
from evenkeel.trading.brokers.registry import BrokerSetup, build
from evenkeel.trading.brokers.simulated.adapter import SimulatedBroker
from evenkeel.trading.brokers.simulated.book import Book
from evenkeel.trading.brokers.standing import Standing
from tests.contracts.samples import (
    ACME,
    ALPHA,
    CASH,
    FIRST_DAY,
    D,
    amendment,
    bar,
    closes,
    flat,
    opens,
    quoted,
    shown,
    spec,
    ticket,
)
from tests.trading.brokers.test_book import fills, kinds, make_book
from tests.trading.brokers.test_restore import ours

APART = msgspec.structs.replace(ALPHA, id="apart", terms=FillTerms())
SELL, GTC, BAR = Side.SELL, TimeInForce.GTC, TimeInForce.BAR


def linked(order: OrderSpec, link: str = "L") -> OrderSpec:
    return msgspec.structs.replace(order, link=link, time_in_force=GTC)


def holding(model: FillModel | None = None, *, stop: object = 95, goal: object = 105) -> Book:
    """A book that has bought 100 at the open of session 1, at 100, with two exits that count from then."""
    book = make_book(model)
    book.observe(shown(flat(0, 100.0)))
    book.place(ticket("entry", spec()))
    book.observe(shown(flat(1, 100.0)))
    for name, order in (("stop", spec(SELL, stop=stop)), ("goal", spec(SELL, limit=goal))):
        book.place(msgspec.structs.replace(ticket(name, linked(order), day=1), since=opens(1)))
    book.finish(shown(flat(1, 100.0)))
    return book


def through(book: Book, market: MarketSlice) -> list[e.AnyVenueEvent]:
    """A whole slice: first what all orders make of it, then what the exits do."""
    assert not [event for event in book.observe(market) if isinstance(event, e.VenueFilled)]
    return book.finish(market)


def test_exits_wait_until_all_else_of_the_bar_is_told() -> None:
    book = holding()
    assert not book.is_quiet
    assert book.observe(shown(bar(2, 100, 101, 90, 92))) == []
    events = book.finish(shown(bar(2, 100, 101, 90, 92)))
    assert kinds(events) == ["Triggered", "Filled"]
    assert fills(events) == [("100", "95.00")]
    assert book.finish(shown(bar(2, 100, 101, 90, 92))) == [], "a bar is met once"


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ((100, 106, 94, 100), "95.00"),  # equally near: the stop comes first
        ((100, 106, 93, 100), "105.00"),  # up first
        ((100, 107, 94, 100), "95.00"),  # down first
        ((106, 107, 90, 91), "106.00"),  # the open is beyond the target
        ((94, 107, 90, 91), "94.00"),  # the open is through the stop
    ],
)
def test_of_a_stop_and_a_target_in_one_bar_the_path_decides(
    prices: tuple[float, float, float, float], expected: str
) -> None:
    assert fills(through(holding(), shown(bar(2, *prices)))) == [("100", expected)]


def test_exits_of_an_entry_at_the_open_work_in_its_own_bar() -> None:
    book = make_book()
    book.observe(shown(flat(0, 100.0)))
    book.place(ticket("entry", spec()))
    market = shown(bar(1, 100, 101, 90, 92))
    (bought,) = [event for event in book.observe(market) if isinstance(event, e.VenueFilled)]
    book.place(msgspec.structs.replace(ticket("stop", linked(spec(SELL, stop=95)), day=1), since=bought.at))
    assert fills(book.finish(market)) == [("100", "95.00")]


def test_of_an_entry_inside_the_bar_only_the_stop_works_there() -> None:
    book = make_book()
    book.observe(shown(flat(0, 100.0)))
    book.place(ticket("entry", spec(limit=98)))
    market = shown(bar(1, 100, 106, 97, 100))
    (bought,) = [event for event in book.observe(market) if isinstance(event, e.VenueFilled)]
    assert bought.at == closes(1)
    for name, order in (("stop", spec(SELL, stop="97.5")), ("goal", spec(SELL, limit=105))):
        book.place(msgspec.structs.replace(ticket(name, linked(order), day=1), since=bought.at - 1))
    assert fills(book.finish(market)) == [("100", "97.50")]


def test_what_is_altered_now_works_from_the_next_bar_on() -> None:
    book = holding()
    book.modify(amendment("stop", linked(spec(SELL, stop=99)), day=2))
    assert fills(through(book, shown(bar(2, 100, 101, 98, 100)))) == []
    assert fills(through(book, shown(bar(3, 100, 101, 98, 100)))) == [("100", "99.00")]


def test_what_is_altered_as_it_stood_works_on_in_the_bar_that_is_met() -> None:
    book = holding()
    market = shown(bar(2, 100, 101, 98, 100))
    book.observe(market)
    change = amendment("stop", linked(spec(SELL, stop=99)), day=2)
    book.modify(msgspec.structs.replace(change, since=1))
    assert fills(book.finish(market)) == [("100", "99.00")]


def test_exits_share_a_bars_volume_with_what_came_before() -> None:
    book = holding(FillModel(participation=0.1))
    book.place(ticket("other", spec(quantity=60), day=1))
    market = shown(bar(2, 100, 101, 90, 92, volume=1000))
    book.observe(market)
    assert fills(book.finish(market)) == [("40", "95.00")]
    assert fills(through(book, shown(bar(3, 91, 92, 90, 91)))) == [("60", "91.00")], "what was set off goes on"


def test_exits_meet_quotes() -> None:
    book = holding()
    book.observe(quoted(closes(1) + 10, 94.0, 94.1))
    events = book.finish(quoted(closes(1) + 10, 94.0, 94.1))
    assert fills(events) == [("100", "94.00")]


def test_two_positions_are_two_links() -> None:
    book = holding()
    order = linked(msgspec.structs.replace(spec(SELL, 50, stop=95), book="other"), "M")
    book.place(ticket("third", order, day=1))
    assert sorted(fills(through(book, shown(bar(2, 100, 101, 90, 92))))) == [("100", "95.00"), ("50", "95.00")]


def test_a_restored_book_has_its_exits_and_meets_a_bar_it_may_have_missed() -> None:
    stop = linked(spec(SELL, stop=95))
    standing = Standing(
        accounts=(ALPHA,),
        instruments=(ACME,),
        orders=(ours("stop", stop, created_at=closes(1), since=opens(1)),),
        cash={"alpha": {"USD": CASH}},
        last_seen={ACME.id: closes(1)},
    )
    book = Book.restore(standing, model=FillModel())
    assert [order.venue_client_id for order in book.open_orders("alpha")] == ["stop"]
    assert fills(through(book, shown(bar(1, 100, 101, 90, 92)))) == [("100", "95.00")]
    later = Book.restore(standing, model=FillModel())
    through(later, shown(flat(2, 100.0)))
    assert fills(through(later, shown(bar(1, 100, 101, 90, 92)))) == []


def test_an_order_good_for_one_bar_meets_the_next_and_ends_with_it() -> None:
    book = make_book()
    book.observe(shown(flat(0, 10.0)))
    book.place(ticket("A", spec(limit=9, time_in_force=BAR)))
    assert kinds(book.observe(quoted(closes(0) + 1, 9.5, 9.6))) == []
    [ended] = book.observe(shown(flat(1, 10.0)))
    assert isinstance(ended, e.VenueExpired)
    assert (ended.at, ended.reason) == (closes(1), "the bar it was good for is over")
    book.place(ticket("B", spec(limit=11, time_in_force=BAR), day=1))
    assert fills(book.observe(shown(flat(2, 10.0)))) == [("100", "10.00")]


def at_close(model: FillModel | None = None) -> Book:
    book = Book(model=model or FillModel(), at_close=True)
    book.list_instrument(ACME)
    book.open_account(ALPHA, CASH)
    return book


def test_at_the_close_a_market_order_meets_the_bar_that_was_just_shown() -> None:
    book = at_close(FillModel(Slippage(bps=10.0)))
    book.observe(shown(bar(0, 9, 12, 8, 10)))
    accepted, filled = book.place(ticket("A", spec()))
    assert isinstance(accepted, e.VenueAccepted)
    assert isinstance(filled, e.VenueFilled)
    assert (filled.price, filled.at, filled.bar) == (D("10.01"), closes(0), closes(0))
    assert book.is_quiet


def test_what_cannot_meet_the_close_is_cancelled_and_other_kinds_wait() -> None:
    book = at_close(FillModel(participation=0.1))
    book.observe(shown(bar(0, 9, 12, 8, 10, volume=400)))
    assert kinds(book.place(ticket("A", spec()))) == ["Accepted", "Filled", "Cancelled"]
    assert kinds(book.place(ticket("B", spec(limit=11)))) == ["Accepted"]


@pytest.mark.parametrize(("account", "left"), [(ALPHA, "90"), (APART, "100")], ids=["of the crowd", "apart"])
def test_exits_meet_the_whole_bar_after_others_have_met_its_close(account: Account, left: str) -> None:
    book = at_close(FillModel(participation=0.1))
    book.open_account(APART, CASH)
    book.observe(shown(flat(0, 100.0)))
    book.place(ticket("entry", spec()))
    book.place(ticket("stop", linked(spec(SELL, stop=95))))
    market = shown(bar(1, 100, 101, 90, 100, volume=1000))
    book.observe(market)
    assert fills(book.place(ticket("other", spec(quantity=10, account=account), day=1))) == [("10", "100.00")]
    assert fills(book.finish(market)) == [(left, "95.00")]


def test_without_that_close_it_waits_for_the_next_open() -> None:
    book = at_close()
    book.observe(shown(flat(0, 10.0)))
    assert kinds(book.place(ticket("A", spec(), day=1))) == ["Accepted"]
    assert fills(book.observe(shown(flat(2, 11.0)))) == [("100", "11.00")]


def test_the_close_is_an_option_of_the_simulated_broker() -> None:
    broker = build("simulated", BrokerSetup(options={"fill": "close"}))
    assert isinstance(broker, SimulatedBroker)
    assert broker.book.at_close
    with pytest.raises(InvalidInput, match="expected next-open or close"):
        build("simulated", BrokerSetup(options={"fill": "yesterday"}))


def test_dividends_move_the_venues_cash_once() -> None:
    book = holding()
    cash = book.balance("alpha").cash["USD"]
    market = MarketSlice(closes(2), (flat(2, 100.0),), dividends=(Dividend(ACME.id, FIRST_DAY, D("0.5")),))
    through(book, market)
    through(book, market)
    assert book.balance("alpha").cash["USD"] == cash + D(50)


def test_an_exit_cannot_be_triggered_by_a_price_that_is_no_number() -> None:
    book = holding()
    assert fills(through(book, shown(bar(2, nan, nan, nan, nan)))) == []
    assert {order.state for order in book.open_orders("alpha")} == {OrderState.ACCEPTED}
