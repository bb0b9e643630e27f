"""An account's own terms at the simulated venue, one by one: when it arrives, what it pays, where it queues."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from evenkeel.domain import events as e
from evenkeel.domain.accounts import Account, FillTerms, term_faults
from evenkeel.domain.clock import SECOND
from evenkeel.domain.marketdata import Bar, MarketSlice
from evenkeel.domain.orders import Side, TimeInForce
from evenkeel.quant.costs import FillModel, Slippage, fill_at_bar
from evenkeel.trading.brokers.simulated.book import Book
from evenkeel.trading.brokers.standing import Standing
from tests.contracts.samples import (
    ACME,
    ALPHA,
    BRAVO,
    CASH,
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

BUY, SELL, GTC = Side.BUY, Side.SELL, TimeInForce.GTC
MILLISECOND = SECOND // 1000


def plain(**more: object) -> FillTerms:
    """Terms that cost nothing but what is given."""
    return FillTerms(**({"spread_share": 0.0, "participation": None} | more))  # type: ignore[arg-type]


def own(terms: FillTerms | None, account: Account = ALPHA) -> Account:
    return replace(account, terms=terms)


def book_of(*accounts: Account) -> Book:
    book = Book(model=FillModel())
    book.list_instrument(ACME)
    for account in accounts:
        book.open_account(account, CASH)
    return book


def fills(events: Iterable[e.AnyVenueEvent]) -> list[tuple[str, str]]:
    return [(str(f.quantity), str(f.price)) for f in events if isinstance(f, e.VenueFilled)]


def minute(number: int, low: float, high: float, *, volume: float = 1000.0) -> Bar:
    """One of contiguous bars of a minute, which opens and closes in the middle of its range."""
    start, middle = opens(1) + number * 60 * SECOND, (low + high) / 2
    return Bar(ACME.id, start, start + 60 * SECOND, middle, high, low, middle, volume)


def at_minute(number: int, low: float, high: float, *, volume: float = 1000.0) -> MarketSlice:
    return shown(minute(number, low, high, volume=volume))


def test_an_order_that_arrives_inside_a_bar_meets_the_next_one() -> None:
    book = book_of(own(plain(latency=250 * MILLISECOND)), BRAVO)
    book.observe(at_minute(0, 10.0, 10.0))
    for name, account in (("A", ALPHA), ("B", BRAVO)):
        book.place(replace(ticket(name, spec(account=account)), at=minute(0, 0, 0).close_ts))
    assert fills(book.observe(at_minute(1, 11.0, 11.0))) == [("100", "11.00")]
    [late] = book.observe(at_minute(2, 12.0, 12.0))
    assert isinstance(late, e.VenueFilled)
    assert (late.account_id, late.price) == ("alpha", D("12.00"))


def test_between_sessions_a_latency_of_moments_changes_nothing() -> None:
    book = book_of(own(plain(latency=250 * MILLISECOND)))
    book.observe(shown(flat(0, 10.0)))
    book.place(ticket("A", spec()))
    assert fills(book.observe(shown(flat(1, 11.0)))) == [("100", "11.00")]


def test_on_quotes_latency_counts_to_the_millisecond() -> None:
    book = book_of(own(plain(latency=250 * MILLISECOND)))
    book.place(ticket("A", spec()))
    assert fills(book.observe(quoted(closes(0) + 250 * MILLISECOND, 9.9, 10.1))) == []
    assert fills(book.observe(quoted(closes(0) + 251 * MILLISECOND, 9.8, 10.0))) == [("100", "10.00")]


def test_a_delayed_feed_puts_the_market_ahead_of_the_account_by_as_much() -> None:
    book = book_of(own(plain(delay=120 * SECOND)))
    book.observe(at_minute(0, 10.0, 10.0))
    book.place(replace(ticket("A", spec()), at=minute(0, 0, 0).close_ts))
    seen = [fills(book.observe(at_minute(number, 10.0 + number, 10.0 + number))) for number in (1, 2, 3)]
    assert seen == [[], [], [("100", "13.00")]]


def test_an_order_that_was_held_until_its_trigger_arrives_late_too() -> None:
    book = book_of(own(plain(latency=30 * SECOND)))
    book.observe(at_minute(0, 10.0, 10.0))
    let_go = minute(0, 0, 0).close_ts
    book.place(replace(ticket("A", spec()), at=let_go, since=let_go))
    assert fills(book.observe(at_minute(1, 11.0, 11.0))) == []
    assert fills(book.observe(at_minute(2, 12.0, 12.0))) == [("100", "12.00")]


def test_a_change_arrives_late_too() -> None:
    book = book_of(own(plain(latency=30 * SECOND)))
    book.place(replace(ticket("A", spec(limit=9, time_in_force=GTC)), at=opens(1) - 60 * SECOND))
    book.observe(at_minute(0, 10.0, 10.0))
    book.modify(replace(amendment("A", spec(limit=11, time_in_force=GTC)), at=minute(0, 0, 0).close_ts))
    assert fills(book.observe(at_minute(1, 10.0, 10.0))) == []
    assert fills(book.observe(at_minute(2, 10.0, 10.0))) == [("100", "10.00")]


def test_exits_of_a_position_are_at_the_venue_when_it_is() -> None:
    book = book_of(own(plain(latency=30 * SECOND)))
    book.observe(at_minute(0, 10.0, 10.0))
    exit_order = replace(spec(SELL, stop=9, time_in_force=GTC), link="one")
    book.place(replace(ticket("A", exit_order), at=minute(0, 0, 0).close_ts))
    market = at_minute(1, 8.0, 10.0)
    assert fills(book.observe(market)) == []
    assert fills(book.finish(market)) == [("100", "9.00")]


def test_a_set_spread_is_paid_by_who_takes_and_not_by_who_waits() -> None:
    book = book_of(own(plain(spread=0.002, spread_share=0.5)))
    book.place(ticket("A", spec()))
    book.place(ticket("B", spec(limit="9.90", time_in_force=GTC)))
    assert fills(book.observe(shown(bar(1, 10.0, 10.0, 9.0, 9.5)))) == [("100", "10.01"), ("100", "9.90")]


def test_a_set_spread_stands_in_for_that_of_quotes() -> None:
    book = book_of(own(plain(spread=0.01)))
    book.place(ticket("A", spec()))
    book.place(ticket("B", spec(SELL)))
    assert fills(book.observe(quoted(closes(0) + 1, 9.0, 11.0))) == [("100", "10.05"), ("100", "9.95")]


def test_without_a_set_spread_bars_and_quotes_say_it() -> None:
    book = book_of(own(FillTerms(participation=None)))
    book.place(ticket("A", spec()))
    assert fills(book.observe(shown(replace(flat(1, 10.0), spread=0.1)))) == [("100", "10.05")]


def test_slippage_and_impact_are_the_fill_models_own() -> None:
    terms = plain(slippage_bps=7.0, impact=0.02)
    book = book_of(own(terms))
    book.place(ticket("A", spec(quantity=400)))
    market = flat(1, 10.0, volume=10_000.0)
    model = FillModel(Slippage(bps=7.0, impact=0.02))
    due = fill_at_bar(market, spec().kind, side=BUY, quantity=400.0, model=model)
    [fill] = [event for event in book.observe(shown(market)) if isinstance(event, e.VenueFilled)]
    assert float(fill.price) == pytest.approx(due.price, abs=0.01)
    assert fill.price >= D(str(round(due.price, 6)))


def test_an_order_takes_its_share_of_each_bar() -> None:
    book = book_of(own(plain(participation=0.10)))
    book.place(ticket("A", spec(quantity=250, time_in_force=GTC)))
    seen = [fills(book.observe(shown(flat(day, 10.0, volume=1000.0)))) for day in (1, 2, 3)]
    assert seen == [[("100", "10.00")], [("100", "10.00")], [("50", "10.00")]]


def test_accounts_with_terms_do_not_share_a_bar_with_each_other_or_with_the_crowd() -> None:
    crowd = replace(ALPHA, id="crowd")
    rival = replace(ALPHA, id="rival", terms=plain(participation=0.10))
    book = Book(model=FillModel(participation=0.10))
    book.list_instrument(ACME)
    for account in (crowd, rival, own(plain(participation=0.10))):
        book.open_account(account, CASH)
        book.place(ticket(account.id, spec(quantity=250, account=account)))
    assert fills(book.observe(shown(flat(1, 10.0, volume=1000.0)))) == [("100", "10.00")] * 3


def test_a_limit_that_is_traded_through_fills() -> None:
    book = book_of(own(plain(queue=0.5)))
    book.place(ticket("A", spec(limit=10, time_in_force=GTC)))
    assert fills(book.observe(shown(bar(1, 11.0, 12.0, 9.99, 11.0)))) == [("100", "10.00")]


def test_a_limit_that_is_only_touched_waits_behind_the_queue() -> None:
    """Of 1000 units a tenth of the ticks of the range is the limit's: 100 a bar, of which 250 are before it."""
    book = book_of(own(plain(queue=0.25)))
    book.place(ticket("A", spec(quantity=120, limit=10, time_in_force=GTC)))
    touching = [fills(book.observe(shown(bar(day, 10.05, 10.09, 10.0, 10.05, volume=1000.0)))) for day in range(1, 6)]
    assert touching == [[], [], [("50", "10.00")], [("70", "10.00")], []]


