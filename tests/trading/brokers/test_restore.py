"""A book rebuilt from the journal's fold goes on as the one that was lost would have."""

from datetime import date

from evenkeel.domain import events as e
from evenkeel.domain.fills import Fill
from evenkeel.domain.marketdata import Split
from evenkeel.domain.orders import Order, OrderSpec, OrderState, Side, TimeInForce
from evenkeel.domain.positions import Position, PositionKey
from evenkeel.quant.costs import FillModel
from evenkeel.trading.brokers.simulated.book import Book
from evenkeel.trading.brokers.standing import Standing
from tests.contracts.samples import ACME, BRAVO, CASH, FIRST_DAY, D, closes, flat, shown, spec, ticket

GTC = TimeInForce.GTC
MODEL = FillModel(participation=0.1)


def ours(name: str, order: OrderSpec, **changes: object) -> Order:
    """Our order of that name, as the fold holds it."""
    fields: dict[str, object] = {
        "id": f"order-{name}",
        "spec": order,
        "venue_client_id": name,
        "state": OrderState.ACCEPTED,
        "session_date": FIRST_DAY,
        "created_at": closes(0),
        "updated_at": closes(1),
        "quantity": order.quantity,
        "limit_price": order.limit_price,
        "stop_price": order.stop_price,
        "has_venue_event": True,
        **changes,
    }
    return Order(**fields)  # type: ignore[arg-type]


def test_a_restored_book_goes_on_like_the_one_it_stands_for() -> None:
    order = spec(quantity=100, time_in_force=GTC, account=BRAVO, book="b1")
    day_order = spec(quantity=10, limit=5, account=BRAVO)
    lost = Book(model=MODEL)
    lost.list_instrument(ACME)
    lost.open_account(BRAVO, CASH)
    lost.place(ticket("A", order))
    [fill] = lost.observe(shown(flat(1, 10.0, volume=400)))
    assert isinstance(fill, e.VenueFilled)
    lost.place(ticket("D", day_order, day=1))
    partly = ours(
        "A",
        order,
        state=OrderState.CANCEL_PENDING,
        filled=D(40),
        notional=D(400),
        venue_order_id=fill.venue_order_id,
    )
    booked = Fill(
        id="f1",
        order_id="order-A",
        account_id="bravo",
        book="b1",
        instrument_id=ACME.id,
        side=Side.BUY,
        quantity=fill.quantity,
        price=fill.price,
        currency="USD",
        executed_at=fill.at,
        session_date=FIRST_DAY,
        venue_execution_id=fill.execution_id,
        charges=fill.charges,
    )
    position = Position(key=PositionKey("bravo", "b1", ACME.id), quantity=D(40), total_cost=D(400))
    standing = Standing(
        accounts=[BRAVO],
        instruments=[ACME],
        orders=[
            partly,
            ours("D", day_order, created_at=closes(1)),
            ours("U", day_order, state=OrderState.SUBMITTED, has_venue_event=False),
        ],
        fills=[booked],
        positions=[position],
        cash={"bravo": lost.balance("bravo").cash},
        last_seen={ACME.id: closes(1)},
        last_prices={ACME.id: 10.0},
    )
    found = Book.restore(standing, model=MODEL)
    assert found.order_status("bravo", "U") is None
    assert found.account_summary("bravo") == lost.account_summary("bravo")
    assert [f.execution_id for f in found.executions("bravo", 0)] == [fill.execution_id]
    assert found.observe(shown(flat(1, 10.0))) == []
    for book in (found, lost):
        assert book.place(ticket("A", order))
    assert found.observe(shown(flat(2, 11.0))) == lost.observe(shown(flat(2, 11.0)))
    assert found.account_summary("bravo") == lost.account_summary("bravo")


def test_positions_of_several_books_add_up_and_known_splits_stay_applied() -> None:
    keys = [PositionKey("bravo", book, ACME.id) for book in ("b1", "b2")]
    standing = Standing(
        accounts=[BRAVO],
        instruments=[ACME],
        positions=[Position(key=key, quantity=D(5), total_cost=D(50)) for key in keys],
        last_seen={ACME.id: closes(1)},
        splits=[(ACME.id, date(2024, 3, 6))],
    )
    book = Book.restore(standing)
    split = Split(ACME.id, date(2024, 3, 6), D(2), D(1))
    book.observe(shown(flat(2, 5.0), splits=(split,)))
    [position] = book.positions("bravo")
    assert (position.quantity, position.average_price) == (D(10), D(10))


def test_a_day_order_that_met_its_session_before_the_restart_ends_with_it() -> None:
    order = spec(limit=5, account=BRAVO)
    standing = Standing(accounts=[BRAVO], instruments=[ACME], orders=[ours("A", order)], last_seen={ACME.id: closes(1)})
    book = Book.restore(standing)
    [expired] = book.observe(shown(flat(2, 4.0)))
    assert isinstance(expired, e.VenueExpired)
