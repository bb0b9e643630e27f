"""The venue as a process: its book outlives it, and every fault it can inject shows as the error it should be."""

import asyncio
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from evenkeel.domain.errors import BrokerUnavailable, OutcomeUnknown
from evenkeel.domain.orders import OrderState, Side, TimeInForce
from evenkeel.trading.brokers.simulated.wire import Faults
from tests.contracts.broker_contract import listening
from tests.contracts.samples import ACME, CASH, D, bar, cancellation, closes, flat, opens, shown, spec, ticket
from tests.contracts.venues import MODULE, OwnProcess

GTC = TimeInForce.GTC


@pytest.fixture
async def venue(tmp_path: Path) -> AsyncIterator[OwnProcess]:
    venue = OwnProcess(tmp_path)
    await venue.start()
    await venue.connect()
    yield venue
    await venue.stop()


async def impatient(venue: OwnProcess) -> None:
    """Replaces the broker by one that waits a third of a second only."""
    await venue.broker.disconnect()
    venue.broker = venue.client(timeout=0.3)
    await venue.broker.connect()


async def test_it_says_how_durable_its_book_is(venue: OwnProcess) -> None:
    assert venue.settings["journal_mode"] == "wal"
    assert venue.settings["synchronous"] == "2"
    assert venue.settings["listening"] == venue.socket


async def test_the_book_survives_a_kill_of_the_venue(venue: OwnProcess) -> None:
    broker = venue.broker
    await broker.place(ticket("A", spec(time_in_force=GTC)))
    await broker.place(ticket("B", spec(limit=5, stop=6)))
    await broker.place(ticket("C", spec(time_in_force=GTC)))
    await broker.cancel(cancellation("C"))
    await venue.show(shown(flat(1, 5.5, volume=600)))
    await broker.move_cash("alpha", D(7), currency="USD", reference="r")
    before = [
        await broker.account_summary("alpha"),
        await broker.executions("alpha", 0),
        [await broker.order_status("alpha", name) for name in "ABC"],
    ]
    await venue.kill()
    assert not await _answers(venue)
    await venue.start()
    await venue.connect()
    after = [
        await broker.account_summary("alpha"),
        await broker.executions("alpha", 0),
        [await broker.order_status("alpha", name) for name in "ABC"],
    ]
    assert after == before
    await venue.show(shown(flat(1, 5.5, volume=600)))
    assert await broker.executions("alpha", 0) == before[1]
    await venue.show(shown(flat(2, 5.0)))
    assert [f.quantity for f in await broker.executions("alpha", 0)] == [D(60), D(40)]
    expired = await broker.order_status("alpha", "B")
    assert expired is not None
    assert expired.state is OrderState.EXPIRED
    await broker.move_cash("alpha", D(7), currency="USD", reference="r")
    assert (await broker.balance("alpha")).cash["USD"] == CASH + 7 - 60 * D("5.5") - 40 * 5


async def test_exits_meet_their_bar_though_the_venue_dies_before_they_have(venue: OwnProcess) -> None:
    stop = msgspec.structs.replace(spec(Side.SELL, stop=9, time_in_force=GTC), link="L")
    await venue.broker.place(ticket("S", stop))
    market = shown(bar(1, 10, 10, 8, 8))
    await venue.show(market)
    assert await venue.broker.executions("alpha", 0) == ()
    await venue.kill()
    await venue.start()
    await venue.connect()
    await venue.show(market)
    for _ in range(2):
        await venue.market.finish(market)
    assert [f.price for f in await venue.broker.executions("alpha", 0)] == [D(9)]


async def _answers(venue: OwnProcess) -> bool:
    try:
        await venue.broker.positions("alpha")
    except BrokerUnavailable:
        return False
    return True


async def test_a_death_in_the_middle_of_an_order_leaves_it_unknown_and_the_link_down(venue: OwnProcess) -> None:
    await venue.broker.inject(Faults(slow=5))
    async with listening(venue.broker) as listener:
        placing = asyncio.create_task(venue.broker.place(ticket("A", spec(time_in_force=GTC))))
        await listener.hears("A", "Accepted")
        await venue.kill()
        with pytest.raises(OutcomeUnknown):
            await placing
        await listener.until(lambda: listener.ended)
    with pytest.raises(BrokerUnavailable):
        await venue.broker.place(ticket("B", spec()))
    with pytest.raises(BrokerUnavailable):
        await venue.broker.connect()
    await venue.start()
    await venue.connect()
    found = await venue.broker.order_status("alpha", "A")
    assert found is not None
    assert found.state is OrderState.ACCEPTED
    assert await venue.broker.order_status("alpha", "B") is None


@pytest.mark.parametrize(
    ("faults", "arrived"),
    [
        (Faults(lost_request=1), False),
        (Faults(lost_reply=1), True),
        (Faults(late_reply=1, delay=0.6), True),
        (Faults(cut_reply=1), True),
        (Faults(slow=0.6), True),
    ],
)
async def test_an_unanswered_order_is_unknown_until_looked_up(venue: OwnProcess, faults: Faults, arrived: bool) -> None:
    await impatient(venue)
    await venue.broker.inject(faults)
    with pytest.raises(OutcomeUnknown):
        await venue.broker.place(ticket("A", spec(time_in_force=GTC)))
    await venue.market.inject(Faults())
    await venue.broker.connect()
    await asyncio.sleep(0.4 if faults.slow else 0)
    found = await venue.broker.order_status("alpha", "A")
    assert (found is not None) is arrived
    await venue.broker.place(ticket("A", spec(time_in_force=GTC)))
    assert len(await venue.broker.open_orders("alpha")) == 1


