"""The vault: what opens each person's data key, and the credentials sealed for their accounts. No row holds a secret.

Not a projection: backups must hold these.
"""

from sqlalchemy import ForeignKey, Index, Integer, Table

from evenkeel.storage.tables.metadata import METADATA
from evenkeel.storage.tables.types import Ns, key, may, need

vaults = Table(
    "vaults",
    METADATA,
    key("user_id", ForeignKey("users.id")),
    need("secret"),
    need("created_at", Ns),
    need("rotated_at", Ns),
)

vault_wraps = Table(
    "vault_wraps",
    METADATA,
    key("id"),
    need("user_id", ForeignKey("users.id")),
    need("kind"),
    need("account_id"),
    may("salt"),
    may("cost"),
    may("server_key"),
    need("envelope"),
    need("created_at", Ns),
    Index(None, "user_id", "kind"),
    Index(None, "account_id"),
)

account_credentials = Table(
    "account_credentials",
    METADATA,
    key("account_id"),
    key("name"),
    need("user_id", ForeignKey("users.id")),
    need("version", Integer),
    need("envelope"),
    need("created_at", Ns),
    Index(None, "user_id"),
)
