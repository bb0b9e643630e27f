"""Times as files write them: ISO 8601, dates, day.month.year, epoch numbers of any precision, in any zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from evenkeel.market.columns import Ints
from evenkeel.market.validation import Mask

if TYPE_CHECKING:
    import polars as pl

_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d.%m.%Y")
_CLOCKS = ("%H:%M:%S%.f", "%H:%M", "%H%M%S", "%H%M")
_ZONE = r"(?i):\d{2}(?:\.\d+)?\s*(z|utc|gmt|[+-]\d{2}:?\d{2})$"
_EARLIEST, _LATEST = -2_208_988_800_000_000, 7_258_118_400_000_000
_US = 1_000


class Times(Struct, frozen=True):
    """ns UTC by row; `bad` marks rows that are no time. `dates` says that no row has a time of day."""

    ns: Ints
    bad: Mask
    dates: bool
    zoned: bool


def parse_times(values: pl.Series, zone: str) -> Times:
    """The times in `values` (text, numbers, dates or datetimes); what names no zone is local time in `zone`."""
    import polars as pl

    if values.dtype == pl.Date:
        return _times(_local(values.cast(pl.Datetime("us")), "UTC"), dates=True, zoned=False)
    if isinstance(values.dtype, pl.Datetime):
        zoned = values.dtype.time_zone is not None
        moments = values.cast(pl.Datetime("us", values.dtype.time_zone))
        return _times(moments.dt.convert_time_zone("UTC") if zoned else _local(moments, zone), dates=False, zoned=zoned)
    if values.dtype.is_numeric():
        values = values.cast(pl.Int64, strict=False).cast(pl.String)
    text = values.cast(pl.String).str.strip_chars()
    if (
        text.str.contains(r"^-?(\d{9,10}|\d{12,13}|\d{15,16}|\d{18,19})$").fill_null(value=True).all()
        and not text.is_null().all()
    ):
        return _times(_epoch(text), dates=False, zoned=True)
    return _text(text, zone)


def _text(text: pl.Series, zone: str) -> Times:
    import polars as pl

    frame = pl.DataFrame({"text": text}).with_columns(zone=pl.col("text").str.extract(_ZONE, 1).str.to_lowercase())
    frame = frame.with_columns(
        body=pl.when(pl.col("zone").is_null())
        .then(pl.col("text"))
        .otherwise(pl.col("text").str.replace(r"(?i)\s*(z|utc|gmt|[+-]\d{2}:?\d{2})$", ""))
        .str.replace(r"(\d)[Tt ]+(\d)", "$1 $2")
    )
    day, clock = pl.col("body").str.extract(r"^(\S+)", 1), pl.col("body").str.extract(r" (\S+)$", 1)
    sign = pl.when(pl.col("zone").str.starts_with("-")).then(-1).otherwise(1)
    digits = pl.col("zone").str.replace_all(r"[^0-9]", "")
    offset = sign * (
        digits.str.slice(0, 2).cast(pl.Int64, strict=False) * 60 + digits.str.slice(2, 2).cast(pl.Int64, strict=False)
    )
    frame = frame.with_columns(
        day=pl.coalesce(day.str.to_date(form, strict=False) for form in _DATES),
        clock=pl.when(pl.col("body").str.contains(" ", literal=True))
        .then(pl.coalesce(clock.str.to_time(form, strict=False) for form in _CLOCKS))
        .otherwise(pl.time(0, 0)),
        offset=offset.fill_null(0),
    )
    moments = frame.select(pl.col("day").dt.combine(pl.col("clock"), time_unit="us").alias("at"))["at"]
    zoned = frame["zone"].is_not_null()
    in_utc = (moments - frame["offset"] * pl.Series([60_000_000]).cast(pl.Duration("us"))).dt.replace_time_zone("UTC")
    dates = not frame["body"].str.contains(" ", literal=True).any()
    local = _local(moments, "UTC" if dates else zone)
    chosen = pl.select(pl.when(zoned).then(in_utc).otherwise(local).alias("at"))["at"]
    return _times(chosen, dates=dates, zoned=bool(zoned.all()))


def _epoch(text: pl.Series) -> pl.Series:
    import polars as pl

    digits = text.str.replace("-", "").str.len_chars()
    number = text.cast(pl.Int64, strict=False)
    us = (
        pl.when(digits <= 10).then(number * 1_000_000).when(digits <= 13).then(number * 1_000)
        .when(digits <= 16).then(number).otherwise(number // 1_000)
    )  # fmt: skip
    return pl.select(us.cast(pl.Datetime("us", "UTC")).alias("at"))["at"]


def _local(moments: pl.Series, zone: str) -> pl.Series:
    """Local times as UTC; null for times the clock change leaves out or passes twice."""
    placed = moments.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    return placed.dt.convert_time_zone("UTC")


def _times(moments: pl.Series, *, dates: bool, zoned: bool) -> Times:
    import polars as pl

    us = moments.cast(pl.Int64)
    bad = us.is_null() | (us < _EARLIEST) | (us > _LATEST)
    bad_rows: Mask = bad.fill_null(value=True).to_numpy().astype(np.bool_)
    ns = us.fill_null(0).to_numpy().astype(np.int64)
    return Times(np.where(bad_rows, 0, ns) * _US, bad_rows, dates, zoned)
