"""Rebalances portfolios by their schedules: finds what is due, plans it, and hands the engine what becomes of it.

Up to which moment all is done stands in the journal. What came due while nothing ran is looked at once, as the last
moment there was: run late, or left out with an alert. A process that dies before the engine has taken a run has done
nothing, and does it anew; after that, the journal has it. In a replay the market's time counts, before each slice.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any, Protocol

import structlog
from msgspec import Struct
from msgspec.structs import replace

from evenkeel.desk.portfolios.moments import last_moment, next_moment
from evenkeel.desk.portfolios.planning import paced, planned
from evenkeel.desk.portfolios.rebalancing import NOTHING_HERE, Plan, Terms
from evenkeel.desk.portfolios.weighing import as_targets, settled, weighed
from evenkeel.desk.risk.closes import DailyCloses
from evenkeel.domain.accounts import Readiness
from evenkeel.domain.clock import SECOND, iso
from evenkeel.domain.commands import RecordRebalanceRun
from evenkeel.domain.errors import EvenkeelError, NotReady
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.money import ONE, mul, sub
from evenkeel.domain.portfolios import PortfolioChanged
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.rebalance_schedules import Aim, Cadence, Mode, Reach, Run, RunState, ScheduleSet, run_id
from evenkeel.domain.rebalancing import Rebalance
from evenkeel.domain.records import AnyRecord, Batch
from evenkeel.market.ports import BarStore
from evenkeel.trading.engine.portfolios.rebalancing import weights_of
from evenkeel.trading.engine.portfolios.schedules import ScheduleState
from evenkeel.trading.engine.state import State

log = structlog.get_logger(__name__)
PATIENCE = 120 * SECOND
AGAIN, LONGEST = 1.0, 3600.0
MINUTE = 60 * SECOND
NEVER = 2**63 - 1
_MOVES = (ScheduleSet, PortfolioChanged)


class Clock(Protocol):
    is_replay: bool

    def now(self) -> int: ...


class Runner(Protocol):
    """The part of the live runner that this needs."""

    @property
    def state(self) -> State: ...

    @property
    def clock(self) -> Clock: ...

    async def submit(self, command: RecordRebalanceRun) -> Any: ...


class _Due(Struct, frozen=True):
    """A moment of a portfolio's schedule that has come; `missed` others came before it and are left out."""

    portfolio_id: str
    held: ScheduleState
    moment: int
    missed: int

    @property
    def is_check(self) -> bool:
        """Whether it only looks: what finds nothing to do leaves no trace."""
        return self.held.schedule.timing.cadence is Cadence.BAND

    def run(self, state: RunState, reason: str = "", **more: Any) -> Run:
        name = self.portfolio_id
        return Run(run_id(name, self.moment), name, self.moment, state, reason, **more)


