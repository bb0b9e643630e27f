"""The fold: one function per record, and the only code that changes the state, in deciding and in recovery."""

from collections.abc import Callable
from datetime import date
from typing import Any

from evenkeel.domain import mtm_records as m
from evenkeel.domain import records as r
from evenkeel.domain.account_records import AccountRenamed, AccountSwitched, FxRatesSet
from evenkeel.domain.accounts import LedgerKind, Marking, Readiness
from evenkeel.domain.composite_records import CompositeEnded, CompositeMoved, CompositeStarted
from evenkeel.domain.copy_records import CopyCursorMoved, CopyLinkSet, CopyTaken
from evenkeel.domain.errors import JournalCorrupt
from evenkeel.domain.followups import FollowUpDone, FollowUpSet
from evenkeel.domain.held_records import OrderKept, OrderReleased
from evenkeel.domain.limit_records import DrawdownMoved, RejectsHalted, ScopeDayClosed, ScopeLimitsChanged
from evenkeel.domain.live import LiveSwitched, is_real
from evenkeel.domain.money import add, sub
from evenkeel.domain.orders import Order, OrderEvent, OrderState, TimeInForce
from evenkeel.domain.portfolios import BookMoved, CashTransferred, PortfolioChanged, PortfolioDayClosed
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.rebalance_schedules import RunClosed, RunOpened, ScheduleSet
from evenkeel.domain.rebalancing import RebalanceEnded, RebalanceStarted
from evenkeel.domain.walkforward import SessionCompleted, SessionMoved, SessionOpened
from evenkeel.trading.engine import booking, guarding, halts, keeping, layers, sessions, tracking, use, waiting
from evenkeel.trading.engine.composites import standing
from evenkeel.trading.engine.copying import folding as copying
from evenkeel.trading.engine.mtm import levels
from evenkeel.trading.engine.portfolios import schedules, underway
from evenkeel.trading.engine.portfolios import standing as portfolios
from evenkeel.trading.engine.state import EXTERNAL, AccountState, DeploymentState, State

_NO_DAY = date.min


def apply(state: State, record: r.AnyRecord) -> None:
    """Folds one record. Raises JournalCorrupt when the record does not fit the state."""
    try:
        _FOLDS[type(record)](state, record)
    except KeyError as error:
        raise JournalCorrupt(
            f"record {state.seq + 1} ({type(record).__name__}) names {error}, which is unknown"
        ) from error
    state.seq += 1
    state.time = max(state.time, record.at)


def _run_started(state: State, record: r.RunStarted) -> None:
    state.run = record.run
    for account in state.accounts.values():
        account.readiness = Readiness.NOT_READY
        account.readiness_reason = "not reconciled since the start"
    halts.rearmed(state)


def _instrument_listed(state: State, record: r.InstrumentListed) -> None:
    known = state.instruments.get(record.instrument.id)
    state.instruments[record.instrument.id] = record.instrument
    use.listed(state, record.instrument)
    if known is not None and known != record.instrument:
        for account in state.accounts.values():
            account.working.recount()
            account.positions.recount()
            account.cells.recount()


def _account_opened(state: State, record: r.AccountOpened) -> None:
    account = record.account
    opened = AccountState(account=account, limits=account.limits, day=_NO_DAY, day_end=0)
    layers.limited(state, opened, limits=account.limits)
    opened.open_day(record.at)
    opened.open_night(record.at)
    opened.is_off = is_real(account)
    state.accounts[account.id] = opened
    state.guarded = state.guarded or account.limits.maintenance is not None
    if account.terms is not None and account.terms.marking is Marking.BAR:
        state.by_bar.add(account.id)


def _limits_changed(state: State, record: r.LimitsChanged) -> None:
    account = state.accounts[record.account_id]
    account.limits_version = record.version
    layers.limited(state, account, limits=record.limits)
    state.guarded = state.guarded or record.limits.maintenance is not None


def _readiness_changed(state: State, record: r.ReadinessChanged) -> None:
    account = state.accounts[record.account_id]
    account.readiness, account.readiness_reason = record.readiness, record.reason


