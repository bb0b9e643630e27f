"""Portfolios, their books by date and their days, cash by book, what splits made of positions, and watchlists."""

import sqlalchemy as sa
from alembic import op

from evenkeel.storage.tables.types import Exact, Json

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_TABLES = (
    "portfolios", "portfolio_books", "portfolio_performance", "book_balances", "position_splits", "watchlists",
)  # fmt: skip
_OF_A_BOOK = "ix_ledger_entries_shard_account_id_book_seq_line"


def upgrade() -> None:
    _portfolios()
    _portfolio_books()
    _portfolio_performance()
    _book_balances()
    _position_splits()
    _watchlists()
    op.create_index(_OF_A_BOOK, "ledger_entries", ["shard", "account_id", "book", "seq", "line"])


def downgrade() -> None:
    op.drop_index(_OF_A_BOOK, "ledger_entries")
    for name in reversed(_TABLES):
        op.drop_table(name)


def _texts(*names: str) -> list["sa.Column[object]"]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _amounts(*names: str) -> list["sa.Column[object]"]:
    return [sa.Column(name, Exact(), nullable=False) for name in names]


def _moments(*names: str, nullable: bool = False) -> list["sa.Column[object]"]:
    return [sa.Column(name, sa.BigInteger(), nullable=nullable) for name in names]


def _portfolios() -> None:
    op.create_table(
        "portfolios",
        *_texts("shard", "id", "user_id", "portfolio_name", "currency"),
        sa.Column("account_ids", Json, nullable=False),
        *_texts("strategy"),
        *_amounts("risk_tolerance"),
        sa.Column("max_position_size", Exact(), nullable=True),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        *_texts("actor"),
        *_moments("created_at", "updated_at"),
        sa.PrimaryKeyConstraint("shard", "id", name="pk_portfolios"),
    )


def _portfolio_books() -> None:
    op.create_table(
        "portfolio_books",
        *_texts("shard", "account_id", "book"),
        *_moments("since_seq"),
        *_texts("portfolio_id"),
        *_moments("since"),
        *_moments("until_seq", "until", nullable=True),
        sa.PrimaryKeyConstraint("shard", "account_id", "book", "since_seq", name="pk_portfolio_books"),
    )
    op.create_index("ix_portfolio_books_shard_portfolio_id", "portfolio_books", ["shard", "portfolio_id"])


def _portfolio_performance() -> None:
    def measures(*names: str, nullable: bool) -> list["sa.Column[object]"]:
        return [sa.Column(name, sa.Float(), nullable=nullable) for name in names]

    op.create_table(
        "portfolio_performance",
        *_texts("shard", "id", "portfolio_id"),
        sa.Column("date", sa.Date(), nullable=False),
        *_moments("at"),
        *_amounts("total_value", "cash_value", "positions_value", "contributed"),
        *measures("daily_return", "cumulative_return", nullable=False),
        *measures("volatility", "sharpe_ratio", "sortino", nullable=True),
        *measures("drawdown", "max_drawdown", nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("trades", "wins")),
        *measures("win_rate", nullable=True),
        sa.Column("num_positions", sa.Integer(), nullable=False),
        sa.Column("holdings", Json, nullable=False),
        sa.PrimaryKeyConstraint("shard", "id", name="pk_portfolio_performance"),
    )
    columns = ["shard", "portfolio_id", "at", "id"]
    op.create_index("ix_portfolio_performance_shard_portfolio_id_at_id", "portfolio_performance", columns)


def _book_balances() -> None:
    op.create_table(
        "book_balances",
        *_texts("shard", "account_id", "book", "currency"),
        *_amounts("amount", "contributed"),
        sa.Column("entries", sa.Integer(), nullable=False),
        *_moments("updated_at"),
        sa.PrimaryKeyConstraint("shard", "account_id", "book", "currency", name="pk_book_balances"),
    )


def _position_splits() -> None:
    op.create_table(
        "position_splits",
        *_texts("shard"),
        *_moments("seq"),
        sa.Column("line", sa.Integer(), nullable=False),
        *_texts("id", "account_id", "book", "instrument_id", "product"),
        *_amounts("numerator", "denominator", "quantity", "cash_in_lieu"),
        *_texts("currency"),
        sa.Column("value_date", sa.Date(), nullable=False),
        *_moments("at"),
        sa.PrimaryKeyConstraint("shard", "seq", "line", name="pk_position_splits"),
    )
    columns = ["shard", "account_id", "book", "seq", "line"]
    op.create_index("ix_position_splits_shard_account_id_book_seq_line", "position_splits", columns)


def _watchlists() -> None:
    op.create_table(
        "watchlists",
        *_texts("id", "user_id", "name", "name_key"),
        sa.Column("entries", Json, nullable=False),
        *_moments("created_at", "updated_at"),
        sa.UniqueConstraint("user_id", "name_key", name="uq_watchlists_user_id_name_key"),
        sa.PrimaryKeyConstraint("id", name="pk_watchlists"),
    )
