"""Accounts, their dated limits, the cash ledger with its totals kept as rows, and the history of their days."""

from sqlalchemy import Boolean, Date, Float, Index, Integer, Table, false

from evenkeel.storage.tables.metadata import METADATA
from evenkeel.storage.tables.types import Exact, Json, MaybeJson, Ns, key, may, need

accounts = Table(
    "accounts",
    METADATA,
    key("shard"),
    key("id"),
    need("user_id"),
    need("account_name"),
    need("broker"),
    need("account_number"),
    need("account_type"),
    need("currency"),
    need("mode"),
    need("is_paper", Boolean),
    need("is_active", Boolean),
    need("is_live", Boolean, server_default=false()),
    may("custody"),
    need("is_master", Boolean),
    need("costs"),
    may("financing", MaybeJson),
    may("terms", MaybeJson),
    need("time_zone"),
    need("roll"),
    need("readiness"),
    may("readiness_reason"),
    may("reconciled_at", Ns),
    need("limits_version", Integer),
    need("initial_balance", Exact),
    need("current_balance", Exact),
    need("contributed", Exact),
    need("opened_at", Ns),
    need("updated_at", Ns),
)

account_limits = Table(
    "account_limits",
    METADATA,
    key("shard"),
    key("account_id"),
    key("version", Integer),
    need("valid_from", Ns),
    may("max_position_share", Exact),
    may("daily_loss", Exact),
    may("max_trades_per_day", Integer),
    need("allow_short", Boolean),
    need("cash_check", Boolean),
    need("limits", Json),
    need("actor"),
    need("source"),
)

balances = Table(
    "balances",
    METADATA,
    key("shard"),
    key("account_id"),
    key("currency"),
    need("amount", Exact),
    need("contributed", Exact),
    need("entries", Integer),
    need("updated_at", Ns),
)

ledger_entries = Table(
    "ledger_entries",
    METADATA,
    key("shard"),
    key("seq", Ns),
    key("line", Integer),
    need("id"),
    need("account_id"),
    need("book"),
    need("currency"),
    need("kind"),
    need("component"),
    need("amount", Exact),
    need("value_date", Date),
    may("order_id"),
    may("fill_id"),
    need("at", Ns),
    Index(None, "shard", "account_id", "seq", "line"),
    Index(None, "shard", "account_id", "book", "seq", "line"),
    Index(None, "shard", "id", unique=True),
)

performance_history = Table(
    "performance_history",
    METADATA,
    key("shard"),
    key("id"),
    need("account_id"),
    need("date", Date),
    need("at", Ns),
    need("total_value", Exact),
    need("cash_value", Exact),
    need("positions_value", Exact),
    need("contributed", Exact),
    need("daily_return", Float),
    need("cumulative_return", Float),
    need("drawdown", Float),
    need("max_drawdown", Float),
    need("num_positions", Integer),
    Index(None, "shard", "account_id", "at", "id"),
    Index(None, "shard", "at", "id"),
)

daily_marks = Table(
    "daily_marks",
    METADATA,
    key("shard"),
    key("account_id"),
    key("session_date", Date),
    key("kind"),
    key("name"),
    need("value", Exact),
    need("at", Ns),
)
