"""The running figures of an account are those of a walk over all it holds and all that works, whatever has happened."""

from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain.events import RiskInputs
from evenkeel.domain.money import add, mul, neg, sub
from evenkeel.domain.orders import Order, OrderKind, Side
from evenkeel.trading.engine.cells import Cell, Cells, Worth, cell_worth
from evenkeel.trading.engine.figures import exposure
from evenkeel.trading.engine.reach import Asked, last_price, of_account
from evenkeel.trading.engine.risk_views import Reserves
from evenkeel.trading.engine.state import AccountState, State
from tests.trading.engine.world import ACME, BOLT, OPEN, WHO, World, instrument, split_slice

CREW = instrument("CREW")
CREWS = (ACME, BOLT, CREW)
ROWS = ((1.0, 0.5, -0.25), (0.5, 1.0, float("nan")), (-0.25, float("nan"), 1.0))
steps = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell", "limit", "fill", "cancel", "price", "split", "list", "read"]),
        st.integers(0, 2),
        st.integers(1, 9),
    ),
    max_size=40,
)


def walked(state: State, account: AccountState) -> dict[str, Cell]:
    """The cells by a walk: what is held, and what works but is no exit."""
    found = {name: Cell(held) for name, held in account.net.items() if held}
    for order in account.working.values():
        if not order.spec.is_exit and order.remaining:
            name = order.spec.instrument_id
            found[name] = found.get(name, Cell()).moved(order.remaining, is_buy=order.spec.side is Side.BUY)
    return found


def assert_as_walked(state: State, account: AccountState) -> None:
    found = walked(state, account)
    assert account.cells.at(account, Reserves(state)) == found

    def unit(name: str) -> Decimal:
        return mul(last_price(state, name, accounts=(account,)), state.instruments[name].multiplier)

    whole = Worth()
    for name, cell in found.items():
        whole = whole.plus(cell_worth(cell, unit(name)))
        held, buys, sells = cell
        assert cell.worst == max(abs(add(held, buys)), abs(sub(held, sells)))
    assert account.cells.worth(state.marks, unit) == whole
    for order in account.working.values():
        assert_judged_again(state, account, order)
    measured = state.correlations
    if measured is not None:
        others = [(name, side) for name, cell in found.items() for side in cell.sides()]
        for one in state.instruments:
            for side in (1, -1):
                plain = measured.closest(one, side, others=others)
                assert account.cells.closest(measured, one, side) == plain


def assert_judged_again(state: State, account: AccountState, order: Order) -> None:
    """One of the orders that work is left out, and counts at its new price with what is asked of it now."""
    mine, price, quantity = order.spec.instrument_id, Decimal(11), Decimal(5)
    asked = Asked(account, order.spec, quantity, price, state.time, Reserves(state), (order,))
    found, whole = walked(state, account), Worth()
    is_buy = order.spec.side is Side.BUY
    others = found[mine].moved(neg(order.remaining), is_buy=is_buy)
    found[mine] = others.moved(quantity, is_buy=is_buy)
    for name, cell in found.items():
        last = last_price(state, name, accounts=(account,))
        worth = cell_worth(cell, mul(price if name == mine else last, state.instruments[name].multiplier))
        if name == mine:
            moving = add(mul(add(others.buys, others.sells), last), mul(quantity, price))
            worth = worth._replace(moving=mul(moving, state.instruments[name].multiplier))
        whole = whole.plus(worth)
    assert exposure(of_account(state, account), asked)[0] == whole


@given(steps, st.booleans())
@settings(max_examples=150, deadline=None)
def test_running_figures_are_those_of_a_walk(steps: list[tuple[str, int, int]], measured: bool) -> None:
    world = World(*CREWS)
    world.account(limits=OPEN, costs="us-per-share")
    if measured:
        names = tuple(one.id for one in CREWS)
        world.step(RiskInputs(as_of=0, days=9, instruments=names, correlations=ROWS))
    account = world.state.accounts["A"]
    for what, which, number in steps:
        one, working = CREWS[which], list(account.working.values())
        if what == "price":
            world.price(one, 9.0 + number / 8, day=0)
        elif what in ("buy", "sell"):
            world.submit(Side[what.upper()], str(number), instrument_id=one.id)
        elif what == "limit":
            price = Decimal(8 + number)
            world.submit(Side.BUY, str(number), instrument_id=one.id, kind=OrderKind.LIMIT, limit_price=price)
        elif what == "fill" and working:
            world.fill(working[number % len(working)], "1", "10")
        elif what == "cancel" and working:
            world.step(world.said(e.VenueCancelled, working[number % len(working)]))
        elif what == "split":
            world.step(split_slice(0, of=one))
        elif what == "list":
            relisted = msgspec.structs.replace(one, multiplier=Decimal(number))
            world.step(c.ListInstrument(provenance=WHO, instrument=relisted))
        elif what == "read":
            assert_as_walked(world.state, account)
    assert_as_walked(world.state, account)


def test_they_are_no_part_of_what_makes_two_states_equal() -> None:
    assert Cells() == Cells()
    assert repr(Cells()) == repr(Cells())
