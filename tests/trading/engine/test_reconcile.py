"""Reconcile: what the broker shows is brought in by id, once; what proves nothing changes nothing."""

import copy
from typing import Any

import msgspec
import pytest

from evenkeel.domain import events as e
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Readiness
from evenkeel.domain.errors import NotFound
from evenkeel.domain.orders import Order, OrderKind, OrderState, Product, Side
from evenkeel.domain.positions import PositionKey
from evenkeel.trading.engine.effects import SendCancel, WantReconcile
from evenkeel.trading.engine.risk_views import risk_view
from evenkeel.trading.engine.state import Compared
from tests.trading.engine.world import ACME, BOLT, D, World, assert_sound, theirs


@pytest.fixture
def world() -> World:
    world = World()
    world.account()
    world.price(ACME, 10.0)
    return world


def position(quantity: str, **more: Any) -> e.BrokerPosition:
    more = {"account_id": "A", "instrument_id": ACME.id} | more
    return e.BrokerPosition(quantity=D(quantity), **more)


def take_twice(world: World, snapshot: e.BrokerSnapshot) -> None:
    """Takes a snapshot, and sees that taking it again adds nothing but the note that it was taken."""
    world.step(snapshot)
    state, times = without_the_note(world), world.state.accounts["A"].compared.times
    again = world.step(snapshot)
    assert [type(record) for record in again.records] == [r.AccountReconciled]
    assert again.records[0] == r.AccountReconciled(at=world.now, account_id="A", differences=0)
    assert without_the_note(world) == state
    assert world.state.accounts["A"].compared.times == times + 1
    assert_sound(world)


def without_the_note(world: World) -> str:
    """The state in words, but for how often, when and with what outcome accounts were compared."""
    state = copy.deepcopy(world.state)
    for account in state.accounts.values():
        account.compared = Compared()
    return repr(msgspec.structs.replace(state, seq=0, time=0))


@pytest.mark.parametrize("reason", [None, "timed out"])
def test_an_incomplete_snapshot_changes_nothing(world: World, reason: str | None) -> None:
    """F16: a picture that failed is no picture of an empty account."""
    order = world.holding("100")
    resting = world.resting()
    world.step(e.BrokerLink("A", connected=False))
    step = world.step(e.BrokerSnapshot(account_id="A", complete=False, reason=reason))
    assert [type(record) for record in step.records] == [r.ReadinessChanged, r.AlertRaised]
    assert (reason or "did not answer") in world.of(r.AlertRaised)[-1].message
    assert (reason or "did not answer") in (world.state.accounts["A"].readiness_reason or "")
    assert (world.position(), order.state, resting.state) == (D(100), OrderState.FILLED, OrderState.ACCEPTED)
    assert world.state.accounts["A"].readiness is Readiness.NOT_READY
    assert_sound(world)


def test_agreement_opens_the_gate(world: World) -> None:
    world.holding("100")
    world.resting()
    world.step(e.BrokerLink("A", connected=False))
    take_twice(world, world.snapshot())
    assert world.state.accounts["A"].readiness is Readiness.READY


def test_a_snapshot_of_nobody(world: World) -> None:
    assert isinstance(world.declined(e.BrokerSnapshot(account_id="X", complete=True)), NotFound)


def test_a_snapshot_older_than_a_fill_is_taken_again(world: World) -> None:
    order = world.resting()
    old = world.snapshot(booked=len(world.state.fills))
    world.fill(order, "100")
    step = world.step(old)
    assert step.records == ()
    assert step.effects == (WantReconcile("A", "a fill came while the snapshot was taken", again=True),)
    assert world.position() == D(100)


def test_a_snapshot_that_knows_the_fill_is_taken(world: World) -> None:
    order = world.resting()
    begun = len(world.state.fills)
    fill = world.fill(order, "100")
    take_twice(world, world.snapshot(booked=begun, executions=(fill,)))


def test_missed_fills_are_booked_to_their_orders(world: World) -> None:
    order = world.resting()
    missed = (world.execution(order, "60"), world.execution(order, "40"))
    snapshot = world.snapshot(executions=missed, positions=(position("100"),), orders=())
    take_twice(world, snapshot)
    assert (order.state, world.position(), world.position("unassigned")) == (OrderState.FILLED, D(100), D(0))


