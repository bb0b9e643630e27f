"""The simulated venue's book, rule by rule."""

from collections.abc import Iterable
from math import nan

import pytest

from evenkeel.domain import events as e
from evenkeel.domain.accounts import Account
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import BrokerRejected, BrokerUnavailable, NotFound
from evenkeel.domain.marketdata import Bar, MarketSlice
from evenkeel.domain.orders import OrderState, Side, TimeInForce
from evenkeel.quant.costs import FillModel, Slippage
from evenkeel.trading.brokers.simulated.book import Book
from tests.contracts.samples import (
    ACME,
    ALPHA,
    BRAVO,
    CASH,
    D,
    amendment,
    bar,
    cancellation,
    closes,
    flat,
    opens,
    quoted,
    shown,
    spec,
    ticket,
)

BUY, SELL = Side.BUY, Side.SELL
GTC, IOC, FOK = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK


def make_book(model: FillModel | None = None, *accounts: Account) -> Book:
    book = Book(model=model or FillModel())
    book.list_instrument(ACME)
    for account in accounts or (ALPHA,):
        book.open_account(account, CASH)
    return book


def kinds(events: list[e.AnyVenueEvent]) -> list[str]:
    return [type(event).__name__.removeprefix("Venue") for event in events]


def fills(events: Iterable[e.AnyVenueEvent]) -> list[tuple[str, str]]:
    return [(str(f.quantity), str(f.price)) for f in events if isinstance(f, e.VenueFilled)]


def test_a_market_order_fills_at_the_next_open_and_says_so_at_that_time() -> None:
    book = make_book()
    book.observe(shown(flat(0, 10.0)))
    assert kinds(book.place(ticket("A", spec()))) == ["Accepted"]
    [fill] = book.observe(shown(bar(1, 11.0, 12.0, 10.0, 11.5)))
    assert isinstance(fill, e.VenueFilled)
    assert (fill.price, fill.quantity, fill.at, fill.bar) == (D("11.00"), D(100), opens(1), closes(1))
    assert book.balance("alpha").cash == {"USD": D("98900.00")}
    [position] = book.positions("alpha")
    assert (position.quantity, position.average_price) == (D(100), D(11))


def test_an_order_never_meets_a_bar_that_opened_before_it_was_decided() -> None:
    book = make_book()
    book.place(ticket("A", spec(), day=1))
    assert book.observe(shown(flat(1, 10.0))) == []
    assert fills(book.observe(shown(flat(2, 12.0)))) == [("100", "12.00")]


@pytest.mark.parametrize(
    ("order", "prices", "expected"),
    [
        (spec(limit=9), (10, 11, 8, 9.5), [("Filled", "9.00", "close")]),
        (spec(limit=11), (10, 11, 8, 9.5), [("Filled", "10.00", "open")]),
        (spec(limit=7), (10, 11, 8, 9.5), []),
        (spec(SELL, limit=11), (10, 12, 9, 10), [("Filled", "11.00", "close")]),
        (spec(stop=11), (10, 12, 9, 10), [("Triggered", None, "close"), ("Filled", "11.00", "close")]),
        (spec(stop=9), (10, 12, 9, 10), [("Triggered", None, "open"), ("Filled", "10.00", "open")]),
        (spec(SELL, stop=9), (10, 12, 8, 10), [("Triggered", None, "close"), ("Filled", "9.00", "close")]),
        (spec(SELL, stop=9), (8, 12, 7, 10), [("Triggered", None, "open"), ("Filled", "8.00", "open")]),
        (
            spec(limit=11.5, stop=11),
            (10, 12, 9, 10),
            [("Triggered", None, "close"), ("Filled", "11.00", "close")],
        ),
        (spec(limit=10, stop=11), (10.5, 12, 10.4, 11), [("Triggered", None, "close")]),
        (
            spec(limit=10, stop=11),
            (10, 11, 8, 9),
            [("Triggered", None, "close"), ("Filled", "10.00", "close")],
        ),
        (spec(limit=11, stop=10.5), (12, 13, 11.5, 12), [("Triggered", None, "open")]),
        (
            spec(limit=11, stop=10.5),
            (12, 13, 10, 12),
            [("Triggered", None, "open"), ("Filled", "11.00", "close")],
        ),
    ],
)
def test_each_kind_on_one_bar(
    order: object, prices: tuple[float, float, float, float], expected: list[tuple[str, str | None, str]]
) -> None:
    book = make_book()
    book.place(ticket("A", order))  # type: ignore[arg-type]
    moments = {opens(1): "open", closes(1): "close"}
    got = [
        (kinds([event])[0], str(getattr(event, "price", "")) or None, moments[event.at])
        for event in book.observe(shown(bar(1, *prices)))
        if not isinstance(event, e.VenueExpired)
    ]
    assert got == expected


