"""Composite orders as traders use them, each told from its order to its end at a simulated venue."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from evenkeel.domain import commands as c
from evenkeel.domain import composites as d
from evenkeel.domain.accounts import AccountType
from evenkeel.domain.clock import SECOND
from evenkeel.domain.composites import CompositeState
from evenkeel.domain.marketdata import Split
from evenkeel.domain.orders import OrderKind, OrderSpec, OrderState, Side, TimeInForce, Trail, Trigger
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.quant.costs import FillModel
from evenkeel.trading.engine.composites.standing import Composite
from tests.scenarios.desk import Desk, opens, session
from tests.trading.engine.holding import BARE
from tests.trading.engine.world import ACME, BOLT, OPEN, WHO, D

MINUTE = 60 * SECOND


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk(model=FillModel())
    desk.open("A", "100000", limits=OPEN, type=AccountType.MARGIN)
    desk.day(session(0, 50, 50, 50, 50), session(0, 5, 5, 5, 5, of=BOLT))
    yield desk
    desk.finish()


def spec(side: Side, quantity: str, **more: Any) -> OrderSpec:
    """An order of a composite; a limit or stop order where it names such a price."""
    prices = {name: D(more.pop(name)) for name in ("limit_price", "stop_price") if name in more}
    kind = {
        (False, False): OrderKind.MARKET, (True, False): OrderKind.LIMIT, (False, True): OrderKind.STOP,
    }["limit_price" in prices, "stop_price" in prices]  # fmt: skip
    base: dict[str, Any] = {"account_id": "A", "book": "manual", "instrument_id": ACME.id, "client_order_id": "c"}
    base |= {"kind": kind, "time_in_force": TimeInForce.GTC} | prices | more
    return OrderSpec(side=side, quantity=D(quantity), **base)


def submit(desk: Desk, terms: d.Terms, name: str = "mine") -> Composite:
    step = desk.step(c.SubmitComposite(provenance=WHO, client_order_id=name, terms=terms))
    desk.deliver()
    assert step.outcome is not None
    one = desk.state.composites.find(step.outcome.id)
    assert one is not None
    return one


def cancel(desk: Desk, one: Composite, *, close: bool = False) -> None:
    desk.step(c.CancelComposite(provenance=WHO, composite_id=one.id, close=close))
    desk.deliver()


def children(desk: Desk, one: Composite) -> list[tuple[str, OrderState, Decimal, Decimal]]:
    """(leg, state, quantity, filled) of every child, in the order in which they were placed."""
    known = [(desk.state.orders[name], leg) for leg, names in one.legs.items() for name in names]
    return [
        (leg, order.state, order.quantity, order.filled)
        for order, leg in sorted(known, key=lambda pair: pair[0].created_at)
    ]


def states(desk: Desk, one: Composite) -> dict[str, OrderState]:
    """The state of the last child of every leg."""
    return {leg: desk.state.orders[names[-1]].state for leg, names in one.legs.items()}


DONE, CANCELLED, ACCEPTED, FILLED = OrderState.FILLED, OrderState.CANCELLED, OrderState.ACCEPTED, OrderState.FILLED


def test_a_bracket_takes_its_profit_and_withdraws_its_stop(desk: Desk) -> None:
    one = submit(desk, d.Bracket(spec(Side.BUY, "100"), stop_loss=D("45"), take_profit=D("55")))
    assert states(desk, one) == {"entry": ACCEPTED}
    desk.day(session(1, 50, 52, 49, 51))
    assert states(desk, one) == {"entry": FILLED, "stop": ACCEPTED, "target": ACCEPTED}
    desk.day(session(2, 51, 56, 50, 54))
    assert states(desk, one) == {"entry": FILLED, "stop": CANCELLED, "target": FILLED}
    assert (one.state, desk.position(), desk.equity()) == (CompositeState.DONE, 0, D(100_500))


def test_a_bracket_is_stopped_out_in_the_bar_in_which_it_was_entered(desk: Desk) -> None:
    one = submit(desk, d.Bracket(spec(Side.BUY, "100"), stop_loss=D("45"), take_profit=D("60")))
    desk.day(session(1, 50, 52, 44, 46))
    assert (one.state, desk.position(), desk.equity()) == (CompositeState.DONE, 0, D(99_500))


def test_the_exits_of_a_bracket_are_as_large_as_its_entry_has_filled() -> None:
    desk = Desk(model=FillModel(participation=0.1))
    desk.open("A", "100000", limits=OPEN, type=AccountType.MARGIN)
    desk.day(session(0, 50, 50, 50, 50))
    one = submit(desk, d.Bracket(spec(Side.BUY, "100"), stop_loss=D("45"), take_profit=D("55")))
    desk.day(session(1, 50, 51, 49, 50, volume=300))
    assert [(leg, whole) for leg, _, whole, _ in children(desk, one)] == [("entry", 100), ("stop", 30), ("target", 30)]
    desk.day(session(2, 50, 51, 49, 50, volume=400))
    assert [(leg, whole) for leg, _, whole, _ in children(desk, one)] == [("entry", 100), ("stop", 70), ("target", 70)]
    desk.day(session(3, 54, 56, 54, 55, volume=200))  # the entry takes what may be taken of this bar
    assert one.filled == {"entry": D(90)}
    desk.day(session(4, 54, 56, 54, 55, volume=400))
    assert (one.filled_of("entry"), one.filled_of("target")) == (D(100), D(30))
    desk.day(session(5, 54, 56, 54, 55, volume=10_000))
    assert (one.state, desk.position()) == (CompositeState.DONE, 0)
    desk.finish()


def test_cancelling_a_bracket_before_and_after_its_entry(desk: Desk) -> None:
    entry = spec(Side.BUY, "100", limit_price="40")
    one = submit(desk, d.Bracket(entry, stop_loss=D("35")))
    cancel(desk, one)
    assert (one.state, states(desk, one)) == (CompositeState.CANCELLED, {"entry": CANCELLED})
    two = submit(desk, d.Bracket(spec(Side.BUY, "100"), stop_loss=D("45")), "two")
    desk.day(session(1, 50, 52, 49, 51))
    said = desk.declined(c.CancelComposite(provenance=WHO, composite_id=two.id))
    assert "its exits stay" in said.message
    cancel(desk, two, close=True)
    assert states(desk, two) == {"entry": FILLED, "stop": CANCELLED, "close": ACCEPTED}
    desk.day(session(2, 51, 56, 50, 54))
    assert (two.state, desk.position()) == (CompositeState.DONE, 0)


def test_a_trailing_stop_follows_the_best_price_and_never_goes_back(desk: Desk) -> None:
    one = submit(desk, d.Bracket(spec(Side.BUY, "100"), trail=Trail(amount=D(3))))
    seen = []
    for day, (open_, high, low, close) in enumerate([(50, 52, 48, 51), (51, 55, 51, 54), (54, 54, 53, 53)], start=1):
        desk.day(session(day, open_, high, low, close))
        seen.append(desk.state.orders[one.legs["stop"][0]].stop_price)
    assert seen == [D(49), D(52), D(52)]
    desk.day(session(4, 53, 53, 50, 51))
    assert (one.state, desk.equity()) == (CompositeState.DONE, D(100_200))


def test_a_cover_without_its_stop_is_closed(desk: Desk) -> None:
    one = submit(desk, d.Cover(spec(Side.BUY, "100"), stop_loss=D("45")))
    desk.day(session(1, 50, 52, 49, 51))
    desk.cancel(desk.state.orders[one.legs["stop"][0]])
    desk.deliver()
    assert (one.state, states(desk, one)["close"]) == (CompositeState.CLOSING, ACCEPTED)
    assert "cover-closed" in desk.alerts()
    desk.day(session(2, 51, 51, 51, 51))
    assert (one.state, desk.position()) == (CompositeState.DONE, 0)


def test_of_two_exits_of_a_holding_one_fills(desk: Desk) -> None:
    desk.order(Side.BUY, "100")
    desk.day(session(1, 50, 51, 49, 50))
    pair = d.OneCancelsOther(spec(Side.SELL, "100", stop_price="45"), spec(Side.SELL, "100", limit_price="55"))
    one = submit(desk, pair)
    assert one.closes
    desk.day(session(2, 50, 56, 44, 50))  # both are reached: down was nearer, so the stop came first
    assert states(desk, one) == {"exit-1": FILLED, "exit-2": CANCELLED}
    assert (one.state, desk.position()) == (CompositeState.DONE, 0)


def test_a_gtt_oco_waits_for_its_triggers_and_outlives_a_restart(desk: Desk) -> None:
    desk.order(Side.BUY, "100")
    desk.day(session(1, 50, 51, 49, 50))
    below = spec(Side.SELL, "100", limit_price="44", trigger=Trigger(D(45)))
    above = spec(Side.SELL, "100", limit_price="55", trigger=Trigger(D(55)))
    one = submit(desk, d.OneCancelsOther(below, above))
    assert set(states(desk, one).values()) == {OrderState.HELD}
    again = desk.restarted()
    again.step(again.picture("A"))
    again.day(session(2, 52, 56, 52, 55))
    again.day(session(3, 55, 56, 54, 55))
    two = again.state.composites.find(one.id)
    assert two is not None
    assert states(again, two) == {"exit-1": CANCELLED, "exit-2": FILLED}
    assert (two.state, again.position()) == (CompositeState.DONE, 0)
    desk.__dict__ |= again.__dict__


def test_of_two_entries_one_fills(desk: Desk) -> None:
    pair = d.OneCancelsOther(spec(Side.BUY, "100", stop_price="55"), spec(Side.BUY, "100", limit_price="45"))
    one = submit(desk, pair)
    desk.day(session(1, 50, 56, 44, 50))
    assert sorted(states(desk, one).values()) == [CANCELLED, FILLED]
    assert (one.state, desk.position()) == (CompositeState.DONE, 100)


def test_a_breakout_of_either_side(desk: Desk) -> None:
    pair = d.OneCancelsOther(spec(Side.BUY, "100", stop_price="55"), spec(Side.SELL, "50", stop_price="45"))
    one = submit(desk, pair)
    desk.day(session(1, 50, 51, 44, 46))
    assert states(desk, one) == {"entry-1": CANCELLED, "entry-2": FILLED}
    assert (one.state, desk.position()) == (CompositeState.DONE, -50)


def test_an_iceberg_shows_a_part_at_a_time(desk: Desk) -> None:
    one = submit(desk, d.Iceberg(spec(Side.BUY, "250", limit_price="50"), displayed=D(100)))
    for day in (1, 2):
        assert [quantity for _, state, quantity, _ in children(desk, one) if state is ACCEPTED] == [D(100)]
        desk.day(session(day, 50, 51, 49, 50))
    assert [quantity for _, state, quantity, _ in children(desk, one) if state is ACCEPTED] == [D(50)]
    desk.day(session(3, 50, 51, 49, 50))
    assert (one.state, desk.position()) == (CompositeState.DONE, 250)


def test_a_large_order_goes_out_in_parts_of_the_freeze_quantity(desk: Desk) -> None:
    one = submit(desk, d.Slices(spec(Side.BUY, "450"), d.Parts(D(200))))
    assert [whole for _, _, whole, _ in children(desk, one)] == [200, 200, 50]
    desk.day(session(1, 50, 51, 49, 50))
    assert (one.state, desk.position()) == (CompositeState.DONE, 450)


def minutes(desk: Desk, count: int, price: float = 50, volume: float = 1_000, first: int = 0) -> None:
    """The first minutes of the second day, one bar each."""
    for number in range(first, first + count):
        ts = opens(1) + number * MINUTE
        bar = session(1, price, price, price, price, volume)
        desk.day(replace(bar, ts=ts, close_ts=ts + MINUTE))


def test_a_twap_buys_as_time_passes(desk: Desk) -> None:
    pace = d.Twap(opens(1) + MINUTE, opens(1) + 6 * MINUTE, 2 * MINUTE)
    one = submit(desk, d.Slices(spec(Side.BUY, "100"), pace))
    filled = []
    for number in range(8):
        minutes(desk, 1, first=number)
        filled.append(desk.position())
    assert filled == [0, 33, 33, 67, 67, 100, 100, 100]
    assert one.state is CompositeState.DONE


def test_a_vwap_buys_where_the_volume_is(desk: Desk) -> None:
    pace = d.Vwap(opens(1) + MINUTE, opens(1) + 4 * MINUTE, MINUTE, profile=(1.0, 5.0, 4.0))
    one = submit(desk, d.Slices(spec(Side.BUY, "100"), pace))
    minutes(desk, 5)
    assert [whole for _, _, whole, _ in children(desk, one)] == [10, 50, 40]
    assert one.state is CompositeState.DONE


def test_participation_takes_its_share_of_what_trades(desk: Desk) -> None:
    one = submit(desk, d.Slices(spec(Side.BUY, "100"), d.Participation(0.1, most=D(40))))
    for number, volume in enumerate((200, 1_000, 300, 500, 100)):
        minutes(desk, 1, volume=volume, first=number)
    assert [whole for _, _, whole, _ in children(desk, one)] == [20, 40, 30, 10]
    minutes(desk, 1, first=5)
    assert (one.state, desk.position()) == (CompositeState.DONE, 100)


def test_legs_follow_each_other(desk: Desk) -> None:
    terms = d.Legs((spec(Side.BUY, "100"), spec(Side.SELL, "10", instrument_id=BOLT.id)))
    one = submit(desk, terms)
    assert states(desk, one) == {"leg-1": ACCEPTED}
    desk.day(session(1, 50, 51, 49, 50), session(1, 5, 5, 5, 5, of=BOLT))
    assert states(desk, one) == {"leg-1": FILLED, "leg-2": ACCEPTED}
    desk.day(session(2, 50, 51, 49, 50), session(2, 5, 5, 5, 5, of=BOLT))
    assert (one.state, desk.position(), desk.position(of=BOLT)) == (CompositeState.DONE, 100, -10)


def test_a_leg_that_fails_unwinds_those_before(desk: Desk) -> None:
    second = spec(Side.BUY, "10", instrument_id=BOLT.id, limit_price="4", time_in_force=TimeInForce.DAY)
    one = submit(desk, d.Legs((spec(Side.BUY, "100"), second), d.OnFailure.UNWIND))
    for day in (1, 2, 3, 4):
        desk.day(session(day, 50, 51, 49, 50), session(day, 5, 5, 5, 5, of=BOLT))
    assert states(desk, one) == {"leg-1": FILLED, "leg-2": OrderState.EXPIRED, "unwind-1": FILLED}
    assert (one.state, desk.position()) == (CompositeState.FAILED, 0)


def test_a_split_restates_a_bracket_and_its_orders(desk: Desk) -> None:
    one = submit(desk, d.Bracket(spec(Side.BUY, "100"), stop_loss=D("45"), take_profit=D("60")))
    desk.day(session(1, 50, 52, 49, 51))
    split = Split(ACME.id, date(2024, 3, 6), D(2), D(1))
    desk.day(session(2, 25.5, 26, 25, 25.5), splits=(split,))
    assert (one.terms.stop_loss, one.terms.take_profit, one.filled) == (D("22.5"), D(30), {"entry": D(200)})  # type: ignore[union-attr]
    assert [whole for leg, _, whole, _ in children(desk, one) if leg != "entry"] == [200, 200]
    desk.day(session(3, 25, 25, 22, 23))
    assert (one.state, desk.position()) == (CompositeState.DONE, 0)


def test_a_panic_ends_composites_and_closes_what_they_hold(desk: Desk) -> None:
    bracket = submit(desk, d.Bracket(spec(Side.BUY, "100"), stop_loss=D("45")), "bracket")
    desk.day(session(1, 50, 52, 49, 51))
    iceberg = submit(desk, d.Iceberg(spec(Side.BUY, "250", limit_price="40"), displayed=D(100)), "iceberg")
    desk.step(c.Panic(provenance=WHO, scope=Scope(ScopeKind.ACCOUNT, "A")))
    desk.deliver()
    desk.day(session(2, 51, 52, 39, 50))
    desk.day(session(3, 51, 52, 39, 50))
    assert (bracket.state, iceberg.state) == (CompositeState.CANCELLED, CompositeState.CANCELLED)
    assert (desk.position(), len(iceberg.legs["slice"])) == (0, 1)


def test_a_panic_that_keeps_positions_leaves_their_exits(desk: Desk) -> None:
    one = submit(desk, d.Bracket(spec(Side.BUY, "100"), stop_loss=D("45")), "bracket")
    desk.day(session(1, 50, 52, 49, 51))
    desk.step(c.Panic(provenance=WHO, scope=Scope(ScopeKind.ACCOUNT, "A"), keep_positions=True))
    desk.deliver()
    assert (one.state, states(desk, one)["stop"]) == (CompositeState.ACTIVE, ACCEPTED)
    desk.day(session(2, 51, 52, 44, 46))
    assert (one.state, desk.position()) == (CompositeState.DONE, 0)


def test_where_a_broker_has_no_stops_the_stop_of_a_bracket_waits_here(desk: Desk) -> None:
    desk.state.profiles["simulated"] = BARE
    one = submit(desk, d.Bracket(spec(Side.BUY, "100"), stop_loss=D("45"), take_profit=D("55")))
    desk.day(session(1, 50, 52, 49, 51))
    assert states(desk, one) == {"entry": FILLED, "stop": OrderState.HELD, "target": ACCEPTED}
    desk.step(c.ModifyComposite(provenance=WHO, composite_id=one.id, change=d.CompositeChange(stop_loss=D("47"))))
    desk.day(session(2, 51, 51, 46.5, 47))
    assert states(desk, one)["stop"] is ACCEPTED
    desk.day(session(3, 47, 48, 46, 47))
    assert states(desk, one) == {"entry": FILLED, "stop": FILLED, "target": CANCELLED}
    assert (one.state, desk.position()) == (CompositeState.DONE, 0)


def test_of_two_triggers_reached_by_one_bar_one_order_fills(desk: Desk) -> None:
    desk.order(Side.BUY, "100")
    desk.day(session(1, 50, 51, 49, 50))
    pair = (spec(Side.SELL, "100", trigger=Trigger(D(price))) for price in (45, 55))
    one = submit(desk, d.OneCancelsOther(*pair))
    desk.day(session(2, 50, 56, 44, 50))
    desk.day(session(3, 50, 51, 49, 50))
    assert sorted(states(desk, one).values()) == [CANCELLED, FILLED]
    assert (one.state, desk.position()) == (CompositeState.DONE, 0)
