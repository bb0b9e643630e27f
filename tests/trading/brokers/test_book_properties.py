"""What holds of the simulated book whatever is asked of it and whatever the market does."""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain import events as e
from evenkeel.domain.accounts import Account
from evenkeel.domain.marketdata import Bar, Split
from evenkeel.domain.money import ZERO
from evenkeel.domain.orders import TERMINAL, OrderSpec, OrderState, Side, TimeInForce
from evenkeel.quant.costs import FillModel, Slippage
from evenkeel.trading.brokers.simulated.book import Book
from tests.contracts.samples import (
    ACME,
    ALPHA,
    BRAVO,
    CASH,
    FIRST_DAY,
    D,
    bar,
    cancellation,
    closes,
    shown,
    spec,
    ticket,
)

cents = st.integers(800, 1200).map(lambda n: D(n) / 100)
optional_cents = st.none() | cents
orders = st.builds(
    spec,
    st.sampled_from(Side),
    st.integers(1, 300),
    limit=optional_cents,
    stop=optional_cents,
    time_in_force=st.sampled_from(TimeInForce),
    account=st.sampled_from([ALPHA, BRAVO]),
)


@dataclass(frozen=True)
class Day:
    orders: list[OrderSpec]
    path: tuple[float, float, float, float]
    volume: float
    cancels: int
    split: tuple[int, int] | None


@st.composite
def days(draw: st.DrawFn) -> Day:
    prices = [float(draw(cents)) for _ in range(4)]
    return Day(
        draw(st.lists(orders, max_size=4)),
        (prices[0], max(prices), min(prices), prices[1]),
        float(draw(st.sampled_from([0, 50, 1000, 100_000]))),
        draw(st.integers(0, 8)),
        draw(st.none() | st.none() | st.sampled_from([(2, 1), (3, 2), (1, 3), (1, 10)])),
    )


models = st.sampled_from(
    [
        FillModel(),
        FillModel(participation=0.1),
        FillModel(Slippage(bps=20, spread_share=0.5, impact=0.05), participation=0.25),
    ]
)


def new_book(model: FillModel) -> Book:
    book = Book(model=model)
    book.list_instrument(ACME)
    for account in (ALPHA, BRAVO):
        book.open_account(account, CASH)
    return book


def play(book: Book, story: list[Day], *, with_splits: bool) -> list[list[e.AnyVenueEvent]]:
    """Runs the story and returns the events of each day."""
    told = []
    placed: list[tuple[str, Account]] = []
    accounts = {account.id: account for account in (ALPHA, BRAVO)}
    for number, day in enumerate(story):
        events = []
        for place, order in enumerate(day.orders):
            name = f"N{number}X{place}"
            events += book.place(ticket(name, order, day=number))
            placed.append((name, accounts[order.account_id]))
        if day.cancels < len(placed):
            name, account = placed[day.cancels]
            events += book.cancel(cancellation(name, day=number, account=account))
        split: tuple[Split, ...] = ()
        if with_splits and day.split is not None:
            split = (Split(ACME.id, FIRST_DAY.replace(day=number + 10), D(day.split[0]), D(day.split[1])),)
        events += book.observe(shown(bar(number + 1, *day.path, volume=day.volume), splits=split))
        told.append(events)
    return told


stories = st.lists(days(), min_size=1, max_size=6)


@settings(deadline=None, max_examples=150)
@given(stories, models)
def test_positions_equal_fills_and_cash_is_conserved(story: list[Day], model: FillModel) -> None:
    book = new_book(model)
    fills = [event for events in play(book, story, with_splits=False) for event in events]
    held: dict[str, Decimal] = defaultdict(lambda: ZERO)
    cash = {"alpha": CASH, "bravo": CASH}
    for fill in fills:
        if isinstance(fill, e.VenueFilled):
            signed = fill.quantity * fill.side.sign
            held[fill.account_id] += signed
            cash[fill.account_id] -= signed * fill.price + sum((c.amount for c in fill.charges), ZERO)
    for account_id in ("alpha", "bravo"):
        assert sum((p.quantity for p in book.positions(account_id)), ZERO) == held[account_id]
        assert book.balance(account_id).cash == {"USD": cash[account_id]}


