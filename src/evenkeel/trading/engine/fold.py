"""The fold: one function per record, and the only code that changes the state, in deciding and in recovery."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from evenkeel.domain import records as r
from evenkeel.domain.accounts import LedgerEntry, LedgerKind, Readiness
from evenkeel.domain.errors import JournalCorrupt
from evenkeel.domain.money import ZERO, add, sub
from evenkeel.domain.orders import Order, OrderState, TimeInForce
from evenkeel.domain.positions import Position, PositionKey
from evenkeel.trading.engine import guarding, halts, tracking
from evenkeel.trading.engine.state import EXTERNAL, AccountState, DeploymentState, Mark, State

_NO_DAY = date.min
EXTERNAL_FLOWS = frozenset({LedgerKind.DEPOSIT, LedgerKind.WITHDRAWAL, LedgerKind.TRANSFER})


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
    if known is not None and known != record.instrument:
        for account in state.accounts.values():
            account.working.recount()
            account.positions.recount()


def _account_opened(state: State, record: r.AccountOpened) -> None:
    account = record.account
    opened = AccountState(account=account, limits=account.limits, day=_NO_DAY, day_end=0)
    opened.open_day(record.at)
    opened.open_night(record.at)
    state.accounts[account.id] = opened
    state.guarded = state.guarded or account.limits.maintenance is not None


def _limits_changed(state: State, record: r.LimitsChanged) -> None:
    account = state.accounts[record.account_id]
    account.limits, account.limits_version = record.limits, record.version
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
    for guard in account.guards.values():
        guard.denied = False


def _cash_booked(state: State, record: r.CashBooked) -> None:
    for entry in record.entries:
        if entry.kind in EXTERNAL_FLOWS:
            state.accounts[entry.account_id].take_payment(entry.amount, record.equity)
        _book_entry(state, entry)


def _book_entry(state: State, entry: LedgerEntry) -> None:
    account = state.accounts[entry.account_id]
    account.cash[entry.currency] = add(account.cash.get(entry.currency, ZERO), entry.amount)
    if entry.kind is not LedgerKind.TRADE and entry.kind in EXTERNAL_FLOWS:
        account.contributed = add(account.contributed, entry.amount)
        account.day_start_equity = add(account.day_start_equity, entry.amount)


def _deployment_changed(state: State, record: r.DeploymentChanged) -> None:
    now, before = record.deployment, None
    held = state.deployments.get(now.id)
    if held is None:
        held = state.deployments[now.id] = DeploymentState(deployment=now, since=record.at)
    else:
        before, held.deployment = held.deployment, now
        if before.program != now.program:
            held.memory = None
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
        state=OrderState.SUBMITTED if record.approved else OrderState.REFUSED,
        session_date=record.session_date,
        created_at=record.at,
        updated_at=record.at,
        quantity=spec.quantity,
        limit_price=spec.limit_price,
        stop_price=spec.stop_price,
        source=record.provenance.source,
        send_by=record.send_by,
        since=record.since,
    )
    if not record.approved:
        _explain(order, record.checks[-1])
    _index(state, order)
    account = state.accounts[spec.account_id]
    if record.approved and record.session_date == account.day and not spec.link:
        account.trades_today += 1
    if spec.link or spec.time_in_force is TimeInForce.BAR:
        guarding.note(account, order)
    if state.halts:
        halts.decided(state, record)
    deployment = state.deployments.get(spec.book)
    if deployment is not None:
        deployment.orders += 1
        deployment.refusals += not record.approved


def _explain(order: Order, check: r.Check) -> None:
    order.reason, order.rule, order.limit, order.value = check.reason, check.rule, check.limit, check.value


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
        reason="placed outside Evenkeel",
        has_venue_event=True,
    )
    _index(state, order)
    _name(state, order, record.venue_order_id)


def _intent_rechecked(state: State, record: r.IntentRechecked) -> None:
    order = state.orders[record.order_id]
    if not record.approved:
        _explain(order, record.checks[-1])


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
    if record.quantity is not None:
        order.quantity, order.limit_price, order.stop_price = (
            record.quantity,
            record.limit_price,
            record.stop_price,
        )
    if order.spec.link and record.provenance is not None:
        guarding.leave_to(state.accounts[order.spec.account_id], order, record.provenance.source)
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
        if order.spec.link or account.passing:
            guarding.forget(account, order, before)


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
    key = PositionKey(fill.account_id, fill.book, fill.instrument_id, order.spec.product)
    position = _book_position(state, key, fill.signed, fill.price)
    for entry in record.entries:
        _book_entry(state, entry)
        if entry.kind is not LedgerKind.TRADE:
            position.charges = sub(position.charges, entry.amount)
    deployment = state.deployments.get(fill.book)
    if deployment is not None:
        deployment.fills += 1
        tracking.filled(state, deployment, fill.instrument_id)
    if state.halts:
        halts.filled(state, order.spec)
    _see_bar(state, fill.instrument_id, record.bar)


def _book_position(state: State, key: PositionKey, signed: Decimal, price: Decimal) -> Position:
    account = state.accounts[key.account_id]
    position = account.positions.get(key)
    if position is None:
        position = account.positions[key] = Position(key=key)
    position.book(signed, price, state.instruments[key.instrument_id].multiplier)
    account.positions.touch(key.instrument_id)
    account.net[key.instrument_id] = add(account.net.get(key.instrument_id, ZERO), signed)
    return position


def _position_corrected(state: State, record: r.PositionCorrected) -> None:
    _book_position(state, record.key, record.quantity, record.price)


def _split_applied(state: State, record: r.SplitApplied) -> None:
    instrument_id = record.split.instrument_id
    state.splits_applied.add((instrument_id, record.split.ex_date))
    tracking.split(state, record.split)
    for part in record.positions:
        account = state.accounts[part.key.account_id]
        position = account.positions[part.key]
        account.net[instrument_id] = add(account.net[instrument_id], sub(part.quantity, position.quantity))
        position.realised = add(position.realised, sub(part.cash_in_lieu, part.cost_released))
        position.total_cost = sub(position.total_cost, part.cost_released)
        position.quantity = part.quantity
        account.positions.touch(instrument_id)
    for change in record.orders:
        order = state.orders[change.order_id]
        order.quantity, order.filled = change.quantity, change.filled
        order.limit_price, order.stop_price = change.limit_price, change.stop_price
        state.accounts[order.spec.account_id].working.keep(order)
    for entry in record.entries:
        _book_entry(state, entry)
    per_share = float(record.split.denominator) / float(record.split.numerator)
    for account in state.accounts.values():
        for key, guard in account.guards.items():
            if key.instrument_id == instrument_id:
                guard.best *= per_share
    mark = state.marks.get(instrument_id)
    if mark is not None:
        price = mark.price * per_share
        state.marks[instrument_id] = Mark(price, mark.at, mark.spread)


def _dividend_paid(state: State, record: r.DividendPaid) -> None:
    state.dividends_paid.add((record.dividend.instrument_id, record.dividend.ex_date))
    for entry in record.entries:
        _book_entry(state, entry)


def _nights_charged(state: State, record: r.NightsCharged) -> None:
    for entry in record.entries:
        _book_entry(state, entry)
    state.accounts[record.account_id].open_night(record.at)


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


def _alert_raised(state: State, record: r.AlertRaised) -> None:
    """An alert changes nothing; it is kept for people."""


_FOLDS: dict[type, Callable[[State, Any], None]] = {
    r.RunStarted: _run_started,
    r.InstrumentListed: _instrument_listed,
    r.AccountOpened: _account_opened,
    r.LimitsChanged: _limits_changed,
    r.ReadinessChanged: _readiness_changed,
    r.AccountReconciled: _account_reconciled,
    r.CashBooked: _cash_booked,
    r.DeploymentChanged: _deployment_changed,
    r.SignalRecorded: _signal_recorded,
    r.OrderDecided: _order_decided,
    r.OrderAdopted: _order_adopted,
    r.IntentRechecked: _intent_rechecked,
    r.OrderMoved: _order_moved,
    r.AmendRequested: _amend_requested,
    r.FillBooked: _fill_booked,
    r.PositionCorrected: _position_corrected,
    r.SplitApplied: _split_applied,
    r.ProtectionChanged: guarding.changed,
    r.PanicStarted: halts.started,
    r.PanicMoved: halts.moved,
    r.PanicEnded: halts.ended,
    r.DividendPaid: _dividend_paid,
    r.NightsCharged: _nights_charged,
    r.DayClosed: _day_closed,
    r.CursorMoved: _cursor_moved,
    r.AlertRaised: _alert_raised,
}
