"""Signals: folded once, sized by equity, traded only when the target changes, and never more than was meant."""

import pytest

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Limits
from evenkeel.domain.errors import InvalidInput, NotFound
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.orders import OrderKind, OrderState, Side
from evenkeel.domain.sizing import Cash, Kelly, PercentOfEquity, Sizing, Units, VolatilityTarget
from evenkeel.domain.strategies import Action, Allocation, Signal
from evenkeel.trading.engine.closing import legs
from evenkeel.trading.engine.effects import SendCancel
from tests.trading.engine.world import ACME, BOLT, WHO, D, World, assert_sound, instrument


@pytest.fixture
def world() -> World:
    world = World()
    world.account()
    world.price(ACME, 10.0)
    world.deploy(("A", "0.5"))
    return world


def fill_all(world: World, price: str = "10") -> None:
    for order in tuple(world.state.accounts["A"].working.values()):
        if order.state in (OrderState.SUBMITTED, OrderState.ACCEPTED):
            world.fill(order, str(order.remaining), price)


def test_a_target_becomes_an_order_with_its_cause(world: World) -> None:
    world.signal(1.0)
    (order,) = world.state.orders.values()
    (signal,) = world.of(r.SignalRecorded)
    (decided,) = world.of(r.OrderDecided)
    assert (order.spec.book, order.spec.side, order.quantity, order.spec.kind) == ("trend", Side.BUY, D(5000), "MARKET")
    assert order.spec.client_order_id == f"{signal.id}:0"
    assert (decided.provenance.cause_id, decided.provenance.actor) == (signal.id, "trend")
    assert decided.provenance.strategy_version == "sma 1"
    assert (signal.action, signal.folded) == (Action.BUY, 1.0)


@pytest.mark.parametrize(
    ("wishes", "actions", "folded"),
    [
        ([1.0, 1.0, None, 1.0], ["BUY", "HOLD", "HOLD", "HOLD"], 1.0),
        ([None, 0.0], ["HOLD", "HOLD"], 0.0),
        ([1.0, 0.5, None, -0.5], ["BUY", "SELL", "HOLD", "SELL"], -0.5),
        ([-1.0, None, 0.0], ["SELL", "HOLD", "BUY"], 0.0),
    ],
)
def test_folding(world: World, wishes: list[float | None], actions: list[str], folded: float) -> None:
    for wish in wishes:
        orders = len(world.state.orders)
        step = world.signal(wish)
        changed = next(x for x in step.records if isinstance(x, r.SignalRecorded)).action is not Action.HOLD
        assert (len(world.state.orders) > orders) is changed, "no order without a change of target"
        fill_all(world)
    assert [record.action for record in world.of(r.SignalRecorded)] == actions
    assert world.state.deployments["trend"].targets == {ACME.id: folded}
    assert_sound(world)


@pytest.mark.parametrize(
    ("share", "wish", "price", "count", "expected"),
    [
        ("0.5", 1.0, 10.0, 1, "5000"),
        ("0.5", 0.5, 10.0, 1, "2500"),
        ("0.5", 1.0, 10.0, 2, "2500"),
        ("0.5", -0.25, 10.0, 1, "-1250"),
        ("0.1", 1.0, 33.33, 1, "300"),
        ("0.1", -1.0, 33.33, 1, "-300"),
        ("1", 1.0, 0.01, 1, "10000000"),
    ],
)
def test_sizing_is_by_share_of_equity_in_whole_lots(
    share: str, wish: float, price: float, count: int, expected: str
) -> None:
    world = World()
    world.account()
    world.price(ACME, price)
    world.deploy(("A", share), of=(ACME, BOLT)[:count])
    world.signal(wish)
    assert world.sent() == [("A", D(expected))]


def test_sizing_knows_lots_and_multipliers() -> None:
    gold = instrument("GOLD", tick="0.1", lot="5", multiplier="10")
    world = World(gold)
    world.account()
    world.price(gold, 20.0)
    world.deploy(("A", "0.5"), of=(gold,))
    world.signal(1.0, of=gold)
    assert world.sent() == [("A", D(250))]


@pytest.mark.parametrize(
    ("sizing", "wish", "expected"),
    [
        (Units(D(30)), 1.0, "30"),
        (Units(D(30)), -0.5, "-15"),
        (Units(D("0.9")), 1.0, None),
        (Cash(D(999)), 1.0, "99"),
        (Cash(D(999)), -0.5, "-49"),
        (PercentOfEquity(), 1.0, "5000"),
        (PercentOfEquity(D("0.5")), 1.0, "2500"),
        (PercentOfEquity(D(3)), -1.0, "-15000"),
    ],
)
def test_a_deployment_may_say_what_a_target_stands_for(sizing: Sizing, wish: float, expected: str | None) -> None:
    world = World()
    world.account()
    world.price(ACME, 10.0)
    world.deploy(("A", "0.5"), sizing=sizing)
    world.signal(wish)
    assert world.sent() == ([] if expected is None else [("A", D(expected))])
    assert_sound(world)


