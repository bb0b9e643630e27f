"""Analytics: what a record of equity and its trades amount to.

`METRICS` lists the measures, `summary` computes them; behind each stands one function in the file of its subject:
`returns`, `risk`, `tails`, `drawdowns`, `ratios`, `benchmark`, `trades`, `exposure`. `significance`, `overfitting` and
`bootstrap` ask how much of it is luck. Periods a year are always given, never assumed, and what is undefined is NaN in
numbers and None in a `summary`.
"""

from evenkeel.quant.analytics.bootstrap import Bands, block_bootstrap, shuffled_trades, stationary_bootstrap
from evenkeel.quant.analytics.case import Case
from evenkeel.quant.analytics.drawdowns import Drawdown, drawdown_table, max_drawdown, underwater
from evenkeel.quant.analytics.exposure import Holdings
from evenkeel.quant.analytics.metrics import METRICS, Metric
from evenkeel.quant.analytics.months import YearTable, monthly_returns, year_table, yearly_returns
from evenkeel.quant.analytics.overfitting import Overfitting, probability_of_overfitting
from evenkeel.quant.analytics.rolling import (
    rolling_beta,
    rolling_drawdown,
    rolling_sharpe,
    rolling_sortino,
    rolling_var,
    rolling_volatility,
)
from evenkeel.quant.analytics.round_trips import Fills, OpenPosition, RoundTrips, round_trips
from evenkeel.quant.analytics.significance import (
    Evidence,
    Trials,
    deflated_sharpe,
    evidence,
    expected_max_sharpe,
    minimum_backtest_years,
    minimum_track_record,
    probabilistic_sharpe,
    trials_of,
)
from evenkeel.quant.analytics.summary import sides, summary, trade_summary, trade_summary_by
from evenkeel.quant.analytics.track import Track, periods_per_year
from evenkeel.quant.analytics.trades import Attribution, attributed, attribution

__all__ = [
    "METRICS",
    "Attribution",
    "Bands",
    "Case",
    "Drawdown",
    "Evidence",
    "Fills",
    "Holdings",
    "Metric",
    "OpenPosition",
    "Overfitting",
    "RoundTrips",
    "Track",
    "Trials",
    "YearTable",
    "attributed",
    "attribution",
    "block_bootstrap",
    "deflated_sharpe",
    "drawdown_table",
    "evidence",
    "expected_max_sharpe",
    "max_drawdown",
    "minimum_backtest_years",
    "minimum_track_record",
    "monthly_returns",
    "periods_per_year",
    "probabilistic_sharpe",
    "probability_of_overfitting",
    "rolling_beta",
    "rolling_drawdown",
    "rolling_sharpe",
    "rolling_sortino",
    "rolling_var",
    "rolling_volatility",
    "round_trips",
    "shuffled_trades",
    "sides",
    "stationary_bootstrap",
    "summary",
    "trade_summary",
    "trade_summary_by",
    "trials_of",
    "underwater",
    "year_table",
    "yearly_returns",
]
