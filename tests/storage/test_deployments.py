"""Deployments in the tables: rules, switches and removal as the journal tells them; their signals by filter."""

import pytest
from sqlalchemy import select

from evenkeel.domain import commands as c
from evenkeel.domain import records as r
from evenkeel.domain.sizing import Cash
from evenkeel.domain.strategies import Allocation, Deployment, SwitchRules
from evenkeel.storage.database import Database
from evenkeel.storage.engines import async_engine, sync_engine
from evenkeel.storage.ownership import Owner
from evenkeel.storage.repositories import History
from evenkeel.storage.schema import upgrade
from evenkeel.storage.tables.strategies import strategies
from tests.storage.stories import SHARD, commit
from tests.storage.test_projector import projected
from tests.storage.test_repositories import Progress
from tests.trading.engine.test_switches import day
from tests.trading.engine.world import ACME, BOLT, WHO, D, World


def told() -> World:
    """A deployment that is switched off by its rule, and one that is removed."""
    world = World()
    world.account()
    world.price(ACME, 100.0)
    for name, rules in (("trend", SwitchRules(max_drawdown=0.01, recovery=0.03)), ("gone", None)):
        shares = (Allocation("A", D("0.5")),)
        deployment = Deployment(
            name,
            name,
            "sma",
            "1",
            {},
            (ACME.id, BOLT.id),
            shares,
            rules=rules,
            sizing=Cash(D(900)),
            configuration="x@1",
        )
        world.step(c.Deploy(provenance=WHO, deployment=deployment))
    world.step(c.RemoveDeployment(provenance=WHO, deployment_id="gone"))
    for number, (price, target) in enumerate([(100.0, 1.0), (100.0, 1.0), (10.0, None), (10.0, 0.5)], 1):
        day(world, number, price, target)
    return world


@pytest.fixture
def world(database: Database) -> World:
    made = told()
    with Owner(database) as owner:
        upgrade(database)
        journal = owner.journal(SHARD)
        commit(journal, made.records)
        journal.close()
    assert projected(database).differences == []
    return made


def test_the_table_says_how_each_stands(database: Database, world: World) -> None:
    with sync_engine(database, "read").connect() as connection:
        rows = {row.id: row for row in connection.execute(select(strategies))}
    trend, gone = rows["trend"], rows["gone"]
    assert (trend.rules["max_drawdown"], trend.switch["rule"], trend.removed) == (0.01, "max-drawdown", False)
    assert (trend.switch["on"], trend.sizing, trend.configuration) == (False, {"type": "cash", "amount": "900"}, "x@1")
    assert (gone.rules, gone.switch, gone.removed, gone.enabled) == (None, None, True, False)


async def test_signals_are_filtered_and_paged(database: Database, world: World) -> None:
    engine = async_engine(database)
    history = History(engine, SHARD, Progress())
    times = [one.at for one in world.of(r.SignalRecorded)]

    async def actions(**filters: object) -> list[str]:
        found, _ = await history.signals("trend", **{"limit": 10, **filters})  # type: ignore[arg-type]
        return [one.action for one in found]

    assert await actions() == ["SELL", "HOLD", "HOLD", "BUY"]
    assert await actions(action="HOLD") == ["HOLD", "HOLD"]
    assert await actions(instrument_id=BOLT.id) == []
    assert await actions(start=times[1], end=times[3], instrument_id=ACME.id) == ["HOLD", "HOLD"]
    first, cursor = await history.signals("trend", action="HOLD", limit=1)
    rest, end = await history.signals("trend", action="HOLD", limit=1, cursor=cursor)
    assert [one.at for one in (*first, *rest)] == [times[2], times[1]]
    assert end is None
    await engine.dispose()
