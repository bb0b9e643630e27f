"""Totals kept as rows, so that no view over many accounts adds up their positions, and exchange rates by day."""

from sqlalchemy import Date, Integer, Table

from evenkeel.storage.tables.metadata import METADATA
from evenkeel.storage.tables.types import Exact, Ns, key, need

kept_totals = Table(
    "kept_totals",
    METADATA,
    key("shard"),
    key("scope"),
    key("id"),
    key("currency"),
    need("accounts", Integer),
    need("active_accounts", Integer),
    need("positions", Integer),
    need("cash", Exact),
    need("contributed", Exact),
    need("total_cost", Exact),
    need("realised", Exact),
    need("charges", Exact),
    need("updated_at", Ns),
)

instrument_totals = Table(
    "instrument_totals",
    METADATA,
    key("shard"),
    key("instrument_id"),
    need("currency"),
    need("positions", Integer),
    need("long_quantity", Exact),
    need("short_quantity", Exact),
    need("total_cost", Exact),
    need("realised", Exact),
    need("charges", Exact),
    need("updated_at", Ns),
)

fx_rates = Table(
    "fx_rates",
    METADATA,
    key("shard"),
    key("base"),
    key("quote"),
    key("date", Date),
    need("rate", Exact),
    need("source"),
    need("actor"),
    need("at", Ns),
)
