"""Walk-forward sessions, and the terms on which an account's orders fill."""

import sqlalchemy as sa
from alembic import op

from evenkeel.storage.tables.types import Exact, Json

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("terms", Json, nullable=True))
    op.create_table(
        "walkforward_sessions",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("closing", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("capital", Exact(), nullable=False),
        sa.Column("costs", sa.Boolean(), nullable=False),
        sa.Column("brokerage_rate", Exact(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("stopped_at", sa.BigInteger(), nullable=True),
        sa.Column("completed_at", sa.BigInteger(), nullable=True),
        sa.Column("final_equity", Exact(), nullable=True),
        sa.Column("final_cash", Exact(), nullable=True),
        sa.Column("growth", sa.Float(), nullable=True),
        sa.Column("orders", sa.Integer(), nullable=True),
        sa.Column("fills", sa.Integer(), nullable=True),
        sa.Column("charges", Exact(), nullable=True),
        sa.PrimaryKeyConstraint("shard", "id", name="pk_walkforward_sessions"),
    )


def downgrade() -> None:
    op.drop_table("walkforward_sessions")
    op.drop_column("accounts", "terms")
