"""Walk-forward sessions: an account with simulated fills on the live feed and its strategies, from start to end."""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from evenkeel.domain.provenance import Provenance
from evenkeel.domain.record import Record

CAPITAL = Decimal(1_000_000)
BROKERAGE_RATE = Decimal("0.0003")


class SessionStatus(StrEnum):
    """CLOSING: to be completed once what it holds is closed. A COMPLETED session never changes again."""

    RUNNING = "running"
    STOPPED = "stopped"
    CLOSING = "closing"
    COMPLETED = "completed"


class WalkForwardSession(Struct, frozen=True, omit_defaults=True):
    """One session. Its account trades nothing else; its strategies are the deployments that trade this account.

    `costs`: whether trading is charged, with `brokerage_rate` (a fraction of value) in the place of the brokerage of
    the account's schedule.
    """

    id: str
    name: str
    user_id: str
    account_id: str
    capital: Decimal = CAPITAL
    costs: bool = False
    brokerage_rate: Decimal = BROKERAGE_RATE


class SessionFigures(Struct, frozen=True):
    """What a session came to when it was completed. `growth` is time-weighted, `charges` what was paid in all."""

    equity: Decimal
    cash: Decimal
    growth: float
    orders: int
    fills: int
    charges: Decimal


class SessionOpened(Record, frozen=True, tag="walkforward.opened/1"):
    session: WalkForwardSession
    provenance: Provenance


class SessionMoved(Record, frozen=True, tag="walkforward.moved/1"):
    """A session is started, stopped, or on its way to its end. `close`: what it holds is being closed."""

    session_id: str
    status: SessionStatus
    close: bool = False
    reason: str = ""
    provenance: Provenance | None = None


class SessionCompleted(Record, frozen=True, tag="walkforward.completed/1"):
    session_id: str
    figures: SessionFigures


AnySessionRecord = SessionOpened | SessionMoved | SessionCompleted
