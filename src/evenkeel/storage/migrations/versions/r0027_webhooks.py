"""Webhooks, and the log of what was delivered to them."""

import sqlalchemy as sa
from alembic import op

from evenkeel.storage.tables.types import Json

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_LOG = "webhook_deliveries"


def upgrade() -> None:
    op.create_table(
        "webhooks",
        *_texts("id", "user_id", "account_id", "name", "name_key", "token_hash"),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("terms", Json, nullable=False),
        *_moments("created_at", "updated_at", "rotated_at"),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
        sa.UniqueConstraint("token_hash", name="uq_webhooks_token_hash"),
        sa.UniqueConstraint("user_id", "name_key", name="uq_webhooks_user_id_name_key"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_webhooks_user_id_users"),
    )
    op.create_table(
        _LOG,
        *_texts("id", "webhook_id", "user_id"),
        *_moments("received_at"),
        *_texts("address", "body", "body_hash", "identity", "key", "client_order_id", "instrument_id"),
        *_moments("sent_at", nullable=True),
        *_texts("decision", "order_id", "reason", "answer"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{_LOG}"),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhooks.id"], name=f"fk_{_LOG}_webhook_id_webhooks"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=f"fk_{_LOG}_user_id_users"),
    )
    for columns in (
        ("webhook_id", "key", "received_at"),
        ("webhook_id", "received_at", "id"),
        ("webhook_id", "instrument_id", "sent_at"),
        ("received_at",),
    ):
        op.create_index("_".join(("ix", _LOG, *columns)), _LOG, list(columns))


def downgrade() -> None:
    op.drop_table(_LOG)
    op.drop_table("webhooks")


def _texts(*names: str) -> list["sa.Column[object]"]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _moments(*names: str, nullable: bool = False) -> list["sa.Column[object]"]:
    return [sa.Column(name, sa.BigInteger(), nullable=nullable) for name in names]