def _account_reconciled(state: State, record: r.AccountReconciled) -> None:
    account = state.accounts[record.account_id]
    if account.readiness is Readiness.NOT_READY:
        halts.rearmed(state, record.account_id)
    if account.readiness is not Readiness.BLOCKED:
        account.readiness, account.readiness_reason = Readiness.READY, None
    seen = account.compared
    seen.times, seen.at, seen.differences = seen.times + 1, record.at, record.differences
    if record.routine:
        return
    for guard in account.guards.values():
        guard.denied = False
    if state.composites:
        standing.reconciled(state, record.account_id)


def _deployment_changed(state: State, record: r.DeploymentChanged) -> None:
    now, before = record.deployment, None
    held = state.deployments.get(now.id)
    if held is None:
        held = state.deployments[now.id] = DeploymentState(deployment=now, since=record.at)
    else:
        before, held.deployment = held.deployment, now
        if before.program != now.program:
            held.memory = None
        if now.paused is not None and before.paused is None:
            for account in state.accounts.values():
                account.standing.forget_rejects(now.id)
    state.guarded = state.guarded or now.protection is not None
    tracking.deployed(state, held, before)


def _signal_recorded(state: State, record: r.SignalRecorded) -> None:
    deployment = state.deployments[record.deployment_id]
    tracking.signalled(state, deployment, record)
    deployment.targets[record.instrument_id] = record.folded
    deployment.last_signal = record


def _order_decided(state: State, record: r.OrderDecided) -> None:
    spec = record.spec
    order = Order(
        id=record.order_id,
        spec=spec,
        venue_client_id=record.venue_client_id,
        state=record.state,
        session_date=record.session_date,
        created_at=record.at,
        updated_at=record.at,
        quantity=spec.quantity,
        limit_price=keeping.limit_of(spec, record.kept),
        stop_price=keeping.stop_of(spec, record.kept),
        source=record.provenance.source,
        send_by=record.send_by,
        since=record.since,
        kept=record.kept,
    )
    if not record.approved:
        _explain(order, record.checks[-1])
        layers.rejected(state.accounts[spec.account_id], spec.book, at=record.at, rule=record.checks[-1].rule)
    _index(state, order)
    if record.together:
        state.together.add(order.id)
    account = state.accounts[spec.account_id]
    if spec.parent:
        standing.decided(state, order)
    if record.approved and not record.held and record.session_date == account.day and not spec.is_exit:
        account.trades_today += 1
        layers.decided(account, spec)
    if order.kept is not None:
        keeping.note(state, order, at=record.at)
    if spec.link or spec.time_in_force is TimeInForce.BAR:
        guarding.note(account, order)
    if state.walkforwards:
        sessions.decided(account, record)
    if state.halts:
        halts.decided(state, record)
    deployment = state.deployments.get(spec.book)
    if deployment is not None:
        deployment.orders += 1
        deployment.refusals += not record.approved


def _explain(order: Order, check: r.Check) -> None:
    order.reason, order.rule, order.limit, order.value = check.reason, check.rule, check.limit, check.value
    order.layer = check.layer


def _index(state: State, order: Order) -> None:
    spec = order.spec
    state.orders[order.id] = order
    state.client_ids[spec.account_id, spec.client_order_id] = order.id
    state.venue_client_ids[order.venue_client_id] = order.id
    if order.state.is_working:
        state.accounts[spec.account_id].working.keep(order)


def _order_adopted(state: State, record: r.OrderAdopted) -> None:
    spec = record.spec
    order = Order(
        id=record.order_id,
        spec=spec,
        venue_client_id=record.venue_client_id,
        venue_order_id=record.venue_order_id,
        state=record.state,
        session_date=record.session_date,
        created_at=record.at,
        updated_at=record.at,
        quantity=spec.quantity,
        limit_price=spec.limit_price,
        stop_price=spec.stop_price,
        source=EXTERNAL,
        reason=f"the broker made it beside order {record.twin_of}" if record.twin_of else "placed outside Evenkeel",
        has_venue_event=True,
    )
    _index(state, order)
    if record.twin_of:
        key = spec.account_id, record.venue_order_id
        state.twins[key] = order.id, record.twin_of
        state.venue_order_ids[key] = order.id
    _name(state, order, record.venue_order_id)


def _intent_rechecked(state: State, record: r.IntentRechecked) -> None:
    order = state.orders[record.order_id]
    if not record.approved:
        _explain(order, record.checks[-1])
    if record.quantity is not None:
        order.quantity = record.quantity
        state.accounts[order.spec.account_id].working.keep(order)


