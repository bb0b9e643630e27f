"""Evenkeel: one desk for every account.

The names of a research session, each imported when it is first used:

    import evenkeel as ek
    result = ek.backtest("sma-crossover", ek.read_bars("prices.csv"), params={"fast": 10, "slow": 50})
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evenkeel.domain.accounts import Limits as Limits
    from evenkeel.domain.marketdata import Dividend as Dividend
    from evenkeel.domain.marketdata import Split as Split
    from evenkeel.domain.sizing import Cash as Cash
    from evenkeel.domain.sizing import Kelly as Kelly
    from evenkeel.domain.sizing import PercentOfEquity as PercentOfEquity
    from evenkeel.domain.sizing import Units as Units
    from evenkeel.domain.sizing import VolatilityTarget as VolatilityTarget
    from evenkeel.market.bars import Bars as Bars
    from evenkeel.market.higher import higher as higher
    from evenkeel.market.panel import Panel as Panel
    from evenkeel.market.reading import read_all_bars as read_all_bars
    from evenkeel.market.reading import read_bars as read_bars
    from evenkeel.market.reading import sample_bars as sample_bars
    from evenkeel.quant.costs import FixedFee as FixedFee
    from evenkeel.quant.costs import NoFee as NoFee
    from evenkeel.quant.costs import PercentFee as PercentFee
    from evenkeel.quant.costs import PerContractFee as PerContractFee
    from evenkeel.quant.costs import PerShareFee as PerShareFee
    from evenkeel.quant.costs import Slippage as Slippage
    from evenkeel.quant.costs import TieredFee as TieredFee
    from evenkeel.research.backtest.mtm import mtm_rules as mtm_rules
    from evenkeel.research.backtest.result import BacktestResult as BacktestResult
    from evenkeel.research.backtest.run import backtest as backtest
    from evenkeel.research.portfolio.optimize import optimize as optimize
    from evenkeel.research.portfolio.optimizer import PortfolioOptimizer as PortfolioOptimizer
    from evenkeel.research.portfolio.prices import sample_prices as sample_prices
    from evenkeel.research.portfolio.rebalancing import rebalance_history as rebalance_history
    from evenkeel.research.search.searching import search as search
    from evenkeel.research.search.space import Range as Range
    from evenkeel.research.search.sweep import sweep as sweep
    from evenkeel.research.validation import cross_validate as cross_validate
    from evenkeel.research.validation import overfitting as overfitting
    from evenkeel.research.walkforward import walk_forward as walk_forward
    from evenkeel.trading.strategies.base import PanelStrategy as PanelStrategy
    from evenkeel.trading.strategies.base import SignalStrategy as SignalStrategy
    from evenkeel.trading.strategies.base import Strategy as Strategy

__version__ = "0.1.0"

_HOMES = {
    "evenkeel.bootstrap.manager": ("AccountManager",),
    "evenkeel.domain.accounts": ("Limits",),
    "evenkeel.domain.marketdata": ("Dividend", "Split"),
    "evenkeel.domain.sizing": ("Cash", "Kelly", "PercentOfEquity", "Units", "VolatilityTarget"),
    "evenkeel.market.bars": ("Bars",),
    "evenkeel.market.higher": ("higher",),
    "evenkeel.market.panel": ("Panel",),
    "evenkeel.market.reading": ("read_all_bars", "read_bars", "sample_bars"),
    "evenkeel.quant.costs": (
        "FixedFee", "NoFee", "PerContractFee", "PerShareFee", "PercentFee", "Slippage", "TieredFee",
    ),
    "evenkeel.research.backtest.mtm": ("mtm_rules",),
    "evenkeel.research.backtest.result": ("BacktestResult",),
    "evenkeel.research.backtest.run": ("backtest",),
    "evenkeel.research.portfolio.optimize": ("optimize",),
    "evenkeel.research.portfolio.optimizer": ("PortfolioOptimizer",),
    "evenkeel.research.portfolio.prices": ("sample_prices",),
    "evenkeel.research.portfolio.rebalancing": ("rebalance_history",),
    "evenkeel.research.search.searching": ("search",),
    "evenkeel.research.search.space": ("Range",),
    "evenkeel.research.search.sweep": ("sweep",),
    "evenkeel.research.validation": ("cross_validate", "overfitting"),
    "evenkeel.research.walkforward": ("walk_forward",),
    "evenkeel.trading.strategies.base": ("PanelStrategy", "SignalStrategy", "Strategy"),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_ROOMS = {"indicators": "evenkeel.quant.indicators", "analytics": "evenkeel.quant.analytics"}

_NAMES = ("__version__", *_HOME_OF, *_ROOMS)


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(_ROOMS[name])
    if name not in _HOME_OF:
        raise AttributeError(f"module 'evenkeel' has no attribute {name!r}")
    found = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(_NAMES)
