"""Views for people with a SQL prompt: each table with `*_approx` columns beside its decimals, and a few summaries.

They are code, made anew by every upgrade. No query of ours reads them, since what is approximate is not booked.
"""

from sqlalchemy import Connection, Table, text

from evenkeel.storage.tables import METADATA
from evenkeel.storage.tables.types import Exact

_SUMMARIES = {
    "transactions": """
        SELECT l.shard, l.id, a.account_name, l.account_id, l.at, l.value_date, l.kind, l.component, l.currency,
          l.amount, l.amount_approx, l.book, l.order_id, l.seq, l.line
        FROM ledger_entries_approx l JOIN accounts a ON a.shard = l.shard AND a.id = l.account_id
    """,
    "recent_transactions": "SELECT * FROM transactions ORDER BY seq DESC, line DESC LIMIT 100",
    "user_account_summary": """
        SELECT u.id AS user_id, u.username, a.currency, count(*) AS num_accounts, 0 AS num_portfolios,
          sum(a.current_balance_approx) AS total_balance_approx
        FROM accounts_approx a JOIN users u ON u.id = a.user_id
        GROUP BY u.id, u.username, a.currency
    """,
    "walkforward_trades": """
        SELECT s.id AS session_id, s.name AS session, f.*
        FROM fills_approx f JOIN walkforward_sessions s ON s.shard = f.shard AND s.account_id = f.account_id
    """,
    "walkforward_positions": """
        SELECT s.id AS session_id, s.name AS session, p.*
        FROM positions_approx p JOIN walkforward_sessions s ON s.shard = p.shard AND s.account_id = p.account_id
        WHERE p.quantity_approx <> 0
    """,
    "walkforward_analytics": """
        SELECT s.id AS session_id, s.name AS session, h.*
        FROM performance_history_approx h
        JOIN walkforward_sessions s ON s.shard = h.shard AND s.account_id = h.account_id
    """,
}


def _decimals(table: Table) -> list[str]:
    return [column.name for column in table.columns if isinstance(column.type, Exact)]


def _definitions() -> dict[str, str]:
    """Names and texts, each after those it reads from."""
    approximate = {f"{table.name}_approx": _approximate(table) for table in METADATA.sorted_tables if _decimals(table)}
    return {**approximate, **_SUMMARIES}


def _approximate(table: Table) -> str:
    columns = ", ".join(f"CAST({name} AS double precision) AS {name}_approx" for name in _decimals(table))
    return f"SELECT {table.name}.*, {columns} FROM {table.name}"  # noqa: S608


def drop(connection: Connection) -> None:
    for name in reversed(_definitions()):
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))


def create(connection: Connection) -> None:
    for name, body in _definitions().items():
        connection.execute(text(f"CREATE VIEW {name} AS {body}"))
