"""Composite and held orders under commands over many: stopped with what fits, and their exits give way to a close."""

from decimal import Decimal
from typing import Any

import pytest

from evenkeel.domain import commands as c
from evenkeel.domain import composites as d
from evenkeel.domain.orders import OrderState, Product, Side, Trigger
from evenkeel.domain.selections import Edit, Selection
from tests.scenarios.desk import Desk, closes, session
from tests.trading.engine.composites.desks import assert_bounded, new_desk, spec, submit
from tests.trading.engine.world import ACME, BOLT, WHO, D

ALL = Selection(account_ids=("A",))


def done(desk: Desk, command: c.AnyCommand) -> None:
    desk.step(command)
    desk.deliver()


def held(desk: Desk) -> Decimal:
    return sum((position.quantity for position in desk.state.accounts["A"].positions.values()), D(0))


def working(desk: Desk) -> list[str]:
    return [order.id for order in desk.state.accounts["A"].open_orders()]


TERMS: dict[str, Any] = {
    "iceberg": lambda: d.Iceberg(spec(Side.BUY, "100", limit_price="40"), D(10)),
    "slices": lambda: d.Slices(spec(Side.BUY, "100", limit_price="40"), d.Fixed(4, 3_600 * 10**9)),
    "oco": lambda: d.OneCancelsOther(
        spec(Side.BUY, "10", limit_price="40"), spec(Side.BUY, "10", stop_price="60", client_order_id="c2")
    ),
    "bracket": lambda: d.Bracket(spec(Side.BUY, "10", limit_price="40"), D(35), D(60)),
}


@pytest.mark.parametrize("kind", TERMS)
@pytest.mark.parametrize(
    "command",
    [c.CancelOrders(provenance=WHO, selection=ALL), c.Flatten(provenance=WHO, selection=ALL)],
    ids=["cancel", "flatten"],
)
def test_what_has_not_been_entered_is_cancelled_and_nothing_follows(kind: str, command: c.AnyCommand) -> None:
    desk = new_desk()
    one = submit(desk, TERMS[kind]())
    assert working(desk)
    done(desk, command)
    assert working(desk) == []
    assert one.id in desk.state.composites.ended
    desk.day(session(1, 45, 46, 30, 45))
    assert (held(desk), working(desk)) == (0, [])


@pytest.mark.parametrize(
    "command",
    [
        c.ClosePosition(provenance=WHO, account_id="A", instrument_id=ACME.id, client_order_id="out"),
        c.Flatten(provenance=WHO, selection=ALL),
    ],
    ids=["close", "flatten"],
)
def test_the_exits_of_a_bracket_give_way_to_what_closes_it(command: c.AnyCommand) -> None:
    desk = new_desk()
    one = submit(desk, d.Bracket(spec(Side.BUY, "10"), D(35), D(60)))
    desk.day(session(1, 50, 52, 48, 50))
    assert (held(desk), len(working(desk))) == (10, 2)
    done(desk, command)
    desk.day(session(2, 50, 52, 48, 50))
    assert (held(desk), working(desk)) == (0, [])
    assert one.id in desk.state.composites.ended


def test_an_order_held_here_is_cancelled_at_once_and_goes_to_the_market_at_once() -> None:
    desk = new_desk()
    step = desk.step(c.SubmitOrder(provenance=WHO, spec=spec(Side.BUY, "10", trigger=Trigger(D(40)))))
    assert step.outcome is not None
    order = desk.state.orders[step.outcome.id]
    assert order.state is OrderState.HELD
    done(desk, c.EditOrders(provenance=WHO, edits=((order.id, Edit(at_market=True)),)))
    assert order.state is OrderState.CANCELLED
    desk.day(session(1, 50, 52, 48, 50))
    assert held(desk) == 10
    desk.step(c.SubmitOrder(provenance=WHO, spec=spec(Side.BUY, "10", trigger=Trigger(D(40)), client_order_id="x")))
    done(desk, c.CancelOrders(provenance=WHO, selection=ALL))
    assert working(desk) == []


def test_orders_held_here_count_among_those_of_a_basket_that_goes_together() -> None:
    desk = new_desk()
    orders = (
        spec(Side.BUY, "10", trigger=Trigger(D(40)), client_order_id="one"),
        spec(Side.BUY, "10", client_order_id="two"),
    )
    desk.step(c.SubmitBasket(provenance=WHO, orders=orders, together=True))
    account = desk.state.accounts["A"]
    assert (len(account.held), len(account.working), account.trades_today) == (1, 1, 1)


