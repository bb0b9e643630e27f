"""All metrics of a record in one mapping, and those of trades by side, symbol or any other label."""

from collections.abc import Hashable, Iterable
from math import isfinite
from typing import TypedDict, Unpack

import numpy as np

from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.quant.analytics.case import Case
from evenkeel.quant.analytics.exposure import Holdings
from evenkeel.quant.analytics.metrics import BY_NAME, METRICS, TRADES, Metric
from evenkeel.quant.analytics.round_trips import RoundTrips
from evenkeel.quant.analytics.series import Floats, refuse
from evenkeel.quant.analytics.significance import Trials
from evenkeel.quant.analytics.track import Track

Values = dict[str, float | None]


class Inputs(TypedDict, total=False):
    """What a `summary` may take beside the record; see `Case`."""

    risk_free: float
    target: float
    benchmark: Floats | None
    trips: RoundTrips | None
    holdings: Holdings | None
    trials: Trials | None


def summary(track: Track, *, periods: float, names: Iterable[str] | None = None, **inputs: Unpack[Inputs]) -> Values:
    """Every metric of `METRICS` in its order, or those of `names` in theirs; None where a value is undefined.

    `periods` a year is never assumed: 252, 12 or what `periods_per_year` finds. `risk_free` and `target` are annual,
    effective rates; `benchmark` has the returns of the same periods. Raises InvalidInput.
    """
    case = Case(track, periods=periods, **inputs)
    return {metric.name: _value(metric, case) for metric in _chosen(names)}


def _chosen(names: Iterable[str] | None) -> Iterable[Metric]:
    if names is None:
        return METRICS
    wanted = list(names)
    unknown = [name for name in wanted if name not in BY_NAME]
    if unknown:
        errors = tuple(FieldError("names", f"there is no metric {name!r}") for name in unknown)
        raise InvalidInput(f"unknown metrics: {', '.join(unknown)}", errors=errors)
    return [BY_NAME[name] for name in wanted]


def _value(metric: Metric, case: Case) -> float | None:
    if case.lacks(metric.needs):
        return None
    value = metric.measure(case)
    return float(value) if isfinite(value) else None


def trade_summary(trips: RoundTrips) -> Values:
    """The metrics of trades alone."""
    return {metric.name: _value(metric, _of_trades(trips)) for metric in TRADES}


def _of_trades(trips: RoundTrips) -> Case:
    nothing = Track.of_equity([], [], start="1970-01-01", capital=1.0)
    return Case(nothing, periods=1.0, trips=trips)


def trade_summary_by(trips: RoundTrips, labels: Iterable[Hashable]) -> dict[Hashable, Values]:
    """`trade_summary` of the trades of each label, one label a trade, in order of first appearance.

    `trips.symbol` and `sides(trips)` are such labels. Raises InvalidInput unless there is one for each trade.
    """
    names = list(labels)
    if len(names) != len(trips):
        raise refuse("labels", f"expected {len(trips)}, one for each trade, not {len(names)}")
    places: dict[Hashable, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    return {name: trade_summary(trips.where(np.array(at))) for name, at in places.items()}


def sides(trips: RoundTrips) -> list[str]:
    """ "long" or "short" of each trade."""
    return ["long" if side > 0 else "short" for side in trips.side.tolist()]
