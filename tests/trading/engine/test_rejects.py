"""Too many orders that come to nothing: who is halted, by which limit, how a person lifts it, and what a restart knows.

Through the engine's one path, with a venue made of the events that a test hands in.
"""

import msgspec
import pytest

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain.accounts import Limits, SendRate
from evenkeel.domain.clock import SECOND
from evenkeel.domain.composites import SLICE, Bracket, CompositeState, Iceberg
from evenkeel.domain.errors import Conflict, InvalidInput
from evenkeel.domain.limit_records import RejectsHalted
from evenkeel.domain.limits import Layer, LimitScope, RuleSet
from evenkeel.domain.orders import Order, OrderKind, OrderState, Side, TimeInForce
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.trading.engine.composites import children
from evenkeel.trading.engine.turn import Turn
from tests.trading.engine.test_layers import passes
from tests.trading.engine.world import ACME, WHO, D, World, assert_sound, fold

MAIN = LimitScope(Layer.ACCOUNT, "A")
LIMITS = Limits(
    None, None, None, allow_short=True, cash_check=False, max_order_quantity=D(100), max_rejects=3, reject_window=10
)


def desk(limits: Limits = LIMITS) -> World:
    world = World()
    world.account("A", limits=limits)
    world.price(ACME, 10.0)
    world.deploy(("A", "1"))
    return world


def refuse(world: World, book: str = "manual") -> None:
    """An order that is too large, a second after whatever was before."""
    world.now += SECOND
    assert world.submit(Side.BUY, "101", book=book).rule == "max-order-quantity"


def test_one_below_the_limit_goes_on_and_the_limit_itself_halts() -> None:
    """F28: venue and risk count alike, each under the limit by one, and then at it."""
    world = desk()
    refuse(world)
    world.step(world.said(e.VenueRejected, world.submit(Side.BUY, "1"), reason="no"))
    assert passes(world.submit(Side.BUY, "1"))
    refuse(world)
    (halted,) = world.of(RejectsHalted)
    assert (halted.count, halted.limit, halted.window) == (3, 3, 10)
    refused = world.submit(Side.BUY, "1")
    assert (refused.rule, refused.limit, refused.value, refused.layer) == (
        "max-rejects", "3 in 10 s", "3", Layer.ACCOUNT,
    )  # fmt: skip
    assert "see why, then lift the halt" in (refused.reason or "")
    assert world.alerts().count("rejects-halted") == 1
    assert_sound(world)


def test_what_reduces_passes_and_what_panics_ask() -> None:
    """I8: of a halted account a position can be closed, by hand and by panic."""
    world = desk()
    world.holding("50")
    for _ in range(3):
        refuse(world)
    assert passes(world.submit(Side.SELL, "20"))
    panic = Provenance("panic", Source.PANIC)
    spec = world.spec(Side.SELL, "30")
    step = world.step(c.SubmitOrder(provenance=panic, spec=spec))
    assert step.outcome is not None
    assert passes(world.state.orders[step.outcome.id])


def test_those_of_long_ago_count_no_more() -> None:
    world = desk()
    refuse(world)
    refuse(world)
    world.now += 9 * SECOND
    refuse(world)
    assert passes(world.submit(Side.BUY, "1"))
    refuse(world)
    assert passes(world.submit(Side.BUY, "1"))
    refuse(world)
    assert world.submit(Side.BUY, "1").rule == "max-rejects"


def test_a_strategy_is_paused_alone_and_its_account_goes_on() -> None:
    """F28: a runaway strategy stops; what others do in the same account does not."""
    world = desk()
    for _ in range(3):
        refuse(world, "trend")
    deployment = world.state.deployments["trend"].deployment
    assert "3 orders came to nothing within 10 seconds in account A" in (deployment.paused or "")
    assert world.alerts()[-1] == "strategy-paused"
    assert passes(world.submit(Side.BUY, "1"))
    refuse(world)
    refuse(world)
    assert passes(world.submit(Side.BUY, "1")), "those of the strategy are forgotten"
    world.signal(1.0)
    assert world.state.deployments["trend"].last_signal is None, "it is asked nothing any more"
    world.step(c.ChangeDeployment(provenance=WHO, deployment_id="trend", enabled=True))
    assert world.state.deployments["trend"].is_running
    assert_sound(world)


def ask(world: World, quantity: str, *, name: str = "") -> Order:
    """An order that the strategy's host asks for."""
    spec = world.spec(Side.BUY, quantity, book="trend", **({"client_order_id": name} if name else {}))
    step = world.step(c.SubmitOrder(provenance=Provenance("trend", Source.DEPLOYMENT), spec=spec))
    assert step.outcome is not None
    return world.state.orders[step.outcome.id]


def test_what_a_strategy_had_asked_for_before_it_was_paused_is_not_placed() -> None:
    """F28: the rest of a burst neither trades nor takes the account down with it."""
    world = desk()
    first = ask(world, "1", name="first")
    assert passes(first)
    assert [ask(world, "101").rule for _ in range(3)] == ["max-order-quantity"] * 3
    late = ask(world, "1")
    assert (late.rule, late.limit, late.value) == ("strategy-running", "running", "paused")
    assert "trend is paused and places no orders: 3 orders came to nothing" in (late.reason or "")
    assert [ask(world, "101").rule for _ in range(9)] == ["strategy-running"] * 9
    assert world.state.accounts["A"].standing.barred is None
    assert passes(world.submit(Side.BUY, "1")), "the account goes on, and so does a person in the strategy's book"
    assert passes(world.submit(Side.BUY, "1", book="trend"))
    assert ask(world, "1", name="first") is first, "what was placed before is found again"
    world.step(c.ChangeDeployment(provenance=WHO, deployment_id="trend", enabled=True))
    assert passes(ask(world, "1"))
    world.step(c.ChangeDeployment(provenance=WHO, deployment_id="trend", enabled=False))
    assert ask(world, "1").reason == "trend is off and places no orders"
    assert_sound(world)