@pytest.mark.parametrize(
    ("sizing", "wish", "scale", "expected"),
    [
        (VolatilityTarget(0.1, most=2.0), 1.0, 0.5, "2500"),
        (VolatilityTarget(0.1, most=2.0), -0.5, 3.0, "-5000"),
        (VolatilityTarget(0.1), 1.0, 0.0, None),  # no size yet
        (Kelly(most=2.0), 1.0, 0.25, "1250"),
        (Kelly(most=2.0), -1.0, -0.25, "-1250"),
        (Kelly(most=2.0), -1.0, 0.25, None),  # against its edge
        (Kelly(most=0.5), 1.0, 4.0, "2500"),
        (PercentOfEquity(), 1.0, 0.1, "5000"),  # no size of the market's
    ],
)
def test_a_size_that_follows_the_market_travels_with_the_signal(
    sizing: Sizing, wish: float, scale: float, expected: str | None
) -> None:
    world = World()
    world.account()
    world.price(ACME, 10.0)
    world.deploy(("A", "0.5"), sizing=sizing)
    world.step(c.TakeSignal(provenance=WHO, signal=Signal("trend", ACME.id, world.now, wish, scale=scale)))
    assert world.sent() == ([] if expected is None else [("A", D(expected))])
    assert world.of(r.SignalRecorded)[0].scale == scale
    assert_sound(world)


def test_a_share_of_equity_is_parted_and_units_are_not() -> None:
    world = World()
    world.account()
    world.price(ACME, 10.0)
    world.deploy(("A", "1"), of=(ACME, BOLT), sizing=PercentOfEquity())
    world.deploy(("A", "1"), of=(ACME, BOLT), sizing=Units(D(7)), book="units")
    world.signal(1.0)
    world.signal(1.0, book="units")
    assert world.sent() == [("A", D(5000)), ("A", D(7))]


def whole(target: float | None, of: Instrument, *, rebalance: bool = False) -> c.TakeSignal:
    """A signal of a strategy of several instruments."""
    return c.TakeSignal(provenance=WHO, signal=Signal("trend", of.id, 0, target, whole=True, rebalance=rebalance))


@pytest.mark.parametrize(
    ("sizing", "expected"),
    [
        (None, ["3000", "-2000"]),
        (PercentOfEquity(D("0.5")), ["1500", "-1000"]),
        (Units(D(10)), ["6", "-4"]),
        (Cash(D(1000)), ["60", "-40"]),
    ],
)
def test_a_target_of_the_whole_is_not_parted(sizing: Sizing | None, expected: list[str]) -> None:
    world = World()
    world.account()
    world.price(ACME, 10.0)
    world.price(BOLT, 10.0)
    world.deploy(("A", "0.5"), of=(ACME, BOLT), sizing=sizing)
    world.step(whole(0.6, ACME))
    world.step(whole(-0.4, BOLT))
    assert world.sent() == [("A", D(quantity)) for quantity in expected]
    assert [record.whole for record in world.of(r.SignalRecorded)] == [True, True]
    assert_sound(world)


def test_rebalancing_trades_back_to_a_target_that_has_not_changed(world: World) -> None:
    """5,000 bought at 10; at 12 half of the equity is 4,583; of what is left at 8, it is 5,729."""
    world.signal(1.0)
    fill_all(world)
    world.price(ACME, 12.0)
    world.signal(1.0)
    assert len(world.sent()) == 1, "left to drift"
    for price, expected in ((12.0, -417), (8.0, 1146)):
        world.price(ACME, price)
        world.step(c.TakeSignal(provenance=WHO, signal=Signal("trend", ACME.id, 0, None, rebalance=True)))
        assert world.sent()[-1] == ("A", D(expected))
        fill_all(world, str(price))
    last = world.of(r.SignalRecorded)[-1]
    assert (last.action, last.rebalance, last.folded) == (Action.HOLD, True, 1.0)
    world.step(c.TakeSignal(provenance=WHO, signal=Signal("trend", ACME.id, 0, 1.0, rebalance=True)))
    assert len(world.sent()) == 3, "nothing is off"
    assert_sound(world)