LOOKUPS: list[tuple[str, str, OrderState | None, bool, OrderState]] = [
    ("never sent", "submitted", None, True, OrderState.EXPIRED_UNSENT),
    ("cannot be told", "submitted", None, False, OrderState.IN_DOUBT),
    ("in doubt and absent", "doubted", None, True, OrderState.EXPIRED_UNSENT),
    ("in doubt and untold", "doubted", None, False, OrderState.IN_DOUBT),
    ("known and vanished", "accepted", None, True, OrderState.IN_DOUBT),
    ("known and untold", "accepted", None, False, OrderState.IN_DOUBT),
    ("cancelled while unsent", "cancelling", None, True, OrderState.EXPIRED_UNSENT),
    ("found working", "submitted", OrderState.ACCEPTED, True, OrderState.ACCEPTED),
    ("doubt ended", "doubted", OrderState.ACCEPTED, True, OrderState.ACCEPTED),
    ("cancel still pending", "cancelling", OrderState.ACCEPTED, True, OrderState.CANCEL_PENDING),
    ("rejected meanwhile", "submitted", OrderState.REJECTED, True, OrderState.REJECTED),
    ("cancelled meanwhile", "accepted", OrderState.CANCELLED, True, OrderState.CANCELLED),
    ("expired meanwhile", "accepted", OrderState.EXPIRED, False, OrderState.EXPIRED),
    ("filled, executions gone", "accepted", OrderState.FILLED, True, OrderState.ANOMALY),
]


def prepared(world: World, how: str) -> Order:
    order = world.resting() if how == "accepted" else world.submit()
    if how == "doubted":
        world.step(e.SendUncertain(order.id, "no answer"))
    if how == "cancelling":
        world.cancel(order)
    return order


@pytest.mark.parametrize(
    ("how", "found", "conclusive", "after"), [row[1:] for row in LOOKUPS], ids=[row[0] for row in LOOKUPS]
)
def test_lookups(world: World, how: str, found: OrderState | None, conclusive: bool, after: OrderState) -> None:
    order = prepared(world, how)
    answer = None if found is None else theirs(order, state=found)
    lookup = e.Lookup(order_id=order.id, found=answer, conclusive=conclusive)
    take_twice(world, world.snapshot(orders=(), lookups=(lookup,)))
    assert order.state is after
    assert (order.id in world.state.accounts["A"].working) is order.is_working


def test_filled_meanwhile_with_its_executions(world: World) -> None:
    order = world.submit()
    fill = world.execution(order, "100")
    found = e.Lookup(order_id=order.id, found=theirs(order, state=OrderState.FILLED, filled=D(100)), conclusive=True)
    take_twice(world, world.snapshot(orders=(), lookups=(found,), executions=(fill,), positions=(position("100"),)))
    assert order.state is OrderState.FILLED


def test_a_lookup_of_an_order_we_do_not_have_is_passed_over(world: World) -> None:
    take_twice(world, world.snapshot(lookups=(e.Lookup(order_id="x", found=None, conclusive=True),)))


def external(**more: Any) -> e.BrokerOrder:
    shown = e.BrokerOrder(
        account_id="A",
        venue_order_id="E1",
        venue_client_id="PHONE",
        instrument_id=ACME.id,
        side=Side.SELL,
        quantity=D(100),
        filled=D(0),
        kind=OrderKind.LIMIT,
        state=OrderState.ACCEPTED,
        limit_price=D(11),
        product=Product.MIS,
    )
    return msgspec.structs.replace(shown, **more)


def test_an_order_placed_elsewhere_is_adopted_once(world: World) -> None:
    take_twice(world, world.snapshot(orders=(external(),)))
    (order,) = world.state.orders.values()
    assert (order.spec.book, order.spec.product, order.limit_price) == ("unassigned", Product.MIS, D(11))
    assert order.state is OrderState.ACCEPTED
    assert world.alerts() == ["external-order"]
    world.step(e.VenueCancelled(account_id="A", venue_order_id="E1", venue_client_id="PHONE"))
    assert order.state is OrderState.CANCELLED


