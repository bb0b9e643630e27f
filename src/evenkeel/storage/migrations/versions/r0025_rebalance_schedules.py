"""When portfolios are rebalanced by themselves, and what became of each time."""

import sqlalchemy as sa
from alembic import op

from evenkeel.storage.tables.types import Json, MaybeJson

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_INDEX = "ix_rebalance_runs_shard_portfolio_id_due_id"


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "rebalance_schedules",
        *_texts("shard", "portfolio_id"),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("auto_rebalance", sa.Boolean(), nullable=False),
        sa.Column("rebalance_frequency", sa.Text(), nullable=True),
        sa.Column("schedule", MaybeJson, nullable=True),
        *_texts("actor"),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "portfolio_id", name="pk_rebalance_schedules"),
    )
    op.create_table(
        "rebalance_runs",
        *_texts("shard", "id", "portfolio_id"),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("due", "at")),
        *_texts("state", "reason", "actor"),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("trades", Json, nullable=False),
        sa.PrimaryKeyConstraint("shard", "id", name="pk_rebalance_runs"),
    )
    op.create_index(_INDEX, "rebalance_runs", ["shard", "portfolio_id", "due", "id"])


def downgrade() -> None:
    op.drop_index(_INDEX, "rebalance_runs")
    op.drop_table("rebalance_runs")
    op.drop_table("rebalance_schedules")
