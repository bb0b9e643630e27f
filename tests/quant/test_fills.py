"""Fills: a table worked by hand, laws that hold on any bar, and the compiled kernels bit by bit."""

import subprocess
import sys
from math import inf, isnan, nan, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.marketdata import Bar, Quote
from evenkeel.domain.orders import OrderKind, Side
from evenkeel.quant.costs import FillModel, Slippage, compiled, fill_at_bar, fill_at_quote
from evenkeel.quant.costs import fills as kernels

BUY, SELL = Side.BUY, Side.SELL
MARKET, LIMIT, STOP, STOP_LIMIT = OrderKind.MARKET, OrderKind.LIMIT, OrderKind.STOP, OrderKind.STOP_LIMIT


def bar(open_: float, high: float, low: float, close: float, volume: float = 0.0, spread: float = 0.0) -> Bar:
    return Bar("i", 0, 1, open_, high, low, close, volume, spread)


UP = bar(100, 110, 99, 105)  # the low is nearer to the open: open, low, high, close
DOWN = bar(100, 101, 90, 95)  # the high is nearer: open, high, low, close
EVEN = bar(100, 105, 95, 101)


@pytest.mark.parametrize(
    ("on", "kind", "side", "limit", "stop", "price", "triggered"),
    [
        (UP, MARKET, BUY, nan, nan, 100, False),
        (UP, LIMIT, BUY, 99.5, nan, 99.5, False),
        (UP, LIMIT, BUY, 99, nan, 99, False),
        (UP, LIMIT, BUY, 98.99, nan, nan, False),
        (UP, LIMIT, BUY, 102, nan, 100, False),  # better open
        (UP, LIMIT, SELL, 109, nan, 109, False),
        (UP, LIMIT, SELL, 98, nan, 100, False),
        (UP, LIMIT, SELL, 111, nan, nan, False),
        (UP, STOP, BUY, nan, 108, 108, True),
        (UP, STOP, BUY, nan, 95, 100, True),  # gap through the stop
        (UP, STOP, BUY, nan, 111, nan, False),
        (DOWN, STOP, SELL, nan, 92, 92, True),
        (DOWN, STOP, SELL, nan, 104, 100, True),
        (DOWN, STOP, SELL, nan, 89, nan, False),
        (UP, STOP_LIMIT, BUY, 109, 108, 108, True),
        (UP, STOP_LIMIT, BUY, 111, 112, nan, False),
        (UP, STOP_LIMIT, BUY, 105, 95, 100, True),  # triggered by the open, within the limit
        (UP, STOP_LIMIT, BUY, 99.5, 100, 99.5, True),  # triggered by the open, above the limit
        (UP, STOP_LIMIT, BUY, 98, 100, nan, True),
        (UP, STOP_LIMIT, BUY, 104, 108, nan, True),  # the low came before: only the close counts
        (UP, STOP_LIMIT, BUY, 106, 108, 106, True),
        (DOWN, STOP_LIMIT, BUY, 95, 101, 95, True),  # the low comes after the trigger
        (EVEN, STOP_LIMIT, BUY, 96, 104, nan, True),  # a tie: the path that does worse
        (EVEN, STOP_LIMIT, SELL, 104, 96, nan, True),
        (DOWN, STOP_LIMIT, SELL, 91, 92, 92, True),
        (DOWN, STOP_LIMIT, SELL, 98, 92, nan, True),  # the high came before
    ],
)
def test_where_an_order_fills(
    on: Bar, kind: OrderKind, side: Side, limit: float, stop: float, price: float, triggered: bool
) -> None:
    attempt = fill_at_bar(on, kind, side=side, quantity=1.0, limit=limit, stop=stop)
    assert attempt.triggered is triggered
    assert attempt.price == pytest.approx(price, nan_ok=True)
    assert attempt.quantity == (0.0 if isnan(price) else 1.0)


def test_a_triggered_stop_limit_rests_as_a_limit() -> None:
    first = fill_at_bar(UP, STOP_LIMIT, side=BUY, quantity=1.0, limit=104, stop=108)
    assert first.triggered
    quiet = bar(105, 106, 103, 105)
    later = fill_at_bar(quiet, STOP_LIMIT, side=BUY, quantity=1.0, limit=104, stop=108, triggered=True)
    assert later.price == 104


