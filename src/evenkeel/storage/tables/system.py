"""What the system says of itself: alerts, runs, the feed's cursor, and how far each projection has come."""

from sqlalchemy import Index, LargeBinary, Table

from evenkeel.storage.tables.metadata import METADATA
from evenkeel.storage.tables.types import Ns, key, may, need

alerts = Table(
    "alerts",
    METADATA,
    key("shard"),
    key("id"),
    need("at", Ns),
    need("level"),
    need("kind"),
    need("message"),
    may("account_id"),
    may("order_id"),
    may("deployment_id"),
    need("seq", Ns),
    Index(None, "shard", "at", "id"),
    Index(None, "shard", "account_id", "at", "id"),
)

runs = Table(
    "runs",
    METADATA,
    key("shard"),
    key("seq", Ns),
    need("run"),
    need("version"),
    need("at", Ns),
    need("wall", Ns),
)

feed_cursor = Table(
    "feed_cursor",
    METADATA,
    key("shard"),
    need("cursor", Ns),
    need("updated_at", Ns),
)

projection_cursors = Table(
    "projection_cursors",
    METADATA,
    key("shard"),
    key("name"),
    need("seq", Ns),
    need("batch_hash", LargeBinary),
    need("version", Ns),
)