def _order_moved(state: State, record: r.OrderMoved) -> None:
    order = state.orders[record.order_id]
    order.triggered = order.triggered or record.triggered
    order.has_venue_event = order.has_venue_event or record.by_venue
    if record.reason is not None:
        order.reason, order.rule, order.limit, order.value = (
            record.reason,
            record.rule,
            record.limit,
            record.value,
        )
        order.layer = record.layer if record.rule is not None else None
    if record.quantity is not None:
        order.quantity, order.limit_price, order.stop_price = (
            record.quantity,
            record.limit_price,
            record.stop_price,
        )
        keeping.changed(order)
    if order.spec.link and record.provenance is not None:
        guarding.leave_to(state.accounts[order.spec.account_id], order, record.provenance.source)
    if order.spec.parent:
        standing.asked(state, order, record=record)
    if record.event is OrderEvent.HOLD:
        keeping.taken_back(state.accounts[order.spec.account_id], order)
    elif record.state is OrderState.REJECTED:
        layers.rejected(state.accounts[order.spec.account_id], order.spec.book, at=record.at)
    _place(state, order, record.state, at=record.at, venue_order_id=record.venue_order_id)
    _see_bar(state, order.spec.instrument_id, record.bar)
    if state.halts:
        halts.order_moved(state, record)


def _place(state: State, order: Order, after: OrderState, *, at: int, venue_order_id: str | None) -> None:
    if venue_order_id is not None:
        _name(state, order, venue_order_id)
    before, order.state, order.updated_at = order.state, after, at
    account = state.accounts[order.spec.account_id]
    if after.is_working:
        account.working.keep(order)
    else:
        account.working.drop(order)
        if (order.spec.link or account.passing) and not after.is_open:
            guarding.forget(account, order, before)
    if order.kept is not None:
        keeping.note(state, order, at=at)
    if order.spec.parent:
        standing.settled(state, order, before=before)


def _name(state: State, order: Order, venue_order_id: str) -> None:
    """Keeps a venue's name for an order. A name given twice is the newer order's, unless the older still works."""
    key = order.spec.account_id, venue_order_id
    held = state.venue_order_ids.get(key)
    if held != order.id:
        holder = state.orders.get(held or "")
        if holder is None or not holder.is_working:
            state.venue_order_ids[key] = order.id
    if order.venue_order_id is None:
        order.venue_order_id = venue_order_id


def _see_bar(state: State, instrument_id: str, bar: int) -> None:
    if bar > state.bars_seen.get(instrument_id, 0):
        state.bars_seen[instrument_id] = bar


def _amend_requested(state: State, record: r.AmendRequested) -> None:
    order = state.orders[record.order_id]
    order.updated_at = record.at
    if order.spec.link:
        order.since = record.since or record.at
    keeping.asked(order, record.quantity)
    if order.spec.parent:
        standing.to_change(state, order, wanted=(record.quantity, record.limit_price, record.stop_price))


def _fill_booked(state: State, record: r.FillBooked) -> None:
    fill = record.fill
    order = state.orders[fill.order_id]
    state.fills[fill.account_id, fill.venue_execution_id] = fill
    notional = state.notional(fill.instrument_id, fill.quantity, fill.price)
    undo = fill.reverses is not None
    order.filled = sub(order.filled, fill.quantity) if undo else add(order.filled, fill.quantity)
    order.notional = sub(order.notional, notional) if undo else add(order.notional, notional)
    order.has_venue_event = True
    _place(state, order, record.state, at=record.at, venue_order_id=record.venue_order_id)
    if order.spec.parent:
        standing.filled(state, order, quantity=fill.quantity, undo=undo)
    key = PositionKey(fill.account_id, fill.book, fill.instrument_id, order.spec.product)
    position = booking.book_position(state, key, fill.signed, fill.price)
    for entry in record.entries:
        booking.book_entry(state, entry)
        if entry.kind is not LedgerKind.TRADE:
            position.charges = sub(position.charges, entry.amount)
    account = state.accounts[fill.account_id]
    layers.filled(state, account, fill=fill, position=position, notional=notional, at=record.at)
    if state.walkforwards:
        sessions.filled(state.accounts[fill.account_id])
    deployment = state.deployments.get(fill.book)
    if deployment is not None:
        deployment.fills += 1
        tracking.filled(state, deployment, fill.instrument_id)
    if state.halts:
        halts.filled(state, order.spec)
    if state.rebalances.running:
        underway.filled(state, record)
    _see_bar(state, fill.instrument_id, record.bar)


