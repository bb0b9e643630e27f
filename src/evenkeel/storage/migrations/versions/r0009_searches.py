"""Sweeps and walk-forwards beside single backtests."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("backtest_results", sa.Column("kind", sa.Text(), nullable=False, server_default="backtest"))


def downgrade() -> None:
    op.drop_column("backtest_results", "kind")
