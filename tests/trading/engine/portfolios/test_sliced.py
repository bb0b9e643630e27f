"""Rebalances in slices: paced, sales before purchases where these need the cash, and on after a crash."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain.clock import SECOND
from evenkeel.domain.composite_records import CompositeStarted
from evenkeel.domain.composites import CompositeState, Fixed, Slices, Twap, Vwap
from evenkeel.domain.errors import Conflict, InvalidInput
from evenkeel.domain.execution import Execution, ExecutionKind, execution_faults
from evenkeel.domain.orders import Side
from evenkeel.domain.rebalancing import RebalanceEnded
from tests.trading.engine.portfolios.funds import fund, world
from tests.trading.engine.portfolios.test_rebalancing import held, rebalance, restarted, trade
from tests.trading.engine.world import ACME, BOLT, OPEN, WHO, World, assert_sound

D = Decimal
MINUTE = 60 * SECOND
TWAP = Execution(ExecutionKind.TWAP, 4, MINUTE)
SALE, PURCHASE = trade("-60", had="100"), trade("25", BOLT)
RICH = trade("200", BOLT)


def sliced(made: World, *trades: Any, how: Execution = TWAP, **more: Any) -> Any:
    return made.step(rebalance(*trades, execution=how, **more))


def later(made: World, minutes: float = 0.0) -> None:
    """Time passes, and what is due is done."""
    made.step(e.TimersDue(), made.now + int(minutes * MINUTE))


def fill_all(made: World) -> None:
    """Fills what works at the last prices, and what follows from that."""
    while open_ := [order for held in made.state.accounts.values() for order in held.working.values()]:
        for order in open_:
            made.fill(order, str(order.remaining), str(made.state.mark(order.spec.instrument_id)))


def through(made: World, minutes: int = 12) -> None:
    for _ in range(minutes):
        later(made, 1.0)
        fill_all(made)


def composite(made: World, number: int, account: str = "A", name: str = "r-one") -> Any:
    return made.state.composites.find(made.state.composites.names[account, f"{name}:{number}"])


def begun(made: World) -> list[str]:
    return [one.client_order_id for one in made.of(CompositeStarted)]


def test_sales_at_a_pace_and_purchases_when_there_is_cash_for_them() -> None:
    made = held()
    sliced(made, SALE, RICH)
    assert begun(made) == ["r-one:0"], "200 at 20 and a per cent are more than the 4000 it has"
    (order,) = made.state.accounts["A"].working.values()
    assert (order.spec.side, order.quantity, order.spec.book) == (Side.SELL, D(15), "fund")
    fill_all(made)
    assert begun(made) == ["r-one:0", "r-one:1"], "150 more are enough"
    assert composite(made, 0).state is CompositeState.ACTIVE, "the sale goes on"
    through(made)
    (ended,) = made.of(RebalanceEnded)
    assert (ended.success, ended.traded, ended.reasons) == (True, D(4600), ())
    assert composite(made, 1).state is CompositeState.DONE
    assert len(composite(made, 1).legs["slice"]) == 4
    assert made.state.rebalances.running == {}
    assert_sound(made)


def test_purchases_that_can_be_paid_do_not_wait_and_others_do() -> None:
    made = held()
    sliced(made, SALE, PURCHASE)
    assert begun(made) == ["r-one:0", "r-one:1"], "500 of 4000"
    poor = world()
    fund(poor, "fund", "A", cash=D(1000))
    poor.holding("100", "10", book="fund")
    sliced(poor, trade("-100", had="100"), trade("45", BOLT), how=Execution(ExecutionKind.SLICES, 2, MINUTE))
    fill_all(poor)
    assert begun(poor) == ["r-one:0"], "909 are needed, and 500 are there"
    through(poor)
    assert begun(poor) == ["r-one:0", "r-one:1"]
    assert poor.of(RebalanceEnded)[0].success
    assert_sound(poor)


def test_what_is_left_at_the_end_is_said_and_may_be_tried_again() -> None:
    made = held()
    sliced(made, SALE)
    later(made)
    fill_all(made)
    for _ in range(6):
        later(made, 1.0)
    for order in list(made.state.accounts["A"].working.values()):
        made.step(made.said(e.VenueCancelled, order))
    (ended,) = made.of(RebalanceEnded)
    assert not ended.success
    assert ended.reasons == ("SELL 60 ACME in A: 15 filled, EXPIRED: its time is over",)
    sliced(made, SALE, retry=True)
    assert composite(made, 0, name="r-one:r1").terms.order.quantity == D(45)
    through(made)
    assert made.of(RebalanceEnded)[-1].success
    assert made.of(RebalanceEnded)[-1].traded == D(600)
    assert_sound(made)


@given(cuts=st.sets(st.integers(0, 14), max_size=5))
@settings(max_examples=25, deadline=None)
def test_killed_at_any_minute_it_goes_on_and_doubles_nothing(cuts: set[int]) -> None:
    made = held()
    sliced(made, SALE, RICH)
    for minute in range(15):
        if minute in cuts:
            fill_all(made)
            restarted(made)
            made.step(e.Started(run="again", version="0", at=made.now))
            for name in ("A", "B"):
                made.step(snapshot_of(made, name))
            assert made.step(rebalance(SALE, RICH, execution=TWAP)).records == ()
        through(made, 1)
    assert begun(made) == ["r-one:0", "r-one:1"]
    assert [composite(made, number).filled["slice"] for number in (0, 1)] == [D(60), D(200)]
    assert [one.success for one in made.of(RebalanceEnded)] == [True]
    assert_sound(made)


def test_what_ends_before_an_account_is_reconciled_is_followed_once_it_is() -> None:
    """After a start the last slice, whose moment has passed, waits for its account, and so do the purchases."""
    made = held()
    sliced(made, SALE, RICH, how=Execution(ExecutionKind.SLICES, 2, MINUTE))
    assert composite(made, 0).working
    order = next(iter(made.state.accounts["A"].working.values()))
    restarted(made)
    made.step(e.Started(run="again", version="0", at=made.now))
    later(made, 5)
    made.fill(order, "30", "10")
    assert composite(made, 0).state is CompositeState.ACTIVE, "the rest is not given up"
    assert begun(made) == ["r-one:0"], "there is cash for the purchase, and no account to place it in"
    for name in ("A", "B"):
        made.step(snapshot_of(made, name))
    assert begun(made) == ["r-one:0", "r-one:1"]
    through(made)
    assert made.of(RebalanceEnded)[0].success
    assert_sound(made)


def test_a_last_slice_does_not_wait_beyond_the_end() -> None:
    made = held()
    sliced(made, SALE, how=Execution(ExecutionKind.TWAP, 2, MINUTE))
    fill_all(made)
    made.step(e.BrokerLink(account_id="A", connected=False, reason="gone"))
    later(made, 1)
    assert composite(made, 0).state is CompositeState.ACTIVE
    later(made, 1.1)
    assert composite(made, 0).state is CompositeState.EXPIRED


def snapshot_of(made: World, name: str) -> e.BrokerSnapshot:
    """A broker's picture that is what is known here: all is filled by the end of each minute."""
    net = dict[str, Decimal]()
    assert not made.state.accounts[name].working
    for position in made.state.accounts[name].positions.values():
        if position.quantity:
            net[position.key.instrument_id] = net.get(position.key.instrument_id, D(0)) + position.quantity
    held_there = [e.BrokerPosition(account_id=name, instrument_id=one, quantity=much) for one, much in net.items()]
    return e.BrokerSnapshot(account_id=name, complete=True, positions=tuple(held_there))


