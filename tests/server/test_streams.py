"""The stream over a real socket: snapshots, contiguous deltas, resume, and who is turned away."""

import asyncio
import json
import secrets
import socket as sockets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from evenkeel.desk.permissions import person
from evenkeel.domain.errors import CommitFailed, NotReady
from evenkeel.market.feeds.replay import ReplayFeed
from evenkeel.server.app import local_app, rebind
from evenkeel.server.listen import listening
from evenkeel.server.streams import client as stream_client
from evenkeel.server.streams.channel import CHANNELS, RING, Channel
from evenkeel.trading.live.feed import FeedControl
from tests.server.world import OTHER_ACCOUNT, OWN_ACCOUNT, PASSWORD, World, order, signal

Message = dict[str, Any]


@asynccontextmanager
async def served(desk: World) -> AsyncIterator[str]:
    """The desk on a free port; gives host:port."""
    with sockets.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        async with listening(desk.app, sockets=[listener]):
            yield host


@pytest.fixture
async def address(desk: World) -> AsyncIterator[str]:
    async with served(desk) as host:
        yield host


async def ticket(desk: World, *, other: bool = False) -> str:
    user = desk.other if other else desk.owner
    return desk.auth.ticket_for(await desk.auth.principal(await desk.token(user), address=""))


async def open_stream(desk: World, address: str, *, other: bool = False, **more: Any) -> ClientConnection:
    return await connect(f"ws://{address}/api/v2/stream?ticket={await ticket(desk, other=other)}", proxy=None, **more)


async def hear(stream: ClientConnection, kind: str | None = None) -> Message:
    """The next message of that kind (or any but heartbeats), within five seconds."""
    async with asyncio.timeout(5):
        while True:
            message: Message = json.loads(await stream.recv())
            if kind in (None, message["type"]) and message["type"] != "heartbeat":
                return message


async def subscribe(stream: ClientConnection, channel: str, **more: Any) -> Message:
    await stream.send(json.dumps({"op": "subscribe", "channel": channel, **more}))
    return await hear(stream)


async def place(desk: World, **changes: Any) -> Message:
    async with await desk.signed_in() as client:
        answer = await client.post("/api/v2/trading/orders", json=order(**changes))
        found: Message = answer.json()
        return found


async def test_every_channel_gives_a_snapshot_of_the_right_shape(desk: World, address: str) -> None:
    await place(desk)
    async with await open_stream(desk, address) as stream:
        for name in CHANNELS:
            message = await subscribe(stream, name)
            assert (message["type"], message["channel"]) == ("snapshot", name)
            assert message["epoch"]
            assert all("id" in item for item in message["items"])
        assert [item["id"] for item in (await subscribe_again(stream, "accounts"))["items"]] == [OWN_ACCOUNT]


async def subscribe_again(stream: ClientConnection, channel: str) -> Message:
    await stream.send(json.dumps({"op": "unsubscribe", "channel": channel}))
    return await subscribe(stream, channel)


async def test_deltas_are_contiguous_and_bring_the_whole_order(desk: World, address: str) -> None:
    async with await open_stream(desk, address) as stream:
        first = await subscribe(stream, "orders")
        placed = [await place(desk, kind="LIMIT", limit_price="5") for _ in range(3)]
        await desk.runner.quiet()
        seen = [await hear(stream, "delta") for _ in range(6)]
        assert [one["seq"] for one in seen] == [first["seq"] + n for n in range(1, 7)]
        assert {one["item"]["id"] for one in seen} == {one["id"] for one in placed}
        assert {one["item"]["state"] for one in seen} == {"SUBMITTED", "ACCEPTED"}


async def test_a_client_resumes_where_it_left_off(desk: World, address: str) -> None:
    async with await open_stream(desk, address) as stream:
        first = await subscribe(stream, "orders")
    placed = await place(desk, kind="LIMIT", limit_price="5")
    await desk.runner.quiet()
    async with await open_stream(desk, address) as stream:
        message = await subscribe(stream, "orders", resume_from=first["seq"], epoch=first["epoch"])
        assert (message["type"], message["seq"]) == ("delta", first["seq"] + 1)
        assert message["item"]["id"] == placed["id"]


async def test_a_client_that_has_missed_something_subscribes_again(desk: World, address: str) -> None:
    async with await open_stream(desk, address) as stream:
        first = await subscribe(stream, "orders")
        await place(desk, kind="LIMIT", limit_price="5")
        await desk.runner.quiet()
        missed = [(await hear(stream, "delta"))["seq"] for _ in range(2)]
        again = await subscribe(stream, "orders")
        assert (again["type"], again["seq"], len(again["items"])) == ("snapshot", missed[-1], 1)
        resumed = await subscribe(stream, "orders", resume_from=first["seq"], epoch=first["epoch"])
        assert (resumed["type"], resumed["seq"]) == ("delta", missed[0])


