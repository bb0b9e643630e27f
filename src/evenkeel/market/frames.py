"""Bars from what people have at hand: arrays, and frames of pandas or Polars with columns named their way."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.instruments import Instrument
from evenkeel.market.columns import PRICES, Ints
from evenkeel.market.inference import commonest, spacing
from evenkeel.market.timeframes import UNITS
from evenkeel.market.timeframes import timeframe as parse

ASSET = "ASSET"
_OPTIONAL = ("volume", "spread", "close_ts")
_OTHERS = ("symbol", "timeframe", "instrument")
_HAIR = 1e-9  # of a price
_FIRST, _LAST = 315_532_800 * UNITS["s"], 4_102_444_800 * UNITS["s"]  # 1980 and 2100
_NO_TIMES = "Give the times as a column such as timestamp, or as the index."


def completed(given: Mapping[str, Any]) -> tuple[str, str, Instrument | None, dict[str, Any]]:
    """(name, timeframe, instrument, columns) of what was given to `Bars`. Raises InvalidInput."""
    unknown = [name for name in given if name not in ("ts", *PRICES, *_OPTIONAL, *_OTHERS)]
    if unknown:
        raise InvalidInput(f"bars have no {unknown[0]!r}", hint=f"Besides prices: {', '.join((*_OPTIONAL, *_OTHERS))}.")
    instrument: Instrument | None = given.get("instrument")
    ts = nanoseconds(given["ts"])
    unit = _unit(ts)
    ts = ts * unit
    named = given.get("timeframe") or spacing(ts) or "1d"
    columns = {"ts": ts} | {name: _numbers(name, given[name]) for name in PRICES}
    columns |= {n: _numbers(n, given[n]) for n in ("volume", "spread") if given.get(n) is not None}
    closes = given.get("close_ts")
    columns["close_ts"] = nanoseconds(closes) * unit if closes is not None else _closes(ts, parse(named).ns)
    _check_prices(columns)
    symbol = instrument.id if instrument is not None else given.get("symbol") or ASSET
    return symbol, parse(named).name, instrument, columns


def _unit(ts: Ints) -> int:
    """ns in a unit of whole numbers: 1, but where bars would be no whole seconds apart, and lie in the years that are
    traded if they count seconds, milliseconds or microseconds.
    """
    distances = np.diff(ts)
    if not len(ts) or not (distances > 0).any() or commonest(distances[distances > 0]) % UNITS["s"] == 0:
        return 1
    fitting = [
        unit for unit in (UNITS["s"], 1_000_000, 1_000) if ts.min() >= _FIRST // unit and ts.max() <= _LAST // unit
    ]
    return fitting[0] if fitting else 1


def _closes(ts: Ints, length: int) -> Ints:
    """When each bar ends: a timeframe later, or when the next one opens."""
    closes = ts + length
    if len(ts) > 1:
        closes[:-1] = np.minimum(closes[:-1], ts[1:])
    return closes


def nanoseconds(times: Any) -> Ints:
    """Times as int64 ns UTC: whole numbers are taken as ns, datetimes without a zone as UTC. Raises InvalidInput."""
    values = _plain(times)
    if values.dtype.kind == "M":
        if np.isnat(values).any():
            raise InvalidInput("a time is missing", errors=(FieldError("ts", "not a time"),))
        return np.asarray(values.astype("datetime64[ns]").astype(np.int64))
    if values.dtype.kind in "iu":
        return np.asarray(values, dtype=np.int64)
    if values.dtype.kind == "O":
        return nanoseconds(np.array([_moment(value) for value in values], dtype="datetime64[ns]"))
    raise InvalidInput(f"times are {values.dtype}; expected datetimes, or int64 nanoseconds since 1970 UTC")


def _plain(times: Any) -> npt.NDArray[Any]:
    """The values of an array, a Series of either library or an index, with time zones turned into UTC."""
    if hasattr(times, "tz_convert") and getattr(times, "tz", None) is not None:
        times = times.tz_convert("UTC").tz_localize(None)
    elif hasattr(times, "dt") and getattr(getattr(times, "dtype", None), "tz", None) is not None:
        times = times.dt.tz_convert("UTC").dt.tz_localize(None)
    elif hasattr(times, "dt") and getattr(getattr(times, "dtype", None), "time_zone", None):
        times = times.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return _column("ts", times.to_numpy() if hasattr(times, "to_numpy") else np.asarray(times))


def _moment(value: Any) -> np.datetime64:
    try:
        aware = value.tzinfo is not None and value.utcoffset() is not None
        naive = (value - value.utcoffset()).replace(tzinfo=None) if aware else value
        return np.datetime64(naive, "ns")
    except (AttributeError, TypeError, ValueError):
        message = f"{value!r} is not a time"
        raise InvalidInput(message, errors=(FieldError("ts", message),)) from None


def _numbers(name: str, values: Any) -> npt.NDArray[np.float64]:
    try:
        found = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name} are not numbers: {error}", errors=(FieldError(name, "not numbers"),)) from None
    return np.ascontiguousarray(_column(name, found))


def _column(name: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """One value a bar. Raises InvalidInput."""
    if values.ndim != 1:
        message = f"expected one value a bar, not an array of {values.ndim} dimensions"
        raise InvalidInput(f"{name}: {message}", errors=(FieldError(name, message),))
    return values


def _check_prices(columns: Mapping[str, Any]) -> None:
    """Prices must be positive, and each open and close lie from low to high, or a hair beyond, as a close that is the
    high does once both are adjusted by a factor; the first bar at fault is named.
    """
    high, low = columns["high"], columns["low"]
    for name in ("volume", "spread"):
        bad = np.flatnonzero(np.less(columns.get(name, 0.0), 0.0))
        if len(bad):
            where = f"bar {bad[0]}: {name} is {columns[name][bad[0]]}"
            raise InvalidInput(f"{len(bad)} bars have a {name} below zero; {where}", errors=(FieldError(name, where),))
    for name in PRICES:
        bad = np.flatnonzero(~(np.isfinite(columns[name]) & (columns[name] > 0)))
        if len(bad):
            where = f"bar {bad[0]}: {name} is {columns[name][bad[0]]}"
            raise InvalidInput(f"{len(bad)} bars have impossible prices; {where}", errors=(FieldError(name, where),))
    if len(high) == len(low) and (crossed := np.flatnonzero(high < low)).size:
        where = f"bar {crossed[0]}: high {high[crossed[0]]} is below low {low[crossed[0]]}"
        raise InvalidInput(f"{len(crossed)} bars have a high below their low; {where}")
    for name in ("open", "close"):
        inside = columns[name]
        if (
            len(inside) == len(high) == len(low)
            and (outside := np.flatnonzero((inside > high * (1.0 + _HAIR)) | (inside < low * (1.0 - _HAIR)))).size
        ):
            where = f"bar {outside[0]}: {inside[outside[0]]} is not from {low[outside[0]]} to {high[outside[0]]}"
            raise InvalidInput(
                f"{len(outside)} bars have their {name} outside low to high; {where}", errors=(FieldError(name, where),)
            )


def columns_of(frame: Any) -> dict[str, Any]:
    """The columns `Bars` takes, found in a frame by the names people use. Raises InvalidInput."""
    from evenkeel.market.tables import meaning

    if not hasattr(frame, "columns"):
        raise InvalidInput(f"{type(frame).__name__} is not a frame of pandas or Polars")
    found: dict[str, Any] = {}
    for name in frame.columns:
        means = meaning(str(name))
        if means in found:
            raise InvalidInput(f"the frame has two columns that mean {means}: {', '.join(map(str, frame.columns))}")
        if means is not None:
            found[means] = frame[name]
    times = next((found[name] for name in ("timestamp", "date", "time") if name in found), None)
    if times is None and hasattr(frame, "index") and getattr(frame.index, "step", None) != 1:  # rows that are numbered
        times = frame.index
    missing = [name for name in PRICES if name not in found]
    if times is None:
        missing.insert(0, "timestamp")
    if missing:
        named = ", ".join(map(str, frame.columns))
        hint = _NO_TIMES if times is None else None
        raise InvalidInput(f"the frame has no {', '.join(missing)}; its columns are {named}", hint=hint)
    columns = {"ts": moments(times)} | {name: found[name] for name in PRICES}
    return columns | {name: found[name] for name in ("volume", "spread") if name in found}


def moments(times: Any) -> Ints:
    """Times of a column (ns UTC): also texts in ISO form, and numbers since 1970 as an import reads them.

    Raises InvalidInput.
    """
    values = _plain(times)
    if values.dtype.kind in "iuf":
        return _since_1970(values)
    if values.dtype.kind in "TUSO" and len(values) and isinstance(values[0], str):
        try:
            return nanoseconds(np.array([str(value).removesuffix("Z") for value in values], dtype="datetime64[ns]"))
        except ValueError as error:
            raise InvalidInput(f"the times cannot be read: {error}") from None
    return nanoseconds(times)


def _since_1970(values: npt.NDArray[Any]) -> Ints:
    import polars as pl

    from evenkeel.market.times import parse_times

    found = parse_times(pl.Series(values), "UTC")
    bad = np.flatnonzero(found.bad)
    if len(bad):
        message = f"{values[bad[0]]} is not a time: expected datetimes, or numbers of one unit since 1970 UTC"
        raise InvalidInput(message, errors=(FieldError("ts", message),), hint=_NO_TIMES)
    return found.ns
