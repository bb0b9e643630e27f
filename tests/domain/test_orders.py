"""The order table: every (state, event) is stated, our own events never leave it, a venue's never stop us."""

from datetime import date
from decimal import Decimal
from itertools import permutations, product

import pytest

from evenkeel.domain.errors import IllegalTransition
from evenkeel.domain.money import ZERO
from evenkeel.domain.orders import (
    OPEN,
    TERMINAL,
    TRANSITIONS,
    WORKING,
    Order,
    OrderEvent,
    OrderKind,
    OrderSpec,
    OrderState,
    Side,
    transition,
    venue_transition,
)

S, E = OrderState, OrderEvent
STATES: list[OrderState | None] = [None, *OrderState]
OURS = (E.APPROVE, E.REFUSE, E.HOLD, E.RELEASE, E.CANCEL_REQUEST, E.UNSENT, E.DOUBT)
VENUES = tuple(event for event in OrderEvent if event not in OURS)

# One row a state; a dot stays, a dash is outside the table.
TABLE = """
                 ACCEPT   REJECT   PARTIAL_FILL     FILL   CANCEL_REFUSED CANCEL_REFUSED_PARTIAL CANCEL    EXPIRE  AMEND    BUST
HELD             -        -        -                -      -              -                      CANCELLED EXPIRED .        -
SUBMITTED        ACCEPTED REJECTED PARTIALLY_FILLED FILLED .              .                      CANCELLED EXPIRED .        -
ACCEPTED         .        REJECTED PARTIALLY_FILLED FILLED .              .                      CANCELLED EXPIRED .        -
PARTIALLY_FILLED .        REJECTED .                FILLED .              .                      CANCELLED EXPIRED .        .
CANCEL_PENDING   .        REJECTED .                FILLED ACCEPTED       PARTIALLY_FILLED       CANCELLED EXPIRED .        .
IN_DOUBT         ACCEPTED REJECTED PARTIALLY_FILLED FILLED .              .                      CANCELLED EXPIRED ACCEPTED .
FILLED           .        -        -                -      .              .                      .         .       .        .
CANCELLED        .        -        .                FILLED .              .                      .         EXPIRED .        .
EXPIRED          .        -        .                FILLED .              .                      .         .       .        .
REJECTED         .        .        -                -      .              .                      -         -       -        -
REFUSED          -        -        -                -      -              -                      -         -       -        -
EXPIRED_UNSENT   -        -        -                -      .              .                      -         -       -        -
ANOMALY          -        -        -                -      -              -                      -         -       -        -
"""  # noqa: E501 - a table reads across


def rows() -> list[tuple[OrderState, OrderEvent, str]]:
    head, *lines = TABLE.strip("\n").splitlines()
    events = [OrderEvent(name) for name in head.split()]
    cells = [(line.split()[0], line.split()[1:]) for line in lines]
    return [(S(state), e, cell) for state, row in cells for e, cell in zip(events, row, strict=True)]


@pytest.mark.parametrize(("state", "event", "cell"), rows())
def test_every_venue_event_in_every_state(state: OrderState, event: OrderEvent, cell: str) -> None:
    expected = state if cell == "." else S.ANOMALY if cell == "-" else S(cell)
    assert venue_transition(state, event) is expected


def test_the_table_above_is_complete() -> None:
    assert {(s, e) for s, e, _ in rows()} == set(product(OrderState, VENUES))


OUR_TABLE = {
    (None, E.APPROVE): S.SUBMITTED,
    (None, E.REFUSE): S.REFUSED,
    (None, E.HOLD): S.HELD,
    (S.HELD, E.RELEASE): S.SUBMITTED,
    (S.HELD, E.REFUSE): S.REFUSED,
    (S.SUBMITTED, E.HOLD): S.HELD,
    (S.IN_DOUBT, E.HOLD): S.HELD,
    (S.SUBMITTED, E.CANCEL_REQUEST): S.CANCEL_PENDING,
    (S.ACCEPTED, E.CANCEL_REQUEST): S.CANCEL_PENDING,
    (S.PARTIALLY_FILLED, E.CANCEL_REQUEST): S.CANCEL_PENDING,
    (S.CANCEL_PENDING, E.CANCEL_REQUEST): S.CANCEL_PENDING,
    (S.IN_DOUBT, E.CANCEL_REQUEST): S.IN_DOUBT,
    (S.ANOMALY, E.CANCEL_REQUEST): S.ANOMALY,
    (S.SUBMITTED, E.UNSENT): S.EXPIRED_UNSENT,
    (S.CANCEL_PENDING, E.UNSENT): S.EXPIRED_UNSENT,
    (S.IN_DOUBT, E.UNSENT): S.EXPIRED_UNSENT,
    (S.SUBMITTED, E.DOUBT): S.IN_DOUBT,
    (S.ACCEPTED, E.DOUBT): S.IN_DOUBT,
    (S.PARTIALLY_FILLED, E.DOUBT): S.IN_DOUBT,
    (S.CANCEL_PENDING, E.DOUBT): S.IN_DOUBT,
    (S.IN_DOUBT, E.DOUBT): S.IN_DOUBT,
}


