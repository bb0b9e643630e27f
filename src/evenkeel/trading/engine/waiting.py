"""The fold's side of follow-ups: what waits for cancels, and until when."""

from typing import TYPE_CHECKING

from evenkeel.domain.followups import FollowUpDone, FollowUpSet

if TYPE_CHECKING:
    from evenkeel.trading.engine.state import State

TIMER = "follow-up"


def been_set(state: "State", record: FollowUpSet) -> None:
    """Waits from now on, until its moment at the latest."""
    state.follow_ups[record.id] = record
    state.timers.set(TIMER, record.id, record.until)


def been_done(state: "State", record: FollowUpDone) -> None:
    """Waits no more."""
    del state.follow_ups[record.id]
    state.timers.drop(TIMER, record.id)