async def test_a_silent_venue_makes_queries_unavailable_and_orders_unknown(venue: OwnProcess) -> None:
    await impatient(venue)
    await venue.broker.inject(Faults(silent=True))
    with pytest.raises(BrokerUnavailable, match="did not answer"):
        await venue.broker.positions("alpha")
    with pytest.raises(OutcomeUnknown, match="did not answer"):
        await venue.broker.cancel(cancellation("A"))
    assert venue.broker.is_connected()
    other = venue.client(timeout=0.2)
    with pytest.raises(BrokerUnavailable):
        await other.connect()
    assert not other.is_connected()


async def test_an_incomplete_list_is_an_error(venue: OwnProcess) -> None:
    await venue.broker.place(ticket("A", spec(time_in_force=GTC)))
    await venue.broker.inject(Faults(incomplete=True))
    for asked in (venue.broker.open_orders("alpha"), venue.broker.positions("alpha")):
        with pytest.raises(BrokerUnavailable, match="incomplete"):
            await asked


async def test_duplicate_late_and_shuffled_events(venue: OwnProcess) -> None:
    async with listening(venue.broker) as listener:
        await venue.broker.inject(Faults(duplicate_events=1))
        await venue.broker.place(ticket("A", spec(time_in_force=GTC)))
        await listener.hears("A", "Accepted", "Accepted")
        await venue.broker.inject(Faults(late_events=1, delay=0.2))
        await venue.broker.place(ticket("B", spec(limit=11, stop=10, time_in_force=GTC)))
        assert listener.of("B") == []
        await listener.hears("B", "Accepted")
        await venue.broker.inject(Faults(shuffled_events=1, seed=3))
        await venue.show(shown(flat(1, 10.0)))
        await listener.until(lambda: len(listener.heard) == 6)
        order = [type(event).__name__ for event in listener.heard[3:]]
    assert sorted(order) == ["VenueFilled", "VenueFilled", "VenueTriggered"]


async def test_lost_events_are_found_by_asking(venue: OwnProcess) -> None:
    async with listening(venue.broker) as listener:
        await venue.broker.inject(Faults(lost_events=1))
        await venue.broker.place(ticket("A", spec(time_in_force=GTC)))
        await venue.show(shown(flat(1, 10.0)))
        assert len(await venue.broker.executions("alpha", closes(0))) == 1
        assert listener.heard == []


async def test_rolled_back_ids_name_two_orders_with_one(venue: OwnProcess) -> None:
    async with listening(venue.broker) as listener:
        await venue.broker.place(ticket("A", spec(time_in_force=GTC)))
        await venue.broker.inject(Faults(reuse_ids=1))
        await venue.broker.place(ticket("B", spec(time_in_force=GTC)))
        await listener.until(lambda: len(listener.heard) == 2)
    assert listener.heard[0].venue_order_id == listener.heard[1].venue_order_id


async def test_the_same_seed_meets_the_same_faults(venue: OwnProcess) -> None:
    await impatient(venue)

    async def run(round_: str) -> list[bool]:
        await venue.broker.inject(Faults(seed=11, lost_request=0.3))
        reached = []
        for number in range(8):
            name = f"{round_}{number}"
            await asyncio.gather(venue.broker.place(ticket(name, spec())), return_exceptions=True)
            reached.append(await venue.broker.order_status("alpha", name) is not None)
        return reached

    first = await run("A")
    assert first == await run("B")
    assert set(first) == {True, False}


async def test_it_listens_on_a_port_too(tmp_path: Path) -> None:
    venue = OwnProcess(tmp_path, port=0)
    await venue.start()
    await venue.connect()
    await venue.broker.place(ticket("A", spec()))
    await venue.show(shown(flat(1, 10.0)))
    assert [q.last for q in await venue.broker.quotes((ACME.id,))] == [10.0]
    assert await venue.broker.history(ACME.id, timeframe="1d", start=opens(1), end=opens(2))
    assert await venue.stop() == 0


async def test_nonsense_on_the_wire_ends_that_link_only(venue: OwnProcess) -> None:
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(venue.socket)
        link.sendall(b"\x00\x00\x00\x02\xff\xff")
        assert await asyncio.to_thread(link.recv, 1) == b""
    assert await venue.broker.positions("alpha") == ()


async def run_venue(*arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", MODULE, *arguments, stdout=PIPE, stderr=PIPE)
    _, stderr = await process.communicate()
    return process.returncode, stderr.decode()


async def test_it_refuses_to_start_with_a_reason(venue: OwnProcess, tmp_path: Path) -> None:
    book, door = str(tmp_path / "other.db"), str(tmp_path / "other.sock")
    held = str(tmp_path / "book.db")
    (tmp_path / "text.db").write_text("this is not a database, and long enough to be told apart from one" * 20)
    for arguments, why in (
        (("--book", held, "--socket", door), "held by another process"),
        (("--book", book, "--socket", venue.socket), "another process listens"),
        (("--book", str(tmp_path / "text.db"), "--socket", door), "is not a book"),
        (("--book", book, "--socket", door, "--faults", '{"slow": "x"}'), "--faults"),
        (("--book", book, "--socket", door, "--faults", '{"slwo": 1}'), "slwo"),
        (("--book", book, "--socket", door, "--participation", "2"), "--participation"),
        (("--book", book, "--socket", "/" + "x" * 200), "cannot listen"),
    ):
        code, said = await run_venue(*arguments)
        assert code == 1, arguments
        assert why in said
        assert "Traceback" not in said
