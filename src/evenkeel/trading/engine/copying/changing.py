"""Copies of orders: what each is asked as, and how it follows the master's when that is changed or ends."""

from decimal import Decimal
from typing import Any

from msgspec import structs

from evenkeel.domain.commands import ModifyOrder
from evenkeel.domain.copy_records import CopyTaken
from evenkeel.domain.copying import STEP, CopyKind, SymbolRule, in_lots
from evenkeel.domain.errors import EvenkeelError
from evenkeel.domain.money import ZERO, add, mul, neg, portion, rounded, sub
from evenkeel.domain.orders import Order, OrderKind, OrderSpec, OrderState, TimeInForce, Trail, Trigger
from evenkeel.trading.engine import amending, orders
from evenkeel.trading.engine.copying.links import LinkState
from evenkeel.trading.engine.copying.placing import held_of, key_of, provenance_of, record_of, said, worst_price
from evenkeel.trading.engine.keeping import ends_here
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn

_LEFT_ALONE = (OrderState.FILLED, OrderState.ANOMALY, OrderState.IN_DOUBT)


def free_of(state: State, one: LinkState, *, theirs: Order) -> Decimal:
    """What the master holds, signed, that no other of its orders of this side may close."""
    spec, held = theirs.spec, one.leg(theirs.spec.instrument_id).held
    if not held or (held > 0) == (spec.side.sign > 0):
        return held
    link, asset_class = one.link, state.instruments[spec.instrument_id].asset_class
    going = ZERO
    for order in state.accounts[link.master_id].working.values():
        other = order.spec
        if order is theirs or other.instrument_id != spec.instrument_id or other.side is not spec.side or other.link:
            continue
        if (
            link.filter.covers(other.book, other.instrument_id, asset_class=asset_class)
            and order.created_at <= theirs.created_at
        ):
            going = add(going, order.remaining)
    left = max(ZERO, sub(held.copy_abs(), going))
    return left if held > 0 else neg(left)


def close_for(state: State, one: LinkState, *, theirs: Order, closing: Decimal, free: Decimal, lot: Decimal) -> Decimal:
    """What of the follower's position an order closes that closes `closing` of `free` of the master's: the same part,
    as far as no other copy closes it."""
    held = held_of(state, one, instrument_id=theirs.spec.instrument_id, resting=True)
    left = held.closable(theirs.spec.side.sign)
    if not closing or not left:
        return ZERO
    size = free.copy_abs()
    part = left if closing == size else portion(left, closing, of=size, step=STEP)
    return rounded(part, lot, "ROUND_DOWN")


def spec_for(state: State, one: LinkState, *, theirs: Order, quantity: Decimal) -> OrderSpec:
    """The master's order as the follower asks it. At the market it is bound by the last price, where the link is."""
    spec, rule, key = theirs.spec, one.link.rule(theirs.spec.instrument_id), key_of(one, theirs.spec.instrument_id)
    copy = structs.replace(
        spec,
        account_id=key.account_id,
        book=key.book,
        instrument_id=key.instrument_id,
        quantity=quantity,
        limit_price=_price(state, rule, price=spec.limit_price),
        stop_price=_price(state, rule, price=spec.stop_price),
        product=key.product,
        parent="",
        leg="",
        trigger=spec.trigger and Trigger(_price(state, rule, price=spec.trigger.price) or ZERO, spec.trigger.rises),
        trail=_trail(state, rule, trail=spec.trail),
    )
    opens = not held_of(state, one, instrument_id=spec.instrument_id).closable(spec.side.sign)
    last = state.mark(spec.instrument_id)
    if spec.kind is not OrderKind.MARKET or spec.trigger is not None or not opens or last is None:
        return copy
    limit = worst_price(state, one, instrument_id=spec.instrument_id, price=last, side=spec.side.sign)
    if limit is None:
        return copy
    return structs.replace(copy, kind=OrderKind.LIMIT, limit_price=limit, time_in_force=TimeInForce.IOC)


