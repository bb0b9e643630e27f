"""All tables, by area. Those made by the projector have `shard` first in their key; people's and research's do not.

`PROJECTED` may be emptied and made again from the journal at any time; nothing else may.
"""

from evenkeel.storage.tables import (
    access,
    account_groups,
    accounts,
    composites,
    copying,
    limits,
    mtm,
    order_templates,
    people,
    portfolios,
    rebalancing,
    reference,
    research,
    strategies,
    system,
    totals,
    trading,
    vault,
    walkforward,
)
from evenkeel.storage.tables.metadata import METADATA

PROJECTED = (
    reference.instruments,
    reference.symbol_aliases,
    reference.splits,
    accounts.accounts,
    accounts.account_limits,
    accounts.balances,
    accounts.ledger_entries,
    accounts.performance_history,
    accounts.daily_marks,
    trading.orders,
    composites.composites,
    copying.copy_links,
    copying.copies,
    trading.order_events,
    trading.fills,
    trading.positions,
    trading.position_totals,
    totals.kept_totals,
    totals.instrument_totals,
    totals.fx_rates,
    portfolios.portfolios,
    portfolios.portfolio_books,
    portfolios.portfolio_performance,
    portfolios.book_balances,
    portfolios.position_splits,
    rebalancing.rebalance_history,
    strategies.strategies,
    strategies.strategy_signals,
    walkforward.walkforward_sessions,
    limits.limit_changes,
    limits.drawdown_moves,
    mtm.mtm_rules,
    mtm.mtm_breaches,
    system.alerts,
    system.runs,
    system.feed_cursor,
)

__all__ = [
    "METADATA", "PROJECTED", "access", "account_groups", "accounts", "composites", "copying", "limits",
    "mtm",
    "order_templates", "people", "portfolios", "rebalancing", "reference", "research", "strategies", "system", "totals",
    "trading", "vault", "walkforward",
]  # fmt: skip
