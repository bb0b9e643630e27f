"""What the market does to accounts: marks, the end of the day, splits. Fills come from venues, not from here."""

from decimal import Decimal

from evenkeel.domain.accounts import LedgerEntry, LedgerKind
from evenkeel.domain.clock import session_date
from evenkeel.domain.marketdata import MarketSlice, Split
from evenkeel.domain.records import DayClosed, SplitApplied, SplitOrder, SplitPosition
from evenkeel.trading.brokers.splits import split_order, split_position
from evenkeel.trading.engine.state import AccountState, Mark
from evenkeel.trading.engine.turn import Turn


def slice_seen(turn: Turn, event: MarketSlice) -> None:
    """Takes one slice: closes days that have ended, applies splits, then moves the marks."""
    for account in turn.state.accounts.values():
        if turn.at >= account.day_end:
            close_day(turn, account)
    for split in event.splits:
        apply_split(turn, split)
    marks = turn.state.marks
    for bar in event.bars:
        marks[bar.instrument_id] = Mark(bar.close, bar.close_ts, bar.spread)
    for quote in event.quotes:
        marks[quote.instrument_id] = Mark(quote.last, quote.ts, quote.ask - quote.bid)


def close_day(turn: Turn, account: AccountState) -> None:
    """Records the end of the account's open day with the marks that value it."""
    state = turn.state
    marks: dict[str, Decimal] = {}
    for position in account.positions.values():
        if position.quantity:
            marks[position.key.instrument_id] = state.price_of(position)
    turn.emit(
        DayClosed(
            at=turn.at,
            id=turn.new_id("day"),
            account_id=account.account.id,
            session_date=account.day,
            cash=account.cash_in(account.account.currency),
            equity=state.equity(account),
            marks=marks,
            fx={account.account.currency: Decimal(1)},
        )
    )


def apply_split(turn: Turn, split: Split) -> None:
    """Applies a split once, to every account's positions and working orders; its results are what is recorded."""
    state = turn.state
    if (split.instrument_id, split.ex_date) in state.splits_applied or split.instrument_id not in state.instruments:
        return
    instrument = state.instruments[split.instrument_id]
    last = state.mark(split.instrument_id)
    positions: list[SplitPosition] = []
    orders: list[SplitOrder] = []
    entries: list[LedgerEntry] = []
    for account in state.accounts.values():
        for position in account.positions.values():
            if position.key.instrument_id == split.instrument_id and position.quantity:
                part = split_position(
                    position, split, instrument=instrument, last_price=last or state.price_of(position)
                )
                positions.append(part)
                if part.cash_in_lieu:
                    entries.append(_in_lieu(account, part, turn.at))
        orders += [
            split_order(order, split, instrument=instrument)
            for order in account.working.values()
            if order.spec.instrument_id == split.instrument_id
        ]
    turn.emit(
        SplitApplied(at=turn.at, split=split, positions=tuple(positions), orders=tuple(orders), entries=tuple(entries))
    )
    if positions or orders:
        counts = f"{len(positions)} positions and {len(orders)} working orders adjusted"
        message = f"{instrument.symbol} split {split.numerator}:{split.denominator}: {counts}"
        turn.alert("info", "split", message)


def _in_lieu(account: AccountState, part: SplitPosition, at: int) -> LedgerEntry:
    return LedgerEntry(
        account_id=part.key.account_id,
        book=part.key.book,
        currency=account.account.currency,
        kind=LedgerKind.TRADE,
        amount=part.cash_in_lieu,
        value_date=session_date(at, account.account.time_zone, account.account.roll),
        component="cash in lieu",
    )