def test_rebalancing_tries_again_what_was_refused() -> None:
    world = World()
    world.account(limits=Limits(max_position_share=D("0.1")))
    world.price(ACME, 10.0)
    world.deploy(("A", "1"))
    world.signal(0.5)
    world.signal(0.5)
    assert len(world.of(r.OrderDecided)) == 1
    world.step(c.TakeSignal(provenance=WHO, signal=Signal("trend", ACME.id, 0, None, rebalance=True)))
    assert [decided.approved for decided in world.of(r.OrderDecided)] == [False, False]


def test_an_account_taken_away_is_sold_out_whatever_the_sizing() -> None:
    world = World()
    world.account()
    world.price(ACME, 10.0)
    world.deploy(("A", "1"), sizing=Units(D(7)))
    world.signal(1.0)
    fill_all(world)
    world.step(c.ChangeDeployment(provenance=WHO, deployment_id="trend", accounts=()))
    world.signal(0.5)
    assert world.sent() == [("A", D(7)), ("A", D(-7))]


def test_signals_that_keep_or_repeat_the_target_can_be_left_out() -> None:
    """What the backtest does: it hands on the changes alone, and targets and orders are the same."""
    wishes = [None, 1.0, 1.0, None, 0.5, 0.5, None, None, 0.0, 0.0, -1.0, None]
    every, changes = World(), World()
    for world in (every, changes):
        world.account()
        world.price(ACME, 10.0)
        world.deploy(("A", "0.5"), sizing=Units(D(8)))
    folded = 0.0
    for wish in wishes:
        every.signal(wish)
        fill_all(every)
        if wish is not None and wish != folded:
            folded = wish
            changes.signal(wish)
            fill_all(changes)
    assert every.state.deployments["trend"].targets == changes.state.deployments["trend"].targets
    assert every.sent() == changes.sent()


def test_sizing_counts_what_is_held(world: World) -> None:
    world.holding("1000", "10")
    world.price(ACME, 20.0, 1)
    world.signal(1.0)
    assert world.sent()[-1] == ("A", D(2750)), "half of 110,000 at 20"


@pytest.mark.parametrize(
    ("now", "wanted", "expected"),
    [
        ("0", "100", ["100"]),
        ("100", "100", []),
        ("100", "0", ["-100"]),
        ("100", "40", ["-60"]),
        ("100", "-50", ["-100", "-50"]),
        ("-50", "100", ["50", "100"]),
        ("0", "-5", ["-5"]),
        ("0", "0", []),
    ],
)
def test_legs(now: str, wanted: str, expected: list[str]) -> None:
    assert legs(D(now), D(wanted)) == tuple(map(D, expected))


def test_through_zero_in_two_legs_so_that_closing_never_waits_for_opening(world: World) -> None:
    world.signal(1.0)
    fill_all(world)
    world.step(e.BrokerLink("A", connected=False))
    world.signal(-1.0)
    close, reopen = tuple(world.state.orders.values())[1:]
    assert (close.state, close.quantity) == (OrderState.SUBMITTED, D(5000))
    assert (reopen.state, reopen.rule) == (OrderState.REFUSED, "account-ready")
    assert close.spec.client_order_id[:-2] == reopen.spec.client_order_id[:-2]


def test_what_was_refused_is_not_tried_again_before_the_next_change(world: World) -> None:
    world.step(e.BrokerLink("A", connected=False))
    world.signal(1.0)
    world.step(world.snapshot())
    world.signal(1.0)
    world.signal(None)
    assert [order.state for order in world.state.orders.values()] == [OrderState.REFUSED]
    world.signal(0.5)
    assert world.sent() == [("A", D(2500))]
    held = world.state.deployments["trend"]
    assert (held.orders, held.refusals) == (2, 1)


def test_orders_on_their_way_count(world: World) -> None:
    world.signal(1.0)
    world.signal(0.5)
    buy, *rest = world.state.orders.values()
    assert buy.state is OrderState.CANCEL_PENDING, "too much is on its way: it is taken back first"
    assert [order.quantity for order in rest] == [D(2500)]
    world.signal(1.0)
    assert [quantity for _, quantity in world.sent()] == [D(5000), D(2500), D(2500)]


def test_an_exit_in_the_middle_of_a_partial_fill_leaves_nothing_behind(world: World) -> None:
    world.signal(1.0)
    (entry,) = world.state.orders.values()
    world.step(world.said(e.VenueAccepted, entry))
    world.fill(entry, "1500")
    world.signal(0.0)
    leave = tuple(world.state.orders.values())[1]
    assert isinstance(world.effects[-2], SendCancel)
    assert (entry.state, leave.state, leave.quantity) == (OrderState.CANCEL_PENDING, OrderState.SUBMITTED, D(1500))
    world.step(world.said(e.VenueCancelled, entry))
    fill_all(world)
    assert world.position("trend") == 0
    assert_sound(world)


