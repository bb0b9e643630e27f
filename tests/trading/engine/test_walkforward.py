"""Walk-forward sessions in the engine: opened whole or not at all, started, stopped, closed and frozen."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Account, AccountMode, AccountType, FillTerms, Marking
from evenkeel.domain.composites import Fixed, Slices
from evenkeel.domain.errors import Conflict, EvenkeelError, Forbidden, InvalidInput, NotFound
from evenkeel.domain.marketdata import MarketSlice, Quote
from evenkeel.domain.orders import Order, OrderKind, OrderState, Side, TimeInForce, Trigger
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.strategies import Allocation, Deployment, Protection
from evenkeel.domain.walkforward import SessionCompleted, SessionMoved, SessionStatus, WalkForwardSession
from evenkeel.trading.engine.sessions import SessionState
from evenkeel.trading.engine.walkforward import MAX_TRIES, margin_of
from tests.trading.engine.world import ACME, BOLT, OPEN, WHO, D, World, assert_sound, at, bar, fold

RUNNING, STOPPED = SessionStatus.RUNNING, SessionStatus.STOPPED
CLOSING, COMPLETED = SessionStatus.CLOSING, SessionStatus.COMPLETED


def account_of(name: str = "S", **more: Any) -> Account:
    given: dict[str, Any] = {"mode": AccountMode.WALKFORWARD, "type": AccountType.MARGIN, "limits": OPEN} | more
    return Account(id=name, user_id="u", name=name, broker="sim", currency="USD", **given)


def deployment(name: str = "trend", share: str = "0.5", **more: Any) -> Deployment:
    return Deployment(name, name, "sma", "1", {}, (ACME.id,), (Allocation("S", D(share)),), **more)


def opening(*deployments: Deployment, account: Account | None = None, **more: Any) -> c.OpenSession:
    session = WalkForwardSession("one", "S", "u", "S", **({"capital": D("100000")} | more))
    return c.OpenSession(provenance=WHO, session=session, account=account or account_of(), deployments=deployments)


def opened(*deployments: Deployment, start: bool = True, **more: Any) -> World:
    world = World()
    world.step(opening(*deployments, **more))
    world.step(e.BrokerSnapshot(account_id="S", complete=True))
    world.price(ACME, 10.0)
    if start:
        world.step(c.StartSession(provenance=WHO, session_id="one"))
    return world


def session(world: World) -> SessionState:
    return world.state.walkforwards["one"]


def working(world: World) -> list[Order]:
    return list(world.state.accounts["S"].working.values())


def buying(world: World, quantity: str = "100", **more: Any) -> Order:
    order = world.resting(quantity=quantity, account_id="S", **more)
    world.fill(order, str(order.quantity))
    return order


def fill_all(world: World) -> None:
    for order in working(world):
        world.step(world.said(e.VenueAccepted, order))
        world.fill(order, str(order.remaining))


def cancelled(world: World) -> list[str]:
    asked = [one.order_id for one in world.of(r.OrderMoved) if one.state is OrderState.CANCEL_PENDING]
    for order_id in asked:
        order = world.state.orders[order_id]
        if order.is_working:
            world.step(world.said(e.VenueCancelled, order))
    return asked


def test_a_session_opens_with_its_account_capital_and_strategies_and_is_stopped() -> None:
    world = opened(deployment(), start=False)
    held = session(world)
    assert (held.status, held.session.costs, held.session.brokerage_rate) == (STOPPED, False, D("0.0003"))
    assert world.state.accounts["S"].cash == {"USD": D(100_000)}
    assert world.state.accounts["S"].session is held
    assert list(world.state.deployments) == ["trend"]
    assert WalkForwardSession("x", "X", "u", "a").capital == D(1_000_000)
    assert_sound(world)


@pytest.mark.parametrize(
    ("command", "error", "field"),
    [
        (opening(account=account_of(mode=AccountMode.PAPER)), Forbidden, None),
        (opening(account=account_of(mode=AccountMode.LIVE)), Forbidden, None),
        (opening(account=account_of("T")), InvalidInput, "account"),
        (opening(account=account_of(costs="free")), NotFound, None),
        (opening(account=account_of(terms=FillTerms(queue=-1.0))), InvalidInput, "terms.queue"),
        (opening(capital=D("0.001")), InvalidInput, "cash"),
        (opening(brokerage_rate=D(1)), InvalidInput, "brokerage_rate"),
        (opening(replace(deployment(), instrument_ids=("no",))), InvalidInput, "strategies.0.symbols"),
        (opening(deployment("a"), deployment("a")), InvalidInput, "strategies.1.name"),
        (opening(deployment(share="2")), InvalidInput, "strategies.0.accounts.0.allocation"),
    ],
)
def test_what_cannot_be_opened_leaves_nothing(
    command: c.OpenSession, error: type[EvenkeelError], field: str | None
) -> None:
    world = World()
    found = world.declined(command)
    assert type(found) is error
    if field is not None:
        assert isinstance(found, InvalidInput)
        assert [fault.field for fault in found.errors] == [field]


def test_names_are_taken_once() -> None:
    world = opened(deployment())
    assert isinstance(world.declined(opening()), Conflict)
    other = WalkForwardSession("two", "s", "u", "T")
    taken = c.OpenSession(provenance=WHO, session=other, account=replace(account_of("T"), name="s"))
    assert isinstance(world.declined(taken), InvalidInput)


def test_a_walk_forward_account_is_opened_by_its_session_only() -> None:
    world = World()
    command = c.OpenAccount(provenance=WHO, account=account_of(), initial_cash=D(1))
    assert isinstance(world.declined(command), Forbidden)


def test_strategies_trade_while_the_session_runs_and_not_while_it_is_stopped() -> None:
    world = opened(deployment(), start=False)
    world.signal(1.0)
    assert world.sent() == []
    assert world.state.deployments["trend"].targets == {ACME.id: 1.0}
    world.step(c.StartSession(provenance=WHO, session_id="one"))
    world.signal(0.5)
    assert world.sent() == [("S", D(2500))]
    fill_all(world)
    world.step(c.StopSession(provenance=WHO, session_id="one"))
    world.signal(0.0)
    assert world.sent() == [("S", D(2500))]
    assert_sound(world)


def test_a_strategy_of_two_accounts_goes_on_in_the_other() -> None:
    world = World()
    world.account("A")
    world.step(opening())
    world.step(e.BrokerSnapshot(account_id="S", complete=True))
    world.price(ACME, 10.0)
    world.deploy(("A", "0.1"), ("S", "0.1"))
    world.signal(1.0)
    assert world.sent() == [("A", D(1000))]


@pytest.mark.parametrize("source", [Source.USER, Source.DEPLOYMENT])
def test_an_order_of_a_stopped_session_is_refused_by_name(source: Source) -> None:
    world = opened()
    world.step(c.StopSession(provenance=WHO, session_id="one"))
    by = Provenance("anna", source)
    world.step(c.SubmitOrder(provenance=by, spec=world.spec(account_id="S")))
    order = list(world.state.orders.values())[-1]
    assert (order.state, order.rule) == (OrderState.REFUSED, "session-running")
    assert order.reason == "session S is stopped, and takes no orders"


def test_a_person_may_reduce_what_a_stopped_session_holds_and_a_strategy_may_not() -> None:
    world = opened()
    buying(world)
    world.step(c.StopSession(provenance=WHO, session_id="one"))
    for source, state in ((Source.DEPLOYMENT, OrderState.REFUSED), (Source.USER, OrderState.SUBMITTED)):
        by = Provenance("anna", source)
        world.step(c.SubmitOrder(provenance=by, spec=world.spec(Side.SELL, "40", account_id="S")))
        assert list(world.state.orders.values())[-1].state is state


def test_stopping_cancels_what_works_and_keeps_what_is_held_with_its_exits() -> None:
    world = opened(deployment(protection=Protection(stop_loss=0.1)))
    world.signal(1.0)
    fill_all(world)
    guards = [order.id for order in working(world)]
    entry = world.resting(kind=OrderKind.LIMIT, limit_price=D(9), account_id="S")
    world.step(c.StopSession(provenance=WHO, session_id="one"))
    assert cancelled(world) == [entry.id]
    assert [order.id for order in working(world)] == guards
    assert world.position("trend", account_id="S") == D(5000)
    assert (session(world).status, session(world).closing) == (STOPPED, False)
    assert_sound(world)


def test_stopping_with_close_waits_for_cancels_then_closes_each_book() -> None:
    world = opened(deployment(protection=Protection(stop_loss=0.1)))
    world.signal(1.0)
    fill_all(world)
    buying(world, "30", instrument_id=BOLT.id)
    before = len(world.sent())
    world.step(c.StopSession(provenance=WHO, session_id="one", close=True))
    assert world.sent()[before:] == [("S", D(-30))]
    assert cancelled(world)
    assert world.sent()[before:] == [("S", D(-30)), ("S", D(-5000))]
    assert all(order.spec.time_in_force is TimeInForce.GTC for order in working(world))
    fill_all(world)
    assert (session(world).status, session(world).closing) == (STOPPED, False)
    assert world.state.closing_sessions == {}
    world.step(c.StartSession(provenance=WHO, session_id="one"))
    assert session(world).is_running
    assert_sound(world)


def test_a_partial_fill_and_what_is_traded_meanwhile_are_closed_too() -> None:
    world = opened()
    buying(world)
    late = world.resting(quantity="10", account_id="S")
    world.step(c.StopSession(provenance=WHO, session_id="one", close=True))
    world.fill(late, "4")
    world.step(world.said(e.VenueCancelled, late))
    assert world.sent()[-1] == ("S", D(-104))
    closing = working(world)[0]
    world.step(world.said(e.VenueAccepted, closing))
    world.fill(closing, "60")
    assert len(working(world)) == 1
    world.fill(closing, "44")
    assert world.position(account_id="S") == 0
    assert not session(world).closing


def test_completing_closes_then_freezes_and_removes_its_strategies() -> None:
    world = opened(deployment())
    world.signal(1.0)
    fill_all(world)
    world.price(ACME, 12.0, 1)
    world.step(c.CompleteSession(provenance=WHO, session_id="one"))
    assert session(world).status is CLOSING
    closing = working(world)[0]
    world.step(world.said(e.VenueAccepted, closing))
    world.fill(closing, str(closing.quantity), "12")
    held = session(world)
    assert held.status is COMPLETED
    assert held.figures is not None
    assert (held.figures.equity, held.figures.cash, held.figures.fills) == (D(110_000), D(110_000), 2)
    assert held.figures.growth == pytest.approx(1.1)
    this = world.state.deployments["trend"].deployment
    assert (this.removed, this.enabled) == (True, False)
    assert "session-completed" in world.alerts()
    assert world.of(r.DayClosed)[-1].equity == D(110_000)
    assert_sound(world)


def test_an_empty_session_is_completed_at_once() -> None:
    world = opened()
    step = world.step(c.CompleteSession(provenance=WHO, session_id="one"))
    assert [type(record) for record in step.records][-2:] == [SessionCompleted, r.AlertRaised]
    assert session(world).status is COMPLETED


def test_figures_stay_frozen_whatever_comes_after() -> None:
    world = opened()
    buying(world)
    world.step(c.CompleteSession(provenance=WHO, session_id="one"))
    fill_all(world)
    frozen, days = session(world).figures, len(world.of(r.DayClosed))
    for day in range(1, 9):
        world.price(ACME, 10.0 + day, day)
    assert session(world).figures == frozen
    assert len(world.of(r.DayClosed)) == days
    for command in (
        c.StartSession(provenance=WHO, session_id="one"),
        c.StopSession(provenance=WHO, session_id="one"),
        c.MoveCash(provenance=WHO, account_id="S", amount=D(5)),
    ):
        assert isinstance(world.declined(command), Conflict)
    assert not world.step(c.CompleteSession(provenance=WHO, session_id="one")).records
    assert world.submit(account_id="S").rule == "session-running"


def test_a_strategy_of_two_accounts_loses_this_one() -> None:
    world = World()
    world.account("A")
    world.step(opening())
    world.step(e.BrokerSnapshot(account_id="S", complete=True))
    world.deploy(("A", "0.1"), ("S", "0.1"))
    world.step(c.CompleteSession(provenance=WHO, session_id="one"))
    this = world.state.deployments["trend"].deployment
    assert (this.accounts, this.removed) == ((Allocation("A", D("0.1")),), False)


def test_an_account_that_is_not_compared_with_its_broker_is_closed_once_it_is() -> None:
    world = opened()
    buying(world)
    world.step(e.BrokerLink("S", connected=False, reason="gone"))
    world.step(c.CompleteSession(provenance=WHO, session_id="one"))
    assert working(world) == []
    world.step(e.BrokerLink("S", connected=True))
    world.step(world.snapshot("S"))
    assert [order.spec.side for order in working(world)] == [Side.SELL]


def test_what_no_order_can_close_stops_the_session_and_is_told() -> None:
    world = opened()
    buying(world)
    world.step(c.CompleteSession(provenance=WHO, session_id="one"))
    for _ in range(MAX_TRIES):
        [order] = working(world)
        world.step(world.said(e.VenueRejected, order, reason="not today"))
    assert working(world) == []
    assert (session(world).status, session(world).closing) == (STOPPED, False)
    assert session(world).reason == "what it holds could not be closed"
    assert world.alerts()[-1] == "session-stuck"
    world.step(c.CompleteSession(provenance=WHO, session_id="one"))
    assert len(working(world)) == 1
    assert_sound(world)


def test_a_restart_in_the_middle_of_closing_goes_on() -> None:
    world = opened()
    buying(world)
    world.step(c.CompleteSession(provenance=WHO, session_id="one"))
    again = fold(world.records)
    assert again.closing_sessions.keys() == {"one"}
    assert again.walkforwards["one"] == session(world)
    assert again.accounts["S"].session is again.walkforwards["one"]


@pytest.mark.parametrize("make", [c.StartSession, c.StopSession, c.CompleteSession])
def test_a_session_that_is_not_there_is_not_found(make: Callable[..., Any]) -> None:
    assert isinstance(World().declined(make(provenance=WHO, session_id="none")), NotFound)


def test_times_of_start_and_stop_are_those_of_the_last_run() -> None:
    world = opened(start=False)
    world.now = at(1)
    world.step(c.StartSession(provenance=WHO, session_id="one"))
    world.now = at(2)
    world.step(c.StopSession(provenance=WHO, session_id="one"))
    assert (session(world).started_at, session(world).stopped_at) == (at(1), at(2))
    world.now = at(3)
    world.step(c.StartSession(provenance=WHO, session_id="one"))
    assert (session(world).started_at, session(world).stopped_at) == (at(1), 0)
    assert [one.status for one in world.of(SessionMoved)] == [RUNNING, STOPPED, RUNNING]


def test_marking_by_bars_leaves_quotes_out() -> None:
    world = opened(account=account_of(terms=FillTerms(marking=Marking.BAR)))
    world.account("A")
    for name in ("S", "A"):
        order = world.resting(quantity="100", account_id=name)
        world.fill(order, "100")
    world.step(MarketSlice(at(0) + 1, quotes=(Quote(ACME.id, at(0) + 1, 10.9, 11.1, 11.0),)))
    state = world.state
    assert [state.equity(state.accounts[name]) for name in ("S", "A")] == [D(100_000), D(100_100)]
    world.price(ACME, 12.0, 1)
    assert [state.equity(state.accounts[name]) for name in ("S", "A")] == [D(100_200), D(100_200)]


def test_margin_is_a_share_of_what_is_held_long_or_short() -> None:
    world = opened(account=account_of(terms=FillTerms(margin=0.25)))
    assert margin_of(world.state, world.state.accounts["S"]) == 0
    buying(world, "100")
    short = world.resting(Side.SELL, "40", account_id="S", book="other")
    world.fill(short, "40")
    assert margin_of(world.state, world.state.accounts["S"]) == D("350.00")
    world.account("A")
    assert margin_of(world.state, world.state.accounts["A"]) is None


def test_a_paper_account_at_a_real_broker_is_declined() -> None:
    world = World()
    world.state.real = frozenset({"sim"})
    assert isinstance(world.declined(opening()), Forbidden)
    paper = c.OpenAccount(provenance=WHO, account=replace(account_of(), mode=AccountMode.PAPER), initial_cash=D(1))
    assert isinstance(world.declined(paper), Forbidden)


MOVES = ("start", "stop", "stop-close", "complete", "buy", "sell", "signal", "fill", "cancels", "bar", "snapshot")


@settings(max_examples=60, deadline=None)
@given(moves=st.lists(st.sampled_from(MOVES), max_size=25))
def test_whatever_happens_a_session_that_is_stopped_adds_no_risk_and_a_completed_one_holds_nothing(
    moves: list[str],
) -> None:
    world = opened(deployment())
    for number, move in enumerate(moves):
        sent, idle = len(world.sent()), session(world).idle
        _do(world, move, number)
        held = world.state.accounts["S"].net.get(ACME.id, D(0))
        for _, signed in world.sent()[sent:]:
            if idle and session(world).idle:
                assert (signed > 0) != (held > 0)
                assert abs(signed) <= abs(held)
        if session(world).status is COMPLETED:
            assert not any(world.state.accounts["S"].net.values())
            assert working(world) == []
    assert_sound(world)


def _do(world: World, move: str, number: int) -> None:
    with suppress(EvenkeelError):
        match move:
            case "start":
                world.step(c.StartSession(provenance=WHO, session_id="one"))
            case "stop" | "stop-close":
                world.step(c.StopSession(provenance=WHO, session_id="one", close=move == "stop-close"))
            case "complete":
                world.step(c.CompleteSession(provenance=WHO, session_id="one"))
            case "buy" | "sell":
                world.submit(Side.BUY if move == "buy" else Side.SELL, "10", account_id="S")
            case "signal":
                world.signal((1.0, 0.0, -0.5, 0.3)[number % 4])
            case "fill":
                fill_all(world)
            case "cancels":
                cancelled(world)
            case "bar":
                world.step(MarketSlice(at(number), bars=(bar(ACME, number, 10.0 + number % 3),)), at(number))
            case _:
                world.step(world.snapshot("S"))


def test_what_waits_in_the_engine_is_cancelled_too() -> None:
    world = opened()
    buying(world)
    waiting = world.submit(
        Side.SELL, "40", account_id="S", kind=OrderKind.LIMIT, limit_price=D(12), trigger=Trigger(D(11), rises=True)
    )
    assert waiting.state is OrderState.HELD
    world.step(c.CompleteSession(provenance=WHO, session_id="one"))
    assert waiting.state is OrderState.CANCELLED
    fill_all(world)
    assert session(world).status is COMPLETED


def test_composite_orders_of_a_stopped_session_place_nothing_more() -> None:
    world = opened()
    lead = world.spec(quantity="90", account_id="S")
    slices = Slices(lead, Fixed(count=3, every=60 * 10**9))
    world.step(c.SubmitComposite(provenance=WHO, client_order_id="sliced", terms=slices))
    first = len(world.sent())
    assert first
    world.step(c.StopSession(provenance=WHO, session_id="one"))
    cancelled(world)
    for minute in range(1, 6):
        world.step(e.TimersDue(), at(0) + minute * 60 * 10**9)
    assert len(world.sent()) == first
    assert world.state.composites == {}
