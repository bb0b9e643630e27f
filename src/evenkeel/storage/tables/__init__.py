"""All tables, by area. Those made by the projector have `shard` first in their key; people's and research's do not.

`PROJECTED` may be emptied and made again from the journal at any time; nothing else may.
"""

from evenkeel.storage.tables import (
    accounts,
    composites,
    limits,
    mtm,
    order_templates,
    people,
    reference,
    research,
    strategies,
    system,
    trading,
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
    trading.order_events,
    trading.fills,
    trading.positions,
    trading.position_totals,
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
    "METADATA", "PROJECTED", "accounts", "composites", "limits", "mtm", "order_templates", "people", "reference",
    "research", "strategies", "system", "trading", "walkforward",
]  # fmt: skip
