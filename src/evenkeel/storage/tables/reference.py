"""What is traded: instruments, the dated symbols they are known by, and the splits applied to them."""

from sqlalchemy import Date, Index, Table

from evenkeel.storage.tables.metadata import METADATA
from evenkeel.storage.tables.types import Exact, Ns, key, may, need

instruments = Table(
    "instruments",
    METADATA,
    key("shard"),
    key("id"),
    need("symbol"),
    need("venue"),
    need("asset_class"),
    need("currency"),
    need("tick_size", Exact),
    need("lot_size", Exact),
    need("multiplier", Exact),
    need("calendar"),
    may("expiry", Date),
    may("strike", Exact),
    may("right"),
    may("underlying_id"),
    need("listed_at", Ns),
    Index(None, "shard", "symbol"),
)

symbol_aliases = Table(
    "symbol_aliases",
    METADATA,
    key("shard"),
    key("source"),
    key("symbol"),
    key("valid_from", Date),
    key("instrument_id"),
    may("valid_to", Date),
)

splits = Table(
    "splits",
    METADATA,
    key("shard"),
    key("instrument_id"),
    key("ex_date", Date),
    need("numerator", Exact),
    need("denominator", Exact),
    need("applied_at", Ns),
    need("positions", Ns),
    need("orders", Ns),
)
