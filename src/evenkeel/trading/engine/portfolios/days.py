"""The end of a portfolio's day, which is that of its first account: what it is worth, and how it has done so far."""

from datetime import date
from math import isfinite
from typing import TYPE_CHECKING

from evenkeel.domain.portfolios import PortfolioDayClosed
from evenkeel.trading.engine.portfolios.standing import PortfolioState, daily_return
from evenkeel.trading.engine.portfolios.worth import contributed_to, holdings_of, worth_of

if TYPE_CHECKING:
    from evenkeel.trading.engine.state import AccountState, State
    from evenkeel.trading.engine.turn import Turn

_DAILY, _EVERY_DAY = "1d", 365.0


def close(turn: "Turn", account: "AccountState", day: date) -> None:
    """Records the day of each portfolio whose first account has just closed it."""
    for held in tuple(turn.state.portfolios.values()):
        if held.portfolio.account_ids[0] == account.account.id and not held.portfolio.archived:
            _close(turn, held, day=day)


def _close(turn: "Turn", held: PortfolioState, *, day: date) -> None:
    state, worth = turn.state, worth_of(turn.state, held)
    growth, periods = held.growth.at(worth.value), _a_year(state, held)
    turn.emit(
        PortfolioDayClosed(
            at=turn.at,
            id=turn.new_id("portfolio-day"),
            portfolio_id=held.portfolio.id,
            session_date=day,
            value=worth.value,
            cash=worth.cash,
            contributed=contributed_to(held),
            growth=growth,
            drawdown=held.growth.drawdown(worth.value),
            periods=periods,
            **_ratios([*held.returns, daily_return(held, growth)], periods=periods),
            trades=held.trades,
            wins=held.wins,
            holdings=holdings_of(state, held.books),
        )
    )


def _a_year(state: "State", held: PortfolioState) -> float:
    """Trading days a year of what it has held: those of the calendar with the fewest; every day, where nothing was."""
    from evenkeel.market.days import bars_a_year

    calendars = {
        state.instruments[position.key.instrument_id].calendar
        for account_id, book in held.books
        for position in state.accounts[account_id].positions.in_book(book)
    }
    return min((bars_a_year(_DAILY, name) for name in calendars), default=_EVERY_DAY)


def _ratios(returns: list[float], *, periods: float) -> dict[str, float | None]:
    """Volatility, Sharpe and Sortino of daily returns, with no rate free of risk and a target of zero."""
    import numpy as np

    from evenkeel.quant.analytics import ratios, risk

    values = np.array(returns, dtype=np.float64)
    found = {
        "volatility": risk.volatility(values, periods=periods),
        "sharpe": ratios.sharpe(values, periods=periods),
        "sortino": ratios.sortino(values, periods=periods),
    }
    return {name: float(value) if isfinite(value) else None for name, value in found.items()}
