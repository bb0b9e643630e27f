"""Variants of a schedule: what its broker and the state charge, exchanged or left out, by a name that says so."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput, NotFound
from evenkeel.domain.orders import Side
from evenkeel.quant.costs import SCHEDULES, charge_by_component, find_schedule, total_charge
from evenkeel.quant.costs.variants import Variant, split_name

BROKERS = ("brokerage", "commission", "maker-commission")


def charged(name: str, side: Side = Side.SELL, value: float = 100_000.0) -> dict[str, float]:
    return charge_by_component(find_schedule(name), side, quantity=100.0, notional=value)


def test_a_rate_on_nothing_is_the_brokerage_alone() -> None:
    assert charged("zero(brokerage=0.0003)") == {"brokerage": pytest.approx(30.0)}


def test_a_rate_stands_in_for_the_brokers_own_and_its_service_tax_follows() -> None:
    usual, other = charged("india-equity-intraday"), charged("india-equity-intraday(brokerage=0.001)")
    assert (usual["brokerage"], other["brokerage"]) == (20.0, pytest.approx(100.0))
    services = other["brokerage"] + other["exchange"] + other["sebi"]
    assert other["gst"] == pytest.approx(0.18 * services)
    assert {name: other[name] for name in ("stt", "exchange", "sebi")} == {
        name: usual[name] for name in ("stt", "exchange", "sebi")
    }


def test_taxes_off_leaves_fees_and_brokerage_off_leaves_the_rest() -> None:
    assert set(charged("india-equity-intraday(taxes=off)")) == {"brokerage", "exchange", "sebi"}
    without = charged("india-equity-intraday(brokerage=off)")
    assert "brokerage" not in without
    assert without["gst"] == pytest.approx(0.18 * (without["exchange"] + without["sebi"]))
    assert set(charged("india-equity-intraday(brokerage=off, taxes=off)")) == {"exchange", "sebi"}


def test_a_tax_on_services_of_which_none_is_left_goes_with_them() -> None:
    assert charged("zero(brokerage=off, taxes=off)") == {}


def test_a_title_says_what_is_otherwise() -> None:
    assert find_schedule("zero(brokerage=0.0003)").title == "No charges; brokerage of 0.03 %"
    assert find_schedule("fixed(brokerage=off, taxes=off)").title == "4.95 an order; without brokerage; without taxes"


@given(
    base=st.sampled_from(sorted(SCHEDULES)),
    rate=st.none() | st.decimals(0, Decimal("0.9"), places=6),
    taxes=st.booleans(),
    side=st.sampled_from(Side),
)
def test_every_name_means_its_variant(base: str, rate: Decimal | None, taxes: bool, side: Side) -> None:
    variant = Variant(rate, taxes)
    name = variant.name_of(base)
    found = find_schedule(name)
    assert found.name == name
    assert found == (variant.of(SCHEDULES[base]) if name != base else SCHEDULES[base])
    assert split_name(name) == (None if name == base else (base, variant))
    parts = charge_by_component(found, side, quantity=10.0, notional=5000.0)
    assert total_charge(found, side, quantity=10.0, notional=5000.0) == pytest.approx(sum(parts.values()))
    if rate is not None:
        due = pytest.approx(float(rate) * 5000.0)
        assert sum(parts.get(name, 0.0) for name in BROKERS) == due
    if not taxes:
        assert all(one.kind != "tax" for one in found.components)


@pytest.mark.parametrize(
    "name",
    ["zero()", "zero(brokerage=1)", "zero(brokerage=-0.1)", "zero(brokerage=x)", "zero(taxes=on)", "zero(fees=off)",
     "zero(taxes=off, taxes=off)"],
)  # fmt: skip
def test_a_variant_that_makes_no_sense_is_refused(name: str) -> None:
    with pytest.raises((InvalidInput, NotFound)):
        find_schedule(name)


@pytest.mark.parametrize("name", ["free", "free(taxes=off)", "zero(taxes=off", "Zero", ""])
def test_what_is_no_schedule_is_not_found(name: str) -> None:
    with pytest.raises(NotFound, match="no cost schedule"):
        find_schedule(name)
