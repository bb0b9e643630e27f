"""Schedules: the price lists of India, the United States and crypto by hand, and what a faulty one is told."""

from decimal import Decimal
from math import inf, nan

import pytest

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.orders import Side
from evenkeel.quant.costs import (
    SCHEDULES,
    Component,
    CostSchedule,
    Liquidity,
    Tier,
    TierBasis,
    Tiers,
    Traded,
    book_charges,
    charge_by_component,
    find_schedule,
    total_charge,
)

BUY, SELL = Side.BUY, Side.SELL


def booked(name: str, side: Side, *, quantity: float, notional: float, currency: str = "INR") -> dict[str, str]:
    charges = book_charges(find_schedule(name), side, currency=currency, after=Traded(quantity, notional))
    return {charge.component: str(charge.amount) for charge in charges}


@pytest.mark.parametrize(
    ("name", "side", "notional", "expected"),
    [
        (
            "india-equity-delivery",
            BUY,
            100_000.0,
            {"exchange": "3.07", "sebi": "0.10", "stt": "100.00", "stamp-duty": "15.00", "gst": "0.57"},
        ),
        (
            "india-equity-delivery",
            SELL,
            100_000.0,
            {"exchange": "3.07", "sebi": "0.10", "depository": "13.00", "stt": "100.00", "gst": "2.91"},
        ),
        (
            "india-equity-intraday",
            BUY,
            50_000.0,
            {"brokerage": "15.00", "exchange": "1.54", "sebi": "0.05", "stamp-duty": "1.50", "gst": "2.99"},
        ),
        (
            "india-equity-intraday",
            SELL,
            100_000.0,
            {"brokerage": "20.00", "exchange": "3.07", "sebi": "0.10", "stt": "25.00", "gst": "4.17"},
        ),
        (
            "india-futures",
            SELL,
            2_000_000.0,  # the Budget's own example: 2,000,000 at 0.05 % is a tax of 1,000
            {"brokerage": "20.00", "exchange": "36.60", "sebi": "2.00", "stt": "1000.00", "gst": "10.55"},
        ),
        (
            "india-options",
            SELL,
            10_000.0,
            {"brokerage": "20.00", "exchange": "3.55", "sebi": "0.01", "stt": "15.00", "gst": "4.24"},
        ),
        (
            "india-options",
            BUY,
            10_000.0,
            {"brokerage": "20.00", "exchange": "3.55", "sebi": "0.01", "stamp-duty": "0.30", "gst": "4.24"},
        ),
    ],
)
def test_an_indian_order_by_hand(name: str, side: Side, notional: float, expected: dict[str, str]) -> None:
    assert booked(name, side, quantity=100.0, notional=notional) == expected


def test_the_depository_takes_15_34_a_sale_with_its_tax() -> None:
    with_it = total_charge(find_schedule("india-equity-delivery"), SELL, quantity=1, notional=0.0)
    assert with_it == pytest.approx(15.34)


def test_the_round_trip_of_a_published_calculator_reproduces() -> None:
    """400 shares bought at 1,000 and sold at 1,100: brokerage 40, STT 110, exchange 27.30, GST 12.11, SEBI 1.26."""
    schedule = CostSchedule(
        "calculator",
        "NSE intraday, as it was charged some years ago",
        (
            Component("brokerage", rate=1e-4, cap=20.0),
            Component("exchange", rate=3.25e-5),
            Component("sebi", rate=1.5e-6),
            Component("stt", "tax", rate=0.00025, side=SELL),
            Component("gst", "tax", rate=0.18, on=("brokerage", "exchange")),
        ),
    )
    sides = [
        charge_by_component(schedule, side, quantity=400, notional=400 * price)
        for side, price in ((BUY, 1_000), (SELL, 1_100))
    ]
    both = {name: sum(side.get(name, 0.0) for side in sides) for name in sides[1]}
    assert both == pytest.approx(
        {"brokerage": 40.0, "exchange": 27.30, "sebi": 1.26, "stt": 110.0, "gst": 12.11}, abs=5e-3
    )
    assert sum(both.values()) == pytest.approx(190.67, abs=0.01)


def test_taxes_are_booked_as_taxes() -> None:
    charges = book_charges(find_schedule("india-equity-intraday"), SELL, currency="INR", after=Traded(100.0, 100_000.0))
    assert {charge.component for charge in charges if charge.kind == "tax"} == {"stt", "gst"}


