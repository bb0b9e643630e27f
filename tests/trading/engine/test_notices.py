"""What the runner reports of its own sending: never sent twice, and every intent comes to a known end."""

import pytest

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Limits, Readiness
from evenkeel.domain.errors import NotFound
from evenkeel.domain.orders import OrderKind, OrderState
from evenkeel.trading.engine.effects import SendOrder, WantReconcile
from tests.trading.engine.world import ACME, WHO, D, World, assert_sound, split_slice


@pytest.fixture
def world() -> World:
    world = World()
    world.account()
    world.price(ACME, 10.0)
    return world


def test_an_overdue_intent_ends_unsent(world: World) -> None:
    order = world.submit()
    world.step(e.IntentOverdue(order.id))
    assert order.state is OrderState.EXPIRED_UNSENT
    assert world.alerts() == ["order-unsent"]
    assert world.of(r.AlertRaised)[-1].message.startswith("A: BUY 100 ACME MARKET was not sent: ")
    assert world.state.accounts["A"].working == {}


def test_an_overdue_report_of_an_order_the_venue_has_changes_nothing(world: World) -> None:
    order = world.resting()
    for report in (e.IntentOverdue(order.id), e.SendUncertain(order.id, "x"), e.SendFailed(order.id, "place", "x")):
        world.step(report)
        assert order.state is OrderState.ACCEPTED
    assert_sound(world)


def test_a_delayed_intent_is_judged_again(world: World) -> None:
    order = world.submit()
    step = world.step(e.IntentDelayed(order.id, 300))
    (effect,) = step.effects
    assert isinstance(effect, SendOrder)
    assert effect.ticket.venue_client_id == order.venue_client_id
    assert order.state is OrderState.SUBMITTED


def test_a_delayed_intent_that_no_longer_passes_ends_unsent(world: World) -> None:
    order = world.submit()
    world.step(e.BrokerLink("A", connected=False))
    step = world.step(e.IntentDelayed(order.id, 300))
    assert not step.effects
    assert (order.state, order.rule, order.value) == (OrderState.EXPIRED_UNSENT, "account-ready", "NOT_READY")
    assert order.reason is not None
    assert "NOT_READY" in order.reason


def test_a_delayed_intent_does_not_count_itself() -> None:
    world = World()
    world.account(cash="1010", limits=Limits(max_position_share=None, max_trades_per_day=1))
    world.price(ACME, 10.0)
    order = world.submit(quantity="100")
    world.step(e.IntentDelayed(order.id, 300))
    assert order.state is OrderState.SUBMITTED, "neither its own cash nor its own place in the day's count"


def test_a_delayed_intent_goes_out_as_the_split_left_it(world: World) -> None:
    order = world.submit(kind=OrderKind.LIMIT, limit_price=D("9.90"))
    world.step(split_slice(1))
    (effect,) = world.step(e.IntentDelayed(order.id, 300)).effects
    assert isinstance(effect, SendOrder)
    assert (effect.ticket.spec.quantity, effect.ticket.spec.limit_price) == (D(200), D("4.95"))


def test_an_intent_cancelled_while_it_waited_is_not_sent(world: World) -> None:
    order = world.submit()
    world.cancel(order)
    step = world.step(e.IntentDelayed(order.id, 300))
    assert not step.effects
    assert order.state is OrderState.EXPIRED_UNSENT
    world.step(world.said(e.VenueCancelRefused, order, reason="no such order"))
    assert order.state is OrderState.EXPIRED_UNSENT, "the venue says the same: it never had it"
    assert_sound(world)


def test_an_uncertain_send_is_in_doubt_until_the_venue_is_asked(world: World) -> None:
    order = world.submit()
    step = world.step(e.SendUncertain(order.id, "no answer"))
    assert order.state is OrderState.IN_DOUBT
    assert order.id in world.state.accounts["A"].working, "what may be there counts"
    assert [type(effect) for effect in step.effects] == [WantReconcile]
    assert world.alerts() == ["order-in-doubt"]
    said = world.of(r.AlertRaised)[-1].message
    assert said.startswith("A: BUY 100 ACME MARKET: it is not known whether the broker has it: no answer.")
    assert said.endswith(f"evenkeel order resolve {order.id}")
    assert not world.step(e.SendUncertain(order.id, "no answer")).records


@pytest.mark.parametrize("filled", [False, True])
def test_an_acknowledgement_ends_the_doubt(world: World, filled: bool) -> None:
    order = world.submit()
    world.step(e.SendUncertain(order.id, "no answer"))
    if filled:
        world.fill(order, "100")
    else:
        world.step(world.said(e.VenueAccepted, order))
    assert order.state is (OrderState.FILLED if filled else OrderState.ACCEPTED)


