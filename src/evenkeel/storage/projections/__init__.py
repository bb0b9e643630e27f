"""Projections: what each record of the journal means for the tables. One function per record, none of which decides.

They run behind the journal and only from it; the engine never reads them. Change what a table means, and
`VERSION` must grow: a stored projection of another version is made again from the journal.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Table

from evenkeel.domain import mtm_records as m
from evenkeel.domain import records as r
from evenkeel.domain.account_records import AccountRenamed, AccountSwitched, FxRatesSet
from evenkeel.domain.composite_records import CompositeEnded, CompositeMoved, CompositeStarted
from evenkeel.domain.copy_records import CopyCursorMoved, CopyLinkSet, CopyTaken
from evenkeel.domain.followups import FollowUpDone, FollowUpSet
from evenkeel.domain.held_records import OrderKept, OrderReleased
from evenkeel.domain.limit_records import DrawdownMoved, RejectsHalted, ScopeDayClosed, ScopeLimitsChanged
from evenkeel.domain.live import LiveSwitched
from evenkeel.domain.portfolios import BookMoved, CashTransferred, PortfolioChanged, PortfolioDayClosed
from evenkeel.domain.rebalance_schedules import RunClosed, RunOpened, ScheduleSet
from evenkeel.domain.rebalancing import RebalanceEnded, RebalanceStarted
from evenkeel.domain.walkforward import SessionCompleted, SessionMoved, SessionOpened
from evenkeel.storage.projections import (
    accounts,
    composites,
    copying,
    desk,
    held,
    limits,
    mtm,
    orders,
    portfolios,
    rebalance_schedules,
    rebalancing,
    totals,
    trading,
    walkforward,
)
from evenkeel.storage.projections.unit import Place, Unit
from evenkeel.storage.projections.writing import Row
from evenkeel.storage.tables.accounts import account_limits, balances, daily_marks
from evenkeel.storage.tables.accounts import accounts as account_rows
from evenkeel.storage.tables.composites import composites as composite_rows
from evenkeel.storage.tables.portfolios import book_balances, portfolio_books
from evenkeel.storage.tables.portfolios import portfolios as portfolio_rows
from evenkeel.storage.tables.reference import instruments
from evenkeel.storage.tables.strategies import strategies
from evenkeel.storage.tables.totals import fx_rates, instrument_totals, kept_totals
from evenkeel.storage.tables.trading import orders as order_rows
from evenkeel.storage.tables.trading import position_totals, positions
from evenkeel.storage.tables.walkforward import walkforward_sessions

VERSION = 4
_PAST = frozenset({account_limits, daily_marks, fx_rates})
SMALL = frozenset({
    account_rows, balances, book_balances, instrument_totals, instruments, kept_totals, portfolio_books, portfolio_rows,
    position_totals, positions, strategies,
    walkforward_sessions,
})  # fmt: skip

_PROJECTIONS: dict[type, Callable[[Unit, Place, Any], None]] = {
    r.RunStarted: desk.run_started,
    r.InstrumentListed: desk.instrument_listed,
    r.AccountOpened: accounts.account_opened,
    r.LimitsChanged: accounts.limits_changed,
    LiveSwitched: accounts.live_switched,
    AccountSwitched: accounts.switched,
    AccountRenamed: accounts.renamed,
    FxRatesSet: totals.rates_set,
    r.ReadinessChanged: accounts.readiness_changed,
    r.CashBooked: accounts.cash_booked,
    CashTransferred: portfolios.transferred,
    PortfolioChanged: portfolios.changed,
    BookMoved: portfolios.book_moved,
    PortfolioDayClosed: portfolios.day_closed,
    RebalanceStarted: rebalancing.started,
    RebalanceEnded: rebalancing.ended,
    ScheduleSet: rebalance_schedules.been_set,
    RunOpened: rebalance_schedules.opened,
    RunClosed: rebalance_schedules.closed,
    r.DeploymentChanged: desk.deployment_changed,
    r.SignalRecorded: desk.signal_recorded,
    r.OrderDecided: orders.order_decided,
    r.IntentRechecked: orders.intent_rechecked,
    r.OrderMoved: orders.order_moved,
    OrderKept: held.order_kept,
    OrderReleased: held.order_released,
    r.AmendRequested: orders.amend_requested,
    r.FillBooked: trading.fill_booked,
    r.OrderAdopted: orders.order_adopted,
    CompositeStarted: composites.started,
    CompositeMoved: composites.moved,
    CompositeEnded: composites.ended,
    r.PositionCorrected: trading.position_corrected,
    r.SplitApplied: trading.split_applied,
    r.DividendPaid: accounts.cash_booked,
    r.NightsCharged: accounts.cash_booked,
    r.ProtectionChanged: trading.protection_changed,
    r.PanicStarted: desk.panic,
    r.PanicMoved: desk.panic,
    r.PanicEnded: desk.panic,
    CopyLinkSet: copying.link_set,
    CopyTaken: copying.taken,
    CopyCursorMoved: copying.cursor_moved,
    r.DayClosed: accounts.day_closed,
    r.CursorMoved: desk.cursor_moved,
    r.AccountReconciled: accounts.account_reconciled,
    r.AlertRaised: desk.alert_raised,
    r.RouteSet: desk.routed,
    r.RouteRemoved: desk.routed,
    r.OrderRouted: desk.routed,
    FollowUpSet: desk.follow_up,
    FollowUpDone: desk.follow_up,
    ScopeLimitsChanged: limits.scope_changed,
    ScopeDayClosed: limits.day_closed,
    DrawdownMoved: limits.drawdown_moved,
    RejectsHalted: limits.rejects_halted,
    m.MtmRulesSet: mtm.rules_set,
    m.MtmBreached: mtm.breached,
    m.MtmBased: mtm.moved,
    m.MtmPeak: mtm.moved,
    m.MtmStopped: mtm.moved,
    m.MtmPlanned: mtm.moved,
    m.SessionsListed: mtm.moved,
    SessionOpened: walkforward.opened,
    SessionMoved: walkforward.moved,
    SessionCompleted: walkforward.completed,
}


def project(unit: Unit, place: Place, record: r.AnyRecord) -> None:
    """Applies one record to the unit. Raises JournalCorrupt when it speaks of what was never introduced."""
    _PROJECTIONS[type(record)](unit, place, record)


def unit_of(shard: str) -> Unit:
    return Unit(shard, SMALL)


def is_closed(table: Table, row: Row) -> bool:
    """Whether a row need not be kept at hand after it has been written."""
    if table is order_rows:
        return not row["is_open"]
    if table is composite_rows:
        return row["ended_at"] is not None
    return table in _PAST


__all__ = ["VERSION", "Place", "Unit", "is_closed", "project", "unit_of"]