HOUR = 3_600 * 10**9
ENTERING: dict[str, Any] = {
    "twap": lambda: d.Slices(spec(Side.BUY, "40"), d.Twap(closes(0), closes(4), 24 * HOUR)),
    "slices": lambda: d.Slices(spec(Side.BUY, "40"), d.Fixed(4, 24 * HOUR)),
    "iceberg": lambda: d.Iceberg(spec(Side.BUY, "40", limit_price="52"), D(10)),
    "legs": lambda: d.Legs(
        (spec(Side.BUY, "10"), spec(Side.BUY, "10", limit_price="52"), spec(Side.BUY, "20")), d.OnFailure.CONTINUE
    ),
}
HERE: dict[str, Any] = {"provenance": WHO, "account_id": "A", "instrument_id": ACME.id, "client_order_id": "out"}
LEAVING: dict[str, tuple[c.AnyCommand, str]] = {
    "close": (c.ClosePosition(**HERE), "0"),
    "close in its book": (c.ClosePosition(**HERE, book="manual", product=Product.NONE), "0"),
    "reverse": (c.ReversePosition(**HERE), "-10"),
    "target 0": (c.TargetPosition(**HERE, quantity=D(0)), "0"),
    "flatten": (c.Flatten(provenance=WHO, selection=ALL), "0"),
}


@pytest.mark.parametrize("way", LEAVING)
@pytest.mark.parametrize("kind", ENTERING)
def test_what_closes_a_position_stops_the_composite_that_would_build_it_up_again(kind: str, way: str) -> None:
    desk, (command, left) = new_desk(), LEAVING[way]
    one = submit(desk, ENTERING[kind]())
    desk.day(session(1, 50, 50, 50, 50))
    assert (held(desk), one.state) == (10, d.CompositeState.ACTIVE)
    outcome = desk.step(command).outcome
    desk.deliver()
    assert outcome is not None
    assert outcome.stopped == (one.id,)
    for number in range(2, 6):
        desk.day(session(number, 50, 50, 50, 50))
    assert (held(desk), working(desk)) == (D(left), [])
    assert one.state is d.CompositeState.CANCELLED
    assert_bounded(desk)


def test_without_cancels_composites_go_on() -> None:
    desk = new_desk()
    one = submit(desk, ENTERING["slices"]())
    desk.day(session(1, 50, 50, 50, 50))
    outcome = desk.step(c.ClosePosition(**HERE, cancel=False)).outcome
    assert outcome is not None
    assert (outcome.stopped, one.state) == ((), d.CompositeState.ACTIVE)


@pytest.mark.parametrize(
    "other", [{"book": "elsewhere"}, {"product": Product.MIS}, {"instrument_id": BOLT.id}], ids=str
)
def test_composites_of_other_positions_go_on(other: dict[str, Any]) -> None:
    desk = new_desk()
    desk.day(session(1, 50, 50, 50, 50, of=BOLT))
    desk.step(c.SubmitOrder(provenance=WHO, spec=spec(Side.BUY, "10", client_order_id="held")))
    desk.day(session(2, 50, 50, 50, 50))
    one = submit(desk, d.Slices(spec(Side.BUY, "40", **other), d.Fixed(4, 24 * HOUR)))
    desk.step(c.ClosePosition(**HERE, book="manual", product=Product.NONE))
    assert one.state is d.CompositeState.ACTIVE


def test_a_composite_that_was_closing_gives_way_to_one_order_for_all_that_is_held() -> None:
    """Its market order, which is being cancelled, is not counted on."""
    desk = new_desk()
    desk.step(c.SubmitOrder(provenance=WHO, spec=spec(Side.BUY, "40", client_order_id="held")))
    desk.day(session(1, 50, 50, 50, 50))
    one = submit(desk, d.Slices(spec(Side.SELL, "40"), d.Fixed(4, 24 * HOUR)))
    assert len(working(desk)) == 1
    done(desk, c.ClosePosition(**HERE))
    desk.day(session(2, 50, 50, 50, 50))
    assert (held(desk), working(desk), one.state) == (0, [], d.CompositeState.CANCELLED)


