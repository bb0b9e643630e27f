"""The fold's side of money and holdings: cash, positions, and what splits, dividends and nights make of them."""

from decimal import Decimal

from evenkeel.domain import records as r
from evenkeel.domain.accounts import EXTERNAL_FLOWS, LedgerEntry, LedgerKind
from evenkeel.domain.money import ZERO, add, sub
from evenkeel.domain.portfolios import CashTransferred
from evenkeel.domain.positions import Position, PositionKey
from evenkeel.trading.engine import tracking
from evenkeel.trading.engine.composites import standing
from evenkeel.trading.engine.mtm import levels
from evenkeel.trading.engine.portfolios import standing as portfolios
from evenkeel.trading.engine.state import Mark, State


def cash_booked(state: State, record: r.CashBooked) -> None:
    for entry in record.entries:
        if entry.kind in EXTERNAL_FLOWS:
            state.accounts[entry.account_id].take_payment(entry.amount, record.equity)
        else:
            _earn(state, entry)
        book_entry(state, entry)
    if record.values:
        portfolios.paid(state, record.entries, record.values)


def cash_transferred(state: State, record: CashTransferred) -> None:
    """Cash that stays in its account is no payment into it."""
    for entry in record.entries:
        if entry.account_id in record.equity:
            state.accounts[entry.account_id].take_payment(entry.amount, record.equity[entry.account_id])
        book_entry(state, entry)
    if record.values:
        portfolios.paid(state, record.entries, record.values)


def _earn(state: State, entry: LedgerEntry, instrument_id: str = "") -> None:
    """Notes cash that no trade has made, so that the results of books and instruments add up to the account's."""
    earned, key = state.accounts[entry.account_id].earned, (entry.book, instrument_id)
    earned[key] = add(earned.get(key, ZERO), entry.amount)


def book_entry(state: State, entry: LedgerEntry) -> None:
    """Books a ledger line; what comes in or goes out is no gain or loss of the day."""
    account = state.accounts[entry.account_id]
    account.cash[entry.currency] = add(account.cash.get(entry.currency, ZERO), entry.amount)
    if entry.kind is not LedgerKind.TRADE and entry.kind in EXTERNAL_FLOWS:
        account.contributed = add(account.contributed, entry.amount)
        account.day_start_equity = add(account.day_start_equity, entry.amount)
        account.paid_in[entry.book] = add(account.paid_in.get(entry.book, ZERO), entry.amount)


def book_position(state: State, key: PositionKey, signed: Decimal, price: Decimal) -> Position:
    """Books a trade of `signed` units; the position it has changed."""
    account = state.accounts[key.account_id]
    position = account.positions.get(key)
    if position is None:
        position = account.positions[key] = Position(key=key)
    position.book(signed, price, state.instruments[key.instrument_id].multiplier)
    account.positions.touch(key.instrument_id)
    if state.mtm:
        levels.traded(state, key)
    account.net[key.instrument_id] = add(account.net.get(key.instrument_id, ZERO), signed)
    return position


def position_corrected(state: State, record: r.PositionCorrected) -> None:
    key = record.key
    state.restated.append((len(state.fills), record))
    earned = state.accounts[key.account_id].earned
    value = state.notional(key.instrument_id, record.quantity, record.price)
    earned[key.book, key.instrument_id] = add(earned.get((key.book, key.instrument_id), ZERO), value)
    book_position(state, record.key, record.quantity, record.price)


def split_applied(state: State, record: r.SplitApplied) -> None:
    instrument_id = record.split.instrument_id
    state.splits_applied.add((instrument_id, record.split.ex_date))
    state.restated.append((len(state.fills), record))
    tracking.split(state, record.split)
    if state.copying.by_master:
        state.copying.splits[instrument_id] = state.seq + 1
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
        order.kept = change.kept or order.kept
        if order.is_working:
            state.accounts[order.spec.account_id].working.keep(order)
    for composite in record.composites:
        standing.split(state, composite)
    for entry in record.entries:
        book_entry(state, entry)
    per_share = float(record.split.denominator) / float(record.split.numerator)
    for account in state.accounts.values():
        for key, guard in account.guards.items():
            if key.instrument_id == instrument_id:
                guard.best *= per_share
    mark = state.marks.get(instrument_id)
    if mark is not None:
        price = mark.price * per_share
        state.marks[instrument_id] = Mark(price, mark.at, mark.spread)
        if state.by_bar:
            state.marks.closes.pop(instrument_id, None)


def dividend_paid(state: State, record: r.DividendPaid) -> None:
    state.dividends_paid.add((record.dividend.instrument_id, record.dividend.ex_date))
    for entry in record.entries:
        _earn(state, entry, record.dividend.instrument_id)
        book_entry(state, entry)
    if state.mtm:
        levels.paid(state, record)


def nights_charged(state: State, record: r.NightsCharged) -> None:
    for entry in record.entries:
        _earn(state, entry)
        book_entry(state, entry)
    state.accounts[record.account_id].open_night(record.at)