def test_the_rest_of_a_triggered_stop_goes_to_the_next_open() -> None:
    quiet = bar(105, 106, 103, 105)
    assert fill_at_bar(quiet, STOP, side=BUY, quantity=1.0, stop=108, triggered=True).price == 105


@pytest.mark.parametrize(
    ("quantity", "volume", "participation", "lot", "expected"),
    [
        (100, 1_000, 0.05, 1, 50),
        (100, 1_000, 0.5, 1, 100),
        (100, 1_000, None, 1, 100),
        (100, 999, 0.05, 1, 49),
        (100, 1_000, 0.07, 25, 50),
        (0.5, 3, 0.1, 0.1, 0.3),  # 0.1 x 3 is 0.30000000000000004: three lots, not two
        (100, 10, 0.05, 1, 0),
        (100, 0, 0.05, 1, 100),  # unknown volume
        (100, nan, 0.05, 1, 100),
    ],
)
def test_participation_caps_in_whole_lots(
    quantity: float, volume: float, participation: float | None, lot: float, expected: float
) -> None:
    model = FillModel(participation=participation)
    attempt = fill_at_bar(bar(10, 10, 10, 10, volume), MARKET, side=BUY, quantity=quantity, lot=lot, model=model)
    assert attempt.quantity == pytest.approx(expected)
    assert isnan(attempt.price) == (expected == 0)


def test_a_stop_without_volume_left_is_triggered_all_the_same() -> None:
    attempt = fill_at_bar(UP, STOP, side=BUY, quantity=5, stop=108, volume=1.0, model=FillModel(participation=0.1))
    assert (attempt.quantity, attempt.triggered) == (0.0, True)


def test_slippage_moves_takers_and_respects_limits() -> None:
    model = FillModel(Slippage(bps=50))
    assert fill_at_bar(UP, MARKET, side=BUY, quantity=1, model=model).price == pytest.approx(100.5)
    assert fill_at_bar(UP, MARKET, side=SELL, quantity=1, model=model).price == pytest.approx(99.5)
    assert fill_at_bar(UP, LIMIT, side=BUY, quantity=1, limit=100.2, model=model).price == 100.2
    assert fill_at_bar(UP, LIMIT, side=BUY, quantity=1, limit=99.5, model=model).price == 99.5


def test_half_the_spread_shifts_the_bar_a_side_sees() -> None:
    wide, model = bar(100, 101, 99, 100, spread=0.4), FillModel(Slippage(spread_share=0.5))
    assert fill_at_bar(wide, MARKET, side=BUY, quantity=1, model=model).price == pytest.approx(100.2)
    assert fill_at_bar(wide, MARKET, side=SELL, quantity=1, model=model).price == pytest.approx(99.8)
    assert isnan(fill_at_bar(wide, LIMIT, side=BUY, quantity=1, limit=99.1, model=model).price)
    assert fill_at_bar(wide, LIMIT, side=BUY, quantity=1, limit=99.25, model=model).price == 99.25


def test_impact_follows_the_square_root_of_participation() -> None:
    model = FillModel(Slippage(impact=0.1))
    price = fill_at_bar(bar(100, 100, 100, 100, 10_000), MARKET, side=BUY, quantity=100, model=model).price
    assert price == pytest.approx(100 * (1 + 0.1 * sqrt(0.01)))
    assert fill_at_bar(bar(100, 100, 100, 100), MARKET, side=BUY, quantity=1, model=model).price == pytest.approx(110)