@pytest.mark.parametrize("way", ["close", "target 0"])
def test_legs_that_may_be_unwound_are_stopped_before_what_they_filled_is_closed(way: str) -> None:
    desk = new_desk()
    desk.day(session(1, 50, 50, 50, 50, of=BOLT))
    pair = spec(Side.BUY, "10"), spec(Side.BUY, "10", limit_price="40", instrument_id=BOLT.id, client_order_id="b")
    one = submit(desk, d.Legs(pair, d.OnFailure.UNWIND))
    desk.day(session(2, 50, 50, 50, 50))
    assert (held(desk), len(working(desk))) == (10, 1)
    done(desk, LEAVING[way][0])
    desk.day(session(3, 50, 50, 50, 50))
    assert (held(desk), working(desk), one.state) == (0, [], d.CompositeState.CANCELLED)


TARGETS = [
    ("40", "slices", True, []),
    ("60", "slices", True, ["+20"]),
    ("20", "slices", False, ["+10"]),
    ("5", "slices", False, ["-5"]),
    ("-5", "slices", False, ["-10", "-5"]),
    ("40", "iceberg", True, []),
    ("40", "legs", True, []),
    ("39", "legs", False, ["+29"]),
]


@pytest.mark.parametrize(("wanted", "kind", "goes_on", "placed"), TARGETS, ids=str)
def test_a_target_counts_what_composites_have_yet_to_place_or_stops_them(
    wanted: str, kind: str, goes_on: bool, placed: list[str]
) -> None:
    desk = new_desk()
    one = submit(desk, ENTERING[kind]())
    desk.day(session(1, 50, 50, 50, 50))
    assert held(desk) == 10
    outcome = desk.step(c.TargetPosition(**HERE, quantity=D(wanted))).outcome
    assert outcome is not None
    orders = [desk.state.orders[part.order_id] for part in outcome.parts if part.created]
    assert [f"{'+' if order.spec.side is Side.BUY else '-'}{order.quantity}" for order in orders] == placed
    assert outcome.stopped == (() if goes_on else (one.id,))
    desk.deliver()
    again = desk.step(c.TargetPosition(**HERE | {"client_order_id": "again"}, quantity=D(wanted))).outcome
    assert again is not None
    assert (again.parts, again.stopped) == ((), ())
    for number in range(2, 7):
        desk.day(session(number, 50, 50, 50, 50))
    assert (held(desk), working(desk)) == (D(wanted), [])


def test_a_target_leaves_what_is_to_rest_for_another_day() -> None:
    desk = new_desk()
    pair = spec(Side.BUY, "10", limit_price="40"), spec(Side.BUY, "10", stop_price="60", client_order_id="b")
    one = submit(desk, d.Legs(pair))
    done(desk, c.TargetPosition(**HERE, quantity=D(10)))
    desk.day(session(1, 50, 50, 40, 40))
    assert (held(desk), one.state) == (10, d.CompositeState.ACTIVE)


@pytest.mark.parametrize("reach", ["cancel", "flatten"])
def test_a_filter_finds_legs_that_are_not_placed_yet(reach: str) -> None:
    desk = new_desk()
    desk.day(session(1, 50, 50, 50, 50, of=BOLT))
    pair = spec(Side.BUY, "10", limit_price="40"), spec(Side.BUY, "10", instrument_id=BOLT.id, client_order_id="b")
    meant = Selection(account_ids=("A",), instrument_id=BOLT.id)
    one, other = submit(desk, d.Legs(pair)), submit(desk, d.Legs(pair[:1] * 2), name="other")
    command: type = {"cancel": c.CancelOrders, "flatten": c.Flatten}[reach]
    outcome = desk.step(command(provenance=WHO, selection=meant)).outcome
    assert outcome is not None
    assert outcome.stopped == (one.id,)
    desk.deliver()
    assert (one.state, other.state) == (d.CompositeState.CANCELLED, d.CompositeState.ACTIVE)


def test_a_filter_leaves_legs_of_which_only_others_are_left() -> None:
    desk = new_desk()
    desk.day(session(1, 50, 50, 50, 50, of=BOLT))
    pair = spec(Side.BUY, "10"), spec(Side.BUY, "10", limit_price="40", instrument_id=BOLT.id, client_order_id="b")
    one = submit(desk, d.Legs(pair))
    desk.day(session(2, 50, 50, 50, 50))
    meant = Selection(account_ids=("A",), instrument_id=ACME.id)
    outcome = desk.step(c.CancelOrders(provenance=WHO, selection=meant)).outcome
    assert outcome is not None
    assert (outcome.parts, outcome.stopped, one.state) == ((), (), d.CompositeState.ACTIVE)
