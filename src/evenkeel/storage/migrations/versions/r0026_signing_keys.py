"""Which server key an API key's signing secret was made under; of keys made before, nobody knows."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("server_key", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("api_keys", "server_key")
