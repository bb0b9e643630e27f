"""Many records of the same days at once, as a search has them: for each the `summary`, to the last bit.

The measures asked for most are worked out for all rows together. What is no finite number then is left to `summary`, as
it may be undefined or just out of the ordinary, and so are all other measures, and tables in which an equity is not
above zero.
"""

from collections.abc import Callable, Iterable, Iterator
from math import isfinite, sqrt

import numpy as np

from evenkeel.quant.analytics.case import check_rates
from evenkeel.quant.analytics.drawdowns import underwater
from evenkeel.quant.analytics.returns import excess, period_returns
from evenkeel.quant.analytics.series import ROUNDING, Floats, check_periods, spread
from evenkeel.quant.analytics.summary import Values, summary
from evenkeel.quant.analytics.track import Days, Track


def summaries(
    start: np.datetime64,
    dates: Days,
    equity: Floats,
    *,
    periods: float,
    names: Iterable[str],
    risk_free: float = 0.0,
) -> Iterator[Values]:
    """The `summary` of each row of `equity`: m records of n + 1 values, the capital at `start` first, which end on the
    n `dates`. Raises InvalidInput as `summary` does.
    """
    check_periods(periods)
    check_rates(risk_free=risk_free)
    wanted = list(names)
    with np.errstate(over="ignore", invalid="ignore"):
        together = _together(equity, periods=periods, risk_free=risk_free) if len(dates) > 1 else {}
        columns = {name: together[name]().tolist() for name in wanted if name in together}
    for row, values in enumerate(equity):
        found: Values = {name: column[row] for name, column in columns.items() if isfinite(column[row])}
        left = [name for name in wanted if name not in found]
        if left:
            track = Track(start, dates, values)
            found |= summary(track, periods=periods, names=left, risk_free=risk_free)
        yield {name: found[name] for name in wanted}


def _together(equity: Floats, *, periods: float, risk_free: float) -> dict[str, Callable[[], Floats]]:
    """What can be worked out for all rows at once: one value a row, NaN where it is not certain."""
    if not ((equity > 0.0) & (equity < np.inf)).all():
        return {}
    returns = period_returns(equity)
    return {
        "sharpe": lambda: _sharpe(returns, periods=periods, risk_free=risk_free),
        "max_drawdown": lambda: underwater(equity).min(axis=-1),
        "volatility": lambda: _deviation(returns) * sqrt(periods),
    }


def _sharpe(returns: Floats, *, periods: float, risk_free: float) -> Floats:
    over = excess(returns, periods=periods, risk_free=risk_free)
    means: Floats = over.sum(axis=-1) / over.shape[-1]
    return means / _deviation(over) * sqrt(periods)


def _deviation(values: Floats) -> Floats:
    """The sample deviation of each row; NaN where it may be rounding only, or is beyond all numbers."""
    found = spread(values, ddof=1)
    sure = (found > ROUNDING * (1.0 + np.abs(values).max(axis=-1))) & (found < np.inf)
    return np.where(sure, found, np.nan)
