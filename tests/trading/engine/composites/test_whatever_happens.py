"""Any market, any faults and any hands: composites stay within what was asked for, and the books stay right.

At a simulated venue that keeps its word, exits are never for more than is held. At one that says anything, and in any
order, nothing breaks, and the journal folds to the state that it was written from.
"""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evenkeel.domain import commands as c
from evenkeel.domain import composites as d
from evenkeel.domain import events as e
from evenkeel.domain.clock import SECOND
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.events import BrokerLink
from evenkeel.domain.marketdata import MarketSlice, Split
from evenkeel.domain.orders import Order, Side, TimeInForce, Trail
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.trading.brokers.profiles import BrokerProfile
from evenkeel.trading.brokers.simulated.profile import IN_PROCESS
from tests.scenarios.desk import closes, session
from tests.trading.engine.composites.desks import assert_bounded, new_desk, spec
from tests.trading.engine.holding import BARE
from tests.trading.engine.world import ACME, WHO, World, assert_sound, at, bar, split_slice

HOUR, DAY = 3600 * SECOND, 24 * 3600 * SECOND
SCOPE = Scope(ScopeKind.ACCOUNT, "A")
sides = st.sampled_from(list(Side))
quantities = st.integers(1, 200)
prices = st.integers(3_000, 7_000).map(lambda cents: Decimal(cents).scaleb(-2))
picks = st.integers(0, 10**6)
times = st.sampled_from([TimeInForce.DAY, TimeInForce.GTC])


@st.composite
def orders(draw: st.DrawFn, kinds: str = "MLS") -> Any:
    kind = draw(st.sampled_from(kinds))
    name = {"L": "limit_price", "S": "stop_price"}.get(kind)
    more = {} if name is None else {name: str(draw(prices))}
    return spec(draw(sides), str(draw(quantities)), time_in_force=draw(times), **more)


@st.composite
def brackets(draw: st.DrawFn) -> d.Terms:
    entry = draw(orders())
    low, high = sorted([draw(prices), draw(prices)])
    stop, goal = (low, high) if entry.side is Side.BUY else (high, low)
    trail = draw(st.none() | st.builds(Trail, amount=st.sampled_from([Decimal("0.5"), Decimal(3)])))
    if draw(st.booleans()):
        return d.Cover(entry, stop, trail)
    return d.Bracket(entry, draw(st.none() | st.just(stop)), draw(st.none() | st.just(goal)), trail)


@st.composite
def pairs(draw: st.DrawFn) -> d.Terms:
    one, other = draw(orders("LS")), draw(orders("LS"))
    if draw(st.booleans()):
        other = spec(one.side, str(one.quantity), stop_price=str(draw(prices)))
    return d.OneCancelsOther(one, other)


@st.composite
def sliced(draw: st.DrawFn) -> d.Terms:
    start = closes(0) + draw(st.integers(0, 3)) * DAY
    end, every = start + draw(st.integers(1, 5)) * DAY, DAY // draw(st.integers(1, 3))
    paces: list[d.Pace] = [
        d.Parts(Decimal(draw(st.integers(10, 60)))),
        d.Fixed(draw(st.integers(2, 5)), DAY),
        d.Twap(start, end, every, draw(st.sampled_from([0.0, 0.5]))),
        d.Participation(draw(st.sampled_from([0.01, 0.2, 1.0])), end=draw(st.sampled_from([0, end]))),
    ]
    return d.Slices(draw(orders("ML")), draw(st.sampled_from(paces)))


icebergs = st.builds(d.Iceberg, orders("L"), st.integers(1, 60).map(Decimal))
multiples = st.builds(d.Legs, st.lists(orders(), min_size=2, max_size=3).map(tuple), st.sampled_from(list(d.OnFailure)))
composites = brackets() | pairs() | icebergs | sliced() | multiples


@st.composite
def markets(draw: st.DrawFn) -> tuple[str, tuple[float, ...]]:
    points = [float(draw(prices)) for _ in range(4)]
    low, high = min(points), max(points)
    return "bar", (points[0], high, low, points[1], float(draw(st.sampled_from([0, 300, 100_000]))))


changes = st.fixed_dictionaries(
    {}, optional={"stop_loss": prices, "take_profit": prices, "limit_price": prices, "stop_price": prices}
)
mostly = st.one_of(
    st.tuples(st.just("submit"), composites),
    st.tuples(st.just("exits"), st.integers(1, 100), prices, prices),
    markets(),
    markets(),
    st.tuples(st.just("manual"), sides, quantities),
)
actions = mostly | st.one_of(
    st.tuples(st.just("cancel"), picks, st.booleans()),
    st.tuples(st.just("change"), picks, changes),
    st.tuples(st.just("cancel child"), picks),
    st.tuples(st.just("link"), st.booleans()),
    st.tuples(st.just("restart")),
    st.tuples(st.just("panic"), st.booleans()),
    st.tuples(st.just("resume")),
    st.tuples(st.just("split"), st.sampled_from([(2, 1), (3, 2), (1, 3)])),
)