def test_a_change_of_mind_in_the_middle_of_an_exit(world: World) -> None:
    world.signal(1.0)
    fill_all(world)
    world.signal(0.0)
    leave = tuple(world.state.orders.values())[1]
    world.step(world.said(e.VenueAccepted, leave))
    world.fill(leave, "2000")
    world.signal(1.0)
    assert leave.state is OrderState.CANCEL_PENDING
    assert world.sent()[-1] == ("A", D(2000))


def test_a_resting_stop_is_not_on_its_way(world: World) -> None:
    world.signal(0.5)
    fill_all(world)
    world.resting(Side.SELL, "2500", kind=OrderKind.STOP, stop_price=D(8), book="trend")
    world.signal(1.0)
    assert world.sent()[-1] == ("A", D(2500))


def test_a_disabled_or_paused_deployment_does_not_trade(world: World) -> None:
    world.step(c.ChangeDeployment(provenance=WHO, deployment_id="trend", enabled=False))
    assert world.signal(1.0).records == ()
    world.step(c.ChangeDeployment(provenance=WHO, deployment_id="trend", enabled=True))
    world.step(c.PauseDeployment(provenance=WHO, deployment_id="trend", reason="a missed deadline"))
    world.step(c.PauseDeployment(provenance=WHO, deployment_id="trend", reason="again"))
    assert world.signal(1.0).records == ()
    assert world.alerts() == ["strategy-paused"]
    assert world.state.deployments["trend"].deployment.paused == "a missed deadline"
    world.step(c.ChangeDeployment(provenance=WHO, deployment_id="trend", enabled=True))
    world.signal(1.0)
    assert world.sent() == [("A", D(5000))]
    assert_sound(world)


def test_a_new_share_takes_effect_at_the_next_change_of_target(world: World) -> None:
    world.signal(1.0)
    fill_all(world)
    shares = (Allocation("A", D("0.1")),)
    world.step(c.ChangeDeployment(provenance=WHO, deployment_id="trend", accounts=shares))
    world.signal(1.0)
    assert len(world.sent()) == 1
    world.signal(0.5)
    assert world.sent()[-1] == ("A", D(-4500))


def test_an_account_taken_away_is_still_left_in_order(world: World) -> None:
    world.account("B")
    world.signal(1.0)
    fill_all(world)
    shares = (Allocation("B", D("0.5")),)
    world.step(c.ChangeDeployment(provenance=WHO, deployment_id="trend", accounts=shares))
    world.signal(0.5)
    assert world.sent()[1:] == [("B", D(2500)), ("A", D(-5000))]
    assert_sound(world)


def test_every_account_gets_its_own(world: World) -> None:
    world.account("B", "1000")
    world.account("C", "250000")
    world.deploy(("C", "0.2"), ("B", "0.01"), book="other")
    world.signal(1.0, "other")
    assert world.sent() == [("C", D(5000)), ("B", D(1))]


def test_without_a_price_a_person_is_told(world: World) -> None:
    world.deploy(("A", "0.5"), book="blind", of=(BOLT,))
    world.signal(1.0, "blind", BOLT)
    assert world.alerts() == ["no-price"]
    assert world.sent() == []
    world.signal(0.0, "blind", BOLT)
    assert world.sent() == []


@pytest.mark.parametrize("wish", [1.5, -1.0001, float("nan"), float("inf")])
def test_targets_outside_the_range_are_declined(world: World, wish: float) -> None:
    error = world.declined(c.TakeSignal(provenance=WHO, signal=Signal("trend", ACME.id, 0, wish)))
    assert isinstance(error, InvalidInput)
    assert error.errors[0].field == "target"


def test_signals_of_nobody_and_for_nothing_are_declined(world: World) -> None:
    strange = c.TakeSignal(provenance=WHO, signal=Signal("nobody", ACME.id, 0, 1.0))
    other = c.TakeSignal(provenance=WHO, signal=Signal("trend", BOLT.id, 0, 1.0))
    assert isinstance(world.declined(strange), NotFound)
    assert isinstance(world.declined(other), InvalidInput)


def test_no_account_with_equity_means_no_order() -> None:
    world = World()
    world.account(cash="0")
    world.price(ACME, 10.0)
    world.deploy(("A", "0.5"))
    world.signal(1.0)
    assert world.sent() == []
