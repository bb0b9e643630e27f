"""Walk-forward sessions as the fold keeps them: which account is whose, whether it trades, what is left to close."""

from typing import TYPE_CHECKING

from msgspec import Struct, field

from evenkeel.domain import records as r
from evenkeel.domain.errors import JournalCorrupt
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.walkforward import (
    SessionCompleted,
    SessionFigures,
    SessionMoved,
    SessionOpened,
    SessionStatus,
    WalkForwardSession,
)
from evenkeel.trading.engine.timers import NEVER

if TYPE_CHECKING:
    from evenkeel.trading.engine.state import AccountState, State


class SessionState(Struct, kw_only=True):
    """One session; times are engine time in ns, 0 for what has not happened. `tries`: orders sent to close a position.

    `figures` are those of a completed one, and never change again.
    """

    session: WalkForwardSession
    opened_at: int
    status: SessionStatus = SessionStatus.STOPPED
    closing: bool = False
    reason: str = ""
    started_at: int = 0
    stopped_at: int = 0
    completed_at: int = 0
    orders: int = 0
    fills: int = 0
    tries: dict[PositionKey, int] = field(default_factory=dict)
    figures: SessionFigures | None = None

    @property
    def is_running(self) -> bool:
        return self.status is SessionStatus.RUNNING

    @property
    def idle(self) -> str:
        """Why its account takes no more risk, empty while it trades."""
        return "" if self.is_running else f"session {self.session.name} is {self.status}"


def closing_mark(session_id: str) -> str:
    """How the client ids of orders begin that close what a session holds."""
    return f"session:{session_id}:"


def opened(state: "State", record: SessionOpened) -> None:
    """Binds a session to its account. Raises JournalCorrupt for one whose orders could reach a real venue."""
    session = record.session
    account = state.accounts[session.account_id]
    if not account.account.is_simulated:
        raise JournalCorrupt(f"session {session.name} names {account.account.name}, which is a live account")
    account.session = state.walkforwards[session.id] = SessionState(session=session, opened_at=record.at)


def moved(state: "State", record: SessionMoved) -> None:
    held = state.walkforwards[record.session_id]
    if record.status is not held.status:
        if record.status is SessionStatus.RUNNING:
            held.started_at, held.stopped_at = held.started_at or record.at, 0
        elif held.is_running:
            held.stopped_at = record.at
    held.status, held.closing, held.reason = record.status, record.close, record.reason
    held.tries.clear()
    if record.close:
        state.closing_sessions[record.session_id] = held
    else:
        state.closing_sessions.pop(record.session_id, None)


def completed(state: "State", record: SessionCompleted) -> None:
    """Freezes a session: its account's days and nights have come to an end."""
    held = state.walkforwards[record.session_id]
    held.status, held.closing, held.figures = SessionStatus.COMPLETED, False, record.figures
    held.completed_at = record.at
    held.stopped_at = held.stopped_at or record.at
    state.closing_sessions.pop(record.session_id, None)
    state.accounts[held.session.account_id].due = NEVER


def decided(held: "AccountState", record: r.OrderDecided) -> None:
    """Counts a session's order, and among them those that close a position of it."""
    session, spec = held.session, record.spec
    if session is None:
        return
    session.orders += 1
    if session.closing and spec.client_order_id.startswith(closing_mark(session.session.id)):
        key = PositionKey(spec.account_id, spec.book, spec.instrument_id, spec.product)
        session.tries[key] = session.tries.get(key, 0) + 1


def filled(held: "AccountState") -> None:
    """Counts a fill of a session."""
    if held.session is not None:
        held.session.fills += 1
