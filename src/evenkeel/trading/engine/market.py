"""What the market does to accounts: marks, ends of days, what goes ex. Fills come from venues, not from here."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from math import isfinite

from evenkeel.domain.accounts import LedgerEntry, LedgerKind
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import MarketSlice, Quote, Split
from evenkeel.domain.money import COST_STEP, mul, portion, sub
from evenkeel.domain.orders import Product
from evenkeel.domain.positions import Position
from evenkeel.domain.records import DayClosed, SplitApplied, SplitOrder, SplitPosition
from evenkeel.trading.brokers.splits import SplitHolding, SplitTerms, split_books, split_kept, split_order
from evenkeel.trading.engine import exchange, income, limiting, timers, watching
from evenkeel.trading.engine.composites import restating
from evenkeel.trading.engine.mtm import stopping
from evenkeel.trading.engine.portfolios import days
from evenkeel.trading.engine.state import AccountState, Mark, State
from evenkeel.trading.engine.turn import Turn


def slice_seen(turn: Turn, event: MarketSlice) -> None:
    """Takes a slice: closes days that have ended, pays dividends, applies splits, moves the marks, does what is due."""
    for account in turn.state.accounts.values():
        keep_day(turn, account)
    for dividend in event.dividends:
        income.pay_dividend(turn, dividend)
    for split in event.splits:
        apply_split(turn, split)
    move_marks(turn.state, event)
    if turn.state.marks.silent:
        watching.heard(turn, event)
    if not event.splits:  # else behind the slice: a venue that has not seen the split would apply it to what is placed
        timers.run(turn)


def is_quiet(state: State, event: MarketSlice, at: int) -> bool:
    """True when a slice moves marks and does nothing else: no day has ended by `at`, and nothing goes ex."""
    if state.marks.silent or (event.quotes and state.watched):
        return False
    if event.splits or event.dividends or at >= state.timers.next:
        return False
    if state.mtm and state.mtm.concern(_shown(event)):
        return False
    if state.tiered and at >= state.marks.look_at:
        return False
    for account in state.accounts.values():  # noqa: SIM110 - most of what a backtest asks, and a generator costs more
        if at >= account.due:
            return False
    return True


def _shown(event: MarketSlice) -> set[str]:
    return {bar.instrument_id for bar in event.bars} | {quote.instrument_id for quote in event.quotes}


def move_marks(state: State, event: MarketSlice) -> None:
    """Sets the last prices that a slice shows."""
    marks = state.marks
    if state.guarded:
        marks.earlier = {name: marks[name].price for name in _shown(event) & marks.keys()}
    for bar in event.bars:
        if isfinite(bar.close):
            marks[bar.instrument_id] = Mark(bar.close, bar.close_ts, bar.spread if isfinite(bar.spread) else 0.0)
            if state.by_bar:
                marks.closes[bar.instrument_id] = marks[bar.instrument_id]
    for quote in event.quotes:
        mark = _quoted(quote)
        if mark is not None:
            marks[quote.instrument_id] = mark


def _quoted(quote: Quote) -> Mark | None:
    """The mark of a quote: its last trade, else the middle; None where it says neither."""
    spread = quote.ask - quote.bid
    price = quote.last if isfinite(quote.last) else quote.bid + spread / 2
    return Mark(price, quote.ts, spread if isfinite(spread) else 0.0) if isfinite(price) else None


def keep_day(turn: Turn, account: AccountState) -> None:
    """Charges the night and closes the account's open day once its end has passed, as market or clock tell."""
    if turn.at >= account.due:
        income.charge_nights(turn, account)
        if turn.at >= account.day_end:
            close_day(turn, account)


def close_day(turn: Turn, account: AccountState) -> None:
    """Records the end of the account's open day with the marks that value it, and of its part in layers of limits."""
    state = turn.state
    closing = account.day
    if state.pairs:
        exchange.take_from_market(turn, account.day)
    equity, marks = state.equity(account), dict[str, Decimal]()
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
            equity=equity,
            marks=marks,
            fx=exchange.marks_of(state, account),
            contributed=account.contributed,
            growth=account.growth.at(equity),
            drawdown=account.growth.drawdown(equity),
        )
    )
    if state.portfolios:
        days.close(turn, account, closing)
    if state.layers or state.tiered:
        limiting.close_day(turn, account)
    if state.mtm or state.halts:
        stopping.day_closed(turn, account.account)


