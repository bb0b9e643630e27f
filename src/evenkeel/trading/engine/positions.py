"""Commands about positions: close, reverse, bring to a target, flatten. None of them halts anything.

Each book is closed by an order of its own, and what works there is cancelled first where that is asked for; a position
is closed once its own cancels are confirmed. Asked for again, a command does not do again what is on its way.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from evenkeel.domain.commands import ClosePosition, Flatten, ReversePosition, TargetPosition
from evenkeel.domain.errors import Conflict, FieldError, IdempotencyConflict, InvalidInput
from evenkeel.domain.followups import FollowUpKind
from evenkeel.domain.money import is_bookable, is_multiple, mul, plain, rounded
from evenkeel.domain.orders import OrderKind, OrderSpec, OrderState, Product, Side
from evenkeel.domain.positions import Position, PositionKey
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.selections import Selection
from evenkeel.trading.engine import closing, followups, sweeping
from evenkeel.trading.engine.composites import making_way
from evenkeel.trading.engine.effects import Outcome, Part
from evenkeel.trading.engine.orders import check_spec, request_cancel
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.turn import Turn

LONGEST_NAME = 60
_Whole = ClosePosition | ReversePosition | TargetPosition


def close(turn: Turn, command: ClosePosition) -> Outcome:
    """Closes what is held of an instrument, or a part of one position; where nothing is held there is nothing to do.

    Raises InvalidInput for a part that cannot be, and Conflict where a part is asked for of more than one position, or
    is being closed by other orders.
    """
    account = turn.state.account(command.account_id)
    known = _recalled(turn.state, command)
    if known is not None:
        return known
    held = _held(account, _selection(command))
    quantity = _part(turn.state, account, held=held, command=command)
    parts: list[Part] = []
    stopped = _stopped(turn, held, provenance=command.provenance) if command.cancel else []
    for place, position in enumerate(held):
        name = command.client_order_id if not place else f"{command.client_order_id}:{place}"
        who, cancel = command.provenance, command.cancel
        parts += _closed(turn, account, key=position.key, quantity=quantity, name=name, provenance=who, cancel=cancel)
    return _outcome(parts, stopped)


def reverse(turn: Turn, command: ReversePosition) -> Outcome:
    """Turns a position round. Raises Conflict where nothing is held, or in more than one book or product."""
    account = turn.state.account(command.account_id)
    known = _recalled(turn.state, command)
    if known is not None:
        return known
    held = _held(account, _selection(command))
    if not held:
        raise Conflict("nothing is held of this instrument: there is nothing to reverse")
    key = _only(turn.state, held).key
    stopped = _stopped(turn, held, provenance=command.provenance)
    kind, name = FollowUpKind.REVERSE, command.client_order_id
    return _outcome(_after_cancels(turn, kind, key=key, name=name, provenance=command.provenance), stopped)


def target(turn: Turn, command: TargetPosition) -> Outcome:
    """Brings a position to a signed quantity; one that is there, or on its way, needs no order.

    Raises InvalidInput for what no order could bring about.
    """
    account = turn.state.account(command.account_id)
    known = _recalled(turn.state, command)
    if known is not None:
        return known
    key = PositionKey(command.account_id, command.book, command.instrument_id, command.product)
    lot = turn.state.instruments[command.instrument_id].lot_size
    if not is_bookable(command.quantity) or not is_multiple(command.quantity, lot):
        message = f"{plain(command.quantity)} is not a multiple of the lot size {plain(lot)}"
        raise InvalidInput("the target is not valid", errors=(FieldError("quantity", message),))

    def spec_of(leg: int, side: Side, quantity: Decimal) -> OrderSpec:
        return OrderSpec(
            account_id=key.account_id,
            book=key.book,
            instrument_id=key.instrument_id,
            side=side,
            quantity=quantity,
            kind=OrderKind.MARKET if command.limit_price is None else OrderKind.LIMIT,
            client_order_id=command.client_order_id if not leg else f"{command.client_order_id}:{leg}",
            limit_price=command.limit_price,
            product=key.product,
        )

    check_spec(turn.state, spec_of(0, Side.BUY, max(lot, command.quantity.copy_abs())))
    done = closing.steer(
        turn, account, key=key, wanted=command.quantity, spec_of=spec_of, provenance=command.provenance
    )
    return _outcome(done.parts, done.stopped)


def flatten(turn: Turn, command: Flatten) -> Outcome:
    """Closes all that fits; where nothing is held, and nothing works, there is nothing to do."""
    selection, flat = command.selection, turn.new_id("flatten")
    accounts = [turn.state.account(account_id) for account_id in selection.account_ids]
    parts, stopped = dict[str, Part](), list[str]()
    for account in accounts if command.cancel else ():
        found = sweeping.stopped(turn, account, selection=selection, provenance=command.provenance)
        stopped += [*found.composites, *_stopped(turn, _held(account, selection), provenance=command.provenance)]
        for order in closing.to_cancel(turn.state, account, orders=found.orders):
            if order.state is not OrderState.CANCEL_PENDING:
                request_cancel(turn, order, command.provenance)
            parts[order.id] = Part(order.id)
    for account in accounts:
        for place, position in enumerate(_held(account, selection)):
            name, who = f"flatten:{flat}:{place}", command.provenance
            done = _closed(turn, account, key=position.key, name=name, provenance=who, cancel=command.cancel)
            parts |= {part.order_id: part for part in done}
    return _outcome(list(parts.values()), stopped)


def _recalled(state: State, command: _Whole) -> Outcome | None:
    """What a command of this id has placed before; None where it is new.

    Raises InvalidInput for what names nothing, and IdempotencyConflict where the id is that of another order.
    """
    name, faults = command.client_order_id, []
    if command.instrument_id not in state.instruments:
        faults.append(FieldError("symbol", "no such instrument"))
    if not 1 <= len(name) <= LONGEST_NAME:
        faults.append(FieldError("client_order_id", f"1 to {LONGEST_NAME} characters"))
    if faults:
        raise InvalidInput("the request is not valid", errors=tuple(faults))
    known, place = state.client_ids.get((command.account_id, name)), 1
    if known is None and (command.account_id, name) not in state.composites.names:
        return None
    spec = None if known is None else state.orders[known].spec
    if spec is None or spec.instrument_id != command.instrument_id or command.book not in (None, spec.book):
        raise IdempotencyConflict(
            f"client_order_id {name!r} already names another order",
            hint="Send the same body again, or choose a new client_order_id.",
        )
    parts = [Part(known or "")]
    while (more := state.client_ids.get((command.account_id, f"{name}:{place}"))) is not None:
        parts.append(Part(more))
        place += 1
    return Outcome(parts[0].order_id, created=False, parts=tuple(parts))


def _selection(command: ClosePosition | ReversePosition) -> Selection:
    return Selection(
        account_ids=(command.account_id,),
        book=command.book,
        instrument_id=command.instrument_id,
        product=command.product,
    )


def _held(account: AccountState, selection: Selection) -> list[Position]:
    """What is held and fits, the largest first."""
    sign = 0 if selection.side is None else selection.side.sign
    found = [
        position
        for key, position in account.positions.items()
        if position.quantity and selection.holds(key) and sign in (0, 1 if position.quantity > 0 else -1)
    ]
    return sorted(found, key=lambda one: one.quantity.copy_abs(), reverse=True)


def _only(state: State, held: list[Position]) -> Position:
    """Raises Conflict where there is more than one."""
    if len(held) > 1:
        books = ", ".join(_named(state, one.key) for one in held)
        raise Conflict(f"it is held in more than one place: {books}", hint="Name the book, and the product.")
    return held[0]


def _named(state: State, key: PositionKey) -> str:
    deployment = state.deployments.get(key.book)
    book = key.book if deployment is None else deployment.deployment.name
    return book if key.product is Product.NONE else f"{book} {key.product}"


def _part(state: State, account: AccountState, *, held: list[Position], command: ClosePosition) -> Decimal | None:
    """How much is to be closed of the one position; None for all of all."""
    if command.quantity is not None and command.share is not None:
        raise _bad_part("share", "give either a quantity or a share")
    if not held or (command.quantity is None and command.share is None):
        return None
    position = _only(state, held)
    lot, size = state.instruments[command.instrument_id].lot_size, position.quantity.copy_abs()
    if command.share is not None:
        name, wanted = "share", rounded(mul(size, command.share), lot, "ROUND_DOWN")
    else:
        name, wanted = "quantity", command.quantity or Decimal(0)
    if not 0 < wanted <= size:
        raise _bad_part(name, f"expected at least a lot of {plain(lot)}, and at most the {plain(size)} that are held")
    if not is_multiple(wanted, lot):
        raise _bad_part(name, f"{plain(wanted)} is not a multiple of the lot size {plain(lot)}")
    left = closing.room(state, account, key=position.key)
    if not command.cancel and left < wanted:
        raise Conflict(
            f"{plain(left)} of {plain(size)} can be closed: working orders may close the rest",
            hint="Cancel those first, or have them cancelled with it.",
        )
    return wanted


def _bad_part(name: str, message: str) -> InvalidInput:
    return InvalidInput("the part to close is not valid", errors=(FieldError(name, message),))


def _stopped(turn: Turn, held: Iterable[Position], *, provenance: Provenance) -> list[str]:
    """Stops the composites that would go on changing these positions behind what closes them: their ids."""
    stopped = list[str]()
    for position in held:
        stopped += making_way.stop(turn, making_way.moving(turn.state, position.key), provenance=provenance)
    return stopped


def _closed(
    turn: Turn,
    account: AccountState,
    *,
    key: PositionKey,
    name: str,
    provenance: Provenance,
    cancel: bool,
    quantity: Decimal | None = None,
) -> Sequence[Part]:
    """Closes a position, after what works on it is cancelled, or as far as that leaves it."""
    if cancel:
        return _after_cancels(turn, FollowUpKind.CLOSE, key=key, name=name, provenance=provenance, quantity=quantity)
    return closing.close_one(turn, account, key=key, quantity=quantity, name=name, provenance=provenance)


def _after_cancels(
    turn: Turn,
    kind: FollowUpKind,
    *,
    key: PositionKey,
    name: str,
    provenance: Provenance,
    quantity: Decimal | None = None,
) -> list[Part]:
    """Cancels what works on a position and does the rest once that is confirmed; nothing where that waits already."""
    if followups.pending(turn.state, key):
        return []
    account = turn.state.accounts[key.account_id]
    working = closing.open_on(turn.state, account, key=key)
    awaits = closing.to_cancel(turn.state, account, orders=working, turns=kind is FollowUpKind.REVERSE)
    wanted = followups.new(turn, kind, key=key, awaits=awaits, name=name, provenance=provenance, quantity=quantity)
    return [*map(Part, wanted.awaits), *followups.after_cancels(turn, wanted)]


def _outcome(parts: Sequence[Part], stopped: Iterable[str]) -> Outcome:
    created = next((part.order_id for part in parts if part.created), None)
    return Outcome(created or "", created=created is not None, parts=tuple(parts), stopped=tuple(stopped))
