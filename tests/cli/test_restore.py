"""A backup restored by the front door while its broker has gone on: SQLite and PostgreSQL.

F32: what was sent since the backup is found at the venue and taken in, nothing is sent again, and nothing that adds
risk leaves before that (I4).
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.processes import Desk, Venue, short_folder
from tests.cli.desk import clean_environment, evenkeel, until
from tests.postgres import PostgresCluster

FEED = ("--feed", "simulated", "--speed", "4")


class Place:
    """A folder with a venue, and desks on homes in it."""

    def __init__(self, folder: Path, url: str | None) -> None:
        self.folder, self.venue = folder, Venue(folder)
        self.desk = Desk(folder, ["up", *FEED, "--broker-socket", self.venue.socket], database_url=url)
        self.env = clean_environment(folder) | ({"EVENKEEL_DATABASE_URL": url} if url else {})

    def ask(self, *arguments: object) -> Any:
        done = evenkeel(*arguments, "--json", "--home", self.desk.home, env=self.env)
        return json.loads(done.stdout)

    @property
    def symbol(self) -> str:
        return str(self.ask("market", "symbols")["items"][0]["symbol"])

    @property
    def low(self) -> str:
        """Three quarters of the last price: it rests."""
        found = self.ask("market", "quotes", self.symbol)["items"][0]
        return f"{float(found['last']) * 0.75:.0f}"

    def order(self, quantity: int) -> str:
        """An order far below the market, which rests at the venue."""
        placed = self.ask("order", "place", "Main", "buy", quantity, self.symbol, "--limit", self.low, "--tif", "gtc")
        until(lambda: self.ask("order", "show", placed["id"])["state"] != "SUBMITTED")
        shown = self.ask("order", "show", placed["id"])
        assert shown["state"] == "ACCEPTED", shown
        return str(placed["id"])

    def at_venue(self) -> Counter[str]:
        """How many orders the venue has, by quantity."""
        return Counter(str(one.spec.quantity) for one in self.venue.book().orders.values())

    def known(self) -> Counter[str]:
        return Counter(one["quantity"] for one in self.ask("order", "list", "--limit", "100")["items"])


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.service)])
def places(request: pytest.FixtureRequest) -> Iterator[tuple[Place, Place]]:
    """Two places in one folder: the second has another home, and another database where there is one."""
    with ExitStack() as stack:
        urls: list[str | None] = [None, None]
        if request.param == "postgresql":
            cluster: PostgresCluster = request.getfixturevalue("postgres_cluster")
            urls = [stack.enter_context(cluster.database()) for _ in urls]
        folder = stack.enter_context(short_folder())
        first, second = (Place(folder, url) for url in urls)
        second.desk.home = folder / "second"
        second.desk._command[second.desk._command.index("--home") + 1] = str(second.desk.home)
        stack.callback(first.venue.kill)
        stack.callback(second.desk.kill)
        stack.callback(first.desk.kill)
        yield first, second


@pytest.mark.slow
async def test_a_restored_desk_takes_in_what_it_does_not_know_and_sends_nothing_twice(
    places: tuple[Place, Place],
) -> None:
    first, second = places
    await first.venue.start()
    await first.desk.start()
    first.ask("account", "open", "Main", "--cash", "100000")
    first.order(1)
    until(lambda: first.ask("doctor")["lag"] == 0)
    backup = first.ask("backup", "--to", first.folder / "copies")
    first.order(2)
    first.order(3)
    first.desk.kill()
    before = first.at_venue()
    url = ("--database-url", second.env["EVENKEEL_DATABASE_URL"]) if "EVENKEEL_DATABASE_URL" in second.env else ()
    restored = second.ask("restore", backup["path"], *url)
    assert restored["doctor"]["ok"]
    assert (restored["doctor"]["open_orders"], restored["doctor"]["lag"]) == (1, 0)
    second.venue = first.venue
    await second.desk.start()
    assert second.at_venue() == before
    assert Counter({"1": 1, "2": 1, "3": 1}) == second.known()
    alerts = [one["kind"] for one in second.ask("events", "--limit", "100")["items"]]
    assert alerts.count("external-order") == 2
    second.order(4)
    assert second.at_venue() == before + Counter({"4": 1})
    report = await second.desk.doctor()
    assert report["ok"], report["differences"]
