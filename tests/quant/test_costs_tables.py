"""Charges for kernels: the same amounts as the exact ones book, ties included, and compiled as plain."""

from decimal import Decimal
from math import inf, nextafter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.money import ROUNDINGS, exact, total
from evenkeel.domain.orders import Side
from evenkeel.quant.costs import (
    NOTHING,
    SCHEDULES,
    Component,
    CostSchedule,
    Liquidity,
    PercentFee,
    Tier,
    TierBasis,
    Tiers,
    Traded,
    book_charges,
    charge_table,
    compiled,
    order_charge,
)
from evenkeel.quant.costs import tables as t

BUY, SELL = Side.BUY, Side.SELL
STEPS = ["0.01", "1", "0.00000001", "0.05", "25", "0.3", "3", "0.00000007"]


def tier_lists() -> st.SearchStrategy[tuple[Tier, ...]]:
    ends = st.lists(st.integers(1, 5_000).map(float), max_size=3, unique=True).map(sorted)
    prices = st.lists(st.sampled_from([0.0, 0.001, 0.0005, 0.005, 0.25]), min_size=4, max_size=4)
    return st.builds(
        lambda up_to, price: tuple(Tier(*pair) for pair in zip([*up_to, None], price, strict=False)), ends, prices
    )


@st.composite
def components(draw: st.DrawFn, *, number: int) -> Component:
    money = st.sampled_from([0.0, 0.005, 0.65, 1.0, 4.95])
    bound = st.none() | money
    earlier = [f"c{other}" for other in range(number) if other % 2 == 0]
    return Component(
        f"c{number}",
        per_order=draw(money),
        per_unit=draw(st.sampled_from([0.0, 0.005, 0.000166, -0.002])),
        rate=draw(st.sampled_from([0.0, 5e-4, 27.8e-6, -1e-4, 0.18])),
        minimum=draw(bound),
        cap=draw(bound),
        cap_rate=draw(st.sampled_from([None, 0.0, 0.01])),
        side=draw(st.sampled_from([None, BUY, SELL])),
        liquidity=draw(st.sampled_from([None, *Liquidity])),
        on=tuple(draw(st.lists(st.sampled_from(earlier), unique=True))) if number % 2 else (),
        tiers=draw(st.none() | st.builds(Tiers, tier_lists(), st.sampled_from(TierBasis), st.booleans())),
    )


@st.composite
def schedules(draw: st.DrawFn) -> CostSchedule:
    listed = tuple(draw(components(number=number)) for number in range(draw(st.integers(0, 4))))
    rounding, step = draw(st.sampled_from(sorted(ROUNDINGS))), draw(st.sampled_from([None, *STEPS]))
    return CostSchedule("s", "S", listed, rounding=rounding, step=step)


PIECES = st.lists(st.tuples(st.integers(1, 5_000), st.integers(1, 100_000), st.booleans()), min_size=1, max_size=4)


def booked(schedule: CostSchedule, side: Side, *, before: Traded, after: Traded, maker: bool) -> float:
    charges = book_charges(schedule, side, currency="USD", before=before, after=after, maker=maker)
    return float(total([charge.amount for charge in charges]))


@given(schedules() | st.sampled_from(list(SCHEDULES.values())), st.sampled_from([BUY, SELL]), PIECES)
def test_the_kernel_charges_what_is_booked(
    schedule: CostSchedule, side: Side, pieces: list[tuple[int, int, bool]]
) -> None:
    table, before = charge_table(schedule, "USD"), NOTHING
    for quantity, cents, maker in pieces:
        after = Traded(before.quantity + quantity, before.notional + quantity * cents / 100)
        charge = order_charge(table, side.sign, before.quantity, before.notional, after.quantity, after.notional, maker)
        assert charge == booked(schedule, side, before=before, after=after, maker=maker)
        before = after


@given(
    rounding=st.sampled_from(sorted(ROUNDINGS)),
    rate=st.sampled_from([0.001, 0.0005, -0.001, 0.00025]),
    halves=st.integers(1, 10**9),
    nudges=st.integers(-3, 3),
    earlier=st.floats(0.0, 1.0),
)
def test_charges_near_a_tie_are_what_is_booked(
    rounding: str, rate: float, halves: int, nudges: int, earlier: float
) -> None:
    schedule = CostSchedule("s", "S", (Component("commission", rate=rate),), rounding=rounding)
    notional = halves * 0.005 / abs(rate)
    for _ in range(abs(nudges)):
        notional = nextafter(notional, inf if nudges > 0 else -inf)
    before, after = Traded(1.0, earlier * notional), Traded(2.0, notional)
    charge = order_charge(charge_table(schedule, "USD"), 1, *_figures(before), *_figures(after), False)
    assert charge == booked(schedule, BUY, before=before, after=after, maker=False)


def _figures(traded: Traded) -> tuple[float, float]:
    return traded.quantity, traded.notional