def test_paces() -> None:
    at = 10 * MINUTE
    assert TWAP.pace(ACME.id, at=at) == Twap(at, at + 4 * MINUTE, MINUTE)
    assert Execution(ExecutionKind.SLICES, 3, MINUTE).pace(ACME.id, at=at) == Fixed(3, MINUTE)
    usual = Execution(ExecutionKind.VWAP, 2, MINUTE, at, {ACME.id: (0.1, 0.4, 0.3, 0.2)})
    assert usual.pace(ACME.id, at=at) == Vwap(at, at + 2 * MINUTE, MINUTE, (0.1, 0.4))
    assert usual.pace(ACME.id, at=at + MINUTE + 1) == Vwap(at + MINUTE + 1, at + 3 * MINUTE + 1, MINUTE, (0.4, 0.3))
    assert isinstance(usual.pace(ACME.id, at=at + 3 * MINUTE), Twap), "what is known does not reach so far"
    assert isinstance(usual.pace(BOLT.id, at=at), Twap)


def test_what_makes_no_sense_is_declined() -> None:
    assert [one.field for one in execution_faults(Execution(ExecutionKind.TWAP, 1, 5))] == ["slices", "duration"]
    assert [one.field for one in execution_faults(Execution(count=4))] == ["slices"]
    assert execution_faults(TWAP) == execution_faults(Execution()) == []
    made = held()
    fault = made.declined(rebalance(SALE, execution=Execution(ExecutionKind.TWAP, 1, MINUTE)))
    assert isinstance(fault, InvalidInput)
    assert fault.errors[0].field == "trades.0.every"


def test_one_thing_at_a_time_is_traded() -> None:
    """A sliced order of the portfolio, between two of its slices, is in the way as one that works is."""
    made = held()
    spec = made.spec(Side.SELL, "10", book="fund")
    terms = Slices(spec, Twap(made.now + MINUTE, made.now + 3 * MINUTE, MINUTE))
    made.step(c.SubmitComposite(provenance=WHO, terms=terms, client_order_id="mine"))
    assert isinstance(made.declined(rebalance(SALE)), Conflict)


@pytest.mark.parametrize("how", [ExecutionKind.SLICES, ExecutionKind.TWAP])
def test_a_refusal_of_the_whole_ends_it(how: ExecutionKind) -> None:
    made = held()
    made.step(c.SetLimits(provenance=WHO, account_id="A", limits=replace(OPEN, max_position_share=D("0.01"))))
    sliced(made, trade("100", BOLT), how=Execution(how, 2, MINUTE))
    (ended,) = made.of(RebalanceEnded)
    assert not ended.success
    assert ended.reasons[0].startswith("BUY 100 BOLT in A: 0 filled, REFUSED: ")
