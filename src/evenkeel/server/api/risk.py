"""Risk: halting what must stop now, seeing how far that is, and letting it trade again."""

import time

from fastapi import Depends, Request, Response

from evenkeel.desk.permissions import Permission
from evenkeel.domain.clock import SECOND
from evenkeel.domain.commands import Panic, Resume
from evenkeel.domain.errors import InvalidInput, NotFound
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.server import halting, requests, wire
from evenkeel.server import schemas as s
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.halting import PanicOut
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant, parts_of, tenant

_PATH = f"{PREFIX}/risk"


async def panic(request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """Halts trading of a strategy, an account, the user, or the platform: nothing new is taken but reductions by hand,
    every working order is cancelled, and every position is closed unless they are kept. 202 while that goes on; what is
    left is told by `GET` and on the channel `halts`. Pressed again it asks anew for what it has given up, and closes
    what it kept; else it changes nothing."""
    given = await wire.body(request, halting.NewPanic)
    scope = _scope(seen, given)
    command = Panic(
        provenance=seen.provenance(time.time_ns()),
        scope=scope,
        keep_positions=given.keep_positions,
        cooldown=given.cooldown * SECOND,
        reason=given.reason,
    )
    await parts.runner.submit(command)
    now = seen.at(parts.runner.state)
    return wire.Json(_shown(parts, now, scope), 202)


def _scope(seen: Tenant, given: halting.PanicScope) -> Scope:
    """The scope that is meant. Raises NotFound for what is not the user's, and Forbidden for the platform."""
    fields = wire.Fields()
    names = given.scope in (ScopeKind.STRATEGY, ScopeKind.ACCOUNT)
    if names and given.id is None:
        fields.fault("id", f"name the {given.scope}")
    if not names and given.id not in (None, seen.user.id if given.scope is ScopeKind.USER else None):
        fields.fault("id", f"has none for {given.scope}")
    fields.check("the scope is not valid")
    match given.scope:
        case ScopeKind.STRATEGY:
            return Scope(given.scope, seen.deployment(given.id or "").deployment.id)
        case ScopeKind.ACCOUNT:
            return Scope(given.scope, seen.account(given.id or "").account.id)
        case ScopeKind.USER:
            seen.require_everything()
            if not any(held.account.user_id == seen.user.id for held in seen.accounts()):
                raise InvalidInput("there is nothing to halt: you have no account")
            return Scope(given.scope, seen.user.id)
        case ScopeKind.PLATFORM:
            seen.require_admin()
            return Scope(given.scope)


def _shown(parts: AppParts, seen: Tenant, scope: Scope) -> PanicOut:
    halt = seen.state.halts.get(scope.key)
    if halt is None:
        raise NotFound("this scope is not halted")
    return halting.panic_of(seen, halt, parts.runner.clock)


async def resume(request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """Lets a halted scope trade again, and the strategies that were paused with it. 409 while its cool-down runs, and
    while the panic has not finished unless the rest is abandoned."""
    given = await wire.body(request, halting.Resumption)
    scope = _scope(seen, given)
    before = _shown(parts, seen, scope)
    provenance = seen.provenance(time.time_ns())
    await parts.runner.submit(Resume(provenance=provenance, scope=scope, abandon=given.abandon))
    before.state = "resumed"
    return wire.Json(before)


async def list_panics(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """What is halted, how far each panic is, and what is left to do."""
    wire.query(request, requests.NoQuery)
    return wire.Json(s.Page(halting.panics_of(seen, parts.runner.clock)))


ENDPOINTS = (
    Endpoint(method="POST", path=f"{_PATH}/panic", handler=panic, needs=Permission.REDUCE,
             summary="Panic: halt, cancel, close", tag="risk", body=halting.NewPanic, answers={202: PanicOut},
             errors=(403, 404)),
    Endpoint(method="GET", path=f"{_PATH}/panic", handler=list_panics, needs=Permission.READ,
             summary="What is halted", tag="risk", query=requests.NoQuery, answers={200: s.Page[PanicOut]}),
    Endpoint(method="POST", path=f"{_PATH}/resume", handler=resume, needs=Permission.TRADE,
             summary="Trade again after a panic", tag="risk", body=halting.Resumption, answers={200: PanicOut},
             errors=(403, 404, 409)),
)  # fmt: skip
