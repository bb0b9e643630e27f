"""Composite orders as rows: what the projections say of them is what the fold of the journal says."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from evenkeel.domain import composites as d
from evenkeel.domain.orders import Side
from evenkeel.storage.database import Database
from evenkeel.storage.doctor import examine
from evenkeel.storage.engines import sync_engine
from evenkeel.storage.tables.composites import composites
from evenkeel.storage.tables.trading import orders
from tests.scenarios.desk import Desk, session
from tests.storage.stories import projected
from tests.trading.engine.composites.desks import new_desk, spec, submit
from tests.trading.engine.composites.test_whatever_happens import Life, actions
from tests.trading.engine.world import D


def differences(database: Database, desk: Desk) -> list[str]:
    """What differs between the rows and the fold, once a desk's records have been committed and projected."""
    projected(database, desk.records)
    return examine(database).differences


def test_a_bracket_and_its_orders(database: Database) -> None:
    desk = new_desk()
    one = submit(desk, d.Bracket(spec(Side.BUY, "100"), D("45"), D("55")))
    refused = submit(desk, d.Iceberg(spec(Side.BUY, "9", limit_price="50.001"), D(3)), "other")
    desk.day(session(1, 50, 52, 49, 51))
    desk.day(session(2, 51, 56, 50, 54))
    assert differences(database, desk) == []
    with sync_engine(database, "read").connect() as connection:
        rows = {row["id"]: row for row in connection.execute(select(composites)).mappings()}
        children = select(orders.c.leg, orders.c.state).where(orders.c.parent == one.id).order_by(orders.c.created_at)
        placed = {row.leg: row.state for row in connection.execute(children)}
    assert (rows[one.id]["kind"], rows[one.id]["state"], rows[one.id]["quantity"]) == ("bracket", "DONE", 100)
    assert rows[one.id]["filled"] == {"entry": "100", "target": "100"}
    assert (rows[refused.id]["state"], rows[refused.id]["rule"]) == ("REFUSED", "tick-size")
    assert placed == {"entry": "FILLED", "stop": "CANCELLED", "target": "FILLED"}


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(actions, min_size=10, max_size=30))
def test_rows_agree_with_the_fold_whatever_happens(steps: list[object]) -> None:
    life = Life()
    for step in [("bar", (50.0, 50.0, 50.0, 50.0, 1_000.0)), *steps]:
        life.do(step)
    with TemporaryDirectory() as folder:
        assert differences(Database(Path(folder)), life.desk) == []
