"""Composite and held orders under commands over many: stopped with what fits, and their exits give way to a close."""

from decimal import Decimal
from typing import Any

import pytest

from evenkeel.domain import commands as c
from evenkeel.domain import composites as d
from evenkeel.domain.orders import OrderState, Side, Trigger
from evenkeel.domain.selections import Edit, Selection
from tests.scenarios.desk import Desk, session
from tests.trading.engine.composites.desks import new_desk, spec, submit
from tests.trading.engine.world import ACME, WHO, D

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
