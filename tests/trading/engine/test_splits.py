"""Splits: every book, every working order, once; nothing gained or lost but the rounding, which is paid in cash."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain import records as r
from evenkeel.domain.marketdata import Split
from evenkeel.domain.orders import OrderKind, OrderState, Side
from evenkeel.domain.positions import PositionKey
from evenkeel.trading.brokers.splits import split_position
from evenkeel.trading.engine.state import Mark
from tests.trading.engine.world import ACME, BOLT, WHO, D, World, assert_sound, at, instrument, split_slice


@pytest.fixture
def world() -> World:
    world = World()
    world.account()
    world.price(ACME, 30.0)
    world.price(BOLT, 30.0)
    return world


def test_a_position_and_its_resting_stop(world: World) -> None:
    world.holding("100", "28")
    stop = world.resting(Side.SELL, "100", kind=OrderKind.STOP, stop_price=D("25.50"))
    take = world.resting(Side.BUY, "10", kind=OrderKind.LIMIT, limit_price=D("20.01"))
    account = world.state.accounts["A"]
    before = world.state.equity(account)
    world.step(split_slice(1))
    assert (world.position(), stop.quantity, stop.stop_price) == (D(200), D(200), D("12.75"))
    assert (take.quantity, take.limit_price) == (D(20), D("10.00")), "a limit is rounded in the order's favour"
    assert world.state.equity(account) == before
    assert account.net == {ACME.id: D(200)}
    assert world.alerts() == ["split"]
    world.step(world.execution(stop, "200", "12.70"))
    assert (stop.state, world.position()) == (OrderState.FILLED, D(0))
    held = world.state.position(PositionKey("A", "manual", ACME.id))
    assert held.realised == D("200") * D("12.70") - D("2800")
    assert_sound(world)


def test_a_split_is_applied_once(world: World) -> None:
    world.holding("100")
    for _ in range(3):
        world.step(split_slice(1))
    assert world.position() == D(200)
    assert len(world.of(r.SplitApplied)) == 1


def test_a_split_of_what_is_not_ours_is_kept_quietly(world: World) -> None:
    step = world.step(split_slice(1))
    assert [type(record) for record in step.records] == [r.DayClosed, r.SplitApplied]
    world.holding("100", of_day := "15")
    world.step(split_slice(1))
    assert world.position() == D(100), f"bought at {of_day} after the split, not before"


@pytest.mark.parametrize(("numerator", "denominator"), [(0, 1), (1, 0), (-2, 1)])
def test_a_split_that_is_none_is_refused_and_said(world: World, numerator: int, denominator: int) -> None:
    world.holding("100")
    world.step(split_slice(1, f"{numerator}:{denominator}"))
    assert (world.position(), world.alerts()) == (D(100), ["split-refused"])
    assert_sound(world)


def test_a_fraction_is_paid_in_cash_and_leaves_with_its_cost(world: World) -> None:
    world.holding("101", "30")
    world.step(split_slice(1, "1:10"))
    held = world.state.position(PositionKey("A", "manual", ACME.id))
    assert (held.quantity, held.total_cost, held.realised) == (D(10), D("3000.00"), D(0))
    (applied,) = world.of(r.SplitApplied)
    assert [(x.amount, x.component, x.book) for x in applied.entries] == [(D("30.00"), "cash in lieu", "manual")]
    assert_sound(world)


def test_less_than_a_share_is_paid_out(world: World) -> None:
    world.holding("5", "20")
    world.step(split_slice(1, "1:10"))
    held = world.state.position(PositionKey("A", "manual", ACME.id))
    assert (held.quantity, held.total_cost, held.realised) == (D(0), D(0), D("50.00"))
    assert_sound(world)


def test_fractional_lots_stay_fractional(world: World) -> None:
    world.fill(world.resting(instrument_id=BOLT.id, quantity="10.001"), "10.001")
    world.step(split_slice(1, "3:2", BOLT))
    assert world.position(of=BOLT) == D("15.001")
    (applied,) = world.of(r.SplitApplied)
    assert applied.positions[0].cash_in_lieu == D("0.01"), "half a thousandth of a share at 20"


def test_a_cost_of_many_digits_can_be_shared_out(world: World) -> None:
    fine = instrument("FINE", tick="0.000000000000000001")
    world.step(c.ListInstrument(provenance=WHO, instrument=fine))
    world.price(fine, 12345.0)
    world.fill(world.resting(instrument_id=fine.id, quantity="1234567"), "1234567", "12345.123456789012345678")
    world.step(split_slice(1, "1.12345678912:1", fine))
    assert world.position(of=fine) == D("1386982")


def test_shorts_pay_for_the_fraction(world: World) -> None:
    world.holding("-101", "30")
    world.step(split_slice(1, "1:10"))
    (applied,) = world.of(r.SplitApplied)
    assert (world.position(), applied.positions[0].cash_in_lieu) == (D(-10), D("-30.00"))
    assert_sound(world)


def test_an_order_part_filled_keeps_both_parts(world: World) -> None:
    order = world.resting(kind=OrderKind.LIMIT, limit_price=D(30))
    world.fill(order, "40", "30")
    world.step(split_slice(1))
    assert (order.quantity, order.filled, order.average_price) == (D(200), D(80), D(15))
    world.fill(order, "120", "15")
    assert (order.state, world.position()) == (OrderState.FILLED, D(200))
    assert_sound(world)


def test_an_order_with_less_than_a_lot_left_is_ended_by_the_venue(world: World) -> None:
    order = world.resting(quantity="5", kind=OrderKind.LIMIT, limit_price=D(30))
    world.step(split_slice(1, "1:10"))
    assert (order.quantity, order.remaining) == (D(0), D(0))
    world.step(world.said(e.VenueCancelled, order, reason="less than a lot is left"))
    assert order.state is OrderState.CANCELLED
    assert_sound(world)


def test_an_order_can_be_changed_after_a_split(world: World) -> None:
    order = world.resting(kind=OrderKind.LIMIT, limit_price=D(30))
    world.step(split_slice(1))
    (effect,) = world.step(c.ModifyOrder(provenance=WHO, order_id=order.id, limit_price=D("14.90"))).effects
    assert effect.amendment.spec.quantity == D(200)  # type: ignore[union-attr]


def test_the_same_client_id_still_names_the_order_after_a_split(world: World) -> None:
    order = world.resting()
    world.step(split_slice(1))
    step = world.step(c.SubmitOrder(provenance=WHO, spec=order.spec))
    assert step.outcome is not None
    assert step.outcome.id == order.id


lots = st.lists(st.integers(-300, 300).filter(bool), min_size=1, max_size=5)
ratios = st.sampled_from(["2:1", "3:2", "1:10", "7:1", "1:3", "5:4", "1:25"])


@given(lots, ratios, st.integers(100, 100_000).map(lambda cents: cents / 100))
def test_several_books_are_together_what_the_broker_has(quantities: list[int], ratio: str, price: float) -> None:
    world = World()
    account = world.account()
    world.price(ACME, price)
    for number, quantity in enumerate(quantities):
        world.holding(str(quantity), "10", book=f"book{number}")
    profit = _profit(world)
    slice_ = split_slice(1, ratio)
    world.step(slice_)
    (split,) = slice_.splits
    last = Decimal(repr(price))
    whole = split_position(D(sum(quantities)), split, instrument=ACME, last_price=last)
    assert account.net[ACME.id] == whole.quantity
    (applied,) = world.of(r.SplitApplied)
    assert sum(part.cash_in_lieu for part in applied.positions) == whole.cash_in_lieu
    world.state.marks[ACME.id] = Mark(float(last * split.denominator / split.numerator), at(1))
    allowed = Decimal("0.02") * len(quantities) + Decimal("0.005") * sum(map(abs, quantities)) * split.numerator
    assert abs(_profit(world) - profit) <= allowed, "nothing but rounding is gained or lost"
    assert_sound(world)


def _profit(world: World) -> Decimal:
    positions = world.state.accounts["A"].positions.values()
    return sum((held.realised + world.state.unrealised(held) for held in positions), D(0))


@given(lots, ratios)
def test_cost_released_and_left_are_what_was_paid(quantities: list[int], ratio: str) -> None:
    world = World()
    world.account()
    world.price(ACME, 33.33)
    for number, quantity in enumerate(quantities):
        world.holding(str(quantity), "31.17", book=f"book{number}")
    costs = {key: held.total_cost for key, held in world.state.accounts["A"].positions.items()}
    realised = {key: held.realised for key, held in world.state.accounts["A"].positions.items()}
    world.step(split_slice(1, ratio))
    for part in world.of(r.SplitApplied)[0].positions:
        held = world.state.position(part.key)
        assert held.total_cost + part.cost_released == costs[part.key]
        assert held.realised - realised[part.key] == part.cash_in_lieu - part.cost_released
        assert held.quantity or not held.total_cost


def test_only_its_own_instrument_is_split(world: World) -> None:
    world.holding("100")
    other = world.resting(instrument_id=BOLT.id)
    world.step(split_slice(1, "2:1", BOLT))
    assert (world.position(), other.quantity) == (D(100), D(200))
    assert world.state.splits_applied == {
        (BOLT.id, Split(BOLT.id, split_slice(1).splits[0].ex_date, D(2), D(1)).ex_date)
    }
