"""Whatever a strategy does, it alone is paused: others of its user go on where they were, other users do not notice."""

import asyncio
import os
import signal
import time
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from evenkeel.domain import commands as c
from evenkeel.domain.records import CursorMoved, encode
from evenkeel.trading.live.hosting.inline import InlineHosts
from evenkeel.trading.live.hosting.process import Bounds, ProcessHosts
from tests.trading.live.desk import BY, MemoryJournal, buy
from tests.trading.live.hosting.market import BEGINS, QUICK, REGISTRY, UNLUCKY, Impatient, Market

LAST = 30
DAYS = list(range(BEGINS, LAST + 1))


@pytest.mark.parametrize(
    ("kind", "why", "restarts"),
    [
        ("endless", "took longer than its deadline of 1 s", 1),
        ("slow", "took longer than its deadline of 1 s", 1),
        ("leaving", "its process ended with exit code 3", 1),
        ("falling", "its process was ended by SIGSEGV", 1),
        ("hungry", "MemoryError", 0),
        ("chatty", "asked for 20,001 things in one call; at most 10,000 are taken", 0),
        ("wordy", "bytes; at most 1,048,576 are kept", 0),
        ("mumbling", "ValueError: ? and so on!!!", 0),
    ],
)
async def test_it_is_paused_and_nothing_else(kind: str, why: str, restarts: int) -> None:
    async with Market() as market:
        await market.deploy(kind, "ann", "bad")
        await market.deploy("steady", "ann", "a-neighbour")
        await market.deploy("steady", "ann", "neighbour")
        await market.deploy("steady", "bob", "elsewhere")
        await market.until(LAST)
        assert list(market.paused()) == ["bad"]
        assert why in market.paused()["bad"]
        assert market.alerts() == {"bad": 1}
        for name in ("a-neighbour", "neighbour", "elsewhere"):
            assert market.decided(name) == DAYS, "no bar is missed, and none decided on twice"
            assert market.memory(name) == len(DAYS)
        assert market.decided("bad") in (DAYS[: UNLUCKY - BEGINS], DAYS[: UNLUCKY - BEGINS + 1])
        assert market.host("ann").restarts == restarts
        assert market.host("bob").restarts == 0


@pytest.mark.slow
async def test_a_host_that_keeps_dying_pauses_all_that_it_ran() -> None:
    """What breaks its line, nobody can be blamed for: it is tried again, but not for ever."""
    async with Market() as market:
        await market.deploy("deaf", "ann", "bad")
        await market.deploy("steady", "ann", "neighbour")
        await market.deploy("steady", "bob", "elsewhere")
        await market.until(LAST)
        assert set(market.paused()) == {"bad", "neighbour"}
        assert "its host has ended 5 times lately" in market.paused()["neighbour"]
        assert market.decided("neighbour") == DAYS[: UNLUCKY - BEGINS]
        assert market.decided("elsewhere") == DAYS
        assert market.at_work() == ["bob"], "nothing runs for ann any more"
        await market.runner.submit(c.ChangeDeployment(provenance=BY, deployment_id="neighbour", enabled=True))
        await market.go(2)
        await market.caught_up()
        assert market.decided("neighbour")[-2:] == [LAST + 1, LAST + 2]


async def test_an_endless_one_holds_nobody_up_for_longer_than_its_deadline() -> None:
    async with Market() as market:
        await market.deploy("endless", "ann", "bad")
        await market.deploy("steady", "bob", "elsewhere")
        await market.until(UNLUCKY - 1)
        longest = 0.0

        async def by_hand() -> None:
            nonlocal longest
            for number in range(10_000):
                began = time.monotonic()
                spec = msgspec.structs.replace(buy(f"hand-{number}").spec, account_id="bob")
                await market.runner.submit(c.SubmitOrder(provenance=BY, spec=spec))
                longest = max(longest, time.monotonic() - began)
                await asyncio.sleep(0.005)

        hand = asyncio.create_task(by_hand())
        began = time.monotonic()
        await market.go()
        assert time.monotonic() - began < QUICK.deadline + 0.3  # type: ignore[operator]
        assert market.desk.is_late
        assert market.decided("elsewhere")[-1] == UNLUCKY, "the others have decided"
        began = time.monotonic()
        await market.go()
        assert time.monotonic() - began < 0.3, "who is late is not waited for again"
        await market.caught_up()
        hand.cancel()
        assert longest < 0.3
        assert list(market.paused()) == ["bad"]


