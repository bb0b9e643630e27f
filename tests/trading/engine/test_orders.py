"""Commands about orders: judged once, recorded before they go out, and the same for the same client id."""

from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Limits, Readiness
from evenkeel.domain.errors import Conflict, IdempotencyConflict, InvalidInput, NotFound
from evenkeel.domain.orders import OrderKind, OrderState, Product, Side, TimeInForce
from evenkeel.domain.provenance import Source
from evenkeel.trading.engine.effects import SendAmendment, SendCancel, SendOrder
from tests.trading.engine.world import ACME, BOLT, OPEN, WHO, D, World, assert_sound, at


@pytest.fixture
def world() -> World:
    world = World()
    world.account()
    world.price(ACME, 10.0)
    world.price(BOLT, 100.0)
    return world


def test_an_approved_order_is_a_record_before_it_is_a_ticket(world: World) -> None:
    order = world.submit(quantity="100", kind=OrderKind.LIMIT, limit_price=D("9.90"))
    (decided,) = world.of(r.OrderDecided)
    (effect,) = (x for x in world.effects if isinstance(x, SendOrder))
    assert decided.approved
    assert decided.order_id == order.id == effect.ticket.order_id
    assert effect.ticket.venue_client_id == order.venue_client_id
    assert effect.ticket.spec == order.spec
    assert effect.ticket.approval.checks == decided.checks
    assert order.state is OrderState.SUBMITTED
    assert decided.provenance == WHO
    assert order.source == Source.USER


def test_a_refused_order_is_kept_with_its_reason_and_never_sent() -> None:
    world = World()
    world.account(limits=Limits())
    world.price(ACME, 10.0)
    order = world.submit(quantity="1001")
    assert order.state is OrderState.REFUSED
    assert (order.rule, order.limit, order.value) == ("max-position-share", "0.10", "0.1001")
    assert order.reason == "ACME would be 10.01 % of equity, the limit is 10 %"
    assert not any(isinstance(effect, SendOrder) for effect in world.effects)
    assert order.id not in world.state.accounts["A"].working


def test_the_arrival_says_what_was_known(world: World) -> None:
    world.submit()
    (decided,) = world.of(r.OrderDecided)
    assert (decided.arrival.last, decided.arrival.quote_age, decided.arrival.bid) == (10.0, 0, None)
    world.step(c.SetLimits(provenance=WHO, account_id="A", limits=msgspec.structs.replace(OPEN, daily_loss=D("0.5"))))
    world.now += 5
    world.submit()
    later = world.of(r.OrderDecided)[1]
    assert (later.arrival.quote_age, later.arrival.limits_version) == (5, 1)


def test_the_same_client_id_and_body_is_the_same_order(world: World) -> None:
    spec = world.spec(client_order_id="mine")
    first = world.step(c.SubmitOrder(provenance=WHO, spec=spec))
    seq = world.state.seq
    again = world.step(c.SubmitOrder(provenance=WHO, spec=spec))
    assert first.outcome is not None
    assert again.outcome is not None
    assert (again.outcome.id, again.outcome.created, first.outcome.created) == (first.outcome.id, False, True)
    assert (again.records, again.effects, world.state.seq) == ((), (), seq)


CHANGES: dict[str, Any] = {
    "book": "other",
    "instrument_id": BOLT.id,
    "side": Side.SELL,
    "quantity": D(1),
    "kind": OrderKind.STOP,
    "limit_price": D("9.99"),
    "stop_price": D("1"),
    "time_in_force": TimeInForce.GTC,
    "product": Product.MIS,
}


@pytest.mark.parametrize("field", sorted(CHANGES))
def test_the_same_client_id_with_another_body_is_a_conflict(world: World, field: str) -> None:
    spec = world.spec(kind=OrderKind.LIMIT, limit_price=D("9.90"), client_order_id="mine")
    world.step(c.SubmitOrder(provenance=WHO, spec=spec))
    other = msgspec.structs.replace(spec, **{field: CHANGES[field]})
    error = world.declined(c.SubmitOrder(provenance=WHO, spec=other))
    assert isinstance(error, IdempotencyConflict)
    assert "mine" in error.message


def test_a_client_id_belongs_to_its_account(world: World) -> None:
    world.account("B")
    one = world.submit(client_order_id="mine")
    other = world.submit(client_order_id="mine", account_id="B")
    assert one.id != other.id
    assert_sound(world)


