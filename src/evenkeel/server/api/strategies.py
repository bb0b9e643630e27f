"""Strategies: templates, their deployments, switching them on and off, and their share of each account."""

import asyncio
import time
from decimal import Decimal

from fastapi import Depends, Request, Response

from evenkeel.domain import clock
from evenkeel.domain.commands import ChangeDeployment, Deploy
from evenkeel.domain.errors import FieldError, InvalidInput, NotFound
from evenkeel.domain.ids import Random
from evenkeel.domain.strategies import Action, Allocation, Deployment
from evenkeel.server import requests, views, wire
from evenkeel.server import schemas as s
from evenkeel.server.api.accounts import check_accounts
from evenkeel.server.api.trading import find_instrument
from evenkeel.server.contract import PREFIX, Endpoint, Link
from evenkeel.server.parts import AppParts
from evenkeel.server.ports import SignalRow, TemplateInfo, Templates
from evenkeel.server.scope import Tenant, parts_of, tenant
from evenkeel.trading.engine.state import State

_PATH = f"{PREFIX}/strategies"


async def list_strategies(request: Request, seen: Tenant = Depends(tenant)) -> Response:
    """Every deployment of the user."""
    wire.query(request, requests.NoQuery)
    return wire.Json(s.Page([views.deployment(seen.state, held) for held in seen.deployments()]))


