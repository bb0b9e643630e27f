"""Composites at a simulated venue: what tests of them have in common."""

from decimal import Decimal
from typing import Any

from evenkeel.domain import commands as c
from evenkeel.domain import composites as d
from evenkeel.domain.accounts import AccountType, Limits
from evenkeel.domain.money import ZERO
from evenkeel.domain.orders import OrderKind, OrderSpec, OrderState, Side, TimeInForce
from evenkeel.quant.costs import FillModel
from evenkeel.trading.engine.composites import exits
from evenkeel.trading.engine.composites.standing import Composite
from tests.scenarios.desk import Desk, session
from tests.trading.engine.world import ACME, OPEN, WHO, D

_KINDS = {
    (False, False): OrderKind.MARKET,
    (True, False): OrderKind.LIMIT,
    (False, True): OrderKind.STOP,
    (True, True): OrderKind.STOP_LIMIT,
}


def new_desk(*, participation: float | None = None, limits: Limits = OPEN, **more: Any) -> Desk:
    """A margin account of 100,000, and a first day at 50; what fills is not limited by volume unless asked."""
    desk = Desk(model=FillModel(participation=participation))
    desk.open("A", "100000", limits=limits, type=AccountType.MARGIN, **more)
    desk.day(session(0, 50, 50, 50, 50))
    return desk


def spec(side: Side, quantity: str, **more: Any) -> OrderSpec:
    """An order of a composite; a limit or stop order where it names such a price."""
    prices: dict[str, Any] = {name: D(more.pop(name)) for name in ("limit_price", "stop_price") if name in more}
    base: dict[str, Any] = {"account_id": "A", "book": "manual", "instrument_id": ACME.id, "client_order_id": "c"}
    base |= {"kind": _KINDS["limit_price" in prices, "stop_price" in prices], "time_in_force": TimeInForce.GTC}
    return OrderSpec(side=side, quantity=D(quantity), **(base | prices | more))


def submit(desk: Desk, terms: d.Terms, name: str = "mine") -> Composite:
    step = desk.step(c.SubmitComposite(provenance=WHO, client_order_id=name, terms=terms))
    desk.deliver()
    assert step.outcome is not None
    return found(desk, step.outcome.id)


def found(desk: Desk, name: str) -> Composite:
    one = desk.state.composites.find(name)
    assert one is not None
    return one


def cancel(desk: Desk, one: Composite, *, close: bool = False) -> None:
    desk.step(c.CancelComposite(provenance=WHO, composite_id=one.id, close=close))
    desk.deliver()


def change(desk: Desk, one: Composite, **what: Any) -> None:
    desk.step(c.ModifyComposite(provenance=WHO, composite_id=one.id, change=d.CompositeChange(**what)))
    desk.deliver()


def children(desk: Desk, one: Composite) -> list[tuple[str, OrderState, Decimal, Decimal]]:
    """(leg, state, quantity, filled) of every child, in the order in which they were placed."""
    named = {name: leg for leg, names in one.legs.items() for name in names}
    return [
        (named[order.id], order.state, order.quantity, order.filled)
        for order in desk.state.orders.values()
        if order.id in named
    ]


def states(desk: Desk, one: Composite) -> dict[str, OrderState]:
    """The state of the last child of every leg."""
    return {leg: desk.state.orders[names[-1]].state for leg, names in one.legs.items()}


def assert_bounded(desk: Desk) -> None:
    """No composite has filled and at work more than it was asked for; exits are for what is held, and no more."""
    state = desk.state
    for one in state.composites.each():
        working = [state.orders[name] for name in one.working]
        assert all(order.is_open for order in working)
        if not one.state.is_live:
            assert not working, "what has ended has nothing at work"
        for spec_, legs in _wholes(one):
            at_work = sum((order.remaining for order in working if order.spec.leg in legs), ZERO)
            assert one.filled_of(*legs) + at_work <= spec_.quantity, f"{one.id} is over its quantity"
        if one.guards and one.state.is_live:
            held = max(ZERO, exits.held_of(one))
            for order in working:
                if order.spec.is_exit and order.state is not OrderState.CANCEL_PENDING:
                    assert order.remaining <= held, f"an exit of {order.remaining} for {held}"


def _wholes(one: Composite) -> list[tuple[OrderSpec, tuple[str, ...]]]:
    """Quantities that are not to be exceeded, with the legs that fill them."""
    match one.terms:
        case d.Bracket() | d.Cover():
            return [(one.terms.entry, (d.ENTRY,))]
        case d.Iceberg() | d.Slices():
            return [(one.terms.order, (d.SLICE,))]
        case d.Legs():
            return [(leg, (f"leg-{number}",)) for number, leg in enumerate(one.terms.orders, start=1)]
        case d.OneCancelsOther():
            pair = d.EXITS if one.closes else d.EITHER
            return [(one.terms.first, pair[:1]), (one.terms.second, pair[1:])]
