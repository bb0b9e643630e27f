"""What an event of the master's makes of one follower: orders, changes and cancels, and a record of what and why.

Each event is one command, and what comes of it is recorded together with the orders: whatever has been taken once is
not taken again. Nothing raises: what cannot be copied is recorded with its reason, and the difference shows as drift.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from msgspec import structs

from evenkeel.domain import copying as d
from evenkeel.domain.commands import TakeCopy
from evenkeel.domain.copy_records import CopyTaken
from evenkeel.domain.copying import CopyKind, CopyMode
from evenkeel.domain.money import ONE, ZERO, add, neg, plain, portion, sub
from evenkeel.domain.orders import Order, OrderState, Side
from evenkeel.trading.engine.copying import changing
from evenkeel.trading.engine.copying.links import Leg, LinkState
from evenkeel.trading.engine.copying.placing import Placer, held_of, record_of, worst_price
from evenkeel.trading.engine.copying.reasons import not_followed, not_opened, not_opened_later
from evenkeel.trading.engine.effects import Outcome
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn

_GIVEN_UP = (OrderState.REJECTED, OrderState.EXPIRED_UNSENT, OrderState.CANCELLED, OrderState.EXPIRED)
NOT_TAKEN = Outcome("", created=False)
Taken = Iterator[CopyTaken]


def take(turn: Turn, command: TakeCopy) -> Outcome:
    """Copies one event, unless the link has taken it already, or does not follow.

    What a follower settles goes by how it stands now, so that it may be asked for again.
    """
    one, source = turn.state.copying.links.get(command.link_id), command.source
    if one is None or not one.follows or source <= one.since:
        return NOT_TAKEN
    if source <= one.taken and not isinstance(command.event, d.FollowerMoved):
        return NOT_TAKEN
    has_taken = False
    for record in _HANDLERS[type(command.event)](turn, one, event=command.event, source=source):
        turn.emit(record)
        has_taken = True
    return Outcome(one.link.id) if has_taken else NOT_TAKEN


def _lot(state: State, one: LinkState, *, instrument_id: str) -> Decimal | None:
    """The lot of what the follower trades; None where it is not listed."""
    found = state.instruments.get(one.link.rule(instrument_id).instrument_id)
    return None if found is None else found.lot_size


def _followed(turn: Turn, one: LinkState, *, event: d.MasterFill, source: int) -> Taken:
    yield _fill(turn, one, event=event, source=source)


def _ordered(turn: Turn, one: LinkState, *, event: d.MasterOrder, source: int) -> Taken:
    yield _order(turn, one, event=event, source=source)


def _changed(turn: Turn, one: LinkState, *, event: d.MasterChange, source: int) -> Taken:
    record = changing.follow(turn, one, order_id=event.order_id, source=source)
    if record is not None:
        yield record


def _moved(turn: Turn, one: LinkState, *, event: d.FollowerMoved, source: int) -> Taken:
    for name in event.instrument_ids:
        yield from _settle(turn, one, name=name, source=source)
    for order_id in event.order_ids:
        yield from _changed(turn, one, event=d.MasterChange(order_id), source=source)


def _restated(turn: Turn, one: LinkState, *, event: d.MasterSplit, source: int) -> Taken:
    """What had not been copied by then is made up for as far as it closes."""
    legs = one.legs_of(event.instrument_id)
    for name in legs:
        yield _split(turn, one, event=event, name=name, source=source)
    for name in legs if one.link.mode is CopyMode.FILLS else ():
        yield from _settle(turn, one, name=name, source=source)


def _fill(turn: Turn, one: LinkState, *, event: d.MasterFill, source: int) -> CopyTaken:
    """Moves what is wanted as the master's position has, and trades the difference; a copied order trades by itself."""
    name, leg = event.instrument_id, one.leg(event.instrument_id)
    own, lot = one.copies.get(event.order_id), _lot(turn.state, one, instrument_id=name)
    factor = own.factor if own is not None else event.factor or ZERO
    moves = d.wanted_after if event.kind is CopyKind.FILL else d.wanted_again
    moved: dict[str, Any] = {
        "kind": event.kind,
        "held": add(leg.held, event.quantity),
        "wanted": moves(leg.wanted, leg.held, quantity=event.quantity, factor=factor),
        "master_order_id": event.order_id,
    }
    if own is not None and turn.state.orders[own.order_id].state not in _GIVEN_UP:
        return record_of(turn, one, instrument_id=name, source=source, **moved)
    why = not_followed(turn, one, instrument_id=name, source=source)
    if event.kind is CopyKind.CORRECTION:
        why = why or "the master's position was corrected, not traded"
    if lot is None or why:
        return record_of(turn, one, instrument_id=name, source=source, skipped=why, **moved)
    return record_of(
        turn,
        one,
        instrument_id=name,
        source=source,
        **moved,
        **_traded(turn, one, event=event, wanted=moved["wanted"], source=source, lot=lot),
    )


