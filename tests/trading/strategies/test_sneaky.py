"""Ways to look ahead, each on bars where it shows at one place: the check must name the first bar that peeks.

Prices stand still until one jump, so a target can only change where what it uses reaches as far as the jump.
"""

from datetime import date

import numpy as np
import pytest

from evenkeel.domain.errors import InvalidInput
from evenkeel.market.bars import Bars
from evenkeel.market.calendars import calendar
from evenkeel.market.columns import DAY
from evenkeel.market.resample import resample
from evenkeel.quant.indicators import Floats, delayed, sma
from evenkeel.trading.strategies import Params, Registry, SignalStrategy, check_strategy
from evenkeel.trading.strategies.checks import examine, peeks
from evenkeel.trading.strategies.seeded import seeded_bars
from tests.market.builders import HOUR, instrument, intraday
from tests.trading.strategies import authors

WARMUP = 14
HOURS_A_DAY = 7
NEW_YORK = calendar("XNYS")


class Peeking(SignalStrategy):
    """Long where `known`, which the bar should not know, is above the close."""

    def warmup(self, params: Params) -> int:
        return WARMUP

    def known(self, bars: Bars) -> Floats:
        """What is compared with the close."""
        return bars.close

    def signals(self, bars: Bars, params: Params) -> Floats:
        return np.where(self.known(bars) > bars.close, 1.0, 0.0)


class CentredAverage(Peeking):
    name = "centred-average"

    def known(self, bars: Bars) -> Floats:
        """The mean of two bars before, the bar itself and two after."""
        average = np.full(len(bars), np.nan)
        average[:-2] = sma(bars.close, 5)[2:]
        return average


class NextClose(Peeking):
    name = "next-close"

    def known(self, bars: Bars) -> Floats:
        return np.append(bars.close[1:], np.nan)


class SampleMean(Peeking):
    name = "sample-mean"

    def known(self, bars: Bars) -> Floats:
        """Normalising by the whole sample: a close below its mean."""
        return np.full(len(bars), bars.close.mean())


