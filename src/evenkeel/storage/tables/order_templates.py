"""Order templates of users. Not a projection: backups must hold these."""

from sqlalchemy import ForeignKey, Table

from evenkeel.storage.tables.metadata import METADATA
from evenkeel.storage.tables.types import Json, Ns, key, need

order_templates = Table(
    "order_templates",
    METADATA,
    key("user_id", ForeignKey("users.id")),
    key("name"),
    need("template", Json),
    need("created_at", Ns),
    need("updated_at", Ns),
)