def _day_closed(state: State, record: r.DayClosed) -> None:
    account = state.accounts[record.account_id]
    account.day_start_equity = record.equity
    account.growth.see(record.equity)
    account.open_day(record.at)


def _cursor_moved(state: State, record: r.CursorMoved) -> None:
    state.cursor, state.feed_ended, state.places = record.cursor, record.ended, record.places
    for deployment_id, memory in record.states.items():
        if deployment_id in state.deployments:
            state.deployments[deployment_id].memory = memory


def _route_set(state: State, record: r.RouteSet) -> None:
    state.routes[record.route.user_id, record.route.name] = record.route


def _route_removed(state: State, record: r.RouteRemoved) -> None:
    del state.routes[record.user_id, record.name]


def _order_routed(state: State, record: r.OrderRouted) -> None:
    state.routed[record.order_id] = record


def _alert_raised(state: State, record: r.AlertRaised) -> None:
    """An alert changes nothing; it is kept for people."""


_FOLDS: dict[type, Callable[[State, Any], None]] = {
    r.RunStarted: _run_started,
    r.InstrumentListed: _instrument_listed,
    r.AccountOpened: _account_opened,
    AccountSwitched: use.switched,
    AccountRenamed: use.renamed,
    FxRatesSet: use.rates_set,
    LiveSwitched: use.live_switched,
    r.LimitsChanged: _limits_changed,
    ScopeLimitsChanged: layers.scope_changed,
    ScopeDayClosed: layers.day_closed,
    DrawdownMoved: layers.drawdown_moved,
    RejectsHalted: layers.rejects_halted,
    r.ReadinessChanged: _readiness_changed,
    r.AccountReconciled: _account_reconciled,
    r.CashBooked: booking.cash_booked,
    CashTransferred: booking.cash_transferred,
    PortfolioChanged: portfolios.changed,
    BookMoved: portfolios.book_moved,
    PortfolioDayClosed: portfolios.day_closed,
    RebalanceStarted: underway.started,
    RebalanceEnded: underway.ended,
    ScheduleSet: schedules.been_set,
    RunOpened: schedules.opened,
    RunClosed: schedules.closed,
    r.DeploymentChanged: _deployment_changed,
    r.SignalRecorded: _signal_recorded,
    r.OrderDecided: _order_decided,
    r.OrderAdopted: _order_adopted,
    r.IntentRechecked: _intent_rechecked,
    r.OrderMoved: _order_moved,
    OrderKept: keeping.kept,
    OrderReleased: keeping.released,
    r.AmendRequested: _amend_requested,
    r.FillBooked: _fill_booked,
    r.PositionCorrected: booking.position_corrected,
    r.SplitApplied: booking.split_applied,
    r.ProtectionChanged: guarding.changed,
    r.PanicStarted: halts.started,
    r.PanicMoved: halts.moved,
    r.PanicEnded: halts.ended,
    m.MtmStopped: halts.stopped,
    m.MtmRulesSet: levels.rules_set,
    m.MtmBased: levels.based,
    m.MtmPeak: levels.peaked,
    m.MtmBreached: levels.breached,
    m.MtmPlanned: levels.planned,
    m.SessionsListed: levels.sessions_listed,
    r.DividendPaid: booking.dividend_paid,
    r.NightsCharged: booking.nights_charged,
    r.RouteSet: _route_set,
    r.RouteRemoved: _route_removed,
    r.OrderRouted: _order_routed,
    CompositeStarted: standing.started,
    CompositeMoved: standing.moved,
    CompositeEnded: standing.ended,
    r.DayClosed: _day_closed,
    r.CursorMoved: _cursor_moved,
    r.AlertRaised: _alert_raised,
    CopyLinkSet: copying.link_set,
    CopyTaken: copying.taken,
    CopyCursorMoved: copying.cursor_moved,
    FollowUpSet: waiting.been_set,
    FollowUpDone: waiting.been_done,
    SessionOpened: sessions.opened,
    SessionMoved: sessions.moved,
    SessionCompleted: sessions.completed,
}
