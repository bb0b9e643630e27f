"""A panic halts, cancels and closes; it never carries a position through zero, and the state says what is left."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Limits
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import Conflict, InvalidInput, NotFound
from evenkeel.domain.orders import Order, OrderKind, OrderState, Side, TimeInForce
from evenkeel.domain.panics import LONGEST_COOLDOWN, Scope, ScopeKind
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.strategies import Protection
from evenkeel.trading.engine import halts, panic
from evenkeel.trading.engine.effects import Lane, SendCancel, SendOrder
from evenkeel.trading.engine.halts import Halt
from evenkeel.trading.engine.panic import MAX_ROUNDS, MAX_TRIES
from evenkeel.trading.engine.turn import Step
from tests.trading.engine.world import ACME, BOLT, WHO, D, World, assert_sound, fold

MAIN = Scope(ScopeKind.ACCOUNT, "A")
TREND = Scope(ScopeKind.STRATEGY, "trend")
STRATEGY = Provenance("trend", Source.DEPLOYMENT)


@pytest.fixture
def world() -> World:
    return opened()


def opened() -> World:
    world = World()
    world.account("A")
    for one in (ACME, BOLT):
        world.price(one, 10)
    return world


def press(world: World, scope: Scope = MAIN, **more: Any) -> Halt:
    world.step(c.Panic(provenance=WHO, scope=scope, **more))
    return world.state.halts[scope.key]


def limit(world: World, side: Side, quantity: str, price: str = "9", **more: Any) -> Order:
    return world.resting(side, quantity, kind=OrderKind.LIMIT, limit_price=D(price), **more)


def closing(world: World) -> list[Order]:
    """The orders that panics have sent."""
    return [order for order in world.state.orders.values() if order.source == Source.PANIC]


def confirm(world: World, order: Order) -> Step:
    return world.step(world.said(e.VenueCancelled, order))


def test_it_cancels_and_closes_and_says_that_it_is_done(world: World) -> None:
    world.holding("100")
    rests, elsewhere = limit(world, Side.SELL, "100", "12"), limit(world, Side.BUY, "5", instrument_id=BOLT.id)
    halt = press(world, reason="the model is wrong")
    assert (rests.state, elsewhere.state) == (OrderState.CANCEL_PENDING, OrderState.CANCEL_PENDING)
    lanes = [effect.lane for effect in world.effects if isinstance(effect, SendCancel)]
    assert lanes == [Lane.PANIC, Lane.PANIC]
    assert not closing(world), "the sale that still works could fill beside the one that closes"
    confirm(world, rests)
    (order,) = closing(world)
    assert (order.spec.side, order.quantity, order.spec.kind) == (Side.SELL, D(100), OrderKind.MARKET)
    assert [effect.lane for effect in world.effects if isinstance(effect, SendOrder)][-1] is Lane.PANIC
    confirm(world, elsewhere)
    assert panic.counted(world.state, halt) == (0, 1)
    world.step(world.said(e.VenueAccepted, order))
    world.fill(order, "40")
    assert not halt.done_at
    world.fill(order, "60")
    assert halt.done_at == world.now
    assert (world.position(), closing(world)) == (D(0), [order])
    assert world.alerts() == ["panic", "panic-done"]
    assert "the model is wrong" in world.of(r.AlertRaised)[0].message
    assert_sound(world)


def test_what_is_queued_and_never_left_is_dropped_without_an_alert_each(world: World) -> None:
    queued = [world.submit() for _ in range(3)]
    press(world)
    for order in queued:
        world.step(e.IntentDelayed(order.id, 5))
    assert {order.state for order in queued} == {OrderState.EXPIRED_UNSENT}
    assert world.alerts() == ["panic", "panic-done"]


def test_nothing_is_bought_while_it_is_halted_and_reductions_pass(world: World) -> None:
    world.holding("100")
    press(world, keep_positions=True)
    refused = world.submit(Side.BUY, "1")
    assert (refused.state, refused.rule, refused.value) == (OrderState.REFUSED, "halted", "account A")
    assert world.submit(Side.SELL, "150").rule == "halted", "more than is held would be a short"
    by_hand = world.resting(Side.SELL, "60")
    world.step(e.PanicDue())
    assert by_hand.state is OrderState.ACCEPTED, "what was let through is left alone"
    world.fill(by_hand, "60")
    assert world.position() == D(40)
    assert_sound(world)


def test_a_strategy_in_an_endless_loop_gets_nowhere(world: World) -> None:
    world.deploy(("A", "0.5"))
    world.signal(0.5)
    (order,) = world.state.orders.values()
    world.step(world.said(e.VenueAccepted, order))
    world.fill(order, str(order.quantity))
    press(world, keep_positions=True)
    deployment = world.state.deployments["trend"].deployment
    assert deployment.paused == "panic of account A"
    before = world.state.seq
    for target in (1.0, 0.0, -1.0):
        assert world.signal(target).outcome is None
    assert world.state.seq == before, "its signals are not even recorded"
    spec = world.spec(Side.SELL, "1", book="trend")
    step = world.step(c.SubmitOrder(provenance=STRATEGY, spec=spec))
    assert step.outcome is not None
    asked = world.state.orders[step.outcome.id]
    assert (asked.rule, asked.limit) == ("halted", "nothing")
    refused = world.declined(c.ChangeDeployment(provenance=WHO, deployment_id="trend", enabled=True))
    assert isinstance(refused, Conflict)
    assert_sound(world)


def test_a_strategy_of_two_accounts_goes_on_in_the_other(world: World) -> None:
    world.account("B")
    world.deploy(("A", "0.5"), ("B", "0.5"))
    press(world)
    assert world.state.deployments["trend"].is_running
    world.signal(1.0)
    assert [account_id for account_id, _ in world.sent()] == ["B"]
    press(world, Scope(ScopeKind.USER, "u"))
    assert not world.state.deployments["trend"].is_running
    assert_sound(world)


def test_a_strategys_panic_touches_its_own_book_in_every_account(world: World) -> None:
    world.account("B")
    world.deploy(("A", "0.5"), ("B", "0.5"))
    for name in ("A", "B"):
        world.holding("100", account_id=name, book="trend")
        world.holding("30", account_id=name)
    own, manual = limit(world, Side.BUY, "7", book="trend"), limit(world, Side.BUY, "7")
    halt = press(world, TREND)
    assert (own.state, manual.state) == (OrderState.CANCEL_PENDING, OrderState.ACCEPTED)
    (first,) = closing(world)
    assert first.spec.account_id == "B", "in A a cancel is waited for"
    confirm(world, own)
    assert {order.spec.account_id: order.quantity for order in closing(world)} == {"A": D(100), "B": D(100)}
    for order in closing(world):
        world.step(world.said(e.VenueAccepted, order))
        world.fill(order, "100")
    assert halt.done_at
    assert world.position() == world.position(account_id="B") == D(30)
    assert world.submit(Side.BUY, "1").state is OrderState.SUBMITTED, "the account itself is not halted"
    assert_sound(world)


def test_books_that_offset_each_other_are_nothing_to_the_broker(world: World) -> None:
    """Long in one book and short in another: only what the account holds is closed, from the books that hold it."""
    world.holding("100", book="manual")
    world.holding("20", book="unassigned")
    world.holding("-70", book="manual", instrument_id=BOLT.id)
    world.deploy(("A", "0.5"))
    world.holding("-90", book="trend")
    halt = press(world)
    orders = {order.spec.instrument_id: (order.spec.book, order.spec.side, order.quantity) for order in closing(world)}
    assert orders == {ACME.id: ("manual", Side.SELL, D(30)), BOLT.id: ("manual", Side.BUY, D(70))}
    for order in closing(world):
        world.step(world.said(e.VenueAccepted, order))
        world.fill(order, str(order.quantity))
    assert halt.done_at
    assert not any(world.state.accounts["A"].net.values())
    assert_sound(world)


def test_a_position_without_a_price_or_beyond_its_limits_is_closed_all_the_same(world: World) -> None:
    world.holding("100")
    strict = Limits(max_position_share=D("0.01"), daily_loss=D("0.0001"), max_trades_per_day=0, cash_check=True)
    world.step(c.SetLimits(provenance=WHO, account_id="A", limits=strict))
    world.state.marks.clear()
    assert world.state.mark(ACME.id) is None
    press(world)
    (order,) = closing(world)
    assert order.state is OrderState.SUBMITTED


def test_an_account_that_was_not_compared_is_closed_when_it_is(world: World) -> None:
    world.holding("100")
    rests = limit(world, Side.BUY, "5")
    world.step(e.BrokerLink("A", connected=False, reason="the line is dead"))
    halt = press(world)
    assert rests.state is OrderState.CANCEL_PENDING, "a cancel needs no picture"
    world.step(e.SendFailed(rests.id, "cancel", "the line is dead"))
    assert (rests.state, closing(world)) == (OrderState.ACCEPTED, [])
    assert {one.why for one in panic.left_of(world.state, halt)} == {
        "it is ACCEPTED: the line is dead", "the account is NOT_READY",
    }  # fmt: skip
    world.step(e.BrokerLink("A", connected=True))
    world.step(world.snapshot())
    assert rests.state is OrderState.CANCEL_PENDING, "asked again at once"
    confirm(world, rests)
    assert [order.quantity for order in closing(world)] == [D(100)]
    assert "cancel-failed" not in world.alerts()
    assert_sound(world)


def test_a_cancel_without_an_answer_does_not_hold_it_up_for_ever(world: World) -> None:
    """What may still fill is left open, and closed once it cannot."""
    world.holding("100")
    stuck = limit(world, Side.SELL, "30", "12")
    press(world)
    world.step(e.PanicDue())
    assert [order.quantity for order in closing(world)] == [D(70)]
    world.step(e.PanicDue())
    assert len(closing(world)) == 1, "nothing is sent twice for what is under way"
    confirm(world, stuck)
    assert [order.quantity for order in closing(world)] == [D(70)], "no attempt in vain is repeated at once"
    world.step(e.PanicDue())
    assert [order.quantity for order in closing(world)] == [D(70), D(30)]
    assert_sound(world)


def test_what_the_venue_gives_back_is_tried_again_a_few_times(world: World) -> None:
    world.holding("100")
    halt = press(world)
    for _ in range(MAX_TRIES + 2):
        world.step(world.said(e.VenueRejected, closing(world)[-1], reason="the market is closed"))
        world.step(e.PanicDue())
    assert len(closing(world)) == MAX_TRIES
    for _ in range(MAX_ROUNDS):
        world.step(e.PanicDue())
    assert halt.stuck
    stuck = [record for record in world.of(r.AlertRaised) if record.kind == "panic-stuck"]
    assert len(stuck) == 1
    assert "A: position ACME 100, 5 orders to close it were refused or rejected" in stuck[0].message
    before = world.state.seq
    world.step(e.PanicDue())
    assert world.state.seq == before, "said once"
    press(world)
    assert (halt.stuck, len(closing(world))) == (False, MAX_TRIES + 1)
    assert_sound(world)


def test_a_part_that_filled_is_no_attempt_in_vain(world: World) -> None:
    world.holding("100")
    press(world)
    for part in ("10", "20", "30", "20", "10", "10"):
        order = closing(world)[-1]
        world.step(world.said(e.VenueAccepted, order))
        world.fill(order, part)
        if order.is_working:
            confirm(world, order)
    assert [order.quantity for order in closing(world)] == [D(n) for n in (100, 90, 70, 40, 20, 10)]
    assert world.position() == D(0)
    assert world.state.halts[MAIN.key].done_at


def test_a_restart_in_the_middle_goes_on_where_it_was(world: World) -> None:
    world.holding("100")
    lost, rests = limit(world, Side.BUY, "5"), limit(world, Side.SELL, "30", "12")
    press(world)
    confirm(world, lost)
    again = World()
    again.engine.state, again.now, again.records = fold(world.records), world.now, list(world.records)
    again.step(e.Started(run="again", version="1", at=again.now))
    assert not closing(again)
    again.step(again.snapshot())
    for one in (ACME, BOLT):
        again.price(one, 10)
    order = again.state.orders[rests.id]
    cancels = [effect.order_id for effect in again.effects if isinstance(effect, SendCancel)]
    assert set(cancels) == {rests.id}
    confirm(again, order)
    (close,) = closing(again)
    assert close.quantity == D(100)
    again.fill(close, "100")
    assert again.state.halts[MAIN.key].done_at
    assert_sound(again)


def test_kept_positions_keep_their_exits_and_closed_ones_lose_them(world: World) -> None:
    world.deploy(("A", "0.5"), protection=Protection(stop_loss=0.1))
    world.signal(1.0)
    (entry,) = world.state.orders.values()
    world.step(world.said(e.VenueAccepted, entry))
    world.fill(entry, str(entry.quantity))
    (exit_order,) = world.state.accounts["A"].working.values()
    world.step(world.said(e.VenueAccepted, exit_order))
    halt = press(world, keep_positions=True)
    assert (exit_order.state, bool(halt.done_at)) == (OrderState.ACCEPTED, True)
    press(world, keep_positions=False)
    assert exit_order.state is OrderState.CANCEL_PENDING, "asked to close, it closes what it kept"
    confirm(world, exit_order)
    (close,) = closing(world)
    assert not world.state.accounts["A"].guards
    world.step(world.said(e.VenueRejected, close, reason="no market"))
    world.step(c.Resume(provenance=WHO, scope=MAIN, abandon=True), world.now + halt.cooldown)
    assert [order.spec.kind for order in world.state.accounts["A"].working.values()] == [OrderKind.STOP]
    assert_sound(world)


def test_it_is_resumed_on_purpose_after_its_cool_down(world: World) -> None:
    world.holding("100")
    world.deploy(("A", "0.5"))
    halt = press(world, cooldown=60 * SECOND)
    early = world.declined(c.Resume(provenance=WHO, scope=MAIN, abandon=True))
    assert "60 seconds left" in early.message
    world.now += 60 * SECOND
    unfinished = world.declined(c.Resume(provenance=WHO, scope=MAIN))
    assert "0 orders and 1 positions are left" in unfinished.message
    (close,) = closing(world)
    world.fill(close, "100")
    world.step(c.Resume(provenance=WHO, scope=MAIN))
    assert not world.state.halts
    assert world.state.deployments["trend"].is_running
    assert isinstance(world.declined(c.Resume(provenance=WHO, scope=MAIN)), NotFound)
    assert world.submit().state is OrderState.SUBMITTED
    assert halt.id == world.of(r.PanicEnded)[0].id
    assert_sound(world)


def test_what_two_panics_halt_needs_two_resumes(world: World) -> None:
    world.deploy(("A", "0.5"))
    press(world, TREND, cooldown=0)
    press(world, MAIN, cooldown=0)
    world.step(c.Resume(provenance=WHO, scope=TREND))
    assert world.state.deployments["trend"].deployment.paused == "panic of account A"
    world.step(c.Resume(provenance=WHO, scope=MAIN))
    assert world.state.deployments["trend"].is_running


def test_pressed_twice_it_is_one(world: World) -> None:
    world.holding("100")
    halt = press(world)
    before = world.state.seq
    step = world.step(c.Panic(provenance=WHO, scope=MAIN, keep_positions=True))
    assert step.outcome is not None
    assert (step.outcome.id, step.outcome.created, world.state.seq) == (halt.id, False, before)
    assert len(closing(world)) == 1


def test_the_whole_platform_and_scopes_that_name_nothing(world: World) -> None:
    world.account("B")
    world.holding("10", account_id="B")
    press(world, Scope(ScopeKind.PLATFORM))
    assert [order.spec.account_id for order in closing(world)] == ["B"]
    assert world.submit().rule == "halted"
    for scope in (Scope(ScopeKind.ACCOUNT, "Z"), Scope(ScopeKind.STRATEGY, "Z"), Scope(ScopeKind.USER, "Z")):
        assert isinstance(world.declined(c.Panic(provenance=WHO, scope=scope)), NotFound)
    for wrong in ({"scope": Scope(ScopeKind.PLATFORM, "x")}, {"scope": MAIN, "cooldown": LONGEST_COOLDOWN + 1}):
        assert isinstance(world.declined(c.Panic(provenance=WHO, **wrong)), InvalidInput)


def test_a_late_fill_is_closed_though_it_was_done(world: World) -> None:
    gone = limit(world, Side.BUY, "50")
    halt = press(world)
    confirm(world, gone)
    assert halt.done_at
    world.fill(gone, "20")
    assert not halt.done_at
    assert [order.quantity for order in closing(world)] == [D(20)]


def test_what_somebody_places_elsewhere_once_it_is_done_is_theirs(world: World) -> None:
    halt = press(world)
    phone = e.BrokerOrder(
        account_id="A", venue_order_id="PHONE", venue_client_id=None, instrument_id=ACME.id, side=Side.BUY,
        quantity=D(5), filled=D(0), kind=OrderKind.LIMIT, state=OrderState.ACCEPTED, limit_price=D(9),
        time_in_force=TimeInForce.DAY,
    )  # fmt: skip
    world.step(world.snapshot(orders=(phone,)))
    (adopted,) = world.state.orders.values()
    assert (adopted.state, bool(halt.done_at)) == (OrderState.ACCEPTED, True), "placed elsewhere after it was done"


WORK = ("confirm", "refuse", "reject", "fill", "part", "due", "restart", "late")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_happens_it_never_carries_a_position_through_zero(data: st.DataObject) -> None:
    """F28: fills, rejections, lost cancels, reminders, restarts in any order; then the venue answers, and it ends."""
    world = opened()
    held = data.draw(st.sampled_from(["100", "-100", "37"]))
    world.holding(held)
    for side, quantity in data.draw(st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 60)), max_size=4)):
        limit(world, side, str(quantity), "9" if side is Side.BUY else "12")
    press(world)
    for event in data.draw(st.lists(st.sampled_from(WORK), max_size=14)):
        _happen(world, event, data)
        _assert_never_through_zero(world)
    for _ in range(60):
        _happen(world, "answer", data)
    assert world.state.halts[MAIN.key].done_at
    assert not world.state.accounts["A"].net[ACME.id]
    assert_sound(world)


def _happen(world: World, event: str, data: st.DataObject) -> None:
    working = list(world.state.accounts["A"].working.values())
    if event == "due" or not working:
        world.step(e.PanicDue())
        return
    if event == "restart":
        world.engine.state = fold(world.records)
        world.step(e.Started(run="again", version="1", at=world.now))
        world.step(world.snapshot())
        return
    order = working[0] if event == "answer" else data.draw(st.sampled_from(working))
    ours = order.source == Source.PANIC
    match event:
        case "fill":
            world.fill(order, str(order.remaining))
        case "part" if order.remaining > 1:
            world.fill(order, str(data.draw(st.integers(1, int(order.remaining) - 1))))
        case "reject" if ours and not order.filled:
            world.step(world.said(e.VenueRejected, order, reason="no"))
        case "refuse" if order.state is OrderState.CANCEL_PENDING:
            world.step(world.said(e.VenueCancelRefused, order, reason="busy"))
        case "confirm" if order.state is OrderState.CANCEL_PENDING:
            world.step(world.said(e.VenueCancelled, order))
        case "answer":
            if ours:
                world.fill(order, str(order.remaining))
            elif order.state is OrderState.CANCEL_PENDING:
                world.step(world.said(e.VenueCancelled, order))
            else:
                world.step(e.PanicDue())


def _assert_never_through_zero(world: World) -> None:
    """What the panic has sent and still works can only bring the account nearer to nothing, or to it."""
    account = world.state.accounts["A"]
    net = account.net[ACME.id]
    ours = [order for order in account.working.values() if order.source == Source.PANIC]
    for side in Side:
        sent = sum((order.remaining for order in ours if order.spec.side is side), D(0))
        assert sent <= max(D(0), -side.sign * net), (side, sent, net)


def test_scopes_cover_what_they_name(world: World) -> None:
    account = world.state.accounts["A"].account
    assert halts.over_all(world.state, account, book="manual") is None
    press(world, Scope(ScopeKind.USER, "u"))
    found = halts.over_all(world.state, account, book="manual")
    assert found is not None
    assert halts.title(world.state, found.scope) == "user u"
