"""Baskets: many orders in one command, taken as a whole or declined as a whole, and answered one by one.

Taken means that every order is recorded with its verdict. Placed together, either all of them are sent or none: where
one is refused, the others are refused with the rule `basket`, which names it.
"""

from collections import Counter
from typing import NamedTuple

from msgspec import structs

from evenkeel.domain.commands import SubmitBasket
from evenkeel.domain.errors import FieldError, IdempotencyConflict, InvalidInput
from evenkeel.domain.money import plain
from evenkeel.domain.orders import OrderSpec
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.records import Check
from evenkeel.domain.risk import Approved, Refused, Verdict
from evenkeel.trading.engine import market
from evenkeel.trading.engine.effects import Lane, Outcome, Part
from evenkeel.trading.engine.judging import judged, provisional
from evenkeel.trading.engine.orders import check_spec, enter
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn

MOST = 1_000
RULE = "basket"


class _Verdict(NamedTuple):
    verdict: Verdict
    lane: Lane


def submit(turn: Turn, command: SubmitBasket) -> Outcome:
    """Takes a basket; orders whose client ids are known with the same body are recalled, not placed again.

    Raises InvalidInput naming every order that is not complete, NotFound for an account that is not there, and
    IdempotencyConflict where an id names another order or, of orders that go together, only some are new.
    """
    known = _check(turn.state, command)
    fresh = [spec for spec, order_id in zip(command.orders, known, strict=True) if order_id is None]
    if command.together and fresh and len(fresh) < len(known):
        place = next(place for place, order_id in enumerate(known) if order_id is not None)
        raise IdempotencyConflict(
            f"order {place + 1} of the basket has been placed before, and others have not",
            hint="Send the same basket again, or choose new client_order_ids.",
        )
    if not fresh:
        return Outcome(known[0] or "", created=False, parts=tuple(Part(order_id or "") for order_id in known))
    basket = turn.new_id("basket")
    provenance = structs.replace(command.provenance, cause_id=basket)
    for account_id in dict.fromkeys(spec.account_id for spec in fresh):
        market.keep_day(turn, turn.state.accounts[account_id])
    if command.together:
        _enter_together(turn, fresh, provenance=provenance)
    else:
        for spec in fresh:
            _enter(turn, spec, provenance=provenance, given=_Verdict(*_judged(turn, spec, provenance=provenance)))
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
    for place, (spec, order_id) in enumerate(zip(orders, known, strict=True)):
        if order_id is not None:
            if state.orders[order_id].spec != spec:
                raise IdempotencyConflict(
                    f"client_order_id {spec.client_order_id!r} of order {place + 1} already names another order",
                    hint="Send the same body again, or choose a new client_order_id.",
                )
            continue
        if (spec.account_id, spec.client_order_id) in state.composites.names:
            raise IdempotencyConflict(
                f"client_order_id {spec.client_order_id!r} of order {place + 1} already names a composite order",
                hint="Choose a new client_order_id.",
            )
        state.account(spec.account_id)
        try:
            check_spec(state, spec)
        except InvalidInput as error:
            faults += [FieldError(f"orders.{place}.{one.field}", one.message) for one in error.errors]
    faults += _repeated(orders)
    if faults:
        raise InvalidInput("the basket is not valid", errors=tuple(faults))
    return known


def _repeated(orders: tuple[OrderSpec, ...]) -> list[FieldError]:
    """Orders that name themselves as another of the same basket does."""
    names = Counter((spec.account_id, spec.client_order_id) for spec in orders)
    if len(names) == len(orders):
        return []
    return [
        FieldError(f"orders.{place}.client_order_id", f"{spec.client_order_id!r} names another order, too")
        for place, spec in enumerate(orders)
        if names[spec.account_id, spec.client_order_id] > 1
    ]


def _judged(turn: Turn, spec: OrderSpec, *, provenance: Provenance) -> tuple[Verdict, Lane]:
    return judged(turn.state, turn.state.accounts[spec.account_id], spec=spec, provenance=provenance, at=turn.at)


def _enter(turn: Turn, spec: OrderSpec, *, provenance: Provenance, given: _Verdict) -> None:
    account = turn.state.accounts[spec.account_id]
    enter(turn, account, spec, provenance, verdict=given.verdict, lane=given.lane)


def _enter_together(turn: Turn, specs: list[OrderSpec], *, provenance: Provenance) -> None:
    given: list[_Verdict] = []
    with provisional(turn.state, turn.at) as taken:
        for spec in specs:
            given.append(_Verdict(*_judged(turn, spec, provenance=provenance)))
            if isinstance(given[-1].verdict, Approved):
                taken.take(spec)
    first = next((place for place, one in enumerate(given) if isinstance(one.verdict, Refused)), None)
    for spec, one in zip(specs, given, strict=True):
        verdict = one.verdict
        if first is not None and isinstance(verdict, Approved):
            verdict = Refused(_refusal_of(turn.state, specs[first], verdict=given[first].verdict), verdict.checks)
        _enter(turn, spec, provenance=provenance, given=_Verdict(verdict, one.lane))


def _refusal_of(state: State, spec: OrderSpec, *, verdict: Verdict) -> Check:
    """The check that refuses an order because another of its basket was refused."""
    assert isinstance(verdict, Refused)
    symbol = state.instruments[spec.instrument_id].symbol
    what = f"{spec.side} {plain(spec.quantity)} {symbol} ({spec.client_order_id})"
    reason = f"{what} of the same basket was refused by {verdict.check.rule}: {verdict.check.reason}"
    return Check(RULE, "all or none", spec.client_order_id, reason)
