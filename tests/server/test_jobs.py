"""The queue and its worker process: crashes, deadlines, restarts, what a worker may see, what it hands back."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.desk.backtests import Backtest, Search
from evenkeel.domain.errors import Conflict, NotFound, NotReady
from evenkeel.domain.marketdata import Dividend, Split
from evenkeel.market.bars import Bars
from evenkeel.market.stores.memory import MemoryStore
from evenkeel.research import keeping as kept
from evenkeel.research.shipping import StrategyReference
from evenkeel.server.jobs import queue, telling, worker
from evenkeel.server.jobs.job import Failed, Finished, Message, Progress, Work
from evenkeel.server.jobs.pace import Pace
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


@pytest.fixture
def stuck_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of files that cannot be removed, as on a disk that became read-only."""

    def refuse(self: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    monkeypatch.setattr(Path, "unlink", refuse)


@pytest.mark.usefixtures("stuck_files")
async def test_files_that_cannot_be_removed_hold_nothing_up(tmp_path: Path) -> None:
    stored = MemoryBacktests()
    orphan = tmp_path / "research" / "orphan.npz"
    orphan.parent.mkdir()
    orphan.touch()
    told: list[tuple[str, str]] = []
    async with queued(stored, tmp_path, told) as made:
        await made.submit(backtest(USER, "bad", strategy="raising", parameters={}))
        await when(lambda: stored.rows["bad"].has_ended)
        assert "of its own making" in (stored.rows["bad"].error or ""), "the strategy's fault is what is told"
        assert await made.drop(USER, "bad") is None
        assert told[-1] == ("bad", "deleted")
    assert orphan.exists()


async def test_without_a_folder_trading_starts_and_each_backtest_says_why(tmp_path: Path) -> None:
    stored = MemoryBacktests()
    (tmp_path / "research").touch()
    async with queued(stored, tmp_path) as made:
        await made.submit(backtest(USER))
        await when(lambda: stored.rows[BACKTEST].has_ended)
    assert stored.rows[BACKTEST].state == "failed"
    assert "research" in (stored.rows[BACKTEST].error or "")


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
    monkeypatch.setenv("EVENKEEL_COMPUTE", "processes")
    found = _environment()
    assert "PATH" in found
    hidden = [name for name in found if "SECRET" in name or "DATABASE" in name or name.startswith("EVENKEEL")]
    assert hidden == ["EVENKEEL_COMPUTE"], "where to compute is no secret"


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


def test_several_symbols_share_one_account(tmp_path: Path) -> None:
    other = msgspec.structs.replace(STOCK, id="other", symbol="OTH")
    bars = stored_bars()
    store = MemoryStore([STOCK, other], [bars, bars.of_instrument(other)])
    found, _ = done(tmp_path, store, symbols=("STK", "OTH"), instrument_ids=(STOCK.id, other.id))
    assert isinstance(found, Finished), found
    assert (found.summary["engine"], found.summary["symbols"]) == ("compiled", ["STK", "OTH"])
    rows = kept.equity(tmp_path / "result.npz", 20, 5)
    assert (rows.start, rows.total, rows.symbols) == (20, 31, ["STK", "OTH"])
    one, same = rows.columns["positions"]
    assert one == same
    assert any(one)
    assert {kept.fills(tmp_path / "result.npz", 0, 100).columns["instrument"][place] for place in (0, 1)} == {0, 1}


@pytest.mark.parametrize("strategy", [Watching(), None], ids=["orders", "targets"])
def test_the_event_engine_tells_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: AnyStrategy | None
) -> None:
    monkeypatch.setattr(telling, "PAUSE", 0.0)
    store = MemoryStore([STOCK], [Bars.from_bars("1d", [bar(day, 10.0) for day in range(-1023, 1)])])
    found, told = done(tmp_path, store, strategy=strategy, engine="event")
    assert isinstance(found, Finished), found
    moments = [one for one in told if isinstance(one, Progress) and one.done is not None]
    assert len(moments) > 1000
    assert {one.total for one in moments} == {1024}
    assert [one.share for one in moments] == sorted(one.share or 0.0 for one in moments)
    assert (moments[-1].share or 0.0) > 0.99
    assert moments[-1].left is not None


