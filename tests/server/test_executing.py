"""Slices nearer to each other than the bars that a feed brings."""

import re
from types import SimpleNamespace
from typing import cast

import pytest

from evenkeel.domain.clock import SECOND
from evenkeel.domain.execution import Execution, ExecutionKind
from evenkeel.server.executing import pace_warnings
from evenkeel.server.ports import Feed

DAY = 86_400 * SECOND


def feed(kind: str, timeframe: str) -> Feed:
    return cast(Feed, SimpleNamespace(kind=kind, timeframe=timeframe))


@pytest.mark.parametrize(
    ("kind", "count", "every", "timeframe", "told"),
    [
        (ExecutionKind.TWAP, 4, 900 * SECOND, "1d", "ends before the next bar.*a duration of 345600 seconds"),
        (ExecutionKind.VWAP, 12, 300 * SECOND, "1d", "ends before the next bar.*7 slices over 604800 seconds"),
        (ExecutionKind.TWAP, 4, DAY // 2, "1d", "fall into one bar.*a duration of 345600 seconds"),
        (ExecutionKind.TWAP, 4, 900 * SECOND, "1h", "fall into one bar.*a duration of 14400 seconds"),
        (ExecutionKind.TWAP, 4, DAY, "1w", "Take an execution of slices"),
        (ExecutionKind.SLICES, 4, 900 * SECOND, "1d", "4 slices take 4 bars"),
    ],
)
def test_what_a_feed_of_bars_makes_of_them(
    kind: ExecutionKind, count: int, every: int, timeframe: str, told: str
) -> None:
    (warning,) = pace_warnings(Execution(kind, count, every), feed("replay", timeframe))
    assert f"bars of {timeframe}" in warning
    assert re.search(told, warning)


def test_nothing_is_warned_of_where_they_fit() -> None:
    assert pace_warnings(None, feed("replay", "1d")) == []
    assert pace_warnings(Execution(ExecutionKind.TWAP, 4, DAY), feed("replay", "1d")) == []
    assert pace_warnings(Execution(ExecutionKind.TWAP, 4, SECOND), feed("none", "1d")) == []
