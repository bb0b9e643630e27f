"""Orders in parts: as many as can be sent in time, failures that come together, and what works when it gives up."""

import pytest
from msgspec.structs import replace

from evenkeel.domain import commands as c
from evenkeel.domain import composites as d
from evenkeel.domain import events as e
from evenkeel.domain.accounts import SendRate
from evenkeel.domain.clock import SECOND
from evenkeel.domain.composites import CompositeState
from evenkeel.domain.orders import Order, OrderState, Side
from evenkeel.trading.engine.composites.children import RETRY
from evenkeel.trading.engine.composites.standing import Composite
from tests.trading.engine.composites.desks import spec
from tests.trading.engine.world import ACME, OPEN, WHO, D, World, assert_sound

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
