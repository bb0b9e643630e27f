"""Mark-to-market control: every change of a level's rules, and every breach of one."""

from sqlalchemy import Index, Integer, Table

from evenkeel.storage.tables.metadata import METADATA
from evenkeel.storage.tables.types import Exact, Json, Ns, key, may, need

mtm_rules = Table(
    "mtm_rules",
    METADATA,
    key("shard"),
    key("seq", Ns),
    need("scope"),
    may("account_id"),
    may("deployment_id"),
    may("instrument_id"),
    need("version", Integer),
    need("at", Ns),
    need("rules", Json),
    need("currency"),
    need("equity", Exact),
    need("actor"),
    need("source"),
    Index(None, "shard", "scope"),
)

mtm_breaches = Table(
    "mtm_breaches",
    METADATA,
    key("shard"),
    key("id"),
    need("scope"),
    may("account_id"),
    may("deployment_id"),
    may("instrument_id"),
    need("at", Ns),
    need("rule"),
    need("threshold", Exact),
    need("value", Exact),
    need("peak", Exact),
    need("equity", Exact),
    need("currency"),
    need("action"),
    need("version", Integer),
    need("seq", Ns),
    Index(None, "shard", "scope"),
)
