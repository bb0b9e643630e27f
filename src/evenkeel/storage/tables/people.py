"""People: users and how they sign in. Secrets are kept as hashes only. Not a projection: backups must hold these."""

from sqlalchemy import Boolean, ForeignKey, Index, Table, UniqueConstraint

from evenkeel.storage.tables.metadata import METADATA
from evenkeel.storage.tables.types import Ns, key, may, need

users = Table(
    "users",
    METADATA,
    key("id"),
    need("username"),
    need("username_key"),
    may("email"),
    may("full_name"),
    need("role"),
    need("password_hash"),
    need("is_active", Boolean),
    need("created_at", Ns),
    may("last_login", Ns),
    UniqueConstraint("username_key"),
)

refresh_tokens = Table(
    "refresh_tokens",
    METADATA,
    key("token_hash"),
    need("family_id"),
    need("user_id", ForeignKey("users.id")),
    need("created_at", Ns),
    need("expires_at", Ns),
    need("family_expires_at", Ns),
    may("used_at", Ns),
    may("replaced_by"),
    may("revoked_at", Ns),
    may("user_agent"),
    may("address"),
    Index(None, "family_id"),
    Index(None, "user_id", "expires_at"),
)
