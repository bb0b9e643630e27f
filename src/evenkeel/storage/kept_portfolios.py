"""What the tables of portfolios must hold, by the state: the other side of the doctor's comparison."""

from typing import Any

from evenkeel.domain.limits import NO_RULES, Layer, LimitScope
from evenkeel.trading.engine.state import State

BOOK = ("account_id", "book", "currency")
MEMBERSHIP = ("account_id", "book")
Rows = dict[Any, dict[str, Any]]


def of_portfolios(state: State) -> Rows:
    """Every portfolio as it is."""
    return {(name,): _portfolio(state, name) for name in state.portfolios}


def _portfolio(state: State, name: str) -> dict[str, Any]:
    this = state.portfolios[name].portfolio
    layer = state.layers.get(LimitScope(Layer.PORTFOLIO, name).key)
    rules = NO_RULES if layer is None else layer.rules
    return {
        "user_id": this.user_id,
        "portfolio_name": this.name,
        "currency": this.currency,
        "account_ids": list(this.account_ids),
        "strategy": this.strategy,
        "risk_tolerance": this.risk_tolerance,
        "max_position_size": rules.max_position_share,
        "is_active": not this.archived,
    }


def of_owners(state: State) -> Rows:
    """The books that belong to portfolios now."""
    return {
        key: {"portfolio_id": held.portfolio.id, "since": since}
        for held in state.portfolios.values()
        for key, since in held.books.items()
    }
