"""How much of a position an order may close: what of it is there at the broker, and not about to be closed already."""

from collections.abc import Container
from decimal import Decimal

import msgspec

from evenkeel.domain.accounts import UNASSIGNED
from evenkeel.domain.money import ZERO, add, rounded, sub
from evenkeel.domain.orders import Order, OrderKind, OrderSpec
from evenkeel.domain.positions import Position, key_of
from evenkeel.trading.engine import keeping
from evenkeel.trading.engine.state import AccountState, State


def to_reduce(state: State, spec: OrderSpec, *, covered: bool = False) -> Decimal:
    """The most that a reduce-only order may close, unsigned; `covered` leaves out what others close at the market."""
    account, position = state.accounts[spec.account_id], state.position(key_of(spec))
    if not position.quantity or _side(position) == spec.side.sign:
        return ZERO
    if covered:
        return uncovered(account, position)
    return max(ZERO, sub(position.quantity.copy_abs(), closed_elsewhere(account, position)))


def left_of(state: State, order: Order, *, covered: bool = False) -> Decimal:
    """How much of a reduce-only order there is to close, in whole lots; `covered` as in `to_reduce`."""
    return _in_lots(state, order, min(order.remaining, to_reduce(state, order.spec, covered=covered)))


def wanted_of(state: State, order: Order) -> Decimal:
    """What an order is to be over where nobody names a quantity: what its venue has been asked for, if it has, and of a
    reduce-only one there no more than is left to close, so that no change undoes a cut."""
    kept = order.kept
    wanted = order.quantity if kept is None or kept.asked is None else kept.asked
    if not is_cut(order):
        return wanted
    left = _in_lots(state, order, to_reduce(state, order.spec))
    return min(wanted, add(order.filled, left)) if left > 0 else wanted


def is_cut(order: Order) -> bool:
    """Whether an order is brought down to what is left to close: one that is held is only as it is let out."""
    return order.kept is not None and order.kept.reduces and order.is_working


def _in_lots(state: State, order: Order, quantity: Decimal) -> Decimal:
    return rounded(quantity, state.instruments[order.spec.instrument_id].lot_size, "ROUND_DOWN")


def uncovered(account: AccountState, position: Position, *, without: Container[str] = ()) -> Decimal:
    """How much of a position no order is about to close at the market, and nobody elsewhere has closed; unsigned.

    Orders of the parents in `without` are not looked at.
    """
    left, side = sub(position.quantity.copy_abs(), closed_elsewhere(account, position)), _side(position)
    for order in account.working.values():
        spec = order.spec
        at_market = order.kind is OrderKind.MARKET or (order.triggered and order.kind is OrderKind.STOP)
        closes = at_market and (not spec.link or keeping.is_out(order)) and not (spec.parent and spec.parent in without)
        if closes and spec.side.sign != side and key_of(spec) == position.key:
            left = sub(left, order.remaining)
    return max(ZERO, left)


def _side(position: Position) -> int:
    return (position.quantity > 0) - (position.quantity < 0)


def closed_elsewhere(account: AccountState, position: Position) -> Decimal:
    """How much of a position was closed at the broker by somebody else: what `unassigned` holds against it.

    Where several books hold the same, it is taken off them in the order of their names, so that what is left of all of
    them together is guarded, and no more.
    """
    key = position.key
    strange = account.positions.get(msgspec.structs.replace(key, book=UNASSIGNED))
    if strange is None or not strange.quantity or key.book == UNASSIGNED or _side(strange) == _side(position):
        return ZERO
    against = strange.quantity.copy_abs()
    for other in sorted(account.positions):
        held = account.positions[other]
        is_same = (other.instrument_id, other.product) == (key.instrument_id, key.product)
        if is_same and _side(held) == _side(position) and other.book != UNASSIGNED:
            taken = min(against, held.quantity.copy_abs())
            if other == key:
                return taken
            against = sub(against, taken)
    return ZERO