def test_a_refusal_is_recalled_too() -> None:
    world = World()
    world.account(limits=Limits())
    order = world.submit(client_order_id="mine")
    assert order.rule == "price-known"
    world.price(ACME, 10.0)
    again = world.step(c.SubmitOrder(provenance=WHO, spec=order.spec))
    assert again.outcome is not None
    assert again.outcome.id == order.id
    assert order.state is OrderState.REFUSED


def test_nobody_and_nothing(world: World) -> None:
    assert isinstance(world.declined(c.SubmitOrder(provenance=WHO, spec=world.spec(account_id="X"))), NotFound)
    assert isinstance(world.declined(c.CancelOrder(provenance=WHO, order_id="X")), NotFound)
    assert isinstance(world.declined(c.ModifyOrder(provenance=WHO, order_id="X")), NotFound)


MALFORMED: list[tuple[dict[str, Any], set[str]]] = [
    ({"instrument_id": "nothing"}, {"symbol"}),
    ({"client_order_id": ""}, {"client_order_id"}),
    ({"client_order_id": "x" * 65}, {"client_order_id"}),
    ({"kind": OrderKind.LIMIT}, {"limit_price"}),
    ({"kind": OrderKind.STOP}, {"stop_price"}),
    ({"kind": OrderKind.STOP_LIMIT}, {"limit_price", "stop_price"}),
    ({"limit_price": D(1)}, {"limit_price"}),
    ({"kind": OrderKind.LIMIT, "limit_price": D(1), "stop_price": D(1)}, {"stop_price"}),
    ({"instrument_id": "", "client_order_id": "", "stop_price": D(1)}, {"symbol", "stop_price", "client_order_id"}),
    ({"kind": OrderKind.LIMIT, "limit_price": D("NaN")}, {"limit_price"}),
    ({"kind": OrderKind.STOP, "stop_price": D("sNaN")}, {"stop_price"}),
    ({"kind": OrderKind.LIMIT, "limit_price": D("1.2345678901234567890123")}, {"limit_price"}),
]  # fmt: skip


@pytest.mark.parametrize(("change", "fields"), MALFORMED)
def test_what_makes_no_sense_names_every_field(world: World, change: dict[str, Any], fields: set[str]) -> None:
    error = world.declined(c.SubmitOrder(provenance=WHO, spec=world.spec(**change)))
    assert isinstance(error, InvalidInput)
    assert {fault.field for fault in error.errors} == fields


@pytest.mark.parametrize(
    "quantity", ["NaN", "sNaN", "Infinity", "1E+17", "1E-19", "1E+999999", "1234567890123.4567890123"]
)
def test_quantities_that_money_cannot_hold(world: World, quantity: str) -> None:
    spec = msgspec.structs.replace(world.spec(), quantity=D(quantity))
    error = world.declined(c.SubmitOrder(provenance=WHO, spec=spec))
    assert isinstance(error, InvalidInput)
    assert error.errors[0].field == "quantity"


@given(st.decimals(), st.decimals(), st.sampled_from(list(Side)))
def test_no_number_stops_the_engine(quantity: Decimal, price: Decimal, side: Side) -> None:
    world = World()
    world.account(limits=Limits(), costs="us-per-share")
    world.price(ACME, 10.0)
    spec = msgspec.structs.replace(world.spec(side, kind=OrderKind.LIMIT), quantity=quantity, limit_price=price)
    with suppress(InvalidInput):
        world.step(c.SubmitOrder(provenance=WHO, spec=spec))
    assert_sound(world)


@pytest.mark.parametrize("state", [OrderState.SUBMITTED, OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED])
def test_cancelling(world: World, state: OrderState) -> None:
    order = world.submit() if state is OrderState.SUBMITTED else world.resting()
    if state is OrderState.PARTIALLY_FILLED:
        world.fill(order, "40")
    world.cancel(order)
    effect = world.effects[-1]
    assert isinstance(effect, SendCancel)
    assert effect.cancellation.venue_client_id == order.venue_client_id
    assert effect.cancellation.venue_order_id == order.venue_order_id
    assert order.state is OrderState.CANCEL_PENDING
    world.step(world.said(e.VenueCancelled, order))
    assert order.state is OrderState.CANCELLED
    assert_sound(world)


