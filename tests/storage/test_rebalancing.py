"""The history of rebalances as rows: one for each, opened again by a retry."""

from decimal import Decimal

from sqlalchemy import select

from evenkeel.domain import events as e
from evenkeel.storage.database import Database
from evenkeel.storage.doctor import examine
from evenkeel.storage.engines import sync_engine
from evenkeel.storage.tables.rebalancing import rebalance_history
from tests.storage.stories import projected
from tests.trading.engine.portfolios.test_rebalancing import PURCHASE, SALE, held, order, rebalance
from tests.trading.engine.world import ACME, World

D = Decimal


def lived() -> World:
    """One that is cut short, ends incomplete and is retried; and one under way."""
    made = held()
    made.step(rebalance(SALE, PURCHASE, before={ACME.id: D("0.2")}, target={ACME.id: D("0.1")}))
    sale = order(made, "r-one:0")
    made.fill(sale, "20")
    made.step(made.said(e.VenueCancelled, sale))
    made.fill(order(made, "r-one:1"), "25", "20")
    made.step(rebalance(SALE, PURCHASE, retry=True))
    made.fill(order(made, "r-one:r1:0"), "40")
    made.step(rebalance(name="two", cost=D("1.25")))
    return made


def test_a_row_each(database: Database) -> None:
    made = lived()
    projected(database, made.records)
    assert examine(database).differences == []
    with sync_engine(database, "migrate").connect() as connection:
        rows = connection.execute(select(rebalance_history).order_by(rebalance_history.c.id)).mappings().all()
    one, two = rows
    assert (one["portfolio_id"], one["name"], one["attempts"], one["actor"]) == ("fund", "one", 2, "anna")
    assert (one["success"], one["traded"], one["cost"], one["reasons"]) == (True, D(1100), D(0), [])
    assert (one["old_weights"], one["new_weights"]) == ({ACME.id: "0.2"}, {ACME.id: "0.1"})
    assert [trade["quantity"] for trade in one["trades"]] == ["-60", "25"]
    assert set(one["reached_weights"]) > {ACME.id}
    assert (two["success"], two["estimated_cost"], two["trades"]) == (True, D("1.25"), [])
