"""Held orders: what they wait for, how their stops follow, when they end, and what the engine sees to for them."""

import sqlalchemy as sa
from alembic import op

from evenkeel.storage.tables.types import Exact, MaybeJson

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("trigger_price", Exact(), nullable=True))
    op.add_column("orders", sa.Column("trail", MaybeJson, nullable=True))
    op.add_column("orders", sa.Column("expires_at", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("orders", sa.Column("not_before", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("orders", sa.Column("kept", MaybeJson, nullable=True))


def downgrade() -> None:
    for name in ("kept", "not_before", "expires_at", "trail", "trigger_price"):
        op.drop_column("orders", name)