def test_one_pass_of_compiled_code_tells_nothing_that_it_does_not_know(tmp_path: Path) -> None:
    found, told = done(tmp_path)
    assert isinstance(found, Finished)
    assert [one.stage for one in told if isinstance(one, Progress)] == ["reading", "running", "figures", "report"]
    assert {one.share for one in told if isinstance(one, Progress)} == {None}


LONG = MemoryStore([STOCK], [Bars.from_bars("1d", [bar(day, 10.0 + day * day % 17) for day in range(-199, 1)])])
LOOK = Search(space={"fast": (2, 3, 5), "slow": (7, 9)})


def test_a_search_is_judged_and_kept_with_its_table(tmp_path: Path) -> None:
    found, told = done(tmp_path, LONG, search=LOOK)
    assert isinstance(found, Finished), found
    summary = found.summary["search"]
    assert (summary["combinations"], summary["axes"], summary["resumed"]) == (6, ["fast", "slow"], 0)
    assert summary["verdict"]["trials"] == 6
    assert 0.0 <= summary["verdict"]["deflated_sharpe"] <= 1.0
    assert found.summary["metrics"]["deflated_sharpe"] == summary["verdict"]["deflated_sharpe"]
    assert len(kept.table(tmp_path / "result.npz")) == 6
    page = kept.report(tmp_path / "result.npz").decode()
    assert "Probability of overfitting" in page
    assert 'class="ek-heat"' in page
    judging = [one for one in told if isinstance(one, Progress) and one.stage == "judging" and one.done]
    assert (judging[-1].done, judging[-1].total) == (6, 6)


def test_a_search_goes_on_with_its_study(tmp_path: Path) -> None:
    done(tmp_path, LONG, search=LOOK)
    study = tmp_path / "result.jsonl"
    study.write_text("".join(study.read_text().splitlines(keepends=True)[:4]))
    found, _ = done(tmp_path, LONG, search=LOOK)
    assert isinstance(found, Finished), found
    assert found.summary["search"]["resumed"] == 3
    assert len(study.read_text().splitlines()) == 7


def test_a_study_of_other_bars_is_begun_anew(tmp_path: Path) -> None:
    done(tmp_path, LONG, search=LOOK)
    other = MemoryStore([STOCK], [Bars.from_bars("1d", [bar(day, 10.0 + day * day % 13) for day in range(-199, 1)])])
    found, _ = done(tmp_path, other, search=LOOK)
    assert isinstance(found, Finished), found
    assert found.summary["search"]["resumed"] == 0


def test_a_walk_forward_of_too_many_runs_is_refused(tmp_path: Path) -> None:
    wide = Search(space={"fast": tuple(range(2, 102)), "slow": tuple(range(150, 200))}, train=20, test=1)
    found, _ = done(tmp_path, LONG, search=wide)
    assert isinstance(found, Failed)
    assert "201 windows of 5,000 combinations" in found.error


async def test_a_search_that_ran_goes_on_after_a_restart(tmp_path: Path) -> None:
    stored = MemoryBacktests()
    folder = tmp_path / "research"
    done(tmp_path, search=LOOK)
    folder.mkdir(mode=0o700)
    lines = (tmp_path / "result.jsonl").read_text().splitlines(keepends=True)
    (folder / "ran.jsonl").write_text("".join(lines[:3]))
    (folder / "orphan.jsonl").touch()
    request = asked(search=LOOK).stored()
    fixed = {"allow_short": True}
    await stored.add(
        backtest(USER, "ran", kind="sweep", state="running", started_at=5, request=request, parameters=fixed)
    )
    told: list[tuple[str, str]] = []
    async with queued(stored, tmp_path, told):
        assert not (folder / "orphan.jsonl").exists()
        await when(lambda: stored.rows["ran"].has_ended)
        row = stored.rows["ran"]
        assert row.state == "done", row.error
        assert row.summary is not None
        assert row.summary["search"]["resumed"] == 2
        await when(lambda: {path.name for path in folder.iterdir()} == {"ran.npz"})
    assert row.parameters == row.summary["search"]["best"] | fixed
    assert [state for _, state in told][-1] == "done"


