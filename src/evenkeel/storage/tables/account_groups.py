"""What people say of their accounts, and how they group them. Not a projection: backups must hold these."""

from sqlalchemy import Date, ForeignKey, Index, Integer, Table, UniqueConstraint

from evenkeel.storage.tables.metadata import METADATA
from evenkeel.storage.tables.types import Exact, Json, Ns, key, need

account_details = Table(
    "account_details",
    METADATA,
    key("account_id"),
    need("user_id"),
    need("account_number"),
    need("labels", Json),
    need("notes"),
    need("egress"),
    need("updated_at", Ns),
    Index(None, "user_id"),
)

account_taxes = Table(
    "account_taxes",
    METADATA,
    key("account_id"),
    key("since", Date),
    need("user_id"),
    need("status"),
    need("short_rate", Exact),
    need("long_rate", Exact),
    need("long_after", Integer),
    need("method"),
    need("updated_at", Ns),
    Index(None, "user_id"),
)

account_groups = Table(
    "account_groups",
    METADATA,
    key("id"),
    need("user_id"),
    need("name"),
    need("name_key"),
    need("created_at", Ns),
    UniqueConstraint("user_id", "name_key"),
)

account_group_members = Table(
    "account_group_members",
    METADATA,
    key("group_id", ForeignKey("account_groups.id")),
    key("account_id"),
    Index(None, "account_id"),
)

base_currencies = Table(
    "base_currencies",
    METADATA,
    key("user_id"),
    need("currency"),
    need("updated_at", Ns),
)
