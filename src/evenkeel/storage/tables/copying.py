"""Copy links as they are, and what each has made of every event of its master."""

from sqlalchemy import Boolean, Index, Table

from evenkeel.storage.tables.metadata import METADATA
from evenkeel.storage.tables.types import Exact, Json, Ns, key, may, need

copy_links = Table(
    "copy_links",
    METADATA,
    key("shard"),
    key("id"),
    need("master_id"),
    need("follower_id"),
    need("mode"),
    need("proposed_by"),
    need("accepted", Boolean),
    need("paused", Boolean),
    need("removed", Boolean),
    need("link", Json),
    need("created_at", Ns),
    need("updated_at", Ns),
    need("updated_seq", Ns),
    Index(None, "shard", "master_id"),
    Index(None, "shard", "follower_id"),
)

copies = Table(
    "copies",
    METADATA,
    key("shard"),
    key("seq", Ns),
    need("link_id"),
    need("at", Ns),
    need("kind"),
    need("source", Ns),
    need("instrument_id"),
    need("held", Exact),
    need("wanted", Exact),
    need("carry", Exact),
    need("quantity", Exact),
    may("master_order_id"),
    need("order_ids", Json),
    may("skipped"),
    Index(None, "shard", "link_id", "at", "seq"),
)
