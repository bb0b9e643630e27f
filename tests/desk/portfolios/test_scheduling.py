"""Portfolios rebalanced by themselves, in a time of the tests' own: on time, late, killed, refused and approved."""

import asyncio
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from evenkeel.desk.portfolios import scheduling
from evenkeel.desk.portfolios.scheduling import PATIENCE, Scheduler
from evenkeel.desk.risk.closes import DailyCloses
from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain.accounts import Readiness
from evenkeel.domain.clock import iso, parse_iso
from evenkeel.domain.errors import Conflict, NotReady
from evenkeel.domain.execution import Execution, ExecutionKind
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.domain.portfolios import PortfolioChange
from evenkeel.domain.provenance import Source
from evenkeel.domain.rebalance_schedules import (
    HOUR,
    MINUTE,
    Aim,
    Bands,
    Cadence,
    Mode,
    Reach,
    Run,
    RunOpened,
    RunState,
    Schedule,
    ScheduleSet,
    Timing,
)
from evenkeel.domain.rebalancing import RebalanceStarted
from evenkeel.domain.records import AlertRaised
from evenkeel.market.bars import Bars
from evenkeel.market.stores.memory import MemoryStore
from tests.trading.engine.portfolios.funds import fund, world
from tests.trading.engine.portfolios.test_rebalancing import restarted
from tests.trading.engine.portfolios.test_sliced import fill_all
from tests.trading.engine.world import ACME, BOLT, OPEN, WHO, World, assert_sound

D = Decimal
HALVES = Aim({ACME.id: D("0.5"), BOLT.id: D("0.4")})
DAILY = Timing(Cadence.DAILY)  # around the clock, half an hour after midnight in UTC
TRADE = Schedule(DAILY, HALVES, Mode.TRADE)


class Clock:
    is_replay = False

    def __init__(self, made: World) -> None:
        self.made = made

    def now(self) -> int:
        return self.made.now


class Desk:
    """A world as a runner: commands are taken at its time, and everything is in its journal at once."""

    def __init__(self, made: World) -> None:
        self.made, self.clock = made, Clock(made)
        self.store = MemoryStore((), {})
        self.killed_before = self.stopped = False
        self.optimised: list[str] = []
        self.start()

    @property
    def state(self) -> Any:
        return self.made.state

    def start(self) -> None:
        """Another process: it knows the journal, and nothing else."""
        restarted(self.made)
        self.scheduler = Scheduler(
            self, DailyCloses(self.store), self.store, on_optimized=lambda name, seconds: self.optimised.append(name)
        )

    async def submit(self, command: c.RecordRebalanceRun) -> Any:
        if self.killed_before:
            raise KeyboardInterrupt
        if self.stopped:
            raise NotReady("trading has halted")
        return self.made.step(command).outcome

    def schedule(self, this: Schedule | None) -> None:
        self.made.step(c.SetRebalanceSchedule(provenance=WHO, portfolio_id="fund", schedule=this))

    async def until(self, text: str) -> None:
        """Looks at a moment."""
        at = parse_iso(text)
        self.made.now = max(self.made.now, at)
        self.made.step(e.TimersDue(), self.made.now)
        await self.scheduler.look(self.made.now)

    @property
    def runs(self) -> list[Run]:
        return list(self.state.schedules.runs.get("fund", {}).values())

    @property
    def states(self) -> list[RunState]:
        return [one.state for one in self.runs]


@pytest.fixture
def desk() -> Desk:
    """Monday the 4th of March 2024, 21:00: a portfolio with 10000 in cash, and nothing held."""
    made = world()
    fund(made, "fund", "A", "B", cash=D(10_000))
    return Desk(made)


async def test_it_is_sent_when_it_is_due_and_not_before(desk: Desk) -> None:
    desk.schedule(TRADE)
    await desk.until("2024-03-05T00:29")
    assert desk.runs == []
    await desk.until("2024-03-05T00:30")
    (run,) = desk.runs
    assert (run.state, iso(run.due)) == (RunState.SENT, "2024-03-05T00:30:00Z")
    (started,) = desk.made.of(RebalanceStarted)
    assert started.rebalance.id == run.id
    assert started.rebalance.name == "scheduled 2024-03-05T00:30:00Z"
    assert (started.provenance.source, started.provenance.actor) == (Source.SCHEDULE, "anna")
    fill_all(desk.made)
    await desk.until("2024-03-05T12:00")
    await desk.until("2024-03-06T00:31")
    assert desk.states == [RunState.SENT, RunState.NOTHING], "all is as it should be"
    assert_sound(desk.made)