def test_a_sale_queues_as_a_purchase_does() -> None:
    book = book_of(own(plain(queue=0.05)))
    book.place(ticket("A", spec(SELL, quantity=40, limit=11, time_in_force=GTC)))
    assert fills(book.observe(shown(bar(1, 10.95, 11.0, 10.91, 10.95, volume=1000.0)))) == [("40", "11.00")]


def test_a_limit_that_takes_on_arrival_does_not_queue() -> None:
    book = book_of(own(plain(queue=10.0)))
    book.place(ticket("A", spec(limit=10, time_in_force=GTC)))
    assert fills(book.observe(shown(flat(1, 10.0)))) == [("100", "10.00")]


def test_one_that_has_rested_queues_at_the_open_as_well() -> None:
    book = book_of(own(plain(queue=10.0)))
    book.place(ticket("A", spec(limit=10, time_in_force=GTC)))
    assert fills(book.observe(shown(flat(1, 11.0)))) == []
    assert fills(book.observe(shown(flat(2, 10.0)))) == []
    assert fills(book.observe(shown(flat(3, 9.5)))) == [("100", "9.50")]


def test_another_price_or_more_of_it_sends_an_order_to_the_back() -> None:
    book = book_of(own(plain(queue=0.15)))
    market = [shown(bar(day, 10.05, 10.09, 10.0, 10.05, volume=1000.0)) for day in range(1, 6)]
    book.place(ticket("A", spec(quantity=20, limit=10, time_in_force=GTC)))
    assert fills(book.observe(market[0])) == []
    book.modify(amendment("A", spec(quantity=21, limit=10, time_in_force=GTC), day=1))
    assert fills(book.observe(market[1])) == []
    book.modify(amendment("A", spec(quantity=19, limit=10, time_in_force=GTC), day=2))
    assert fills(book.observe(market[2])) == [("19", "10.00")]