async def list_templates(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """The templates that can be deployed, with their parameters."""
    wire.query(request, requests.NoQuery)
    templates = await asyncio.to_thread(parts.templates)
    return wire.Json(s.Page([_template(info) for info in templates.infos()]))


def _template(info: TemplateInfo) -> s.TemplateOut:
    parameters = [
        s.ParameterOut(one.name, str(one.type), one.default, one.minimum, one.maximum, one.description)
        for one in info.parameters
    ]
    return s.TemplateOut(info.name, info.name, info.version, info.title, info.description, parameters)


async def get_strategy(deployment_id: str, seen: Tenant = Depends(tenant)) -> Response:
    """One deployment and how it has fared."""
    return wire.Json(views.deployment(seen.state, seen.deployment(deployment_id)))


async def deploy_strategy(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Puts a template to work on some symbols and accounts."""
    given = await wire.body(request, requests.NewDeployment)
    templates = await asyncio.to_thread(parts.templates)
    received = time.time_ns()
    deployment = await _deployment(seen, given, templates, received, timeframe=parts.feed.timeframe)
    outcome = await parts.runner.submit(Deploy(deployment=deployment, provenance=seen.provenance(received)))
    state = parts.runner.state
    deployed = views.deployment(state, state.deployment(outcome.id))
    return wire.Json(deployed, 201, {"location": f"{_PATH}/{outcome.id}"})


async def _deployment(
    seen: Tenant, given: requests.NewDeployment, templates: Templates, received: int, *, timeframe: str
) -> Deployment:
    fields = wire.Fields()
    symbols = [
        find_instrument(seen.state, symbol, None, fields=fields, field=f"symbols.{place}")
        for place, symbol in enumerate(given.symbols)
    ]
    if len(set(given.symbols)) < len(given.symbols):
        fields.fault("symbols", "each symbol once")
    if not given.accounts and not seen.is_owner:
        fields.fault("accounts", "at least one account")
    accounts = _allocations(seen, given.accounts, fields)
    parameters = await _parameters(given, templates, fields)
    fields.check("the strategy cannot be deployed")
    info = templates.info(given.template)
    return Deployment(
        id=Random().public(received, 0, "deployment"),
        name=given.name,
        template=info.name,
        version=info.version,
        parameters=parameters,
        instrument_ids=tuple(symbols),
        accounts=accounts,
        timeframe=timeframe,
        enabled=given.enabled,
    )


async def _parameters(
    given: requests.NewDeployment, templates: Templates, fields: wire.Fields
) -> dict[str, bool | int | float | str]:
    try:
        return dict(await asyncio.to_thread(templates.resolve, given.template, given.parameters))
    except NotFound as error:
        fields.fault("template", f"{error.message}. {error.hint or ''}".strip())
    except InvalidInput as error:
        fields.faults.extend(error.errors or (FieldError("parameters", error.message),))
    return {}


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
    """Sets the strategy's share of each account's equity, by account or one share for all."""
    given = await wire.body(request, requests.DeploymentChange)
    held = seen.deployment(deployment_id).deployment
    fields = wire.Fields()
    share = fields.number("allocation", given.allocation, "share")
    accounts = _wanted(seen, held, given, share, fields)
    fields.check("the allocation is not valid")
    provenance = seen.provenance(time.time_ns())
    return await _changed(ChangeDeployment(deployment_id=held.id, accounts=accounts, provenance=provenance), parts)


def _wanted(
    seen: Tenant, held: Deployment, given: requests.DeploymentChange, share: Decimal | None, fields: wire.Fields
) -> tuple[Allocation, ...]:
    if given.accounts is not None:
        if share is not None:
            fields.fault("allocation", "give either accounts or one allocation for all of them")
        if not given.accounts and not seen.is_owner:
            fields.fault("accounts", "at least one account")
        return _allocations(seen, given.accounts, fields)
    if share is None:
        if not fields.faults:
            fields.fault("accounts", "give accounts with their allocation, or one allocation for all")
        return ()
    return tuple(Allocation(one.account_id, share) for one in held.accounts)


async def _changed(command: ChangeDeployment, parts: AppParts) -> Response:
    outcome = await parts.runner.submit(command)
    state = parts.runner.state
    return wire.Json(views.deployment(state, state.deployment(outcome.id)))


async def list_signals(
    deployment_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """What the strategy has signalled, HOLD included, newest first."""
    query = wire.query(request, requests.PageQuery)
    held = seen.deployment(deployment_id)
    rows, cursor = await parts.history.signals(held.deployment.id, limit=query.limit, cursor=query.cursor)
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
_NAMES = ("get_strategy", "enable_strategy", "disable_strategy", "change_strategy", "list_signals")
_LINKS = tuple(Link(name, "deployment_id") for name in _NAMES)
ENDPOINTS = (
    Endpoint(method="GET", path=_PATH, handler=list_strategies, summary="Strategies", tag="strategies",
             query=requests.NoQuery, answers={200: s.Page[s.DeploymentOut]}),
    Endpoint(method="POST", path=_PATH, handler=deploy_strategy, summary="Deploy a strategy", tag="strategies",
             body=requests.NewDeployment, answers={201: s.DeploymentOut}, errors=(409,), links=_LINKS),
    Endpoint(method="GET", path=f"{_PATH}/templates", handler=list_templates, summary="Templates", tag="strategies",
             query=requests.NoQuery, answers={200: s.Page[s.TemplateOut]}),
    Endpoint(method="GET", path=_ONE, handler=get_strategy, summary="A strategy", tag="strategies",
             answers={200: s.DeploymentOut}),
    Endpoint(method="PATCH", path=_ONE, handler=change_strategy, summary="Change allocations", tag="strategies",
             body=requests.DeploymentChange, answers={200: s.DeploymentOut}, errors=(409,)),
    Endpoint(method="POST", path=f"{_ONE}/enable", handler=enable_strategy, summary="Switch on", tag="strategies",
             answers={200: s.DeploymentOut}, errors=(409,)),
    Endpoint(method="POST", path=f"{_ONE}/disable", handler=disable_strategy, summary="Switch off", tag="strategies",
             answers={200: s.DeploymentOut}, errors=(409,)),
    Endpoint(method="GET", path=f"{_ONE}/signals", handler=list_signals, summary="Signals", tag="strategies",
             query=requests.PageQuery, answers={200: s.Page[s.SignalOut]}),
)  # fmt: skip
