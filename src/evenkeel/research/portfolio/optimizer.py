"""`PortfolioOptimizer`: the same optimisation under the name and with the words that many know it by."""

from collections.abc import Mapping
from typing import Any

from evenkeel.research.portfolio.optimize import Optimized, optimize


class PortfolioOptimizer:
    """Optimises over one table of returns (t, n): `PortfolioOptimizer(returns).optimize(strategy="Max Sharpe")`.

    `settings` are those of `evenkeel.optimize` that hold for every call, such as `risk_free` or `bounds`.
    """

    def __init__(self, returns: Any, **settings: Any) -> None:
        self.returns, self.settings = returns, settings

    def optimize(self, strategy: str = "Max Sharpe", **settings: Any) -> Optimized:
        """The best weights by `strategy`, any objective's name in any case. Raises InvalidInput."""
        merged: Mapping[str, Any] = {**self.settings, **settings}
        return optimize(returns=self.returns, objective=strategy, **merged)
