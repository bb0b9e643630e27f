"""Order templates of users."""

import sqlalchemy as sa
from alembic import op

from evenkeel.storage.tables.types import Json

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "order_templates",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("template", Json, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_order_templates_user_id_users"),
        sa.PrimaryKeyConstraint("user_id", "name", name="pk_order_templates"),
    )


def downgrade() -> None:
    op.drop_table("order_templates")
