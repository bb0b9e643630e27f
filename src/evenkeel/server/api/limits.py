"""Limits in layers: seeing and setting them, lifting what they halted, and asking whether an order would pass."""

import time

from fastapi import Depends, Request, Response
from msgspec.structs import replace

from evenkeel.desk.permissions import Permission
from evenkeel.domain.commands import LiftHalt, SetLimits, SetScopeLimits
from evenkeel.domain.errors import FieldError, InvalidInput, MoneyError
from evenkeel.domain.limits import Layer, LimitScope, RuleSet
from evenkeel.server import limits, requests, wire
from evenkeel.server import schemas as s
from evenkeel.server.api.accounts import unknown_account
from evenkeel.server.api.trading import find_instrument, order_spec
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.gate import require_fresh
from evenkeel.server.limits import CheckedOut, LayerOut, LimitsQuery, NewLimits, ScopeIn
from evenkeel.server.order_terms import completed
from evenkeel.server.parts import AppParts
from evenkeel.server.raising import difference, raises
from evenkeel.server.scope import Tenant, parts_of, tenant
from evenkeel.trading.engine.usage import what_if

_PATH = f"{PREFIX}/risk"


async def check_order(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Whether an order would pass, with every check of every layer: its limit, what it sees, and what is left. Nothing
    is placed, recorded or changed. The body is that of placing an order."""
    received = time.time_ns()
    given = await wire.body(request, requests.NewOrder)
    fields = wire.Fields()
    if not seen.owns(given.account_id):
        fault = unknown_account(seen, "account_id", given.account_id)
        fields.fault(fault.field, fault.message)
    spec = order_spec(request, seen, given, given.account_id, fields=fields, received=received)
    spec = await completed(parts, spec, fields, after_market=given.after_market)
    fields.check("the order is not valid")
    try:
        found = what_if(parts.runner.state, spec, at=parts.runner.clock.now())
    except MoneyError as error:
        fault = FieldError("quantity", f"too large to be booked at this price: {error.message}")
        raise InvalidInput("the order is not valid", errors=(fault,)) from error
    return wire.Json(limits.checked(found))


async def list_limits(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """The limits of every account of the user, and of the layers over them that have some, with what is used of each.
    What all users together use of limits for everybody, the owner alone is told."""
    query = wire.query(request, LimitsQuery)
    now = parts.runner.clock.now()
    found = [limits.layer(seen, scope, at=now) for scope in limits.scopes(seen)]
    fits = [one for one in found if query.scope in (None, one.scope) and query.id in (None, one.scope_id)]
    return wire.Json(s.Page(fits))


async def set_limits(request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """Changes the rules of one scope; recorded with who did it. A layer can only tighten what the others allow. What is
    for everybody, the owner alone may set."""
    given = await wire.body(request, NewLimits)
    scope = _scope(seen, given)
    known, _ = limits.rules_of(seen.state, scope)
    rules = limits.changed(given.rules, known)
    after = replace(known, **rules)
    if raises(known, after):
        require_fresh(seen.by, parts)
    was, new = difference(known, after)
    await parts.trail.note(seen.user.id, "set_limits", subject=scope.key, before=was, after=new)
    provenance = seen.provenance(time.time_ns())
    if scope.kind is Layer.ACCOUNT:
        own = replace(seen.account(scope.id).limits, **rules)
        await parts.runner.submit(SetLimits(account_id=scope.id, limits=own, provenance=provenance))
    else:
        await parts.runner.submit(SetScopeLimits(scope=scope, rules=RuleSet(**rules), provenance=provenance))
    return _answer(parts, seen, scope=scope)


def _scope(seen: Tenant, given: ScopeIn) -> LimitScope:
    """The scope that is meant. Raises NotFound for what is not the user's, and Forbidden for what is everybody's."""
    fields = wire.Fields()
    names = given.scope not in (Layer.USER, Layer.PLATFORM)
    if names and given.id is None:
        fields.fault("id", f"name the {given.scope}")
    if not names and given.id not in (None, seen.user.id if given.scope is Layer.USER else None):
        fields.fault("id", f"has none for {given.scope}")
    if given.everyone and given.scope is not Layer.INSTRUMENT:
        fields.fault("everyone", "is for an instrument")
    fields.check("the scope is not valid")
    wanted = given.id or ""
    match given.scope:
        case Layer.INSTRUMENT:
            if given.everyone:
                seen.require_admin()
            seen.require_everything()
            return LimitScope(given.scope, _instrument(seen, wanted), "" if given.everyone else seen.user.id)
        case Layer.STRATEGY:
            return LimitScope(given.scope, seen.deployment(wanted).deployment.id)
        case Layer.PORTFOLIO:
            return LimitScope(given.scope, seen.portfolio(wanted).portfolio.id)
        case Layer.ACCOUNT:
            return LimitScope(given.scope, seen.account(wanted).account.id)
        case Layer.USER:
            seen.require_everything()
            return LimitScope(given.scope, seen.user.id)
        case Layer.PLATFORM:
            seen.require_admin()
            return LimitScope(given.scope)


def _instrument(seen: Tenant, wanted: str) -> str:
    """An instrument by its id, or by its symbol."""
    if wanted in seen.state.instruments:
        return wanted
    fields = wire.Fields()
    found = find_instrument(seen.state, wanted, None, fields=fields, field="id")
    fields.check("the scope is not valid")
    return found


def _answer(parts: AppParts, seen: Tenant, *, scope: LimitScope) -> Response:
    return wire.Json(limits.layer(seen.at(parts.runner.state), scope, at=parts.runner.clock.now()))


async def lift_halt(request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """Allows entries again that a drawdown has halted, and measures it anew from now. 409 where none is halted."""
    given = await wire.body(request, ScopeIn)
    scope = _scope(seen, given)
    await parts.runner.submit(LiftHalt(scope=scope, provenance=seen.provenance(time.time_ns())))
    return _answer(parts, seen, scope=scope)


ENDPOINTS = (
    Endpoint(method="POST", path=f"{_PATH}/check", handler=check_order, needs=Permission.READ,
             summary="Would this order pass?", tag="risk", body=requests.NewOrder, answers={200: CheckedOut}),
    Endpoint(method="GET", path=f"{_PATH}/limits", handler=list_limits, needs=Permission.READ,
             summary="Limits, and their use", tag="risk", query=LimitsQuery, answers={200: s.Page[LayerOut]}),
    Endpoint(method="PUT", path=f"{_PATH}/limits", handler=set_limits, needs=Permission.MANAGE,
             summary="Change the limits of a scope", tag="risk", body=NewLimits, answers={200: LayerOut},
             errors=(403, 404)),
    Endpoint(method="POST", path=f"{_PATH}/limits/lift", handler=lift_halt, needs=Permission.MANAGE,
             summary="Lift a drawdown's halt", tag="risk", body=ScopeIn, answers={200: LayerOut},
             errors=(403, 404, 409)),
)  # fmt: skip