def test_a_cancel_that_was_lost_is_sent_again_and_does_not_bar_the_next(world: World) -> None:
    order = world.resting()
    world.cancel(order)
    world.step(world.snapshot())
    assert sum(isinstance(effect, SendCancel) for effect in world.effects) == 2
    world.cancel(order)
    assert sum(isinstance(effect, SendCancel) for effect in world.effects) == 3
    assert order.state is OrderState.CANCEL_PENDING


@pytest.mark.parametrize("end", [e.VenueCancelled, e.VenueExpired])
def test_what_is_over_cannot_be_cancelled(world: World, end: type[e.VenueEvent]) -> None:
    order = world.resting()
    world.step(world.said(end, order))
    error = world.declined(c.CancelOrder(provenance=WHO, order_id=order.id))
    assert isinstance(error, Conflict)
    assert str(order.state) in error.message


def test_an_anomaly_can_still_be_cancelled(world: World) -> None:
    order = world.resting()
    world.fill(order, "150")
    assert order.state is OrderState.ANOMALY
    world.cancel(order)
    assert isinstance(world.effects[-1], SendCancel)
    assert order.state is OrderState.ANOMALY
    world.step(world.said(e.VenueCancelled, order))
    assert world.of(r.OrderMoved)[-1].by_venue, "what the venue then says is kept"
    assert_sound(world)


def test_a_refused_cancel_gives_the_order_back(world: World) -> None:
    plain, partial = world.resting(), world.resting()
    world.fill(partial, "40")
    for order, state in ((plain, OrderState.ACCEPTED), (partial, OrderState.PARTIALLY_FILLED)):
        world.cancel(order)
        refusal = world.said(e.VenueCancelRefused, order, reason="too late")
        world.step(refusal)
        world.step(refusal)
        assert order.state is state
        assert order.reason == "too late"
    assert_sound(world)


def test_changing_an_order(world: World) -> None:
    order = world.resting(kind=OrderKind.LIMIT, limit_price=D("9.90"))
    world.fill(order, "40", "9.90")
    step = world.step(c.ModifyOrder(provenance=WHO, order_id=order.id, quantity=D(60), limit_price=D("9.95")))
    (effect,) = step.effects
    assert isinstance(effect, SendAmendment)
    assert (effect.amendment.spec.quantity, effect.amendment.spec.limit_price) == (D(60), D("9.95"))
    assert (order.quantity, order.limit_price) == (D(100), D("9.90")), "only the venue's word changes it"
    world.step(world.said(e.VenueAmended, order, quantity=D(60), limit_price=D("9.95")))
    assert (order.quantity, order.limit_price, order.state) == (D(60), D("9.95"), OrderState.PARTIALLY_FILLED)
    world.fill(order, "20", "9.95")
    assert order.state is OrderState.FILLED
    assert_sound(world)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"quantity": D(40)}, InvalidInput, "already filled"),
        ({"quantity": D("NaN")}, InvalidInput, "not complete"),
        ({"stop_price": D(1)}, InvalidInput, "not complete"),
        ({"quantity": D("50.5")}, Conflict, "lot size"),
        ({"limit_price": D("9.955")}, Conflict, "tick size"),
        ({"quantity": D(2000)}, Conflict, "20.2 % of equity"),
    ],
)
def test_changes_that_are_declined(world: World, change: dict[str, Any], error: type, message: str) -> None:
    order = world.resting(kind=OrderKind.LIMIT, limit_price=D("10"))
    world.fill(order, "40", "10")
    world.step(c.SetLimits(provenance=WHO, account_id="A", limits=Limits()))
    world.price(ACME, 10.1)
    if "quantity" in change and change["quantity"] == D(2000):
        change = change | {"limit_price": D("10.10")}
    raised = world.declined(c.ModifyOrder(provenance=WHO, order_id=order.id, **change))
    assert isinstance(raised, error)
    assert message in raised.message


def test_only_what_rests_can_be_changed(world: World) -> None:
    order = world.submit()
    assert isinstance(world.declined(c.ModifyOrder(provenance=WHO, order_id=order.id, quantity=D(1))), Conflict)
    world.fill(order, "100")
    assert isinstance(world.declined(c.ModifyOrder(provenance=WHO, order_id=order.id, quantity=D(1))), Conflict)


