"""Smart routing: the place that a rule prefers of those that may take the order, and why, for ever after."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain import commands as c
from evenkeel.domain import records as r
from evenkeel.domain.accounts import AccountMode, AccountType, Limits
from evenkeel.domain.composites import Bracket
from evenkeel.domain.errors import IdempotencyConflict, InvalidInput, NotFound
from evenkeel.domain.instruments import Instrument, instrument_id
from evenkeel.domain.marketdata import MarketSlice, Quote
from evenkeel.domain.orders import Order, OrderKind, OrderState, Side
from evenkeel.domain.routing import Route, RouteRule
from evenkeel.trading.engine.fold import apply
from tests.trading.engine.world import ACME, BOLT, OPEN, WHO, World, assert_sound, at

D = Decimal
HERE = msgspec.structs.replace(ACME, symbol="DUAL", id=instrument_id("HERE", "DUAL"), venue="HERE")
THERE = msgspec.structs.replace(ACME, symbol="DUAL", id=instrument_id("THERE", "DUAL"), venue="THERE")
CASH_ONLY = msgspec.structs.replace(OPEN, allow_short=False, cash_check=True)


def world(*accounts: str, of: Instrument = ACME, **more: Any) -> World:
    made = World(ACME, BOLT, HERE, THERE)
    for name in accounts or ("A", "B", "C"):
        made.account(name, **more)
    made.price(of, 10.0)
    return made


def declare(made: World, *accounts: str, rule: RouteRule = RouteRule.CHEAPEST, venues: tuple[str, ...] = ()) -> None:
    made.step(c.SetRoute(provenance=WHO, route=Route("u", "best", accounts, rule, venues)))


def route(made: World, side: Side = Side.BUY, quantity: str = "100", **more: Any) -> Order:
    spec = made.spec(side, quantity, **more)
    outcome = made.step(c.RouteOrder(provenance=WHO, user_id="u", name="best", spec=spec)).outcome
    assert outcome is not None
    return made.state.orders[outcome.id]


def test_the_cheapest_account_takes_the_order() -> None:
    made = world("A", costs="us-per-share")
    made.account("B", costs="zero")
    declare(made, "A", "B")
    order = route(made)
    (record,) = made.of(r.OrderRouted)
    assert (order.spec.account_id, order.state) == ("B", OrderState.SUBMITTED)
    assert [(one.account_id, one.cost) for one in record.candidates] == [("A", D("1001.00")), ("B", D(1000))]
    assert record.order_id == order.id
    assert_sound(made)


def test_of_equals_the_first_named_wins() -> None:
    made = world()
    declare(made, "C", "A", "B")
    assert route(made).spec.account_id == "C"


@pytest.mark.parametrize("rule", RouteRule)
@pytest.mark.parametrize(("side", "held"), [(Side.SELL, "100"), (Side.BUY, "-100")])
def test_it_reduces_what_one_account_holds_before_it_opens_anything_in_another(
    rule: RouteRule, side: Side, held: str
) -> None:
    made = world("A", costs="zero", cash="90000")
    made.account("B", "10000", costs="us-per-share")
    made.holding(held, account_id="B")
    declare(made, "A", "B", rule=rule)
    first = route(made, side, "60")
    assert first.spec.account_id == "B"
    assert [one.reduces for one in made.of(r.OrderRouted)[0].candidates] == [False, True]
    route(made, side, "60")
    assert [one.reduces for one in made.of(r.OrderRouted)[1].candidates] == [False, False], "40 are left to close"
    assert_sound(made)


def test_who_may_not_take_it_is_passed_over() -> None:
    made = world("B")
    made.account("A", "999.99", limits=CASH_ONLY)
    declare(made, "A", "B", rule=RouteRule.FIRST)
    assert route(made).spec.account_id == "B"
    refused = made.of(r.OrderRouted)[0].candidates[0]
    assert (refused.refused, refused.rank) == ("cash", None)
    assert refused.reason is not None
    assert route(made, quantity="99").spec.account_id == "A", "a smaller one fits"


def test_where_nobody_may_it_is_refused_at_the_first() -> None:
    made = world("A", "B", cash="10", limits=CASH_ONLY)
    declare(made, "B", "A")
    order = route(made)
    assert (order.spec.account_id, order.state, order.rule) == ("B", OrderState.REFUSED, "cash")
    assert [one.refused for one in made.of(r.OrderRouted)[0].candidates] == ["cash", "cash"]
    assert not made.sent()


def test_most_cash_and_least_exposed() -> None:
    made = world("A", cash="50000")
    made.account("B", "60000")
    made.holding("4000", account_id="B")  # 40,000 of 60,000
    declare(made, "A", "B", rule=RouteRule.MOST_CASH)
    assert route(made).spec.account_id == "A"
    declare(made, "B", "A", rule=RouteRule.LEAST_EXPOSED)
    assert route(made).spec.account_id == "A"


@pytest.mark.parametrize(("side", "venue"), [(Side.BUY, "THERE"), (Side.SELL, "HERE")])
def test_the_better_quote_of_two_venues(side: Side, venue: str) -> None:
    """A buyer pays the lower ask, a seller takes the higher bid."""
    made = world("A")
    nan = float("nan")
    quotes = (
        Quote(HERE.id, at(1), 10.00, 10.02, nan),
        Quote(THERE.id, at(1), 9.99, 10.01, nan),
    )
    made.step(MarketSlice(at(1), quotes=quotes), at(1))
    declare(made, "A")
    order = route(made, side, instrument_id=HERE.id)
    assert made.state.instruments[order.spec.instrument_id].venue == venue
    declare(made, "A", venues=("HERE",))
    assert made.state.instruments[route(made, side, instrument_id=THERE.id).spec.instrument_id].venue == "HERE"


def test_what_has_no_price_is_no_bargain() -> None:
    """A reduction needs no price; where there is one, it is known what it pays."""
    made = world("A")
    for one in (HERE, THERE):
        made.holding("100", instrument_id=one.id)
    made.price(THERE, 10.0, day=1)
    declare(made, "A")
    order = route(made, Side.SELL, "10", instrument_id=HERE.id)
    assert made.state.instruments[order.spec.instrument_id].venue == "THERE"
    (record,) = made.of(r.OrderRouted)
    assert [one.cost for one in record.candidates] == [None, D(-100)]


def test_a_venue_where_it_is_not_listed_is_a_fault() -> None:
    made = world("A")
    declare(made, "A", venues=("MOON",))
    spec = made.spec()
    error = made.declined(c.RouteOrder(provenance=WHO, user_id="u", name="best", spec=spec))
    assert isinstance(error, InvalidInput)


def test_sent_twice_it_is_placed_once_wherever_it_went() -> None:
    made = world("A", "B")
    made.account("C", "1", limits=CASH_ONLY)
    declare(made, "C", "B", "A")
    first = route(made, client_order_id="once")
    assert route(made, client_order_id="once") is first
    assert len(made.sent()) == 1
    other = made.spec(quantity="7", client_order_id="once")
    error = made.declined(c.RouteOrder(provenance=WHO, user_id="u", name="best", spec=other))
    assert isinstance(error, IdempotencyConflict)


def test_a_name_of_a_composite_is_taken() -> None:
    made = world("A", "B")
    declare(made, "A", "B")
    entry = made.spec(kind=OrderKind.LIMIT, limit_price=D(9), instrument_id=HERE.id, account_id="B")
    made.step(c.SubmitComposite(provenance=WHO, client_order_id="b", terms=Bracket(entry, stop_loss=D(8))))
    spec = made.spec(client_order_id="b", instrument_id=HERE.id)
    error = made.declined(c.RouteOrder(provenance=WHO, user_id="u", name="best", spec=spec))
    assert isinstance(error, IdempotencyConflict)


def test_routes_are_the_users_own_of_one_mode_and_one_currency() -> None:
    made = world("A")
    mine = made.state.accounts["A"].account
    for name, other in (("LIVE", {"mode": AccountMode.LIVE}), ("RUPEES", {"currency": "INR"})):
        account = msgspec.structs.replace(mine, id=name, **other)
        apply(made.state, r.AccountOpened(at=made.now, account=account, provenance=WHO))
    for accounts in ((), ("A", "A"), ("A", "gone"), ("A", "LIVE"), ("A", "RUPEES")):
        error = made.declined(c.SetRoute(provenance=WHO, route=Route("u", "best", accounts)))
        assert isinstance(error, InvalidInput)
    assert isinstance(made.declined(c.SetRoute(provenance=WHO, route=Route("eve", "best", ("A",)))), InvalidInput)
    declare(made, "A")
    spec = made.spec()
    for name, user in (("best", "eve"), ("other", "u")):
        error = made.declined(c.RouteOrder(provenance=WHO, user_id=user, name=name, spec=spec))
        assert isinstance(error, NotFound)
    made.step(c.RemoveRoute(provenance=WHO, user_id="u", name="best"))
    assert isinstance(made.declined(c.RemoveRoute(provenance=WHO, user_id="u", name="best")), NotFound)


@given(st.data())
def test_it_goes_to_whom_risk_approves_and_nobody_cheaper_would(data: st.DataObject) -> None:
    made = world(of=ACME) if data.draw(st.booleans()) else World()
    names = ("A", "B", "C", "D")
    for name in names:
        if name not in made.state.accounts:
            costs = data.draw(st.sampled_from(["zero", "us-per-share"]))
            limits = data.draw(st.sampled_from([OPEN, CASH_ONLY, Limits()]))
            of = data.draw(st.sampled_from(list(AccountType)))
            made.account(name, str(data.draw(st.integers(0, 3000))), limits=limits, costs=costs, type=of)
    made.price(ACME, 10.0, day=1)
    declare(made, *data.draw(st.permutations(names)))
    side, limit = data.draw(st.sampled_from(list(Side))), data.draw(st.sampled_from([None, D("9.5")]))
    kind = OrderKind.MARKET if limit is None else OrderKind.LIMIT
    order = route(made, side, str(data.draw(st.integers(1, 300))), kind=kind, limit_price=limit)
    (record,) = made.of(r.OrderRouted)
    able = [one for one in record.candidates if one.refused is None]
    assert order.state is (OrderState.SUBMITTED if able else OrderState.REFUSED)
    if able:
        (taken,) = [one for one in able if one.account_id == order.spec.account_id]
        assert all(taken.rank is not None and one.rank is not None and taken.rank <= one.rank for one in able)
    assert_sound(made)
