"""Killed at random moments and between send and reply, under load: nothing is lost and nothing is doubled."""

from collections.abc import Sequence

import pytest

from tests.chaos.kills import drawn
from tests.chaos.processes import short_folder
from tests.chaos.timeline import Timeline
from tests.chaos.world import DEMO, SIMULATED, world
from tests.plan import ChaosPlan

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    # A client that is connecting in the very moment of a kill is left with a socket that nobody closes.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


async def shake(plan: ChaosPlan, name: str, arguments: Sequence[str], *, kills: int, url: str | None = None) -> None:
    seed, timeline = plan.random(name), Timeline(plan.seed)
    with short_folder() as folder:
        async with world(folder, seed, timeline, arguments=arguments, database_url=url) as made:
            for number, kill in enumerate(drawn(seed, kills), start=1):
                made.trader.start()
                why = await kill(made)
                made.kill(f"{number} of {kills}, {why}")
                await made.settle()
                await made.restart()
                await made.check()
                print(f"  {name} {number}/{kills}: {why}; {made.counts}", flush=True)


async def test_kills_on_sqlite(chaos_plan: ChaosPlan) -> None:
    await shake(chaos_plan, "sqlite", DEMO, kills=chaos_plan.sqlite_kills)


@pytest.mark.service
async def test_kills_on_postgresql(chaos_plan: ChaosPlan, postgres_url: str) -> None:
    await shake(chaos_plan, "postgresql", SIMULATED, kills=chaos_plan.postgres_kills, url=postgres_url)
