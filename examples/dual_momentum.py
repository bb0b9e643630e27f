"""A panel strategy: several instruments decided on together, from finished weeks.

Check it:    evenkeel strategy check examples/dual_momentum.py
"""

from collections.abc import Mapping

import numpy as np

from evenkeel.market.higher import higher
from evenkeel.market.panel import Panel
from evenkeel.quant.indicators import Flags, Floats
from evenkeel.trading.strategies import PanelStrategy, Params, whole


class DualMomentum(PanelStrategy):
    name = "dual-momentum"
    version = "1"
    title = "Dual momentum"
    description = "All in the instrument that has risen most over some weeks; in none while even that has fallen."
    parameters = (whole("weeks", 12, 1, 104, description="How far back the rise is measured, in finished weeks."),)

    def instruments(self, params: Params) -> tuple[int, int | None]:
        return 2, None

    def warmup(self, params: Params) -> int:
        return 0

    def timeframes(self, params: Params) -> Mapping[str, int]:
        return {"1w": params.whole("weeks") + 1}

    def signals(self, bars: Panel, params: Params) -> Floats:
        week, back = higher(bars, "1w"), params.whole("weeks")
        close = week.bars.last_close()
        risen = np.zeros(close.shape)
        risen[back:] = np.nan_to_num(close[back:] / close[:-back] - 1.0)
        best = risen == risen.max(axis=1, keepdims=True)
        parts = np.where(best & (risen > 0.0), 1.0 / best.sum(axis=1, keepdims=True), 0.0)
        return week.aligned(parts)

    def rebalances(self, bars: Panel, params: Params) -> Flags:
        row = higher(bars, "1w").row
        return np.diff(row, prepend=row[:1]) > 0
