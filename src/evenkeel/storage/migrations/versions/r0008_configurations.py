"""Users' configurations of templates, and what deployments have had since: sizes, rules, switches, removal."""

import sqlalchemy as sa
from alembic import op

from evenkeel.storage.tables.types import Json

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "strategy_configurations",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("template_version", sa.Text(), nullable=False),
        sa.Column("configuration", Json, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("archived_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_strategy_configurations_user_id_users"),
        sa.PrimaryKeyConstraint("user_id", "name", "version", name="pk_strategy_configurations"),
    )
    op.add_column("strategies", sa.Column("configuration", sa.Text(), nullable=True))
    for name in ("sizing", "rules", "switch"):
        op.add_column("strategies", sa.Column(name, Json, nullable=True))
    op.add_column("strategies", sa.Column("removed", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    for name in ("removed", "switch", "rules", "sizing", "configuration"):
        op.drop_column("strategies", name)
    op.drop_table("strategy_configurations")
