"""Round trips: worked examples, a plain queue as reference, and P&L that adds up with the cash."""

from collections import deque
from math import nan
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.market.bars import Bars
from evenkeel.quant.analytics import Fills, RoundTrips, round_trips
from evenkeel.quant.analytics.excursions import highest_and_lowest

Row = tuple[int, float, float, float, float, float]  # side, quantity, entry, exit, net, fees


def fills(*rows: tuple[float, float], fee: float = 0.0) -> Fills:
    """Fills of (quantity, price), a second apart."""
    quantity, price = zip(*rows, strict=True)
    return Fills.of(np.arange(len(rows)) * 10**9, quantity, price=price, fee=np.full(len(rows), fee))


def rows(trips: RoundTrips) -> list[tuple[float, ...]]:
    columns = (trips.side, trips.quantity, trips.entry_price, trips.exit_price, trips.net)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_long_and_short() -> None:
    trips = round_trips(fills((10, 100.0), (-10, 105.0), (-4, 105.0), (4, 100.0), fee=1.0))
    assert rows(trips) == [(1, 10.0, 100.0, 105.0, 48.0), (-1, 4.0, 105.0, 100.0, 18.0)]
    assert trips.fees.tolist() == [2.0, 2.0]
    assert trips.gross.tolist() == [50.0, 20.0]
    assert trips.returns.tolist() == [48 / 1_000, 18 / 420]
    assert trips.holding.tolist() == [10**9, 10**9]
    assert trips.open == ()


def test_the_oldest_entry_goes_first() -> None:
    trips = round_trips(fills((10, 100.0), (10, 110.0), (-15, 120.0)))
    assert rows(trips) == [(1, 10.0, 100.0, 120.0, 200.0), (1, 5.0, 110.0, 120.0, 50.0)]
    assert trips.open == (("", 5.0, 110.0, 0.0, 10**9),)


def test_average_cost() -> None:
    trips = round_trips(fills((10, 100.0), (10, 110.0), (-15, 120.0), (5, 90.0), (-10, 95.0)), method="average")
    assert rows(trips) == [(1, 15.0, 105.0, 120.0, 225.0), (1, 10.0, 97.5, 95.0, -25.0)]
    assert trips.entry_ts.tolist() == [0, 0]
    assert trips.open == ()


@pytest.mark.parametrize("method", ["fifo", "average"])
def test_through_zero_closes_and_opens(method: Literal["fifo", "average"]) -> None:
    trips = round_trips(fills((10, 100.0), (-25, 110.0), (15, 100.0), fee=5.0), method=method, multiplier=2.0)
    assert rows(trips) == [(1, 10.0, 100.0, 110.0, 200.0 - 7.0), (-1, 15.0, 110.0, 100.0, 300.0 - 8.0)]
    assert trips.entry_ts.tolist() == [0, 10**9]


def test_what_is_open_keeps_its_fees() -> None:
    for method in ("fifo", "average"):
        (left,) = round_trips(fills((-10, 100.0), (4, 90.0), fee=2.0), method=method, symbol="X").open
        assert (left.symbol, left.quantity, left.price) == ("X", -6.0, 100.0)
        assert left.fees == pytest.approx(1.2)
        turned = round_trips(fills((-10, 100.0), (15, 90.0), (5, 80.0)), method=method).open
        assert [(one.quantity, one.entry_ts) for one in turned] == [(10.0, 10**9)]


def by_queue(case: Fills) -> tuple[list[Row], list[tuple[float, float]]]:
    """First in, first out, as one would on paper, in whole lots."""
    queue: deque[tuple[float, float]] = deque()  # (signed quantity, price)
    closed: list[Row] = []
    for quantity, price in zip(case.quantity.tolist(), case.price.tolist(), strict=True):
        left = quantity
        while left and queue and queue[0][0] * left < 0:
            held, entry = queue[0]
            size = min(abs(held), abs(left))
            side = 1 if held > 0 else -1
            closed.append((side, size, entry, price, side * (price - entry) * size, 0.0))
            left += side * size
            queue[0] = (held - side * size, entry)
            if not queue[0][0]:
                queue.popleft()
        if left:
            queue.append((left, price))
    return closed, list(queue)


FILLS = st.lists(
    st.tuples(st.integers(-50, 50).filter(bool), st.integers(1, 20_000), st.integers(-50, 500)), min_size=1, max_size=60
)


