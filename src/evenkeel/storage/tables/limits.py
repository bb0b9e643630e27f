"""Limits beside those of accounts: every change of a layer's rules, and every move of a drawdown between tiers."""

from sqlalchemy import Boolean, Index, Integer, Table

from evenkeel.storage.tables.metadata import METADATA
from evenkeel.storage.tables.types import Exact, Json, Ns, key, may, need

limit_changes = Table(
    "limit_changes",
    METADATA,
    key("shard"),
    key("seq", Ns),
    need("layer"),
    need("scope_id"),
    need("user_id"),
    need("version", Integer),
    need("at", Ns),
    need("rules", Json),
    need("actor"),
    need("source"),
    Index(None, "shard", "layer", "scope_id"),
)

drawdown_moves = Table(
    "drawdown_moves",
    METADATA,
    key("shard"),
    key("seq", Ns),
    need("layer"),
    need("scope_id"),
    need("user_id"),
    need("at", Ns),
    need("tier"),
    need("drawdown", Exact),
    may("threshold", Exact),
    need("lifted", Boolean),
    may("actor"),
    Index(None, "shard", "layer", "scope_id"),
)