def _price(state: State, rule: SymbolRule, *, price: Decimal | None) -> Decimal | None:
    if price is None:
        return None
    return rounded(mul(price, rule.price), state.instruments[rule.instrument_id].tick_size)


def _trail(state: State, rule: SymbolRule, *, trail: Trail | None) -> Trail | None:
    if trail is None:
        return None
    amount = None if trail.amount is None else mul(trail.amount, rule.price)
    return structs.replace(trail, amount=amount, limit_offset=_price(state, rule, price=trail.limit_offset))


def follow(turn: Turn, one: LinkState, *, order_id: str, source: int) -> CopyTaken | None:
    """Brings a copy to where the master's order stands: changed as it was, cancelled where that has ended unfilled.

    A copy that cannot be changed now, because its venue has not answered, is stale, and is tried again once it has.
    """
    own = one.copies.get(order_id)
    if own is None:
        return None
    mine, theirs = turn.state.orders[own.order_id], turn.state.orders[order_id]
    if not mine.is_open or theirs.state in _LEFT_ALONE:
        return None
    if not theirs.is_open or not _quantity(turn.state, mine, theirs=theirs) > mine.filled:
        if mine.state is OrderState.CANCEL_PENDING:
            return None
        orders.request_cancel(
            turn, mine, provenance_of(one, str(source), master_order_id=theirs.id), reason="the master's has ended"
        )
        return _record(turn, one, theirs=theirs, source=source, kind=CopyKind.CANCEL)
    wanted = _difference(turn.state, one, mine=mine, theirs=theirs)
    if not wanted:
        return None
    why = ""
    try:
        command = ModifyOrder(
            provenance=provenance_of(one, str(source), master_order_id=theirs.id), order_id=mine.id, **wanted
        )
        amending.modify(turn, command)
    except EvenkeelError as error:
        why = said(error)
    stale = bool(why) and mine.state in (OrderState.SUBMITTED, OrderState.CANCEL_PENDING)
    return _record(turn, one, theirs=theirs, source=source, kind=CopyKind.CHANGE, skipped=why, stale=stale)


def _record(turn: Turn, one: LinkState, *, theirs: Order, **more: Any) -> CopyTaken:
    own = one.copies[theirs.id]
    return record_of(
        turn, one, instrument_id=theirs.spec.instrument_id, master_order_id=theirs.id, orders=(own.order_id,), **more
    )


def _quantity(state: State, mine: Order, *, theirs: Order) -> Decimal:
    """The copy's quantity by the master's: the same share of it as at first, in whole lots."""
    lot = state.instruments[mine.spec.instrument_id].lot_size
    return in_lots(portion(theirs.quantity, mine.spec.quantity, of=theirs.spec.quantity, step=STEP), lot)


def _difference(state: State, one: LinkState, *, mine: Order, theirs: Order) -> dict[str, Any]:
    """What is to be changed of a copy, as a command to modify it says it."""
    rule, now = one.link.rule(theirs.spec.instrument_id), theirs.kept
    wanted: dict[str, Any] = {"quantity": _quantity(state, mine, theirs=theirs)}
    if mine.spec.kind is theirs.spec.kind:
        follows = theirs.spec.trail is not None
        wanted["limit_price"] = None if follows else _price(state, rule, price=theirs.limit_price)
        wanted["stop_price"] = None if follows else _price(state, rule, price=theirs.stop_price)
    found = {name: value for name, value in wanted.items() if value not in (None, getattr(mine, name))}
    if now is None or mine.kept is None:
        return found
    waits = OrderState.HELD in (theirs.state, mine.state) and theirs.spec.trigger is not None
    level = _price(state, rule, price=now.level) if waits and now.trail is None else None
    pairs: dict[str, tuple[Any, Any]] = {
        "trigger_price": (level, mine.kept.level),
        "trail": (mine.kept.trail and _trail(state, rule, trail=now.trail), mine.kept.trail),
        "expires_at": (now.until if ends_here(theirs) and ends_here(mine) else None, mine.kept.until),
    }
    return found | {name: new for name, (new, old) in pairs.items() if new is not None and new != old}