async def test_killed_before_and_after_the_decision_it_is_done_once(desk: Desk) -> None:
    desk.schedule(TRADE)
    desk.killed_before = True
    with pytest.raises(KeyboardInterrupt):
        await desk.until("2024-03-05T00:30")
    assert desk.runs == [], "nothing was committed, so nothing was done"
    desk.killed_before = False
    desk.start()
    await desk.until("2024-03-05T00:35")
    assert desk.states == [RunState.SENT]
    for minute in (36, 37):
        desk.start()
        await desk.until(f"2024-03-05T00:{minute}")
    fill_all(desk.made)
    desk.start()
    await desk.until("2024-03-05T00:40")
    assert desk.states == [RunState.SENT]
    assert len(desk.made.of(RebalanceStarted)) == 1
    assert len(desk.state.orders) == 2


async def test_what_was_missed_runs_late_or_not_at_all(desk: Desk) -> None:
    desk.schedule(TRADE)
    desk.start()
    await desk.until("2024-03-08T04:30")
    (run,) = desk.runs
    assert (run.state, iso(run.due)) == (RunState.SENT, "2024-03-08T00:30:00Z")
    assert run.reason == "3 earlier moments were missed"
    fill_all(desk.made)
    desk.start()
    await desk.until("2024-03-10T04:31")
    assert desk.states == [RunState.SENT, RunState.SKIPPED]
    assert desk.runs[-1].reason == "it was 241 minutes late, and may be 240; 1 earlier moment was missed"
    assert desk.made.of(AlertRaised)[-1].kind == "rebalance-missed"


async def test_a_proposal_is_approved_of_and_sent_as_it_was_proposed(desk: Desk) -> None:
    desk.schedule(Schedule(DAILY, HALVES, execution=Execution(ExecutionKind.TWAP, 3, MINUTE)))
    await desk.until("2024-03-05T00:30")
    (run,) = desk.runs
    assert run.state is RunState.PROPOSED
    assert run.rebalance is not None
    assert [trade.quantity for trade in run.rebalance.trades] == [D(500), D(200)]
    assert desk.state.orders == {}
    desk.made.step(c.AnswerRebalanceRun(provenance=WHO, portfolio_id="fund", run_id=run.id))
    assert desk.states == [RunState.SENT]
    assert len(desk.state.composites) == 2
    for _ in range(4):
        fill_all(desk.made)
        desk.made.step(e.TimersDue(), desk.made.now + MINUTE)
    assert desk.state.rebalances.running == {}
    assert desk.state.rebalances.all[run.id].ended.success


async def test_bands_are_watched_and_leave_no_trace_while_they_hold(desk: Desk) -> None:
    bands = Bands(absolute=D("0.05"), reach=Reach.BEYOND)
    desk.schedule(Schedule(Timing(Cadence.BAND, every=HOUR), HALVES, Mode.TRADE, bands))
    await desk.until("2024-03-05T00:30")
    assert desk.states == [RunState.SENT], "nothing is held: both are beyond"
    fill_all(desk.made)
    before = len(desk.made.records)
    for hour in range(1, 9):
        await desk.until(f"2024-03-05T0{hour}:30")
    assert desk.made.records[before:] == []
    desk.made.price(ACME, 12.6, 1)
    await desk.until("2024-03-05T22:30")
    assert desk.states == [RunState.SENT, RunState.SENT]
    trades = desk.made.of(RebalanceStarted)[-1].rebalance.trades
    assert [one.instrument_id for one in trades] == [ACME.id], "BOLT, 4.6 % below its own, is left alone"
    assert desk.state.rebalances.running
    await desk.until("2024-03-05T23:30")
    assert len(desk.runs) == 2, "one is under way"


async def test_a_band_that_something_keeps_from_being_met_is_told_once(desk: Desk) -> None:
    desk.schedule(Schedule(Timing(Cadence.BAND, every=HOUR), HALVES, Mode.TRADE, Bands(absolute=D("0.05"))))
    for name in ("A", "B"):
        desk.made.step(c.Panic(provenance=WHO, scope=Scope(ScopeKind.ACCOUNT, name)))
    for hour in range(1, 5):
        await desk.until(f"2024-03-05T0{hour}:30")
    (run,) = desk.runs
    assert run.state is RunState.FAILED
    assert "panic" in run.reason
    assert desk.state.orders == {}, "never for accounts that are halted"


