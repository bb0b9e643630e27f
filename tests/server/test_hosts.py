"""Where strategies run, over HTTP and in the metrics; and a real desk whose user brings an endless strategy along."""

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from evenkeel.trading.live.feed import FeedControl
from evenkeel.trading.live.hosting.ports import HostStatus
from tests.chaos.processes import short_folder
from tests.e2e.desks import Api, Demo, until
from tests.server.test_jobs import parent_of, said_by
from tests.server.world import World

ENDLESS = """
from evenkeel.trading.strategies import Strategy


class Endless(Strategy):
    name = "endless"

    def on_bar(self, ctx, bar):
        print("it has begun")
        while True:
            pass
"""


class Running(FeedControl):
    """A feed whose strategies run in two users' hosts."""

    def __init__(self, world: World) -> None:
        super().__init__(world.runner, None, None)
        self.found = [
            HostStatus(world.owner.id, 4711, ("Trend", "Levels"), 2, 0, 0.0021, 0.7),
            HostStatus(world.other.id, 4712, ("Theirs",), 0, 3, 0.001, 0.002),
            HostStatus("nobody-now", None, (), 5, 0, 0.0, 0.0),
        ]

    def hosts(self) -> Sequence[HostStatus]:
        return self.found


async def test_the_owner_sees_all_hosts_and_others_their_own(desk: World) -> None:
    desk.parts.feed = Running(desk)
    async with await desk.signed_in() as client:
        items = (await client.get("/api/v2/system/hosts")).json()["items"]
    own = {
        "id": desk.owner.id,
        "pid": 4711,
        "strategies": ["Trend", "Levels"],
        "restarts": 2,
        "behind": 0,
        "last_ms": 2.1,
        "longest_ms": 700.0,
    }
    assert items[0] == own
    assert [one["pid"] for one in items] == [4711, 4712]
    async with await desk.signed_in(desk.other) as client:
        items = (await client.get("/api/v2/system/hosts")).json()["items"]
    assert [one["pid"] for one in items] == [4712]


async def test_metrics_tell_how_hosts_do_once_there_was_one(desk: World) -> None:
    desk.parts.feed = Running(desk)
    assert b"strategy_" not in desk.parts.metrics.render()
    desk.parts.metrics.observe_exchange(0.003)
    said = desk.parts.metrics.render().decode()
    for line in (
        "evenkeel_strategy_hosts 2.0",
        "evenkeel_strategy_host_restarts_total 7.0",
        "evenkeel_strategy_moments_behind 3.0",
        'evenkeel_strategy_exchange_seconds_bucket{le="0.005"} 1.0',
        "evenkeel_strategy_exchange_seconds_sum 0.003",
    ):
        assert line in said


def hosts_of(server: int) -> list[int]:
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if parent_of(pid) == server and b"strategies.process" in said_by(pid, "cmdline")]


def paused(api: Api, name: str) -> str:
    found = next(one for one in api.get("/strategies")["items"] if one["name"] == name)
    return (found["status_reason"] or "") if found["status"] == "paused" else ""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_an_endless_strategy_of_a_real_desk_and_what_a_kill_leaves_behind() -> None:
    with short_folder() as folder:
        demo = Demo(folder, "--speed", "20", "--log-level", "info")
        (demo.home / "strategies").mkdir(parents=True, mode=0o700)
        (demo.home / "strategies" / "endless.py").write_text(ENDLESS, encoding="utf-8")
        try:
            demo.start()
            api = demo.api()
            until(lambda: api.get("/system/hosts")["items"], "strategies run", 30)
            share = {"account_id": api.get("/accounts")["items"][0]["id"], "allocation": "0.01"}
            body = {"name": "Bad", "template": "endless", "symbols": ["AAPL"], "accounts": [share]}
            answer = api.client.post("/strategies", json=body)
            assert answer.status_code == 201, answer.text
            until(lambda: api.get("/system/hosts")["items"][0]["restarts"], "its host was ended", 30)
            longest = 0.0
            for _ in range(20):
                began = time.monotonic()
                api.get("/system/status")
                longest = max(longest, time.monotonic() - began)
            assert longest < 1.0
            bad = until(lambda: paused(api, "Bad"), "the endless one is paused", 30)
            assert "took longer than its deadline of 1 s" in bad
            until(lambda: api.get("/system/hosts")["items"][0]["behind"] == 0, "the others have caught up", 30)
            (host,) = api.get("/system/hosts")["items"]
            assert "Bad" not in host["strategies"]
            assert len(host["strategies"]) == 4
            assert hosts_of(demo.child.pid) == [host["pid"]]
            assert '"deployment": "Bad"' in demo.child.said()
            assert "it has begun" in demo.child.said()
            demo.kill()
            until(lambda: not said_by(host["pid"], "cmdline"), "the host is gone with its desk", 10)
            demo.start()
            api = demo.api()
            until(lambda: api.get("/system/hosts")["items"], "strategies run again", 30)
            (host,) = api.get("/system/hosts")["items"]
            assert demo.doctor()["ok"]
        finally:
            demo.stop()
        assert not said_by(host["pid"], "cmdline"), "a desk that stops in good order leaves none either"
