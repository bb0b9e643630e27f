"""Baskets: many orders in one command, taken as a whole or declined as a whole, and answered one by one.

Taken means that every order is recorded with its verdict. Placed together, either all of them are sent or none: where
one is refused, the others are refused with the rule `basket`, which names it. Where a queue
has no place for what adds risk, what takes risk off is placed all the same, unless they go together.
"""

from collections import Counter

from msgspec import structs

from evenkeel.domain.commands import SubmitBasket
from evenkeel.domain.errors import FieldError, IdempotencyConflict, InvalidInput, QueueFull
from evenkeel.domain.money import plain
from evenkeel.domain.orders import Kept, OrderSpec
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.records import Check
from evenkeel.domain.risk import Approved, Refused, Verdict
from evenkeel.trading.engine import keeping, market
from evenkeel.trading.engine.effects import Lane, Outcome, Part
from evenkeel.trading.engine.judging import provisional
from evenkeel.trading.engine.orders import check_spec, enter, judge, place, until_room
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.turn import Turn

MOST = 1_000
RULE = "basket"


def submit(turn: Turn, command: SubmitBasket) -> Outcome:
    """Takes a basket; orders whose client ids are known with the same body are recalled, not placed again.

    Raises InvalidInput naming every order that is not complete, NotFound for an account that is not there, InvalidInput
    or QueueFull where what is new could never, or not now, be sent in time, and IdempotencyConflict where an id names
    another order, or one placed in the other mode, or where of orders that go together only some are new.
    """
    known = _check(turn.state, command)
    fresh = [spec for spec, order_id in zip(command.orders, known, strict=True) if order_id is None]
    if command.together and fresh and len(fresh) < len(known):
        number = next(number for number, order_id in enumerate(known) if order_id is not None)
        raise IdempotencyConflict(
            f"order {number + 1} of the basket has been placed before, and others have not",
            hint="Send the same basket again, or choose new client_order_ids.",
        )
    if not fresh:
        return Outcome(known[0] or "", created=False, parts=tuple(Part(order_id or "") for order_id in known))
    _check_room(turn, fresh, command)
    basket = turn.new_id("basket")
    provenance = structs.replace(command.provenance, cause_id=basket)
    if command.together:
        _enter_together(turn, fresh, provenance=provenance)
    else:
        for spec in fresh:
            place(turn, turn.state.accounts[spec.account_id], spec, provenance)
    ids = turn.state.client_ids
    parts = tuple(
        Part(ids[spec.account_id, spec.client_order_id], created=order_id is None)
        for spec, order_id in zip(command.orders, known, strict=True)
    )
    return Outcome(basket, parts=parts)


def _check(state: State, command: SubmitBasket) -> list[str | None]:
    """The order that each id already names, None where it is new."""
    orders, faults = command.orders, list[FieldError]()
    if not 1 <= len(orders) <= MOST:
        raise InvalidInput("the basket is not valid", errors=(FieldError("orders", f"expected 1 to {MOST} orders"),))
    known = [state.client_ids.get((spec.account_id, spec.client_order_id)) for spec in orders]
    for number, (spec, order_id) in enumerate(zip(orders, known, strict=True)):
        if order_id is not None:
            is_same = state.orders[order_id].spec == spec
            if not is_same or (order_id in state.together) is not command.together:
                what = "an order that was placed in another mode" if is_same else "another order"
                raise IdempotencyConflict(
                    f"client_order_id {spec.client_order_id!r} of order {number + 1} already names {what}",
                    hint="Send the same body again, or choose a new client_order_id.",
                )
            continue
        if (spec.account_id, spec.client_order_id) in state.composites.names:
            raise IdempotencyConflict(
                f"client_order_id {spec.client_order_id!r} of order {number + 1} already names a composite order",
                hint="Choose a new client_order_id.",
            )
        state.account(spec.account_id)
        try:
            check_spec(state, spec)
        except InvalidInput as error:
            faults += [FieldError(f"orders.{number}.{one.field}", one.message) for one in error.errors]
    faults += _repeated(orders)
    if faults:
        raise InvalidInput("the basket is not valid", errors=tuple(faults))
    return known