def columns(case: list[tuple[int, int, int]], lot: float) -> Fills:
    quantity, price, fee = (np.array(column, dtype=np.float64) for column in zip(*case, strict=True))
    return Fills.of(np.arange(len(case)), quantity * lot, price=price / 100, fee=fee / 100)


@given(FILLS)
def test_first_in_first_out_agrees_with_a_queue(case: list[tuple[int, int, int]]) -> None:
    made = columns(case, 1.0)
    trips, (expected, left) = round_trips(made), by_queue(made)
    assert [row[:4] for row in rows(trips)] == [row[:4] for row in expected]
    np.testing.assert_allclose(trips.gross, [row[4] for row in expected], atol=1e-9)
    assert sum(position.quantity for position in trips.open) == sum(size for size, _ in left)
    assert np.all(trips.entry_ts <= trips.exit_ts)
    assert np.all(np.diff(trips.exit_ts) >= 0)


@given(FILLS, st.sampled_from([1.0, 0.1, 0.001, 1 / 3]), st.sampled_from(["fifo", "average"]), st.booleans())
def test_profit_equals_cash_and_what_is_open(
    case: list[tuple[int, int, int]], lot: float, method: Literal["fifo", "average"], told: bool
) -> None:
    made = columns(case, lot)
    trips = round_trips(made, method=method, multiplier=5.0, lot=lot if told else None)
    cash = -np.sum(made.quantity * made.price) * 5.0 - np.sum(made.fee)
    held = sum(position.quantity * position.price * 5.0 + position.fees for position in trips.open)
    notional = np.sum(np.abs(made.quantity * made.price)) * 5.0
    assert np.sum(trips.net) == pytest.approx(cash + held, abs=1e-9 * (notional + 1.0))
    fees = np.sum(trips.fees) + sum(position.fees for position in trips.open)
    assert fees == pytest.approx(np.sum(made.fee), abs=1e-9)
    assert sum(position.quantity for position in trips.open) == pytest.approx(np.sum(made.quantity), abs=1e-9)
    assert (len(trips.open) == 0) == (sum(quantity for quantity, _, _ in case) == 0)


@given(FILLS, st.sampled_from(["fifo", "average"]))
def test_a_short_is_a_long_in_the_mirror(case: list[tuple[int, int, int]], method: Literal["fifo", "average"]) -> None:
    ours = round_trips(columns(case, 1.0), method=method)
    other = round_trips(columns([(-quantity, price, fee) for quantity, price, fee in case], 1.0), method=method)
    assert ours.side.tolist() == (-other.side).tolist()
    np.testing.assert_allclose(ours.gross, -other.gross, atol=1e-9)
    np.testing.assert_allclose(ours.fees, other.fees)


@given(FILLS)
def test_both_methods_book_the_same_when_flat(case: list[tuple[int, int, int]]) -> None:
    flat = [*case, (-sum(quantity for quantity, _, _ in case), 100, 0)]
    made = columns([row for row in flat if row[0]], 1.0)
    first, average = round_trips(made), round_trips(made, method="average")
    assert np.sum(first.net) == pytest.approx(np.sum(average.net), abs=1e-6)


def bars() -> Bars:
    """Six bars of 10 ns."""
    times = np.arange(6) * 10
    return Bars.of("i", "1m", {
        "ts": times, "close_ts": times + 10, "open": [10] * 6, "close": [10] * 6,
        "high": [11, 12, 15, 11, 20, 11], "low": [9, 8, 7, 9, 5, 9],
    })  # fmt: skip


def test_excursions_while_open() -> None:
    made = Fills.of([10, 40], [1, -1], price=[10, 12])
    long = round_trips(made, bars())
    assert (long.mae[0], long.mfe[0], long.bars_held[0]) == (pytest.approx(-0.3), pytest.approx(0.5), 3.0)
    short = round_trips(Fills.of([10, 40], [-1, 1], price=[10, 12]), bars())
    assert (short.mae[0], short.mfe[0]) == (pytest.approx(-0.5), pytest.approx(0.3))


def test_only_whole_bars_count_but_both_prices_do() -> None:
    within = round_trips(Fills.of([22, 28], [1, -1], price=[10, 14]), bars())
    assert (within.mae[0], within.mfe[0], within.bars_held[0]) == (0.0, pytest.approx(0.4), 0.0)
    later = round_trips(Fills.of([22, 45], [1, -1], price=[10, 9]), bars())
    assert (later.mae[0], later.mfe[0]) == (pytest.approx(-0.1), pytest.approx(0.1))


