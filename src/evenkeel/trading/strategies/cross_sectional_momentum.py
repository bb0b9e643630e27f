"""Cross-sectional momentum (N. Jegadeesh and S. Titman, 1993): winners go on beating losers."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from evenkeel.domain.errors import FieldError
from evenkeel.market.panel import Panel
from evenkeel.quant.indicators import Flags, Floats, ratio
from evenkeel.trading.strategies.base import PanelStrategy
from evenkeel.trading.strategies.parameters import Parameter, Params, flag, number, whole


class CrossSectionalMomentum(PanelStrategy):
    name = "cross-sectional-momentum"
    aliases: ClassVar[tuple[str, ...]] = ("relative-strength", "momentum-rank", "xs-momentum")
    version = "1"
    title = "Cross-sectional momentum"
    description = (
        "Every so many bars ranks the instruments by their return from lookback to skip bars ago, and holds the top"
        " share of them in equal parts; with shorts, half of the allocation so and half short in the bottom share. At"
        " each ranking the parts are made equal again. An instrument without a bar since lookback bars ago is left out;"
        " of equal returns, the instrument named first is ranked higher."
    )
    parameters: ClassVar[tuple[Parameter, ...]] = (
        whole("lookback", 120, 2, 2000, description="Bars back from which returns are measured."),
        whole("skip", 20, 0, 500, description="Latest bars left out of them; less than lookback."),
        number("top", 0.3, 0.01, 1.0, description="Share of the ranked that is held, at least one."),
        number("bottom", 0.3, 0.01, 1.0, description="Share of the ranked that is sold short, at least one."),
        whole("every", 20, 1, 500, description="Bars from one ranking to the next."),
        flag("allow_short", False, description="Sell the bottom short."),
    )

    def instruments(self, params: Params) -> tuple[int, int | None]:
        return 2, None

    def check(self, params: Params) -> tuple[FieldError, ...]:
        if params.whole("skip") < params.whole("lookback"):
            return ()
        return (FieldError("parameters.skip", f"expected less than lookback ({params.whole('lookback')})"),)

    def warmup(self, params: Params) -> int:
        return params.whole("lookback")

    def remembers(self, params: Params) -> bool:
        """Rankings are counted from the first bar that is decided on."""
        return params.whole("every") > 1

    def signals(self, bars: Panel, params: Params) -> Floats:
        targets, returns = np.full(bars.close.shape, np.nan), self._returns(bars, params)
        for row in self._rankings(bars, params).tolist():
            targets[row] = _parts(returns[row], params)
        return targets

    def rebalances(self, bars: Panel, params: Params) -> Flags:
        flags = np.zeros(len(bars), dtype=np.bool_)
        flags[self._rankings(bars, params)] = True
        return flags

    def update(self, state: bytes | None, recent: Panel, params: Params) -> tuple[bytes, Floats, bool]:
        """The state is the number of the moment."""
        row = len(recent) - 1 if state is None else int(state) + 1
        since, every = row - params.whole("lookback"), params.whole("every")
        is_ranked = since >= 0 and since % every == 0
        targets = np.full(recent.close.shape[1], np.nan)
        if is_ranked:
            targets = _parts(self._returns(recent, params)[-1], params)
        return str(row).encode(), targets, is_ranked

    def details(self, bars: Panel, params: Params) -> Mapping[str, Floats]:
        return {"return": self._returns(bars, params)}

    def _rankings(self, bars: Panel, params: Params) -> np.ndarray:
        return np.arange(params.whole("lookback"), len(bars), params.whole("every"))

    def _returns(self, bars: Panel, params: Params) -> Floats:
        """(n, k): NaN where an instrument is not ranked."""
        close, lookback, skip = bars.last_close(), params.whole("lookback"), params.whole("skip")
        returns, count = np.full(close.shape, np.nan), max(0, len(close) - lookback)
        returns[lookback:] = ratio(close[lookback - skip : lookback - skip + count], close[:count]) - 1.0
        seen = np.cumsum(bars.shown, axis=0)
        returns[lookback:][seen[lookback:] == seen[:count]] = np.nan
        return returns


def _parts(returns: Floats, params: Params) -> Floats:
    """The target of each instrument, 0 for those that are neither at the top nor at the bottom."""
    targets = np.zeros(len(returns))
    ranked = np.argsort(-returns, kind="stable")[: np.count_nonzero(~np.isnan(returns))]
    if not len(ranked):
        return targets
    longs = _count(params.number("top"), len(ranked))
    if not params.flag("allow_short"):
        targets[ranked[:longs]] = 1.0 / longs
        return targets
    shorts = min(_count(params.number("bottom"), len(ranked)), len(ranked) - longs)
    targets[ranked[:longs]] = 0.5 / longs
    targets[ranked[len(ranked) - shorts :]] = -0.5 / max(1, shorts)
    return targets


def _count(share: float, of: int) -> int:
    return max(1, int(share * of + 0.5))
