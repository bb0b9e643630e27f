"""Random fills, late answers, rejections and restarts: what a follower holds is what its master's fills say."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain.copy_records import CopyTaken
from evenkeel.domain.copying import CopyChange, CopyKind, CopyLink, CopyMode, CopyTerms, Multiplier, in_lots
from evenkeel.domain.ids import Hashed
from evenkeel.domain.orders import Order, Side
from evenkeel.domain.positions import PositionKey
from evenkeel.trading.engine.engine import Engine
from tests.desk.copytrading.reading import Copies
from tests.trading.engine.world import ACME, WHO, D, World, assert_sound, fold

FOLLOWERS = {"F": "1", "G": "0.3", "H": "2.5"}
Action = tuple[str, int, int]


class CopyWorld(Copies, World):
    """A master and three followers, whose venue is what the test says it is."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = False
        for name in ("M", *FOLLOWERS):
            self.account(name, "10000000")
        self.price(ACME, 10)
        self.taken = len(self.records)
        self.reads = True
        self.model = {name: Fraction(0) for name in FOLLOWERS}
        self.held = 0
        self.lost = set[str]()
        for name, times in FOLLOWERS.items():
            link = CopyLink(
                id=f"link-{name}",
                master_id="M",
                follower_id=name,
                mode=CopyMode.FILLS,
                proposed_by="u",
                terms=CopyTerms(Multiplier(D(times))),
                accepted=True,
            )
            self.step(c.OpenCopyLink(provenance=WHO, link=link))

    def trade(self, quantity: int, *, in_parts: bool) -> None:
        """The master trades; a fill or two, each a record of its own."""
        side = Side.BUY if quantity > 0 else Side.SELL
        order = self.submit(side, str(abs(quantity)), account_id="M")
        first = abs(quantity) // 2 if in_parts else 0
        for part in filter(None, (first, abs(quantity) - first)):
            self._follow(part if quantity > 0 else -part)
            self.fill(order, str(part))

    def _follow(self, signed: int) -> None:
        """The documented function: what closes takes the same part away, what opens adds its share."""
        closing = min(abs(self.held), abs(signed)) if self.held * signed < 0 else 0
        opening = abs(signed) - closing
        for name, times in FOLLOWERS.items():
            kept = self.model[name] * (1 - Fraction(closing, abs(self.held))) if closing else self.model[name]
            self.model[name] = kept + Fraction(times) * opening * (1 if signed > 0 else -1)
        self.held += signed

    def answer(self, which: int, how: int) -> None:
        """A follower's venue says something of one of its orders."""
        working = [one for name in FOLLOWERS for one in self.state.accounts[name].working.values()]
        if not working:
            return
        order = working[which % len(working)]
        opens = self.opens(order)
        if how == 0 and opens:
            self.lost.add(order.spec.account_id)
            self.step(self.said(e.VenueRejected, order, reason="no"))
        elif how == 1:
            self.step(self.said(e.VenueAccepted, order))
        elif how == 2 and order.remaining > 1:
            self.fill(order, "1")
        else:
            self.fill(order, str(order.remaining))

    def opens(self, order: Order) -> bool:
        held = self.holds(order.spec.account_id)
        return not held or (held > 0) == (order.spec.side is Side.BUY)

    def holds(self, name: str) -> Decimal:
        held: Decimal = self.state.position(PositionKey(name, f"link-{name}", ACME.id)).quantity
        return held

    def crash(self) -> None:
        """A kill -9: what was recorded is there, and read on from where it had been read to."""
        known, marks = self.state, self.state.marks
        self.engine = Engine(fold(self.records), Hashed(f"test-{len(self.records)}"))
        self.state.profiles, self.state.marks = known.profiles, marks
        self.taken = self.state.copying.cursor
        self.copy()

    def settle(self) -> None:
        """Everything that works fills."""
        self.reads = True
        self.copy()
        for _ in range(200):
            working = [one for name in FOLLOWERS for one in self.state.accounts[name].working.values()]
            if not working:
                return
            for order in working:
                self.fill(order, str(order.remaining))
        raise AssertionError("copies come to no end")

    def act(self, action: Action) -> None:
        what, first, second = action
        match what:
            case "trade" if first:
                self.trade(first, in_parts=second > 1)
            case "answer":
                self.answer(abs(first), second)
            case "crash":
                self.crash()
            case "stop reading":
                self.reads = False
            case "read on":
                self.reads = True
                self.copy()


ACTIONS = st.tuples(
    st.sampled_from(["trade", "trade", "trade", "answer", "answer", "answer", "crash", "stop reading", "read on"]),
    st.integers(-20, 20),
    st.integers(0, 4),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(ACTIONS, max_size=40))
def test_a_follower_holds_what_the_masters_fills_say(actions: list[Action]) -> None:
    world = CopyWorld()
    for action in actions:
        world.act(action)
    world.settle()
    taken = world.of(CopyTaken)
    assert len({(one.link_id, one.source) for one in taken}) == len(taken), "an event was taken twice"
    fills = [one for one in taken if one.kind is CopyKind.FILL]
    assert len(fills) == len(FOLLOWERS) * len([f for f in world.state.fills.values() if f.account_id == "M"])
    for name in FOLLOWERS:
        leg = world.state.copying.links[f"link-{name}"].leg(ACME.id)
        assert leg.held == world.held
        assert abs(Fraction(leg.wanted) - world.model[name]) < Fraction(1, 10**6)
        held, aim = world.holds(name), in_lots(leg.wanted, ACME.lot_size)
        if name in world.lost:
            # What was rejected is not made up for: never more than is due, and never on the other side.
            assert min(aim, D(0)) <= held <= max(aim, D(0))
        else:
            assert held == aim
    assert_sound(world)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-20, 20).filter(bool), min_size=1, max_size=12), st.integers(0, 3))
def test_a_pause_opens_nothing_and_a_resync_makes_up_for_it(trades: list[int], pauses: int) -> None:
    world = CopyWorld()
    for place, quantity in enumerate(trades):
        change = CopyChange(paused=place % (pauses + 1) == 1)
        world.step(c.ChangeCopyLink(provenance=WHO, link_id="link-F", change=change))
        before = abs(world.holds("F"))
        world.trade(quantity, in_parts=False)
        world.settle()
        if change.paused:
            assert abs(world.holds("F")) <= before
    world.step(c.ChangeCopyLink(provenance=WHO, link_id="link-F", change=CopyChange(paused=False)))
    _resync(world)
    world.settle()
    assert world.holds("F") == world.held
    assert_sound(world)


def _resync(world: Any) -> None:
    from evenkeel.desk.copytrading.targets import targets

    one = world.state.copying.links["link-F"]
    wanted, unsized = targets(world.state, one, volatility=lambda name, window: None)
    assert not unsized
    world.step(c.AlignCopy(provenance=WHO, link_id="link-F", targets=tuple(wanted)))
