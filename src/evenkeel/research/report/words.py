"""Numbers, dates and durations as a reader wants them, the same on every machine."""

from math import isclose, isfinite

import numpy as np

from evenkeel.domain.clock import from_ns
from evenkeel.quant.analytics.metrics import Unit

NOTHING = "–"
NARROW = "\u202f"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAY = 86_400_000_000_000
HOUR = DAY // 24
MINUTE = HOUR // 60
_LARGE = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
# Thousands are written out where ticks are nearer than one.
_FINEST = {"T": 0.1, "B": 0.1, "M": 0.1, "k": 1.0}


def number(value: float | None, places: int = 2, *, signed: bool = False) -> str:
    """`1,234.50`, with a true minus; a dash where there is no number."""
    if value is None or not isfinite(value):
        return NOTHING
    text = f"{abs(value):,.{places}f}"
    if not any(digit in text for digit in "123456789"):
        return text
    return f"−{text}" if value < 0 else f"+{text}" if signed else text


def percent(value: float | None, places: int = 1, *, signed: bool = False) -> str:
    """A fraction in per cent."""
    if value is None or not isfinite(value):
        return NOTHING
    return f"{number(value * 100.0, places, signed=signed)}{NARROW}%"


def money(value: float | None, currency: str = "", *, signed: bool = False) -> str:
    """An amount to the cent, or to the unit from a million on."""
    if value is None or not isfinite(value):
        return NOTHING
    text = number(value, 0 if abs(value) >= 1e6 else 2, signed=signed)
    return f"{text} {currency}" if currency else text


def plain(value: float) -> str:
    """A number with the digits it needs, at most six."""
    return "0" if value == 0 else f"{value:,.6g}".replace("-", "−") if abs(value) < 1e6 else number(value, 0)


def short(value: float, step: float) -> str:
    """A tick of an axis whose ticks lie `step` apart: 1.2M, 850k, 0.05."""
    size, letter = next(((s, name) for s, name in _LARGE if abs(value) >= s and step >= s * _FINEST[name]), (1.0, ""))
    return f"{number(value / size, _places(step / size))}{letter}"


def per_cent(value: float, step: float) -> str:
    """A tick of an axis of fractions whose ticks lie `step` apart."""
    return percent(value, _places(step * 100.0))


def _places(step: float) -> int:
    """How many decimals it takes to tell multiples of `step` apart."""
    return next((at for at in range(9) if isclose(round(step, at), step, rel_tol=1e-6)), 9)


def by_unit(value: float | None, unit: Unit) -> str:
    """The value of a metric in its unit, without the unit's name."""
    if value is None or not isfinite(value):
        return NOTHING
    if unit == "fraction":
        return number(value * 100.0, 2 if abs(value) >= 1e-3 or value == 0 else 4)
    if unit == "currency":
        return money(value)
    if unit == "ratio":
        return number(value, 2 if abs(value) >= 0.1 or value == 0 else 4)
    return number(value, 0 if value == round(value) else 1)


def date(day: np.datetime64) -> str:
    """`1 Mar 2000`."""
    found = day.astype("datetime64[D]").item()
    return f"{found.day} {MONTHS[found.month - 1]} {found.year}"


def day_of(ns: int) -> str:
    """The UTC date of a moment."""
    return date(np.datetime64(ns, "ns"))


def moment(ns: int) -> str:
    """`1 Mar 2000 14:30` in UTC."""
    return f"{day_of(ns)} {from_ns(ns):%H:%M}"


def unit_of_time(ns: float) -> tuple[int, str]:
    """(ns of the unit, its name) in which such a length reads well."""
    if ns >= 2 * DAY:
        return DAY, "days"
    return (HOUR, "hours") if ns >= 2 * HOUR else (MINUTE, "minutes")


def counted(count: int, one: str) -> str:
    """`1 trade`, `1,204 trades`."""
    return f"{count:,} {one if count == 1 else one + 's'}"