def test_a_change_is_not_one_more_trade_of_the_day() -> None:
    world = World()
    world.account(limits=Limits(max_trades_per_day=1))
    world.price(ACME, 10.0)
    order = world.resting(kind=OrderKind.LIMIT, limit_price=D("9.90"))
    assert world.submit().rule == "max-trades-per-day"
    world.step(c.ModifyOrder(provenance=WHO, order_id=order.id, limit_price=D("9.95")))
    assert isinstance(world.effects[-1], SendAmendment)


def test_trades_are_counted_by_the_accounts_day() -> None:
    world = World()
    account = world.account(limits=Limits(max_trades_per_day=2))
    world.price(ACME, 10.0)
    assert [world.submit(quantity="1").state for _ in range(3)][2] is OrderState.REFUSED
    assert account.trades_today == 2
    world.now = at(1)
    assert world.submit(quantity="1").state is OrderState.SUBMITTED, "the clock alone ends the day"
    assert account.trades_today == 1
    assert len(world.of(r.DayClosed)) == 1
    assert_sound(world)


def test_cash_is_reserved_for_what_is_on_its_way() -> None:
    world = World()
    world.account(cash="2500", limits=msgspec.structs.replace(OPEN, cash_check=True))
    world.price(ACME, 10.0)
    assert world.submit(quantity="100").state is OrderState.SUBMITTED
    assert world.submit(quantity="100").state is OrderState.SUBMITTED
    refused = world.submit(quantity="100")
    assert (refused.rule, refused.limit, refused.value) == ("cash", "480.00", "1010.00")
    world.step(world.said(e.VenueCancelled, next(iter(world.state.accounts["A"].working.values()))))
    assert world.submit(quantity="100").state is OrderState.SUBMITTED


def test_a_gate_that_is_shut_lets_exits_through(world: World) -> None:
    world.holding("100")
    world.step(e.BrokerLink("A", connected=False, reason="the line is dead"))
    assert world.state.accounts["A"].readiness is Readiness.NOT_READY
    entry, leave = world.submit(quantity="1"), world.submit(Side.SELL, "100")
    assert (entry.state, entry.rule) == (OrderState.REFUSED, "account-ready")
    assert leave.state is OrderState.SUBMITTED
    assert world.submit(Side.SELL, "1").state is OrderState.REFUSED, "it would be one more than is held"


@pytest.mark.parametrize(
    ("side", "prices"),
    [
        (Side.BUY, {"kind": OrderKind.STOP, "stop_price": D("0.01")}),
        (Side.SELL, {"kind": OrderKind.LIMIT, "limit_price": D("0.01")}),
        (Side.SELL, {"kind": OrderKind.STOP, "stop_price": D("0.01")}),
        (Side.SELL, {"kind": OrderKind.STOP_LIMIT, "limit_price": D("0.01"), "stop_price": D("20")}),
    ],
)
def test_a_price_that_the_order_need_not_fill_at_does_not_judge_it(side: Side, prices: dict[str, Any]) -> None:
    world = World()
    world.account(limits=Limits(allow_short=True))
    world.price(ACME, 10.0)
    order = world.submit(side, "1001", **prices)
    assert (order.state, order.rule) == (OrderState.REFUSED, "max-position-share")
    assert world.submit(side, "1", **prices).state is OrderState.SUBMITTED


def test_a_stop_that_the_market_has_passed_needs_and_reserves_cash_at_the_market() -> None:
    world = World()
    world.account(cash="2500", limits=msgspec.structs.replace(OPEN, cash_check=True))
    world.price(ACME, 10.0)
    below: dict[str, Any] = {"kind": OrderKind.STOP, "stop_price": D("0.01")}
    refused = world.submit(quantity="300", **below)
    assert (refused.rule, refused.limit, refused.value) == ("cash", "2500.00", "3030.00")
    assert world.submit(quantity="200", **below).state is OrderState.SUBMITTED
    assert world.submit(quantity="100").limit == "480.00"
    world.price(ACME, 11.0, 1)
    assert world.submit(quantity="100").limit == "278.00", "what it may use moves with the market"


def test_with_no_price_known_only_a_limit_that_caps_what_is_paid_judges_an_order() -> None:
    world = World()
    world.account()
    stop = world.submit(Side.BUY, kind=OrderKind.STOP, stop_price=D("0.01"))
    limit = world.submit(Side.SELL, kind=OrderKind.LIMIT, limit_price=D("0.01"))
    assert (stop.rule, limit.rule) == ("price-known", "price-known")
    assert world.submit(kind=OrderKind.LIMIT, limit_price=D("9")).state is OrderState.SUBMITTED
