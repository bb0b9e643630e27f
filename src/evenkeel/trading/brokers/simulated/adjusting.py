"""Splits and dividends at the simulated venue: orders, holdings and cash are restated before the bars are matched.

No event is made of it: the engine records both itself, with the same functions. Only an order left with
less than a lot to do ends, and is said to be cancelled.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

from evenkeel.domain.instruments import Instrument
from evenkeel.domain.marketdata import MarketSlice, Split
from evenkeel.domain.money import ZERO, add, exact, mul, ratio, rounded
from evenkeel.trading.brokers.simulated.execution import Run
from evenkeel.trading.brokers.simulated.orders import BookState, OrderKey, VenueOrder
from evenkeel.trading.brokers.splits import SplitTerms, split_order, split_position


def apply_splits(run: Run, market: MarketSlice, *, working: Callable[[str], Mapping[OrderKey, VenueOrder]]) -> None:
    """Applies each split of the slice once: not again for one known, or older than what the book has seen."""
    state = run.state
    for split in market.splits:
        name = split.instrument_id
        once = (name, split.ex_date)
        if once in state.splits or market.at <= state.seen.get(name, -1):
            continue
        state.splits.add(once)
        instrument = state.instruments.get(name)
        if instrument is None:
            continue
        for order in tuple(working(name).values()):
            _adjust_order(run, order, split=split, at=market.at)
        last_price = _last_price(run, market, split=split)
        _adjust_holdings(run, split, instrument=instrument, last_price=last_price)


def pay_dividends(state: BookState, market: MarketSlice) -> None:
    """Books each dividend of the slice to the cash of those who hold, and of those who are short, before its bars."""
    for dividend in market.dividends:
        instrument = state.instruments.get(dividend.instrument_id)
        if instrument is None or market.at <= state.seen.get(dividend.instrument_id, -1):
            continue
        for (account_id, name, _), position in state.positions.items():
            if name == dividend.instrument_id and position.quantity:
                paid = mul(mul(position.quantity, dividend.amount), instrument.multiplier)
                cash = state.cash[account_id]
                cash[instrument.currency] = add(cash.get(instrument.currency, ZERO), paid)


def _adjust_order(run: Run, order: VenueOrder, *, split: Split, at: int) -> None:
    instrument = run.state.instruments[split.instrument_id]
    terms = SplitTerms(order.quantity, order.filled, order.limit_price, order.stop_price)
    after = split_order(terms, split, side=order.spec.side, instrument=instrument)
    order.quantity, order.filled = after.quantity, after.filled
    order.limit_price, order.stop_price = after.limit_price, after.stop_price
    if after.quantity == after.filled:
        run.cancel(order, "the split left less than one lot of it", at=at, bar=at)


def _adjust_holdings(run: Run, split: Split, *, instrument: Instrument, last_price: Decimal) -> None:
    for (account_id, name, _), position in run.state.positions.items():
        if name != split.instrument_id or not position.quantity:
            continue
        after = split_position(position.quantity, split, instrument=instrument, last_price=last_price)
        position.quantity = after.quantity
        if after.cash_in_lieu:
            cash = run.state.cash[account_id]
            cash[instrument.currency] = add(cash.get(instrument.currency, ZERO), after.cash_in_lieu)


def _last_price(run: Run, market: MarketSlice, *, split: Split) -> Decimal:
    """The last raw price before the split; where none was seen, the new open brought back to old shares."""
    instrument = run.state.instruments[split.instrument_id]
    price = run.state.prices.get(split.instrument_id)
    if price is not None:
        return exact(price, instrument.tick_size)
    for bar in market.bars:
        if bar.instrument_id == split.instrument_id:
            opened = mul(exact(bar.open, instrument.tick_size), split.numerator)
            return rounded(ratio(opened, split.denominator), instrument.tick_size)
    return ZERO
