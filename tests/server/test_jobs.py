"""The queue and its worker process: crashes, deadlines, restarts, what a worker may see, what it hands back."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evenkeel.domain.errors import NotFound, NotReady
from evenkeel.domain.marketdata import Dividend, Split
from evenkeel.market.bars import Bars
from evenkeel.market.stores.memory import MemoryStore
from evenkeel.research.shipping import StrategyReference
from evenkeel.server.jobs import kept, queue, worker
from evenkeel.server.jobs.job import Backtest, Failed, Finished, Message, Progress, Work
from evenkeel.server.jobs.queue import STOPPED, BacktestQueue
from evenkeel.trading.strategies.base import Strategy
from evenkeel.trading.strategies.registry import AnyStrategy, Registry
from tests.server.backtests import BACKTEST, PARAMETERS, MemoryBacktests, asked, backtest, templates
from tests.server.world import stored_bars
from tests.trading.live.desk import STOCK, bar

USER = "user-1"
STORE = MemoryStore([STOCK], [stored_bars()])
SECONDS = 60


@asynccontextmanager
async def queued(
    stored: MemoryBacktests, folder: Path, told: list[tuple[str, str]] | None = None, **options: Any
) -> AsyncIterator[BacktestQueue]:
    made = BacktestQueue(stored, folder / "research", bars=lambda: STORE, templates=templates, **options)

    def tell(one: Backtest, _: Progress | None) -> None:
        if told is not None:
            told.append((one.id, one.state))

    made.on_change = tell
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def when(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


def workers() -> list[int]:
    """The pids of this process's workers."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    children = [pid for pid in pids if parent_of(pid) == os.getpid()]
    return [pid for pid in children if b"jobs.worker" in said_by(pid, "cmdline")]


