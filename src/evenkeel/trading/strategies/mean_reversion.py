"""Mean reversion by the z-score of the close: how many deviations it is from its average."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from evenkeel.domain.errors import FieldError
from evenkeel.market.bars import Bars
from evenkeel.quant.indicators import Floats, onset, rolling_std, zscore
from evenkeel.trading.strategies.base import SignalStrategy
from evenkeel.trading.strategies.parameters import Parameter, Params, flag, number, whole


class MeanReversion(SignalStrategy):
    name = "mean-reversion"
    version = "1"
    title = "Mean reversion"
    description = (
        "Long when the z-score of the close is at most -entry, out when it is back at -exit or above; with shorts,"
        " short when it is at least entry, out at exit or below. A market that stands still scores 0."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        whole("period", 20, 2, 1000, description="Bars in the average and the deviation."),
        number("entry", 2.0, 0.1, 10.0, description="Deviations from the average at which it trades."),
        number("exit", 0.5, 0.0, 10.0, description="Deviations at which it takes leave; less than entry."),
        flag("allow_short", False, description="Trade rises above the average, too."),
    )

    def check(self, params: Params) -> tuple[FieldError, ...]:
        if params.number("exit") < params.number("entry"):
            return ()
        return (FieldError("parameters.exit", f"expected less than entry ({params['entry']})"),)

    def warmup(self, params: Params) -> int:
        """One bar more than the score needs, to see it pass the exit."""
        return params.whole("period")

    def signals(self, bars: Bars, params: Params) -> Floats:
        score = self._score(bars, params)
        entry, leave = params.number("entry"), params.number("exit")
        up, out = score <= -entry, score >= -leave
        if not params.flag("allow_short"):
            return np.where(up, 1.0, np.where(out, 0.0, np.nan))
        # Whoever is long has scored below -exit since, so passing it tells what to do whatever is held.
        passed = onset(out) | onset(score <= leave)
        return np.where(up, 1.0, np.where(score >= entry, -1.0, np.where(passed, 0.0, np.nan)))

    def confidence(self, bars: Bars, params: Params, targets: Floats) -> Floats:
        """The size of the score, half at entry; 0 where nothing is asked."""
        score = np.abs(self._score(bars, params)) / (2.0 * params.number("entry"))
        return np.where(np.isnan(targets), 0.0, score)

    def details(self, bars: Bars, params: Params) -> Mapping[str, Floats]:
        return {"score": self._score(bars, params)}

    def _score(self, bars: Bars, params: Params) -> Floats:
        """A market that stands still is at its average."""
        period = params.whole("period")
        score = zscore(bars.close, period)
        return np.where(np.isnan(score) & (rolling_std(bars.close, period) == 0.0), 0.0, score)
