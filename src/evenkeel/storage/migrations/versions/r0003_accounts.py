"""Accounts, limits, the ledger, balances and the history of days."""

import sqlalchemy as sa
from alembic import op

from evenkeel.storage.tables.types import Exact, Json

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _accounts()
    _account_limits()
    _balances()
    _ledger_entries()
    _performance_history()
    _daily_marks()


def downgrade() -> None:
    op.drop_table("daily_marks")
    op.drop_table("performance_history")
    op.drop_table("ledger_entries")
    op.drop_table("balances")
    op.drop_table("account_limits")
    op.drop_table("accounts")


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("account_name", sa.Text(), nullable=False),
        sa.Column("broker", sa.Text(), nullable=False),
        sa.Column("account_number", sa.Text(), nullable=False),
        sa.Column("account_type", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("is_paper", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("is_master", sa.Boolean(), nullable=False),
        sa.Column("costs", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("roll", sa.Text(), nullable=False),
        sa.Column("readiness", sa.Text(), nullable=False),
        sa.Column("readiness_reason", sa.Text(), nullable=True),
        sa.Column("reconciled_at", sa.BigInteger(), nullable=True),
        sa.Column("limits_version", sa.Integer(), nullable=False),
        sa.Column("initial_balance", Exact(), nullable=False),
        sa.Column("current_balance", Exact(), nullable=False),
        sa.Column("contributed", Exact(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "id", name="pk_accounts"),
    )


def _account_limits() -> None:
    op.create_table(
        "account_limits",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("max_position_share", Exact(), nullable=True),
        sa.Column("daily_loss", Exact(), nullable=True),
        sa.Column("max_trades_per_day", sa.Integer(), nullable=True),
        sa.Column("allow_short", sa.Boolean(), nullable=False),
        sa.Column("cash_check", sa.Boolean(), nullable=False),
        sa.Column("limits", Json, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "account_id", "version", name="pk_account_limits"),
    )


def _balances() -> None:
    op.create_table(
        "balances",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", Exact(), nullable=False),
        sa.Column("contributed", Exact(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "account_id", "currency", name="pk_balances"),
    )


def _ledger_entries() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("book", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("amount", Exact(), nullable=False),
        sa.Column("value_date", sa.Date(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("fill_id", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "seq", "line", name="pk_ledger_entries"),
    )
    op.create_index(
        "ix_ledger_entries_shard_account_id_seq_line", "ledger_entries", ["shard", "account_id", "seq", "line"]
    )
    op.create_index("ix_ledger_entries_shard_id", "ledger_entries", ["shard", "id"], unique=True)


def _performance_history() -> None:
    op.create_table(
        "performance_history",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("total_value", Exact(), nullable=False),
        sa.Column("cash_value", Exact(), nullable=False),
        sa.Column("positions_value", Exact(), nullable=False),
        sa.Column("contributed", Exact(), nullable=False),
        sa.Column("daily_return", sa.Float(), nullable=False),
        sa.Column("cumulative_return", sa.Float(), nullable=False),
        sa.Column("drawdown", sa.Float(), nullable=False),
        sa.Column("max_drawdown", sa.Float(), nullable=False),
        sa.Column("num_positions", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "id", name="pk_performance_history"),
    )
    op.create_index(
        "ix_performance_history_shard_account_id_at_id", "performance_history", ["shard", "account_id", "at", "id"]
    )
    op.create_index("ix_performance_history_shard_at_id", "performance_history", ["shard", "at", "id"])


def _daily_marks() -> None:
    op.create_table(
        "daily_marks",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("session_date", sa.Date(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", Exact(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "account_id", "session_date", "kind", "name", name="pk_daily_marks"),
    )