class Watch:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def test_time_left_is_by_the_pace_since_the_start() -> None:
    watch = Watch()
    pace = Pace(watch)
    assert pace.left(4000, 5000) is None, "what a study held says nothing of the pace"
    watch.at = 10.0
    assert pace.left(4100, 5000) == pytest.approx(90.0)
    watch.at = 20.0
    assert pace.left(4100, 5000) == pytest.approx(180.0)
    watch.at = 100.0
    assert pace.left(4300, 5000) == pytest.approx(280.0), "the last half minute counts, or the last two tellings"
    assert pace.left(10, 100) is None, "another stretch of work"


@given(steps=st.lists(st.tuples(st.floats(0.01, 100.0), st.integers(0, 50)), min_size=1, max_size=40))
def test_time_left_is_never_negative(steps: list[tuple[float, int]]) -> None:
    watch, done_, total = Watch(), 0, sum(count for _, count in steps)
    pace = Pace(watch)
    pace.left(0, total)
    for seconds, count in steps:
        watch.at += seconds
        done_ += count
        left = pace.left(done_, total)
        assert left is None or left >= 0.0
        assert left is not None or done_ == 0 or count == 0


def test_a_teller_says_the_first_the_last_and_some_between() -> None:
    told: list[Message] = []
    watch = Watch()
    teller = telling.Teller(told.append, "running", now=watch)
    for count in range(101):
        watch.at = count * 0.01
        teller.moved(count, 100, {"sharpe": float("nan")})
    said = [one.done for one in told if isinstance(one, Progress)]
    assert said == [0, 25, 50, 75, 100]
    assert {str(one.best) for one in told if isinstance(one, Progress)} == {"{'sharpe': None}"}


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


def test_a_disk_that_says_no_leaves_no_half_file(tmp_path: Path) -> None:
    found, told = done(tmp_path / "missing")
    assert isinstance(found, Failed)
    assert "FileNotFoundError" in found.error
    assert told[-1] == Progress("report")


def test_a_damaged_file_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "result.npz").write_bytes(b"not a result")
    with pytest.raises(NotFound, match="damaged"):
        kept.report(tmp_path / "result.npz")


async def test_a_search_that_could_not_be_kept_is_gone_on_with(tmp_path: Path) -> None:
    """Where the result should lie there is a folder: what the disk refuses at the very end, as a full one does."""
    stored, folder = MemoryBacktests(), tmp_path / "research"
    (folder / "wide.npz").mkdir(parents=True)
    wide = backtest(USER, "wide", kind="sweep", request=asked(search=LOOK).stored(), parameters={"allow_short": True})
    async with queued(stored, tmp_path) as made:
        await made.submit(wide)
        await when(lambda: stored.rows["wide"].has_ended)
        failed = stored.rows["wide"]
        assert (failed.state, failed.summary) == ("failed", None)
        assert "wide.npz" in (failed.error or "")
    assert len((folder / "wide.jsonl").read_text().splitlines()) == 7
    (folder / "wide.npz").rmdir()
    (folder / "orphan.jsonl").touch()
    told: list[tuple[str, str]] = []
    async with queued(stored, tmp_path, told) as made:
        assert not (folder / "orphan.jsonl").exists()
        assert stored.rows["wide"].state == "failed", "a start resumes nothing by itself"
        both = await asyncio.gather(made.resume(USER, "wide"), made.resume(USER, "wide"), return_exceptions=True)
        assert [type(one) for one in both] == [Backtest, Conflict]
        await when(lambda: told and told[-1][1] in ("done", "failed"))
        row = stored.rows["wide"]
        assert row.state == "done", row.error
        assert row.summary is not None
        assert row.summary["search"]["resumed"] == 6
        for name, error in (("wide", Conflict), ("nothing", NotFound)):
            with pytest.raises(error):
                await made.resume(USER, name)
        with pytest.raises(NotFound):
            await made.resume("another", "wide")
    assert [state for _, state in dict.fromkeys(told)] == ["queued", "running", "done"]
    assert not (folder / "wide.jsonl").exists()
