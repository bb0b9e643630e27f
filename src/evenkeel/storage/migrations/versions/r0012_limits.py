"""Limits in layers, the tiers that drawdowns have reached, and the layer whose rule refused an order."""

import sqlalchemy as sa
from alembic import op

from evenkeel.storage.tables.types import Exact, Json

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("layer", sa.Text(), nullable=True))
    op.add_column("order_events", sa.Column("layer", sa.Text(), nullable=True))
    op.create_table(
        "limit_changes",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("scope_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("rules", Json, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "seq", name="pk_limit_changes"),
    )
    op.create_index("ix_limit_changes_shard_layer_scope_id", "limit_changes", ["shard", "layer", "scope_id"])
    op.create_table(
        "drawdown_moves",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("scope_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("drawdown", Exact(), nullable=False),
        sa.Column("threshold", Exact(), nullable=True),
        sa.Column("lifted", sa.Boolean(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("shard", "seq", name="pk_drawdown_moves"),
    )
    op.create_index("ix_drawdown_moves_shard_layer_scope_id", "drawdown_moves", ["shard", "layer", "scope_id"])


def downgrade() -> None:
    op.drop_table("drawdown_moves")
    op.drop_table("limit_changes")
    for name in ("order_events", "orders"):
        op.drop_column(name, "layer")
