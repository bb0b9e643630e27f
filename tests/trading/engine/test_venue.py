"""What venues say: in any order, again and again, too late, or wrong; nothing is lost and nothing is counted twice."""

from collections.abc import Callable
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain import events as e
from evenkeel.domain import records as r
from evenkeel.domain.accounts import LedgerKind
from evenkeel.domain.fills import Charge
from evenkeel.domain.orders import Order, OrderKind, OrderState, Side
from evenkeel.domain.positions import PositionKey
from evenkeel.trading.engine.effects import WantReconcile
from tests.trading.engine.world import ACME, BOLT, D, World, assert_sound

Say = Callable[[World, Order], Any]


def a_world() -> World:
    world = World()
    world.account()
    world.price(ACME, 10.0)
    world.price(BOLT, 10.0)
    return world


@pytest.fixture
def world() -> World:
    return a_world()


def part(quantity: str, name: str, price: str = "10") -> Say:
    charges = (Charge("commission", D("0.35")),)
    return lambda w, o: w.execution(o, quantity, price, execution_id=name, at=1, charges=charges)


def plain(kind: type[e.VenueEvent], **more: Any) -> Say:
    return lambda w, o: w.said(kind, o, **more)


ACCEPT, CANCEL, EXPIRE = plain(e.VenueAccepted), plain(e.VenueCancelled), plain(e.VenueExpired)
REJECT = plain(e.VenueRejected, reason="no")
REFUSED = plain(e.VenueCancelRefused, reason="too late")
TRIGGER = plain(e.VenueTriggered)
SMALLER = plain(e.VenueAmended, quantity=D(60))

STORIES: dict[str, tuple[tuple[Say, ...], OrderState, str]] = {
    "filled in three": ((ACCEPT, part("50", "1"), part("30", "2"), part("20", "3")), OrderState.FILLED, "100"),
    "cancelled after a part": ((ACCEPT, part("50", "1"), CANCEL), OrderState.CANCELLED, "50"),
    "cancelled too late": ((ACCEPT, part("60", "1"), part("40", "2"), CANCEL), OrderState.FILLED, "100"),
    "cancel refused": ((ACCEPT, part("60", "1"), part("40", "2"), REFUSED), OrderState.FILLED, "100"),
    "expired after two parts": ((ACCEPT, part("10", "1"), part("20", "2"), EXPIRE), OrderState.EXPIRED, "30"),
    "cancelled and expired": ((ACCEPT, part("10", "1"), CANCEL, EXPIRE), OrderState.EXPIRED, "10"),
    "rejected": ((ACCEPT, REJECT), OrderState.REJECTED, "0"),
    "made smaller, filled": ((ACCEPT, part("30", "1"), part("30", "2"), SMALLER), OrderState.FILLED, "60"),
    "made smaller, cancelled": ((ACCEPT, part("30", "1"), SMALLER, CANCEL), OrderState.CANCELLED, "30"),
    "triggered": ((ACCEPT, TRIGGER, part("100", "1"), CANCEL), OrderState.FILLED, "100"),
    "five parts": (tuple(part("20", str(n)) for n in range(5)), OrderState.FILLED, "100"),
}


def told(messages: tuple[Say, ...], times: int = 1, *, cancelling: bool = False) -> World:
    """A world in which an order for 100 heard `messages`, each `times` times in a row."""
    world = a_world()
    order = world.submit(quantity="100")
    if cancelling:
        world.cancel(order)
    for message in messages:
        event = message(world, order)
        for _ in range(times):
            world.step(event)
    return world


@pytest.mark.parametrize("name", sorted(STORIES))
@pytest.mark.parametrize("times", [1, 2, 3])
def test_the_order_and_number_of_messages_do_not_matter(name: str, times: int) -> None:
    """F7: whatever comes first, and however often, the end is the same."""
    messages, state, filled = STORIES[name]
    cash = {(state, D(filled), D("100000") - D(filled) * 10 - D("0.35") * _fills(messages))}
    seen = set()
    for order_of_arrival in list(permutations(messages))[:: 1 if times == 1 else 5]:
        world = told(order_of_arrival, times)
        (order,) = world.state.orders.values()
        seen.add((order.state, world.position(), world.state.accounts["A"].cash["USD"]))
    assert seen == cash


