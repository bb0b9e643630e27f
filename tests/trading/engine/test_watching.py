"""What the vigil reports, at the engine: planned restarts, accounts that stay away, feeds that fall silent.

F14 and F15: what is refused and what waits, what a person is told, and that it ends as it should.
"""

from evenkeel.domain import events as e
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Readiness
from evenkeel.domain.clock import SECOND
from evenkeel.domain.limits import Layer
from evenkeel.domain.live import Custody
from evenkeel.domain.marketdata import MarketSlice, Quote
from evenkeel.domain.orders import Order, OrderKind, OrderState, Side, TimeInForce, Trigger
from evenkeel.trading.engine.effects import SendOrder, WantReconcile
from evenkeel.trading.engine.watching import why_held
from tests.trading.engine.test_layers import passes
from tests.trading.engine.world import ACME, BOLT, D, World, assert_sound

HOUR = 3600 * SECOND


def desk(*, hours: int = 1) -> tuple[World, int]:
    """An account that holds 100 ACME, whose broker has begun to restart as planned."""
    world = World()
    world.account("A")
    world.price(ACME, 10.0)
    world.holding("100")
    until = world.now + hours * HOUR
    world.step(e.BrokerRests("sim", until))
    return world, until


def sent(world: World) -> list[str]:
    return [effect.ticket.order_id for effect in world.effects if isinstance(effect, SendOrder)]


def over(world: World, until: int) -> None:
    """The restart is over: the link is back and the account compared."""
    world.now = until
    world.step(e.TimersDue())
    world.step(e.BrokerRests("sim", 0, connected=True))
    assert world.effects[-1] == WantReconcile("A", "the planned restart is over")
    world.step(world.snapshot())


def test_while_a_broker_restarts_nothing_that_adds_risk_is_taken() -> None:
    """F14: the account is not ready, for a reason that says until when, and nobody is alarmed."""
    world, _ = desk()
    refused = world.submit(Side.BUY, "1")
    assert refused.rule == "account-ready"
    assert "its broker restarts as planned until 2024-03-04T22:00:00Z" in (refused.reason or "")
    assert world.alerts() == ["broker-restart"]
    assert_sound(world)


def test_what_closes_a_position_waits_for_the_end_of_the_restart() -> None:
    """F14 and I8: it is held here, says why, and goes out once the account has been compared."""
    world, until = desk()
    before = len(sent(world))
    order = world.submit(Side.SELL, "60")
    assert order.state is OrderState.HELD
    assert len(sent(world)) == before
    assert "restarts as planned until" in (why_held(world.state, order) or "")
    over(world, until)
    assert order.state is OrderState.SUBMITTED
    assert sent(world)[-1] == order.id
    assert_sound(world)


