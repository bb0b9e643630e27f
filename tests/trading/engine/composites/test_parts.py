"""Orders in parts: as many as can be sent in time, failures that come together, and what works when it gives up."""

import pytest
from msgspec.structs import replace

from evenkeel.domain import commands as c
from evenkeel.domain import composites as d
from evenkeel.domain import events as e
from evenkeel.domain.accounts import SendRate
from evenkeel.domain.clock import SECOND
from evenkeel.domain.composite_records import CompositeMoved
from evenkeel.domain.composites import CompositeState
from evenkeel.domain.orders import Order, OrderKind, OrderState, Side
from evenkeel.trading.engine.composites.children import RETRY
from evenkeel.trading.engine.composites.standing import Composite
from tests.trading.engine.composites.desks import spec
from tests.trading.engine.world import ACME, BOLT, OPEN, WHO, D, World, assert_sound

LIMITED = replace(OPEN, rate=SendRate(8.0, 4))
QUEUE = 14


@pytest.fixture
def world() -> World:
    world = World()
    world.account(limits=LIMITED)
    world.price(ACME, 10)
    return world


def slices(count: int, pace: d.Pace) -> d.Slices:
    return d.Slices(spec(Side.BUY, str(10 * count), limit_price="9"), pace)


def submit(world: World, terms: d.Terms, name: str) -> Composite:
    step = world.step(c.SubmitComposite(provenance=WHO, client_order_id=name, terms=terms))
    assert step.outcome is not None
    one = world.state.composites.find(step.outcome.id)
    assert one is not None
    return one


def parts(world: World, count: int) -> Composite:
    return submit(world, slices(count, d.Parts(D(10))), "parts")


def placed(world: World, one: Composite) -> list[Order]:
    return [world.state.orders[name] for name in one.legs["slice"]]


def rest(world: World, orders: list[Order]) -> None:
    for order in orders:
        world.step(world.said(e.VenueAccepted, order))


def reject(world: World, orders: list[Order]) -> None:
    for order in orders:
        world.step(world.said(e.VenueRejected, order, reason="no"))


def test_a_hundred_parts_follow_as_those_before_go_out(world: World) -> None:
    one = parts(world, 100)
    for gone in range(100):
        assert len(placed(world, one)) == min(gone + QUEUE, 100)
        rest(world, placed(world, one)[gone : gone + 1])
    assert {order.state for order in placed(world, one)} == {OrderState.ACCEPTED}
    assert (one.state, one.failures) == (CompositeState.ACTIVE, 0)
    assert_sound(world)


def test_while_others_fill_the_queue_it_looks_again_when_there_may_be_room(world: World) -> None:
    others = [world.submit(Side.BUY, "1") for _ in range(QUEUE - 1)]
    one = parts(world, 3)
    assert (len(placed(world, one)), one.wake) == (1, world.now + SECOND)
    world.step(world.said(e.VenueAccepted, others[0]))
    assert len(placed(world, one)) == 1
    world.step(e.TimersDue(), one.wake)
    assert (len(placed(world, one)), one.state) == (2, CompositeState.ACTIVE)
    assert_sound(world)


@pytest.mark.parametrize("is_off", [False, True])
def test_where_nothing_is_to_be_done_any_more_when_it_looks_again_it_looks_no_more(
    world: World, *, is_off: bool
) -> None:
    others = [world.submit(Side.BUY, "1") for _ in range(QUEUE - 1)]
    one = parts(world, 3)
    if is_off:
        world.step(e.BrokerLink(account_id="A", connected=False, reason="gone"))
    else:
        rest(world, others)
        rest(world, placed(world, one))
    world.step(e.TimersDue(), world.now + SECOND)
    assert (len(placed(world, one)), one.state, one.wake) == (1 if is_off else 3, CompositeState.ACTIVE, 0)
    assert_sound(world)


def test_while_others_fill_the_queue_it_looks_again_ever_more_seldom(world: World) -> None:
    others = [world.submit(Side.BUY, "1") for _ in range(QUEUE - 1)]
    one = parts(world, 3)
    before = len(world.of(CompositeMoved))
    for _ in range(300):
        world.step(e.TimersDue(), world.now + SECOND)
    assert len(world.of(CompositeMoved)) - before < 20
    rest(world, others)
    world.step(e.TimersDue(), world.now + RETRY)
    assert len(placed(world, one)) == 3
    assert_sound(world)


def test_parts_that_close_a_position_are_not_kept_back_by_a_full_queue(world: World) -> None:
    world.holding("30")
    for _ in range(QUEUE):
        world.submit(Side.BUY, "1", instrument_id=BOLT.id, kind=OrderKind.LIMIT, limit_price=D(5))
    one = submit(world, d.Slices(spec(Side.SELL, "30"), d.Parts(D(10))), "out")
    assert {order.state for order in placed(world, one)} == {OrderState.SUBMITTED}
    assert len(placed(world, one)) == 3
    assert_sound(world)


def test_parts_that_go_past_what_is_held_wait_once_that_is_being_closed(world: World) -> None:
    world.holding("20")
    for _ in range(QUEUE - 1):
        world.submit(Side.BUY, "1", instrument_id=BOLT.id, kind=OrderKind.LIMIT, limit_price=D(5))
    one = submit(world, d.Slices(spec(Side.SELL, "40", client_order_id="mine-1"), d.Parts(D(10))), "turn")
    assert len(placed(world, one)) == 2
    assert_sound(world)


