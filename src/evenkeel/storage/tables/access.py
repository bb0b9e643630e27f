"""Access: API keys, accounts lent to others, and the audit log, whose rows the database itself refuses to change."""

from sqlalchemy import Boolean, ForeignKey, Index, Table, UniqueConstraint

from evenkeel.storage.tables.metadata import METADATA
from evenkeel.storage.tables.types import Json, Ns, key, may, need

api_keys = Table(
    "api_keys",
    METADATA,
    key("id"),
    need("user_id", ForeignKey("users.id")),
    need("name"),
    need("prefix"),
    need("secret_hash"),
    need("scope"),
    need("accounts", Json),
    need("networks", Json),
    need("signed", Boolean),
    need("created_at", Ns),
    need("expires_at", Ns),
    may("revoked_at", Ns),
    may("last_used_at", Ns),
    may("last_address"),
    need("server_key", server_default=""),
    UniqueConstraint("prefix"),
    Index(None, "user_id", "created_at"),
)

account_shares = Table(
    "account_shares",
    METADATA,
    key("id"),
    need("account_id"),
    need("owner_id", ForeignKey("users.id")),
    need("user_id", ForeignKey("users.id")),
    need("permission"),
    need("created_at", Ns),
    may("ended_at", Ns),
    Index(None, "account_id", "user_id"),
)

audit_log = Table(
    "audit_log",
    METADATA,
    key("seq", Ns),
    need("at", Ns),
    need("actor"),
    need("action"),
    need("door"),
    need("key_id"),
    need("address"),
    need("agent"),
    need("request_id"),
    need("subject"),
    need("outcome"),
    need("before"),
    need("after"),
    need("previous"),
    need("hash"),
    Index(None, "actor", "seq"),
    Index(None, "action", "seq"),
)