@pytest.mark.parametrize(("state", "event"), list(product(STATES, OURS)))
def test_every_event_of_ours_in_every_state(state: OrderState | None, event: OrderEvent) -> None:
    if (state, event) in OUR_TABLE:
        assert transition(state, event) is OUR_TABLE[state, event]
    else:
        with pytest.raises(IllegalTransition, match=f"cannot {event}"):
            transition(state, event)


def test_states_are_open_or_done() -> None:
    assert set(OrderState) == OPEN | TERMINAL
    assert not OPEN & TERMINAL
    assert {S.HELD} == OPEN - WORKING, "what is held here no venue can fill"


def test_what_is_done_never_works_again() -> None:
    again = {(s, e): after for (s, e), after in TRANSITIONS.items() if s in TERMINAL and after in WORKING}
    assert not again


def test_an_anomaly_stays_one() -> None:
    assert all(venue_transition(S.ANOMALY, event) is S.ANOMALY for event in OrderEvent)


def final(messages: tuple[OrderEvent, ...], start: OrderState = S.SUBMITTED) -> OrderState:
    state = start
    for event in messages:
        state = venue_transition(state, event)
    return state


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ((E.ACCEPT, E.CANCEL), S.CANCELLED),
        ((E.ACCEPT, E.EXPIRE), S.EXPIRED),
        ((E.ACCEPT, E.CANCEL, E.EXPIRE), S.EXPIRED),
        ((E.ACCEPT, E.REJECT), S.REJECTED),
        ((E.ACCEPT, E.CANCEL_REFUSED, E.CANCEL), S.CANCELLED),
        ((E.ACCEPT, E.AMEND, E.CANCEL), S.CANCELLED),
        ((E.ACCEPT, E.AMEND, E.FILL), S.FILLED),
        ((E.ACCEPT, E.FILL, E.CANCEL, E.EXPIRE, E.CANCEL_REFUSED), S.FILLED),
    ],
)
@pytest.mark.parametrize("start", [S.SUBMITTED, S.CANCEL_PENDING, S.IN_DOUBT])
def test_the_order_of_messages_does_not_matter(
    messages: tuple[OrderEvent, ...], expected: OrderState, start: OrderState
) -> None:
    assert {final(p, start) for p in permutations(messages)} == {expected}


@pytest.mark.parametrize("last", [E.REJECT, E.CANCEL, E.EXPIRE, E.CANCEL_REFUSED, E.ACCEPT])
@pytest.mark.parametrize("state", sorted(WORKING))
def test_a_message_that_comes_again_changes_nothing(state: OrderState, last: OrderEvent) -> None:
    once = venue_transition(state, last)
    assert venue_transition(once, last) is once


def an_order(quantity: str, filled: str, notional: str) -> Order:
    spec = OrderSpec("a", "manual", "i", Side.BUY, Decimal(quantity), OrderKind.MARKET, "c")
    return Order(
        id="o",
        spec=spec,
        venue_client_id="V",
        state=S.ACCEPTED,
        session_date=date(2024, 1, 2),
        created_at=0,
        updated_at=0,
        quantity=spec.quantity,
        limit_price=None,
        stop_price=None,
        filled=Decimal(filled),
        notional=Decimal(notional),
    )


@pytest.mark.parametrize(
    ("quantity", "filled", "notional", "remaining", "average"),
    [
        ("100", "0", "0", "100", None),
        ("100", "40", "400.40", "60", "10.01"),
        ("100", "120", "1200", "0", "10"),
        ("0.3", "0.1", "1.5", "0.2", "15"),
    ],
)
def test_what_is_left_and_what_it_cost(
    quantity: str, filled: str, notional: str, remaining: str, average: str | None
) -> None:
    order = an_order(quantity, filled, notional)
    assert order.remaining == Decimal(remaining)
    assert order.average_price == (None if average is None else Decimal(average))
    assert order.is_working
    assert order.remaining >= ZERO


def test_sides() -> None:
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)
