"""Faults by their number in the table of hazards, each through a whole desk in virtual time, or at the engine.

What holds in every world of the simulator is checked at the end of each of these, too: see `tests/simulator`. Faults
that have a test elsewhere are named there; `tests/tidy/test_hazards.py` sees to it that none is missing.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Limits, Readiness
from evenkeel.domain.errors import IdempotencyConflict
from evenkeel.domain.orders import OrderKind, Side, TimeInForce
from evenkeel.domain.strategies import Protection
from evenkeel.trading.engine.effects import SendOrder
from tests.simulator.faults import Fault
from tests.simulator.life import Life
from tests.simulator.running import quietly
from tests.simulator.world import World
from tests.trading.engine.world import ACME, WHO
from tests.trading.engine.world import World as Engine

SEEDS = range(100, 108)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with quietly():
        yield


def worlds(*faults: Fault, chance: float = 1.0, make: Callable[..., World] = World) -> list[World]:
    """Some seeds' worlds in which these faults strike, and no other; all have come to rest, and hold."""
    made = [make(seed, only=dict.fromkeys(faults, chance)) for seed in SEEDS]
    for world in made:
        world.run()
    for fault in faults:
        assert sum(world.weather.struck[fault] for world in made), f"{fault} has never struck"
    return made


def alerts(made: list[World], kind: str) -> int:
    return sum(world.observer.alerts[kind] for world in made)


def test_no_answer_ever_comes_after_the_venue_has_taken_the_order() -> None:
    """F1: in doubt for all to see, found by asking, and at the venue once however long that takes."""
    made = worlds(Fault.LOST_REPLY, Fault.LOST_EVENT)
    assert alerts(made, "order-in-doubt") > len(made)
    assert all(set(world.observer.sent.values()) == {1} for world in made)


def test_the_answer_comes_after_the_time_out() -> None:
    """F3: what is late is not asked for again, and what comes twice counts once."""
    worlds(Fault.LATE_REPLY, Fault.DUPLICATE_EVENT)


CHANGES: dict[str, st.SearchStrategy[object]] = {
    "quantity": st.integers(1, 10_000).map(Decimal),
    "side": st.sampled_from(Side),
    "kind": st.sampled_from((OrderKind.MARKET, OrderKind.LIMIT)),
    "limit_price": st.one_of(st.none(), st.integers(1, 9_999).map(lambda cents: Decimal(cents).scaleb(-2))),
    "time_in_force": st.sampled_from((TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC)),
    "book": st.sampled_from(("manual", "other")),
    "instrument_id": st.sampled_from((ACME.id, "nothing")),
}


@given(data=st.data(), field=st.sampled_from(sorted(CHANGES)))
def test_another_order_under_the_same_name(data: st.DataObject, field: str) -> None:
    """F5: whatever is different about it, it is a conflict and leaves no trace; the very same is the same order."""
    desk = Engine()
    desk.account()
    spec = desk.spec(kind=OrderKind.LIMIT, limit_price=Decimal("10.00"))
    step = desk.step(c.SubmitOrder(provenance=WHO, spec=spec))
    changed = msgspec.structs.replace(spec, **{field: data.draw(CHANGES[field])})
    if changed == spec:
        again = desk.step(c.SubmitOrder(provenance=WHO, spec=changed))
        assert again.outcome is not None
        assert step.outcome is not None
        assert (again.outcome.id, again.records) == (step.outcome.id, ())
    else:
        assert isinstance(desk.declined(c.SubmitOrder(provenance=WHO, spec=changed)), IdempotencyConflict)


def test_what_was_said_to_be_cancelled_fills() -> None:
    """F8: through the whole desk: the position is right, and a person is told."""
    made = worlds(Fault.FILL_AFTER_CANCEL)
    assert alerts(made, "late-fill") > 0


def test_fills_come_while_the_link_is_away() -> None:
    """F10: none is missed, and nothing that adds risk leaves before the account is compared (I4)."""
    made = worlds(Fault.LINK_LOST, Fault.CONNECT_HANGS, chance=0.4)
    assert alerts(made, "broker-disconnected") > len(made)


class Deaf(World):
    """Notes what had been sent when the weather cleared."""

    sent_before = 0

    def clear(self) -> None:
        self.sent_before = sum(self.observer.sent.values())
        super().clear()


def test_a_venue_that_connects_and_answers_no_question() -> None:
    """F11: the connection is there, the account is not ready, and nothing is sent."""
    made = worlds(Fault.SILENT_QUERY, make=Deaf)
    assert alerts(made, "reconcile-failed") >= len(made)
    assert [world.sent_before for world in made if isinstance(world, Deaf)] == [0] * len(made)


def test_the_venue_gives_its_ids_again() -> None:
    """F12: after a restart new orders have the ids of old ones, and no event touches an old one (I5)."""
    worlds(Fault.IDS_ROLL_BACK, Fault.LINK_LOST, chance=0.6)


def test_the_venue_gives_a_changed_order_another_id() -> None:
    """F13: it is said, and known by both."""
    made = worlds(Fault.SECOND_ID)
    assert alerts(made, "order-anomaly") > 0