def test_a_part_filled_order_placed_elsewhere_keeps_its_size(world: World) -> None:
    fill = e.VenueFilled(
        account_id="A", venue_order_id="E1", venue_client_id="PHONE", execution_id="X", instrument_id=ACME.id,
        side=Side.SELL, quantity=D(30), price=D(11),
    )  # fmt: skip
    shown = external(filled=D(30), state=OrderState.PARTIALLY_FILLED)
    held = position("-30", product=Product.MIS)
    take_twice(world, world.snapshot(orders=(shown,), executions=(fill,), positions=(held,)))
    (order,) = world.state.orders.values()
    assert (order.quantity, order.filled, order.state) == (D(100), D(30), OrderState.PARTIALLY_FILLED)
    world.step(msgspec.structs.replace(fill, execution_id="Y", quantity=D(70)))
    assert order.state is OrderState.FILLED
    assert world.alerts() == ["external-order"]


def test_a_callers_own_id_is_not_taken_over_by_an_adopted_order(world: World) -> None:
    mine = world.submit(client_order_id="external:E1")
    world.step(world.snapshot(orders=(theirs(mine), external())))
    assert world.state.client_ids["A", "external:E1"] == mine.id
    assert len(world.state.orders) == 2
    assert_sound(world)


def test_an_order_we_gave_up_that_works_there_is_an_anomaly_and_can_be_cancelled(world: World) -> None:
    order = world.submit()
    world.step(e.IntentOverdue(order.id))
    take_twice(world, world.snapshot(orders=(theirs(order),)))
    assert order.state is OrderState.ANOMALY
    assert world.cancel(order).effects


def test_an_amendment_whose_answer_was_lost_is_found(world: World) -> None:
    order = world.resting(kind=OrderKind.LIMIT, limit_price=D("9.90"))
    take_twice(world, world.snapshot(orders=(theirs(order, quantity=D(50), limit_price=D("9.95")),)))
    assert (order.quantity, order.limit_price, order.state) == (D(50), D("9.95"), OrderState.ACCEPTED)


@pytest.mark.parametrize(
    ("held", "shown", "difference"),
    [("100", "70", "-30"), ("100", None, "-100"), (None, "25", "25"), ("-100", "-120", "-20"), ("100", "-1", "-101")],
)
def test_position_differences_go_to_unassigned(
    world: World, held: str | None, shown: str | None, difference: str
) -> None:
    """F18: a difference is booked once, and said; the same picture again changes nothing (I7)."""
    if held is not None:
        world.holding(held)
    snapshot = world.snapshot(positions=() if shown is None else (position(shown),))
    take_twice(world, snapshot)
    (corrected,) = world.of(r.PositionCorrected)
    assert corrected.key == PositionKey("A", "unassigned", ACME.id)
    assert (corrected.quantity, corrected.price) == (D(difference), D("10.00"))
    assert world.state.accounts["A"].net[ACME.id] == D(shown or 0)
    assert (world.position(), world.alerts()) == (D(held or 0), ["position-difference"])
    assert world.of(r.AccountReconciled)[-2].differences == 1


def test_differences_are_per_product(world: World) -> None:
    world.holding("100", product=Product.MIS)
    take_twice(world, world.snapshot(positions=(position("100", product=Product.CNC),)))
    assert {(c.key.product, c.quantity) for c in world.of(r.PositionCorrected)} == {
        (Product.MIS, D(-100)),
        (Product.CNC, D(100)),
    }


def test_what_was_never_quoted_is_valued_as_the_broker_does(world: World) -> None:
    held = position("5", instrument_id=BOLT.id, average_price=D("99.999"))
    take_twice(world, world.snapshot(positions=(held,)))
    (corrected,) = world.of(r.PositionCorrected)
    assert corrected.price == D("100.00")


def test_the_sum_over_books_is_what_is_compared(world: World) -> None:
    for book, quantity in (("a", "100"), ("b", "-40")):
        world.holding(quantity, book=book)
    take_twice(world, world.snapshot(positions=(position("60"),)))
    assert not world.of(r.PositionCorrected)


def test_what_is_not_listed_here_is_said_and_counted(world: World) -> None:
    strange = position("5", instrument_id="strange")
    step = world.step(world.snapshot(orders=(external(instrument_id="strange"),), positions=(strange,)))
    assert world.alerts() == ["unlisted-instrument", "unlisted-instrument"]
    assert step.records[-1] == r.AccountReconciled(at=world.now, account_id="A", differences=1)
    assert_sound(world)


