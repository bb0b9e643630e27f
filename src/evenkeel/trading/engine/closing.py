"""Orders that bring one position where it is wanted: closed, turned round, or at a signed quantity.

What an order already on its way may still fill counts, so that nothing is closed twice and nothing goes through zero
unasked. The exits that guard a position count for nothing: they give way to what closes it.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import NamedTuple

from msgspec import structs

from evenkeel.domain.money import ZERO, add, mul, neg, rounded, sub, total
from evenkeel.domain.orders import Order, OrderKind, OrderSpec, OrderState, Side
from evenkeel.domain.positions import PositionKey, key_of
from evenkeel.domain.provenance import Provenance
from evenkeel.trading.engine.composites import following, making_way
from evenkeel.trading.engine.composites.standing import Composite
from evenkeel.trading.engine.effects import Part
from evenkeel.trading.engine.orders import place, request_cancel
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.turn import Turn
from evenkeel.trading.engine.working import may_fill

SpecOf = Callable[[int, Side, Decimal], OrderSpec]
"""The order that is the n-th leg, of a side, over a quantity."""
_AT_ONCE = (OrderKind.MARKET, OrderKind.LIMIT)


def placed(turn: Turn, spec: OrderSpec, *, provenance: Provenance) -> Part:
    """Places one order, under its own name or, where somebody has taken that by now, the next free one after it."""
    account_id = spec.account_id
    name = turn.state.free_name(account_id, spec.client_order_id)
    place(turn, turn.state.accounts[account_id], structs.replace(spec, client_order_id=name), provenance)
    return Part(turn.state.client_ids[account_id, name], created=True)


def is_guard(state: State, account: AccountState, *, order: Order) -> bool:
    """Whether an order is one of the exits that follow a position by themselves."""
    if not order.spec.is_exit:
        return False
    guard = account.guards.get(key_of(order.spec))
    return order.spec.parent in state.composites or (guard is not None and order.id in guard.exits)


def open_on(state: State, account: AccountState, *, key: PositionKey) -> list[Order]:
    """The orders that may change a position, held ones among them, without the exits that guard it."""
    return [
        order
        for order in account.open_orders()
        if key_of(order.spec) == key and not is_guard(state, account, order=order)
    ]


def to_cancel(state: State, account: AccountState, *, orders: Iterable[Order], turns: bool = False) -> list[Order]:
    """Those that stand in the way of closing: neither exits, which give way, nor what closes at the market itself,
    as far as all of it together closes no more than is held, or `turns` the position."""
    found, closing = list[Order](), dict[PositionKey, Decimal]()
    for order in orders:
        if is_guard(state, account, order=order):
            continue
        key = key_of(order.spec)
        held = state.position(key).quantity
        going = add(closing.get(key, ZERO), order.remaining)
        closes = bool(held) and (held > 0) != (order.spec.side.sign > 0) and (turns or going <= held.copy_abs())
        stays = order.is_working and order.state is not OrderState.CANCEL_PENDING
        if closes and stays and order.kind is OrderKind.MARKET:
            closing[key] = going
        else:
            found.append(order)
    return found


def room(state: State, account: AccountState, *, key: PositionKey) -> Decimal:
    """How much of a position no order may close yet, unsigned, in whole lots."""
    held = state.position(key).quantity
    side = Side.SELL if held > 0 else Side.BUY
    working = [order for order in open_on(state, account, key=key) if order.is_working]
    left = sub(held.copy_abs(), may_fill(working, side))
    return rounded(max(ZERO, left), state.instruments[key.instrument_id].lot_size, "ROUND_DOWN")


def close_one(
    turn: Turn,
    account: AccountState,
    *,
    key: PositionKey,
    quantity: Decimal | None,
    name: str,
    provenance: Provenance,
) -> tuple[Part, ...]:
    """Closes a position, or `quantity` of it, as far as nothing else may close it; () where nothing is left."""
    most = room(turn.state, account, key=key)
    part = most if quantity is None else min(most, quantity)
    if part <= 0:
        return ()
    side = Side.SELL if turn.state.position(key).quantity > 0 else Side.BUY
    return (placed(turn, at_market(key, side, quantity=part, name=name), provenance=provenance),)


def reverse_one(
    turn: Turn, account: AccountState, *, key: PositionKey, name: str, provenance: Provenance
) -> tuple[Part, ...]:
    """Closes a position and opens its opposite, by two orders; the second only for as much as the first closes."""
    held = turn.state.position(key).quantity
    closes = close_one(turn, account, key=key, quantity=None, name=name, provenance=provenance)
    if not closes or turn.state.orders[closes[0].order_id].state is OrderState.REFUSED:
        return closes
    side, quantity = Side.SELL if held > 0 else Side.BUY, turn.state.orders[closes[0].order_id].quantity
    return (*closes, placed(turn, at_market(key, side, quantity=quantity, name=f"{name}:1"), provenance=provenance))


def at_market(key: PositionKey, side: Side, *, quantity: Decimal, name: str) -> OrderSpec:
    """A market order in the book and product of a position."""
    return OrderSpec(
        account_id=key.account_id,
        book=key.book,
        instrument_id=key.instrument_id,
        side=side,
        quantity=quantity,
        kind=OrderKind.MARKET,
        client_order_id=name,
        product=key.product,
    )


class Steered(NamedTuple):
    """The orders cancelled and placed, and the ids of the composites that were stopped."""

    parts: tuple[Part, ...]
    stopped: tuple[str, ...]


def steer(
    turn: Turn, account: AccountState, *, key: PositionKey, wanted: Decimal, spec_of: SpecOf, provenance: Provenance
) -> Steered:
    """Brings a position to a signed quantity, counting what works, and what composites have yet to place.

    What goes the wrong way is cancelled first, a composite as a whole. Exits, and stops at rest, do not count: they are
    there for another day. Nothing is done where it is on its way there already. What composites that have given up have
    yet to place is not counted on, but would follow a fill: those are stopped.
    """
    now, composites = turn.state.position(key).quantity, making_way.moving(turn.state, key)
    way = [*_on_the_way(account, key), *_to_come(turn.state, composites, key=key)]
    spent = {one.id for one in composites if one.has_given_up}
    change = sub(wanted, _with(now, [one for one in way if one.parent not in spent]))

    def is_wrong(one: _Moving) -> bool:
        return bool(change) and (one.signed > 0) != (change > 0)

    doubling = _doubling(composites, key, change=change, wanted=wanted)
    wrong = {one.parent for one in way if is_wrong(one)} | doubling | spent
    stopped = making_way.stop(turn, [one for one in composites if one.id in wrong], provenance=provenance)
    goes, stays = list[Order](), list[_Moving]()
    for one in way:
        if not is_wrong(one) and one.parent not in stopped:
            stays.append(one)
        elif one.order is not None:
            goes.append(one.order)
    for order in goes:
        if order.is_open and order.state is not OrderState.CANCEL_PENDING:
            request_cancel(turn, order, provenance)
    parts = [Part(order.id) for order in goes]
    for leg, signed in enumerate(legs(_with(now, stays), wanted)):
        side = Side.BUY if signed > 0 else Side.SELL
        parts.append(placed(turn, spec_of(leg, side, signed.copy_abs()), provenance=provenance))
    return Steered(tuple(parts), stopped)


class _Moving(NamedTuple):
    """What will change a holding by a signed quantity: an order, or what its composite, `parent`, has yet to place."""

    signed: Decimal
    parent: str
    order: Order | None = None


def _to_come(state: State, composites: Iterable[Composite], *, key: PositionKey) -> list[_Moving]:
    """What composites have yet to place of a position, but for what is to rest and wait for a price."""
    return [
        _Moving(_signed(spec.side, spec.quantity), one.id)
        for one in composites
        for spec in following.to_come(state, one)
        if key_of(spec) == key and spec.kind in _AT_ONCE and spec.trigger is None and not spec.not_before
    ]


def _doubling(composites: Iterable[Composite], key: PositionKey, *, change: Decimal, wanted: Decimal) -> set[str]:
    """The composites that, taking back what is given up here, would carry the position through zero."""
    found = set[str]()
    for one in composites:
        specs = [spec for spec in making_way.to_take_back(one) if key_of(spec) == key]
        back = total([_signed(spec.side, spec.quantity) for spec in specs])
        after = add(wanted, back)
        if mul(back, change) > 0 and mul(after, change) > 0:
            found.add(one.id)
    return found


def _on_the_way(account: AccountState, key: PositionKey) -> list[_Moving]:
    """The orders that will change a holding: no exits, no stops at rest, nothing already being cancelled."""
    return [
        _Moving(_signed(order.spec.side, order.remaining), order.spec.parent, order)
        for order in account.working.values()
        if (order.spec.instrument_id, order.spec.book, order.spec.product) == (key.instrument_id, key.book, key.product)
        and not order.spec.is_exit
        and order.state is not OrderState.CANCEL_PENDING
        and (order.triggered or order.kind in _AT_ONCE)
    ]


def _signed(side: Side, quantity: Decimal) -> Decimal:
    return quantity if side.sign > 0 else neg(quantity)


def _with(quantity: Decimal, way: Iterable[_Moving]) -> Decimal:
    return total([quantity, *(one.signed for one in way)])


def legs(now: Decimal, wanted: Decimal) -> tuple[Decimal, ...]:
    """The signed orders from one holding to another; through zero in two, so that closing never waits for opening."""
    change = sub(wanted, now)
    if not change:
        return ()
    if now and wanted and (now > 0) != (wanted > 0):
        return (neg(now), wanted)
    return (change,)
