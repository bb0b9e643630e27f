"""Smart routing: an order for whichever account and venue can take it best, by a declared rule.

Every place is asked what risk would say of the order there; of those that may take it, one where it only reduces what
is held comes first, then what the rule prefers, and the order goes there like any other. All places and what was made
of them are recorded, so that a choice can be explained. Where none may take it, it is placed at the first, to be
refused there for the reason that stands beside the others.
"""

from decimal import Decimal

import msgspec

from evenkeel.domain import commands as c
from evenkeel.domain import records as r
from evenkeel.domain.errors import FieldError, IdempotencyConflict, InvalidInput, NotFound
from evenkeel.domain.money import ZERO, add, exact, mul, neg, ratio, sub
from evenkeel.domain.orders import OrderSpec
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.risk import Refused
from evenkeel.domain.routing import Candidate, Route, RouteRule
from evenkeel.trading.engine import orders, risk_views
from evenkeel.trading.engine.effects import Outcome
from evenkeel.trading.engine.state import AccountState, State
from evenkeel.trading.engine.turn import Turn
from evenkeel.trading.risk import RiskView, assess

MOST_ACCOUNTS = 50
_STEP = Decimal("0.00000001")


def set_route(turn: Turn, command: c.SetRoute) -> Outcome:
    """Declares a route, or another under the same name. Raises InvalidInput for one that leads nowhere."""
    route = command.route
    faults = []
    if not 1 <= len(route.account_ids) <= MOST_ACCOUNTS or len(set(route.account_ids)) != len(route.account_ids):
        faults.append(FieldError("accounts", f"1 to {MOST_ACCOUNTS} accounts, each once"))
    held = [turn.state.accounts.get(account_id) for account_id in route.account_ids]
    if any(one is None or one.account.user_id != route.user_id for one in held):
        faults.append(FieldError("accounts", "accounts of the same user"))
    if len({one.account.mode for one in held if one is not None}) > 1:
        faults.append(FieldError("accounts", "all of them paper, or all of them live"))
    if len({one.account.currency for one in held if one is not None}) > 1:
        faults.append(FieldError("accounts", "all of one currency, so that what they would pay can be compared"))
    if faults:
        raise InvalidInput("the route is not valid", errors=tuple(faults))
    turn.emit(r.RouteSet(at=turn.at, route=route, provenance=command.provenance))
    return Outcome(route.name)


def remove_route(turn: Turn, command: c.RemoveRoute) -> Outcome:
    """Raises NotFound."""
    _known(turn.state, command.user_id, command.name)
    turn.emit(r.RouteRemoved(at=turn.at, user_id=command.user_id, name=command.name, provenance=command.provenance))
    return Outcome(command.name, created=False)


def submit(turn: Turn, command: c.RouteOrder) -> Outcome:
    """Places an order where the route prefers it. One that this client id has placed already is recalled.

    `spec` names the route's first account and any instrument of its symbol; both may become others.
    Raises NotFound for a route that was not declared, InvalidInput for an order that makes no sense anywhere.
    """
    state, spec = turn.state, command.spec
    route = _known(state, command.user_id, command.name)
    known = _placed(state, route, spec)
    if known is not None:
        return known
    for instrument_id in _instruments(state, route, spec):
        orders.check_spec(state, msgspec.structs.replace(spec, instrument_id=instrument_id))
    candidates = _considered(turn, route, spec, command.provenance)
    best = _preferred(candidates)
    chosen = msgspec.structs.replace(spec, account_id=best.account_id, instrument_id=best.instrument_id)
    orders.place(turn, state.accounts[best.account_id], chosen, command.provenance)
    order_id = state.client_ids[chosen.account_id, chosen.client_order_id]
    turn.emit(
        r.OrderRouted(at=turn.at, order_id=order_id, route=route.name, rule=route.rule, candidates=tuple(candidates))
    )
    return Outcome(order_id)


def _preferred(candidates: list[Candidate]) -> Candidate:
    """Where the order only reduces what is held, before all others; of equal ones that of the smallest rank, then the
    first. What cannot be ranked comes after all that can. Where none may take the order it is the first of all.
    """
    able = [one for one in candidates if one.refused is None]
    return min(able, key=lambda one: (not one.reduces, one.rank is None, one.rank or ZERO), default=candidates[0])


def _known(state: State, user_id: str, name: str) -> Route:
    try:
        return state.routes[user_id, name]
    except KeyError:
        raise NotFound(f"there is no route {name!r}") from None


