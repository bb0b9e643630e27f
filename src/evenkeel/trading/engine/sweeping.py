"""Commands over many orders that work: cancel what fits, change each as it says. Each order is answered for itself.

What is wrong with one order is its own answer and keeps nothing from the others; what is wrong with the command itself
declines it as a whole, before anything is done.
"""

from decimal import Decimal
from typing import NamedTuple

from evenkeel.domain.commands import CancelOrders, EditOrders
from evenkeel.domain.errors import Conflict, EvenkeelError, FieldError, InvalidInput
from evenkeel.domain.followups import FollowUpKind
from evenkeel.domain.money import ONE, add, mul, rounded
from evenkeel.domain.orders import Order, OrderKind
from evenkeel.domain.positions import key_of
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.selections import Edit, Selection, edit_faults
from evenkeel.trading.engine import followups
from evenkeel.trading.engine.amending import alter, new_terms
from evenkeel.trading.engine.composites import making_way
from evenkeel.trading.engine.effects import Outcome, Part
from evenkeel.trading.engine.orders import request_cancel
from evenkeel.trading.engine.state import AccountState
from evenkeel.trading.engine.turn import Turn

MOST = 1_000


def cancel(turn: Turn, command: CancelOrders) -> Outcome:
    """Asks for all that fits to be cancelled; what is being cancelled already is asked for again."""
    parts, composites = list[Part](), list[str]()
    for account in [turn.state.account(account_id) for account_id in command.selection.account_ids]:
        found = stopped(turn, account, selection=command.selection, provenance=command.provenance)
        composites += found.composites
        for order in found.orders:
            request_cancel(turn, order, command.provenance)
            parts.append(Part(order.id))
    return Outcome("", created=False, parts=tuple(parts), stopped=tuple(composites))


class Stopped(NamedTuple):
    """The open orders that fit, and the ids of the composites that were told to place no more of them."""

    orders: list[Order]
    composites: tuple[str, ...]


def stopped(turn: Turn, account: AccountState, *, selection: Selection, provenance: Provenance) -> Stopped:
    """What fits of an account, once the composite orders among it have been stopped."""
    composites = making_way.fitting(turn.state, account.account.id, selection)
    ids = making_way.stop(turn, composites, provenance=provenance)
    return Stopped(_fitting(account, selection), ids)


def _fitting(account: AccountState, selection: Selection) -> list[Order]:
    return [order for order in account.open_orders() if selection.fits(order.spec)]


def edit(turn: Turn, command: EditOrders) -> Outcome:
    """Changes each order as asked. Raises InvalidInput for an edit that makes no sense whatever the order."""
    edits = _checked(command)
    if command.selection is not None and command.edit is not None:
        for account_id in command.selection.account_ids:
            fitting = _fitting(turn.state.account(account_id), command.selection)
            edits += [(order.id, command.edit) for order in fitting]
    return Outcome(
        "",
        created=False,
        parts=tuple(_edited(turn, order_id, edit=one, provenance=command.provenance) for order_id, one in edits),
    )


def _checked(command: EditOrders) -> list[tuple[str, Edit]]:
    faults = []
    for place, (order_id, edit) in enumerate(command.edits):
        faults += [_under(f"orders.{place}", one) for one in edit_faults(edit)]
        if any(order_id == other for other, _ in command.edits[:place]):
            faults.append(FieldError(f"orders.{place}.order_id", "is named more than once"))
    if (command.selection is None) is not (command.edit is None):
        faults.append(FieldError("change", "a selection goes with a change of all that fits it"))
    elif command.edit is not None:
        faults += [_under("change", one) for one in edit_faults(command.edit)]
    if len(command.edits) > MOST or not (command.edits or command.selection):
        faults.append(FieldError("orders", f"expected 1 to {MOST} orders"))
    if faults:
        raise InvalidInput("the changes are not valid", errors=tuple(faults))
    return list(command.edits)


def _under(path: str, fault: FieldError) -> FieldError:
    return FieldError(f"{path}.{fault.field}" if fault.field else path, fault.message)


def _edited(turn: Turn, order_id: str, *, edit: Edit, provenance: Provenance) -> Part:
    try:
        order = turn.state.order(order_id)
        if edit.at_market:
            _to_market(turn, order, provenance=provenance)
        else:
            _alter(turn, order, edit=edit, provenance=provenance)
    except EvenkeelError as error:
        return Part(order_id, error=error.with_traceback(None))
    return Part(order_id)


def _alter(turn: Turn, order: Order, *, edit: Edit, provenance: Provenance) -> None:
    instrument = turn.state.instruments[order.spec.instrument_id]
    quantity, limit, stop = edit.quantity, edit.limit_price, edit.stop_price
    if edit.factor is not None:
        quantity = rounded(mul(order.quantity, edit.factor), instrument.lot_size, "ROUND_DOWN")
        if quantity <= 0:
            raise InvalidInput("no whole lot is left", errors=(FieldError("factor", "leaves less than a lot"),))
    if edit.ticks is not None or edit.percent is not None:
        if order.limit_price is None and order.stop_price is None:
            raise Conflict(f"a {order.spec.kind} order has no price to move")
        limit = _moved(order.limit_price, edit, tick=instrument.tick_size)
        stop = _moved(order.stop_price, edit, tick=instrument.tick_size)
    kept = new_terms(turn, order, trigger_price=edit.trigger_price, trail=edit.trail, expires_at=edit.expires_at)
    alter(turn, order, provenance, quantity=quantity, limit_price=limit, stop_price=stop, kept=kept)


def _moved(price: Decimal | None, edit: Edit, *, tick: Decimal) -> Decimal | None:
    if price is None:
        return None
    by_ticks, by_share = mul(tick, Decimal(edit.ticks or 0)), add(ONE, edit.percent or Decimal(0))
    return add(price, by_ticks) if edit.percent is None else rounded(mul(price, by_share), tick)


def _to_market(turn: Turn, order: Order, *, provenance: Provenance) -> None:
    """Cancels an order, and has a market order take its place for what has not filled by then."""
    if not order.is_open:
        raise Conflict(f"the order is {order.state} and cannot be changed")
    if order.kind is OrderKind.MARKET and order.is_working:
        raise Conflict("it is a market order already")
    if order.spec.is_exit or order.spec.parent in turn.state.composites:
        raise Conflict("it belongs to other orders: change those, or close the position")
    if any(order.id in one.awaits and one.kind is FollowUpKind.REPLACE for one in turn.state.follow_ups.values()):
        return
    wanted = followups.new(
        turn,
        FollowUpKind.REPLACE,
        key=key_of(order.spec),
        awaits=[order],
        name=f"market:{order.id}",
        provenance=provenance,
    )
    followups.after_cancels(turn, wanted)
