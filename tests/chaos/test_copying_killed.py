"""Killed at random moments while a master trades: of what its followers copied nothing is lost, and nothing doubled."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.chaos import copied
from tests.chaos.books import ours
from tests.chaos.kills import drawn
from tests.chaos.processes import short_folder, until
from tests.chaos.timeline import Timeline
from tests.chaos.world import SETTLED_WITHIN, SIMULATED, World, world
from tests.plan import ChaosPlan

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    # A client that is connecting in the very moment of a kill is left with a socket that nobody closes.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
LINKS: tuple[dict[str, Any], ...] = (
    {"mode": "fills", "max_age": 60},
    {"mode": "fills", "sizing": {"by": "multiplier", "factor": "0.3"}, "max_age": 60},
    {"mode": "fills", "sizing": {"by": "equity"}, "max_slippage": "0.02", "max_age": 1},
    {"mode": "fills", "symbol_map": [{"symbol": "AAPL", "to": "IBM", "quantity": "0.5"}], "max_age": 60},
    {"mode": "orders", "max_age": 60},
    {"mode": "orders", "sizing": {"by": "multiplier", "factor": "0.3"}},
    {"mode": "orders", "sizing": {"by": "fixed", "quantity": "4"}, "side": "long"},
)


async def _link(made: World) -> None:
    """The trader's account is the master, which may do anything; each follower has an account of its own."""
    ids = []
    for name in ("Master", *(f"Follower {number}" for number in range(len(LINKS)))):
        body = {"name": name, "cash": "500000", "type": "margin"}
        answer = await made.client.call("POST", "/accounts", body)
        assert answer.status_code == 201, answer.text
        ids.append(answer.json()["id"])
        free = {"max_position_share": None, "daily_loss": None, "max_trades_per_day": None, "allow_short": True}
        answer = await made.client.call("PATCH", f"/accounts/{ids[-1]}/limits", free)
        assert answer.status_code == 200, answer.text
    master, *followers = ids
    for follower, terms in zip(followers, LINKS, strict=True):
        body = {"master_id": master, "follower_id": follower, **terms}
        answer = await made.client.call("POST", "/accounts/copy", body)
        assert answer.status_code == 201, answer.text
    made.trader.accounts = [master]
    await made.desk.ready()


async def _agree(made: World) -> str:
    """Waits until every link has come to rest and does what it says; raises AssertionError with all that is wrong."""
    wrong: list[str] = []
    shown: list[copied.Link] = []
    lately: list[str] = []

    async def agrees() -> bool:
        shown[:] = await copied.links(made.client)
        found = await ours(made.client)
        by_link = [(link, copied.differences(link, found)) for link in shown]
        wrong[:] = [words for _, said in by_link for words in said]
        lately[:] = [words for link, said in by_link if said for words in copied.lately(link, found)]
        return not wrong

    try:
        await until(agrees, "the links do what they say", SETTLED_WITHIN)
    except AssertionError as error:
        said = ["the links do not do what they say:", *wrong[:12], "what happened there last:", *lately[:60]]
        raise AssertionError("\n".join(said)) from error
    return f"{sum(link.shown['events'] for link in shown)} events, {sum(link.shown['skips'] for link in shown)} skips"


async def _shake(
    plan: ChaosPlan, name: str, *, kills: int, arguments: Sequence[str] = SIMULATED, url: str | None = None
) -> None:
    seed, timeline = plan.random(f"copying on {name}"), Timeline(plan.seed)
    with short_folder() as folder:
        async with world(folder, seed, timeline, arguments=arguments, database_url=url, accounts=0) as made:
            await _link(made)
            for number, kill in enumerate(drawn(seed, kills), start=1):
                made.trader.start()
                why = await kill(made)
                made.kill(f"{number} of {kills}, {why}")
                await made.settle()
                await made.restart()
                await made.check()
                await made.client.feed("pause")
                counts = await _agree(made)
                await made.client.feed("resume")
                print(f"  copying, {name} {number}/{kills}: {why}; {made.counts}, {counts}", flush=True)


async def test_copies_survive_kills_on_sqlite(chaos_plan: ChaosPlan) -> None:
    await _shake(chaos_plan, "sqlite", kills=chaos_plan.sqlite_kills)


@pytest.mark.service
async def test_copies_survive_kills_on_postgresql(chaos_plan: ChaosPlan, postgres_url: str) -> None:
    await _shake(chaos_plan, "postgresql", kills=chaos_plan.postgres_kills, url=postgres_url)