class Scheduler:
    """Subscribe it to its runner; of a feed, give its `prepare` to what is done before each slice.

    `on_optimized` is told the objective and the seconds of every optimisation.
    """

    def __init__(
        self,
        runner: Runner,
        daily: DailyCloses,
        bars: BarStore,
        *,
        on_optimized: Callable[[str, float], None] = lambda objective, seconds: None,
    ) -> None:
        self.runner, self.daily, self.bars, self.on_optimized = runner, daily, bars, on_optimized
        self._began = runner.clock.now()
        self._looked: dict[str, tuple[int, int]] = {}
        self._next = 0
        self._is_stale = False
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def committed(self, batch: Batch, records: tuple[AnyRecord, ...]) -> None:
        """Implements `trading.live.ports.Subscriber`."""
        has_changed = any(isinstance(record, _MOVES) for record in records)
        if has_changed:
            self._next, self._is_stale = 0, True
        is_on = self.runner.state.schedules.all and not self.runner.clock.is_replay
        if is_on and (has_changed or self._timer is None):
            self._wait(0.0)

    async def prepare(self, market: MarketSlice) -> None:
        """Does what is due before a slice, by what was known before it."""
        if self.runner.state.schedules.all and market.at > self._next:
            await self.look(market.at - 1)

    def stop(self) -> None:
        """Ends it: what is not in the journal by now is done after the next start."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _wait(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._wake)

    def _wake(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._look(), name="schedules of rebalancing")
        else:
            self._wait(AGAIN)

    async def _look(self) -> None:
        try:
            await self.look(self.runner.clock.now())
        finally:
            left = (self._next - self.runner.clock.now()) / SECOND
            self._wait(min(max(left, AGAIN), LONGEST))

    async def look(self, at: int) -> None:
        """Deals with all that is due at a moment (ns), and notes when to look again."""
        following, self._is_stale = NEVER, False
        for name in tuple(self.runner.state.schedules.all):
            try:
                following = min(following, await self._look_at(name, at=at))
            except Exception:  # of one portfolio, which must not keep the others from theirs
                log.exception("a schedule of rebalancing could not be followed", portfolio=name)
                following = min(following, at + MINUTE)
        self._next = 0 if self._is_stale else following

    async def _look_at(self, portfolio_id: str, *, at: int) -> int:
        """Deals with what is due of one portfolio; when (ns) it is to be looked at again."""
        state = self.runner.state
        held = state.schedules.all.get(portfolio_id)
        if held is None or state.portfolio(portfolio_id).portfolio.archived:
            return NEVER
        timing, names = held.schedule.timing, self._calendars(held.schedule.aim)
        since, seen = self._looked.get(portfolio_id, (0, 0))
        done = max(held.done, seen) if since == held.since else held.done
        moment, missed = await asyncio.to_thread(last_moment, timing, names, after=done, until=at)
        if moment is not None:
            due = _Due(portfolio_id, held, moment, missed)
            if self._is_early(due, at=at):
                return at + int(AGAIN * SECOND)
            await self._deal(due, at=at)
            self._looked[portfolio_id] = held.since, moment
        found = await asyncio.to_thread(next_moment, timing, names, after=max(at, done))
        return NEVER if found is None else found

    def _calendars(self, aim: Aim) -> set[str]:
        return {self.runner.state.instruments[name].calendar for name in aim.names}

    def _is_early(self, due: _Due, *, at: int) -> bool:
        """Whether accounts are not ready yet, or prices not known, as after a start: that is waited for a while."""
        state = self.runner.state
        if at >= max(due.moment, self._began) + PATIENCE or at - due.moment > due.held.schedule.timing.max_age:
            return False
        accounts = [state.accounts[name] for name in state.portfolio(due.portfolio_id).portfolio.account_ids]
        is_ready = all(one.readiness is not Readiness.NOT_READY or one.never_live or one.retired for one in accounts)
        return not is_ready or any(name not in state.marks for name in due.held.schedule.aim.names)

    async def _deal(self, due: _Due, *, at: int) -> None:
        """Finds what becomes of a moment, and has it recorded."""
        run = self._left_out(due, at=at)
        if run is None:
            try:
                run = await self._planned(due, at=at)
            except EvenkeelError as error:
                run = due.run(RunState.FAILED, _said(error))
            except Exception:
                log.exception("a scheduled rebalance could not be planned", portfolio=due.portfolio_id)
                run = due.run(RunState.FAILED, "it could not be planned; the log says why")
        if due.missed and not due.is_check:
            earlier = f"{due.missed} earlier moment{'s were' if due.missed > 1 else ' was'} missed"
            run = replace(run, reason=f"{run.reason}; {earlier}" if run.reason else earlier)
        if not due.is_check or self._is_news(run):
            await self._record(due, run)

    def _left_out(self, due: _Due, *, at: int) -> Run | None:
        """The run of a moment that is too late. In a replay time stands still while nothing runs."""
        late, most = at - due.moment, due.held.schedule.timing.max_age
        if late <= most or self.runner.clock.is_replay:
            return None
        return due.run(RunState.SKIPPED, f"it was {late // MINUTE} minutes late, and may be {most // MINUTE}")

    def _is_news(self, run: Run) -> bool:
        """Of a check: whether something is done, or something else than the last time keeps it from being done."""
        if run.state is not RunState.FAILED:
            return run.state in (RunState.SENT, RunState.PROPOSED)
        runs = self.runner.state.schedules.runs.get(run.portfolio_id, {})
        last = next(reversed(runs.values()), None)
        return last is None or (last.state, last.reason) != (run.state, run.reason)

    async def _planned(self, due: _Due, *, at: int) -> Run:
        state, name, wanted = self.runner.state, due.portfolio_id, due.held.schedule
        if due.is_check and (name in state.rebalances.running or name in state.schedules.proposed):
            return due.run(RunState.NOTHING, "one is under way, or waits for approval")
        weights = await self._weights(name, wanted.aim, at=at)
        invested = sub(ONE, wanted.buffer)
        target = {one: mul(weight, invested) for one, weight in weights.items()}
        beyond = wanted.bands.beyond(weights_of(self.runner.state, name), target)
        if not wanted.bands.is_open and not beyond:
            return due.run(RunState.NOTHING, "every weight is inside its band")
        only = beyond if wanted.bands.reach is Reach.BEYOND else frozenset[str]()
        pieces = 1 if wanted.execution is None else wanted.execution.pieces
        terms = Terms(weights=weights, buffer=wanted.buffer, least=wanted.least, only=only, pieces=pieces)
        source = Source.SCHEDULE if wanted.mode is Mode.TRADE else Source.USER
        plan = await planned(lambda: self.runner.state, name, terms, source=source)
        if wanted.mode is Mode.TRADE:
            plan = _unrefused(plan)
        if not plan.trades:
            return due.run(*_nothing(self.runner.state, plan))
        traded = dict.fromkeys(trade.instrument_id for trade in plan.trades)
        instruments = [self.runner.state.instruments[one] for one in traded]
        execution = await paced(wanted.execution, self.bars, instruments, at=at)
        return _to_send(due, plan, execution=execution, reason=_but(self.runner.state, plan), at=at)

    async def _weights(self, portfolio_id: str, aim: Aim, *, at: int) -> Mapping[str, Decimal]:
        if aim.weights:
            return aim.weights
        state = self.runner.state
        instruments = [state.instruments[name] for name in aim.instrument_ids]
        sure = settled(aim, tolerance=state.portfolio(portfolio_id).portfolio.risk_tolerance)
        started = time.perf_counter()
        found = await asyncio.to_thread(weighed, self.daily, instruments, sure, at=at)
        self.on_optimized(found.objective, time.perf_counter() - started)
        return as_targets(instruments, found.weights)

    async def _record(self, due: _Due, run: Run) -> None:
        """Hands a run to the engine. What it declines is recorded as failed, unless the schedule has changed."""
        provenance = Provenance(due.held.provenance.actor, Source.SCHEDULE, cause_id=run.id)
        for one in (run, None):
            command = RecordRebalanceRun(run=one or run, since=due.held.since, provenance=provenance)
            try:
                with suppress(NotReady):  # trading has stopped, and whoever else asks is told
                    await self.runner.submit(command)
            except EvenkeelError as error:
                run = due.run(RunState.FAILED, _said(error))
                if self.runner.state.schedules.all.get(due.portfolio_id) is not due.held or (
                    due.is_check and not self._is_news(run)
                ):
                    return
            else:
                return


def _unrefused(plan: Plan) -> Plan:
    """The plan without accounts of which risk would refuse a trade as things stand, such as those in a drawdown halt:
    where nobody looks, an account's part goes out as a whole or not at all."""
    closed = {one.account_id for one in plan.refusals}
    return replace(plan, accounts=tuple(one for one in plan.accounts if one.account_id not in closed))