def test_a_refused_cancel_of_an_order_never_seen_proves_nothing(world: World) -> None:
    """A cancel of an order in doubt that the venue does not know: it must stay possible to find it was never there."""
    order = world.submit()
    world.step(e.SendUncertain(order.id, "no answer"))
    world.cancel(order)
    world.step(world.said(e.VenueCancelRefused, order, venue_order_id=None, reason="unknown order"))
    assert (order.state, order.has_venue_event) == (OrderState.IN_DOUBT, False)
    lookup = e.Lookup(order_id=order.id, found=None, conclusive=True)
    world.step(world.snapshot(orders=(), lookups=(lookup,)))
    assert order.state is OrderState.EXPIRED_UNSENT
    assert_sound(world)


@pytest.mark.parametrize("what", ["refused", "failed"])
def test_a_cancel_that_fails_before_the_venue_spoke_leaves_a_doubt(world: World, what: str) -> None:
    order = world.submit()
    world.cancel(order)
    refused = world.said(e.VenueCancelRefused, order, reason="unknown")
    step = world.step(refused if what == "refused" else e.SendFailed(order.id, "cancel", "dead"))
    assert order.state is OrderState.IN_DOUBT
    assert any(isinstance(effect, WantReconcile) for effect in step.effects)
    world.step(world.said(e.VenueAccepted, order))
    assert order.state is OrderState.ACCEPTED


@pytest.mark.parametrize(("filled", "state"), [("0", OrderState.ACCEPTED), ("40", OrderState.PARTIALLY_FILLED)])
def test_a_cancel_that_never_left_is_taken_back(world: World, filled: str, state: OrderState) -> None:
    order = world.resting()
    if D(filled):
        world.fill(order, filled)
    world.cancel(order)
    world.step(e.SendFailed(order.id, "cancel", "the line is dead"))
    assert order.state is state
    assert world.alerts() == ["cancel-failed"]


def test_a_failed_send_ends_unsent_and_a_failed_change_changes_nothing(world: World) -> None:
    order, resting = world.submit(), world.resting()
    world.step(e.SendFailed(order.id, "place", "no broker is configured"))
    world.step(e.SendFailed(resting.id, "modify", "the line is dead"))
    assert (order.state, resting.state) == (OrderState.EXPIRED_UNSENT, OrderState.ACCEPTED)
    assert world.alerts() == ["order-unsent", "modify-failed"]
    assert ": its change came to nothing: " in world.of(r.AlertRaised)[-1].message


def test_links_open_and_shut_the_gate(world: World) -> None:
    account = world.state.accounts["A"]
    world.step(e.BrokerLink("A", connected=False, reason="the line is dead"))
    assert (account.readiness, account.readiness_reason) == (Readiness.NOT_READY, "the line is dead")
    assert not world.step(e.BrokerLink("A", connected=False)).records, "said once"
    step = world.step(e.BrokerLink("A", connected=True))
    assert account.readiness is Readiness.NOT_READY, "up is not yet reconciled"
    assert [type(effect) for effect in step.effects] == [WantReconcile]
    world.step(world.snapshot())
    assert account.readiness is Readiness.READY
    assert world.alerts() == ["broker-disconnected"]
    assert isinstance(world.declined(e.BrokerLink("nobody", connected=True)), NotFound)


def test_a_start_shuts_every_gate(world: World) -> None:
    world.step(e.Started(run="again", version="0.1.0", at=world.now))
    assert world.state.run == "again"
    assert world.state.accounts["A"].readiness is Readiness.NOT_READY
    assert world.submit().rule == "account-ready"
    assert_sound(world)


def test_the_cursor_and_what_strategies_remember(world: World) -> None:
    world.deploy(("A", "0.5"))
    world.step(e.CursorAdvanced(7, {"trend": b"memory", "gone": b"x"}))
    assert (world.state.cursor, world.state.deployments["trend"].memory) == (7, b"memory")
    assert len(world.of(r.CursorMoved)) == 1
    assert_sound(world)


def test_a_cursor_never_moves_back_and_the_places_are_those_told_last(world: World) -> None:
    """What late strategies have answered is told with the cursor that stood when they were asked."""
    world.step(e.CursorAdvanced(7, places={"late": 5}))
    world.step(e.CursorAdvanced(6, {"late": b"memory"}, places={"late": 6}))
    assert (world.state.cursor, world.state.places) == (7, {"late": 6})
    assert_sound(world)
    world.step(e.CursorAdvanced(8))
    assert (world.state.cursor, world.state.places) == (8, {})
    assert_sound(world)


def test_reports_about_nothing_are_declined(world: World) -> None:
    for report in (
        e.IntentOverdue("x"),
        e.IntentDelayed("x", 1),
        e.SendUncertain("x", "y"),
        e.SendFailed("x", "place", "y"),
    ):
        assert isinstance(world.declined(report), NotFound)
    assert isinstance(world.declined(c.CancelOrder(provenance=WHO, order_id="x")), NotFound)