@settings(deadline=None, max_examples=150)
@given(stories, models, st.booleans())
def test_orders_are_never_overfilled_and_end_once(story: list[Day], model: FillModel, with_splits: bool) -> None:
    book = new_book(model)
    told = play(book, story, with_splits=with_splits)
    ends: dict[tuple[str, str | None], int] = defaultdict(int)
    ids = set()
    for event in (event for events in told for event in events):
        key = (event.account_id, event.venue_client_id)
        if isinstance(event, e.VenueFilled):
            assert not ends[key], "a fill after the end"
            assert event.quantity > 0
            assert event.execution_id not in ids
            ids.add(event.execution_id)
        if isinstance(event, e.VenueCancelled | e.VenueExpired | e.VenueRejected):
            ends[key] += 1
    for key, order in book.state.orders.items():
        assert ZERO <= order.filled <= order.quantity
        assert (order.filled == order.quantity) == (order.state is OrderState.FILLED) or with_splits
        assert ends[key] == (order.state in TERMINAL and order.state is not OrderState.FILLED)
    working = {o.venue_client_id for name in ("alpha", "bravo") for o in book.open_orders(name)}
    assert working == {name for (_, name), order in book.state.orders.items() if order.is_working}


@settings(deadline=None, max_examples=150)
@given(stories, models)
def test_no_fill_is_worse_than_its_limit_or_outside_what_traded(story: list[Day], model: FillModel) -> None:
    book = new_book(model)
    for number, events in enumerate(play(book, story, with_splits=False)):
        _, high, low, _ = story[number].path
        for fill in events:
            if not isinstance(fill, e.VenueFilled):
                continue
            limit = book.state.orders[fill.account_id, str(fill.venue_client_id)].limit_price
            if limit is not None:
                assert fill.side.sign * (fill.price - limit) <= 0
            if model.slippage == Slippage():
                assert D(str(low)) <= fill.price <= D(str(high))
            assert fill.price % ACME.tick_size == 0


@settings(deadline=None, max_examples=100)
@given(stories)
def test_all_orders_together_take_no_more_than_their_share_of_a_bar(story: list[Day]) -> None:
    book = new_book(FillModel(participation=0.1))
    for number, events in enumerate(play(book, story, with_splits=False)):
        taken = sum((f.quantity for f in events if isinstance(f, e.VenueFilled)), ZERO)
        volume = story[number].volume
        assert not volume or taken <= D(str(volume)) / 10


@settings(deadline=None, max_examples=100)
@given(stories, models)
def test_events_of_a_slice_are_ordered_and_a_second_run_repeats_them(story: list[Day], model: FillModel) -> None:
    first, second = new_book(model), new_book(model)
    told = play(first, story, with_splits=True)
    assert told == play(second, story, with_splits=True)
    for events in told:
        by_bar = [event for event in events if event.bar]
        keys = [(event.at, event.account_id, f"order-{event.venue_client_id}") for event in by_bar]
        assert keys == sorted(keys)


@settings(deadline=None, max_examples=100)
@given(stories, models)
def test_seen_again_the_market_changes_nothing(story: list[Day], model: FillModel) -> None:
    book = new_book(model)
    play(book, story, with_splits=True)
    before = [book.account_summary(name) for name in ("alpha", "bravo")]
    for number, day in enumerate(story):
        again: Bar = bar(number + 1, *day.path, volume=day.volume)
        assert book.observe(shown(again)) == []
    assert [book.account_summary(name) for name in ("alpha", "bravo")] == before
    assert book.now == closes(len(story))
