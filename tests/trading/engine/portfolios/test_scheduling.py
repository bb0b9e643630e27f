"""Schedules of rebalancing in the engine: each moment once, whatever dies in between; proposals, and their ends."""

from decimal import Decimal
from typing import Any

import pytest

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain.errors import Conflict, InvalidInput, NotFound
from evenkeel.domain.execution import Execution, ExecutionKind
from evenkeel.domain.rebalance_schedules import (
    DAY,
    HOUR,
    MINUTE,
    Aim,
    Bands,
    Cadence,
    Mode,
    Reach,
    Run,
    RunClosed,
    RunOpened,
    RunState,
    Schedule,
    Timing,
    run_id,
    schedule_faults,
)
from evenkeel.domain.rebalancing import PlannedTrade, Rebalance, RebalanceStarted
from evenkeel.domain.records import AlertRaised
from tests.trading.engine.portfolios.test_rebalancing import PURCHASE, SALE, held, order, orders, rebalance, restarted
from tests.trading.engine.world import ACME, BOLT, WHO, World, assert_sound

D = Decimal
MONTHLY = Schedule(Timing(Cadence.MONTHLY), Aim({ACME.id: D("0.5")}))


def scheduled(schedule: Schedule = MONTHLY) -> World:
    made = held()
    made.step(c.SetRebalanceSchedule(provenance=WHO, portfolio_id="fund", schedule=schedule))
    return made


def run_of(
    made: World, state: RunState, *trades: PlannedTrade, later: int = HOUR, wait: int = DAY, since: int = 0
) -> c.RecordRebalanceRun:
    """The run of a moment so much later than the schedule was set."""
    begun = made.state.schedules.all["fund"].since
    due = begun + later
    name = run_id("fund", due)
    this = Rebalance(name, "fund", f"scheduled {later}", name, D(5000), D(0), trades=trades)
    is_one = state in (RunState.SENT, RunState.PROPOSED)
    expires = made.now + wait if state is RunState.PROPOSED else 0
    run = Run(name, "fund", due, state, "as it is", this if is_one else None, expires)
    return c.RecordRebalanceRun(provenance=WHO, run=run, since=since or begun)


def answer(made: World, *, approve: bool = True, later: int = HOUR) -> c.AnswerRebalanceRun:
    name = run_id("fund", made.state.schedules.all["fund"].since + later)
    return c.AnswerRebalanceRun(provenance=WHO, portfolio_id="fund", run_id=name, approve=approve)


def told(made: World) -> list[str]:
    return [one.kind for one in made.of(AlertRaised)]


def test_what_is_due_is_sent_once() -> None:
    made = scheduled()
    command = run_of(made, RunState.SENT, SALE, PURCHASE)
    first = made.step(command)
    assert first.outcome is not None
    assert first.outcome.created
    assert list(orders(made)) == [f"{command.run.id}:0"], "its orders bear the name of the run"
    for _ in range(2):
        restarted(made)
        assert made.step(command).records == (), "a moment that is done stays so"
        assert made.step(run_of(made, RunState.SENT, SALE, later=HOUR - 1)).records == (), "as do all before it"
    made.fill(order(made, f"{command.run.id}:0"), "60")
    made.fill(order(made, f"{command.run.id}:1"), "25", "20")
    assert made.state.rebalances.running == {}
    assert told(made) == ["rebalance-sent"]
    assert made.state.schedules.runs["fund"][command.run.id].rebalance is None, "the rebalance has what was traded"
    assert_sound(made)


def test_a_proposal_waits_for_a_person() -> None:
    made = scheduled()
    made.step(run_of(made, RunState.PROPOSED, SALE, PURCHASE))
    assert orders(made) == {}
    assert told(made) == ["rebalance-proposed"]
    restarted(made)
    made.step(answer(made))
    (name,) = orders(made)
    assert name.endswith(":0")
    run = next(iter(made.state.schedules.runs["fund"].values()))
    assert (run.state, run.reason) == (RunState.SENT, "it was approved")
    assert isinstance(made.declined(answer(made)), Conflict), "once"
    assert isinstance(made.declined(answer(made, later=5)), NotFound)
    made.step(e.TimersDue(), made.now + 2 * DAY)
    assert "rebalance-expired" not in told(made)
    assert_sound(made)


def test_it_does_not_wait_for_ever() -> None:
    made = scheduled()
    made.step(run_of(made, RunState.PROPOSED, SALE))
    restarted(made)
    made.step(e.TimersDue(), made.now + DAY)
    (closed,) = made.of(RunClosed)
    assert closed.state is RunState.EXPIRED
    assert told(made)[-1] == "rebalance-expired"
    assert isinstance(made.declined(answer(made)), Conflict)
    assert not made.of(RebalanceStarted)


def test_a_moment_late_is_too_late_to_approve() -> None:
    made = scheduled()
    made.step(run_of(made, RunState.PROPOSED, SALE, wait=MINUTE))
    made.now += MINUTE
    assert isinstance(made.declined(answer(made)), Conflict)