def test_parts_that_come_to_nothing_together_are_one_failure(world: World) -> None:
    one = parts(world, 8)
    rest(world, placed(world, one)[:3])
    reject(world, placed(world, one)[3:])
    assert (one.state, one.failures, len(one.working)) == (CompositeState.PAUSED, 1, 3)
    again = one.wake
    assert world.now < again <= world.now + RETRY
    world.step(e.TimersDue(), again)
    assert (one.state, len(placed(world, one)), len(one.working)) == (CompositeState.ACTIVE, 13, 8)
    assert_sound(world)


def give_up(world: World, one: Composite) -> None:
    """All but the first two parts come to nothing, three times in a row."""
    rest(world, placed(world, one)[:2])
    for failures in (1, 2, 3):
        reject(world, [order for order in placed(world, one) if order.state is OrderState.SUBMITTED])
        assert one.failures == failures
        if failures < 3:
            world.step(e.TimersDue(), one.wake)


def test_what_works_is_left_at_work_when_the_rest_is_given_up(world: World) -> None:
    one = parts(world, 4)
    first, second = placed(world, one)[:2]
    give_up(world, one)
    assert (one.state, one.wake, len(one.working)) == (CompositeState.PAUSED, 0, 2)
    assert world.alerts().count("composite-paused") == 3
    assert "3 times in a row" in (one.reason or "")
    world.step(e.TimersDue(), world.now + 10 * RETRY)
    assert len(placed(world, one)) == 8, "nothing more is placed"
    world.step(world.said(e.VenueCancelled, first))
    assert first.id not in one.working
    assert one.state is CompositeState.PAUSED
    world.step(world.said(e.VenueCancelled, second))
    assert one.state is CompositeState.FAILED
    assert_sound(world)


def test_a_fill_of_what_works_starts_the_count_anew(world: World) -> None:
    one = parts(world, 4)
    first = placed(world, one)[0]
    give_up(world, one)
    world.fill(first, "10", "9")
    assert (one.state, one.failures, len(one.working)) == (CompositeState.ACTIVE, 0, 3)
    rest(world, placed(world, one)[-2:])
    for order in [world.state.orders[name] for name in one.working]:
        world.fill(order, "10", "9")
    assert one.state is CompositeState.DONE
    assert_sound(world)


@pytest.mark.parametrize("first_fills", [False, True])
def test_a_target_stops_what_has_given_up_and_places_the_rest(world: World, *, first_fills: bool) -> None:
    """What it has yet to place would follow a fill only, and then go past the target."""
    one = parts(world, 4)
    at_work = placed(world, one)[:2]
    give_up(world, one)
    steps = [world.step(replace(target(40), client_order_id=name)) for name in ("goal", "again")]
    found = [step.outcome for step in steps if step.outcome is not None]
    assert [outcome.stopped for outcome in found] == [(one.id,), ()]
    assert [part.order_id for part in found[0].parts if not part.created] == [order.id for order in at_work]
    new = [world.state.orders[part.order_id] for outcome in found for part in outcome.parts if part.created]
    assert [(order.spec.side, order.quantity) for order in new] == [(Side.BUY, 40)]
    if first_fills:
        world.fill(at_work[0], "10", "9")
    for order in at_work[first_fills:]:
        world.step(world.said(e.VenueCancelled, order))
    assert (one.state, len(placed(world, one))) == (CompositeState.CANCELLED, 8)
    assert_sound(world)


def target(quantity: int) -> c.TargetPosition:
    return c.TargetPosition(
        provenance=WHO,
        account_id="A",
        instrument_id=ACME.id,
        book="manual",
        quantity=D(quantity),
        client_order_id="goal",
    )


@pytest.mark.parametrize(
    ("limit", "rule"), [("max_trades_per_day", "max-trades-per-day"), ("max_open_orders", "max-open-orders")]
)
def test_parts_that_its_limits_would_stop_midway_are_refused_as_a_whole(world: World, limit: str, rule: str) -> None:
    world.step(c.SetLimits(provenance=WHO, account_id="A", limits=replace(OPEN, **{limit: 5})))
    refused = submit(world, slices(6, d.Parts(D(10))), "six")
    assert (refused.state, refused.rule, refused.limit) == (CompositeState.REFUSED, rule, "5")
    assert not world.state.orders
    exact = submit(world, slices(5, d.Parts(D(10))), "five")
    assert (exact.state, len(exact.working)) == (CompositeState.ACTIVE, 5)
    assert_sound(world)


def test_slices_by_the_clock_and_legs_count_as_trades_of_the_day(world: World) -> None:
    world.step(
        c.SetLimits(provenance=WHO, account_id="A", limits=replace(OPEN, max_trades_per_day=3, max_open_orders=1))
    )
    assert submit(world, slices(8, d.Fixed(4, SECOND)), "four").rule == "max-trades-per-day"
    assert submit(world, d.Legs(tuple(spec(Side.BUY, "1") for _ in range(4))), "legs").rule == "max-trades-per-day"
    later = world.state.accounts["A"].day_end + SECOND
    assert submit(world, slices(8, d.Twap(later, later + 8 * SECOND, SECOND)), "tomorrow").rule is None
    assert submit(world, slices(8, d.Fixed(3, SECOND)), "three").state is CompositeState.ACTIVE
    assert_sound(world)
