"""What people say of their accounts and how they group them, totals kept as rows, and exchange rates by day."""

import sqlalchemy as sa
from alembic import op

from evenkeel.storage.tables.types import Exact, Json

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_TABLES = (
    "account_details", "account_group_members", "account_groups", "base_currencies", "kept_totals",
    "instrument_totals", "fx_rates",
)  # fmt: skip


def upgrade() -> None:
    _account_details()
    _account_groups()
    _base_currencies()
    _kept_totals()
    _instrument_totals()
    _fx_rates()


def downgrade() -> None:
    for name in _TABLES:
        op.drop_table(name)


def _account_details() -> None:
    op.create_table(
        "account_details",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("account_number", sa.Text(), nullable=False),
        sa.Column("labels", Json, nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("egress", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_account_details"),
    )
    op.create_index("ix_account_details_user_id", "account_details", ["user_id"])


def _account_groups() -> None:
    op.create_table(
        "account_groups",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("user_id", "name_key", name="uq_account_groups_user_id_name_key"),
        sa.PrimaryKeyConstraint("id", name="pk_account_groups"),
    )
    op.create_table(
        "account_group_members",
        sa.Column("group_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["account_groups.id"], name="fk_account_group_members_group_id_account_groups"
        ),
        sa.PrimaryKeyConstraint("group_id", "account_id", name="pk_account_group_members"),
    )
    op.create_index("ix_account_group_members_account_id", "account_group_members", ["account_id"])


def _base_currencies() -> None:
    op.create_table(
        "base_currencies",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_base_currencies"),
    )


def _kept_totals() -> None:
    op.create_table(
        "kept_totals",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("shard", "scope", "id", "currency")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("accounts", "active_accounts", "positions")),
        *_amounts("cash", "contributed", "total_cost", "realised", "charges"),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "scope", "id", "currency", name="pk_kept_totals"),
    )


def _instrument_totals() -> None:
    op.create_table(
        "instrument_totals",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("shard", "instrument_id", "currency")),
        sa.Column("positions", sa.Integer(), nullable=False),
        *_amounts("long_quantity", "short_quantity", "total_cost", "realised", "charges"),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "instrument_id", name="pk_instrument_totals"),
    )


def _amounts(*names: str) -> list["sa.Column[object]"]:
    return [sa.Column(name, Exact(), nullable=False) for name in names]


def _fx_rates() -> None:
    op.create_table(
        "fx_rates",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("shard", "base", "quote")),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("rate", Exact(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("source", "actor")),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "base", "quote", "date", name="pk_fx_rates"),
    )