def test_where_the_volume_is_unknown_only_a_trade_through_fills() -> None:
    book = book_of(own(plain(queue=0.0)))
    book.place(ticket("A", spec(limit=10, time_in_force=GTC)))
    for day in (1, 2, 3):
        assert fills(book.observe(shown(bar(day, 10.5, 11.0, 10.0, 10.5, volume=0.0)))) == []
    assert fills(book.observe(shown(bar(4, 10.5, 11.0, 9.9, 10.5, volume=0.0)))) == [("100", "10.00")]


def test_a_stop_limit_queues_from_the_bar_after_its_trigger() -> None:
    book = book_of(own(plain(queue=0.0)))
    book.place(ticket("A", spec(limit=10, stop=11, time_in_force=GTC)))
    assert fills(book.observe(shown(bar(1, 10.5, 11.5, 9.5, 10.2)))) == []
    assert fills(book.observe(shown(bar(2, 10.2, 10.5, 9.5, 10.2)))) == [("100", "10.00")]


def test_a_quote_that_only_touches_a_resting_limit_fills_nothing() -> None:
    book = book_of(own(plain(queue=0.1)))
    book.place(ticket("A", spec(limit=10, time_in_force=GTC)))
    assert fills(book.observe(quoted(closes(0) + 1, 10.0, 10.1))) == []
    assert fills(book.observe(quoted(closes(0) + 2, 9.9, 10.0))) == []
    assert fills(book.observe(quoted(closes(0) + 3, 9.9, 9.99))) == [("100", "9.99")]


