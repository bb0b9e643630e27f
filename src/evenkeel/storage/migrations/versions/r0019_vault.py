"""The vault of each person, the sealed credentials of accounts, and the live switch."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _vaults()
    _credentials()
    op.add_column("accounts", sa.Column("is_live", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("accounts", sa.Column("custody", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("accounts", "custody")
    op.drop_column("accounts", "is_live")
    op.drop_table("account_credentials")
    op.drop_table("vault_wraps")
    op.drop_table("vaults")


def _vaults() -> None:
    op.create_table(
        "vaults",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("rotated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_vaults_user_id_users"),
        sa.PrimaryKeyConstraint("user_id", name="pk_vaults"),
    )
    op.create_table(
        "vault_wraps",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("salt", sa.Text(), nullable=True),
        sa.Column("cost", sa.Text(), nullable=True),
        sa.Column("server_key", sa.Text(), nullable=True),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_vault_wraps_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_vault_wraps"),
    )
    op.create_index("ix_vault_wraps_user_id_kind", "vault_wraps", ["user_id", "kind"])
    op.create_index("ix_vault_wraps_account_id", "vault_wraps", ["account_id"])


def _credentials() -> None:
    op.create_table(
        "account_credentials",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_account_credentials_user_id_users"),
        sa.PrimaryKeyConstraint("account_id", "name", name="pk_account_credentials"),
    )
    op.create_index("ix_account_credentials_user_id", "account_credentials", ["user_id"])
