"""Strategy templates, strategies and signals."""

import sqlalchemy as sa
from alembic import op

from evenkeel.storage.tables.types import Json

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _strategy_templates()
    _strategies()
    _strategy_signals()


def downgrade() -> None:
    op.drop_table("strategy_signals")
    op.drop_table("strategies")
    op.drop_table("strategy_templates")


def _strategy_templates() -> None:
    op.create_table(
        "strategy_templates",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("parameters", Json, nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "version", name="pk_strategy_templates"),
    )


def _strategies() -> None:
    op.create_table(
        "strategies",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("parameters", Json, nullable=False),
        sa.Column("parameter_hash", sa.Text(), nullable=False),
        sa.Column("instrument_ids", Json, nullable=False),
        sa.Column("allocations", Json, nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("paused", sa.Text(), nullable=True),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.Column("fills", sa.Integer(), nullable=False),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "id", name="pk_strategies"),
    )


def _strategy_signals() -> None:
    op.create_table(
        "strategy_signals",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("deployment_id", sa.Text(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("target", sa.Float(), nullable=True),
        sa.Column("folded", sa.Float(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("details", Json, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "id", name="pk_strategy_signals"),
    )
    op.create_index("ix_strategy_signals_shard_at_id", "strategy_signals", ["shard", "at", "id"])
    op.create_index(
        "ix_strategy_signals_shard_deployment_id_at_id", "strategy_signals", ["shard", "deployment_id", "at", "id"]
    )
