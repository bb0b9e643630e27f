"""Strategies: deployments of templates, added, changed, switched and removed while everything runs; their signals."""

import asyncio
import time
from decimal import Decimal

from fastapi import Depends, Request, Response
from msgspec import UNSET
from msgspec.structs import asdict

from evenkeel.desk.permissions import Permission
from evenkeel.domain import clock
from evenkeel.domain.commands import ChangeDeployment, Deploy, RemoveDeployment
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.domain.ids import Random
from evenkeel.domain.strategies import Action, Allocation, Deployment, Entry, Protection, Revision, SwitchRules
from evenkeel.server import requests, views, wire
from evenkeel.server import schemas as s
from evenkeel.server.api import templates
from evenkeel.server.api.accounts import check_accounts
from evenkeel.server.api.templates import chosen
from evenkeel.server.api.trading import find_instrument
from evenkeel.server.bars import moment_of, storable
from evenkeel.server.contract import PREFIX, Endpoint, Link
from evenkeel.server.parts import AppParts
from evenkeel.server.ports import SignalRow
from evenkeel.server.scope import Tenant, parts_of, tenant
from evenkeel.trading.engine.state import State
from evenkeel.trading.strategies.configured import Chosen
from evenkeel.trading.strategies.fitting import misfits
from evenkeel.trading.strategies.parameters import Params

_PATH = f"{PREFIX}/strategies"


async def list_strategies(request: Request, seen: Tenant = Depends(tenant)) -> Response:
    """Every deployment of the user."""
    wire.query(request, requests.NoQuery)
    return wire.Json(s.Page([views.deployment(seen.state, held) for held in seen.deployments()]))


async def get_strategy(deployment_id: str, seen: Tenant = Depends(tenant)) -> Response:
    """One deployment and how it has fared."""
    return wire.Json(views.deployment(seen.state, seen.deployment(deployment_id)))


