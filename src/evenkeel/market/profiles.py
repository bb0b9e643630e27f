"""What usually trades at which time of the day, from stored bars."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import numpy as np

from evenkeel.domain.clock import from_ns
from evenkeel.domain.instruments import Instrument
from evenkeel.market.bars import Bars
from evenkeel.market.columns import DAY, Ints
from evenkeel.market.ports import BarStore
from evenkeel.market.timeframes import timeframe

HOUR = DAY // 24
_MOST_BARS = 20_000


def usual_volume(
    store: BarStore,
    instrument: Instrument,
    *,
    start: int,
    end: int,
    every: int,
    at: int,
    numbers: Sequence[int] | None = None,
) -> tuple[float, ...]:
    """How the volume of an instrument usually lies over stretches of `every` from `start` until before `end` (ns).

    Where there are `numbers`, over those stretches only, counted from 0. By the shortest bars that are stored up to
    `at`; empty without any. It reads the store: not for the event loop.
    """
    from evenkeel.market.calendars import calendar

    frames = [timeframe(one.timeframe) for one in store.series() if one.instrument_id == instrument.id]
    intraday = sorted((frame for frame in frames if frame.intraday), key=lambda frame: frame.ns)
    if not intraday:
        return ()
    bars = store.read(instrument.id, intraday[0].name, end=at).as_of(at).tail(_MOST_BARS)
    return volume_profile(bars, calendar(instrument.calendar).zone, start=start, end=end, every=every, numbers=numbers)


def volume_profile(
    bars: Bars,
    zone: ZoneInfo,
    *,
    start: int,
    end: int,
    every: int,
    days: int = 20,
    numbers: Sequence[int] | None = None,
) -> tuple[float, ...]:
    """The share of the volume, over the last `days` days that have bars, of each stretch of `every` from `start` until
    before `end` (ns), or of those of the `numbers`, by the time of day in `zone`. They add up to 1; all are 0 where
    nothing traded then.
    """
    local = bars.ts + _offsets(bars.ts, zone)
    day, time_of_day = local // DAY, local % DAY
    recent = np.isin(day, np.unique(day)[-days:])
    times, volumes = time_of_day[recent], np.nan_to_num(bars.volume[recent])
    begins = np.arange(start, end, every, dtype=np.int64) if numbers is None else _begins(start, every, numbers)
    lengths = np.minimum(every, end - begins)
    wanted = (begins + _offsets(begins, zone)) % DAY
    traded = np.array([volumes[(times - at) % DAY < length].sum() for at, length in zip(wanted, lengths, strict=True)])
    whole = float(traded.sum())
    return tuple((traded / whole if whole > 0.0 else traded).tolist())


def _begins(start: int, every: int, numbers: Sequence[int]) -> Ints:
    return start + every * np.array(numbers, dtype=np.int64)


def _offsets(moments: Ints, zone: ZoneInfo) -> Ints:
    """How far the zone's clock is ahead of UTC at each moment (ns); it changes on a full hour, if it does."""
    hours, places = np.unique(moments // HOUR, return_inverse=True)
    ahead = [from_ns(int(hour) * HOUR).astimezone(zone).utcoffset() for hour in hours]
    seconds = [0.0 if one is None else one.total_seconds() for one in ahead]
    return np.array(seconds, dtype=np.int64)[places] * 1_000_000_000