async def test_an_account_that_is_halted_is_left_out_of_what_the_others_do(desk: Desk) -> None:
    desk.made.step(c.TransferCash(provenance=WHO, source=_place("B"), target=_place("B", "fund"), amount=D(5000)))
    desk.made.step(c.Panic(provenance=WHO, scope=Scope(ScopeKind.ACCOUNT, "A")))
    desk.schedule(TRADE)
    await desk.until("2024-03-05T00:30")
    (run,) = desk.runs
    assert run.state is RunState.SENT
    assert run.reason.startswith("A, all of it: ")
    assert {one.spec.account_id for one in desk.state.orders.values()} == {"B"}


async def test_nothing_is_sold_by_itself_in_an_account_that_is_halted(desk: Desk) -> None:
    """By hand what only reduces passes a panic; a schedule is nobody's hand."""
    desk.schedule(TRADE)
    await desk.until("2024-03-05T00:30")
    fill_all(desk.made)
    desk.made.step(c.Panic(provenance=WHO, scope=Scope(ScopeKind.ACCOUNT, "A"), keep_positions=True))
    before = len(desk.state.orders)
    assert before
    desk.schedule(Schedule(DAILY, Aim({ACME.id: D("0.01")}), Mode.TRADE))
    await desk.until("2024-03-06T00:30")
    assert [one.spec.account_id for one in list(desk.state.orders.values())[before:]] == []
    assert "A, all of it" in desk.runs[-1].reason


async def test_what_risk_would_refuse_is_not_sent_but_may_be_proposed(desk: Desk) -> None:
    desk.made.step(c.TransferCash(provenance=WHO, source=_place("B"), target=_place("B", "fund"), amount=D(5000)))
    tight = replace(OPEN, max_position_share=D("0.01"))
    desk.made.step(c.SetLimits(provenance=WHO, account_id="A", limits=tight))
    desk.schedule(TRADE)
    await desk.until("2024-03-05T00:30")
    (run,) = desk.runs
    assert run.state is RunState.SENT
    assert run.reason.startswith("risk would refuse ACME in A by max-position-share")
    assert {one.spec.account_id for one in desk.state.orders.values()} == {"B"}
    desk.schedule(Schedule(DAILY, HALVES))
    fill_all(desk.made)
    await desk.until("2024-03-06T00:30")
    proposed = desk.runs[-1].rebalance
    assert proposed is not None
    assert {trade.account_id for trade in proposed.trades} == {"A"}


def _place(account: str, book: str = "manual") -> Any:
    from evenkeel.domain.portfolios import Place

    return Place(account, book)


async def test_after_a_start_accounts_and_prices_are_waited_for_but_not_long(desk: Desk) -> None:
    desk.schedule(TRADE)
    desk.made.now = parse_iso("2024-03-05T00:30")
    desk.start()
    desk.made.step(e.Started(run="again", version="0", at=desk.made.now))
    await desk.until("2024-03-05T00:31")
    assert desk.runs == []
    desk.made.step(e.BrokerSnapshot(account_id="A", complete=True))
    await desk.until("2024-03-05T00:31:30")
    assert desk.runs == [], "B is not ready"
    await desk.until("2024-03-05T00:32")
    assert desk.states == [RunState.SENT], f"after {PATIENCE // MINUTE} minutes with what there is"
    assert desk.runs[0].reason.startswith("B, all of it: the account is NOT_READY")
    assert desk.state.accounts["B"].readiness is Readiness.NOT_READY


async def test_an_objective_is_found_anew_each_time(desk: Desk) -> None:
    _closes(desk)
    desk.made.step(c.ChangePortfolio(provenance=WHO, portfolio_id="fund", change=PortfolioChange(risk_tolerance=D(0))))
    aim = Aim(instrument_ids=(ACME.id, BOLT.id), days=40)
    desk.schedule(Schedule(DAILY, aim, Mode.TRADE))
    await desk.until("2024-03-05T00:30")
    careful = desk.made.of(RebalanceStarted)[0].rebalance.target
    assert careful[ACME.id] > careful[BOLT.id], "the calm one"
    fill_all(desk.made)
    desk.made.step(c.ChangePortfolio(provenance=WHO, portfolio_id="fund", change=PortfolioChange(risk_tolerance=D(1))))
    await desk.until("2024-03-06T00:30")
    assert desk.made.of(RebalanceStarted)[1].rebalance.target == {BOLT.id: D(1)}, "the one that has gained most"
    assert desk.optimised == ["risk-tolerance", "risk-tolerance"]
    desk.schedule(Schedule(DAILY, Aim(instrument_ids=(ACME.id, BOLT.id), objective="min-variance", days=40)))
    await desk.until("2024-03-07T00:30")
    assert desk.optimised[-1] == "min-variance"


