"""Bars from frames: columns by the names people use, and no guess where two of them mean the same."""

from typing import Any

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
