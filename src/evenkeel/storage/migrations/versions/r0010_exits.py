"""Exits and what holding costs: the link of orders and since when they count, rules of deployments, rates."""

import sqlalchemy as sa
from alembic import op

from evenkeel.storage.tables.types import Json

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("link", sa.Text(), nullable=False, server_default=""))
    op.add_column("orders", sa.Column("since", sa.BigInteger(), nullable=False, server_default="0"))
    for name in ("entry", "protection"):
        op.add_column("strategies", sa.Column(name, Json, nullable=True))
    op.add_column("accounts", sa.Column("financing", Json, nullable=True))


def downgrade() -> None:
    op.drop_column("accounts", "financing")
    for name in ("protection", "entry"):
        op.drop_column("strategies", name)
    for name in ("since", "link"):
        op.drop_column("orders", name)
