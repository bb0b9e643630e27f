"""Reads committed records for copy links: which of them are events of a master, or of a copy, and for which links.

Pure: records and the state in, commands out. Each command names the record it comes from, so that reading the same
records again leads to nothing that has been done.
"""

from collections.abc import Iterable, Iterator

from evenkeel.desk.copytrading.factors import Volatility, factor
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Readiness
from evenkeel.domain.commands import TakeCopy
from evenkeel.domain.copying import (
    CopyEvent,
    CopyKind,
    CopyMode,
    FollowerMoved,
    MasterChange,
    MasterFill,
    MasterOrder,
    MasterSplit,
    in_lots,
)
from evenkeel.domain.held_records import OrderKept, OrderReleased
from evenkeel.domain.money import ZERO, add
from evenkeel.domain.orders import Order, OrderEvent, OrderState
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.trading.engine.copying.links import LinkState
from evenkeel.trading.engine.state import State

_BY = Provenance(actor="copy trading", source=Source.COPY_LINK)
Found = Iterator[tuple[LinkState, CopyEvent]]


def commands(state: State, records: Iterable[r.AnyRecord], *, first_seq: int, volatility: Volatility) -> list[TakeCopy]:
    """What follows from records, of which the first has that sequence number, for the links there are.

    First all that masters have done, in order; then what followers have to settle, which is judged by how everything
    stands, and would be judged wrongly while something of the master's was still to come.
    """
    if not state.copying.by_master:
        return []
    first, last = list[TakeCopy](), list[TakeCopy]()
    for seq, record in enumerate(records, first_seq):
        for one, event in _events(state, record, volatility=volatility):
            is_settling = isinstance(event, FollowerMoved)
            if seq > (one.since if is_settling else max(one.since, one.taken)):
                command = TakeCopy(provenance=_BY, link_id=one.link.id, source=seq, event=event)
                (last if is_settling else first).append(command)
    return first + last


def _events(state: State, record: r.AnyRecord, *, volatility: Volatility) -> Found:
    match record:
        case r.FillBooked():
            yield from _filled(state, record, volatility=volatility)
        case r.OrderDecided(approved=True):
            yield from _decided(state, record, volatility=volatility)
        case r.OrderMoved() | OrderReleased() | OrderKept():
            yield from _changed(state, record)
        case r.PositionCorrected(key=key):
            for one in _following(state, key.account_id, book=key.book, instrument_id=key.instrument_id):
                moved = MasterFill(CopyKind.CORRECTION, key.instrument_id, record.quantity, record.price, record.at)
                yield one, moved
        case r.SplitApplied():
            yield from _split(state, record)
        case r.AccountReconciled():
            yield from _back(state, record.account_id)


def _following(state: State, account_id: str, *, book: str, instrument_id: str) -> Iterator[LinkState]:
    """The links that follow what a book of an account holds of an instrument."""
    asset_class = state.instruments[instrument_id].asset_class
    for one in state.copying.of_master(account_id):
        if one.link.filter.covers(book, instrument_id, asset_class=asset_class):
            yield one


def _filled(state: State, record: r.FillBooked, *, volatility: Volatility) -> Found:
    fill = record.fill
    terms = {
        "ordered": state.orders[fill.order_id].quantity,
        "value": state.notional(fill.instrument_id, fill.quantity, fill.price),
    }
    kind = CopyKind.FILL if fill.reverses is None else CopyKind.BUST
    for one in _following(state, fill.account_id, book=fill.book, instrument_id=fill.instrument_id):
        size, why = factor(state, one.link, instrument_id=fill.instrument_id, **terms, volatility=volatility)
        # A fill that a bar has made is known once the bar has closed.
        at = max(fill.executed_at, record.bar)
        yield (
            one,
            MasterFill(kind, fill.instrument_id, fill.signed, fill.price, at, fill.order_id, size, why),
        )
    yield from _settling_own(state, fill.book, instrument_id=fill.instrument_id)


def _settling_own(state: State, book: str, *, instrument_id: str) -> Found:
    """What a copy that has filled, or come to nothing, leaves its link to settle, where that follows fills."""
    mine = state.copying.links.get(book)
    if mine is not None and mine.follows and mine.link.mode is CopyMode.FILLS:
        yield from _settling(state, mine, only=instrument_id)


def _settling(state: State, one: LinkState, *, only: str | None = None) -> Found:
    """A copy that has filled leaves nothing to do, but where its account holds too much, or something waits for it."""
    found = tuple(name for name in one.legs if _is_to_settle(state, one, name=name, only=only))
    if found:
        yield one, FollowerMoved(found)