def _to_send(due: _Due, plan: Plan, *, execution: Any, reason: str, at: int) -> Run:
    wanted, name = due.held.schedule, run_id(due.portfolio_id, due.moment)
    rebalance = Rebalance(
        id=name,
        portfolio_id=due.portfolio_id,
        name=f"scheduled {iso(due.moment)}",
        asked=name,
        value=plan.value,
        cost=plan.cost,
        before=plan.before,
        target=plan.target,
        trades=plan.trades,
        execution=execution,
    )
    if wanted.mode is Mode.TRADE:
        return due.run(RunState.SENT, reason, rebalance=rebalance)
    return due.run(RunState.PROPOSED, reason, rebalance=rebalance, expires=at + wanted.expires)


def _nothing(state: State, plan: Plan) -> tuple[RunState, str]:
    """Why there is nothing to trade: all is as it should be, or something keeps it from that."""
    told = _but(state, plan)
    return (RunState.FAILED, told) if told else (RunState.NOTHING, "there is nothing to trade")


def _but(state: State, plan: Plan) -> str:
    """What is left out of a plan though it is wanted, in words; empty where nothing is."""
    found = [
        f"{state.accounts[one.account_id].account.name}, all of it: {one.reason}"
        for one in plan.skipped
        if one.instrument_id is None and one.reason != NOTHING_HERE
    ]
    found += [
        f"risk would refuse {state.instruments[one.instrument_id].symbol} in "
        f"{state.accounts[one.account_id].account.name} by {one.reason}"
        for one in plan.refusals
        if one.instrument_id is not None
    ]
    return "; ".join(found[:5])


def _said(error: EvenkeelError) -> str:
    """An error in one line, with the fields at fault."""
    faults = "; ".join(f"{one.field}: {one.message}" for one in getattr(error, "errors", ()))
    return f"{error.message}: {faults}" if faults else error.message
