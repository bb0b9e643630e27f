"""The fold's side of copy links."""

from decimal import Decimal

from evenkeel.domain.copy_records import CopyCursorMoved, CopyLinkSet, CopyTaken
from evenkeel.domain.copying import CopyKind, CopyLink
from evenkeel.domain.money import ZERO, add
from evenkeel.trading.engine.copying.links import CopiedOrder, Leg, LinkState
from evenkeel.trading.engine.state import State


def held_by(state: State, link: CopyLink) -> dict[str, Decimal]:
    """What the master holds of what the link covers, by instrument, all books together."""
    found: dict[str, Decimal] = {}
    for key, position in state.accounts[link.master_id].positions.items():
        asset_class = state.instruments[key.instrument_id].asset_class
        if position.quantity and link.filter.covers(key.book, key.instrument_id, asset_class=asset_class):
            found[key.instrument_id] = add(found.get(key.instrument_id, ZERO), position.quantity)
    return found


def link_set(state: State, record: CopyLinkSet) -> None:
    """A link follows from the moment at which it is accepted: what the master holds by then it does not want."""
    link, copying = record.link, state.copying
    one = copying.links.get(link.id)
    followed = one is not None and one.follows
    if one is None:
        one = copying.links[link.id] = LinkState(link=link, since=state.seq + 1)
    one.link = link
    if one.follows and not followed:
        if not copying.by_master:
            copying.cursor = max(copying.cursor, state.seq + 1)
        one.since = state.seq + 1
        one.legs = {name: Leg(held=quantity) for name, quantity in held_by(state, link).items()}
        copying.by_master.setdefault(link.master_id, []).append(link.id)
    elif followed and not one.follows:
        left = [name for name in copying.by_master.pop(link.master_id) if name != link.id]
        if left:
            copying.by_master[link.master_id] = left


def taken(state: State, record: CopyTaken) -> None:
    one = state.copying.links[record.link_id]
    one.legs[record.instrument_id] = Leg(
        record.held, record.wanted, record.carry, record.owed, record.owed_at, record.owed_price
    )
    one.taken = max(one.taken, record.source)
    state.copying.cursor = max(state.copying.cursor, record.source)
    one.events, one.skips, one.last = one.events + 1, one.skips + bool(record.skipped), record
    if record.skipped:
        one.skipped[record.instrument_id] = record
    known = one.copies.get(record.master_order_id)
    if known is not None and record.kind in (CopyKind.CHANGE, CopyKind.CANCEL):
        known.stale = record.stale
    elif known is None and record.kind is CopyKind.ORDER and record.orders:
        order_id = record.orders[0]
        one.copies[record.master_order_id] = CopiedOrder(order_id, record.factor, record.stale)
        one.masters[order_id] = record.master_order_id


def cursor_moved(state: State, record: CopyCursorMoved) -> None:
    state.copying.cursor = max(state.copying.cursor, record.cursor)