def _fills(messages: tuple[Say, ...]) -> int:
    world = a_world()
    order = world.submit()
    return sum(isinstance(message(world, order), e.VenueFilled) for message in messages)


@pytest.mark.parametrize("name", sorted(set(STORIES) - {"rejected"}))
def test_messages_that_cross_a_cancel(name: str) -> None:
    messages, state, filled = STORIES[name]
    for order_of_arrival in list(permutations(messages))[::3]:
        world = told(order_of_arrival, cancelling=True)
        (order,) = world.state.orders.values()
        assert (order.state, world.position()) == (state, D(filled))
        assert_sound(world)


@given(st.data())
def test_executions_in_any_order_and_number(data: st.DataObject) -> None:
    """F6: an execution told again is booked once."""
    world = a_world()
    orders = [world.submit(side, str(quantity)) for side, quantity in ((Side.BUY, 60), (Side.SELL, 30), (Side.BUY, 9))]
    events = [world.execution(order, str(order.quantity / 3), "10.01") for order in orders for _ in range(3)]
    copies = data.draw(st.lists(st.sampled_from(events), max_size=12))
    for event in data.draw(st.permutations(events + copies)):
        world.step(event)
    assert world.position() == D(60 - 30 + 9)
    assert all(order.state is OrderState.FILLED for order in orders)
    assert len(world.state.fills) == 9
    assert_sound(world)


@pytest.mark.parametrize("end", [CANCEL, EXPIRE])
def test_a_late_fill_is_booked_and_said(world: World, end: Say) -> None:
    """F8: a fill after the end of an order counts, and a person is told."""
    order = world.resting()
    world.step(end(world, order))
    before = order.state
    world.fill(order, "40")
    assert (order.state, order.filled, world.position()) == (before, D(40), D(40))
    world.fill(order, "60")
    assert (order.state, world.position()) == (OrderState.FILLED, D(100))
    assert world.alerts().count("late-fill") == 2
    assert_sound(world)


SURPRISES: list[tuple[str, tuple[Say, ...], str]] = [
    ("more than was asked", (ACCEPT, part("150", "1")), "150"),
    ("filled after it was full", (part("100", "1"), part("1", "2")), "101"),
    ("filled after it was rejected", (REJECT, part("10", "1")), "10"),
    ("rejected after it was full", (part("100", "1"), REJECT), "100"),
    ("cancelled after it was rejected", (REJECT, CANCEL), "0"),
    ("larger after it was full", (part("100", "1"), plain(e.VenueAmended, quantity=D(150))), "100"),
    ("of the other side", (lambda w, o: w.execution(o, "10", side=Side.SELL),), "-10"),
]


@pytest.mark.parametrize(("messages", "held"), [s[1:] for s in SURPRISES], ids=[s[0] for s in SURPRISES])
def test_surprises_are_booked_marked_and_looked_into(world: World, messages: tuple[Say, ...], held: str) -> None:
    order = world.submit(quantity="100")
    for message in messages:
        world.step(message(world, order))
    assert order.state is OrderState.ANOMALY
    assert world.position() == D(held)
    assert "order-anomaly" in world.alerts()
    assert any(isinstance(effect, WantReconcile) for effect in world.effects[2:])
    world.fill(order, "5")
    assert world.position() == D(held) + 5, "an anomaly still counts what fills"
    assert_sound(world)


def test_a_fill_of_an_order_never_sent_is_an_anomaly(world: World) -> None:
    order = world.submit()
    world.step(e.IntentOverdue(order.id))
    assert order.state is OrderState.EXPIRED_UNSENT
    world.fill(order, "100")
    assert (order.state, world.position()) == (OrderState.ANOMALY, D(100))


def test_a_bust_takes_the_fill_back_with_its_charges(world: World) -> None:
    order = world.resting()
    fill = world.execution(order, "100", "10", charges=(Charge("commission", D("1.00")), Charge("tax", D("2"), "tax")))
    world.step(fill)
    cash = world.state.accounts["A"].cash["USD"]
    bust = e.VenueBusted(account_id="A", execution_id=fill.execution_id, reason="an error")
    for _ in range(3):
        world.step(bust)
    assert cash == D("98997.00")
    assert world.state.accounts["A"].cash["USD"] == D(100_000)
    assert world.position() == 0
    assert (order.filled, order.state) == (D(0), OrderState.FILLED)
    held = world.state.position(PositionKey("A", "manual", ACME.id))
    assert (held.charges, held.realised) == (D(0), D(0))
    assert world.alerts() == ["fill-busted"]
    world.step(fill)
    assert world.position() == 0, "the execution is known and does not come back"
    assert_sound(world)


