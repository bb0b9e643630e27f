"""The summaries that a SQL prompt finds beside the tables, each after those it reads from: docs/operations-database.md
says what their columns are.

A portfolio's lines are those that its books had while they were its own. Sums are of `*_approx` columns.
"""

_TRANSACTIONS = """
    SELECT l.shard, l.id, a.account_name, l.account_id, p.portfolio_name, p.id AS portfolio_id, l.at, l.value_date,
      CASE WHEN l.kind <> 'trade' THEN l.kind WHEN f.id IS NULL THEN 'split' ELSE lower(f.side) END AS type,
      l.kind, l.component, i.symbol,
      CASE WHEN l.kind = 'trade' THEN f.quantity_approx END AS quantity_approx,
      CASE WHEN l.kind = 'trade' THEN f.price_approx END AS price_approx,
      l.currency, l.amount, l.amount_approx, l.book, l.order_id, l.fill_id, l.seq, l.line
    FROM ledger_entries_approx l
    JOIN accounts a ON a.shard = l.shard AND a.id = l.account_id
    LEFT JOIN fills_approx f ON f.shard = l.shard AND f.id = l.fill_id
    LEFT JOIN instruments i ON i.shard = f.shard AND i.id = f.instrument_id
    LEFT JOIN portfolio_books m ON m.shard = l.shard AND m.account_id = l.account_id AND m.book = l.book
      AND m.since_seq <= l.seq AND (m.until_seq IS NULL OR l.seq < m.until_seq)
    LEFT JOIN portfolios p ON p.shard = m.shard AND p.id = m.portfolio_id
    UNION ALL
    SELECT s.shard, s.id, a.account_name, s.account_id, p.portfolio_name, p.id, s.at, s.value_date, 'split', 'split',
      CAST(CAST(s.numerator_approx AS integer) AS text) || ':' || CAST(CAST(s.denominator_approx AS integer) AS text),
      i.symbol, s.quantity_approx, NULL, s.currency, NULL, 0, s.book, NULL, NULL, s.seq, s.line
    FROM position_splits_approx s
    JOIN accounts a ON a.shard = s.shard AND a.id = s.account_id
    LEFT JOIN instruments i ON i.shard = s.shard AND i.id = s.instrument_id
    LEFT JOIN portfolio_books m ON m.shard = s.shard AND m.account_id = s.account_id AND m.book = s.book
      AND m.since_seq <= s.seq AND (m.until_seq IS NULL OR s.seq < m.until_seq)
    LEFT JOIN portfolios p ON p.shard = m.shard AND p.id = m.portfolio_id
"""
_PORTFOLIO_SUMMARY = """
    WITH own AS (SELECT * FROM portfolio_books WHERE until_seq IS NULL),
    money AS (
      SELECT o.shard, o.portfolio_id, count(DISTINCT o.account_id) AS num_accounts, sum(b.amount_approx) AS cash
      FROM own o
      LEFT JOIN book_balances_approx b ON b.shard = o.shard AND b.account_id = o.account_id AND b.book = o.book
      GROUP BY o.shard, o.portfolio_id
    ),
    held AS (
      SELECT o.shard, o.portfolio_id, count(*) AS num_positions, sum(q.total_cost_approx) AS cost
      FROM own o
      JOIN positions_approx q ON q.shard = o.shard AND q.account_id = o.account_id AND q.book = o.book
      WHERE q.quantity_approx <> 0
      GROUP BY o.shard, o.portfolio_id
    )
    SELECT p.shard, p.id AS portfolio_id, p.portfolio_name, p.user_id, u.username, p.currency, p.strategy, p.is_active,
      p.risk_tolerance_approx, p.max_position_size_approx, money.num_accounts,
      coalesce(held.num_positions, 0) AS num_positions, coalesce(money.cash, 0) AS cash_approx,
      coalesce(held.cost, 0) AS positions_cost_approx, h.date AS last_date, h.total_value_approx, h.contributed_approx,
      h.daily_return, h.cumulative_return, h.volatility, h.sharpe_ratio, h.sortino, h.drawdown, h.max_drawdown,
      h.trades, h.win_rate
    FROM portfolios_approx p
    LEFT JOIN users u ON u.id = p.user_id
    LEFT JOIN money ON money.shard = p.shard AND money.portfolio_id = p.id
    LEFT JOIN held ON held.shard = p.shard AND held.portfolio_id = p.id
    LEFT JOIN portfolio_performance_approx h ON h.shard = p.shard AND h.id = (
      SELECT d.id FROM portfolio_performance d WHERE d.shard = p.shard AND d.portfolio_id = p.id
      ORDER BY d.at DESC, d.id DESC LIMIT 1
    )
"""
_PORTFOLIO_METRICS = """
    SELECT h.shard, h.portfolio_id, p.portfolio_name, h.date, h.total_value_approx AS equity_approx,
      h.drawdown * 100 AS drawdown_pct,
      h.total_value_approx - h.contributed_approx
        - coalesce(lag(h.total_value_approx - h.contributed_approx)
                   OVER (PARTITION BY h.shard, h.portfolio_id ORDER BY h.at, h.id), 0) AS daily_pl_approx,
      h.win_rate, h.sharpe_ratio
    FROM portfolio_performance_approx h JOIN portfolios p ON p.shard = h.shard AND p.id = h.portfolio_id
"""
SUMMARIES = {
    "transactions": _TRANSACTIONS,
    "recent_transactions": "SELECT * FROM transactions ORDER BY seq DESC, line DESC LIMIT 100",
    "portfolio_summary": _PORTFOLIO_SUMMARY,
    "portfolio_metrics": _PORTFOLIO_METRICS,
    "user_account_summary": """
        SELECT u.id AS user_id, u.username, a.currency, count(*) AS num_accounts,
          (SELECT count(*) FROM portfolios p WHERE p.user_id = u.id AND p.currency = a.currency AND p.is_active)
            AS num_portfolios,
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
