"""The history of rebalances: what each was to do, and what came of it."""

from sqlalchemy import Boolean, Index, Integer, Table

from evenkeel.storage.tables.metadata import METADATA
from evenkeel.storage.tables.types import Exact, Json, MaybeJson, Ns, key, may, need

rebalance_history = Table(
    "rebalance_history",
    METADATA,
    key("shard"),
    key("id"),
    need("portfolio_id"),
    need("name"),
    need("at", Ns),
    may("ended_at", Ns),
    need("actor"),
    need("attempts", Integer),
    need("value", Exact),
    need("old_weights", Json),
    need("new_weights", Json),
    may("reached_weights", MaybeJson),
    need("trades", Json),
    need("estimated_cost", Exact),
    may("cost", Exact),
    may("traded", Exact),
    may("success", Boolean),
    need("reasons", Json),
    Index(None, "shard", "portfolio_id", "at", "id"),
)

rebalance_schedules = Table(
    "rebalance_schedules",
    METADATA,
    key("shard"),
    key("portfolio_id"),
    need("is_active", Boolean),
    need("auto_rebalance", Boolean),
    may("rebalance_frequency"),
    may("schedule", MaybeJson),
    need("actor"),
    need("updated_at", Ns),
)

rebalance_runs = Table(
    "rebalance_runs",
    METADATA,
    key("shard"),
    key("id"),
    need("portfolio_id"),
    need("due", Ns),
    need("at", Ns),
    need("state"),
    need("reason"),
    need("actor"),
    may("expires_at", Ns),
    may("ended_at", Ns),
    need("trades", Json),
    Index(None, "shard", "portfolio_id", "due", "id"),
)
