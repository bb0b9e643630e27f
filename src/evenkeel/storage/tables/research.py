"""Results of research: backtests, sweeps and walk-forwards, each with what was asked, what came out, and the figures
that lists compare.

Made by people's requests, not from the journal: a backup must hold them. Equity, fills and the report of a result lie
in a file of the home's `research` folder.
"""

from sqlalchemy import Float, ForeignKey, Index, Table

from evenkeel.storage.tables.metadata import METADATA
from evenkeel.storage.tables.types import Exact, Json, Ns, key, may, need

backtest_results = Table(
    "backtest_results",
    METADATA,
    key("id"),
    need("user_id", ForeignKey("users.id")),
    need("kind"),
    need("created_at", Ns),
    may("started_at", Ns),
    may("finished_at", Ns),
    need("state"),
    need("strategy"),
    need("version"),
    need("parameters", Json),
    need("request", Json),
    may("fingerprint"),
    may("summary", Json),
    may("final_equity", Exact),
    may("total_return", Float),
    may("sharpe", Float),
    may("max_drawdown", Float),
    may("error"),
    Index(None, "user_id", "created_at", "id"),
)