def test_a_triggered_stop_limit_rests_as_a_limit() -> None:
    book = make_book()
    book.place(ticket("A", spec(limit=10, stop=11, time_in_force=GTC)))
    assert kinds(book.observe(shown(bar(1, 10.5, 12, 10.4, 11)))) == ["Triggered"]
    assert fills(book.observe(shown(bar(2, 10.2, 10.3, 9.9, 10)))) == [("100", "10.00")]


def test_day_orders_live_one_session_and_gtc_live_on() -> None:
    book = make_book()
    book.place(ticket("D", spec(limit=5)))
    book.place(ticket("G", spec(limit=5, time_in_force=GTC)))
    [expired] = book.observe(shown(flat(1, 10.0)))
    assert isinstance(expired, e.VenueExpired)
    assert (expired.venue_client_id, expired.at, expired.bar) == ("D", closes(1), closes(1))
    assert fills(book.observe(shown(flat(2, 4.0)))) == [("100", "4.00")]


def hourly(start: int, price: float) -> Bar:
    return Bar(ACME.id, start, start + 3600 * SECOND, price, price, price, price)


def test_a_day_order_in_a_market_of_hours_lives_until_the_account_day_ends() -> None:
    book = make_book()
    book.place(ticket("D", spec(limit=5)))
    for hour in range(6):
        assert book.observe(shown(hourly(opens(1) + hour * 3600 * SECOND, 10.0))) == []
    [expired] = book.observe(shown(hourly(opens(2), 4.0)))
    assert isinstance(expired, e.VenueExpired)
    assert closes(1) < expired.at < opens(2)


def test_a_day_order_expires_though_its_instrument_falls_silent() -> None:
    book = make_book()
    book.place(ticket("D", spec(limit=5)))
    book.observe(shown(hourly(opens(1), 10.0)))
    assert kinds(book.observe(MarketSlice(opens(2)))) == ["Expired"]


def test_partial_fills_share_the_bar_in_the_order_of_time_account_order() -> None:
    book = make_book(FillModel(participation=0.1), ALPHA, BRAVO)
    book.place(ticket("C", spec(quantity=60, time_in_force=GTC, account=BRAVO)))
    book.place(ticket("B", spec(quantity=60, time_in_force=GTC)))
    book.place(ticket("A", spec(quantity=60, limit=9, time_in_force=GTC)))
    got = [
        (f.venue_client_id, f.quantity)
        for f in book.observe(shown(bar(1, 10, 10, 8, 9, volume=1000)))
        if isinstance(f, e.VenueFilled)
    ]
    assert got == [("B", D(60)), ("C", D(40))]
    after = book.observe(shown(bar(2, 10, 10, 8, 9, volume=1000)))
    assert fills(after) == [("20", "10.00"), ("60", "9.00")]


def test_the_order_that_has_worked_longer_goes_first_whosever_it_is() -> None:
    book = make_book(FillModel(participation=0.1), ALPHA, BRAVO)
    book.place(ticket("A", spec(quantity=60, time_in_force=GTC, account=BRAVO)))
    book.observe(shown(flat(1, 10, volume=400)))
    book.place(ticket("B", spec(quantity=60, time_in_force=GTC), day=1))
    assert fills(book.observe(shown(flat(2, 10, volume=400)))) == [("20", "10.00"), ("20", "10.00")]
    assert fills(book.executions("bravo", 0)) == [("40", "10.00"), ("20", "10.00")]
    assert fills(book.executions("alpha", 0)) == [("20", "10.00")]


