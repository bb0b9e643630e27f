"""Changes of composites that risk refuses: nothing of them is recorded, and nothing comes of them later by itself."""

from typing import Any

import msgspec
import pytest

from evenkeel.domain import commands as c
from evenkeel.domain import composites as d
from evenkeel.domain.accounts import Limits
from evenkeel.domain.errors import ChangeRefused
from evenkeel.domain.limits import Layer
from evenkeel.domain.orders import OrderState, Side
from tests.scenarios.desk import Desk, session
from tests.trading.engine.composites.desks import change, children, found, new_desk, spec, submit
from tests.trading.engine.world import OPEN, WHO, D, assert_sound

BUY = Side.BUY
COLLAR = msgspec.structs.replace(OPEN, price_collar=D("0.05"))
FAR = D("40")


def limit(price: str = "49", quantity: str = "10", **more: Any) -> Any:
    return spec(BUY, quantity, limit_price=price, **more)


KINDS: dict[str, d.Terms] = {
    "bracket": d.Bracket(limit(), stop_loss=D("30"), take_profit=D("60")),
    "cover": d.Cover(limit(), stop_loss=D("30")),
    "iceberg": d.Iceberg(limit(), D(4)),
    "parts": d.Slices(limit(), d.Parts(D(4))),
    "oco": d.OneCancelsOther(limit(), spec(BUY, "10", stop_price="51")),
}


def limited(desk: Desk, limits: Limits) -> None:
    desk.step(c.SetLimits(provenance=WHO, account_id="A", limits=limits))
    desk.deliver()


def prices(desk: Desk, one: Any) -> set[Any]:
    return {desk.state.orders[order_id].limit_price for order_id in one.working} - {None}


@pytest.mark.parametrize("terms", KINDS.values(), ids=list(KINDS))
def test_a_change_that_risk_refuses_is_declined(terms: d.Terms) -> None:
    desk = new_desk(limits=COLLAR)
    one = submit(desk, terms)
    asked = c.ModifyComposite(provenance=WHO, composite_id=one.id, change=d.CompositeChange(limit_price=FAR))
    error = desk.declined(asked)
    assert isinstance(error, ChangeRefused)
    assert (error.rule, error.layer, error.limit, error.value) == ("price-collar", Layer.ACCOUNT, "0.05", "0.2000")
    assert (one.terms, prices(desk, one)) == (terms, {D(49)})
    limited(desk, OPEN)
    desk.day(session(1, 50, 50, 50, 50))
    assert prices(desk, one) == {D(49)}
    change(desk, one, limit_price=D("48"))
    assert prices(desk, one) == {D(48)}
    assert_sound(desk)


@pytest.mark.parametrize("terms", KINDS.values(), ids=list(KINDS))
def test_a_change_that_risk_refuses_later_is_taken_back_with_an_alert(terms: d.Terms) -> None:
    desk = new_desk()
    desk.held_back = []
    one = submit(desk, terms)
    change(desk, one, limit_price=FAR)
    assert d.specs_of(one.terms)[0].limit_price == FAR
    limited(desk, COLLAR)
    desk.release()
    desk.day(session(1, 50, 50, 50, 50))
    assert d.specs_of(one.terms)[0].limit_price == D(49)
    assert prices(desk, one) == {D(49)}
    assert desk.alerts().count("change-refused") == 1
    limited(desk, OPEN)
    desk.day(session(2, 50, 50, 50, 50))
    assert prices(desk, one) == {D(49)}, "nothing comes of it later by itself"
    assert_sound(desk)


def test_slices_of_two_prices_are_left_where_they_are() -> None:
    desk = new_desk()
    one = submit(desk, d.Slices(limit(quantity="8"), d.Parts(D(4))))
    desk.held_back = []
    change(desk, one, limit_price=D("48"))
    limited(desk, msgspec.structs.replace(OPEN, price_collar=D("0.001")))
    desk.release()
    assert prices(desk, one) == {D(48)}
    change_ = c.ModifyComposite(provenance=WHO, composite_id=one.id, change=d.CompositeChange(limit_price=D("47")))
    assert isinstance(desk.declined(change_), ChangeRefused)
    assert_sound(desk)


def test_a_change_is_judged_for_all_that_has_not_filled() -> None:
    desk = new_desk(limits=msgspec.structs.replace(OPEN, max_order_value=D("5000")))
    one = submit(desk, d.Iceberg(limit("49", quantity="100"), D(4)))
    assert one.state is d.CompositeState.ACTIVE
    dearer = c.ModifyComposite(provenance=WHO, composite_id=one.id, change=d.CompositeChange(limit_price=D("50.5")))
    error = desk.declined(dearer)
    assert isinstance(error, ChangeRefused)
    change(desk, one, limit_price=D("49.5"))
    assert prices(desk, one) == {D("49.5")}


def test_what_works_is_not_counted_twice_when_a_change_is_judged() -> None:
    desk = new_desk(limits=msgspec.structs.replace(OPEN, cash_check=True))
    one = submit(desk, d.Slices(limit("49", quantity="2000"), d.Parts(D(500))))
    assert len(one.working) == 4
    change(desk, one, limit_price=D("49.5"))
    assert prices(desk, one) == {D("49.5")}
    dearer = c.ModifyComposite(provenance=WHO, composite_id=one.id, change=d.CompositeChange(limit_price=D("50.5")))
    error = desk.declined(dearer)
    assert isinstance(error, ChangeRefused)
    assert error.rule == "cash"


def test_either_of_two_things_is_changed() -> None:
    desk = new_desk()
    pair = d.OneCancelsOther(limit("49"), spec(BUY, "20", limit_price="45"))
    one = submit(desk, pair)
    change(desk, one, limit_price=D("48"))
    assert prices(desk, one) == {D(48)}
    assert found(desk, one.id).state is d.CompositeState.ACTIVE
    assert [state for _, state, _, _ in children(desk, one)] == [OrderState.ACCEPTED] * 2