@pytest.mark.parametrize(
    ("kind", "side", "limit", "stop", "price", "triggered"),
    [
        (MARKET, BUY, nan, nan, 10.1, False),
        (MARKET, SELL, nan, nan, 10.0, False),
        (LIMIT, BUY, 10.05, nan, nan, False),
        (LIMIT, BUY, 10.2, nan, 10.1, False),
        (STOP, SELL, nan, 10.0, 10.0, True),
        (STOP, SELL, nan, 9.9, nan, False),
        (STOP_LIMIT, BUY, 10.0, 10.05, nan, True),
    ],
)
def test_quotes(kind: OrderKind, side: Side, limit: float, stop: float, price: float, triggered: bool) -> None:
    attempt = fill_at_quote(Quote("i", 5, 10.0, 10.1, 10.05), kind, side=side, quantity=3, limit=limit, stop=stop)
    assert attempt.price == pytest.approx(price, nan_ok=True)
    assert attempt.triggered is triggered


def test_a_side_that_is_not_quoted_does_not_fill() -> None:
    assert fill_at_quote(Quote("i", 5, 10.0, nan, nan), MARKET, side=BUY, quantity=3).quantity == 0


Case = tuple[Any, ...]
PRICE = st.integers(50, 150).map(float)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """The arguments of `fills.fill`, with a bar that keeps its own order."""
    prices = sorted(draw(st.lists(PRICE, min_size=4, max_size=4)))
    low, high = prices[0], prices[3]
    open_, close = draw(st.permutations(prices[1:3]))
    return (
        draw(st.sampled_from(sorted(kernels.KINDS.values()))),
        draw(st.sampled_from([1, -1])),
        draw(PRICE),
        draw(PRICE),
        draw(st.booleans()),
        draw(st.integers(1, 500).map(float)),
        draw(st.sampled_from([1.0, 10.0, 0.1])),
        open_,
        high,
        low,
        close,
        draw(st.sampled_from([0.0, 100.0, 12_345.0])),
        draw(st.sampled_from([0.0, 0.5])),
        draw(st.sampled_from([inf, 0.01, 0.1])),
        draw(st.sampled_from([0.0, 7.0])),
        draw(st.sampled_from([0.0, 0.5])),
        draw(st.sampled_from([0.0, 0.1])),
    )


@given(cases())
def test_laws_of_a_fill(case: Case) -> None:
    kind, side, limit, stop, triggered, quantity = case[:6]
    open_, high, low = case[7:10]
    whole: Any = kernels.fill
    price, filled, after, taker = whole(*case)
    assert 0 <= filled <= quantity
    assert isnan(price) == (filled == 0)
    assert after or not triggered
    if filled and kind in (kernels.LIMIT, kernels.STOP_LIMIT):
        assert side * price <= side * limit
    assert not (taker and not filled)
    if filled and not taker:
        assert kind in (kernels.LIMIT, kernels.STOP_LIMIT)
        assert price == limit
    if filled and kind == kernels.STOP and not triggered:
        assert side * price >= max(side * open_, side * stop)
    frictionless = whole(*case[:11], 0.0, 0.0, inf, 0.0, 0.0, 0.0)[0]
    assert isnan(frictionless) or low <= frictionless <= high
    if filled and not isnan(frictionless):
        assert side * price >= side * frictionless - 1e-9


@given(cases())
def test_a_sell_is_a_buy_in_the_mirror(case: Case) -> None:
    kind, side, limit, stop, triggered, quantity, lot, open_, high, low, close = case[:11]
    flat: Case = (0.0, 0.0, inf, 0.0, 0.0, 0.0)
    price, _, after, taker = kernels.fill(*(case[:11] + flat))
    mirrored: Case = (kind, -side, -limit, -stop, triggered, quantity, lot, -open_, -low, -high, -close)
    other, _, after_other, taker_other = kernels.fill(*(mirrored + flat))
    assert (after, taker) == (after_other, taker_other)
    assert other == -price or (isnan(price) and isnan(other))


def test_compiled_kernels_give_the_same_bits() -> None:
    @given(cases())
    def same_fill(case: Case) -> None:
        plain = np.array(kernels.fill(*case), dtype=np.float64)
        assert plain.tobytes() == np.array(compiled.fill(*case), dtype=np.float64).tobytes()

    same_fill()


def test_importing_costs_does_not_import_numba() -> None:
    code = "import sys, evenkeel.quant.costs, evenkeel.quant.costs.compiled; print('numba' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
