"""Composite orders, and which orders were placed for one."""

import sqlalchemy as sa
from alembic import op

from evenkeel.storage.tables.types import Exact, Json

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_NEEDED = ("client_order_id", "account_id", "book", "kind", "instrument_id", "side")
_EXPLAINED = ("reason", "rule", "limit", "value")


def upgrade() -> None:
    for name in ("parent", "leg"):
        op.add_column("orders", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "composites",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _NEEDED),
        sa.Column("quantity", Exact(), nullable=False),
        sa.Column("closes", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in _EXPLAINED),
        *(sa.Column(name, Json, nullable=False) for name in ("asked", "terms", "filled", "checks")),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "id", name="pk_composites"),
    )
    columns = ["shard", "account_id", "created_at", "id"]
    op.create_index("ix_composites_shard_account_id_created_at_id", "composites", columns)


def downgrade() -> None:
    op.drop_table("composites")
    for name in ("leg", "parent"):
        op.drop_column("orders", name)