async def test_many_that_together_take_long_are_late_and_miss_nothing() -> None:
    async with Market(Impatient(REGISTRY, QUICK)) as market:
        for number in range(3):
            await market.deploy("unhurried", "ann", f"u{number}")
        await market.deploy("steady", "bob", "elsewhere")
        await market.until(UNLUCKY)
        await market.go(3)
        assert market.decided("elsewhere")[-1] == UNLUCKY + 3
        await market.caught_up()
        for number in range(3):
            assert market.decided(f"u{number}") == list(range(BEGINS, UNLUCKY + 4))
        assert not market.paused()


@pytest.mark.slow
@pytest.mark.parametrize("further", [0, 2])
async def test_those_who_are_late_when_the_owner_is_killed_miss_nothing_and_repeat_nothing(further: int) -> None:
    """The journal as it was at any batch: who was behind, begins there; who was not, goes on."""
    async with Market(Impatient(REGISTRY, QUICK)) as market:
        for number in range(2):
            await market.deploy("unhurried", "ann", f"u{number}")
        await market.deploy("steady", "bob", "elsewhere")
        begun = len(market.journal.batches)
        await market.go(3)
        await market.until(UNLUCKY - 1)
        await market.go(1 + further)
        assert market.desk.is_late
        await market.caught_up()
        await market.go(2)
        await market.caught_up()
        batches, wanted = market.journal.batches, market.decided("elsewhere")
    places = [one for one in market.journal.records() if isinstance(one, CursorMoved) and one.places]
    assert places, "it was recorded who is behind"
    for kept in range(begun, len(batches), 2):
        async with Market(InlineHosts(REGISTRY), journal=MemoryJournal(batches[:kept])) as again:
            await again.until(wanted[-1])
            assert [again.decided(name) for name in ("u0", "u1", "elsewhere")] == [wanted] * 3, f"after batch {kept}"
            assert [again.memory(name) for name in ("u0", "u1", "elsewhere")] == [len(wanted)] * 3


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
async def test_a_host_that_somebody_kills_is_back_before_the_next_bar(kind: signal.Signals) -> None:
    async with Market() as market:
        await market.deploy("steady", "ann", "one")
        await market.deploy("sma-crossover", "ann", "two", parameters={"fast": 2, "slow": 5})
        await market.until(24)
        pid = market.host().pid
        assert pid is not None
        os.kill(pid, kind)
        async with asyncio.timeout(20):
            while market.host().restarts == 0 or market.desk.is_late:  # noqa: ASYNC110 - seen from outside
                await asyncio.sleep(0.01)
        assert market.host().pid not in (pid, None)
        await market.until(LAST)
        assert market.decided("one") == DAYS
        assert not market.paused()


async def test_a_killed_host_is_missed_at_once_in_the_middle_of_its_work() -> None:
    async with Market(ProcessHosts(REGISTRY, Bounds(deadline=5.0))) as market:
        await market.deploy("slow", "ann", "one")
        await market.until(UNLUCKY - 1)
        pid = market.host().pid
        assert pid is not None
        asyncio.get_running_loop().call_later(0.2, os.kill, pid, signal.SIGKILL)
        await market.go()
        assert "its process was ended by SIGKILL; was memory short?" in market.paused()["one"]


async def test_one_that_never_gets_through_its_history_is_paused_after_a_longer_time() -> None:
    async with Market(ProcessHosts(REGISTRY, Bounds(deadline=0.3, start=3.0))) as market:
        await market.deploy("steady", "bob", "elsewhere")
        await market.go()
        await market.deploy("waiting", "ann", "bad")
        await market.deploy("steady", "ann", "neighbour")
        began = time.monotonic()
        await market.go()
        assert time.monotonic() - began < 1.0
        await market.until(LAST)
        assert "3 s" in market.paused()["bad"]
        assert market.decided("neighbour") == DAYS[1:]
        assert market.decided("elsewhere") == DAYS


