"""People: users and how they sign in. Secrets are hashed or sealed. Not projections: backups must hold these."""

from sqlalchemy import Boolean, ForeignKey, Index, Table, UniqueConstraint

from evenkeel.storage.tables.metadata import METADATA
from evenkeel.storage.tables.types import MaybeJson, Ns, key, may, need

users = Table(
    "users",
    METADATA,
    key("id"),
    need("username"),
    need("username_key"),
    may("email"),
    may("email_key"),
    may("full_name"),
    need("role"),
    need("password_hash"),
    need("is_active", Boolean),
    may("networks", MaybeJson),
    need("created_at", Ns),
    may("last_login", Ns),
    UniqueConstraint("username_key"),
    Index("uq_users_email_key", "email_key", unique=True),
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

person_links = Table(
    "person_links",
    METADATA,
    key("id"),
    need("kind"),
    need("token_hash"),
    may("role"),
    may("email"),
    may("user_id", ForeignKey("users.id")),
    need("created_by"),
    need("created_at", Ns),
    need("expires_at", Ns),
    may("used_at", Ns),
    may("revoked_at", Ns),
    UniqueConstraint("token_hash"),
)

second_factors = Table(
    "second_factors",
    METADATA,
    key("user_id", ForeignKey("users.id")),
    need("sealed"),
    need("created_at", Ns),
    may("confirmed_at", Ns),
    need("last_step", Ns),
)

recovery_codes = Table(
    "recovery_codes",
    METADATA,
    key("user_id", ForeignKey("users.id")),
    key("code_hash"),
)

identities = Table(
    "identities",
    METADATA,
    key("issuer"),
    key("subject"),
    need("user_id", ForeignKey("users.id")),
    need("email"),
    need("linked_at", Ns),
    UniqueConstraint("user_id", "issuer"),
)