def _traded(
    turn: Turn, one: LinkState, *, event: d.MasterFill, wanted: Decimal, source: int, lot: Decimal
) -> dict[str, Any]:
    """Places what a fill leads to, and says of it what is recorded."""
    name, leg, side = event.instrument_id, one.leg(event.instrument_id), 1 if event.quantity > 0 else -1
    held, aim = held_of(turn.state, one, instrument_id=name), d.in_lots(wanted, lot)
    why = not_opened(turn, one, event=event, side=side) if d.parts(leg.held, event.quantity)[1] else ""
    own = sub(aim, d.in_lots(leg.wanted, lot)).copy_abs()
    due = d.copied(held, aim=aim, own=ZERO if why else own, owed=leg.owed, lot=lot, side=side)
    if one.link.mode is CopyMode.ORDERS:  # the copies of other orders may have filled before those have
        due = structs.replace(due, close=min(due.close, own), open=ZERO, owed=ZERO)
    elif why:
        due = structs.replace(due, open=ZERO, owed=leg.owed if d.is_towards(aim, leg.owed) else ZERO)
    if not why and not due.close and not due.open:
        why = "it waits for what works on the other side" if due.owed else ""
        why = why or _nothing(held, leg.wanted, after=wanted, aim=aim, lot=lot)
    placer = Placer(turn, one, name=str(source), instrument_id=name, master_order_id=event.order_id)
    placer.at_market(side, due.close)
    placer.at_market(
        side, due.open, limit=worst_price(turn.state, one, instrument_id=name, price=event.price, side=side)
    )
    return {
        "carry": sub(wanted, aim),
        **_owed(leg, due=due, event=event),
        "orders": tuple(placer.placed),
        "quantity": placer.quantity,
        "skipped": placer.skipped(why),
    }


def _owed(leg: Leg, *, due: d.Copied, event: d.MasterFill) -> dict[str, Any]:
    """What waits, and since which of the master's trades: the oldest of those that it is of."""
    if not due.owed:
        return {"owed": ZERO, "owed_at": 0, "owed_price": ZERO}
    is_older = d.is_towards(due.owed, leg.owed)
    at, price = (leg.owed_at, leg.owed_price) if is_older else (event.at, event.price)
    return {"owed": due.owed, "owed_at": at, "owed_price": price}


def _nothing(held: d.Held, before: Decimal, *, after: Decimal, aim: Decimal, lot: Decimal) -> str:
    """Why a trade led to no order."""
    if before == after:
        return "the follower is to hold as much as before"
    if aim == d.in_lots(before, lot):
        return f"less than a lot of {plain(lot)}: {plain(sub(after, aim))} is carried"
    return f"the follower has {plain(held.expected)} of the {plain(aim)} it is to hold, so this trade asks for no order"


def _order(turn: Turn, one: LinkState, *, event: d.MasterOrder, source: int) -> CopyTaken:
    """Copies an order as it was asked. One that is an exit, or one of an either-or, is followed by its fills."""
    theirs = turn.state.orders[event.order_id]
    name, lot = theirs.spec.instrument_id, _lot(turn.state, one, instrument_id=theirs.spec.instrument_id)
    placer = Placer(turn, one, name=str(source), instrument_id=name, master_order_id=theirs.id)
    why = not_followed(turn, one, instrument_id=name, source=source) or _why_not_ordered(theirs)
    carry = one.leg(name).carry
    if lot is not None and not why:
        close, due, why = _asked(turn, one, event=event, theirs=theirs, lot=lot)
        opened = d.in_lots(due, lot)
        carry = sub(due, opened) if due else carry
        if quantity := add(close, opened):
            placer.submit(changing.spec_for(turn.state, one, theirs=theirs, quantity=quantity))
        elif not why:
            why = f"less than a lot of {plain(lot)}: {plain(carry)} is carried"
    return record_of(
        turn,
        one,
        instrument_id=name,
        source=source,
        kind=CopyKind.ORDER,
        carry=carry,
        master_order_id=theirs.id,
        orders=tuple(placer.placed) if placer.quantity else (),
        quantity=placer.quantity,
        skipped=placer.skipped(why),
        factor=event.factor or ZERO,
    )


