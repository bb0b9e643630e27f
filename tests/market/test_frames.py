"""Bars from frames: columns by the names people use, and no guess where two of them mean the same."""

import re
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from evenkeel.domain.errors import InvalidInput
from evenkeel.market.bars import Bars

FRAME = pl.DataFrame(
    {
        "Date": ["2005-02-24", "2005-02-25"],
        "Open": [1.0, 2.0],
        "High": [2.0, 3.0],
        "Low": [1.0, 1.0],
        "Last": [2.0, 2.0],
    }
)


def test_columns_are_found_by_their_usual_names() -> None:
    bars = Bars.from_frame(FRAME)
    assert (bars.open.tolist(), bars.close.tolist(), bars.timeframe) == ([1.0, 2.0], [2.0, 2.0], "1d")


def test_two_columns_of_one_meaning_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"two columns that mean close: .*Last, close"):
        Bars.from_frame(FRAME.with_columns(close=pl.col("Last") + 1))


def test_what_is_missing_is_named() -> None:
    with pytest.raises(InvalidInput, match="the frame has no close"):
        Bars.from_frame(FRAME.drop("Last"))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"ts": 1}, "ts: expected one value a bar"),
        ({"ts": None}, "ts: expected one value a bar"),
        ({"close": [[1.0], [2.0]]}, "close: expected one value a bar, not an array of 2 dimensions"),
        ({"volume": [1.0, -1.0]}, r"1 bars have a volume below zero; bar 1: volume is -1\.0"),
        (
            {"ts": [60, 0], "close_ts": [61, 61]},
            "rise strictly in time.*bar 1 does not: it opens at 1970-01-01T00:00:00",
        ),
    ],
)
def test_arrays_that_are_no_bars_are_refused(more: dict[str, Any], said: str) -> None:
    prices = {name: [1.0, 1.0] for name in ("open", "high", "low", "close")}
    with pytest.raises(InvalidInput, match=said):
        Bars(**{"ts": [0, 60], **prices, **more})


DAYS = np.arange(30) * 86_400_000_000_000 + 1_100_000_000_000_000_000
UNITS = [1, 10**3, 10**6, 10**9]


def daily(ts: Any) -> dict[str, Any]:
    return {"timestamp": ts} | {name: np.full(len(DAYS), 10.0) for name in ("open", "high", "low", "close")}


@pytest.mark.parametrize("unit", UNITS)
def test_numbers_since_1970_are_read_in_their_unit(unit: int) -> None:
    columns = daily(DAYS // unit)
    frame = pd.DataFrame(columns)
    made = [
        Bars.from_frame(one)
        for one in (frame, frame.astype(float), frame.set_index("timestamp"), pl.DataFrame(columns))
    ]
    made.append(Bars(ts=columns.pop("timestamp"), close_ts=DAYS // unit + 86_400_000_000_000 // unit, **columns))
    for bars in made:
        assert (bars.timeframe, bars.ts.tolist(), bars.close_ts[0] - bars.ts[0]) == (
            "1d",
            DAYS.tolist(),
            86_400_000_000_000,
        )


def test_arrays_of_nanoseconds_early_in_1970_stay_what_they_are() -> None:
    for ts in (np.arange(30) * 60_000_000_000, DAYS - DAYS[0] + 400_000_000_000_000, np.arange(30) * 60):
        columns = daily(ts)
        assert Bars(ts=columns.pop("timestamp"), **columns).ts.tolist() == ts.tolist()


def test_a_frame_without_times_is_refused() -> None:
    frame = pd.DataFrame(daily(DAYS)).drop(columns="timestamp")
    with pytest.raises(InvalidInput, match="the frame has no timestamp"):
        Bars.from_frame(frame)
    with pytest.raises(InvalidInput, match="3 is not a time"):
        Bars.from_frame(frame.set_index(3 * np.arange(1, 31)))


@pytest.mark.parametrize(
    ("timeframe", "hint"), [("1w", r'ek\.higher\(bars, "1w"\)'), ("1h", "Shorter bars cannot be made")]
)
def test_a_timeframe_that_the_rows_are_not_apart_is_refused(timeframe: str, hint: str) -> None:
    with pytest.raises(InvalidInput, match=f"the rows are 1d apart: they are no {timeframe} bars") as refused:
        Bars.from_frame(pl.DataFrame(daily(DAYS)), timeframe=timeframe)
    assert re.search(hint, refused.value.hint or "")
    assert Bars.from_frame(pl.DataFrame(daily(DAYS)), timeframe="daily").timeframe == "1d"