async def deploy_strategy(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Puts a template, or a configuration of one, to work on some symbols and accounts."""
    given = await wire.body(request, requests.NewDeployment)
    received = time.time_ns()
    deployment = await deployment_of(seen, parts, given, received=received)
    outcome = await parts.runner.submit(Deploy(deployment=deployment, provenance=seen.provenance(received)))
    state = parts.runner.state
    deployed = views.deployment(state, state.deployment(outcome.id))
    return wire.Json(deployed, 201, {"location": f"{_PATH}/{outcome.id}"})


async def deployment_of(
    seen: Tenant, parts: AppParts, given: requests.NewDeployment, *, received: int, is_alone: bool = True
) -> Deployment:
    """What is asked for, ready to be deployed; not `is_alone`, its account is named later. Raises InvalidInput."""
    fields = wire.Fields()
    symbols = [
        find_instrument(seen.state, symbol, None, fields=fields, field=f"symbols.{place}")
        for place, symbol in enumerate(given.symbols)
    ]
    if len(set(given.symbols)) < len(given.symbols):
        fields.fault("symbols", "each symbol once")
    if is_alone and not given.accounts and not seen.is_admin:
        fields.fault("accounts", "at least one account")
    accounts = _allocations(seen, given.accounts, fields)
    size = fields.size("size", given.size)
    code = await chosen(seen, parts, given.template, values=given.parameters, fields=fields, field="template")
    rules = _rules(given.rules)
    await _check_form("rules", rules, code.template, parts, fields)
    await _check_form("entry", given.entry, code.template, parts, fields)
    await _check_fit(code, parts, fields, instruments=len(symbols), timeframe=parts.feed.timeframe)
    fields.check("the strategy cannot be deployed")
    return Deployment(
        id=Random().public(received, 0, "deployment"),
        name=given.name,
        template=code.template,
        version=code.version,
        parameters=code.parameters,
        instrument_ids=tuple(symbols),
        accounts=accounts,
        timeframe=parts.feed.timeframe,
        enabled=given.enabled,
        sizing=size or code.size,
        rules=rules,
        configuration=code.configuration,
        entry=_entry(given.entry),
        protection=None if given.protection is None else Protection(**asdict(given.protection)),
    )


def _rules(given: requests.RulesIn | None) -> SwitchRules | None:
    return None if given is None else SwitchRules(**asdict(given))


def _entry(given: requests.EntryIn | None) -> Entry | None:
    return None if given is None else Entry(**asdict(given))


async def _check_form(name: str, given: object, template: str, parts: AppParts, fields: wire.Fields) -> None:
    """Rules and entries follow signals; a strategy that places its own orders gives none."""
    if given is not None and template and await _places_orders(template, parts):
        fields.fault(name, f"{template} places its own orders and gives no signals that {name} could follow")


async def _places_orders(template: str, parts: AppParts) -> bool:
    known = await asyncio.to_thread(parts.templates)
    return known.has(template) and known.info(template).form == "event"


async def _check_fit(code: Chosen, parts: AppParts, fields: wire.Fields, *, instruments: int, timeframe: str) -> None:
    """It may take another number of instruments, or read timeframes that are not above the deployment's."""

    def faults() -> tuple[FieldError, ...]:
        strategy = parts.templates().create(code.template)
        return misfits(strategy, Params(code.parameters), instruments=instruments, timeframe=timeframe)

    if code.template:
        fields.faults.extend(await asyncio.to_thread(faults))


def _allocations(seen: Tenant, given: list[requests.AllocationIn], fields: wire.Fields) -> tuple[Allocation, ...]:
    try:
        check_accounts(seen, given)
    except InvalidInput as error:
        fields.faults.extend(error.errors)
    return tuple(
        Allocation(one.account_id, fields.required(f"accounts.{place}.allocation", one.allocation, "share"))
        for place, one in enumerate(given)
    )


async def enable_strategy(
    deployment_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Switches a strategy on; this also ends a pause."""
    return await _switch(deployment_id, seen, parts, enabled=True)


async def disable_strategy(
    deployment_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Switches a strategy off. Its positions stay; its working orders stay."""
    return await _switch(deployment_id, seen, parts, enabled=False)


async def _switch(deployment_id: str, seen: Tenant, parts: AppParts, *, enabled: bool) -> Response:
    held = seen.deployment(deployment_id)
    provenance = seen.provenance(time.time_ns())
    command = ChangeDeployment(deployment_id=held.deployment.id, enabled=enabled, provenance=provenance)
    return await _changed(command, parts)


async def change_strategy(
    deployment_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Sets the strategy's shares of accounts, its template, parameters, size, rules or entry, while it runs.

    A share, a size or an entry counts from its next change of target. With another template or other parameters it
    begins anew, and its working orders are cancelled; what it holds stays. With one that places its own orders, the
    limits at which orders went out before (`entry`) are gone.
    """
    given = await wire.body(request, requests.DeploymentChange)
    held = seen.deployment(deployment_id).deployment
    fields = wire.Fields()
    share = fields.number("allocation", given.allocation, "share")
    accounts, revision = None, None
    if given.accounts is not None or share is not None:
        accounts = _wanted(seen, held, given, share, fields)
    if _is_revised(given):
        revision = await _revision(seen, parts, held, given=given, fields=fields)
    elif accounts is None and not fields.faults:
        fields.fault("", "give something to change: accounts, allocation, template, parameters, size, rules or entry")
    fields.check("the strategy cannot be changed so")
    provenance = seen.provenance(time.time_ns())
    command = ChangeDeployment(deployment_id=held.id, accounts=accounts, revision=revision, provenance=provenance)
    return await _changed(command, parts)


def _is_revised(given: requests.DeploymentChange) -> bool:
    is_reset = given.rules is not UNSET or given.entry is not UNSET
    return bool(given.template or given.parameters or bytes(given.size) or is_reset)


async def _revision(
    seen: Tenant, parts: AppParts, held: Deployment, *, given: requests.DeploymentChange, fields: wire.Fields
) -> Revision:
    size = fields.size("size", given.size)
    code = Chosen(held.template, held.version, held.parameters, held.sizing, held.configuration)
    if given.template is not None:
        code = await chosen(seen, parts, given.template, values=given.parameters, fields=fields, field="template")
    elif given.parameters:
        reference = held.configuration or held.template
        values = held.parameters | given.parameters
        code = await chosen(seen, parts, reference, values=values, fields=fields, field="template", even_archived=True)
    sizing = size or (code.size if given.template is not None else held.sizing)
    rules = held.rules if given.rules is UNSET else _rules(given.rules)
    await _check_form("rules", rules, code.template, parts, fields)
    if given.template is not None or given.parameters:
        await _check_fit(code, parts, fields, instruments=len(held.instrument_ids), timeframe=held.timeframe)
    return Revision(
        template=code.template,
        version=code.version,
        parameters=code.parameters,
        sizing=None if bytes(given.size) == b"null" else sizing,
        rules=rules,
        configuration=code.configuration,
        entry=await _revised_entry(held, given, code.template, parts=parts, fields=fields),
    )


async def _revised_entry(
    held: Deployment, given: requests.DeploymentChange, template: str, *, parts: AppParts, fields: wire.Fields
) -> Entry | None:
    """The one asked for, else the one that stands, where the template gives signals that it could follow."""
    if given.entry is UNSET:
        return None if held.entry is None or await _places_orders(template, parts) else held.entry
    await _check_form("entry", given.entry, template, parts, fields)
    return _entry(given.entry)


async def remove_strategy(
    deployment_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Ends a strategy that holds nothing and has no order working; its signals, orders and fills stay on record."""
    held = seen.deployment(deployment_id)
    provenance = seen.provenance(time.time_ns())
    return await _changed(RemoveDeployment(deployment_id=held.deployment.id, provenance=provenance), parts)


def _wanted(
    seen: Tenant, held: Deployment, given: requests.DeploymentChange, share: Decimal | None, fields: wire.Fields
) -> tuple[Allocation, ...]:
    if given.accounts is not None:
        if share is not None:
            fields.fault("allocation", "give either accounts or one allocation for all of them")
        if not given.accounts and not seen.is_admin:
            fields.fault("accounts", "at least one account")
        return _allocations(seen, given.accounts, fields)
    return tuple(Allocation(one.account_id, share or Decimal(0)) for one in held.accounts)


async def _changed(command: ChangeDeployment | RemoveDeployment, parts: AppParts) -> Response:
    outcome = await parts.runner.submit(command)
    state = parts.runner.state
    return wire.Json(views.deployment(state, state.deployment(outcome.id)))


async def list_signals(
    deployment_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """What the strategy has signalled, HOLD and what came while it was switched off included, newest first."""
    query = wire.query(request, requests.SignalsQuery)
    held = seen.deployment(deployment_id)
    fields = wire.Fields()
    start, end = moment_of("start", query.start, fields), moment_of("end", query.end, fields)
    instrument_id = None
    if query.symbol is not None:
        instrument_id = find_instrument(seen.state, query.symbol, None, fields=fields)
    fields.check("the query is not valid")
    rows, cursor = await parts.history.signals(
        held.deployment.id,
        action=query.action,
        instrument_id=instrument_id,
        start=storable(start),
        end=storable(end),
        limit=query.limit,
        cursor=query.cursor,
    )
    return wire.Json(s.Page([_signal(seen.state, row) for row in rows], cursor))


def _signal(state: State, row: SignalRow) -> s.SignalOut:
    return s.SignalOut(
        id=row.id,
        at=clock.iso(row.at),
        deployment_id=row.deployment_id,
        symbol=state.instruments[row.instrument_id].symbol,
        target=row.target,
        action=Action(row.action),
        confidence=row.confidence,
        details=dict(row.details),
    )


_ONE = f"{_PATH}/{{deployment_id}}"
_NAMES = (
    "get_strategy", "enable_strategy", "disable_strategy", "change_strategy", "remove_strategy", "list_signals",
)  # fmt: skip
_LINKS = tuple(Link(name, "deployment_id") for name in _NAMES)
ENDPOINTS = (
    Endpoint(method="GET", path=_PATH, handler=list_strategies, needs=Permission.READ, summary="Strategies",
             tag="strategies", query=requests.NoQuery, answers={200: s.Page[s.DeploymentOut]}),
    Endpoint(method="POST", path=_PATH, handler=deploy_strategy, needs=Permission.TRADE, summary="Deploy a strategy",
             tag="strategies", body=requests.NewDeployment, answers={201: s.DeploymentOut}, errors=(409,),
             links=_LINKS),
    *templates.ENDPOINTS,
    Endpoint(method="GET", path=_ONE, handler=get_strategy, needs=Permission.READ, summary="A strategy",
             tag="strategies", answers={200: s.DeploymentOut}),
    Endpoint(method="PATCH", path=_ONE, handler=change_strategy, needs=Permission.TRADE, summary="Change a strategy",
             tag="strategies", body=requests.DeploymentChange, answers={200: s.DeploymentOut}, errors=(409,)),
    Endpoint(method="DELETE", path=_ONE, handler=remove_strategy, needs=Permission.TRADE, summary="Remove a strategy",
             tag="strategies", answers={200: s.DeploymentOut}, errors=(409,)),
    Endpoint(method="POST", path=f"{_ONE}/enable", handler=enable_strategy, needs=Permission.TRADE,
             summary="Switch on", tag="strategies", answers={200: s.DeploymentOut}, errors=(409,)),
    Endpoint(method="POST", path=f"{_ONE}/disable", handler=disable_strategy, needs=Permission.REDUCE,
             summary="Switch off", tag="strategies", answers={200: s.DeploymentOut}, errors=(409,)),
    Endpoint(method="GET", path=f"{_ONE}/signals", handler=list_signals, needs=Permission.READ, summary="Signals",
             tag="strategies", query=requests.SignalsQuery, answers={200: s.Page[s.SignalOut]}, projected=True),
)  # fmt: skip