def test_the_next_one_and_another_schedule_take_its_place() -> None:
    made = scheduled()
    made.step(run_of(made, RunState.PROPOSED, SALE))
    made.step(run_of(made, RunState.PROPOSED, PURCHASE, later=2 * HOUR))
    made.step(c.SetRebalanceSchedule(provenance=WHO, portfolio_id="fund"))
    assert [one.state for one in made.of(RunClosed)] == [RunState.REPLACED, RunState.REPLACED]
    assert made.state.schedules.all == {}
    assert made.state.schedules.proposed == {}
    assert not made.state.timers
    assert isinstance(made.declined(c.SetRebalanceSchedule(provenance=WHO, portfolio_id="fund")), NotFound)
    made.step(c.SetRebalanceSchedule(provenance=WHO, portfolio_id="fund", schedule=MONTHLY))
    assert isinstance(made.declined(run_of(made, RunState.SENT, SALE, since=1)), Conflict)


def test_a_declined_one_trades_nothing() -> None:
    made = scheduled()
    made.step(run_of(made, RunState.PROPOSED, SALE))
    made.step(answer(made, approve=False))
    assert made.of(RunClosed)[-1].state is RunState.DECLINED
    assert orders(made) == {}


def test_what_does_not_fit_any_more_goes_on_waiting_and_is_not_sent() -> None:
    made = scheduled()
    made.step(run_of(made, RunState.PROPOSED, SALE))
    made.step(rebalance(PURCHASE, name="mine"))
    assert isinstance(made.declined(answer(made)), Conflict), "another is under way"
    assert isinstance(made.declined(run_of(made, RunState.SENT, SALE, later=2 * HOUR)), Conflict)
    made.fill(order(made, "r-mine:0"), "25", "20")
    made.holding("7", "10", book="fund")
    assert isinstance(made.declined(answer(made)), Conflict), "the plan was made for 100"
    assert made.state.schedules.proposed
    assert isinstance(made.declined(c.ArchivePortfolio(provenance=WHO, portfolio_id="fund")), Conflict)


@pytest.mark.parametrize(
    ("state", "kind"),
    [(RunState.SKIPPED, "rebalance-missed"), (RunState.FAILED, "rebalance-failed"), (RunState.NOTHING, None)],
)
def test_what_came_to_nothing_is_kept_with_its_reason(state: RunState, kind: str | None) -> None:
    made = scheduled()
    made.step(run_of(made, state))
    assert told(made) == ([kind] if kind else [])
    (opened,) = made.of(RunOpened)
    assert (opened.run.state, opened.run.reason) == (state, "as it is")


def test_many_runs_are_not_all_kept() -> None:
    made = scheduled()
    for number in range(1, 206):
        made.step(run_of(made, RunState.NOTHING, later=number * HOUR))
    assert len(made.state.schedules.runs["fund"]) == 200


def test_bands() -> None:
    target = {"a": D("0.5"), "b": D("0.1")}
    off = {"a": D("0.54"), "b": D("0.13"), "c": D("0.01")}
    assert Bands().is_open
    assert Bands(absolute=D("0.03")).beyond(off, target) == {"a"}
    assert Bands(relative=D("0.2")).beyond(off, target) == {"b", "c"}
    assert Bands(D("0.03"), D("0.2")).beyond(off, target) == {"a", "b", "c"}
    assert Bands(absolute=D("0.05")).beyond(off, target) == frozenset()


def test_schedules_that_make_no_sense_say_why() -> None:
    def fields(**more: Any) -> list[str]:
        made: dict[str, Any] = {"timing": MONTHLY.timing, "aim": MONTHLY.aim} | more
        return [one.field for one in schedule_faults(Schedule(**made))]

    assert fields() == []
    assert fields(aim=Aim()) == ["targets"]
    assert fields(aim=Aim({"a": D(1)}, ("a",))) == ["targets"]
    assert fields(buffer=D(1), bands=Bands(D(0), D(2))) == ["buffer", "band", "relative_band"]
    assert fields(timing=Timing(Cadence.BAND)) == ["band"]
    assert fields(bands=Bands(reach=Reach.BEYOND)) == ["trade"]
    assert fields(timing=Timing(Cadence.DAILY, DAY, -1, every=1, max_age=1), expires=0) == [
        "after_open", "before_close", "every", "max_age", "expires",
    ]  # fmt: skip
    assert fields(execution=Execution(ExecutionKind.TWAP)) == ["slices", "duration"]
    made = held()
    bad = Schedule(Timing(Cadence.BAND), MONTHLY.aim, Mode.TRADE)
    fault = made.declined(c.SetRebalanceSchedule(provenance=WHO, portfolio_id="fund", schedule=bad))
    assert isinstance(fault, InvalidInput)
    assert isinstance(
        made.declined(c.SetRebalanceSchedule(provenance=WHO, portfolio_id="none", schedule=MONTHLY)), NotFound
    )
    assert BOLT.id not in MONTHLY.aim.names
