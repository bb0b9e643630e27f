"""Several portfolios together: totals by currency, and how their daily returns have gone together."""

from collections.abc import Iterable
from decimal import Decimal

import numpy as np
from msgspec import Struct

from evenkeel.domain.money import ZERO, add
from evenkeel.quant.analytics.series import Floats
from evenkeel.quant.risk import Closes, align, correlations
from evenkeel.trading.engine.portfolios.standing import PortfolioState
from evenkeel.trading.engine.portfolios.worth import worth_of
from evenkeel.trading.engine.state import State


class Totals(Struct):
    """Portfolios of one currency: what they are worth, how many they are, and how many positions they hold."""

    currency: str
    total_value: Decimal = ZERO
    cash: Decimal = ZERO
    num_portfolios: int = 0
    total_positions: int = 0


def totals(state: State, portfolios: Iterable[PortfolioState], *, account_id: str | None = None) -> list[Totals]:
    """Totals by currency, of all accounts or of what the portfolios have in one; archived ones are left out."""
    found: dict[str, Totals] = {}
    for held in portfolios:
        this = held.portfolio
        if this.archived or account_id not in (None, *this.account_ids):
            continue
        whole = found.setdefault(this.currency, Totals(this.currency))
        worth = worth_of(state, held, account_id=account_id)
        whole.total_value, whole.cash = add(whole.total_value, worth.value), add(whole.cash, worth.cash)
        whole.num_portfolios += 1
        whole.total_positions += worth.positions
    return sorted(found.values(), key=lambda one: one.currency)


class Matrix(Struct, frozen=True):
    """Correlations of daily returns over the `days` that all have in common; NaN where one does not move."""

    ids: tuple[str, ...]
    rows: Floats
    days: int


def correlation_matrix(portfolios: Iterable[PortfolioState], *, days: int) -> Matrix:
    """How portfolios have gone together over their last `days` common days. One with no days yet is left out."""
    grown = {held.portfolio.id: _growth(held) for held in portfolios if held.days}
    returns = align(grown, count=days)
    return Matrix(returns.names, correlations(returns.values), len(returns.dates))


def _growth(held: PortfolioState) -> Closes:
    """What 1 had become at the end of each day; the last word on a date counts."""
    dates = np.array([day.toordinal() for day in held.days], dtype=np.int64)
    growth = np.cumprod(1.0 + np.array(held.returns, dtype=np.float64))
    last = np.append(dates[1:] != dates[:-1], True)
    return Closes(dates[last], growth[last])
