"""Fixed weights, brought back to what they should be by the calendar or when they have strayed too far."""

from math import isfinite
from typing import ClassVar

import numpy as np

from evenkeel.domain.errors import FieldError
from evenkeel.domain.instruments import AROUND_THE_CLOCK
from evenkeel.market.days import dates_at
from evenkeel.market.panel import Panel
from evenkeel.market.spans import period
from evenkeel.market.timeframes import timeframe
from evenkeel.quant.indicators import Flags, Floats
from evenkeel.trading.strategies.base import PanelStrategy
from evenkeel.trading.strategies.parameters import Parameter, ParameterType, Params, number

_PERIODS = {"day": ("1d", 1), "week": ("1w", 1), "month": ("1mo", 1), "quarter": ("1mo", 3), "year": ("1mo", 12)}
_NEVER, _EQUAL = "never", "equal"
_MOST = 1.0 + 1e-9
_STRETCH = 512  # moments looked at together for the next that strays


class RebalancedWeights(PanelStrategy):
    name = "rebalanced-weights"
    aliases: ClassVar[tuple[str, ...]] = ("rebalance", "fixed-weights", "equal-weight", "constant-mix")
    version = "1"
    title = "Rebalanced weights"
    description = (
        "Holds each instrument at its weight of the allocation, all equal unless they are given, and restores the"
        " weights at the first bar of each day, week, month, quarter or year; with a band, also when a weight has"
        " strayed from its own by more than that since. How far is worked out from prices, as if the last restoring had"
        " been perfect."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            "weights",
            ParameterType.TEXT,
            _EQUAL,
            description="equal, or one for each instrument in their order, such as 0.6, 0.4; of both signs at most 1 in"
            " sum.",
        ),
        Parameter(
            "every",
            ParameterType.TEXT,
            "month",
            description="day, week, month, quarter, year or never.",
            choices=(*_PERIODS, _NEVER),
        ),
        number("band", 0.0, 0.0, 1.0, description="How far a weight may stray, such as 0.05; 0: no matter how far."),
    )

    def instruments(self, params: Params) -> tuple[int, int | None]:
        weights = _given(params)
        return (1, None) if weights is None else (len(weights), len(weights))

    def check(self, params: Params) -> tuple[FieldError, ...]:
        try:
            weights = _given(params) or (1.0,)
        except ValueError as error:
            return (FieldError("parameters.weights", str(error)),)
        if all(map(isfinite, weights)) and sum(map(abs, weights)) <= _MOST:
            return ()
        return (FieldError("parameters.weights", "expected weights that are at most 1 in sum, whatever their sign"),)

    def warmup(self, params: Params) -> int:
        """The bar by which it sees a period begin."""
        return 1

    def remembers(self, params: Params) -> bool:
        """How far weights have strayed depends on when they were last restored."""
        return params.number("band") > 0.0

    def signals(self, bars: Panel, params: Params) -> Floats:
        return np.tile(self._weights(bars, params), (len(bars), 1))

    def rebalances(self, bars: Panel, params: Params) -> Flags:
        due = _begins(bars, params.text("every"))
        band = params.number("band")
        return _strayed(bars.last_close(), self._weights(bars, params), due, band=band) if band else due

    def update(self, state: bytes | None, recent: Panel, params: Params) -> tuple[bytes, Floats, bool]:
        """The state are the closes since which weights stray; empty after the first moment, which has none."""
        weights, close, band = self._weights(recent, params), recent.last_close(), params.number("band")
        if state is None:
            flags = self.rebalances(recent, params)
            since = int(np.flatnonzero(flags).max(initial=1))
            return close[since].tobytes() if len(recent) > 1 else b"", weights, bool(flags[-1])
        base, is_due = np.frombuffer(state) if state else close[-1], bool(_begins(recent, params.text("every"))[-1])
        if state and band and not is_due:
            is_due = bool(_off(close[-1:], base, weights, band=band)[0] > 0.0)
        return (close[-1] if is_due else base).tobytes(), weights, is_due

    def rescaled(self, state: bytes, ratios: Floats, params: Params) -> bytes:
        rescaled: bytes = (np.frombuffer(state) / ratios).tobytes() if state else state
        return rescaled

    def _weights(self, bars: Panel, params: Params) -> Floats:
        count = len(bars.instrument_ids)
        return np.array(_given(params) or (1.0 / count,) * count)


def _given(params: Params) -> tuple[float, ...] | None:
    """None: all equal. Raises ValueError."""
    return None if params.text("weights").strip() == _EQUAL else params.numbers("weights")


def _begins(bars: Panel, every: str) -> Flags:
    """The first moment of each period, by the calendar of the first instrument; that of the first is not known."""
    flags = np.zeros(len(bars), dtype=np.bool_)
    if every == _NEVER or not len(bars):
        return flags
    name, count = _PERIODS[every]
    first = bars.instruments[0]
    days = dates_at(bars.close_ts, first.calendar if first is not None else AROUND_THE_CLOCK)
    flags[1:] = np.diff(period(days, timeframe(name)) // count) != 0
    return flags


def _strayed(close: Floats, weights: Floats, due: Flags, *, band: float) -> Flags:
    """`due`, and the moments at which a weight is off by more than the band since the last such moment."""
    flags, base, row = due.copy(), 1, 2
    while row < len(close):
        part = close[row : row + _STRETCH]
        off = _off(part, close[base], weights, band=band)
        found = np.flatnonzero((off > 0.0) | due[row : row + _STRETCH])
        if len(found):
            base = row + int(found[0])
            flags[base] = True
            row = base + 1
        else:
            row += len(part)
    return flags


def _off(close: Floats, base: Floats, weights: Floats, *, band: float) -> Floats:
    """By how much the weight that strays most is beyond the band (above 0), at closes (n, k) since those of `base`."""
    held = weights * np.where(np.isnan(base), 1.0, close / base)
    total = 1.0 - weights.sum() + held.sum(axis=1)
    return np.where(total > 0.0, np.abs(held - total[:, None] * weights).max(axis=1) - band * total, np.inf)
