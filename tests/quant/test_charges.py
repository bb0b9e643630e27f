"""Charges: worked examples, rounding over an order's fills, and what a schedule refuses."""

from decimal import ROUND_DOWN, ROUND_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput, NotFound
from evenkeel.domain.fills import Charge
from evenkeel.domain.money import is_multiple, total
from evenkeel.domain.orders import Side
from evenkeel.quant.costs import (
    NOTHING,
    SCHEDULES,
    Component,
    CostSchedule,
    Traded,
    book_charges,
    book_price,
    book_quantity,
    charge_by_component,
    find_schedule,
    total_charge,
)

BUY, SELL = Side.BUY, Side.SELL


@pytest.mark.parametrize(
    ("shares", "price", "expected"),
    [
        (100, 25.00, 1.00),  # 0.50 by the share, lifted to the minimum
        (1_000, 25.00, 5.00),
        (1_000, 0.25, 2.50),  # 5.00 by the share, capped at 1 % of 250
        (10, 0.25, 0.025),  # the cap holds even below the minimum
        (200, 10.00, 1.00),
        (201, 10.00, 1.005),
    ],
)
def test_per_share_commission_has_a_minimum_and_a_cap(shares: int, price: float, expected: float) -> None:
    charges = charge_by_component(find_schedule("us-per-share"), BUY, quantity=shares, notional=shares * price)
    assert charges == {"commission": pytest.approx(expected, abs=1e-12)}


@pytest.mark.parametrize(
    ("shares", "notional", "section_31", "activity_fee"),
    [
        (1_000, 1_000_000.0, 27.80, 0.166),
        (50_000, 100_000.0, 2.78, 8.30),  # 50,000 x 0.000166 = 8.30: exactly the cap
        (100_000, 100_000.0, 2.78, 8.30),
    ],
)
def test_regulatory_fees_fall_on_sales_only(
    shares: int, notional: float, section_31: float, activity_fee: float
) -> None:
    schedule = find_schedule("us-zero-commission")
    assert charge_by_component(schedule, BUY, quantity=shares, notional=notional) == {}
    assert charge_by_component(schedule, SELL, quantity=shares, notional=notional) == {
        "regulatory-fee": pytest.approx(section_31),
        "trading-activity-fee": pytest.approx(activity_fee),
    }


@pytest.mark.parametrize(
    ("name", "quantity", "notional", "expected"),
    [
        ("zero", 10, 1_000.0, 0.0),
        ("percent", 10, 1_000.0, 1.00),  # 0.50 by rate, lifted to the minimum
        ("percent", 100, 10_000.0, 5.00),
        ("fixed", 1, 1.0, 4.95),
        ("fixed", 10_000, 1e6, 4.95),
        ("fixed", 0, 0.0, 0.0),  # what does not execute costs nothing
        ("percent", 0, 0.0, 0.0),
    ],
)
def test_schedules(name: str, quantity: float, notional: float, expected: float) -> None:
    assert total_charge(find_schedule(name), BUY, quantity=quantity, notional=notional) == pytest.approx(expected)


def test_a_rebate_is_negative_and_booked_as_such() -> None:
    schedule = CostSchedule("maker", "Maker rebate", (Component("rebate", rate=-0.0001),))
    (charge,) = book_charges(schedule, BUY, currency="USD", after=Traded(10, 5_000.0))
    assert charge.amount == Decimal("-0.50")


def test_a_fixed_commission_is_charged_with_the_first_fill_only() -> None:
    schedule = find_schedule("fixed")
    first, both = Traded(10, 100.0), Traded(30, 300.0)
    (charge,) = book_charges(schedule, BUY, currency="USD", after=first)
    assert (charge.component, charge.amount, charge.kind) == ("commission", Decimal("4.95"), "fee")
    assert book_charges(schedule, BUY, currency="USD", before=first, after=both) == ()


@pytest.mark.parametrize(("rounding", "expected"), [(ROUND_UP, "0.51"), (ROUND_DOWN, "0.50")])
def test_the_schedule_states_its_rounding(rounding: str, expected: str) -> None:
    schedule = CostSchedule("s", "S", (Component("commission", rate=0.00101),), rounding=rounding)
    (charge,) = book_charges(schedule, BUY, currency="USD", after=Traded(1, 500.0))
    assert charge.amount == Decimal(expected)


def test_minor_units_follow_the_currency() -> None:
    schedule = CostSchedule("s", "S", (Component("commission", rate=0.001),))
    (charge,) = book_charges(schedule, BUY, currency="JPY", after=Traded(1, 1_234_567.0))
    assert charge.amount == Decimal(1235)


@given(
    name=st.sampled_from(sorted(SCHEDULES)),
    side=st.sampled_from([BUY, SELL]),
    price=st.integers(1, 100_000).map(lambda cents: cents / 100),
    pieces=st.lists(st.integers(1, 5_000), min_size=1, max_size=6),
)
def test_an_order_costs_the_same_in_one_fill_or_many(name: str, side: Side, price: float, pieces: list[int]) -> None:
    schedule = find_schedule(name)
    whole = Traded(float(sum(pieces)), sum(pieces) * price)
    at_once = book_charges(schedule, side, currency="USD", after=whole)
    booked: list[Charge] = []
    before, done = NOTHING, 0
    for piece in pieces:
        done += piece
        after = Traded(float(done), done * price)
        booked += book_charges(schedule, side, currency="USD", before=before, after=after)
        before = after
    assert total([c.amount for c in booked]) == total([c.amount for c in at_once])
    assert all(is_multiple(c.amount, Decimal(schedule.step or "0.01")) for c in booked)


@given(
    cents=st.integers(1, 10_000_000),
    noise=st.floats(-1e-9, 1e-9),
    side=st.sampled_from([BUY, SELL]),
)
def test_float_noise_never_costs_a_tick(cents: int, noise: float, side: Side) -> None:
    assert book_price(cents / 100 + noise, side, Decimal("0.01")) == Decimal(cents) / 100


@pytest.mark.parametrize(
    ("price", "side", "tick", "expected"),
    [
        (10.001, BUY, "0.01", "10.01"),
        (10.009, SELL, "0.01", "10.00"),
        (10.02, BUY, "0.05", "10.05"),
        (10.04, SELL, "0.05", "10.00"),
    ],
)
def test_prices_are_rounded_against_the_trader(price: float, side: Side, tick: str, expected: str) -> None:
    assert book_price(price, side, Decimal(tick)) == Decimal(expected)


def test_quantities_are_whole_lots() -> None:
    assert book_quantity(3 * 0.1, Decimal("0.1")) == Decimal("0.3")


def test_an_unknown_schedule_names_those_there_are() -> None:
    with pytest.raises(NotFound, match="no cost schedule 'free'") as caught:
        find_schedule("free")
    assert "us-per-share" in (caught.value.hint or "")


def test_a_faulty_schedule_lists_every_field() -> None:
    components = (Component("a", kind="bribe"), Component("a", minimum=-1.0))
    with pytest.raises(InvalidInput) as caught:
        CostSchedule("s", "S", components, rounding="UPWARDS")
    assert {error.field for error in caught.value.errors} == {
        "rounding",
        "components.0.name",
        "components.0.kind",
        "components.1.name",
        "components.1.minimum",
    }
