"""Results of backtests."""

import sqlalchemy as sa
from alembic import op

from evenkeel.storage.tables.types import Exact, Json

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "backtest_results",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("parameters", Json, nullable=False),
        sa.Column("request", Json, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("summary", Json, nullable=True),
        sa.Column("final_equity", Exact(), nullable=True),
        sa.Column("total_return", sa.Float(), nullable=True),
        sa.Column("sharpe", sa.Float(), nullable=True),
        sa.Column("max_drawdown", sa.Float(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_backtest_results_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_backtest_results"),
    )
    op.create_index("ix_backtest_results_user_id_created_at_id", "backtest_results", ["user_id", "created_at", "id"])


def downgrade() -> None:
    op.drop_table("backtest_results")