def test_a_quote_that_has_grown_old() -> None:
    """F15: what adds risk is refused by the age of the last price, and what takes it off is not (I8)."""
    desk = Engine()
    limits = Limits(max_quote_age=5, daily_loss=None, max_position_share=None)
    desk.account(limits=limits)
    desk.price(ACME, 10.0, 0)
    desk.holding("100")
    desk.now += 6 * 10**9
    refused = desk.submit(Side.BUY, "1")
    assert refused.rule == "max-quote-age"
    assert desk.submit(Side.SELL, "100").rule is None


def test_a_picture_without_positions_closes_nothing() -> None:
    """F16: a venue that shows an empty account by mistake gets no order for it, then or when it shows the truth."""
    desk = Engine()
    desk.account()
    desk.deploy(("A", "1"), protection=Protection(stop_loss=0.1))
    desk.price(ACME, 10.0, 0)
    desk.holding("100", book="trend")
    before, honest = len(desk.of(r.OrderDecided)), desk.snapshot()
    desk.step(desk.snapshot(positions=()))
    assert desk.alerts().count("position-difference") == 1
    desk.step(honest)
    assert all(decided.spec.link for decided in desk.of(r.OrderDecided)[before:]), "exits at most, back in their place"
    assert desk.state.accounts["A"].net[ACME.id] == 100
    worlds(Fault.EMPTY_ANSWER, Fault.LINK_LOST, chance=0.4)


def test_the_disk_is_full_and_the_journal_says_nothing_clear() -> None:
    """F19: no order leaves without its record; what may have been written is read back."""
    made = worlds(Fault.DISK_FULL, Fault.COMMIT_FAILS, Fault.COMMIT_UNKNOWN, Fault.UNREADABLE, chance=0.2)
    assert sum(world.lives for world in made) > len(made), "a desk that cannot write halts, and is started again"


def test_the_wall_clock_is_set() -> None:
    """F25: an hour forward or back between two starts: nothing is sent late, and nothing is taken for lost too soon."""
    worlds(Fault.CLOCK_SET, Fault.KILLED, Fault.LATE_REQUEST, chance=0.5)


def test_a_share_splits_with_orders_working() -> None:
    """F26: orders, exits and positions are what the venue has made of them."""
    made = worlds(Fault.SPLIT, chance=0.5)
    assert any(world.observer.orders for world in made)


class Restored(World):
    """A world whose first process dies, and whose journal is then replaced by a copy from before its last orders."""

    BACK = 8

    def __init__(self, seed: int, *, only: dict[Fault, float]) -> None:
        super().__init__(seed, only=only, copies=False)  # what watches copies knows no journal that forgets
        self.duration = 4.0
        self.timeline.after(2.0, self._die)

    def _die(self) -> None:
        if self.life is not None:
            self.life.kill("and its disk with it")

    def died(self, life: Life) -> None:
        if life.killed and not self.forgotten:
            before = set(self.observer.intents)
            self.disk.restore(self.disk.batches[: -self.BACK])
            known, self.observer = self.observer.orders, self.observer.anew()
            for name, seen in self.observer.orders.items():
                seen.worst_limit = known[name].worst_limit  # a change since may have reached the venue
            self.forgotten = before - set(self.observer.intents)
            for asked in self.trader.orders.values():
                if asked.id not in self.observer.orders:
                    asked.id, asked.is_open = "", asked.is_open and not asked.id


def test_yesterdays_copy_of_the_journal_is_put_back() -> None:
    """F32: what was sent since is found at the venue and taken in, none of it is sent again, and none is missed.

    Nothing that adds risk leaves before that is done (I4), and new orders have names that the lost ones never had.
    """
    made = worlds(Fault.HAND_TRADE, chance=0.2, make=Restored)
    lost = [world for world in made if isinstance(world, Restored) and world.forgotten]
    assert lost
    assert all(set(world.observer.sent.values()) == {1} for world in made)
    assert alerts(made, "external-order") > 0


def test_somebody_closes_at_the_venue_what_a_strategy_holds() -> None:
    """F17: what guarded it is withdrawn, and nobody buys it back."""
    desk = Engine()
    desk.account()
    desk.deploy(("A", "1"), protection=Protection(stop_loss=0.1, take_profit=0.1))
    desk.price(ACME, 10.0, 0)
    desk.holding("100", book="trend")
    exits = [order for order in desk.state.accounts["A"].working.values() if order.spec.link]
    assert {order.spec.kind for order in exits} == {OrderKind.STOP, OrderKind.LIMIT}
    for order in exits:
        desk.step(desk.said(e.VenueAccepted, order))
    sent = len(desk.sent())
    desk.step(
        e.VenueFilled(
            account_id="A",
            venue_order_id="HAND",
            execution_id="hand-1",
            instrument_id=ACME.id,
            side=Side.SELL,
            quantity=Decimal(100),
            price=Decimal(10),
        )
    )
    asked = [move for move in desk.of(r.OrderMoved) if move.event == "CANCEL_REQUEST"]
    assert {move.order_id for move in asked} == {order.id for order in exits}
    assert len(desk.sent()) == sent
    assert not any(isinstance(effect, SendOrder) for effect in desk.signal(None).effects)


def test_readiness_is_not_taken_over_from_another_process() -> None:
    """I4: whatever the journal says of an account, a new process has compared nothing yet."""
    desk = Engine()
    desk.account()
    desk.price(ACME, 10.0, 0)
    assert desk.state.accounts["A"].readiness is Readiness.READY
    desk.step(e.Started(run="again", version="2", at=desk.now))
    refused = desk.submit(Side.BUY, "1")
    assert refused.rule == "account-ready"
