"""Fees in one line: what each charges, how it is named, and which argument a refusal names."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.money import total
from evenkeel.domain.orders import Side
from evenkeel.quant.costs import (
    NOTHING,
    CostSchedule,
    FixedFee,
    NoFee,
    PercentFee,
    PerContractFee,
    PerShareFee,
    TieredFee,
    Traded,
    book_charges,
    total_charge,
)

BUY = Side.BUY


def charged(schedule: CostSchedule, *, quantity: float = 1.0, notional: float = 0.0, maker: bool = False) -> Decimal:
    charges = book_charges(schedule, BUY, currency="USD", after=Traded(quantity, notional), maker=maker)
    return total([charge.amount for charge in charges])


GRADUATED = TieredFee([(10_000, "0.001"), (100_000, "0.0005"), (None, "0.0001")])
WHOLE = TieredFee([(300, "0.01"), (None, "0.005")], by="quantity", whole=True)


@pytest.mark.parametrize(
    ("schedule", "quantity", "notional", "expected"),
    [
        (NoFee(), 100, 1e6, "0"),
        (PercentFee("0.0005"), 1, 1_234.567, "0.6172835"),
        (PercentFee("0.0005", step=None), 1, 1_234.567, "0.62"),
        (PercentFee("0.0005", step="0.05"), 1, 1_234.567, "0.6"),
        (PercentFee("0.0005", minimum=1), 1, 1_234.567, "1"),
        (PerShareFee("0.005", minimum="1", cap_rate="0.01"), 100, 2_500.0, "1"),
        (PerShareFee("0.005", minimum="1", cap_rate="0.01"), 1_000, 25_000.0, "5"),
        (PerShareFee("0.005", minimum="1", cap_rate="0.01"), 1_000, 250.0, "2.5"),
        (PerContractFee("0.65"), 3, 90_000.0, "1.95"),
        (PerContractFee("0.65", minimum="2.50"), 3, 90_000.0, "2.5"),
        (FixedFee("4.95"), 700, 1e6, "4.95"),
        (GRADUATED, 1, 10_000.0, "10"),
        (GRADUATED, 1, 30_000.0, "20"),  # 10 + 20,000 x 0.0005
        (GRADUATED, 1, 200_000.0, "65"),  # 10 + 90,000 x 0.0005 + 100,000 x 0.0001
        (WHOLE, 300, 0.0, "3"),
        (WHOLE, 301, 0.0, "1.505"),
    ],
)
def test_what_a_fee_charges(schedule: CostSchedule, quantity: float, notional: float, expected: str) -> None:
    assert charged(schedule, quantity=quantity, notional=notional) == Decimal(expected)


def test_makers_pay_their_own_rate() -> None:
    schedule = PercentFee("0.001", maker="-0.0001")
    assert charged(schedule, notional=5_000.0) == Decimal(5)
    assert charged(schedule, notional=5_000.0, maker=True) == Decimal("-0.5")


@pytest.mark.parametrize("figure", ["0.0005", Decimal("0.00050"), 0.0005])
def test_equal_figures_make_equal_fees(figure: str | Decimal | float) -> None:
    assert PercentFee(figure) == PercentFee("0.0005")
    assert PercentFee(figure).name == "percent-fee(0.0005)"


@pytest.mark.parametrize(
    ("schedule", "name", "title"),
    [
        (NoFee(), "zero", "No charges"),
        (
            PercentFee("0.0005", minimum="1.00", maker="0.0002", step=None),
            "percent-fee(0.0005, minimum=1, maker=0.0002, step=minor unit)",
            "0.05 % of value taking liquidity, 0.02 % making it, at least 1 an order",
        ),
        (
            PerShareFee("0.005", minimum=1, cap_rate=0.01),
            "per-share-fee(0.005, minimum=1, cap_rate=0.01)",
            "0.005 a share, at least 1 an order, at most 1 % of value",
        ),
        (PerContractFee("0.65"), "per-contract-fee(0.65)", "0.65 a contract"),
        (FixedFee(5, step="0.5"), "fixed-fee(5, step=0.5)", "5 an order"),
        (WHOLE, "whole-tiered-fee-by-quantity(300:0.01, :0.005)", "by the quantity of an order"),
    ],
)
def test_names_tell_the_figures(schedule: CostSchedule, name: str, title: str) -> None:
    assert (schedule.name, schedule.title) == (name, title)


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: PercentFee("five"), "rate"),
        (lambda: PercentFee(5), "rate"),
        (lambda: PercentFee("nan"), "rate"),
        (lambda: PercentFee(True), "rate"),
        (lambda: PercentFee(None), "rate"),  # type: ignore[arg-type]
        (lambda: PercentFee("0.001", minimum=-1), "minimum"),
        (lambda: PercentFee("0.001", maker="2"), "maker"),
        (lambda: PercentFee("0.001", step="0"), "step"),
        (lambda: PercentFee("0.001", step="0.000000001"), "step"),
        (lambda: PerShareFee("-0.005"), "price"),
        (lambda: PerShareFee("0.005", cap_rate="-0.1"), "cap_rate"),
        (lambda: PerContractFee("inf"), "price"),
        (lambda: FixedFee("-1"), "amount"),
        (lambda: TieredFee([]), "tiers"),
        (lambda: TieredFee([(100, "0.001")]), "tiers"),
        (lambda: TieredFee([(100, "0.001"), (50, "0.1"), (None, "0.1")]), "tiers"),
        (lambda: TieredFee([(None, "5")]), "tiers.0"),
        (lambda: TieredFee([(100, "0.1", "0.2")]), "tiers.0"),  # type: ignore[list-item]
        (lambda: TieredFee([(None, "0.1")], by="value"), "by"),
    ],
)
def test_a_refusal_names_the_argument(make: Callable[[], CostSchedule], argument: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{argument}: ") as caught:
        make()
    assert [error.field for error in caught.value.errors] == [argument]


@given(
    ends=st.lists(st.integers(1, 10**6), min_size=1, max_size=4, unique=True).map(sorted),
    smaller=st.integers(0, 2 * 10**6),
    larger=st.integers(0, 2 * 10**6),
)
def test_graduated_tiers_rise_with_the_order_and_have_no_jumps(ends: list[int], smaller: int, larger: int) -> None:
    schedule = TieredFee([*((end, "0.001") for end in ends[:-1]), (ends[-1], "0.0004"), (None, "0.0001")])
    low, high = (total_charge(schedule, BUY, quantity=1, notional=float(size)) for size in sorted((smaller, larger)))
    assert -1e-9 <= high - low <= 0.001 * abs(larger - smaller) + 1e-9


def test_a_cheaper_tier_for_the_whole_order_pays_back() -> None:
    first, both = Traded(300.0, 3_000.0), Traded(301.0, 3_010.0)
    (paid,) = book_charges(WHOLE, BUY, currency="USD", before=NOTHING, after=first)
    (back,) = book_charges(WHOLE, BUY, currency="USD", before=first, after=both)
    assert (paid.amount, back.amount) == (Decimal(3), Decimal("-1.495"))
