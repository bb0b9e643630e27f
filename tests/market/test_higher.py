"""A higher timeframe from the lower one: finished bars only, the same from any part of history that holds them."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain.errors import InvalidInput
from evenkeel.market.bars import Bars
from evenkeel.market.calendars import calendar
from evenkeel.market.higher import Higher, higher
from evenkeel.market.panel import Panel
from evenkeel.market.resample import resample
from evenkeel.market.timeframes import ratio_of
from tests.market.builders import HOUR, instrument, intraday

ACME = instrument()
NEW_YORK = calendar("XNYS")
# Two weeks around Thanksgiving, which is a holiday with a half day after it.
HOURS = intraday(ACME, date(2005, 11, 14), date(2005, 11, 29), span=HOUR, name="1h").of_instrument(ACME)
CLOCK = Bars.of("ROUND", "4h", {name: getattr(HOURS, name) for name in ("open", "high", "low", "close", "volume")} | {
    "ts": np.arange(len(HOURS)) * 4 * HOUR, "close_ts": np.arange(1, len(HOURS) + 1) * 4 * HOUR,
})  # fmt: skip


def known_at(bars: Bars, name: str, row: int) -> list[float]:
    """The closes of the higher timeframe that whoever has seen bars 0 to `row` knows, by the calendar."""
    days = calendar(bars.instrument.calendar if bars.instrument else "24/7")
    known: list[float] = resample(bars.rows(0, row + 1), name, days).close.tolist()
    return known


@pytest.mark.parametrize(("bars", "name"), [(HOURS, "1d"), (HOURS, "1w"), (CLOCK, "1d"), (CLOCK, "1w"), (HOURS, "4h")])
def test_each_bar_knows_what_has_finished_by_its_close(bars: Bars, name: str) -> None:
    found = higher(bars, name)
    for row in range(len(bars)):
        known = known_at(bars, name, row)
        assert found.bars.close[: found.row[row] + 1].tolist() == known
        assert higher(bars.rows(0, row + 1), name).bars.close.tolist() == known


def test_a_day_is_known_at_its_close_and_not_an_hour_before() -> None:
    day = higher(HOURS, "1d")
    closes = day.aligned(day.bars.close)
    assert np.isnan(closes[:6]).all()
    assert closes[6:13].tolist() == [HOURS.close[6]] * 7
    assert closes[13] == HOURS.close[13]


def test_series_are_aligned_whatever_their_shape() -> None:
    day = higher(HOURS, "1d")
    both = np.column_stack((day.bars.open, day.bars.close))
    assert day.aligned(both)[6].tolist() == [HOURS.open[0], HOURS.close[6]]
    assert day.aligned(both).shape == (len(HOURS), 2)


def test_a_first_bar_that_lacks_its_beginning_does_not_count_as_whole() -> None:
    assert higher(HOURS, "1d").whole[[5, 6, 13]].tolist() == [0, 1, 2]
    late = higher(HOURS.rows(3), "1d")
    assert late.row[[2, 3, 10]].tolist() == [-1, 0, 1]
    assert late.whole[[3, 10]].tolist() == [0, 1]


def test_without_an_instrument_days_are_those_of_the_clock() -> None:
    day = higher(CLOCK, "1d")
    assert day.row[:7].tolist() == [-1, -1, -1, -1, -1, 0, 0]


@pytest.mark.parametrize("name", ["1h", "60m", "30m", "90m"])
def test_what_is_no_higher_timeframe_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"no higher timeframe|no multiple"):
        higher(HOURS, name)


def test_few_bars_know_little() -> None:
    for count in (0, 1):
        found = higher(HOURS.rows(0, count), "1d")
        assert (len(found.bars), found.row.tolist(), found.whole.tolist()) == (0, [-1] * count, [0] * count)


def frozen(bars: Bars) -> Bars:
    columns = {name: getattr(bars, name).copy() for name in ("ts", "close_ts", "open", "high", "low", "close")}
    for column in columns.values():
        column.flags.writeable = False
    volume, spread = bars.volume.copy(), bars.spread.copy()
    volume.flags.writeable = spread.flags.writeable = False
    return bars.replaced(**columns, volume=volume, spread=spread)


def test_what_was_made_of_bars_that_cannot_change_is_remembered() -> None:
    bars = frozen(HOURS)
    assert higher(bars, "1d") is higher(bars, "24h")
    assert not higher(bars, "1d").bars.close.flags.writeable
    assert higher(bars, "1w") is not higher(bars, "1d")
    other = bars.replaced(open=frozen(HOURS).open)
    assert higher(other, "1d") is not higher(bars, "1d"), "another column makes other bars"
    assert higher(HOURS, "1d") is not higher(HOURS, "1d"), "what can be written to may change"


@given(start=st.integers(0, 60), row=st.integers(0, 70), count=st.integers(1, 3), name=st.sampled_from(["1d", "4h"]))
def test_a_window_that_is_long_enough_knows_the_same(start: int, row: int, count: int, name: str) -> None:
    """(count + 2) times the most lower bars of one higher, before the one looked at, hold `count` whole ones."""
    back = (count + 2) * ratio_of(name, "1h")
    window = HOURS.rows(max(0, row - back), row + 1)
    if row < back:
        return
    seen, whole = higher(window, name), higher(HOURS.rows(0, row + 1), name)
    assert seen.whole[-1] >= count
    assert seen.bars.close[-count:].tolist() == whole.bars.close[-count:].tolist()


LATE = HOURS.where(np.arange(len(HOURS)) % 5 != 3)


def panels() -> Panel:
    other = intraday(instrument("BETA"), date(2005, 11, 14), date(2005, 11, 29), span=HOUR, name="1h", seed=3)
    return Panel.of({"ACME": LATE, "BETA": other.of_instrument(instrument("BETA"))})


def test_a_panel_knows_the_finished_bars_of_each() -> None:
    panel = panels()
    day = higher(panel, "1d")
    alone = higher(panel.bars("BETA"), "1d").bars
    assert day.bars.close[:, 1].tolist() == alone.close.tolist()
    assert day.bars.instrument_ids == panel.instrument_ids
    assert day.aligned(day.bars.close)[6, 1] == panel.close[6, 1]


@settings(max_examples=30, deadline=None)
@given(row=st.integers(0, 60), name=st.sampled_from(["1d", "4h", "1w"]))
def test_no_prefix_of_a_panel_knows_more_or_less(row: int, name: str) -> None:
    panel = panels()
    whole: Higher[Panel] = higher(panel, name)
    part = higher(panel.rows(0, row + 1), name)
    known = whole.row[row] + 1
    np.testing.assert_array_equal(part.bars.close[:known], whole.bars.close[:known])
    assert part.row[row] == whole.row[row]


@pytest.mark.parametrize(
    ("higher", "lower", "most"), [("1d", "1h", 24), ("1w", "1d", 7), ("1mo", "1d", 31), ("1h", "7m", 9)]
)
def test_how_many_lower_bars_one_higher_has_at_most(higher: str, lower: str, most: int) -> None:
    assert ratio_of(higher, lower) == most
