"""Walk-forward sessions: what each is, how far it has come, and, once it is completed, what it came to."""

from sqlalchemy import Boolean, Float, Integer, Table

from evenkeel.storage.tables.metadata import METADATA
from evenkeel.storage.tables.types import Exact, Ns, key, may, need

walkforward_sessions = Table(
    "walkforward_sessions",
    METADATA,
    key("shard"),
    key("id"),
    need("name"),
    need("user_id"),
    need("account_id"),
    need("status"),
    need("closing", Boolean),
    need("reason"),
    need("capital", Exact),
    need("costs", Boolean),
    need("brokerage_rate", Exact),
    need("actor"),
    need("opened_at", Ns),
    may("started_at", Ns),
    may("stopped_at", Ns),
    may("completed_at", Ns),
    may("final_equity", Exact),
    may("final_cash", Exact),
    may("growth", Float),
    may("orders", Integer),
    may("fills", Integer),
    may("charges", Exact),
)