def test_without_bars_excursions_are_unknown() -> None:
    trips = round_trips(fills((1, 10.0), (-1, 11.0)))
    assert np.isnan([trips.mae, trips.mfe, trips.bars_held]).all()


@given(st.data())
def test_extremes_of_ranges(data: Any) -> None:
    high = np.array(data.draw(st.lists(st.integers(0, 99), min_size=1, max_size=40)), dtype=np.float64)
    edge = st.integers(0, len(high))
    ranges = data.draw(st.lists(st.tuples(edge, edge), max_size=20))
    first, after = (np.array([pair[n] for pair in ranges], dtype=np.int64) for n in (0, 1))
    top, bottom = highest_and_lowest(high, high - 1, first=first, after=after)
    for row, (begin, end) in enumerate(ranges):
        expected = (high[begin:end].max(), high[begin:end].min() - 1) if begin < end else (nan, nan)
        np.testing.assert_array_equal((top[row], bottom[row]), expected)


def test_several_instruments_in_order_of_exit() -> None:
    one = round_trips(Fills.of([0, 9], [1, -1], price=[1, 2]), symbol="A")
    two = round_trips(Fills.of([1, 5, 6], [1, -1, 3], price=[1, 3, 4]), symbol="B")
    both = RoundTrips.concat([one, two])
    assert (both.symbol.tolist(), both.net.tolist()) == (["B", "A"], [2.0, 1.0])
    assert [position.symbol for position in both.open] == ["B"]
    assert both.where(both.net > 1.5).symbol.tolist() == ["B"]
    with pytest.raises(InvalidInput, match="nothing to put together"):
        RoundTrips.concat([])


def test_no_fills_no_trips() -> None:
    for method in ("fifo", "average"):
        trips = round_trips(Fills.of([], [], price=[]), bars(), method=method)
        assert (len(trips), trips.open) == (0, ())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ts": [1, 0]}, "in order of time"),
        ({"quantity": [1, 0]}, "no quantity of 0"),
        ({"price": [1, nan]}, "finite"),
        ({"price": [1]}, "different lengths"),
    ],
)
def test_what_fills_refuse(change: dict[str, Any], message: str) -> None:
    given_ = {"ts": [0, 1], "quantity": [1, -1], "price": [1, 1]} | change
    with pytest.raises(InvalidInput, match=message):
        Fills.of(given_["ts"], given_["quantity"], price=given_["price"])


def test_what_round_trips_refuse() -> None:
    some = fills((1.5, 10.0), (-1.5, 11.0))
    for arguments, message in (
        ({"method": "lifo"}, "fifo"),
        ({"lot": 1.0}, "whole lots"),
        ({"lot": 0.0}, "positive quantity"),
    ):
        with pytest.raises(InvalidInput, match=message):
            round_trips(some, **arguments)
    with pytest.raises(InvalidInput, match="too small to count"):
        round_trips(fills((1e9, 1.0), (1e-9, 1.0)))


def test_any_columns_of_bars_will_do() -> None:
    plain = SimpleNamespace(ts=np.array([0]), close_ts=np.array([5]), high=np.array([3.0]), low=np.array([1.0]))
    assert round_trips(Fills.of([0, 5], [1, -1], price=[2, 2]), plain).mfe.tolist() == [0.5]


@given(st.lists(st.integers(1, 10**13), min_size=1, max_size=20), st.sampled_from([1e-8, 1e-4, 0.01, 5.0]))
def test_whole_lots_are_known_whatever_their_number(counts: list[int], lot: float) -> None:
    """A hundred bitcoins are ten thousand million lots, which floats meet to a millionth only."""
    bought = [(count * lot, 10.0) for count in counts]
    trips = round_trips(fills(*bought, *((-quantity, 11.0) for quantity, _ in bought)), lot=lot)
    assert trips.open == ()
    assert np.rint(trips.quantity / lot).astype(np.int64).tolist() == counts


def test_a_small_change_of_a_large_holding_is_a_whole_number_of_lots() -> None:
    """Fills as engines make them, a difference of two holdings, are as exact as the holdings are."""
    holdings = np.array([16346814005, 16346814009, 16346780001, 0]) * 1e-8
    trips = round_trips(fills(*((change, 10.0) for change in np.diff(holdings, prepend=0.0))), lot=1e-8)
    assert trips.open == ()
    assert np.rint(trips.quantity * 1e8).tolist() == [34008.0, 16346779997.0, 4.0]