@pytest.mark.parametrize("known", [{"epoch": "another"}, {"resume_from": 10**9}, {"resume_from": -1}, {"epoch": None}])
async def test_what_cannot_be_resumed_starts_with_a_snapshot(desk: World, address: str, known: Message) -> None:
    async with await open_stream(desk, address) as stream:
        first = await subscribe(stream, "orders")
    async with await open_stream(desk, address) as stream:
        message = await subscribe(stream, "orders", **({"resume_from": 0, "epoch": first["epoch"]} | known))
        assert message["type"] == "snapshot"


def test_a_run_of_deltas_too_long_ago_is_gone() -> None:
    channel = Channel("events")
    for number in range(RING + 10):
        channel.publish({"id": str(number)})
    assert channel.missed(channel.epoch, 9) is None
    kept = channel.missed(channel.epoch, 10)
    assert kept is not None
    assert len(kept) == RING
    assert channel.missed(channel.epoch, channel.seq) == []


async def test_every_delta_of_a_busy_day_arrives_once_and_in_order(desk: World, address: str) -> None:
    async with await open_stream(desk, address) as stream:
        held = {}
        for name in ("orders", "fills", "events", "positions", "accounts"):
            message = await subscribe(stream, name)
            held[name] = message["seq"]
        for day in range(5):
            await asyncio.gather(*(place(desk, quantity="1", time_in_force="GTC") for _ in range(5)))
            await desk.next_bar(10 + day)
        await asyncio.sleep(0.4)
        await stream.send(json.dumps({"op": "nonsense"}))
        while (message := await hear(stream))["type"] != "error":
            held[message["channel"]] += 1
            assert message["seq"] == held[message["channel"]]
    channels = desk.app.state.hub.desk(person(desk.owner)).channels
    assert held == {name: channels[name].seq for name in held}
    assert held["orders"] >= 50


async def test_moving_prices_retell_what_they_value_without_skipping(desk: World, address: str) -> None:
    await place(desk, time_in_force="GTC")
    await desk.next_bar(10)
    async with await open_stream(desk, address) as stream:
        before = (await subscribe(stream, "accounts"))["items"][0]
        await subscribe(stream, "quotes")
        await desk.next_bar(14)
        told = [await hear(stream, "delta") for _ in range(2)]
    by_channel = {one["channel"]: one["item"] for one in told}
    assert by_channel["quotes"]["last"] == "14.00"
    if desk.runner.state.accounts[OWN_ACCOUNT].positions:
        assert by_channel["accounts"]["equity"] != before["equity"]


async def test_a_signal_updates_its_strategy(desk: World, address: str) -> None:
    async with await open_stream(desk, address) as stream:
        await subscribe(stream, "strategies")
        await desk.runner.submit(signal(desk.runner.state.time, 1.0))
        told = await hear(stream, "delta")
        assert told["item"]["last_signal"]["action"] == "BUY"
        assert told["item"]["last_signal"]["symbol"] == "STK"


async def test_users_see_their_own_channels_only(desk: World, address: str) -> None:
    async with await open_stream(desk, address, other=True) as stream:
        assert [one["id"] for one in (await subscribe(stream, "accounts"))["items"]] == [OTHER_ACCOUNT]
        for name in ("orders", "fills", "positions", "strategies", "equity"):
            assert (await subscribe(stream, name))["items"] == []
        events = (await subscribe(stream, "events"))["items"]
        assert {one["account_id"] for one in events} <= {OTHER_ACCOUNT}
        await place(desk)
        await desk.runner.quiet()
        await stream.send(json.dumps({"op": "nonsense"}))
        assert (await hear(stream))["type"] == "error"


@pytest.mark.parametrize("query", ["", "?ticket=", "?ticket=wrong", "?ticket=%00", "?ticket=" + "a" * 5000])
async def test_a_bad_ticket_is_closed_with_4401(address: str, query: str) -> None:
    async with connect(f"ws://{address}/api/v2/stream{query}", proxy=None) as stream:
        with pytest.raises(ConnectionClosed) as closed:
            await stream.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


async def test_a_ticket_opens_one_stream_only(desk: World, address: str) -> None:
    once = await ticket(desk)
    async with connect(f"ws://{address}/api/v2/stream?ticket={once}", proxy=None) as stream:
        await subscribe(stream, "system")
        async with connect(f"ws://{address}/api/v2/stream?ticket={once}", proxy=None) as second:
            with pytest.raises(ConnectionClosed) as closed:
                await second.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


