"""All tables, by area. Those made by the projector have `shard` first in their key; people's and research's do not.

`PROJECTED` may be emptied and made again from the journal at any time; nothing else may.
"""

from evenkeel.storage.tables import accounts, people, reference, research, strategies, system, trading
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
    trading.order_events,
    trading.fills,
    trading.positions,
    trading.position_totals,
    strategies.strategies,
    strategies.strategy_signals,
    system.alerts,
    system.runs,
    system.feed_cursor,
)

__all__ = [
    "METADATA", "PROJECTED", "accounts", "people", "reference", "research", "strategies", "system", "trading",
]  # fmt: skip