def _placed(state: State, route: Route, spec: OrderSpec) -> Outcome | None:
    """The order that this client id names in one of the route's accounts."""
    for account_id in route.account_ids:
        if (account_id, spec.client_order_id) in state.composites.names:
            raise IdempotencyConflict(f"client_order_id {spec.client_order_id!r} already names a composite order")
        order_id = state.client_ids.get((account_id, spec.client_order_id))
        if order_id is None:
            continue
        made = state.orders[order_id].spec
        symbol = state.instruments[made.instrument_id].symbol
        same = msgspec.structs.replace(spec, account_id=account_id, instrument_id=made.instrument_id)
        asked = state.instruments.get(spec.instrument_id)
        if made != same or asked is None or asked.symbol != symbol:
            raise IdempotencyConflict(
                f"client_order_id {spec.client_order_id!r} already names another order",
                hint="Send the same body again, or choose a new client_order_id.",
            )
        return Outcome(order_id, created=False)
    return None


def _considered(turn: Turn, route: Route, spec: OrderSpec, provenance: Provenance) -> list[Candidate]:
    """What each account would make of the order at each venue, in the route's order. Changes nothing."""
    return [
        _candidate(turn, route, msgspec.structs.replace(spec, account_id=name, instrument_id=instrument), provenance)
        for name in route.account_ids
        for instrument in _instruments(turn.state, route, spec)
    ]


def _instruments(state: State, route: Route, spec: OrderSpec) -> list[str]:
    """The listings of the order's symbol at the route's venues; that of the order itself where there is no other."""
    asked = state.instruments.get(spec.instrument_id)
    if asked is None:
        return [spec.instrument_id]
    same = [one for one in state.instruments.values() if one.symbol == asked.symbol]
    found = [one.id for one in same if not route.venues or one.venue in route.venues]
    if not found:
        listed = ", ".join(sorted(one.venue for one in same))
        fault = FieldError("symbol", f"{asked.symbol} is listed at {listed}, and the route goes to none of these")
        raise InvalidInput("the order cannot be routed", errors=(fault,))
    return found


def _candidate(turn: Turn, route: Route, spec: OrderSpec, provenance: Provenance) -> Candidate:
    state = turn.state
    account = state.accounts[spec.account_id]
    view = risk_views.risk_view(state, account, spec, spec.quantity, source=provenance.source, at=turn.at)
    verdict = assess(view)
    cost, reduces = _cost(state, account, view), view.reduces
    if isinstance(verdict, Refused):
        check = verdict.check
        return Candidate(spec.account_id, spec.instrument_id, cost, None, check.rule, check.reason, reduces=reduces)
    rank = _rank(state, route, account, view, cost)
    return Candidate(spec.account_id, spec.instrument_id, cost, rank, reduces=reduces)


def _cost(state: State, account: AccountState, view: RiskView) -> Decimal | None:
    """What the order is expected to cost in all, negative where money comes in; None without a price.

    At its limit, if it has one, else at the side of the quote that it would meet; charges by the account's schedule.
    """
    mark, spec = state.marks.get(spec_id := view.spec.instrument_id), view.spec
    price = spec.limit_price
    if price is None and mark is not None:
        tick = state.instruments[spec_id].tick_size
        price = exact(mark.price + spec.side.sign * mark.spread / 2, tick)
    if price is None:
        return None
    value = state.notional(spec_id, view.quantity, price)
    charges = risk_views.charges_of(state, account, spec, quantity=view.quantity, price=price)
    return add(value if spec.side.sign > 0 else neg(value), charges)


def _rank(state: State, route: Route, account: AccountState, view: RiskView, cost: Decimal | None) -> Decimal | None:
    """What the rule compares, the smallest first; None where there is no price to compare by."""
    match route.rule:
        case RouteRule.FIRST:
            return ZERO
        case RouteRule.MOST_CASH:
            free = sub(account.cash_in(account.account.currency), risk_views.reserved_cash(state, account))
            return neg(free)
        case RouteRule.LEAST_EXPOSED:
            equity = state.equity(account)
            price = view.price if view.price is not None else state.mark(view.spec.instrument_id) or ZERO
            value = mul(mul(view.worst_position, price), view.instrument.multiplier)
            return exact(float(ratio(value, equity)), _STEP) if equity > 0 else None
        case _:
            return cost