class WeeksClose(Peeking):
    name = "weeks-close"

    def known(self, bars: Bars) -> Floats:
        """Closes resampled to weeks and filled back onto their days."""
        week = (bars.ts // DAY + 3) // 7
        return bars.close[np.searchsorted(week, week, side="right") - 1]


class DayBegun(Peeking):
    name = "day-begun"

    def known(self, bars: Bars) -> Floats:
        """The daily bar that has opened, joined as if it had closed."""
        days = resample(bars, "1d", NEW_YORK, partial=True)
        return days.close[np.searchsorted(days.ts, bars.ts, side="right") - 1]


class DayEnded(Peeking):
    name = "day-ended"

    def warmup(self, params: Params) -> int:
        return 2 * HOURS_A_DAY

    def known(self, bars: Bars) -> Floats:
        """The last daily bar that has closed: the honest twin of `DayBegun`."""
        days = resample(bars, "1d", NEW_YORK, partial=True)
        place = np.searchsorted(days.close_ts, bars.close_ts, side="right") - 1
        return np.where(place < 0, np.nan, days.close[np.maximum(place, 0)])


def days_with_a_jump(at: int) -> Bars:
    """Sixty daily bars from Thursday, 1970-01-01: bars 4, 11, 18, 25, 32 … are Mondays."""
    return authors.made_bars([100.0] * at + [110.0] * (60 - at))


def hours_with_a_jump(at: int) -> Bars:
    """Six days of hours in New York, seven bars a day."""
    bars = intraday(instrument(), date(2005, 11, 14), date(2005, 11, 21), span=HOUR, name="1h")
    close = np.where(np.arange(len(bars)) < at, 100.0, 110.0)
    return bars.replaced(open=close, high=close, low=close, close=close)


@pytest.mark.parametrize(
    ("sneaky", "bars", "first"),
    [
        (NextClose, days_with_a_jump(40), 39),
        (CentredAverage, days_with_a_jump(40), 38),
        (SampleMean, days_with_a_jump(40), WARMUP),
        (WeeksClose, days_with_a_jump(36), 32),
        (DayBegun, hours_with_a_jump(3 * HOURS_A_DAY + 5), 3 * HOURS_A_DAY),
    ],
    ids=["next close", "centred average", "mean of the sample", "week filled back", "unfinished day"],
)
def test_the_first_bar_that_peeks_is_named(sneaky: type[SignalStrategy], bars: Bars, first: int) -> None:
    report = check_strategy(sneaky, bars)
    assert (report.ok, report.looks_ahead, report.first_peeking_bar) == (False, True, first)
    assert report.peeking_at == bars.ts[first]
    assert f"first at bar {first}" in report.faults[0]
    assert examine(sneaky(), Params(), bars).first_peeking_bar == first


@pytest.mark.parametrize("sneaky", [NextClose, CentredAverage, SampleMean, WeeksClose])
def test_none_may_be_registered(sneaky: type[SignalStrategy]) -> None:
    registry = Registry()
    with pytest.raises(InvalidInput, match="may not run: it looks ahead"):
        registry.register(sneaky, "test")
    assert sneaky.name not in registry.names()


def test_a_longer_timeframe_is_honest_once_its_bar_has_closed() -> None:
    report = check_strategy(DayEnded, hours_with_a_jump(3 * HOURS_A_DAY + 5))
    assert report.ok, report.faults


class Latched(SignalStrategy):
    """Long after a rise of 5 % in three bars, until 3 % are lost since then: which price that is, it remembers."""

    name = "latched"

    def warmup(self, params: Params) -> int:
        return 3

    def signals(self, bars: Bars, params: Params) -> Floats:
        targets, paid = np.full(len(bars), np.nan), np.nan
        before = delayed(bars.close, 3)
        for i, price in enumerate(bars.close.tolist()):
            if price > 1.05 * before[i]:
                paid = price if np.isnan(paid) else paid
                targets[i] = 1.0
            elif price < 0.97 * paid:
                paid, targets[i] = np.nan, 0.0
        return targets


class Recursive(SignalStrategy):
    """Half of what it knew and half of the new close, from the first bar on."""

    name = "recursive"

    def warmup(self, params: Params) -> int:
        return 5

    def signals(self, bars: Bars, params: Params) -> Floats:
        level, targets = bars.close[0] if len(bars) else 0.0, np.zeros(len(bars))
        for i, price in enumerate(bars.close.tolist()):
            level = 0.5 * level + 0.5 * price
            targets[i] = float(np.clip(price / level - 1.0, -1.0, 1.0))
        return targets


@pytest.mark.parametrize("template", [Latched, Recursive])
def test_latched_and_recursive_rules_are_honest_but_path_dependent(template: type[SignalStrategy]) -> None:
    found = examine(template(), Params(), seeded_bars(300))
    assert found.faults == ()
    assert found.path_dependent
    assert Registry().register(template, "test").name == template.name


class DayMerged(SignalStrategy):
    """Long for the day where its close, merged onto its first bar unshifted, is above that bar's open."""

    name = "day-merged"

    def warmup(self, params: Params) -> int:
        return 2

    def signals(self, bars: Bars, params: Params) -> Floats:
        day = bars.ts // DAY
        firsts, lasts = np.searchsorted(day, day, side="left"), np.searchsorted(day, day, side="right") - 1
        return np.where(bars.close[lasts] > bars.open[firsts], 1.0, 0.0)


def test_a_day_merged_onto_its_first_bar_is_found_on_made_up_bars() -> None:
    report = check_strategy(DayMerged)
    assert (report.ok, report.looks_ahead) == (False, True)
    with pytest.raises(InvalidInput, match="it looks ahead"):
        Registry().register(DayMerged, "test")


@pytest.mark.parametrize("seed", range(1, 6))
def test_a_day_merged_onto_its_first_bar_is_found_on_minutes_of_ones_own(seed: int) -> None:
    minutes = intraday(instrument(), date(2005, 10, 3), date(2005, 12, 23), seed=seed)
    assert peeks(DayMerged(), minutes, Params()) is not None


class DaysOnly(DayMerged):
    """Refuses what it was not made for."""

    name = "days-only"

    def signals(self, bars: Bars, params: Params) -> Floats:
        if bars.timeframe != "1d":
            raise ValueError("made for days")
        return super().signals(bars, params)


def test_a_strategy_that_takes_days_only_is_examined_on_days() -> None:
    assert Registry().register(DaysOnly, "test").name == "days-only"