def test_a_stop_without_volume_left_is_triggered_and_goes_on() -> None:
    book = make_book(FillModel(participation=0.1))
    book.place(ticket("A", spec(quantity=100, time_in_force=GTC)))
    book.place(ticket("B", spec(quantity=10, stop=9, time_in_force=GTC)))
    assert kinds(book.observe(shown(flat(1, 10, volume=1000)))) == ["Filled", "Triggered"]
    assert fills(book.observe(shown(flat(2, 7, volume=1000)))) == [("10", "7.00")]


def test_ioc_takes_what_there_is_and_fok_all_or_nothing() -> None:
    book = make_book(FillModel(participation=0.1))
    book.place(ticket("A", spec(quantity=80, time_in_force=FOK)))
    book.place(ticket("B", spec(quantity=80, time_in_force=FOK)))
    book.place(ticket("C", spec(quantity=80, time_in_force=IOC)))
    events = book.observe(shown(flat(1, 10, volume=1000)))
    assert [(event.venue_client_id, kinds([event])[0]) for event in events] == [
        ("A", "Filled"),
        ("C", "Filled"),
        ("B", "Cancelled"),
        ("C", "Cancelled"),
    ]
    assert fills(events) == [("80", "10.00"), ("20", "10.00")]
    assert book.open_orders("alpha") == ()


def test_quotes_fill_at_the_touch_and_later_bars_do_not_reach_back() -> None:
    book = make_book()
    at = closes(0)
    book.place(ticket("A", spec(time_in_force=GTC)))
    assert book.observe(quoted(at, 9.0, 9.1)) == []
    assert fills(book.observe(quoted(at + 1, 9.0, 9.1))) == [("100", "9.10")]
    book.place(ticket("B", spec(SELL, time_in_force=GTC)))
    assert fills(book.observe(quoted(at + 2, 8.9, 9.2))) == [("100", "8.90")]
    book.place(ticket("C", spec(limit=8, time_in_force=GTC)))
    book.observe(quoted(opens(1) + 5, 9.0, 9.1))
    assert book.observe(shown(bar(1, 7.0, 9.0, 7.0, 9.0))) == []
    assert book.observe(quoted(opens(2), nan, nan)) == []


def test_an_older_or_equal_bar_is_ignored() -> None:
    book = make_book()
    book.observe(shown(flat(3, 10.0)))
    book.place(ticket("A", spec(), day=0))
    assert book.observe(shown(flat(3, 10.0))) == []
    assert book.observe(shown(flat(2, 10.0))) == []
    assert fills(book.observe(shown(flat(4, 11.0)))) == [("100", "11.00")]


def test_the_same_ticket_again_is_answered_and_another_refused() -> None:
    book = make_book()
    first = book.place(ticket("A", spec()))
    assert book.place(ticket("A", spec())) == first
    with pytest.raises(BrokerRejected, match="already names another order"):
        book.place(ticket("A", spec(quantity=200)))
    book.observe(shown(flat(1, 10.0)))
    assert kinds(book.place(ticket("A", spec()))) == ["Accepted"]
    assert len(book.executions("alpha", 0)) == 1


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (spec(quantity="0.5"), "multiple of the lot"),
        (spec(quantity=-5), "multiple of the lot"),
        (spec(limit="9.005"), "multiple of the tick"),
        (spec(limit=-1), "multiple of the tick"),
    ],
)
def test_malformed_orders_are_rejected_by_an_event_and_stay_known(order: object, why: str) -> None:
    book = make_book()
    [rejected] = book.place(ticket("A", order))  # type: ignore[arg-type]
    assert isinstance(rejected, e.VenueRejected)
    assert why in rejected.reason
    status = book.order_status("alpha", "A")
    assert status is not None
    assert status.state is OrderState.REJECTED


def test_unknown_instrument_account_and_schedule() -> None:
    book = Book()
    with pytest.raises(BrokerRejected, match="does not exist"):
        book.place(ticket("A", spec()))
    with pytest.raises(BrokerUnavailable, match="does not exist"):
        book.positions("alpha")
    with pytest.raises(NotFound, match="no cost schedule"):
        book.open_account(Account(id="x", user_id="u", name="x", broker="s", currency="USD", costs="nonsense"))
    book.open_account(ALPHA, CASH)
    assert kinds(book.place(ticket("A", spec()))) == ["Rejected"]