async def test_what_is_printed_is_in_the_log_with_the_name_of_who_printed_it() -> None:
    with capture_logs() as lines:
        async with Market() as market:
            await market.deploy("printing", "ann", "loud")
            await market.deploy("steady", "ann", "quiet")
            await market.until(LAST)
            assert market.decided("loud") == DAYS
    said = [(one["deployment"], one["text"]) for one in lines if one["event"] == "a strategy prints"]
    assert ("loud", "out of luck: 13") in said
    assert ("loud", "x" * 2_000) in said
    assert ("quiet", "begins after 0 bars") in said
    assert len(said) < 250
    assert any("prints too much" in one["event"] for one in lines)


async def test_a_strategy_sees_nothing_of_our_surroundings_but_what_python_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("EVENKEEL_JWT_SECRET_KEY", "EVENKEEL_HOME", "DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "SMTP_PASSWORD"):
        monkeypatch.setenv(name, "of no concern to strategies")
    with capture_logs() as lines:
        async with Market() as market:
            await market.deploy("looking", "ann")
            await market.until(UNLUCKY)
            await asyncio.sleep(0.1)
    (seen,) = [one["text"] for one in lines if one.get("text", "").startswith("sees")]
    assert "PATH" in seen
    for word in ("SECRET", "PASSWORD", "DATABASE", "EVENKEEL_HOME", "PYTEST"):
        assert word not in seen


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for limits in /proc")
async def test_its_process_is_bounded() -> None:
    async with Market() as market:
        await market.deploy("steady", "ann")
        await market.go()
        found = limits(market.host().pid)
    assert found["Max address space"] == [str(1024 << 20)] * 2
    assert found["Max open files"] == ["256", "256"]
    assert found["Max core file size"] == ["0", "0"]


def limits(pid: int | None) -> dict[str, list[str]]:
    lines = Path(f"/proc/{pid}/limits").read_text(encoding="ascii").splitlines()
    return {line[:26].strip(): line[26:].split()[:2] for line in lines}


async def test_processes_are_there_while_they_have_something_to_do() -> None:
    async with Market() as market:
        await market.go(2)
        assert market.at_work() == []
        await market.deploy("steady", "ann")
        await market.go()
        await market.caught_up()
        pid = market.host().pid
        assert pid is not None
        assert market.at_work() == ["ann"]
        assert market.host().deployments == ("steady",)
        assert market.host().longest >= market.host().last > 0
        await market.runner.submit(c.ChangeDeployment(provenance=BY, deployment_id="steady", enabled=False))
        await market.go()
        await market.caught_up()
        assert market.at_work() == []
        assert not is_running(pid)
        await market.runner.submit(c.ChangeDeployment(provenance=BY, deployment_id="steady", enabled=True))
        await market.go(2)
        await market.caught_up()
        last = market.host().pid
        assert last is not None
    assert not is_running(last), "it ends with the desk"
    assert market.decided("steady") == [BEGINS + 2, BEGINS + 4, BEGINS + 5]
    assert market.memory("steady") == 3


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_change_of_size_and_of_program_while_it_runs() -> None:
    async with Market() as market:
        await market.deploy("steady", "ann")
        await market.go(3)
        pid = market.host().pid
        await market.runner.submit(
            c.ChangeDeployment(provenance=BY, deployment_id="steady", accounts=(market.share("bob"),))
        )
        await market.go(2)
        assert market.memory("steady") == 5, "other accounts: it goes on"
        assert market.host().pid == pid
        await market.runner.submit(
            c.ChangeDeployment(provenance=BY, deployment_id="steady", revision=market.revision("printing"))
        )
        await market.go(2)
        assert market.memory("steady") == 2, "another program: it begins anew"


def bodies(journal: MemoryJournal) -> bytes:
    return b"".join(encode((record,)) for record in journal.records())


@pytest.mark.slow
async def test_a_deterministic_run_gives_the_same_bytes_in_this_process_and_in_others() -> None:
    found = []
    for hosts in (InlineHosts(REGISTRY), ProcessHosts(REGISTRY, Bounds(deadline=None))):
        async with Market(hosts, is_real=False) as market:
            for number, name in enumerate(REGISTRY.names()):
                if name not in ("waiting", "leaving", "falling", "hungry", "deaf", "endless"):
                    await market.deploy(name, "ann" if number % 2 else "bob")
            for _ in range(25):
                await market.go()
            found.append(market.journal)
    kinds = {type(record).__name__ for record in found[0].records()}
    assert {"SignalRecorded", "OrderDecided", "FillBooked", "CursorMoved", "AlertRaised"} <= kinds
    assert bodies(found[0]) == bodies(found[1])