@pytest.mark.parametrize(
    ("name", "side", "quantity", "notional", "expected"),
    [
        ("us-zero-commission-2026", BUY, 1_000.0, 1_000_000.0, {}),
        (
            "us-zero-commission-2026",
            SELL,
            1_000.0,
            1_000_000.0,
            {"regulatory-fee": "20.60", "trading-activity-fee": "0.20"},
        ),
        (
            "us-zero-commission-2026",
            SELL,
            60_000.0,  # 60,000 x 0.000195 is above the cap
            60_000.0,
            {"regulatory-fee": "1.24", "trading-activity-fee": "9.79"},
        ),
        (
            "us-per-share-2026",
            SELL,
            1_000.0,
            25_000.0,
            {"commission": "5.00", "regulatory-fee": "0.52", "trading-activity-fee": "0.20"},
        ),
    ],
)
def test_us_equities_of_2026(name: str, side: Side, quantity: float, notional: float, expected: dict[str, str]) -> None:
    assert booked(name, side, quantity=quantity, notional=notional, currency="USD") == expected


@pytest.mark.parametrize(
    ("name", "maker", "component", "expected"),
    [
        ("crypto-spot", False, "commission", "0.12345678"),
        ("crypto-spot", True, "maker-commission", "0.12345678"),
        ("crypto-perpetual", False, "commission", "0.06172839"),
        ("crypto-perpetual", True, "maker-commission", "0.02469136"),
    ],
)
def test_crypto_is_booked_to_the_eighth_place(name: str, maker: bool, component: str, expected: str) -> None:
    after = Traded(1.0, 123.45678)
    (charge,) = book_charges(find_schedule(name), BUY, currency="USDT", after=after, maker=maker)
    assert (charge.component, charge.amount) == (component, Decimal(expected))


def test_currencies_cost_their_spread_only() -> None:
    assert booked("fx-spread", BUY, quantity=100_000.0, notional=108_000.0, currency="USD") == {}


def test_somebodys_figures_say_since_when_they_hold() -> None:
    ours = {"zero", "percent", "fixed", "fx-spread"}
    assert {name for name, schedule in SCHEDULES.items() if schedule.as_of is None} == ours


def test_the_check_before_a_trade_reserves_what_a_taker_pays() -> None:
    schedule = find_schedule("crypto-perpetual")
    assert total_charge(schedule, BUY, quantity=1, notional=1_000.0) == pytest.approx(0.5)
    assert total_charge(schedule, BUY, quantity=1, notional=1_000.0, maker=True) == pytest.approx(0.2)


def test_a_rate_on_others_skips_those_that_do_not_apply() -> None:
    schedule = CostSchedule(
        "s",
        "S",
        (
            Component("sales", per_order=10.0, side=SELL),
            Component("taking", per_order=5.0, liquidity=Liquidity.TAKER),
            Component("vat", "tax", rate=0.2, on=("sales", "taking")),
        ),
    )
    vat = {
        (side, maker): charge_by_component(schedule, side, quantity=1, notional=1.0, maker=maker)["vat"]
        for side in (BUY, SELL)
        for maker in (False, True)
    }
    assert vat == {(BUY, False): 1.0, (BUY, True): 0.0, (SELL, False): 3.0, (SELL, True): 2.0}


LAST = Tier(None, 0.1)


@pytest.mark.parametrize(
    ("component", "field", "said"),
    [
        (Component("b", rate=nan), "rate", "finite"),
        (Component("b", per_unit=inf), "per_unit", "finite"),
        (Component("b", on=("a", "a")), "on", "twice"),
        (Component("b", on=("b",)), "on", "no component listed before"),
        (Component("b", on=("c",)), "on", "no component listed before"),
        (Component("b", on=("on-a",)), "on", "not itself on others"),
        (Component("b", tiers=Tiers(())), "tiers", "no end"),
        (Component("b", tiers=Tiers((Tier(5.0, 0.1),))), "tiers", "no end"),
        (Component("b", tiers=Tiers((Tier(5.0, 0.1), Tier(5.0, 0.2), LAST))), "tiers", "rise"),
        (Component("b", tiers=Tiers((Tier(nan, 0.1), LAST))), "tiers", "rise"),
        (Component("b", tiers=Tiers((Tier(5.0, nan), LAST), TierBasis.QUANTITY)), "tiers", "finite"),
    ],
)
def test_a_faulty_component_is_named(component: Component, field: str, said: str) -> None:
    before = (Component("a", per_order=1.0), Component("on-a", rate=0.1, on=("a",)))
    with pytest.raises(InvalidInput) as caught:
        CostSchedule("s", "S", (*before, component))
    (fault,) = caught.value.errors
    assert fault.field == f"components.2.{field}"
    assert said in fault.message


@pytest.mark.parametrize("step", ["0", "-0.01", "0.000000001", "1001", "nan", "penny", ""])
def test_a_step_is_a_sensible_decimal(step: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        CostSchedule("s", "S", step=step)
    expected = f"expected a multiple of 0.00000001 up to 1000, not {step!r}"
    assert caught.value.errors == (FieldError("step", expected),)