def _is_to_settle(state: State, one: LinkState, *, name: str, only: str | None) -> bool:
    instrument_id, leg = one.link.rule(name).instrument_id, one.legs[name]
    if only not in (None, instrument_id) or instrument_id not in state.instruments:
        return False
    held, aim = ZERO, in_lots(leg.wanted, state.instruments[instrument_id].lot_size)
    for position in state.accounts[one.link.follower_id].positions.of(instrument_id):
        if position.key.book == one.link.id:
            held = add(held, position.quantity)
    return bool(leg.owed) or held > max(aim, ZERO) or held < min(aim, ZERO)


def _back(state: State, account_id: str) -> Found:
    """An account that was away may have closings of its own that were never sent, and changes and cancels of copies
    that its venue has refused."""
    for one in state.copying.live():
        if one.link.follower_id != account_id or not one.follows:
            continue
        if one.link.mode is CopyMode.FILLS or not _has_open(state, one):
            yield from _settling(state, one)
        elif copied := tuple(one.masters[order.id] for order in _open_copies(state, one) if order.id in one.masters):
            yield one, FollowerMoved((), copied)


def _open_copies(state: State, one: LinkState) -> Iterator[Order]:
    return (order for order in state.accounts[one.link.follower_id].open_orders() if order.spec.book == one.link.id)


def _has_open(state: State, one: LinkState) -> bool:
    """Whether an order of the master's or a copy is open: until neither is, they need not hold the same."""
    theirs = state.accounts[one.link.master_id].open_orders()
    return any(_open_copies(state, one)) or any(order.spec.instrument_id in one.legs for order in theirs)


def _decided(state: State, record: r.OrderDecided, *, volatility: Volatility) -> Found:
    spec = record.spec
    for one in _following(state, spec.account_id, book=spec.book, instrument_id=spec.instrument_id):
        if one.link.mode is CopyMode.ORDERS:
            name, quantity = spec.instrument_id, spec.quantity
            value = state.notional(name, quantity, spec.limit_price or state.mark(name) or ZERO)
            size, why = factor(
                state, one.link, instrument_id=name, ordered=quantity, value=value, volatility=volatility
            )
            yield one, MasterOrder(record.order_id, size, why)


def _changed(state: State, record: r.OrderMoved | OrderReleased | OrderKept) -> Found:
    """A copied order has changed or ended; or a copy can be changed now that could not be."""
    order = state.orders[record.order_id]
    mine = state.copying.links.get(order.spec.book)
    is_our_wish = isinstance(record, r.OrderMoved) and record.event is OrderEvent.CANCEL_REQUEST
    if mine is not None and order.id in mine.masters and mine.follows and not is_our_wish:
        master_id = mine.masters[order.id]
        if mine.copies[master_id].stale:
            yield mine, MasterChange(master_id)
    if _came_to_nothing(state, record):
        yield from _settling_own(state, order.spec.book, instrument_id=order.spec.instrument_id)
    if not _matters(record):
        return
    for one in state.copying.of_master(order.spec.account_id):
        if one.link.mode is CopyMode.ORDERS and one is not mine:
            yield one, MasterChange(order.id)


def _came_to_nothing(state: State, record: r.OrderMoved | OrderReleased | OrderKept) -> bool:
    """Whether time has ended an order: what it was to close is still held. One that its venue rejects is not asked for
    over and over, nor what a person has cancelled; an account that is away settles when it is back."""
    if not isinstance(record, r.OrderMoved) or record.state not in (OrderState.EXPIRED, OrderState.EXPIRED_UNSENT):
        return False
    account_id = state.orders[record.order_id].spec.account_id
    return state.accounts[account_id].readiness is Readiness.READY


def _matters(record: r.OrderMoved | OrderReleased | OrderKept) -> bool:
    """Whether a master's order is changed, or has ended."""
    if isinstance(record, r.OrderMoved):
        return record.event is OrderEvent.AMEND or not record.state.is_open
    return record.provenance is not None if isinstance(record, OrderKept) else not record.approved


def _split(state: State, record: r.SplitApplied) -> Found:
    name, ratio = record.split.instrument_id, (record.split.numerator, record.split.denominator)
    for one in state.copying.live():
        if not one.follows or not one.legs_of(name):
            continue
        held = ZERO
        asset_class = state.instruments[name].asset_class
        for part in record.positions:
            key = part.key
            if key.account_id == one.link.master_id and one.link.filter.covers(key.book, name, asset_class=asset_class):
                held = add(held, part.quantity)
        yield one, MasterSplit(name, held, ratio)