def _asked(
    turn: Turn, one: LinkState, *, event: d.MasterOrder, theirs: Order, lot: Decimal
) -> tuple[Decimal, Decimal, str]:
    """What an order of the master's closes and opens in the follower, the latter exactly, and why it opens nothing."""
    spec = theirs.spec
    free = changing.free_of(turn.state, one, theirs=theirs)
    closing, opening = d.parts(free, spec.quantity if spec.side is Side.BUY else neg(spec.quantity))
    close = changing.close_for(turn.state, one, theirs=theirs, closing=closing, free=free, lot=lot)
    if not opening:
        return close, ZERO, ""
    why = not_opened(turn, one, event=event, side=spec.side.sign)
    if why:
        return close, ZERO, why
    exact = portion(opening, event.factor or ZERO, of=ONE, step=d.STEP)
    return close, add(exact, one.leg(spec.instrument_id).carry), ""


def _why_not_ordered(theirs: Order) -> str:
    if theirs.spec.link:
        return "it is an exit, or one of an either-or: its fills are followed"
    if not theirs.is_open and theirs.state is not OrderState.FILLED:
        return f"the master's order is {theirs.state} already"
    return ""


def _split(turn: Turn, one: LinkState, *, event: d.MasterSplit, name: str, source: int) -> CopyTaken:
    """What the follower is to hold moves as what the master holds has, where both trade what has split; where only one
    of them does, the other's side stays as it is."""
    leg, split, (part, whole) = one.leg(name), event.instrument_id, event.ratio
    held, wanted = event.held if name == split else leg.held, leg.wanted
    if one.link.rule(name).instrument_id == split:
        if name == split and leg.held:
            part, whole = held.copy_abs(), leg.held.copy_abs()
        wanted = portion(wanted, part, of=whole, step=d.STEP)
    return record_of(
        turn,
        one,
        instrument_id=name,
        source=source,
        kind=CopyKind.SPLIT,
        held=held,
        wanted=wanted,
        owed=ZERO,
        skipped="the instrument has split while something waited to be opened" if leg.owed else "",
    )


def _settle(turn: Turn, one: LinkState, *, name: str, source: int) -> Taken:
    """Closes what a follower holds too much of, and opens what had to wait, where that may still be opened."""
    leg, lot = one.leg(name), _lot(turn.state, one, instrument_id=name)
    if lot is None:
        return
    held, aim = held_of(turn.state, one, instrument_id=name), d.in_lots(leg.wanted, lot)
    due = d.copied(held, aim=aim, own=ZERO, owed=leg.owed, lot=lot, side=d.side_to(held, aim))
    why = not_opened_later(turn, one, at=leg.owed_at) if due.open or due.owed else ""
    if why:
        due = structs.replace(due, open=ZERO, owed=ZERO)
    if not due.close and not due.open and not why:
        return
    bound = worst_price(turn.state, one, instrument_id=name, price=leg.owed_price, side=due.side)
    placer = Placer(turn, one, name=str(source), instrument_id=name)
    placer.at_market(due.side, due.close)
    placer.at_market(due.side, due.open, limit=bound)
    yield record_of(
        turn,
        one,
        instrument_id=name,
        source=source,
        kind=CopyKind.SETTLE,
        owed=due.owed,
        orders=tuple(placer.placed),
        quantity=placer.quantity,
        skipped=placer.skipped(why),
    )


_HANDLERS: dict[type, Callable[..., Taken]] = {
    d.MasterFill: _followed,
    d.MasterOrder: _ordered,
    d.MasterChange: _changed,
    d.MasterSplit: _restated,
    d.FollowerMoved: _moved,
}
