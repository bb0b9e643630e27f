"""Baskets: judged in sequence or together, with cash and limits shared; recalled by client ids, declined whole."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from evenkeel.domain import commands as c
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Limits, SendRate
from evenkeel.domain.errors import IdempotencyConflict, InvalidInput, NotFound, QueueFull
from evenkeel.domain.orders import Order, OrderKind, OrderSpec, OrderState, Side, TimeInForce, Trail, Trigger
from evenkeel.trading.engine.effects import Outcome, SendOrder
from tests.trading.engine.world import ACME, BOLT, OPEN, WHO, D, World, assert_sound, fold, instrument

CASH = Limits(max_position_share=None, daily_loss=None, max_trades_per_day=None)


def desk(limits: Limits = OPEN, cash: str = "100000") -> World:
    world = World()
    world.account(limits=limits, cash=cash)
    world.price(ACME, 10.0)
    world.price(BOLT, 10.0)
    return world


def submit(world: World, *orders: OrderSpec, together: bool = False) -> Outcome:
    outcome = world.step(c.SubmitBasket(provenance=WHO, orders=orders, together=together)).outcome
    assert outcome is not None
    return outcome


def orders_of(world: World, outcome: Outcome) -> list[Order]:
    return [world.state.orders[part.order_id] for part in outcome.parts]


def test_each_order_is_judged_by_itself_and_answered_in_sequence() -> None:
    world = desk(CASH, cash="1500")
    outcome = submit(world, world.spec(quantity="100"), world.spec(quantity="100"), world.spec(quantity="40"))
    assert [(one.state, one.rule) for one in orders_of(world, outcome)] == [
        (OrderState.SUBMITTED, None),
        (OrderState.REFUSED, "cash"),
        (OrderState.SUBMITTED, None),
    ]
    assert [part.created for part in outcome.parts] == [True, True, True]
    assert len([effect for effect in world.effects if isinstance(effect, SendOrder)]) == 2
    assert_sound(world)


def test_together_none_is_sent_if_one_is_refused_and_the_others_name_it() -> None:
    world = desk(CASH, cash="1500")
    outcome = submit(world, *(world.spec(quantity=quantity) for quantity in ("100", "100", "10")), together=True)
    first, second, third = orders_of(world, outcome)
    assert [one.state for one in (first, second, third)] == [OrderState.REFUSED] * 3
    assert (second.rule, first.rule, third.rule) == ("cash", "basket", "basket")
    assert first.value == third.value == second.spec.client_order_id
    assert first.reason is not None
    assert "refused by cash" in first.reason
    assert world.sent() == []
    assert not world.state.accounts["A"].working
    assert world.state.accounts["A"].trades_today == 0
    assert_sound(world)


def test_together_cash_and_limits_are_shared() -> None:
    limits = Limits(max_position_share=None, daily_loss=None, max_trades_per_day=2, cash_check=False)
    world = desk(limits)
    outcome = submit(world, *(world.spec(quantity="1") for _ in range(3)), together=True)
    assert [one.rule for one in orders_of(world, outcome)] == ["basket", "basket", "max-trades-per-day"]
    outcome = submit(world, *(world.spec(quantity="1") for _ in range(2)), together=True)
    assert [one.state for one in orders_of(world, outcome)] == [OrderState.SUBMITTED] * 2
    assert world.state.accounts["A"].trades_today == 2
    assert_sound(world)


@pytest.mark.parametrize("together", [False, True])
def test_what_could_never_be_sent_in_time_is_declined_whole(*, together: bool) -> None:
    world = desk(structs.replace(OPEN, rate=SendRate(8.0, 4)))
    many = tuple(world.spec(quantity="1") for _ in range(75))
    command = c.SubmitBasket(provenance=WHO, orders=many, together=together)
    error = world.declined(command)
    assert isinstance(error, InvalidInput)
    assert error.errors[0].field == "orders"
    assert "at most 14 at once" in error.errors[0].message
    assert not world.state.orders
    assert {one.state for one in orders_of(world, submit(world, *many[:14], together=together))} == {
        OrderState.SUBMITTED
    }
    assert isinstance(world.declined(structs.replace(command, orders=many[14:15])), QueueFull)
    assert len(submit(world, *many[:14], together=together).parts) == 14, "what is there already is found again"


def test_what_waits_here_and_what_takes_risk_off_is_not_kept_back_by_a_queue() -> None:
    world = desk(structs.replace(OPEN, rate=SendRate(8.0, 4, queue=2)))
    held = tuple(world.spec(quantity="1", trigger=Trigger(D(20))) for _ in range(9))
    assert {one.state for one in orders_of(world, submit(world, *held))} == {OrderState.HELD}
    world.holding("100")
    sales = tuple(world.spec(Side.SELL, quantity="1") for _ in range(9))
    assert {one.state for one in orders_of(world, submit(world, *sales))} == {OrderState.SUBMITTED}
    assert_sound(world)


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("is_exit_first", [False, True])
def test_exits_take_no_place_of_an_entry_beside_them(*, together: bool, is_exit_first: bool) -> None:
    world = desk(structs.replace(OPEN, rate=SendRate(1.0, 1)))
    world.holding("100")
    leave, enter = world.spec(Side.SELL, "100"), world.spec(quantity="1", instrument_id=BOLT.id)
    both = (leave, enter) if is_exit_first else (enter, leave)
    found = {one.spec.side: one for one in orders_of(world, submit(world, *both, together=together))}
    assert found[Side.SELL].state is OrderState.SUBMITTED
    assert found[Side.BUY].rule == ("queue-full" if is_exit_first and not together else None), "as one after the other"
    assert_sound(world)


@pytest.mark.parametrize("account_id", ["A", "B"])
def test_entries_without_a_place_keep_no_exit_of_their_basket_from_being_placed(account_id: str) -> None:
    world = desk(structs.replace(OPEN, rate=SendRate(8.0, 4, queue=2)))
    world.account("B")
    world.holding("100", account_id=account_id)
    entries = tuple(world.spec(quantity="1", instrument_id=BOLT.id) for _ in range(3))
    stop = world.spec(
        Side.SELL, "60", account_id=account_id, kind=OrderKind.STOP, stop_price=D(9), time_in_force=TimeInForce.GTC
    )
    command = c.SubmitBasket(provenance=WHO, orders=(*entries, stop), together=True)
    error = world.declined(command)
    assert isinstance(error, InvalidInput)
    assert "at most 2 at once" in error.errors[0].message
    assert "of which 3 are here" in error.errors[0].message
    found = orders_of(world, submit(world, *entries, stop))
    assert [one.rule for one in found] == [None, None, "queue-full", None]
    assert [one.state for one in found[2:]] == [OrderState.REFUSED, OrderState.SUBMITTED]
    later = world.spec(quantity="1", instrument_id=BOLT.id)
    assert isinstance(world.declined(c.SubmitBasket(provenance=WHO, orders=(later,))), QueueFull)
    other = world.spec(Side.SELL, "40", account_id=account_id, kind=OrderKind.LIMIT, limit_price=D(12))
    assert [one.rule for one in orders_of(world, submit(world, later, other))] == ["queue-full", None]
    assert_sound(world)


def test_all_that_passes_goes_out_in_one_batch() -> None:
    world = desk()
    step = world.step(c.SubmitBasket(provenance=WHO, orders=tuple(world.spec() for _ in range(100)), together=True))
    assert len(step.records) == len(step.effects) == 100
    causes = {record.provenance.cause_id for record in step.records if isinstance(record, r.OrderDecided)}
    assert len(causes) == 1
    assert_sound(world)


@pytest.mark.parametrize("together", [False, True])
def test_the_same_basket_again_is_the_same_orders(together: bool) -> None:
    world = desk()
    orders = (world.spec(), world.spec(Side.SELL))
    first = submit(world, *orders, together=together)
    seq = world.state.seq
    again = submit(world, *orders, together=together)
    assert world.state.seq == seq
    assert not again.created
    assert [part.order_id for part in again.parts] == [part.order_id for part in first.parts]
    assert not any(part.created for part in again.parts)


def test_orders_that_go_together_are_all_new_or_all_known() -> None:
    world = desk()
    one, two = world.spec(), world.spec()
    submit(world, one)
    assert isinstance(
        world.declined(c.SubmitBasket(provenance=WHO, orders=(one, two), together=True)), IdempotencyConflict
    )
    outcome = submit(world, one, two)
    assert [part.created for part in outcome.parts] == [False, True]


@pytest.mark.parametrize("together", [False, True])
def test_the_other_mode_is_another_body_after_a_restart_too(together: bool) -> None:
    world = desk()
    orders = (world.spec(), world.spec(Side.SELL))
    submit(world, *orders, together=together)
    world.engine.state = fold(world.records)
    error = world.declined(c.SubmitBasket(provenance=WHO, orders=orders, together=not together))
    assert isinstance(error, IdempotencyConflict)
    assert "order 1" in error.message
    assert "another mode" in error.message
    assert not submit(world, *orders, together=together).created


def test_together_a_trailing_buy_counts_at_its_stop() -> None:
    """Cash for one at 110 is not cash for two, though it would be at the last price."""
    more: dict[str, Any] = {"kind": OrderKind.TRAILING_STOP, "trail": Trail(D(100)), "time_in_force": TimeInForce.GTC}
    world = desk(CASH, cash="1800")
    world.submit(quantity="10", **more)
    assert world.submit(quantity="10", **more).rule == "cash", "one after the other"
    world = desk(CASH, cash="1800")
    outcome = submit(world, *(world.spec(quantity="10", **more) for _ in range(2)), together=True)
    assert [one.rule for one in orders_of(world, outcome)] == ["basket", "cash"]


def test_a_basket_with_a_fault_is_declined_with_every_fault() -> None:
    world = desk()
    good = world.spec()
    bad = (
        world.spec(kind=OrderKind.LIMIT),
        world.spec(instrument_id="none"),
        world.spec(client_order_id=good.client_order_id),
    )
    error = world.declined(c.SubmitBasket(provenance=WHO, orders=(good, *bad)))
    assert isinstance(error, InvalidInput)
    assert [fault.field for fault in error.errors] == [
        "orders.1.limit_price",
        "orders.2.symbol",
        "orders.0.client_order_id",
        "orders.3.client_order_id",
    ]
    assert isinstance(world.declined(c.SubmitBasket(provenance=WHO, orders=())), InvalidInput)
    assert isinstance(world.declined(c.SubmitBasket(provenance=WHO, orders=(world.spec(account_id="B"),))), NotFound)


def test_another_body_under_a_known_id_declines_the_whole() -> None:
    world = desk()
    known = world.submit()
    other = world.spec(quantity="7", client_order_id=known.spec.client_order_id)
    error = world.declined(c.SubmitBasket(provenance=WHO, orders=(world.spec(), other)))
    assert isinstance(error, IdempotencyConflict)
    assert "order 2" in error.message


@pytest.mark.parametrize("together", [False, True])
def test_what_money_cannot_hold_is_refused_and_takes_nothing_with_it(together: bool) -> None:
    fine = instrument("FINE", tick="0.000000001", lot="0.000000001")
    world = World(ACME, fine)
    world.account()
    world.price(fine, 10.0)
    sums = (("9" * 17, "999999999999"), ("0.000000001", "0.000000001"), ("1", "1"))
    orders = [
        world.spec(quantity=quantity, kind=OrderKind.LIMIT, limit_price=D(price), instrument_id=fine.id)
        for quantity, price in sums
    ]
    found = orders_of(world, submit(world, *orders, together=together))
    assert found[-1].rule == "exact-money"
    assert [one.rule for one in found[:-1]] == ["basket" if together else None] * 2
    if together:
        assert_sound(world)


def test_accounts_are_judged_each_by_its_own_limits() -> None:
    world = desk()
    world.account("B", cash="100", limits=CASH)
    outcome = submit(world, world.spec(), world.spec(account_id="B"), together=True)
    assert [one.rule for one in orders_of(world, outcome)] == ["basket", "cash"]


sides = st.sampled_from([Side.BUY, Side.SELL])
quantities = st.integers(1, 120).map(str)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(sides, quantities, st.sampled_from([ACME, BOLT]), st.booleans()), min_size=1, max_size=12),
    st.booleans(),
)
def test_a_basket_ends_as_the_same_orders_one_after_the_other(
    wanted: list[tuple[Side, str, object, bool]], together: bool
) -> None:
    """Each: exactly as single orders. Together: sent exactly when none of those would have been refused."""
    limits = Limits(max_position_share=Decimal("0.8"), daily_loss=None, max_trades_per_day=10, allow_short=False)
    ours, theirs = desk(limits, cash="3000"), desk(limits, cash="3000")
    specs = [
        ours.spec(
            side,
            quantity,
            instrument_id=of.id,  # type: ignore[attr-defined]
            kind=OrderKind.LIMIT if limited else OrderKind.MARKET,
            limit_price=D("9.5") if limited else None,
        )
        for side, quantity, of, limited in wanted
    ]
    singles = [theirs.step(c.SubmitOrder(provenance=WHO, spec=spec)).outcome for spec in specs]
    alone = [theirs.state.orders[one.id] for one in singles if one is not None]
    found = orders_of(ours, submit(ours, *specs, together=together))
    if not together:
        assert [(one.state, one.rule, one.value) for one in found] == [(o.state, o.rule, o.value) for o in alone]
    else:
        refused = [one.spec.client_order_id for one in found if one.rule not in (None, "basket")]
        assert bool(refused) is any(one.state is OrderState.REFUSED for one in alone)
        assert {one.state for one in found} == {OrderState.REFUSED if refused else OrderState.SUBMITTED}
        if refused:
            assert refused[0] == next(o.spec.client_order_id for o in alone if o.state is OrderState.REFUSED)
    assert_sound(ours)
    assert fold(ours.records).accounts["A"].trades_today == ours.state.accounts["A"].trades_today
