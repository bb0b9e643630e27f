"""Composite orders: what each was asked for, how far it has come, how it ended. Their orders name them as `parent`."""

from sqlalchemy import Boolean, Index, Table

from evenkeel.storage.tables.metadata import METADATA
from evenkeel.storage.tables.types import Exact, Json, Ns, key, may, need

composites = Table(
    "composites",
    METADATA,
    key("shard"),
    key("id"),
    need("client_order_id"),
    need("account_id"),
    need("book"),
    need("kind"),
    need("instrument_id"),
    need("side"),
    need("quantity", Exact),
    need("closes", Boolean),
    need("state"),
    may("reason"),
    may("rule"),
    may("limit"),
    may("value"),
    need("asked", Json),
    need("terms", Json),
    need("filled", Json),
    need("checks", Json),
    need("actor"),
    need("source"),
    need("created_at", Ns),
    need("updated_at", Ns),
    may("ended_at", Ns),
    need("updated_seq", Ns),
    Index(None, "shard", "account_id", "created_at", "id"),
)