def parent_of(pid: int) -> int:
    fields = said_by(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


def said_by(pid: int, name: str) -> bytes:
    """What the system says of a process; nothing of one that has ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize(
    ("strategy", "why"),
    [("crashing", "killed by SIGKILL"), ("raising", "ZeroDivisionError: of its own making"), ("gone", "no strategy")],
)
async def test_a_strategy_that_misbehaves_costs_its_own_backtest(tmp_path: Path, strategy: str, why: str) -> None:
    stored = MemoryBacktests()
    async with queued(stored, tmp_path) as made:
        await made.submit(backtest(USER, "bad", strategy=strategy, parameters={}))
        await made.submit(backtest(USER, "good"))
        await when(lambda: stored.rows["good"].has_ended)
    assert stored.rows["bad"].state == "failed"
    assert why in (stored.rows["bad"].error or "")
    assert stored.rows["good"].state == "done", stored.rows["good"].error
    assert [path.name for path in (tmp_path / "research").iterdir()] == ["good.npz"]


async def test_one_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    stored = MemoryBacktests()
    async with queued(stored, tmp_path, deadline=1.0) as made:
        await made.submit(backtest(USER, strategy="stuck", parameters={"seconds": 600}))
        await when(lambda: stored.rows[BACKTEST].has_ended)
        assert stored.rows[BACKTEST].error == "it took longer than 1 seconds and was stopped"
        assert workers() == []


async def test_the_worker_steps_back_and_ends_with_the_queue(tmp_path: Path) -> None:
    stored = MemoryBacktests()
    async with queued(stored, tmp_path) as made:
        await made.submit(backtest(USER, strategy="stuck", parameters={"seconds": 600}))
        await when(lambda: made.progress_of(stored.rows[BACKTEST]) == Progress("running"))
        (pid,) = workers()
        assert os.getpriority(os.PRIO_PROCESS, pid) >= min(19, os.getpriority(os.PRIO_PROCESS, 0) + worker.NICENESS)
        assert said_by(pid, "oom_score_adj") == b"1000\n"
    assert workers() == []
    assert stored.rows[BACKTEST].state == "running", "the next start says what became of it"


async def test_a_start_settles_what_the_last_one_left(tmp_path: Path) -> None:
    stored = MemoryBacktests()
    folder = tmp_path / "research"
    folder.mkdir(mode=0o700)
    for name in ("ran.npz", "orphan.npz", "half.part", "notes.txt"):
        (folder / name).touch()
    await stored.add(backtest(USER, "ran", state="running", started_at=5))
    await stored.add(backtest(USER, "waits", created_at=7))
    await stored.add(backtest(USER, "waits-longer", created_at=6))
    told: list[tuple[str, str]] = []
    async with queued(stored, tmp_path, told):
        await when(lambda: stored.rows["waits"].has_ended)
    assert (stored.rows["ran"].state, stored.rows["ran"].error) == ("failed", STOPPED)
    done = [name for name, state in told if state == "done"]
    assert done == ["waits-longer", "waits"]
    assert {path.name for path in folder.iterdir()} == {"waits.npz", "waits-longer.npz", "notes.txt"}
    assert folder.stat().st_mode & 0o777 == 0o700


async def test_a_result_waits_for_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "_RETRY", 0.01)
    stored = MemoryBacktests()
    async with queued(stored, tmp_path) as made:
        await made.submit(backtest(USER))
        await when(lambda: stored.rows[BACKTEST].state == "running")
        stored.fault = NotReady("the database does not answer")
        await when(lambda: stored.rows[BACKTEST].state == "done")
        assert stored.fault is None


async def test_an_unexpected_fault_costs_one_backtest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = MemoryBacktests()
    async with queued(stored, tmp_path) as made:
        with monkeypatch.context() as patched:
            patched.setattr(queue, "concluded", lambda *_: 1 / 0)
            await made.submit(backtest(USER, "bad"))
            await when(lambda: stored.rows["bad"].has_ended)
        await made.submit(backtest(USER, "good"))
        await when(lambda: stored.rows["good"].has_ended)
    assert (stored.rows["bad"].state, stored.rows["good"].state) == ("failed", "done")
    assert "the log tells more" in (stored.rows["bad"].error or "")


async def test_a_result_that_is_never_taken_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "_RETRY", 0.01)
    monkeypatch.setattr(queue, "_TRIES", 1)
    stored = MemoryBacktests()
    async with queued(stored, tmp_path) as made:
        await made.submit(backtest(USER, "bad"))
        await when(lambda: stored.rows["bad"].state == "running")
        stored.fault = NotReady("the database does not answer")
        await when(lambda: stored.rows["bad"].has_ended)
        assert stored.rows["bad"].state == "failed"


async def test_cancelling_again_and_again_does_no_harm(tmp_path: Path) -> None:
    stored = MemoryBacktests()
    async with queued(stored, tmp_path) as made:
        await made.submit(backtest(USER, strategy="stuck", parameters={"seconds": 600}))
        await when(lambda: stored.rows[BACKTEST].state == "running")
        ended = await asyncio.gather(*(made.drop(USER, BACKTEST) for _ in range(3)))
        assert [one.state for one in ended if one is not None] == ["cancelled"] * 3
        assert await made.drop(USER, BACKTEST) is None
        assert stored.rows == {}


async def test_a_strategy_sees_none_of_our_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    from evenkeel.server.jobs.process import _environment

    monkeypatch.setenv("EVENKEEL_JWT_SECRET_KEY", "x")
    monkeypatch.setenv("DATABASE_URL", "x")
    monkeypatch.setenv("JWT_SECRET_KEY", "x")
    found = _environment()
    assert "PATH" in found
    assert not [name for name in found if "SECRET" in name or "DATABASE" in name or name.startswith("EVENKEEL")]


class Watching(Strategy):
    """Sees every bar and wants nothing."""

    name = "watching"


def done(
    folder: Path, store: MemoryStore = STORE, *, strategy: AnyStrategy | None = None, **changes: Any
) -> tuple[Message, list[Message]]:
    """What a worker says at the end, and before, of work done in this process."""
    told: list[Message] = []
    reference = StrategyReference.of(strategy or Registry().create("sma-crossover"))
    work = Work(
        strategy=reference,
        parameters={} if strategy else PARAMETERS,
        asked=asked(**changes),
        store=store,
        file=folder / "result.npz",
    )
    return worker.attempt(work, told.append), told


def test_splits_and_dividends_of_the_store_are_applied(tmp_path: Path) -> None:
    split = Split(STOCK.id, date(2005, 8, 20), Decimal(2), Decimal(1))
    dividend = Dividend(STOCK.id, date(2005, 8, 25), Decimal("0.10"))
    store = MemoryStore([STOCK], [stored_bars()], splits=[split], dividends=[dividend])
    found, _ = done(tmp_path, store)
    assert isinstance(found, Finished)
    assert (found.summary["terms"]["splits"], found.summary["terms"]["dividends"]) == (1, 1)
    plain, _ = done(tmp_path)
    assert isinstance(plain, Finished)
    assert plain.summary["final_equity"] != found.summary["final_equity"]


def test_dividends_that_are_not_paid_are_told(tmp_path: Path) -> None:
    dividend = Dividend(STOCK.id, date(2005, 8, 25), Decimal("0.10"))
    store = MemoryStore([STOCK], [stored_bars()], dividends=[dividend])
    found, _ = done(tmp_path, store, engine="event")
    assert isinstance(found, Finished)
    assert "dividends were not paid: the event engine does not have them" in found.summary["warnings"]


def test_several_symbols_share_one_account(tmp_path: Path) -> None:
    other = msgspec.structs.replace(STOCK, id="other", symbol="OTH")
    bars = stored_bars()
    store = MemoryStore([STOCK, other], [bars, bars.of_instrument(other)])
    found, _ = done(tmp_path, store, symbols=("STK", "OTH"), instrument_ids=(STOCK.id, other.id))
    assert isinstance(found, Finished), found
    assert (found.summary["engine"], found.summary["symbols"]) == ("event", ["STK", "OTH"])
    rows = kept.equity(tmp_path / "result.npz", 20, 5)
    assert (rows.start, rows.total, rows.symbols) == (20, 31, ["STK", "OTH"])
    one, same = rows.columns["positions"]
    assert one == same
    assert any(one)
    assert {kept.fills(tmp_path / "result.npz", 0, 100).columns["instrument"][place] for place in (0, 1)} == {0, 1}


def test_the_engine_tells_how_far_such_a_strategy_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_PAUSE", 0.0)
    store = MemoryStore([STOCK], [Bars.from_bars("1d", [bar(day, 10.0) for day in range(-1023, 1)])])
    found, told = done(tmp_path, store, strategy=Watching())
    assert isinstance(found, Finished), found
    assert found.summary["fills"] == 0
    shares = [one.share for one in told if isinstance(one, Progress) and one.share is not None]
    assert shares == [0.25, 0.5, 0.75, 1.0]


def test_too_many_bars_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "MOST_BARS", 30)
    found, _ = done(tmp_path)
    assert isinstance(found, Failed)
    assert "31 bars" in found.error
    assert found.trace is None
    assert list(tmp_path.iterdir()) == []


def test_no_bars_in_that_time_is_said(tmp_path: Path) -> None:
    found, _ = done(tmp_path, start=int(stored_bars().ts[3]) + 1, end=int(stored_bars().ts[4]))
    assert isinstance(found, Failed)
    assert "there are no 1d bars of STK in that time" in found.error


def test_a_strategy_called_bar_by_bar_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    class Counting(Strategy):
        name = "counting"

        def on_bar(self, ctx: Any, bar: Any) -> None:
            seen.append("bar")

        def on_warmup(self, ctx: Any, bar: Any) -> None:
            seen.append("warmup")

    monkeypatch.setattr(worker, "_PAUSE", 0.0)
    told: list[Message] = []
    strategy = Counting()
    worker.counted(strategy, 1024, told.append)
    for _ in range(24):
        strategy.on_warmup(None, None)
    for _ in range(1000):
        strategy.on_bar(None, None)
    assert told == [Progress("running", share) for share in (0.25, 0.5, 0.75, 1.0)]
    assert (seen.count("bar"), seen.count("warmup")) == (1000, 24)


def test_a_disk_that_says_no_leaves_no_half_file(tmp_path: Path) -> None:
    found, told = done(tmp_path / "missing")
    assert isinstance(found, Failed)
    assert "FileNotFoundError" in found.error
    assert told[-1] == Progress("report")


def test_a_damaged_file_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "result.npz").write_bytes(b"not a result")
    with pytest.raises(NotFound, match="damaged"):
        kept.report(tmp_path / "result.npz")