def test_a_bust_of_what_was_never_booked_is_looked_into(world: World) -> None:
    step = world.step(e.VenueBusted(account_id="A", execution_id="X", reason="an error"))
    assert world.alerts() == ["unknown-bust"]
    assert [type(effect) for effect in step.effects] == [WantReconcile]


def test_charges_are_ledger_lines_by_component(world: World) -> None:
    order = world.resting()
    charges = (
        Charge("commission", D("1.25")),
        Charge("stamp", D("0.50"), "tax"),
        Charge("rebate", D("-0.25")),
        Charge("nothing", D(0)),
        Charge("gift", D("1"), "deposit"),
    )
    world.step(world.execution(order, "100", "10", charges=charges))
    (booked,) = world.of(r.FillBooked)
    assert [(x.kind, x.component, x.amount) for x in booked.entries] == [
        (LedgerKind.TRADE, "", D(-1000)),
        (LedgerKind.FEE, "commission", D("-1.25")),
        (LedgerKind.TAX, "stamp", D("-0.50")),
        (LedgerKind.FEE, "rebate", D("0.25")),
        (LedgerKind.FEE, "gift", D(-1)),
    ]
    assert world.state.position(PositionKey("A", "manual", ACME.id)).charges == D("2.50")
    assert world.state.accounts["A"].contributed == D(100_000), "a charge is no deposit, whatever it is called"


def test_an_order_filled_elsewhere_is_adopted_and_grows(world: World) -> None:
    for n, quantity in enumerate(("30", "70", "5")):
        event = e.VenueFilled(
            account_id="A",
            venue_order_id="E1",
            venue_client_id="PHONE",
            execution_id=f"E{n}",
            instrument_id=ACME.id,
            side=Side.SELL,
            quantity=D(quantity),
            price=D(10),
        )
        world.step(event)
        world.step(event)
    (order,) = world.state.orders.values()
    assert (order.spec.book, order.source, order.state, order.filled) == (
        "unassigned", "broker", OrderState.FILLED, D(105),
    )  # fmt: skip
    assert world.position("unassigned") == D(-105)
    assert world.alerts() == ["external-order"]
    assert_sound(world)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"account_id": "nobody"}, "there is no account"),
        ({"instrument_id": "nothing"}, "is not listed"),
        ({"quantity": D(0)}, "cannot be booked"),
        ({"quantity": D(-5)}, "cannot be booked"),
        ({"quantity": D("NaN")}, "cannot be booked"),
        ({"price": D("Infinity")}, "cannot be booked"),
        ({"price": D("1E+30")}, "cannot be booked"),
        ({"quantity": D("1234567890123456.123456789012345678"), "price": D("1.23456789")}, "more than 38 digits"),
        ({"quantity": D("1E+10"), "price": D("1E+10")}, "its value"),
        ({"charges": (Charge("fee", D("sNaN")),)}, "cannot be booked"),
    ],
)
def test_an_execution_that_cannot_be_booked_is_said_and_nothing_breaks(
    world: World, change: dict[str, Any], words: str
) -> None:
    """F27: numbers that cannot be are said and not booked."""
    order = world.resting()
    base: dict[str, Any] = {
        "account_id": "A",
        "instrument_id": ACME.id,
        "quantity": D(1),
        "price": D(1),
        "charges": (),
    } | change
    event = e.VenueFilled(
        execution_id="X", side=Side.BUY, venue_client_id=order.venue_client_id, venue_order_id=None, **base
    )
    before = world.state.accounts["A"].cash["USD"]
    world.step(event)
    (alert,) = world.of(r.AlertRaised)
    assert (alert.level, alert.kind) == ("critical", "fill-not-booked")
    assert words in alert.message
    assert (world.state.accounts["A"].cash["USD"], order.filled) == (before, D(0))
    assert_sound(world)


def test_an_execution_id_that_names_two_trades_is_said(world: World) -> None:
    order = world.resting()
    world.fill(order, "10", execution_id="X")
    world.fill(order, "10", execution_id="X")
    assert world.alerts() == []
    world.fill(order, "20", execution_id="X")
    assert world.alerts() == ["fill-not-booked"]
    assert world.position() == D(10)


