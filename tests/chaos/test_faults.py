"""Other deaths and faults: the venue's, both at once, a lost link, a full disk, a second owner, a quiet end."""

import asyncio
import resource
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from evenkeel.domain.clock import parse_iso
from evenkeel.domain.marketdata import Bar, MarketSlice
from evenkeel.trading.brokers.simulated.remote import RemoteSimulatedBroker
from evenkeel.trading.brokers.simulated.wire import Faults
from tests.chaos.kills import misfortune
from tests.chaos.processes import EVENKEEL, Desk, short_folder, surroundings, until
from tests.chaos.timeline import Timeline
from tests.chaos.trader import Client
from tests.chaos.world import DEMO, SIMULATED, World, world
from tests.plan import ChaosPlan

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(300)]
DAY = 86_400 * 10**9
CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'evenkeel journal'"


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as made:
        yield made


@pytest.fixture
async def made(folder: Path, chaos_plan: ChaosPlan, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A world on a made-up market, with three accounts and a trader that has not begun."""
    seed = chaos_plan.random(request.node.name)
    async with world(folder, seed, Timeline(chaos_plan.seed), arguments=SIMULATED) as opened:
        with opened.timeline.telling():
            yield opened


async def loaded(world: World, orders: int) -> None:
    """Trades until so many more orders have been acknowledged."""
    before = len(world.trader.acknowledged())
    world.trader.start()
    await until(lambda: len(world.trader.acknowledged()) >= before + orders, f"{orders} orders are acknowledged")


async def ready(world: World) -> None:
    await world.desk.ready()


async def test_the_venue_is_killed_and_comes_back(made: World, chaos_plan: ChaosPlan) -> None:
    """Evenkeel lives on: its accounts close, no order is sent twice, and the books agree without a restart."""
    for _ in range(5 if chaos_plan.is_full else 1):
        await loaded(made, 30)
        made.venue.kill()
        made.timeline.note("venue killed")
        await until(lambda: not_ready(made), "every account is closed")
        await made.trader.stop()
        await made.venue.start()
        await ready(made)
        await made.check()


async def not_ready(world: World) -> bool:
    held = (await world.client.get("/accounts"))["items"]
    return all(account["readiness"] == "NOT_READY" for account in held)


async def test_both_are_killed_at_once(made: World, chaos_plan: ChaosPlan) -> None:
    for _ in range(5 if chaos_plan.is_full else 1):
        await loaded(made, 30)
        made.venue.kill()
        made.kill("and the venue with it")
        await made.trader.stop()
        made.gate.cut()
        await made.venue.start()
        await made.restart()
        await made.check()


async def test_a_long_misfortune(made: World, chaos_plan: ChaosPlan) -> None:
    """Many seconds of lost and late answers, with time-outs and look-ups; what was lost is found at the next start."""
    await made.afflict(misfortune(made))
    wanted = 60 if chaos_plan.is_full else 15
    await loaded(made, wanted)
    await until(lambda: len(made.gate.placed) >= wanted, f"the venue was sent {wanted} orders", 240)
    made.kill("after a long misfortune")
    await made.settle()
    await made.restart()
    await made.check()


async def test_the_link_is_lost_and_orders_fill_meanwhile(made: World) -> None:
    """While away nothing is sent; fills of the meantime are booked once when the link is back, without a restart."""
    await loaded(made, 40)
    await made.trader.stop()
    await made.client.feed("pause")
    await rest_some(made)
    await until(lambda: agreed(made), "nothing is on its way")
    before = executions(made)
    made.gate.is_shut = True
    made.gate.cut()
    await until(lambda: not_ready(made), "every account is closed")
    sent = made.gate.placed.total()
    refused = await made.trader.send(made.trader.draw())
    assert refused is not None
    assert refused["state"] == "REFUSED"
    assert refused["rule"] is not None
    await move_market(made)
    assert executions(made) > before
    made.gate.is_shut = False
    await ready(made)
    assert made.gate.placed.total() == sent
    await made.check()


def executions(world: World) -> int:
    return sum(map(len, world.venue.book().executions.values()))


async def rest_some(world: World) -> None:
    """Working orders in a fresh account that fill at the next market, whatever it is."""
    answer = await world.client.call("POST", "/accounts", {"name": "Resting", "cash": "100000"})
    account_id = answer.json()["id"]
    world.trader.accounts.append(account_id)
    await world.desk.ready()
    for _ in range(5):
        name = world.trader.draw(account_id)
        body = world.trader.orders[name].body
        body.pop("stop_price", None)
        body |= {"side": "BUY", "kind": "LIMIT", "quantity": "1", "time_in_force": "GTC"}
        body["limit_price"] = f"{world.trader.prices[body['symbol']] * 1.05:.2f}"
        placed = await world.trader.send(name)
        assert placed is not None
        assert placed["state"] in ("SUBMITTED", "ACCEPTED"), placed["reason"]


async def move_market(world: World) -> None:
    """Shows the venue one more day, from elsewhere than Evenkeel."""
    clock = parse_iso((await world.client.get("/system/status"))["clock"])
    bars = []
    for one in (await world.client.get("/market/symbols"))["items"]:
        price = world.trader.prices[one["symbol"]]
        opened, closed = clock + DAY // 4, clock + DAY // 2
        bars.append(Bar(one["id"], opened, closed, price, price * 1.01, price * 0.99, price, volume=1e6))
    elsewhere = RemoteSimulatedBroker(world.venue.socket)
    await elsewhere.connect()
    await elsewhere.observe(MarketSlice(clock + DAY // 2, tuple(bars)))
    await elsewhere.disconnect()


async def test_a_silent_venue_is_left_and_found_again(made: World) -> None:
    """The link stays open and nothing is answered: orders are in doubt or unsent, then known, without a restart."""
    await loaded(made, 20)
    before = made.gate.placed.total()
    await made.afflict(Faults(silent=True))

    async def met_the_silence() -> bool:
        return made.gate.placed.total() > before or bool(await not_ready(made))

    await until(met_the_silence, "an order goes into the silence, or the link is found to be dead", 60)
    await made.trader.stop()
    await made.afflict(Faults())
    await until(lambda: agreed(made), "every order is known again", 60)
    await made.check()


async def agreed(world: World) -> bool:
    items = (await world.client.get("/trading/orders?status=IN_DOUBT&limit=1"))["items"]
    return not items and not await not_ready(world)


async def test_a_second_owner_is_refused_and_told_the_pid(made: World) -> None:
    """On SQLite by the lock of the home: exit code 1, the pid named, no traceback, and the first goes on."""
    command = [EVENKEEL, "up", "--home", str(made.desk.home), "--port", "0"]
    second = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, env=surroundings(), timeout=60, check=False
    )
    assert second.returncode == 1
    assert f"process {made.desk.child.pid}" in second.stderr
    assert "Traceback" not in second.stderr + second.stdout
    await loaded(made, 5)
    await made.trader.stop()
    await made.check()


async def test_it_ends_quietly_when_told_to(made: World) -> None:
    """SIGTERM under load: within five seconds, exit code 0, and nothing is lost."""
    await loaded(made, 20)
    begun = time.monotonic()
    assert await asyncio.to_thread(made.desk.child.terminate) == 0
    took = time.monotonic() - begun
    assert took < 5, f"it took {took:.1f} s to stop"
    assert "Traceback" not in made.desk.child.said(), made.desk.child.said()
    await made.settle()
    await made.restart()
    await made.check()


async def test_a_full_disk_halts_trading_and_nothing_else(made: World) -> None:
    """No batch can be written: orders are declined, everything can be read, and a restart goes on with all of it."""
    await loaded(made, 20)
    pid = made.desk.child.pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (16_384, resource.RLIM_INFINITY))
    made.timeline.note("the disk is full")
    await until(lambda: halted(made), "trading has halted")
    await made.trader.stop()
    answer = await made.client.call("POST", "/trading/orders", made.trader.orders[made.trader.draw()].body)
    assert answer.status_code == 503
    assert "halted" in answer.json()["detail"]
    found = {order["id"] for order in await made.client.every("/trading/orders")}
    for name in made.trader.acknowledged():
        told = made.trader.orders[name].answer
        assert told is not None
        assert told["id"] in found
    report = await made.desk.doctor()
    assert report["ok"], report["differences"]
    assert report["orders"] == len(found)
    assert await asyncio.to_thread(made.desk.child.terminate) == 0
    made.gate.cut()
    await made.restart()
    await made.check()


async def halted(world: World) -> bool:
    return (await world.client.http.get(f"{world.desk.url}/readyz")).status_code == 503


@pytest.mark.service
async def test_the_connection_to_the_database_is_cut(folder: Path, chaos_plan: ChaosPlan, postgres_url: str) -> None:
    """The server ends the journal's connection under load: what may be committed is read back, and trading goes on."""
    seed, timeline = chaos_plan.random("cut"), Timeline(chaos_plan.seed)
    async with world(folder, seed, timeline, arguments=SIMULATED, database_url=postgres_url) as made:
        made.trader.start()
        for _ in range(10 if chaos_plan.is_full else 3):
            before = len(made.trader.acknowledged())
            with psycopg.connect(postgres_url) as admin:
                admin.execute(CUT)
            await until(lambda wanted=before + 10: len(made.trader.acknowledged()) >= wanted, "it goes on")
        await made.trader.stop()
        await made.check()


async def test_a_first_start_may_be_killed_at_any_moment(folder: Path, chaos_plan: ChaosPlan) -> None:
    """Half of a beginning is never kept: three accounts and four strategies, or none yet."""
    seed = chaos_plan.random("first start")
    for number in range(10 if chaos_plan.is_full else 2):
        place = folder / str(number)
        place.mkdir()
        desk = Desk(place, DEMO)
        try:
            for _ in range(2):
                desk.spawn()
                await until_or(desk, seed.uniform(0.3, 2.2))
                desk.kill()
            await desk.start()
            client = Client(desk.url, desk.username)
            await client.sign_in()
            assert len((await client.get("/accounts"))["items"]) == 3
            assert len((await client.get("/strategies"))["items"]) == 4
            await client.close()
            report = await desk.doctor()
            assert report["ok"], report["differences"]
        finally:
            desk.kill()


async def until_or(desk: Desk, seconds: float) -> None:
    """Waits so long, and sees to it that the process did not end by itself meanwhile."""
    over = time.monotonic() + seconds
    await until(lambda: time.monotonic() >= over, "the moment", seconds + 5)
    assert desk.child.is_alive, desk.child.said()


async def test_killed_while_reading_and_signing_in(folder: Path) -> None:
    """The port is free for the next process at once, and a token outlives its process."""
    desk = Desk(folder, SIMULATED)
    try:
        await desk.start()
        client = Client(desk.url, desk.username)
        await client.sign_in()
        token = client.token
        desk.kill()
        await desk.start()
        assert (await client.get("/auth/me"))["username"] == "owner"
        assert client.token == token
        await client.close()
    finally:
        desk.kill()