def test_a_bracket_that_a_paused_strategy_had_asked_for_is_refused_as_a_whole() -> None:
    world = desk()
    world.step(c.ChangeDeployment(provenance=WHO, deployment_id="trend", enabled=False))
    terms = Bracket(world.spec(Side.BUY, "1", book="trend"), stop_loss=D(9))
    by = Provenance("trend", Source.DEPLOYMENT)
    step = world.step(c.SubmitComposite(provenance=by, client_order_id="one", terms=terms))
    assert step.outcome is not None
    found = world.state.composites.find(step.outcome.id)
    assert found is not None
    assert found.state is CompositeState.REFUSED
    assert not world.state.accounts["A"].working


def test_a_strategy_has_the_limit_of_its_own_layer() -> None:
    world = desk()
    own = RuleSet(max_rejects=2, reject_window=60)
    world.step(c.SetScopeLimits(provenance=WHO, scope=LimitScope(Layer.STRATEGY, "trend"), rules=own))
    refuse(world, "trend")
    assert world.state.deployments["trend"].is_running
    refuse(world, "trend")
    assert not world.state.deployments["trend"].is_running


def test_it_is_lifted_by_a_person_and_counted_anew() -> None:
    world = desk()
    assert isinstance(world.declined(c.LiftHalt(provenance=WHO, scope=MAIN)), Conflict)
    for _ in range(3):
        refuse(world)
    restarted = fold(world.records)
    assert restarted.accounts["A"].standing.barred is not None, "a restart lifts nothing"
    world.step(c.LiftHalt(provenance=WHO, scope=MAIN))
    assert world.alerts()[-1] == "rejects-lifted"
    refuse(world)
    refuse(world)
    assert passes(world.submit(Side.BUY, "1"))
    assert_sound(world)


def test_a_shut_door_says_nothing_of_who_knocks() -> None:
    """Orders to an account that is not ready are refused for that, and its owner has nothing to lift afterwards."""
    world = desk()
    world.step(e.BrokerLink("A", connected=False))
    for _ in range(5):
        assert world.submit(Side.BUY, "1").rule == "account-ready"
    world.step(world.snapshot())
    assert passes(world.submit(Side.BUY, "1"))


def test_our_own_queue_says_nothing_of_who_orders() -> None:
    """What we cannot send in time is neither a reject when it is refused, nor when it has waited too long."""
    world = desk(msgspec.structs.replace(LIMITS, rate=SendRate(4.0, 2, queue=3)))
    waiting = [world.submit(Side.BUY, "1") for _ in range(3)]
    assert [world.submit(Side.BUY, "1").rule for _ in range(5)] == ["queue-full"] * 5
    for order in waiting:
        world.step(e.IntentOverdue(order.id))
    assert {order.state for order in waiting} == {OrderState.EXPIRED_UNSENT}
    assert passes(world.submit(Side.BUY, "1"))
    assert not world.state.accounts["A"].standing.rejects


def test_a_basket_that_fails_as_one_counts_what_was_wrong_with_it_once() -> None:
    world = desk()
    good = [world.spec(Side.BUY, "1") for _ in range(5)]
    bad = world.spec(Side.BUY, "101")
    world.step(c.SubmitBasket(provenance=WHO, orders=(*good, bad), together=True))
    assert len(world.state.accounts["A"].standing.rejects) == 1


def test_it_is_a_rule_of_accounts_and_strategies_that_has_both_its_parts() -> None:
    world = desk()
    rules = RuleSet(max_rejects=2, reject_window=60)
    error = world.declined(c.SetScopeLimits(provenance=WHO, scope=LimitScope(Layer.PLATFORM), rules=rules))
    assert isinstance(error, InvalidInput)
    half = RuleSet(max_rejects=2)
    scope = LimitScope(Layer.STRATEGY, "trend")
    error = world.declined(c.SetScopeLimits(provenance=WHO, scope=scope, rules=half))
    assert isinstance(error, InvalidInput)
    assert error.errors[0].field == "rules.reject_window"


def test_turned_off_nothing_is_halted() -> None:
    world = desk(Limits(None, None, None, allow_short=True, cash_check=False, max_order_quantity=D(100)))
    for _ in range(30):
        refuse(world)
    assert passes(world.submit(Side.BUY, "1"))


def test_the_parts_of_an_order_are_never_for_more_than_it() -> None:
    """F28: whoever works out a part wrongly is stopped before it is placed."""
    world = desk()
    lead = world.spec(Side.BUY, "50", kind=OrderKind.LIMIT, limit_price=D(9), time_in_force=TimeInForce.GTC)
    world.step(c.SubmitComposite(provenance=WHO, client_order_id="ice", terms=Iceberg(lead, D(20))))
    (one,) = world.state.composites.values()
    turn = Turn(world.state, world.engine.ids, world.now, 0)
    with pytest.raises(AssertionError, match="would be for more than 50"):
        children.place(turn, one, leg=SLICE, spec=msgspec.structs.replace(lead, quantity=D(31)))
    assert children.place(turn, one, leg=SLICE, spec=msgspec.structs.replace(lead, quantity=D(30)))