def _check_room(turn: Turn, specs: list[OrderSpec], command: SubmitBasket) -> None:
    """Raises InvalidInput where an account's orders that add risk are more than its queue ever takes, and QueueFull
    where it takes no more of them now. What is held here does not wait there.

    Orders placed each by itself pass where any of them takes risk off: of the others, risk refuses what has no place.
    """
    state, faults, longest = turn.state, list[FieldError](), 0.0
    for account_id in dict.fromkeys(spec.account_id for spec in specs):
        account = state.accounts[account_id]
        rate, own = state.rate_of(account), [spec for spec in specs if spec.account_id == account_id]
        if rate is None or not until_room(state, account, orders=len(own)):
            continue
        going = sum(_adds_risk(turn, spec, command) and _goes_out(turn, account, spec) for spec in own)
        if going > rate.most_waiting:
            said = f"at most {rate.most_waiting} at once for {account.account.name}, of which {going} are here"
            faults.append(FieldError("orders", f"{said}: more could not be sent in time"))
        longest = max(longest, until_room(state, account, orders=going) if going else 0.0)
    if not longest or (not command.together and not all(_adds_risk(turn, spec, command) for spec in specs)):
        return
    if faults:
        hint = "Send the basket in parts, each once the one before has gone out."
        raise InvalidInput("the basket is too large to be sent at once", errors=tuple(faults), hint=hint)
    said = "too many orders wait for the broker already: the basket could not be sent in time"
    raise QueueFull(said, retry_after=longest)


def _goes_out(turn: Turn, account: AccountState, spec: OrderSpec) -> bool:
    kept = keeping.plan(turn.state, account, spec, at=turn.at)
    return not isinstance(kept, Kept) or not keeping.is_held(spec, kept)


def _adds_risk(turn: Turn, spec: OrderSpec, command: SubmitBasket) -> bool:
    account = turn.state.accounts[spec.account_id]
    return judge(turn.state, account, spec, command.provenance, at=turn.at)[1] is Lane.OPEN


def _repeated(orders: tuple[OrderSpec, ...]) -> list[FieldError]:
    """Orders that name themselves as another of the same basket does."""
    names = Counter((spec.account_id, spec.client_order_id) for spec in orders)
    if len(names) == len(orders):
        return []
    return [
        FieldError(f"orders.{number}.client_order_id", f"{spec.client_order_id!r} names another order, too")
        for number, spec in enumerate(orders)
        if names[spec.account_id, spec.client_order_id] > 1
    ]


def _enter_together(turn: Turn, specs: list[OrderSpec], *, provenance: Provenance) -> None:
    accounts, given = turn.state.accounts, list[tuple[Verdict, Lane]]()
    for account_id in dict.fromkeys(spec.account_id for spec in specs):
        market.keep_day(turn, accounts[account_id])
    with provisional(turn.state, turn.at) as taken:
        for spec in specs:
            verdict, lane = judge(turn.state, accounts[spec.account_id], spec, provenance, at=turn.at)
            given.append((verdict, lane))
            if isinstance(verdict, Approved):
                taken.take(spec, lane=lane)
    refused = ((spec, verdict) for spec, (verdict, _) in zip(specs, given, strict=True) if isinstance(verdict, Refused))
    first = next(refused, None)
    for spec, (own, lane) in zip(specs, given, strict=True):
        verdict = (
            own if first is None or isinstance(own, Refused) else Refused(_refusal_of(turn.state, *first), own.checks)
        )
        enter(turn, accounts[spec.account_id], spec, provenance, verdict=verdict, lane=lane, together=True)


def _refusal_of(state: State, spec: OrderSpec, verdict: Refused) -> Check:
    """The check that refuses an order because another of its basket was refused."""
    symbol = state.instruments[spec.instrument_id].symbol
    what = f"{spec.side} {plain(spec.quantity)} {symbol} ({spec.client_order_id})"
    reason = f"{what} of the same basket was refused by {verdict.check.rule}: {verdict.check.reason}"
    return Check(RULE, "all or none", spec.client_order_id, reason)
