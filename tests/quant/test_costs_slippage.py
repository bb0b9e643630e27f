"""Slippage and participation as laws: nothing costs nothing, more never costs less, and limits hold."""

from math import inf, isnan, nan, sqrt
from typing import TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.marketdata import Bar
from evenkeel.domain.orders import OrderKind, Side
from evenkeel.quant.costs import FillModel, Slippage, fill_at_bar
from evenkeel.quant.costs.fills import capped_quantity, slipped

PRICE = st.integers(100, 1_000_000).map(lambda cents: cents / 100)
SIZE = st.integers(1, 10**6).map(float)
VOLUME = st.integers(0, 10**7).map(float)
BPS = st.floats(0.0, 500.0)
IMPACT = st.floats(0.0, 0.5)
SIGN = st.sampled_from([1, -1])
SIDES = {1: Side.BUY, -1: Side.SELL}


class Frictions(TypedDict):
    volume: float
    bps: float
    impact: float


FRICTIONS = st.fixed_dictionaries({"volume": VOLUME, "bps": BPS, "impact": IMPACT})


def against(price: float, sign: int, size: float, *, volume: float, bps: float, impact: float) -> float:
    """How far the price moved against the order; below zero it would have paid to trade."""
    return sign * (slipped(price, sign, size, volume, bps, impact) - price)


@given(PRICE, SIGN, SIZE, VOLUME)
def test_no_friction_moves_nothing(price: float, sign: int, size: float, volume: float) -> None:
    assert against(price, sign, size, volume=volume, bps=0.0, impact=0.0) == 0.0


@given(PRICE, SIGN, IMPACT)
def test_impact_vanishes_with_size(price: float, sign: int, impact: float) -> None:
    assert against(price, sign, 0.0, volume=1_000.0, bps=0.0, impact=impact) == 0.0


@given(PRICE, SIGN, st.tuples(SIZE, SIZE).map(sorted), FRICTIONS)
def test_a_larger_order_is_never_cheaper(price: float, sign: int, sizes: list[float], model: Frictions) -> None:
    small, large = (against(price, sign, size, **model) for size in sizes)
    assert 0.0 <= small <= large


@given(PRICE, SIGN, SIZE, st.tuples(VOLUME, VOLUME).map(sorted), BPS, IMPACT)
def test_a_thinner_bar_is_never_cheaper(
    price: float, sign: int, size: float, volumes: list[float], bps: float, impact: float
) -> None:
    thin, thick = (against(price, sign, size, volume=volume, bps=bps, impact=impact) for volume in volumes)
    if volumes[0] > 0.0:
        assert thick <= thin


@given(PRICE, SIGN, SIZE, VOLUME, st.tuples(BPS, BPS).map(sorted), st.tuples(IMPACT, IMPACT).map(sorted))
def test_more_friction_is_never_cheaper(
    price: float, sign: int, size: float, volume: float, bps: list[float], impacts: list[float]
) -> None:
    low, high = (
        against(price, sign, size, volume=volume, bps=one, impact=other)
        for one, other in zip(bps, impacts, strict=True)
    )
    assert low <= high


@given(SIZE, SIZE.filter(lambda volume: volume >= 1_000.0), IMPACT)
def test_four_times_the_order_has_twice_the_impact(size: float, volume: float, impact: float) -> None:
    one = against(1.0, 1, size, volume=volume, bps=0.0, impact=impact)
    four = against(1.0, 1, 4 * size, volume=volume, bps=0.0, impact=impact)
    assert four == pytest.approx(2 * one, abs=1e-12)
    assert one == pytest.approx(impact * sqrt(size / volume), abs=1e-12)


@given(PRICE, SIZE, st.floats(0.0, 1e7), st.floats(0.0, 1e3), VOLUME)
def test_a_sale_never_brings_less_than_nothing(
    price: float, size: float, bps: float, impact: float, volume: float
) -> None:
    assert slipped(price, -1, size, volume, bps, impact) >= 0.0


@given(
    sign=SIGN,
    kind=st.sampled_from([OrderKind.LIMIT, OrderKind.STOP_LIMIT]),
    prices=st.lists(st.integers(50, 150).map(float), min_size=4, max_size=4).map(sorted),
    limit=st.integers(50, 150).map(float),
    stop=st.integers(50, 150).map(float),
    size=SIZE,
    slippage=st.builds(Slippage, bps=BPS, spread_share=st.floats(0.0, 1.0), impact=IMPACT),
    spread=st.floats(0.0, 5.0),
)
def test_no_friction_takes_an_order_past_its_limit(
    sign: int,
    kind: OrderKind,
    prices: list[float],
    limit: float,
    stop: float,
    size: float,
    slippage: Slippage,
    spread: float,
) -> None:
    low, open_, close, high = prices
    bar = Bar("i", 0, 1, open_, high, low, close, 5_000.0, spread)
    attempt = fill_at_bar(
        bar,
        kind,
        side=SIDES[sign],
        quantity=size,
        limit=limit,
        stop=stop if kind is OrderKind.STOP_LIMIT else nan,
        model=FillModel(slippage),
    )
    assert isnan(attempt.price) or sign * attempt.price <= sign * limit
    if attempt.quantity and not attempt.taker:
        assert attempt.price == limit


@given(SIZE, VOLUME, st.floats(0.0, 1.0), st.sampled_from([1.0, 10.0, 0.5]))
def test_participation_is_a_cap_in_whole_lots(size: float, volume: float, share: float, lot: float) -> None:
    taken = capped_quantity(size, volume, share, lot)
    assert 0.0 <= taken <= size
    if volume > 0.0:
        assert taken <= share * volume * (1 + 1e-12) + 1e-9 * lot
        assert taken == size or (taken / lot).is_integer()
    else:
        assert taken == size
    assert capped_quantity(size, volume, inf, lot) == size


@given(st.tuples(SIZE, SIZE).map(sorted), VOLUME, st.floats(0.0, 1.0))
def test_a_larger_order_never_gets_less(sizes: list[float], volume: float, share: float) -> None:
    small, large = (capped_quantity(size, volume, share, 1.0) for size in sizes)
    assert small <= large


@pytest.mark.parametrize("field", ["bps", "spread_share", "impact"])
@pytest.mark.parametrize("value", [-0.1, inf, nan])
def test_slippage_cannot_pay(field: str, value: float) -> None:
    with pytest.raises(InvalidInput) as caught:
        Slippage(**{field: value})
    assert [error.field for error in caught.value.errors] == [field]