def apply_split(turn: Turn, split: Split) -> None:
    """Applies a split once, to every account's positions and working orders; its results are what is recorded."""
    state = turn.state
    if (split.instrument_id, split.ex_date) in state.splits_applied or split.instrument_id not in state.instruments:
        return
    instrument = state.instruments[split.instrument_id]
    if split.numerator <= 0 or split.denominator <= 0:
        message = f"{instrument.symbol}: a split of {split.numerator}:{split.denominator} was not applied"
        turn.alert("critical", "split-refused", message)
        return
    accounts = tuple(state.accounts.values())
    positions = [part for account in accounts for part in _split_positions(state, account, split)]
    orders = [part for account in accounts for part in _split_orders(account, split, instrument)]
    entries = tuple(_in_lieu(turn, part) for part in positions if part.cash_in_lieu)
    composites = restating.after_split(state, split) if state.composites else ()
    turn.emit(
        SplitApplied(
            at=turn.at,
            split=split,
            positions=tuple(positions),
            orders=tuple(orders),
            entries=entries,
            composites=composites,
        )
    )
    if positions or orders:
        counts = f"{len(positions)} positions and {len(orders)} working orders adjusted"
        message = f"{instrument.symbol} split {split.numerator}:{split.denominator}: {counts}"
        turn.alert("info", "split", message)


def _split_positions(state: State, account: AccountState, split: Split) -> Iterator[SplitPosition]:
    """Each product's books together, so that their sum stays what the broker holds."""
    instrument = state.instruments[split.instrument_id]
    by_product: dict[Product, list[Position]] = defaultdict(list)
    for position in account.positions.values():
        if position.key.instrument_id == split.instrument_id and position.quantity:
            by_product[position.key.product].append(position)
    for positions in by_product.values():
        last = state.mark(split.instrument_id) or state.price_of(positions[0])
        quantities = [position.quantity for position in positions]
        holdings = split_books(quantities, split, instrument=instrument, last_price=last)
        for position, after in zip(positions, holdings, strict=True):
            released = _cost_released(position, split, after)
            yield SplitPosition(position.key, after.quantity, after.cash_in_lieu, released)


def _cost_released(position: Position, split: Split, after: SplitHolding) -> Decimal:
    """The cost of what was paid out in cash: its share of the total; of what a book gained, the cash itself."""
    if not after.quantity:
        return position.total_cost
    before = mul(position.quantity, split.numerator)
    left = sub(before, mul(after.quantity, split.denominator))
    if (left > 0) != (before > 0):
        return after.cash_in_lieu
    return portion(position.total_cost, left, of=before, step=COST_STEP)


def _split_orders(account: AccountState, split: Split, instrument: Instrument) -> Iterator[SplitOrder]:
    for order in account.open_orders():
        if order.spec.instrument_id == split.instrument_id:
            terms = SplitTerms(order.quantity, order.filled, order.limit_price, order.stop_price)
            after = split_order(terms, split, side=order.spec.side, instrument=instrument)
            kept = order.kept and split_kept(order.kept, split, instrument=instrument, filled=order.filled)
            stop_price = after.stop_price if kept is None or kept.trail is None else kept.level
            yield SplitOrder(order.id, after.quantity, after.filled, after.limit_price, stop_price, kept)


def _in_lieu(turn: Turn, part: SplitPosition) -> LedgerEntry:
    account = turn.state.accounts[part.key.account_id]
    return LedgerEntry(
        account_id=part.key.account_id,
        book=part.key.book,
        currency=account.account.currency,
        kind=LedgerKind.TRADE,
        amount=part.cash_in_lieu,
        value_date=account.day,
        component="cash in lieu",
    )
