"""Strategy templates (code that was found), users' configurations of them, deployments and the signals these gave."""

from sqlalchemy import Boolean, Float, ForeignKey, Index, Integer, Table, false

from evenkeel.storage.tables.metadata import METADATA
from evenkeel.storage.tables.types import Json, MaybeJson, Ns, key, may, need

strategy_templates = Table(
    "strategy_templates",
    METADATA,
    key("name"),
    key("version"),
    need("title"),
    need("description"),
    need("parameters", Json),
    need("seen_at", Ns),
)

strategy_configurations = Table(
    "strategy_configurations",
    METADATA,
    key("user_id", ForeignKey("users.id")),
    key("name"),
    key("version", Integer),
    need("template"),
    need("template_version"),
    need("configuration", Json),
    need("created_at", Ns),
    may("archived_at", Ns),
)

strategies = Table(
    "strategies",
    METADATA,
    key("shard"),
    key("id"),
    need("name"),
    need("template"),
    need("version"),
    need("parameters", Json),
    need("parameter_hash"),
    need("instrument_ids", Json),
    need("allocations", Json),
    need("timeframe"),
    need("enabled", Boolean),
    may("paused"),
    may("configuration"),
    may("sizing", MaybeJson),
    may("rules", MaybeJson),
    may("switch", MaybeJson),
    may("entry", MaybeJson),
    may("protection", MaybeJson),
    need("removed", Boolean, server_default=false()),
    need("orders", Integer),
    need("fills", Integer),
    need("refusals", Integer),
    need("actor"),
    need("created_at", Ns),
    need("updated_at", Ns),
)

strategy_signals = Table(
    "strategy_signals",
    METADATA,
    key("shard"),
    key("id"),
    need("deployment_id"),
    need("instrument_id"),
    need("at", Ns),
    may("target", Float),
    need("folded", Float),
    need("action"),
    need("confidence", Float),
    need("details", Json),
    need("seq", Ns),
    Index(None, "shard", "deployment_id", "at", "id"),
    Index(None, "shard", "at", "id"),
)
