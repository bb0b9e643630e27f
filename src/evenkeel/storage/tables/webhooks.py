"""Webhooks and the log of what was delivered to them; both are people's, and no projection."""

from sqlalchemy import Boolean, ForeignKey, Index, Table, UniqueConstraint

from evenkeel.storage.tables.metadata import METADATA
from evenkeel.storage.tables.types import Json, Ns, key, may, need

webhooks = Table(
    "webhooks",
    METADATA,
    key("id"),
    need("user_id", ForeignKey("users.id")),
    need("account_id"),
    need("name"),
    need("name_key"),
    need("token_hash"),
    need("enabled", Boolean),
    need("terms", Json),
    need("created_at", Ns),
    need("updated_at", Ns),
    need("rotated_at", Ns),
    UniqueConstraint("token_hash"),
    UniqueConstraint("user_id", "name_key"),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    METADATA,
    key("id"),
    need("webhook_id", ForeignKey("webhooks.id")),
    need("user_id", ForeignKey("users.id")),
    need("received_at", Ns),
    need("address"),
    need("body"),
    need("body_hash"),
    need("identity"),
    need("key"),
    need("client_order_id"),
    need("instrument_id"),
    may("sent_at", Ns),
    need("decision"),
    need("order_id"),
    need("reason"),
    need("answer"),
    Index(None, "webhook_id", "key", "received_at"),
    Index(None, "webhook_id", "received_at", "id"),
    Index(None, "webhook_id", "instrument_id", "sent_at"),
    Index(None, "received_at"),
)