async def test_a_failure_is_told_and_nothing_is_traded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.schedule(Schedule(DAILY, Aim(instrument_ids=(ACME.id,), objective="hrp"), Mode.TRADE))
    await desk.until("2024-03-05T00:30")
    (run,) = desk.runs
    assert run.state is RunState.FAILED
    assert "too little history" in run.reason
    assert desk.made.of(AlertRaised)[-1].kind == "rebalance-failed"

    def broken(*_: object, **__: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(scheduling, "weighed", broken)
    await desk.until("2024-03-06T00:30")
    assert desk.runs[-1].reason == "it could not be planned; the log says why"
    assert desk.state.orders == {}


async def test_closes_that_have_ended_are_no_ground_for_weights(desk: Desk) -> None:
    _closes(desk, ended=11)
    desk.schedule(Schedule(DAILY, Aim(instrument_ids=(ACME.id, BOLT.id), objective="hrp", days=40), Mode.TRADE))
    await desk.until("2024-03-05T00:30")
    (run,) = desk.runs
    assert run.state is RunState.FAILED
    assert "BOLT has no close after 2024-02-21, others have to 2024-03-03" in run.reason
    assert desk.state.orders == {}
    _closes(desk, ended=10)
    await desk.until("2024-03-06T00:30")
    assert desk.states[-1] is RunState.SENT


async def test_what_the_engine_declines_is_a_failure_with_its_reason(desk: Desk) -> None:
    desk.schedule(TRADE)
    original = desk.submit

    async def moved(command: c.RecordRebalanceRun) -> Any:
        if command.run.rebalance is not None:
            raise Conflict("what is held of ACME is not what the plan was made for")
        return await original(command)

    desk.submit = moved  # type: ignore[method-assign]
    await desk.until("2024-03-05T00:30")
    (run,) = desk.runs
    assert (run.state, run.reason) == (RunState.FAILED, "what is held of ACME is not what the plan was made for")


async def test_what_is_out_of_use_is_let_be(desk: Desk) -> None:
    desk.schedule(TRADE)
    desk.stopped = True
    await desk.until("2024-03-05T00:30")
    assert desk.runs == [], "trading has halted"
    desk.stopped = False
    desk.made.step(c.TransferCash(provenance=WHO, source=_place("A", "fund"), target=_place("A"), amount=D(10_000)))
    desk.made.step(c.ArchivePortfolio(provenance=WHO, portfolio_id="fund"))
    await desk.until("2024-03-06T00:30")
    assert desk.runs == []


async def test_in_a_replay_the_market_s_time_counts_and_is_never_late(desk: Desk) -> None:
    desk.clock.is_replay = True
    desk.schedule(TRADE)
    at = parse_iso("2024-03-05T21:00")
    await desk.scheduler.prepare(MarketSlice(at))
    assert desk.states == [RunState.SENT], "daily bars come once a day"
    await desk.scheduler.prepare(MarketSlice(at + MINUTE))
    assert len(desk.runs) == 1
    desk.schedule(None)
    await desk.scheduler.prepare(MarketSlice(at + 48 * HOUR))
    assert len(desk.runs) == 1


async def test_by_the_wall_clock_it_wakes_by_itself(desk: Desk) -> None:
    desk.schedule(TRADE)
    desk.made.now = parse_iso("2024-03-05T00:30")
    news = tuple(desk.made.of(ScheduleSet))
    desk.scheduler.committed(None, news)  # type: ignore[arg-type]
    for _ in range(1000):
        if desk.made.of(RunOpened):
            break
        await asyncio.sleep(0.01)
    assert desk.states == [RunState.SENT]
    desk.scheduler.stop()


def _closes(desk: Desk, *, ended: int = 0) -> None:
    """Sixty days: ACME moves little and gains nothing, BOLT moves much and gains, and is not known of the last days."""
    random, bars = np.random.default_rng(3), list[Bars]()
    for one, drift, spread, last in ((ACME, 0.0, 0.002, 10.0), (BOLT, 0.004, 0.02, 20.0)):
        path = np.cumprod(1.0 + random.normal(drift, spread, 60))
        prices = path / path[-1] * last
        end = parse_iso("2024-03-04")
        opens = np.array([end - day * 24 * HOUR for day in range(60, 0, -1)])
        columns = (opens, opens + 24 * HOUR, *(prices,) * 4, np.full(60, 1e6), np.zeros(60))
        bars.append(Bars.raw(one.id, "1d", columns, one))
    bars[1] = bars[1].rows(0, 60 - ended)
    desk.store = MemoryStore((ACME, BOLT), bars)
    desk.start()
