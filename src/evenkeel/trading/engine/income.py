"""What an account earns and pays for what it holds: dividends, interest on cash, fees for what was sold short.

The rule is that of `quant.costs.carrying`: nights are charged before anything else of the moment that follows them,
dividends after that and before the splits of the same day. What comes of it is recorded as ledger entries.
"""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from evenkeel.domain.accounts import MANUAL, Financing, LedgerEntry, LedgerKind
from evenkeel.domain.clock import session_date
from evenkeel.domain.errors import InexactMoney
from evenkeel.domain.marketdata import Dividend
from evenkeel.domain.money import ZERO, add, exact, is_bookable, mul
from evenkeel.domain.records import DividendPaid, NightsCharged
from evenkeel.quant.costs.carrying import CARRY_STEP, DAY_COUNTS, borrow_fee, financing
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.turn import Turn

_YEAR = DAY_COUNTS["ACT/365"]


def charge_nights(turn: Turn, account: AccountState) -> None:
    """Books the nights that lie behind, on cash and holdings as they stand, valued at the last prices."""
    rates, zone, roll = account.account.financing, account.account.time_zone, account.account.roll
    if rates is None or turn.at <= account.night:
        return
    nights = (session_date(turn.at - 1, zone, roll) - session_date(account.night - 1, zone, roll)).days
    entries = tuple(_of_nights(turn.state, account, rates, nights=float(nights)))
    turn.emit(NightsCharged(at=turn.at, account_id=account.account.id, nights=nights, entries=entries))


def _of_nights(state: State, account: AccountState, rates: Financing, *, nights: float) -> Iterator[LedgerEntry]:
    """One entry of interest, and one for each instrument that is short."""
    shorts = _short_values(state, account)
    free = account.cash_in(account.account.currency)
    for value in shorts.values():
        free = add(free, value)
    interest = financing(float(free), rates.debit, rates.credit, nights, _YEAR)
    yield from _entry(account, LedgerKind.INTEREST, interest, book=MANUAL, component="interest")
    for name, value in shorts.items():
        fee = borrow_fee(float(value), rates.borrow, nights, _YEAR)
        yield from _entry(account, LedgerKind.BORROW, fee, book=_most_short(account, name), component=name)


def _short_values(state: State, account: AccountState) -> dict[str, Decimal]:
    """The market value (below zero) of each instrument that the account as a whole is short of."""
    values: dict[str, Decimal] = {}
    for key, position in account.positions.items():
        name = key.instrument_id
        if account.net.get(name, ZERO) < 0:
            value = position.market_value(state.price_of(position), state.instruments[name].multiplier)
            values[name] = add(values.get(name, ZERO), value)
    return values


def _entry(
    account: AccountState, kind: LedgerKind, amount: float, *, book: str, component: str
) -> Iterator[LedgerEntry]:
    booked = exact(amount, CARRY_STEP)
    if booked:
        yield _line(account, kind, booked, book=book, component=component)


def _line(account: AccountState, kind: LedgerKind, amount: Decimal, *, book: str, component: str) -> LedgerEntry:
    name, currency, day = account.account.id, account.account.currency, account.day
    return LedgerEntry(name, book, currency, kind, amount, day, component)


def _most_short(account: AccountState, instrument_id: str) -> str:
    """The book that has sold the most of what the account is short of."""
    sold: dict[str, Decimal] = defaultdict(Decimal)
    for key, position in account.positions.items():
        if key.instrument_id == instrument_id:
            sold[key.book] = add(sold[key.book], position.quantity)
    return min(sold, key=lambda book: (sold[book], book), default=MANUAL)


def pay_dividend(turn: Turn, dividend: Dividend) -> None:
    """Pays a dividend once: every book receives it on what it holds, and owes it on what it is short."""
    state, name = turn.state, dividend.instrument_id
    if (name, dividend.ex_date) in state.dividends_paid or name not in state.instruments:
        return
    symbol = state.instruments[name].symbol
    try:
        entries = tuple(_of_dividend(state, dividend)) if is_bookable(dividend.amount) else None
    except InexactMoney:
        entries = None
    if entries is None or dividend.amount <= 0:
        turn.alert("critical", "dividend-refused", f"{symbol}: a dividend of {dividend.amount} was not paid")
        return
    turn.emit(DividendPaid(at=turn.at, dividend=dividend, entries=entries))
    if entries:
        message = f"{symbol} went ex a dividend of {dividend.amount}: {len(entries)} positions were paid or owed it"
        turn.alert("info", "dividend", message)


def _of_dividend(state: State, dividend: Dividend) -> Iterator[LedgerEntry]:
    each = mul(dividend.amount, state.instruments[dividend.instrument_id].multiplier)
    for account in state.accounts.values():
        held: dict[str, Decimal] = {}
        for key, position in account.positions.items():
            if key.instrument_id == dividend.instrument_id:
                held[key.book] = add(held.get(key.book, ZERO), position.quantity)
        for book, quantity in held.items():
            if quantity:
                paid = mul(quantity, each)
                yield _line(account, LedgerKind.DIVIDEND, paid, book=book, component=dividend.ex_date.isoformat())
