"""Hours in which entries are taken: those of a clock somewhere, and those of an exchange."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from evenkeel.domain.clock import from_ns, to_ns
from evenkeel.domain.errors import InvalidInput
from evenkeel.domain.limits import Window
from evenkeel.market.calendars import Calendar, calendar


def is_inside(windows: Iterable[Window], at: int) -> bool:
    """Whether a moment (ns) lies in one of the windows."""
    moment = from_ns(at)
    return any(_in(window, moment.astimezone(ZoneInfo(window.time_zone))) for window in windows)


def _in(window: Window, local: datetime) -> bool:
    now, over_night = local.time(), window.end <= window.start
    inside = now >= window.start or now < window.end if over_night else window.start <= now < window.end
    began = local - timedelta(days=1) if over_night and now < window.end else local
    return inside and (not window.days or began.isoweekday() in window.days)


def end_of(windows: Iterable[Window], at: int) -> int:
    """When the windows that a moment (ns) lies in are over, the last of them; 0 where it lies in none."""
    ends, moment = [0], from_ns(at)
    for window in windows:
        local = moment.astimezone(ZoneInfo(window.time_zone))
        if _in(window, local):
            is_tomorrow = window.end <= window.start and local.time() >= window.start
            day = local.date() + timedelta(days=is_tomorrow)
            ends.append(to_ns(datetime.combine(day, window.end, ZoneInfo(window.time_zone))))
    return max(ends)


def is_open(name: str, at: int) -> bool:
    """Whether an exchange trades at a moment (ns), by the name of its calendar; one that is not known is closed."""
    try:
        return _calendar(name).is_open(at)
    except InvalidInput:
        return False


@lru_cache(maxsize=64)
def _calendar(name: str) -> Calendar:
    return calendar(name)