@pytest.mark.parametrize("kind", [e.VenueAccepted, e.VenueCancelled, e.VenueExpired, e.VenueTriggered])
@pytest.mark.parametrize("account", ["A", "nobody"])
def test_a_message_about_a_stranger_is_said(world: World, kind: type[e.VenueEvent], account: str) -> None:
    step = world.step(kind(account_id=account, venue_order_id="V0", at=1))  # type: ignore[arg-type]
    (alert,) = world.of(r.AlertRaised)
    assert alert.kind == "unknown-order"
    assert "1970-01-01T00:00:00Z" in alert.message
    assert len(step.effects) == (account == "A"), "an account that is not ours cannot be reconciled"


def test_a_client_id_counts_only_in_its_own_account(world: World) -> None:
    world.account("B")
    order = world.resting()
    world.step(e.VenueCancelled(account_id="B", venue_client_id=order.venue_client_id))
    assert order.state is OrderState.ACCEPTED
    assert world.alerts() == ["unknown-order"]


def test_ids_given_again_never_touch_the_old_order(world: World) -> None:
    """A venue that rolls its ids back after a restart (F12): the newer order owns the id, the old one is safe."""
    old = world.resting(quantity="10")
    world.fill(old, "10")
    new = world.submit(quantity="20")
    world.step(world.said(e.VenueAccepted, new, venue_order_id=old.venue_order_id))
    world.step(world.execution(new, "20", venue_order_id=old.venue_order_id, venue_client_id=None))
    assert (new.state, new.filled, old.filled) == (OrderState.FILLED, D(20), D(10))
    stranger = world.execution(new, "5", venue_order_id=old.venue_order_id, venue_client_id="SOMEBODYELSE")
    world.step(stranger)
    assert (new.filled, old.filled, world.position("unassigned")) == (D(20), D(10), D(5))
    assert_sound(world)


def test_a_second_id_for_one_order_is_said_and_known(world: World) -> None:
    """An amendment during an outage can become a second order at the venue (F13)."""
    order = world.resting()
    second = world.said(e.VenueAccepted, order, venue_order_id="OTHER")
    world.step(second)
    world.step(second)
    assert world.alerts() == ["order-anomaly"]
    world.fill(order, "100", venue_order_id="OTHER", venue_client_id=None)
    assert order.state is OrderState.FILLED
    assert_sound(world)


def test_a_rejection_is_said_once(world: World) -> None:
    order = world.submit()
    for _ in range(3):
        world.step(REJECT(world, order))
    assert (order.state, order.reason, world.alerts()) == (OrderState.REJECTED, "no", ["order-rejected"])


def test_a_trigger_is_kept(world: World) -> None:
    order = world.resting(kind=OrderKind.STOP_LIMIT, limit_price=D(9), stop_price=D(9))
    seq = world.state.seq
    for _ in range(3):
        world.step(TRIGGER(world, order))
    assert order.triggered
    assert world.state.seq == seq + 1


@pytest.mark.parametrize("again", [1, 3])
def test_an_amendment_keeps_the_prices_it_does_not_name(world: World, again: int) -> None:
    order = world.resting(kind=OrderKind.LIMIT, limit_price=D("9.90"))
    seq = world.state.seq
    for _ in range(again):
        world.step(world.said(e.VenueAmended, order, quantity=D(50)))
    assert (order.quantity, order.limit_price, order.state) == (D(50), D("9.90"), OrderState.ACCEPTED)
    assert world.state.seq == seq + 1


def test_the_bar_that_caused_an_event_is_remembered(world: World) -> None:
    order = world.resting()
    world.step(world.execution(order, "10", bar=500))
    world.step(world.said(e.VenueCancelled, order, bar=400))
    assert world.state.bars_seen == {ACME.id: 500}


def test_fills_of_several_books_are_one_position_of_the_account(world: World) -> None:
    for book, side, quantity in (("a", Side.BUY, "100"), ("b", Side.BUY, "50"), ("a", Side.SELL, "30")):
        world.fill(world.resting(side, quantity, book=book), quantity)
    assert (world.position("a"), world.position("b")) == (D(70), D(50))
    assert world.state.accounts["A"].net == {ACME.id: Decimal(120)}
    assert_sound(world)
