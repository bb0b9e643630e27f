"""Where a calendar's days come from: a table of sessions for each year, by rule or from pandas-market-calendars.

XNYS from 1993, FX, METALS and 24/7 are computed here in a millisecond. Every other exchange comes from
pandas-market-calendars, which costs a second to import: its answers are kept by year where a cache folder is given.
`special_sessions.csv` then adds, changes or closes single days.
"""

import csv
import os
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from evenkeel.domain.clock import to_ns
from evenkeel.domain.errors import InvalidInput
from evenkeel.market import nyse

Table = npt.NDArray[np.int64]
"""Rows of (day ordinal, open, close, break start, break end), ns UTC; a break of 0, 0 is none."""

ALIASES = {
    "XNYS": "XNYS", "NYSE": "XNYS", "XNAS": "XNYS", "NASDAQ": "XNYS", "US": "XNYS", "ARCX": "XNYS",
    "XNSE": "XNSE", "NSE": "XNSE", "XBOM": "XBOM", "BSE": "XBOM", "CME": "CME_Equity", "XCME": "CME_Equity",
    "FX": "FX", "FOREX": "FX", "24X5": "FX", "24/5": "FX", "METALS": "METALS",
    "24/7": "24/7", "24X7": "24/7", "CRYPTO": "24/7", "ALWAYS": "24/7",
}  # fmt: skip
_RULED_ZONES = {
    "XNYS": "America/New_York",
    "FX": "America/New_York",
    "METALS": "America/New_York",
    "24/7": "UTC",
}
_OPENS_THE_EVENING_BEFORE = {"FX": time(17), "METALS": time(18)}
_EVENING_CLOSE = time(17)


def canonical(name: str) -> str:
    """The name under which a calendar is kept: XNYS for NYSE, FX for 24x5 and so on; others unchanged."""
    return ALIASES.get(name.upper(), name)


def zone_of(name: str) -> str:
    """The time zone of a canonical calendar. Raises InvalidInput for a name nobody knows."""
    return _RULED_ZONES.get(name) or _library_zone(name)


def table(name: str, year: int, cache: Path | None = None) -> Table:
    """The sessions dated in `year`, ordered, special sessions included."""
    if name == "24/7":
        return _always(year)
    if name in _OPENS_THE_EVENING_BEFORE:
        return _evening(year, _OPENS_THE_EVENING_BEFORE[name])
    if name == "XNYS" and year >= nyse.FIRST_YEAR:
        zone = ZoneInfo("America/New_York")
        rows = [_row(day, zone, opens, closes) for day, opens, closes in nyse.trading_days(year)]
        return _with_specials(name, year, _stack(rows))
    return _with_specials(name, year, _cached(name, year, cache, lambda: _from_library(name, year)))


def _always(year: int) -> Table:
    days = np.arange(date(year, 1, 1).toordinal(), date(year + 1, 1, 1).toordinal(), dtype=np.int64)
    opens = (days - date(1970, 1, 1).toordinal()) * 86_400_000_000_000
    none = np.zeros(len(days), dtype=np.int64)
    return np.column_stack((days, opens, opens + 86_400_000_000_000, none, none))


def _evening(year: int, opens: time) -> Table:
    """Monday to Friday, from the evening before to 17:00 in New York; closed on Christmas and New Year's Day."""
    zone, rows = ZoneInfo("America/New_York"), list[tuple[int, ...]]()
    for ordinal in range(date(year, 1, 1).toordinal(), date(year + 1, 1, 1).toordinal()):
        day = date.fromordinal(ordinal)
        if day.weekday() < 5 and (day.month, day.day) not in ((1, 1), (12, 25)):
            before = day - timedelta(days=1)
            rows.append((ordinal, _at(before, opens, zone), _at(day, _EVENING_CLOSE, zone), 0, 0))
    return _stack(rows)


def _at(day: date, moment: time, zone: ZoneInfo) -> int:
    return to_ns(datetime.combine(day, moment, zone))


def _row(day: date, zone: ZoneInfo, opens: time, closes: time, *pause: time) -> tuple[int, ...]:
    breaks = [_at(day, moment, zone) for moment in pause] or [0, 0]
    return (day.toordinal(), _at(day, opens, zone), _at(day, closes, zone), *breaks)


def _stack(rows: list[tuple[int, ...]]) -> Table:
    return np.array(rows, dtype=np.int64).reshape(-1, 5)


def _with_specials(name: str, year: int, sessions: Table) -> Table:
    specials = [special for special in _specials() if special["calendar"] == name]
    changed = {date.fromisoformat(special["date"]): special for special in specials}
    changed = {day: special for day, special in changed.items() if day.year == year}
    if not changed:
        return sessions
    zone, ordinals = ZoneInfo(zone_of(name)), [day.toordinal() for day in changed]
    rows = [tuple(row) for row in sessions[~np.isin(sessions[:, 0], ordinals)].tolist()]
    for day, special in changed.items():
        clock = [special[column] for column in ("open", "close", "break_start", "break_end")]
        if clock[0]:
            rows.append(_row(day, zone, *(time.fromisoformat(text) for text in clock if text)))
    return _stack(sorted(rows))


@lru_cache(maxsize=1)
def _specials() -> tuple[dict[str, str], ...]:
    text = resources.files(__package__).joinpath("special_sessions.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@lru_cache(maxsize=64)
def _library_zone(name: str) -> str:
    return str(_library_calendar(name).tz)


def _library_calendar(name: str) -> Any:
    import pandas_market_calendars

    try:
        return pandas_market_calendars.get_calendar(name)
    except RuntimeError as error:
        raise InvalidInput(
            f"there is no calendar named {name!r}",
            hint="Use XNYS, XNSE, CME, FX, METALS, 24/7 or a name pandas-market-calendars knows, such as XLON or XTKS.",
        ) from error


def _from_library(name: str, year: int) -> Table:
    schedule = _library_calendar(name).schedule(f"{year}-01-01", f"{year}-12-31")

    def ns(column: str) -> Table:
        if column not in schedule.columns:
            return np.zeros(len(schedule), dtype=np.int64)
        values = schedule[column].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[ns]")
        return np.asarray(values, dtype=np.int64)

    ordinals = np.array([day.toordinal() for day in schedule.index], dtype=np.int64)
    pause = np.column_stack((ns("break_start"), ns("break_end")))
    pause[(pause[:, 1] <= pause[:, 0]) | (pause[:, 0] < 0)] = 0
    return np.column_stack((ordinals, ns("market_open"), ns("market_close"), pause)).reshape(-1, 5)


def _cached(name: str, year: int, cache: Path | None, compute: Callable[[], Table]) -> Table:
    if cache is None:
        return compute()
    version = metadata.version("pandas-market-calendars")
    path = cache / "calendars" / f"{name.replace('/', '-')}-{year}-{version}.npy"
    try:
        return np.asarray(np.load(path), dtype=np.int64).reshape(-1, 5)
    except (OSError, ValueError):
        computed = compute()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with part.open("wb") as file:
        np.save(file, computed)
    part.replace(path)
    return computed