class Life:
    """A desk, and what is done to it."""

    def __init__(self, profile: BrokerProfile = IN_PROCESS) -> None:
        self.desk, self.today, self.number = new_desk(participation=0.5), 1, 0
        self.profile = self.desk.state.profiles["simulated"] = profile

    def take(self, command: Any) -> None:
        try:
            self.desk.step(command)
        except EvenkeelError:
            return
        self.desk.deliver()

    def do(self, action: Any) -> None:
        desk = self.desk
        match action:
            case ("submit", terms):
                self.number += 1
                self.take(c.SubmitComposite(provenance=WHO, client_order_id=f"c{self.number}", terms=terms))
            case ("exits", percent, low, high):
                held = desk.position()
                quantity = max(1, int(abs(held)) * percent // 100)
                side = Side.SELL if held > 0 else Side.BUY
                stop, goal = (low, high) if held > 0 else (high, low)
                one = spec(side, str(quantity), stop_price=str(stop))
                self.do(("submit", d.OneCancelsOther(one, spec(side, str(quantity), limit_price=str(goal)))))
            case ("bar", (open_, high, low, close, volume)):
                desk.day(session(self.today, open_, high, low, close, volume))
                self.today += 1
            case ("cancel", pick, close):
                if live := list(desk.state.composites):
                    self.take(c.CancelComposite(provenance=WHO, composite_id=live[pick % len(live)], close=close))
            case ("change", pick, what):
                if live := list(desk.state.composites):
                    change = d.CompositeChange(**what)
                    self.take(c.ModifyComposite(provenance=WHO, composite_id=live[pick % len(live)], change=change))
            case ("cancel child", pick):
                if open_orders := [order for order in desk.state.orders.values() if order.is_open]:
                    self.take(c.CancelOrder(provenance=WHO, order_id=open_orders[pick % len(open_orders)].id))
            case ("manual", side, quantity):
                self.take(c.SubmitOrder(provenance=WHO, spec=desk.spec(side, str(quantity))))
            case ("link", connected):
                self.take(BrokerLink("A", connected))
            case ("restart",):
                self.desk = desk.restarted()
                self.desk.state.profiles["simulated"] = self.profile
                self.desk.step(e.Started(run="again", version="2", at=self.desk.now))
                self.desk.step(self.desk.picture("A"))
                self.desk.deliver()
            case ("panic", keep):
                self.take(c.Panic(provenance=WHO, scope=SCOPE, keep_positions=keep, cooldown=0))
            case ("resume",):
                self.take(c.Resume(provenance=WHO, scope=SCOPE, abandon=True))
            case ("split", (new, old)):
                split = Split(ACME.id, date(2024, 3, 4) + timedelta(days=self.today), Decimal(new), Decimal(old))
                last = desk.last[ACME.id].close * old / new
                desk.day(session(self.today, last, last, last, last), splits=(split,))
                self.today += 1


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(actions, min_size=3, max_size=25), st.sampled_from([IN_PROCESS, BARE]))
def test_composites_stay_within_what_was_asked_for(steps: list[Any], profile: BrokerProfile) -> None:
    life = Life(profile)
    for step in [("bar", (50.0, 50.0, 50.0, 50.0, 1_000.0)), *steps]:
        life.do(step)
        assert_bounded(life.desk)
    life.desk.finish()


said = st.sampled_from([e.VenueAccepted, e.VenueTriggered, e.VenueCancelled, e.VenueExpired, "no", "amend", "fill"])


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(composites, min_size=1, max_size=3),
    st.lists(st.tuples(said, picks, st.sampled_from(["0.3", "1", "1.5"]), prices), max_size=40),
)
def test_whatever_a_venue_says_the_journal_folds(terms: list[d.Terms], messages: list[Any]) -> None:
    world = World()
    world.account()
    world.price(ACME, 50)
    for number, one in enumerate(terms):
        _take(world, c.SubmitComposite(provenance=WHO, client_order_id=f"c{number}", terms=one))
    for number, (kind, pick, part, price) in enumerate(messages):
        if number % 7 == 3:
            market = MarketSlice(at(number), bars=(bar(ACME, number, float(price)),))
            world.step(market, at(number))
            world.step(e.SliceDone(market))
        if number % 13 == 11:
            _take(world, split_slice(number))
            _take(world, world.snapshot())
        known = list(world.state.orders.values())
        if known:
            _take(world, _message(world, known[pick % len(known)], kind, part, price))
    assert_sound(world)


def _message(world: World, order: Order, kind: Any, part: str, price: Decimal) -> Any:
    match kind:
        case "no":
            return world.said(e.VenueCancelRefused, order, reason="no")
        case "amend":
            limit, stop = order.limit_price, order.stop_price
            return world.said(e.VenueAmended, order, quantity=order.quantity, limit_price=limit, stop_price=stop)
        case "fill":
            quantity = max(Decimal(1), (order.quantity * Decimal(part)).quantize(Decimal(1)))
            return world.execution(order, str(quantity), str(price))
        case _:
            return world.said(kind, order)


def _take(world: World, event: Any) -> None:
    before = repr(world.state)
    try:
        world.step(event)
    except EvenkeelError:
        assert repr(world.state) == before
