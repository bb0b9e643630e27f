"""Limits in layers as rows: who changed them, how deep drawdowns were, and whose limit refused an order."""

from decimal import Decimal

from sqlalchemy import select

from evenkeel.domain import commands as c
from evenkeel.domain.limits import Layer, LimitScope, RuleSet
from evenkeel.domain.orders import Side
from evenkeel.storage.database import Database
from evenkeel.storage.doctor import examine
from evenkeel.storage.engines import sync_engine
from evenkeel.storage.tables.limits import drawdown_moves, limit_changes
from evenkeel.storage.tables.trading import order_events, orders
from tests.storage.stories import projected
from tests.trading.engine.test_drawdowns import MAIN, invested, show
from tests.trading.engine.world import WHO

D = Decimal
USER = LimitScope(Layer.USER, "u")


def test_limits_of_layers_and_drawdowns(database: Database) -> None:
    world = invested()
    for rules in (RuleSet(max_order_quantity=D(5)), RuleSet(max_order_quantity=D(5), daily_loss=D("0.5")), RuleSet()):
        world.step(c.SetScopeLimits(provenance=WHO, scope=USER, rules=rules))
        world.submit(Side.BUY, "6")
    show(world, 8.8)
    world.submit(Side.BUY, "1")
    world.step(c.LiftHalt(provenance=WHO, scope=MAIN))
    projected(database, world.records)
    assert examine(database).differences == []
    with sync_engine(database, "read").connect() as connection:
        changes = connection.execute(select(limit_changes).order_by(limit_changes.c.seq)).mappings().all()
        moves = connection.execute(select(drawdown_moves).order_by(drawdown_moves.c.seq)).mappings().all()
        refusals = select(orders.c.rule, orders.c.layer).where(orders.c.state == "REFUSED").order_by(orders.c.id)
        refused = connection.execute(refusals).all()
        told = set(connection.execute(select(order_events.c.layer).where(order_events.c.rule.is_not(None))).scalars())
    assert [(row["layer"], row["scope_id"], row["version"], row["rules"], row["actor"]) for row in changes] == [
        ("user", "u", 1, {"max_order_quantity": "5"}, "anna"),
        ("user", "u", 2, {"max_order_quantity": "5", "daily_loss": "0.5"}, "anna"),
        ("user", "u", 3, {}, "anna"),
    ]
    assert [(row["tier"], row["drawdown"], row["threshold"], row["lifted"], row["actor"]) for row in moves] == [
        ("halt", D("0.12"), D("0.12"), False, None),
        ("none", D(0), None, True, "anna"),
    ]
    assert {tuple(row) for row in refused} == {("max-order-quantity", "user"), ("drawdown-halt", "account")}
    assert told == {"user", "account"}
