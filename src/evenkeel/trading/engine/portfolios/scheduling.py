"""Commands on schedules of rebalancing. What is due when is found outside, by calendars; what was done of it is kept
here, with the orders that came of it in one step, so that no moment is dealt with twice.
"""

from evenkeel.domain import commands as c
from evenkeel.domain.clock import iso
from evenkeel.domain.errors import Conflict, InvalidInput, NotFound
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.rebalance_schedules import Run, RunClosed, RunOpened, RunState, ScheduleSet, schedule_faults
from evenkeel.trading.engine import timers
from evenkeel.trading.engine.effects import Outcome
from evenkeel.trading.engine.portfolios import rebalancing
from evenkeel.trading.engine.portfolios.schedules import TIMER
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn

_TOLD = {
    RunState.PROPOSED: ("info", "rebalance-proposed", "waits for approval until"),
    RunState.SENT: ("info", "rebalance-sent", "has been sent"),
    RunState.SKIPPED: ("warning", "rebalance-missed", "was left out"),
    RunState.FAILED: ("warning", "rebalance-failed", "came to nothing"),
}


def set_schedule(turn: Turn, command: c.SetRebalanceSchedule) -> Outcome:
    """Sets a portfolio's schedule, or clears it; a proposal of the one before waits no more.

    Raises InvalidInput, Conflict for a portfolio that is archived, NotFound where there is none to clear.
    """
    state, name = turn.state, command.portfolio_id
    held = state.portfolio(name)
    known = state.schedules.all.get(name)
    if command.schedule is None and known is None:
        raise NotFound(f"{held.portfolio.name} has no schedule of rebalancing")
    if command.schedule is not None:
        if held.portfolio.archived:
            raise Conflict(f"portfolio {held.portfolio.name} is archived", hint="Restore it first.")
        faults = schedule_faults(command.schedule)
        if faults:
            raise InvalidInput("the schedule is not valid", errors=tuple(faults))
    _replace(turn, name, reason="the schedule has changed", provenance=command.provenance)
    record = ScheduleSet(at=turn.at, portfolio_id=name, provenance=command.provenance, schedule=command.schedule)
    turn.emit(record)
    return Outcome(name, created=known is None)


def _replace(turn: Turn, portfolio_id: str, *, reason: str, provenance: Provenance) -> None:
    waiting = turn.state.schedules.proposed.get(portfolio_id)
    if waiting is not None:
        _close(turn, portfolio_id, waiting, RunState.REPLACED, reason=reason, provenance=provenance)


def _close(
    turn: Turn, portfolio_id: str, run_id: str, state: RunState, *, reason: str, provenance: Provenance | None
) -> None:
    turn.emit(
        RunClosed(at=turn.at, id=run_id, portfolio_id=portfolio_id, state=state, reason=reason, provenance=provenance)
    )


def record_run(turn: Turn, command: c.RecordRebalanceRun) -> Outcome:
    """Takes what has become of a moment; one that is SENT places its orders now.

    A moment that was dealt with already changes nothing. Raises Conflict where the schedule is another by now, and
    whatever speaks against the rebalance.
    """
    run, state = command.run, turn.state
    known = state.schedules.all.get(run.portfolio_id)
    if known is None or known.since != command.since:
        raise Conflict("the schedule of rebalancing has changed meanwhile")
    if run.due <= known.done:
        return Outcome(run.id, created=False)
    sent = None
    if run.state in (RunState.SENT, RunState.PROPOSED):
        assert run.rebalance is not None
        sent = c.RebalancePortfolio(rebalance=run.rebalance, provenance=command.provenance)
        rebalancing.check(turn, run.rebalance)
    _replace(turn, run.portfolio_id, reason="a newer one has come", provenance=command.provenance)
    turn.emit(RunOpened(at=turn.at, run=run, provenance=command.provenance))
    _tell(turn, run)
    if sent is not None and run.state is RunState.SENT:
        rebalancing.start(turn, sent)
    return Outcome(run.id)


def _tell(turn: Turn, run: Run) -> None:
    if run.state in _TOLD:
        level, kind, what = _TOLD[run.state]
        until = f" {iso(run.expires)}" if run.state is RunState.PROPOSED else ""
        why = f": {run.reason}" if run.reason else ""
        turn.alert(level, kind, f"{_title(turn.state, run)} {what}{until}{why}", account_id=_first(turn.state, run))


def _title(state: State, run: Run) -> str:
    name = state.portfolios[run.portfolio_id].portfolio.name
    return f"The rebalance of portfolio {name} that was due at {iso(run.due)}"


def _first(state: State, run: Run) -> str:
    """An account of the portfolio: whoever sees that is told."""
    return state.portfolios[run.portfolio_id].portfolio.account_ids[0]


def answer(turn: Turn, command: c.AnswerRebalanceRun) -> Outcome:
    """Approves of a proposal, whose trades are sent as they were proposed, or declines it.

    Raises NotFound, and Conflict for what waits no more, or fits no more what is held; that goes on waiting.
    """
    state, name = turn.state, command.portfolio_id
    run = state.schedules.run(name, command.run_id)
    if run is None:
        raise NotFound(f"there is no run {command.run_id!r} of this portfolio")
    if run.state is not RunState.PROPOSED:
        raise Conflict(f"the run is {run.state}, and waits for nothing")
    if turn.at >= run.expires:
        raise Conflict(f"the proposal has expired at {iso(run.expires)}")
    if not command.approve:
        _close(turn, name, run.id, RunState.DECLINED, reason="it was declined", provenance=command.provenance)
        return Outcome(run.id, created=False)
    assert run.rebalance is not None
    rebalancing.check(turn, run.rebalance)
    _close(turn, name, run.id, RunState.SENT, reason="it was approved", provenance=command.provenance)
    rebalancing.start(turn, c.RebalancePortfolio(rebalance=run.rebalance, provenance=command.provenance))
    return Outcome(run.id, created=False)


def due(turn: Turn, portfolio_id: str) -> None:
    """A proposal has waited long enough."""
    run = turn.state.schedules.runs[portfolio_id][turn.state.schedules.proposed[portfolio_id]]
    _close(turn, portfolio_id, run.id, RunState.EXPIRED, reason="nobody approved of it in time", provenance=None)
    message = f"{_title(turn.state, run)} has expired: nobody approved of it in time"
    turn.alert("warning", "rebalance-expired", message, account_id=_first(turn.state, run))


timers.HANDLERS[TIMER] = due
