"""Mark-to-market control: the levels with their rules, how far each rule is, and arming one that was stopped."""

import time

from fastapi import Depends, Request, Response
from msgspec.structs import asdict

from evenkeel.desk.permissions import Permission
from evenkeel.domain.commands import RearmMtm, SetMtmRules
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.server import mtm, requests, wire
from evenkeel.server import schemas as s
from evenkeel.server.api.trading import find_instrument
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.mtm import LevelOut
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant, parts_of, tenant

_PATH = f"{PREFIX}/risk/mtm"


async def list_mtm_levels(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Every level with rules: what it has made since it counts, its best, and how far each rule is; when it takes no
    entries and is closed; and what has stopped it."""
    wire.query(request, requests.NoQuery)
    return wire.Json(s.Page(mtm.levels_of(seen, parts.runner.clock)))


async def set_mtm_rules(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Sets all the rules of a level. One that is new counts from now, or by entry from what is open; else it counts on.
    Empty rules take the level away: 204."""
    given = await wire.body(request, mtm.NewRules)
    scope = _scope(seen, given)
    provenance, rules = seen.provenance(time.time_ns()), mtm.rules_of(given.rules)
    await parts.trail.note(seen.user.id, "set_mtm_rules", subject=scope.key, after=asdict(rules))
    await parts.runner.submit(SetMtmRules(provenance=provenance, scope=scope, rules=rules))
    return _shown(parts, seen, scope=scope)


async def re_arm_mtm_level(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Lets a level that a rule has closed trade again before its day is over; it counts from now. 409 while its cool-
    down runs, while it is being closed, and where it is a panic, which is resumed."""
    given = await wire.body(request, mtm.LevelScope)
    scope = _scope(seen, given)
    await parts.runner.submit(RearmMtm(provenance=seen.provenance(time.time_ns()), scope=scope))
    return _shown(parts, seen, scope=scope)


def _shown(parts: AppParts, seen: Tenant, *, scope: Scope) -> Response:
    """The level as it stands now; 204 where it is gone."""
    now = seen.at(parts.runner.state)
    level = now.state.mtm.get(scope.key)
    return (
        Response(status_code=204) if level is None else wire.Json(mtm.level_of(now, level, engine=parts.runner.clock))
    )


def _scope(seen: Tenant, given: mtm.LevelScope) -> Scope:
    """The level that is meant. Raises NotFound for what is not the user's, and InvalidInput."""
    fields, kind = wire.Fields(), ScopeKind(given.scope)
    is_user = kind is ScopeKind.USER
    if not is_user and given.id is None:
        fields.fault("id", f"name the {given.scope}")
    if is_user and given.id not in (None, seen.user.id):
        fields.fault("id", "has none for user")
    if kind is not ScopeKind.STRATEGY and given.account_id is not None:
        fields.fault("account_id", "narrows a strategy only")
    if is_user and given.symbol is not None:
        fields.fault("symbol", "narrows a strategy or an account only")
    instrument_id = ""
    if given.symbol is not None and not fields.faults:
        instrument_id = find_instrument(seen.state, given.symbol, given.venue, fields=fields)
    fields.check("the level is not valid")
    name = given.id or ""
    if is_user:
        seen.require_everything()
        return Scope(kind, seen.user.id)
    if kind is ScopeKind.ACCOUNT:
        return Scope(kind, seen.account(name).account.id, instrument_id=instrument_id)
    account_id = "" if given.account_id is None else seen.account(given.account_id).account.id
    return Scope(kind, seen.deployment(name).deployment.id, account_id, instrument_id)


ENDPOINTS = (
    Endpoint(method="GET", path=_PATH, handler=list_mtm_levels, needs=Permission.READ,
             summary="Mark-to-market control", tag="risk", query=requests.NoQuery, answers={200: s.Page[LevelOut]}),
    Endpoint(method="PUT", path=_PATH, handler=set_mtm_rules, needs=Permission.MANAGE,
             summary="Set the rules of a level", tag="risk", body=mtm.NewRules, answers={200: LevelOut, 204: None},
             errors=(404,)),
    Endpoint(method="POST", path=f"{_PATH}/re-arm", handler=re_arm_mtm_level, needs=Permission.MANAGE,
             summary="Arm a stopped level again", tag="risk", body=mtm.LevelScope, answers={200: LevelOut, 204: None},
             errors=(404, 409)),
)  # fmt: skip
