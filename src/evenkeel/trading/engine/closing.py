"""Orders that bring one position where it is wanted: closed, turned round, or at a signed quantity.

What an order already on its way may still fill counts, so that nothing is closed twice and nothing goes through zero
unasked. The exits that guard a position count for nothing: they give way to what closes it.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal

from msgspec import structs

from evenkeel.domain.money import ZERO, add, neg, rounded, sub, total
from evenkeel.domain.orders import Order, OrderKind, OrderSpec, OrderState, Side
from evenkeel.domain.positions import PositionKey, key_of
from evenkeel.domain.provenance import Provenance
from evenkeel.trading.engine.effects import Part
from evenkeel.trading.engine.orders import place, request_cancel
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.turn import Turn
from evenkeel.trading.engine.working import may_fill

SpecOf = Callable[[int, Side, Decimal], OrderSpec]
"""The order that is the n-th leg, of a side, over a quantity."""


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
        if closes and order.is_working and order.kind is OrderKind.MARKET:
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


def steer(
    turn: Turn, account: AccountState, *, key: PositionKey, wanted: Decimal, spec_of: SpecOf, provenance: Provenance
) -> tuple[Part, ...]:
    """Brings a position to a signed quantity, counting what works; what works the wrong way is cancelled first.

    Exits, and stops at rest, do not count: they are there for another day. () where it is on its way there already.
    """
    now = turn.state.position(key).quantity
    on_the_way = _on_the_way(account, key)
    change = sub(wanted, _with(now, on_the_way))
    against = [order for order in on_the_way if change and (order.spec.side.sign > 0) != (change > 0)]
    for order in against:
        request_cancel(turn, order, provenance)
    expected = _with(now, [order for order in on_the_way if order not in against])
    parts = [Part(order.id) for order in against]
    for leg, signed in enumerate(legs(expected, wanted)):
        side = Side.BUY if signed > 0 else Side.SELL
        parts.append(placed(turn, spec_of(leg, side, signed.copy_abs()), provenance=provenance))
    return tuple(parts)


def _on_the_way(account: AccountState, key: PositionKey) -> list[Order]:
    """The orders that will change a holding: no exits, no stops at rest, nothing already being cancelled."""
    return [
        order
        for order in account.working.values()
        if (order.spec.instrument_id, order.spec.book, order.spec.product) == (key.instrument_id, key.book, key.product)
        and not order.spec.is_exit
        and order.state is not OrderState.CANCEL_PENDING
        and (order.triggered or order.kind in (OrderKind.MARKET, OrderKind.LIMIT))
    ]


def _with(quantity: Decimal, orders: Iterable[Order]) -> Decimal:
    return total([quantity, *(o.remaining if o.spec.side.sign > 0 else neg(o.remaining) for o in orders)])


def legs(now: Decimal, wanted: Decimal) -> tuple[Decimal, ...]:
    """The signed orders from one holding to another; through zero in two, so that closing never waits for opening."""
    change = sub(wanted, now)
    if not change:
        return ()
    if now and wanted and (now > 0) != (wanted > 0):
        return (neg(now), wanted)
    return (change,)