def test_cancel_and_its_races() -> None:
    book = make_book()
    book.place(ticket("A", spec(limit=5, time_in_force=GTC)))
    assert kinds(book.cancel(cancellation("A"))) == ["Cancelled"]
    assert kinds(book.cancel(cancellation("A"))) == ["CancelRefused"]
    assert book.observe(shown(flat(1, 4.0))) == []
    with pytest.raises(BrokerRejected, match="no order with client id"):
        book.cancel(cancellation("B"))


def test_modify_sets_all_terms_and_counts_from_then_on() -> None:
    book = make_book()
    order = spec(limit=5, time_in_force=GTC)
    book.place(ticket("A", order))
    wanted = spec(quantity=50, limit=6, time_in_force=GTC)
    [amended] = book.modify(amendment("A", wanted, day=1))
    assert isinstance(amended, e.VenueAmended)
    assert (amended.quantity, amended.limit_price, amended.stop_price) == (D(50), D(6), None)
    assert book.observe(shown(flat(1, 5.5))) == []
    assert fills(book.observe(shown(flat(2, 5.5)))) == [("50", "5.50")]
    with pytest.raises(BrokerRejected, match="FILLED already"):
        book.modify(amendment("A", wanted, day=2))


@pytest.mark.parametrize(
    "wanted",
    [
        spec(SELL, 100, limit=6, time_in_force=GTC),
        spec(quantity=40, limit=6, time_in_force=GTC),
        spec(quantity="100.5", limit=6, time_in_force=GTC),
        spec(limit="6.001", time_in_force=GTC),
        spec(stop=6, time_in_force=GTC),
    ],
)
def test_modify_refuses_other_orders_and_what_is_filled_already(wanted: object) -> None:
    book = make_book(FillModel(participation=0.1))
    book.place(ticket("A", spec(limit=6, time_in_force=GTC)))
    book.observe(shown(flat(1, 5.5, volume=400)))
    with pytest.raises(BrokerRejected, match="cannot be changed"):
        book.modify(amendment("A", wanted, day=1))  # type: ignore[arg-type]


def test_charges_follow_the_accounts_schedule_over_the_whole_order() -> None:
    book = make_book(FillModel(participation=0.1), BRAVO)
    book.place(ticket("A", spec(quantity=100, time_in_force=GTC, account=BRAVO)))
    for day in (1, 2):
        book.observe(shown(flat(day, 10.0, volume=500)))
    charged = [charge.amount for fill in book.executions("bravo", 0) for charge in fill.charges]
    assert charged == [D("1.00")]
    assert book.balance("bravo").cash["USD"] == CASH - D(1000) - D("1.00")


def test_slippage_costs_and_never_passes_a_limit() -> None:
    book = make_book(FillModel(slippage=Slippage(bps=100)))
    book.place(ticket("A", spec()))
    book.place(ticket("B", spec(limit="10.05")))
    assert fills(book.observe(shown(flat(1, 10.0)))) == [("100", "10.10"), ("100", "10.05")]


def test_cash_moves_once_per_reference() -> None:
    book = make_book()
    for _ in range(2):
        book.move_cash("alpha", D(500), currency="USD", reference="d1")
    book.open_account(ALPHA, D(1))
    assert book.balance("alpha").cash == {"USD": CASH + 500}


def test_executions_since_counts_from_when_they_became_known() -> None:
    book = make_book()
    book.place(ticket("A", spec()))
    book.observe(shown(flat(1, 10.0)))
    [fill] = book.executions("alpha", closes(1))
    assert fill.at == opens(1)
    assert book.executions("alpha", closes(1) + 1) == ()


def test_ids_depend_on_account_client_id_and_bar_only() -> None:
    def run(extra: bool) -> list[tuple[str | None, str]]:
        book = make_book()
        if extra:
            book.place(ticket("Z", spec()))
        book.place(ticket("A", spec()))
        book.observe(shown(flat(1, 10.0)))
        return [(f.venue_order_id, f.execution_id) for f in book.executions("alpha", 0) if f.venue_client_id == "A"]

    assert run(extra=False) == run(extra=True)


def test_reused_ids_are_handed_out_when_told_to() -> None:
    book = make_book()
    [first] = book.place(ticket("A", spec()))
    book.reused_ids.append(str(first.venue_order_id))
    [second] = book.place(ticket("B", spec()))
    assert second.venue_order_id == first.venue_order_id
    assert book.order_status("alpha", "B") is not None
