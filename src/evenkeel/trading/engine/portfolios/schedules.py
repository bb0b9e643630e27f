"""Schedules of rebalancing as folded state: what is to be done by itself, up to when it was, and what became of it."""

from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from evenkeel.domain.provenance import Provenance
from evenkeel.domain.rebalance_schedules import Run, RunClosed, RunOpened, RunState, Schedule, ScheduleSet

if TYPE_CHECKING:
    from evenkeel.trading.engine.state import State

TIMER = "rebalance-proposal"
MOST_RUNS = 200


class ScheduleState(Struct, kw_only=True):
    """A portfolio's schedule as it stands, and who set it when (ns). Moments up to `done` (ns) are dealt with."""

    schedule: Schedule
    provenance: Provenance
    since: int
    done: int


class Schedules(Struct):
    """`all` by portfolio, and the last `MOST_RUNS` of each, oldest first; `proposed` is the run that waits."""

    all: dict[str, ScheduleState] = field(default_factory=dict)
    runs: dict[str, dict[str, Run]] = field(default_factory=dict)
    proposed: dict[str, str] = field(default_factory=dict)

    def run(self, portfolio_id: str, run_id: str) -> Run | None:
        return self.runs.get(portfolio_id, {}).get(run_id)


def been_set(state: "State", record: ScheduleSet) -> None:
    """What was due before is none of the new schedule's."""
    if record.schedule is None:
        del state.schedules.all[record.portfolio_id]
        return
    state.schedules.all[record.portfolio_id] = ScheduleState(
        schedule=record.schedule, provenance=record.provenance, since=record.at, done=record.at
    )


def opened(state: "State", record: RunOpened) -> None:
    run, held = record.run, state.schedules
    held.all[run.portfolio_id].done = run.due
    runs = held.runs.setdefault(run.portfolio_id, {})
    runs[run.id] = run if run.state is RunState.PROPOSED else replace(run, rebalance=None)
    if len(runs) > MOST_RUNS:
        del runs[next(iter(runs))]
    if run.state is RunState.PROPOSED:
        held.proposed[run.portfolio_id] = run.id
        state.timers.set(TIMER, run.portfolio_id, run.expires)


def closed(state: "State", record: RunClosed) -> None:
    held = state.schedules
    run = held.runs[record.portfolio_id][record.id]
    held.runs[record.portfolio_id][record.id] = replace(
        run, state=record.state, reason=record.reason, rebalance=None, expires=0
    )
    del held.proposed[record.portfolio_id]
    state.timers.drop(TIMER, record.portfolio_id)
