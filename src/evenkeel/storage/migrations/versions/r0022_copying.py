"""Copy links, and what each has made of the events of its master."""

import sqlalchemy as sa
from alembic import op

from evenkeel.storage.tables.types import Exact, Json

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "copy_links",
        *(_text(name) for name in ("shard", "id", "master_id", "follower_id", "mode", "proposed_by")),
        *(sa.Column(name, sa.Boolean(), nullable=False) for name in ("accepted", "paused", "removed")),
        sa.Column("link", Json, nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("created_at", "updated_at", "updated_seq")),
        sa.PrimaryKeyConstraint("shard", "id", name="pk_copy_links"),
    )
    op.create_index("ix_copy_links_shard_master_id", "copy_links", ["shard", "master_id"])
    op.create_index("ix_copy_links_shard_follower_id", "copy_links", ["shard", "follower_id"])
    op.create_table(
        "copies",
        _text("shard"),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        _text("link_id"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        _text("kind"),
        sa.Column("source", sa.BigInteger(), nullable=False),
        _text("instrument_id"),
        *(sa.Column(name, Exact(), nullable=False) for name in ("held", "wanted", "carry", "quantity")),
        sa.Column("master_order_id", sa.Text(), nullable=True),
        sa.Column("order_ids", Json, nullable=False),
        sa.Column("skipped", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("shard", "seq", name="pk_copies"),
    )
    op.create_index("ix_copies_shard_link_id_at_seq", "copies", ["shard", "link_id", "at", "seq"])


def downgrade() -> None:
    op.drop_table("copies")
    op.drop_table("copy_links")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)
