"""Instruments, their symbols and splits."""

import sqlalchemy as sa
from alembic import op

from evenkeel.storage.tables.types import Exact

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _instruments()
    _symbol_aliases()
    _splits()


def downgrade() -> None:
    op.drop_table("splits")
    op.drop_table("symbol_aliases")
    op.drop_table("instruments")


def _instruments() -> None:
    op.create_table(
        "instruments",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("asset_class", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("tick_size", Exact(), nullable=False),
        sa.Column("lot_size", Exact(), nullable=False),
        sa.Column("multiplier", Exact(), nullable=False),
        sa.Column("calendar", sa.Text(), nullable=False),
        sa.Column("expiry", sa.Date(), nullable=True),
        sa.Column("strike", Exact(), nullable=True),
        sa.Column("right", sa.Text(), nullable=True),
        sa.Column("underlying_id", sa.Text(), nullable=True),
        sa.Column("listed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "id", name="pk_instruments"),
    )
    op.create_index("ix_instruments_shard_symbol", "instruments", ["shard", "symbol"])


def _symbol_aliases() -> None:
    op.create_table(
        "symbol_aliases",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("shard", "source", "symbol", "valid_from", "instrument_id", name="pk_symbol_aliases"),
    )


def _splits() -> None:
    op.create_table(
        "splits",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("ex_date", sa.Date(), nullable=False),
        sa.Column("numerator", Exact(), nullable=False),
        sa.Column("denominator", Exact(), nullable=False),
        sa.Column("applied_at", sa.BigInteger(), nullable=False),
        sa.Column("positions", sa.BigInteger(), nullable=False),
        sa.Column("orders", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "instrument_id", "ex_date", name="pk_splits"),
    )