def test_while_a_broker_restarts_an_attended_account_takes_no_more_than_else() -> None:
    """What only waits for the broker is taken; what would wait here for its price or its moment after that is not."""
    world, until = desk()
    world.state.accounts["A"].custody = Custody.ATTENDED
    price = Trigger(D(8), rises=False)
    assert world.submit(Side.SELL, "10", kind=OrderKind.STOP, stop_price=D(8)).state is OrderState.HELD
    for more in ({"trigger": price}, {"not_before": until - HOUR // 2}, {"not_before": until + HOUR}):
        order = world.submit(Side.SELL, "10", **more)
        assert (order.state, order.rule) == (OrderState.REFUSED, "attended")


def test_no_picture_taken_meanwhile_opens_the_gate() -> None:
    """F14: a link that comes back within the hours does not count, and asks for nothing."""
    world, until = desk()
    world.step(e.BrokerLink("A", connected=False))
    world.effects.clear()
    world.step(e.BrokerLink("A", connected=True))
    assert world.effects == []
    world.step(world.snapshot())
    assert world.state.accounts["A"].readiness is Readiness.NOT_READY
    assert "broker-disconnected" not in world.alerts()
    over(world, until)
    assert world.state.accounts["A"].readiness is Readiness.READY
    assert passes(world.submit(Side.BUY, "1"))


def test_a_link_that_is_not_back_by_the_end_is_waited_for() -> None:
    world, until = desk()
    world.now = until
    world.effects.clear()
    world.step(e.BrokerRests("sim", 0, connected=False))
    assert world.effects == []
    assert world.submit(Side.BUY, "1").rule == "account-ready"
    world.step(e.BrokerLink("A", connected=True))
    assert [type(effect) for effect in world.effects] == [WantReconcile]


def test_an_account_that_stays_away_is_told_with_what_to_do() -> None:
    world = World()
    world.account("A")
    world.step(e.AccountAway("A", 60))
    assert "account-away" not in world.alerts(), "it is ready again"
    world.step(e.BrokerLink("A", connected=False, reason="the wire is cut"))
    world.step(e.AccountAway("A", 60))
    (alert,) = [one for one in world.of(r.AlertRaised) if one.kind == "account-away"]
    assert alert.level == "critical"
    assert "the wire is cut. Look at the broker itself" in alert.message


def test_a_routine_round_gives_back_nothing_that_was_given_up() -> None:
    """What was cancelled by hand is not placed again because an account has been compared once more (F17)."""
    world, until = desk()
    over(world, until)
    world.step(e.BrokerSnapshot(account_id="A", complete=True, routine=True, positions=world.snapshot().positions))
    last = world.of(r.AccountReconciled)[-1]
    assert last.routine
    assert world.state.accounts["A"].compared.times == 3


def test_a_failed_round_is_never_read_as_flat() -> None:
    """F16: the position stays, the account stays as it was, and a person is told."""
    world, until = desk()
    over(world, until)
    world.step(e.BrokerSnapshot(account_id="A", complete=False, routine=True, reason="no answer"))
    assert world.position() == 100
    assert world.state.accounts["A"].readiness is Readiness.READY
    assert world.alerts()[-1] == "reconcile-failed"


def quiet() -> World:
    """A desk that has not heard of ACME for 75 seconds, and of BOLT just now."""
    world = World()
    world.account("A")
    world.price(ACME, 10.0)
    world.price(BOLT, 5.0)
    world.holding("100")
    return world


def fall_silent(world: World, *, seconds: int = 75) -> str:
    world.step(e.FeedSilent({ACME.id: seconds}, limit=60, watched=2))
    return str([one for one in world.of(r.AlertRaised) if one.kind == "feed-silent"][-1].message)


def test_market_and_stop_orders_are_refused_on_a_price_that_is_old() -> None:
    """F15: by rule, limit and value; what has a price of its own passes, and so does what reduces (I8)."""
    world = quiet()
    assert passes(world.submit(Side.BUY, "1"))
    fall_silent(world)
    refused = world.submit(Side.BUY, "1")
    assert (refused.rule, refused.limit, refused.value, refused.layer) == (
        "stale-price", "60 s", "75", Layer.INSTRUMENT,
    )  # fmt: skip
    assert "no price of ACME has come for 75 seconds" in (refused.reason or "")
    assert world.submit(Side.BUY, "1", kind=OrderKind.STOP, stop_price=D(12)).rule == "stale-price"
    assert passes(world.submit(Side.BUY, "1", kind=OrderKind.LIMIT, limit_price=D(9)))
    assert passes(world.submit(Side.BUY, "1", instrument_id=BOLT.id))
    assert passes(world.submit(Side.SELL, "50"))
    assert_sound(world)


def test_it_is_told_once_and_again_when_prices_are_back() -> None:
    world = quiet()
    assert fall_silent(world) == (
        "No price of ACME has come for 75 seconds of their session: look at the data connection. "
        "Market and stop orders in it are refused until one does"
    )
    fall_silent(world, seconds=90)
    assert world.alerts().count("feed-silent") == 1
    world.now += SECOND
    world.step(MarketSlice(world.now, quotes=(Quote(ACME.id, world.now, 9.9, 10.1, 10.0),)))
    assert world.alerts()[-1] == "feed-back"
    assert passes(world.submit(Side.BUY, "1"))


def test_when_all_are_silent_that_is_what_is_said() -> None:
    world = quiet()
    world.step(e.FeedSilent({ACME.id: 75, BOLT.id: 80}, limit=60, watched=2))
    assert world.of(r.AlertRaised)[-1].message.startswith("No price of any instrument has come for 80 seconds")


def test_an_order_that_waits_for_a_price_says_that_none_comes() -> None:
    """F15: a stop that is emulated here cannot be set off, and its order and the alert say so."""
    world = quiet()
    order = waiting(world)
    assert why_held(world.state, order) is None
    assert "1 order that rests here cannot be set off meanwhile" in fall_silent(world)
    assert "no price has come for 75 seconds" in (why_held(world.state, order) or "")


def waiting(world: World) -> Order:
    return world.submit(Side.SELL, "100", trigger=Trigger(D(9)), time_in_force=TimeInForce.GTC)


def test_a_replay_that_stands_still_is_told_once() -> None:
    world = quiet()
    for _ in range(2):
        world.step(e.FeedSilent({}, limit=60, watched=2, stalled=60))
    assert world.alerts().count("feed-stalled") == 1
    world.step(e.FeedSilent({}, limit=60, watched=2))
    world.step(e.FeedSilent({}, limit=60, watched=2, stalled=60))
    assert world.alerts().count("feed-stalled") == 2