def test_a_target_that_is_only_touched_leaves_the_bar_to_the_stop() -> None:
    book = book_of(own(plain(queue=5.0)))
    book.observe(shown(flat(0, 10.0)))
    for name, prices in (("T", {"limit": 11}), ("S", {"stop": 9})):
        exit_order = replace(spec(SELL, time_in_force=GTC, **prices), link="one")  # type: ignore[arg-type]
        book.place(ticket(name, exit_order))
    market = shown(bar(1, 10.0, 11.0, 8.5, 10.0))
    book.observe(market)
    assert fills(book.finish(market)) == [("100", "9.00")]


def test_a_book_restored_from_the_journal_keeps_an_order_as_late_as_it_was() -> None:
    account = own(plain(latency=30 * SECOND))
    again = Book.restore(Standing(accounts=[account], instruments=[ACME]))
    again.place(replace(ticket("A", spec()), at=opens(1)))
    assert fills(again.observe(at_minute(0, 10.0, 10.0))) == []
    assert fills(again.observe(at_minute(1, 11.0, 11.0))) == [("100", "11.00")]


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        (FillTerms(latency=-1), "latency"),
        (FillTerms(latency=61 * SECOND), "latency"),
        (FillTerms(delay=25 * 3600 * SECOND), "delay"),
        (FillTerms(spread=1.0), "spread"),
        (FillTerms(spread=float("nan")), "spread"),
        (FillTerms(participation=0.0), "participation"),
        (FillTerms(participation=1.5), "participation"),
        (FillTerms(queue=-0.1), "queue"),
        (FillTerms(margin=0.0), "margin"),
        (FillTerms(slippage_bps=float("inf")), "slippage_bps"),
    ],
)
def test_terms_that_make_no_sense_are_named(terms: FillTerms, field: str) -> None:
    assert [fault.field for fault in term_faults(terms)] == [f"terms.{field}"]
    assert term_faults(FillTerms()) == []


prices = st.integers(900, 1100).map(lambda cents: cents / 100)


@given(
    steps=st.lists(st.tuples(prices, prices, prices, prices, st.sampled_from([0.0, 50.0, 1000.0])), max_size=12),
    terms=st.builds(
        FillTerms,
        latency=st.sampled_from([0, 250 * MILLISECOND]),
        spread=st.sampled_from([None, 0.0, 0.002]),
        slippage_bps=st.sampled_from([0.0, 3.0]),
        participation=st.sampled_from([None, 0.1, 1.0]),
        queue=st.sampled_from([None, 0.0, 0.3]),
    ),
    side=st.sampled_from(Side),
    limit=prices,
)
def test_no_terms_fill_past_the_limit_or_more_than_was_asked_or_more_than_a_share_of_the_volume(
    steps: list[tuple[float, float, float, float, float]], terms: FillTerms, side: Side, limit: float
) -> None:
    book = book_of(own(terms))
    book.place(ticket("A", spec(side, 250, limit=f"{limit:.2f}", time_in_force=GTC)))
    done = 0
    for day, (one, two, three, four, volume) in enumerate(steps, 1):
        low, first, last, high = sorted((one, two, three, four))
        events = book.observe(shown(bar(day, first, high, low, last, volume)))
        filled = [event for event in events if isinstance(event, e.VenueFilled)]
        for event in filled:
            assert side.sign * (float(event.price) - limit) <= 1e-9
            done += int(event.quantity)
            if terms.participation is not None and volume:
                assert float(event.quantity) <= terms.participation * volume + 1e-9
    assert done <= 250


@given(share=st.sampled_from([0.0, 0.1, 0.5]), days=st.integers(1, 8), deeper=st.booleans())
def test_who_queues_never_fills_before_who_does_not(share: float, days: int, deeper: bool) -> None:
    eager, patient = own(plain()), replace(BRAVO, terms=plain(queue=share))
    book = book_of(eager, patient)
    for name, account in (("A", eager), ("B", patient)):
        book.place(ticket(name, spec(quantity=30, limit=10, account=account, time_in_force=GTC)))
    done = {"alpha": 0, "bravo": 0}
    for day in range(1, days + 1):
        low = 9.99 if deeper and day == days else 10.0
        for event in book.observe(shown(bar(day, 10.05, 10.09, low, 10.05, volume=1000.0))):
            if isinstance(event, e.VenueFilled):
                done[event.account_id] += int(event.quantity)
        assert done["bravo"] <= done["alpha"]
    assert done["bravo"] == 30 or not deeper
