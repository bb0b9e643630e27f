"""The window of bars: what is kept, that views never change, and splits."""

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain.marketdata import Split
from evenkeel.market.bars import Bars
from evenkeel.market.columns import COLUMNS, DAY
from evenkeel.trading.strategies.seeded import seeded_bars
from evenkeel.trading.strategies.windows import Uncovered, Window
from tests.trading.strategies.authors import made_bars

EPOCH = date(1970, 1, 1)


def split_on(day: int, numerator: int = 2, denominator: int = 1, instrument_id: str = "i") -> Split:
    ex_date = EPOCH + timedelta(days=day)
    return Split(instrument_id, ex_date, Decimal(numerator), Decimal(denominator))


@settings(deadline=None, max_examples=30)
@given(
    keep=st.one_of(st.none(), st.integers(1, 60)),
    warmed=st.integers(0, 400),
    streamed=st.integers(0, 400),
)
def test_a_window_is_the_tail_of_what_it_was_given(keep: int | None, warmed: int, streamed: int) -> None:
    bars = seeded_bars(warmed + streamed)
    window = Window("seeded", "1d", keep)
    window.load(bars.rows(0, warmed))
    assert all(window.append(bar) for bar in bars.rows(warmed))
    expected = bars if keep is None else bars.tail(keep)
    assert len(window) == len(expected)
    assert window.bars().equals(expected)
    assert window.bars(3).equals(expected.tail(3))


def test_what_is_limited_later_makes_room_for_itself_alone() -> None:
    bars = seeded_bars(3_000)
    window = Window("seeded", "1d", None)
    window.load(bars.rows(0, 2_900))
    before = window.bars()
    window.limit(7)
    assert window.bars().equals(bars.rows(2_893, 2_900))
    assert window._times.shape[1] < 1_000
    assert all(window.append(bar) for bar in bars.rows(2_900))
    assert window.bars().equals(bars.tail(7))
    assert before.equals(bars.rows(0, 2_900))


def test_bars_not_newer_are_ignored() -> None:
    bars = made_bars([1, 2, 3])
    window = Window("i", "1d", None)
    window.load(bars)
    assert not window.append(bars.bar(-1))
    assert not window.append(bars.bar(0))
    assert len(window.load(bars)) == 0
    assert len(window) == 3


def test_views_are_read_only_and_never_change() -> None:
    window = Window("i", "1d", 4)
    window.load(made_bars([8, 9]))
    early = window.bars()
    kept = [getattr(early, name).copy() for name in COLUMNS]
    for bar in made_bars([10.0] * 1_000, first_day=2):
        window.append(bar)
    window.split(split_on(2_000), at=2_000 * DAY)
    for name, values in zip(COLUMNS, kept, strict=True):
        np.testing.assert_array_equal(getattr(early, name), values)
        with pytest.raises(ValueError, match="read-only"):
            getattr(early, name)[0] = 0


def test_a_split_re_adjusts_what_lies_before_it_once() -> None:
    window = Window("i", "1d", None)
    window.load(made_bars([100, 102]))
    assert window.split(split_on(2), at=2 * DAY + DAY // 2) == 2.0
    assert window.split(split_on(2), at=2 * DAY + DAY // 2) is None
    for bar in made_bars([51, 52], first_day=2):
        window.append(bar)
    bars = window.bars()
    np.testing.assert_array_equal(bars.close, [50, 51, 51, 52])
    np.testing.assert_array_equal(bars.volume, [200, 200, 100, 100])
    assert window.split(split_on(2), at=2 * DAY + DAY // 2) is None  # the slice is handed over again


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 60), st.integers(1, 7), st.integers(1, 5))
def test_streamed_splits_equal_the_adjusted_history(day: int, numerator: int, denominator: int) -> None:
    bars = seeded_bars(80)
    split = split_on(day, numerator, denominator, "seeded")
    window = Window("seeded", "1d", None)
    for i, bar in enumerate(bars):
        if i == day:
            window.split(split, at=bar.close_ts)
        window.append(bar)
        known: Bars = bars.adjusted((split,), as_of=bar.close_ts)
        if i in (day - 1, day, 79):
            np.testing.assert_allclose(window.bars().close, known.close, rtol=1e-14)
            np.testing.assert_allclose(window.bars().volume, known.volume, rtol=1e-14)


@settings(deadline=None, max_examples=25)
@given(keep=st.integers(1, 90), count=st.integers(1, 90), days=st.sets(st.integers(1, 79), max_size=3))
def test_bars_known_beforehand_are_seen_as_they_would_have_come(keep: int, count: int, days: set[int]) -> None:
    bars = seeded_bars(80)
    window, uncovered = Window("seeded", "1d", keep), Uncovered(bars, keep)
    assert uncovered.seen(count, int(bars.close_ts[0]) - 1) is None
    for i, bar in enumerate(bars):
        for history in (window, uncovered):
            if i in days:
                assert history.split(split_on(i, 2 + i % 3, 1, "seeded"), at=bar.close_ts) == 2 + i % 3
            assert history.append(bar)
        shown, expected = uncovered.seen(count, bar.close_ts), window.seen(count, bar.close_ts)
        assert shown is not None
        assert expected is not None
        for name in COLUMNS:
            np.testing.assert_array_equal(getattr(shown, name), getattr(expected, name))
        assert not shown.close.flags.writeable