def test_a_blocked_account_waits_for_a_person(world: World) -> None:
    account = world.state.accounts["A"]
    account.readiness = Readiness.BLOCKED
    world.step(world.snapshot())
    assert account.readiness is Readiness.BLOCKED


def _asks_for_more(step: Any) -> bool:
    return any(isinstance(effect, WantReconcile) for effect in step.effects)


def test_what_the_broker_will_say_again_does_not_ask_for_another_reconcile(world: World) -> None:
    """Else a single execution that cannot be booked has the account read over and over, without a pause."""
    order = world.resting()
    strange = world.execution(order, "5", instrument_id="unlisted")
    step = world.step(world.snapshot(executions=(strange,)))
    assert world.alerts() == ["fill-not-booked"]
    assert not _asks_for_more(step)


def test_an_order_that_shares_its_id_with_another_one_is_said_once(world: World) -> None:
    one, two = world.resting(), world.submit()
    shared = {"venue_order_id": one.venue_order_id}
    world.step(world.said(e.VenueAccepted, two, **shared))
    snapshot = world.snapshot(orders=(theirs(one), theirs(two, **shared)))
    world.step(snapshot)
    again = world.step(snapshot)
    assert not _asks_for_more(again)
    assert [type(record) for record in again.records] == [r.AccountReconciled]


def test_two_orders_for_one_are_both_shown_both_counted_and_both_cancellable(world: World) -> None:
    """F13: a change that was lost on the way has become an order of its own (incident 11)."""
    order = world.resting(kind=OrderKind.LIMIT, limit_price=D(9), quantity="100")
    first = theirs(order)
    second = theirs(order, venue_order_id="OTHER", quantity=D(60), limit_price=D("9.50"))
    world.step(world.snapshot(orders=(first, second)))
    world.step(world.snapshot(orders=(second, first)))
    twin = world.state.orders[world.state.twins["A", "OTHER"][0]]
    assert world.alerts().count("second-order") == 1
    assert (order.quantity, twin.quantity, twin.limit_price, twin.spec.book) == (D(100), D(60), D("9.50"), "manual")
    assert {order.id, twin.id} == set(world.state.accounts["A"].working)
    view = risk_view(world.state, world.state.accounts["A"], world.spec(), D(1))
    assert view.working_buys == 160
    for one, name in ((order, order.venue_order_id), (twin, "OTHER")):
        world.cancel(one)
        sent = world.effects[-1]
        assert isinstance(sent, SendCancel)
        assert (sent.order_id, sent.cancellation.venue_order_id) == (one.id, name)
    assert_sound(world)


def test_what_either_of_two_orders_fills_is_its_own(world: World) -> None:
    """F13: the venue speaks of both under the one id of ours, and by its own of either."""
    order = world.resting(kind=OrderKind.LIMIT, limit_price=D(9), quantity="100")
    second = theirs(order, venue_order_id="OTHER", quantity=D(60))
    world.step(world.snapshot(orders=(theirs(order), second)))
    twin = world.state.orders[world.state.twins["A", "OTHER"][0]]
    world.step(world.execution(order, "60", "9", venue_order_id="OTHER"))
    assert (twin.state, twin.filled, order.filled) == (OrderState.FILLED, D(60), D(0))
    world.step(world.said(e.VenueCancelled, order))
    assert order.state is OrderState.CANCELLED
    assert world.position() == 60
    assert_sound(world)


def test_the_first_of_two_that_is_gone_is_not_taken_for_the_other(world: World) -> None:
    """A lookup by our id that finds the other of two proves nothing of the first."""
    order = world.resting(kind=OrderKind.LIMIT, limit_price=D(9), quantity="100")
    second = theirs(order, venue_order_id="OTHER", quantity=D(60))
    world.step(world.snapshot(orders=(theirs(order), second)))
    lookup = e.Lookup(order_id=order.id, found=second, conclusive=True)
    world.step(world.snapshot(orders=(second,), lookups=(lookup,)))
    assert order.state is OrderState.IN_DOUBT
    assert_sound(world)
