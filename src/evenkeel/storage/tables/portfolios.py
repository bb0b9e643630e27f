"""Portfolios with their books by date, what each was worth at the ends of its days, cash by book, what splits made of
positions; and people's watchlists, which are no projection."""

from sqlalchemy import Boolean, Date, Float, Index, Integer, Table, UniqueConstraint

from evenkeel.storage.tables.metadata import METADATA
from evenkeel.storage.tables.types import Exact, Json, Ns, key, may, need

portfolios = Table(
    "portfolios",
    METADATA,
    key("shard"),
    key("id"),
    need("user_id"),
    need("portfolio_name"),
    need("currency"),
    need("account_ids", Json),
    need("strategy"),
    need("risk_tolerance", Exact),
    may("max_position_size", Exact),
    need("is_active", Boolean),
    need("actor"),
    need("created_at", Ns),
    need("updated_at", Ns),
)

portfolio_books = Table(
    "portfolio_books",
    METADATA,
    key("shard"),
    key("account_id"),
    key("book"),
    key("since_seq", Ns),
    need("portfolio_id"),
    need("since", Ns),
    may("until_seq", Ns),
    may("until", Ns),
    Index(None, "shard", "portfolio_id"),
)

portfolio_performance = Table(
    "portfolio_performance",
    METADATA,
    key("shard"),
    key("id"),
    need("portfolio_id"),
    need("date", Date),
    need("at", Ns),
    need("total_value", Exact),
    need("cash_value", Exact),
    need("positions_value", Exact),
    need("contributed", Exact),
    need("daily_return", Float),
    need("cumulative_return", Float),
    may("volatility", Float),
    may("sharpe_ratio", Float),
    may("sortino", Float),
    need("drawdown", Float),
    need("max_drawdown", Float),
    need("trades", Integer),
    need("wins", Integer),
    may("win_rate", Float),
    need("num_positions", Integer),
    need("holdings", Json),
    Index(None, "shard", "portfolio_id", "at", "id"),
)

book_balances = Table(
    "book_balances",
    METADATA,
    key("shard"),
    key("account_id"),
    key("book"),
    key("currency"),
    need("amount", Exact),
    need("contributed", Exact),
    need("entries", Integer),
    need("updated_at", Ns),
)

position_splits = Table(
    "position_splits",
    METADATA,
    key("shard"),
    key("seq", Ns),
    key("line", Integer),
    need("id"),
    need("account_id"),
    need("book"),
    need("instrument_id"),
    need("product"),
    need("numerator", Exact),
    need("denominator", Exact),
    need("quantity", Exact),
    need("cash_in_lieu", Exact),
    need("currency"),
    need("value_date", Date),
    need("at", Ns),
    Index(None, "shard", "account_id", "book", "seq", "line"),
)

watchlists = Table(
    "watchlists",
    METADATA,
    key("id"),
    need("user_id"),
    need("name"),
    need("name_key"),
    need("entries", Json),
    need("created_at", Ns),
    need("updated_at", Ns),
    UniqueConstraint("user_id", "name_key"),
)
