"""Schedules of rebalancing and their runs as rows."""

from sqlalchemy import select

from evenkeel.domain import commands as c
from evenkeel.domain.rebalance_schedules import HOUR, Cadence, Mode, RunState, Schedule, Timing
from evenkeel.storage.database import Database
from evenkeel.storage.doctor import examine
from evenkeel.storage.engines import sync_engine
from evenkeel.storage.tables.rebalancing import rebalance_runs, rebalance_schedules
from tests.storage.stories import projected
from tests.trading.engine.portfolios.test_rebalancing import SALE
from tests.trading.engine.portfolios.test_scheduling import MONTHLY, answer, run_of, scheduled
from tests.trading.engine.world import WHO, World


def lived() -> World:
    """A run that came to nothing, one that was declined, one that waits; and another schedule than at first."""
    made = scheduled()
    made.step(run_of(made, RunState.SKIPPED))
    made.step(run_of(made, RunState.PROPOSED, SALE, later=2 * HOUR))
    made.step(answer(made, approve=False, later=2 * HOUR))
    daily = Schedule(Timing(Cadence.DAILY), MONTHLY.aim, Mode.TRADE)
    made.step(c.SetRebalanceSchedule(provenance=WHO, portfolio_id="fund", schedule=daily))
    made.step(run_of(made, RunState.PROPOSED, SALE, later=3 * HOUR))
    return made


def test_a_row_each(database: Database) -> None:
    made = lived()
    projected(database, made.records)
    assert examine(database).differences == []
    with sync_engine(database, "migrate").connect() as connection:
        (schedule,) = connection.execute(select(rebalance_schedules)).mappings().all()
        runs = connection.execute(select(rebalance_runs).order_by(rebalance_runs.c.due)).mappings().all()
    assert (schedule["auto_rebalance"], schedule["rebalance_frequency"], schedule["is_active"]) == (True, "daily", True)
    assert schedule["schedule"]["mode"] == "trade"
    assert [one["state"] for one in runs] == ["SKIPPED", "DECLINED", "PROPOSED"]
    assert [one["ended_at"] is None for one in runs] == [False, False, True]
    assert [trade["quantity"] for trade in runs[2]["trades"]] == ["-60"]
    assert runs[2]["expires_at"] == made.state.schedules.runs["fund"][runs[2]["id"]].expires
    assert {one["actor"] for one in runs} == {"anna"}
