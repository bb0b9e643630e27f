"""Alerts, runs, the feed's cursor and the projections' cursors."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _alerts()
    _runs()
    _feed_cursor()
    _projection_cursors()


def downgrade() -> None:
    op.drop_table("projection_cursors")
    op.drop_table("feed_cursor")
    op.drop_table("runs")
    op.drop_table("alerts")


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("deployment_id", sa.Text(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "id", name="pk_alerts"),
    )
    op.create_index("ix_alerts_shard_account_id_at_id", "alerts", ["shard", "account_id", "at", "id"])
    op.create_index("ix_alerts_shard_at_id", "alerts", ["shard", "at", "id"])


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("wall", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "seq", name="pk_runs"),
    )


def _feed_cursor() -> None:
    op.create_table(
        "feed_cursor",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", name="pk_feed_cursor"),
    )


def _projection_cursors() -> None:
    op.create_table(
        "projection_cursors",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("batch_hash", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "name", name="pk_projection_cursors"),
    )