async def test_a_stream_ends_with_its_session(desk: World, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenkeel.server.streams.socket.HEARTBEAT", 1.0)
    signed = await desk.auth.login(desk.owner.username, PASSWORD)
    once = desk.auth.ticket_for(await desk.auth.principal(signed.access_token, address=""))
    async with connect(f"ws://{address}/api/v2/stream?ticket={once}", proxy=None) as stream:
        await subscribe(stream, "orders")
        await desk.auth.logout(signed.refresh)
        async with asyncio.timeout(5):
            await stream.wait_closed()
    assert stream.close_code == 4401


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "file://"])
async def test_a_page_from_elsewhere_cannot_open_the_stream(desk: World, address: str, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await open_stream(desk, address, origin=origin)
    assert refused.value.response.status_code == 403


async def test_our_own_page_can(desk: World, address: str) -> None:
    async with await open_stream(desk, address, origin=f"http://{address}") as stream:
        assert (await subscribe(stream, "system"))["items"][0]["name"] == "Evenkeel"


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", '{"op": 1}', '{"op": "subscribe"}', '{"op": "subscribe", "channel": "secrets"}',
        '{"op": "drop"}', '{"op": "ping", "more": 1}', '{"op": "subscribe", "channel": "orders", "resume_from": "x"}',
        '{"op": "subscribe", "channel": null}', "\0", '{"op": "subscribe", "channel": "orders", "resume_from": 1e99}',
        "[" * 3000,
    ],
)  # fmt: skip
async def test_nonsense_is_answered_and_the_stream_goes_on(desk: World, address: str, text: str) -> None:
    async with await open_stream(desk, address) as stream:
        await stream.send(text)
        answer = await hear(stream)
        assert answer["type"] == "error"
        assert answer["detail"]
        assert (await subscribe(stream, "system"))["type"] == "snapshot"


async def test_binary_and_oversized_messages_end_the_stream(desk: World, address: str) -> None:
    for message, code in ((b"\x00\x01", 1003), ("x" * 10_000, 1009), ("x" * 200_000, 1009)):
        async with await open_stream(desk, address) as stream:
            await stream.send(message)
            with pytest.raises(ConnectionClosed) as closed:
                await stream.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == code
            assert closed.value.rcvd.reason


async def test_a_ping_is_answered_at_once(desk: World, address: str) -> None:
    async with await open_stream(desk, address) as stream:
        await stream.send('{"op": "ping"}')
        async with asyncio.timeout(2):
            assert json.loads(await stream.recv())["type"] == "heartbeat"


async def _read_to_the_end(stream: ClientConnection, heard: list[int]) -> None:
    while True:
        message = json.loads(await stream.recv())
        if message["type"] == "delta":
            heard.append(message["seq"])


async def test_a_client_that_does_not_read_is_closed_and_starts_anew(
    desk: World, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_client, "MOST_MESSAGES", 200)
    channel = desk.app.state.hub.desk(person(desk.owner)).channels["events"]
    async with await open_stream(desk, address, max_queue=1) as stream:
        first = await subscribe(stream, "events")
        for number in range(1_500):
            channel.publish({"id": str(number), "message": secrets.token_hex(10_000)})
            if number % 50 == 0:
                await asyncio.sleep(0)
        heard: list[int] = []
        with pytest.raises(ConnectionClosed) as closed:
            await _read_to_the_end(stream, heard)
    seen = first["seq"] + len(heard)
    assert heard == list(range(first["seq"] + 1, seen + 1))
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4408
    assert seen < channel.seq
    monkeypatch.undo()
    async with await open_stream(desk, address) as stream:
        again = await subscribe(stream, "events", resume_from=seen, epoch=channel.epoch)
        assert (again["type"], again["seq"]) == ("snapshot", channel.seq), "what is missed would overrun it again"


async def test_stopping_tells_clients_to_come_back(desk: World, address: str) -> None:
    async with await open_stream(desk, address) as stream:
        await subscribe(stream, "orders")
        await desk.app.state.streams.stop()
        with pytest.raises(ConnectionClosed) as closed:
            await stream.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    assert not desk.app.state.streams.clients


async def test_starting_over_gives_every_channel_a_new_epoch(desk: World, address: str) -> None:
    async with await open_stream(desk, address) as stream:
        before = await subscribe(stream, "orders")
        await rebind(desk.app)
        with pytest.raises(ConnectionClosed):
            await stream.recv()
    async with await open_stream(desk, address) as stream:
        after = await subscribe(stream, "orders", resume_from=before["seq"], epoch=before["epoch"])
        assert after["type"] == "snapshot"
        assert after["epoch"] != before["epoch"]


async def test_the_owner_needs_no_ticket_on_the_private_socket(desk: World) -> None:
    with sockets.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        async with (
            listening(local_app(desk.app), sockets=[listener]),
            connect(f"ws://127.0.0.1:{port}/api/v2/stream", proxy=None) as stream,
        ):
            assert (await subscribe(stream, "accounts"))["items"][0]["id"] == OWN_ACCOUNT


async def test_the_system_channel_tells_that_trading_has_halted(
    desk: World, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evenkeel.trading.live.runner.COMMIT_ATTEMPTS", 1)
    desk.parts.feed = FeedControl(desk.runner, ReplayFeed(desk.parts.bars), None, kind="replay")
    stream = await open_stream(desk, address)
    (before,) = (await subscribe(stream, "system"))["items"]
    assert (before["healthy"], before["feed"]["state"]) == (True, "paused")
    desk.journal.faults = [CommitFailed] * 10
    with pytest.raises(NotReady):
        await desk.runner.submit(signal(desk.runner.state.time, 1.0))
    after = (await hear(stream, "delta"))["item"]
    assert (after["healthy"], after["feed"]["state"]) == (False, "halted")
    assert (before["halted"], after["halted"]) == (None, str(desk.runner.failure))
    await stream.close()
