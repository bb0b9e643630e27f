"""Orders, fills and positions."""

import sqlalchemy as sa
from alembic import op

from evenkeel.storage.tables.types import Exact, Json

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _orders()
    _order_events()
    _fills()
    _positions()
    _position_totals()


def downgrade() -> None:
    op.drop_table("position_totals")
    op.drop_table("positions")
    op.drop_table("fills")
    op.drop_table("order_events")
    op.drop_table("orders")


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("venue_client_id", sa.Text(), nullable=False),
        sa.Column("venue_order_id", sa.Text(), nullable=True),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("book", sa.Text(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("time_in_force", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("asked_quantity", Exact(), nullable=False),
        sa.Column("asked_limit_price", Exact(), nullable=True),
        sa.Column("asked_stop_price", Exact(), nullable=True),
        sa.Column("quantity", Exact(), nullable=False),
        sa.Column("limit_price", Exact(), nullable=True),
        sa.Column("stop_price", Exact(), nullable=True),
        sa.Column("filled", Exact(), nullable=False),
        sa.Column("notional", Exact(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("rule", sa.Text(), nullable=True),
        sa.Column("limit", sa.Text(), nullable=True),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("triggered", sa.Boolean(), nullable=False),
        sa.Column("has_venue_event", sa.Boolean(), nullable=False),
        sa.Column("session_date", sa.Date(), nullable=False),
        sa.Column("send_by", sa.BigInteger(), nullable=False),
        sa.Column("checks", Json, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("cause_id", sa.Text(), nullable=True),
        sa.Column("parent_id", sa.Text(), nullable=True),
        sa.Column("strategy_version", sa.Text(), nullable=True),
        sa.Column("parameter_hash", sa.Text(), nullable=True),
        sa.Column("arrival_bid", sa.Float(), nullable=True),
        sa.Column("arrival_ask", sa.Float(), nullable=True),
        sa.Column("arrival_last", sa.Float(), nullable=True),
        sa.Column("arrival_quote_age", sa.BigInteger(), nullable=True),
        sa.Column("limits_version", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("committed_at", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=True),
        sa.Column("filled_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "id", name="pk_orders"),
    )
    op.create_index(
        "ix_orders_shard_account_id_client_order_id", "orders", ["shard", "account_id", "client_order_id"], unique=True
    )
    op.create_index("ix_orders_shard_account_id_created_at_id", "orders", ["shard", "account_id", "created_at", "id"])
    op.create_index("ix_orders_shard_book_created_at_id", "orders", ["shard", "book", "created_at", "id"])
    op.create_index("ix_orders_shard_created_at_id", "orders", ["shard", "created_at", "id"])
    op.create_index("ix_orders_shard_venue_client_id", "orders", ["shard", "venue_client_id"])


def _order_events() -> None:
    op.create_table(
        "order_events",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("venue_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("rule", sa.Text(), nullable=True),
        sa.Column("limit", sa.Text(), nullable=True),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("quantity", Exact(), nullable=True),
        sa.Column("price", Exact(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("details", Json, nullable=False),
        sa.PrimaryKeyConstraint("shard", "seq", "order_id", name="pk_order_events"),
    )
    op.create_index("ix_order_events_shard_order_id_seq", "order_events", ["shard", "order_id", "seq"])


def _fills() -> None:
    op.create_table(
        "fills",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("book", sa.Text(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("quantity", Exact(), nullable=False),
        sa.Column("price", Exact(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("fees", Exact(), nullable=False),
        sa.Column("charges", Json, nullable=False),
        sa.Column("executed_at", sa.BigInteger(), nullable=False),
        sa.Column("booked_at", sa.BigInteger(), nullable=False),
        sa.Column("session_date", sa.Date(), nullable=False),
        sa.Column("venue_execution_id", sa.Text(), nullable=False),
        sa.Column("venue_order_id", sa.Text(), nullable=True),
        sa.Column("reverses", sa.Text(), nullable=True),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "id", name="pk_fills"),
    )
    op.create_index("ix_fills_shard_account_id_executed_at_id", "fills", ["shard", "account_id", "executed_at", "id"])
    op.create_index(
        "ix_fills_shard_account_id_venue_execution_id",
        "fills",
        ["shard", "account_id", "venue_execution_id"],
        unique=True,
    )
    op.create_index("ix_fills_shard_executed_at_id", "fills", ["shard", "executed_at", "id"])
    op.create_index("ix_fills_shard_order_id", "fills", ["shard", "order_id"])


def _positions() -> None:
    op.create_table(
        "positions",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("book", sa.Text(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("quantity", Exact(), nullable=False),
        sa.Column("total_cost", Exact(), nullable=False),
        sa.Column("realised", Exact(), nullable=False),
        sa.Column("charges", Exact(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "account_id", "book", "instrument_id", "product", "side", name="pk_positions"),
    )


def _position_totals() -> None:
    op.create_table(
        "position_totals",
        sa.Column("shard", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("quantity", Exact(), nullable=False),
        sa.Column("total_cost", Exact(), nullable=False),
        sa.Column("realised", Exact(), nullable=False),
        sa.Column("charges", Exact(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("corrected_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "account_id", "instrument_id", name="pk_position_totals"),
    )
