"""Mark-to-market control: the rules of levels as they were changed, and their breaches."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from evenkeel.storage.tables.types import Exact, Json

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mtm_rules",
        *_columns(seq=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("rules", Json, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("equity", Exact(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "seq", name="pk_mtm_rules"),
    )
    op.create_index("ix_mtm_rules_shard_scope", "mtm_rules", ["shard", "scope"])
    op.create_table(
        "mtm_breaches",
        *_columns(seq=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        *(sa.Column(name, Exact(), nullable=False) for name in ("threshold", "value", "peak", "equity")),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "id", name="pk_mtm_breaches"),
    )
    op.create_index("ix_mtm_breaches_shard_scope", "mtm_breaches", ["shard", "scope"])


def downgrade() -> None:
    op.drop_table("mtm_breaches")
    op.drop_table("mtm_rules")


def _columns(*, seq: bool) -> list[sa.Column[Any]]:
    """Those that both tables begin with: their key, and the scope of the level by its parts."""
    key = sa.Column("seq", sa.BigInteger(), nullable=False) if seq else sa.Column("id", sa.Text(), nullable=False)
    parts = ("account_id", "deployment_id", "instrument_id")
    return [
        sa.Column("shard", sa.Text(), nullable=False),
        key,
        sa.Column("scope", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in parts),
    ]
