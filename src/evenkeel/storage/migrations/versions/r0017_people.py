"""Roles of people, where they may come from, links that were handed out, second factors and identities elsewhere."""

import sqlalchemy as sa
from alembic import op

from evenkeel.storage.tables.types import MaybeJson

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_TABLES = ("identities", "recovery_codes", "second_factors", "person_links")


def upgrade() -> None:
    op.add_column("users", sa.Column("email_key", sa.Text(), nullable=True))
    op.add_column("users", sa.Column("networks", MaybeJson, nullable=True))
    op.create_index("uq_users_email_key", "users", ["email_key"], unique=True)
    op.execute("UPDATE users SET role = 'super-admin' WHERE role = 'owner'")
    _links()
    _factors()
    _identities()


def downgrade() -> None:
    """An older version knows an owner and traders: who was a viewer is switched off rather than let trade."""
    for table in _TABLES:
        op.drop_table(table)
    op.execute("UPDATE users SET role = 'owner' WHERE role = 'super-admin'")
    op.execute(sa.text("UPDATE users SET is_active = :off WHERE role = 'viewer'").bindparams(off=False))
    op.execute("UPDATE users SET role = 'trader' WHERE role IN ('admin', 'viewer')")
    op.drop_index("uq_users_email_key", "users")
    op.drop_column("users", "networks")
    op.drop_column("users", "email_key")


def _links() -> None:
    op.create_table(
        "person_links",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("id", "kind", "token_hash")),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("role", "email", "user_id")),
        sa.Column("created_by", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("created_at", "expires_at")),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("used_at", "revoked_at")),
        sa.PrimaryKeyConstraint("id", name="pk_person_links"),
        sa.UniqueConstraint("token_hash", name="uq_person_links_token_hash"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_person_links_user_id_users"),
    )


def _factors() -> None:
    op.create_table(
        "second_factors",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_second_factors"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_second_factors_user_id_users"),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "code_hash", name="pk_recovery_codes"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_recovery_codes_user_id_users"),
    )


def _identities() -> None:
    op.create_table(
        "identities",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("issuer", "subject", "user_id", "email")),
        sa.Column("linked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "subject", name="pk_identities"),
        sa.UniqueConstraint("user_id", "issuer", name="uq_identities_user_id_issuer"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_identities_user_id_users"),
    )
