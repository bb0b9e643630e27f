"""How gains are taxed in accounts, each setting from a day on."""

import sqlalchemy as sa
from alembic import op

from evenkeel.storage.tables.types import Exact

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_INDEX = "ix_account_taxes_user_id"


def upgrade() -> None:
    op.create_table(
        "account_taxes",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        *(sa.Column(name, Exact(), nullable=False) for name in ("short_rate", "long_rate")),
        sa.Column("long_after", sa.Integer(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "since", name="pk_account_taxes"),
    )
    op.create_index(_INDEX, "account_taxes", ["user_id"])


def downgrade() -> None:
    op.drop_index(_INDEX, "account_taxes")
    op.drop_table("account_taxes")
