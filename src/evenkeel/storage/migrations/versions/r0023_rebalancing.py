"""The history of rebalances."""

import sqlalchemy as sa
from alembic import op

from evenkeel.storage.tables.types import Exact, Json, MaybeJson

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_INDEX = "ix_rebalance_history_shard_portfolio_id_at_id"


def upgrade() -> None:
    op.create_table(
        "rebalance_history",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("shard", "id", "portfolio_id", "name")),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("value", Exact(), nullable=False),
        *(sa.Column(name, Json, nullable=False) for name in ("old_weights", "new_weights")),
        sa.Column("reached_weights", MaybeJson, nullable=True),
        sa.Column("trades", Json, nullable=False),
        sa.Column("estimated_cost", Exact(), nullable=False),
        *(sa.Column(name, Exact(), nullable=True) for name in ("cost", "traded")),
        sa.Column("success", sa.Boolean(), nullable=True),
        sa.Column("reasons", Json, nullable=False),
        sa.PrimaryKeyConstraint("shard", "id", name="pk_rebalance_history"),
    )
    op.create_index(_INDEX, "rebalance_history", ["shard", "portfolio_id", "at", "id"])


def downgrade() -> None:
    op.drop_index(_INDEX, "rebalance_history")
    op.drop_table("rebalance_history")