def test_compiled_charges_have_the_same_bits() -> None:
    @given(schedules(), st.sampled_from([1, -1]), PIECES)
    def same(schedule: CostSchedule, side: int, pieces: list[tuple[int, int, bool]]) -> None:
        table, quantity, notional = charge_table(schedule, "USD"), 0.0, 0.0
        for more, cents, maker in pieces:
            traded = (quantity, notional, quantity + more, notional + more * cents / 100)
            plain, fast = (run(table, side, *traded, maker) for run in (order_charge, compiled.order_charge))
            assert np.float64(plain).tobytes() == np.float64(fast).tobytes()
            quantity, notional = traded[2:]

    same()


@given(
    rounding=st.sampled_from(sorted(ROUNDINGS)),
    step=st.sampled_from(STEPS),
    halves=st.integers(-(2 * 10**6), 2 * 10**6) | st.integers(-(10**13), 10**13),
    nudges=st.integers(-3, 3),
)
def test_ties_and_their_neighbours_round_as_booked_money_does(
    rounding: str, step: str, halves: int, nudges: int
) -> None:
    amount = float(Decimal(step) * halves / 2)
    for _ in range(abs(nudges)):
        amount = nextafter(amount, inf if nudges > 0 else -inf)
    size, parts = Decimal(step).as_integer_ratio()
    steps = t.whole_steps(amount, float(size), float(parts), float(t.ROUNDING_CODES[rounding]))
    assert steps * size / parts == float(exact(amount, Decimal(step), rounding))


@given(
    amount=st.floats(-1e5, 1e5),
    rounding=st.sampled_from(sorted(ROUNDINGS)),
    step=st.sampled_from(STEPS),
)
def test_any_amount_rounds_as_booked_money_does(amount: float, rounding: str, step: str) -> None:
    size, parts = Decimal(step).as_integer_ratio()
    steps = t.whole_steps(amount, float(size), float(parts), float(t.ROUNDING_CODES[rounding]))
    assert steps * size / parts == float(exact(amount, Decimal(step), rounding))


@pytest.mark.parametrize(
    ("amount", "rounding", "steps"),
    [
        (1.005, "ROUND_HALF_UP", 101),  # the float is below the tie, but what is booked is what it shows
        (2.675, "ROUND_HALF_UP", 268),
        (2.665, "ROUND_HALF_EVEN", 266),
        (2.675, "ROUND_HALF_EVEN", 268),
        (-1.005, "ROUND_HALF_UP", -101),
        (0.1 + 0.2, "ROUND_UP", 31),  # 0.30000000000000004 is more than 0.30
        (0.1 + 0.2, "ROUND_CEILING", 31),
        (-0.3, "ROUND_FLOOR", -30),
        (-0.301, "ROUND_FLOOR", -31),
        (-0.301, "ROUND_CEILING", -30),
        (0.309, "ROUND_DOWN", 30),
    ],
)
def test_rounding_to_the_cent(amount: float, rounding: str, steps: float) -> None:
    assert t.whole_steps(amount, 1.0, 100.0, float(t.ROUNDING_CODES[rounding])) == steps
    assert exact(amount, Decimal("0.01"), rounding) == Decimal(steps) / 100


@pytest.mark.parametrize("amount", [1e15, -1e15, 3.7e17, inf])
def test_amounts_beyond_the_digits_of_a_float_come_back_as_they_are(amount: float) -> None:
    assert t.whole_steps(amount, 1.0, 1.0, float(t.UP)) == amount


def test_a_table_is_read_only_and_contiguous() -> None:
    table = charge_table(SCHEDULES["us-per-share"], "USD")
    assert table.dtype == np.float64
    assert table.flags.c_contiguous
    assert not table.flags.writeable
    assert table.shape[0] == 3
    assert charge_table(SCHEDULES["zero"], "USD").shape[0] == 0


def test_the_step_follows_the_schedule_before_the_currency() -> None:
    component = (Component("commission", rate=1e-3),)
    traded = (0.0, 0.0, 1.0, 1_234.5)
    coarse, fine = CostSchedule("s", "S", component), CostSchedule("s", "S", component, step="0.00000001")
    assert order_charge(charge_table(coarse, "JPY"), 1, *traded, False) == 1.0
    assert order_charge(charge_table(coarse, "USD"), 1, *traded, False) == 1.23
    assert order_charge(charge_table(fine, "JPY"), 1, *traded, False) == 1.2345


def test_a_fill_pays_by_its_own_liquidity() -> None:
    schedule = PercentFee("0.001", maker="-0.0002")
    table = charge_table(schedule, "USD")
    assert order_charge(table, 1, 0.0, 0.0, 1.0, 1_000.0, False) == 1.0
    assert order_charge(table, 1, 1.0, 1_000.0, 3.0, 3_000.0, True) == -0.4
    (rebate,) = book_charges(
        schedule, BUY, currency="USD", before=Traded(1.0, 1_000.0), after=Traded(3.0, 3_000.0), maker=True
    )
    assert (rebate.component, rebate.amount) == ("maker-commission", Decimal("-0.4"))
