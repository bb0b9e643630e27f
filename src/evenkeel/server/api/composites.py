"""Composite orders: brackets, covers, either-ors, icebergs, slices and legs."""

import time

from fastapi import Depends, Request, Response

from evenkeel.desk.permissions import Permission
from evenkeel.domain.commands import CancelComposite, ModifyComposite, SubmitComposite
from evenkeel.domain.composites import CompositeState
from evenkeel.domain.errors import NotFound
from evenkeel.domain.ids import Random
from evenkeel.server import composites as c
from evenkeel.server import schemas as s
from evenkeel.server import wire
from evenkeel.server.api import composing
from evenkeel.server.contract import PREFIX, Endpoint, Link
from evenkeel.server.listing import page
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant, parts_of, tenant
from evenkeel.trading.engine.composites.standing import Composite

_PATH = f"{PREFIX}/trading/composites"


async def place_composite(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Places a composite order: several orders that are one intention. 201 means that it is committed, judged as a
    whole; a refusal has state REFUSED and says why. The engine places its orders, judges each again, and has them carry
    its id as `parent`. The same client_order_id with the same body answers 200 with what it made; with another body,
    409. An `Idempotency-Key` header stands in for a missing client_order_id."""
    received = time.time_ns()
    given = await wire.body(request, c.NewComposite)
    name = _name(request, given, received=received)
    terms = await composing.read_new(request, seen, parts=parts, given=given, name=name, received=received)
    command = SubmitComposite(client_order_id=name, terms=terms, provenance=seen.provenance(received))
    outcome = await parts.runner.submit(command)
    one = _found(parts, outcome.id)
    answer = c.whole(parts.runner.state, one)
    return wire.Json(answer, 201 if outcome.created else 200, {"location": f"{_PATH}/{one.id}"})


def _name(request: Request, given: c.NewComposite, *, received: int) -> str:
    if given.client_order_id is not None:
        return given.client_order_id
    fields = wire.Fields()
    key = wire.idempotency_key(request, fields)
    fields.check("the order is not valid")
    return key or Random().public(received, 0, "client")


def _found(parts: AppParts, composite_id: str) -> Composite:
    one = parts.runner.state.composites.find(composite_id)
    assert one is not None
    return one


def composite_of(seen: Tenant, composite_id: str) -> Composite:
    """A composite order of the user's. Raises NotFound."""
    one = seen.state.composites.find(composite_id)
    if one is None or not seen.owns(one.account_id):
        raise NotFound(f"there is no composite order {composite_id!r}")
    return one


async def list_composites(request: Request, seen: Tenant = Depends(tenant)) -> Response:
    """Composite orders, newest first. `status` is live, ended, or a state."""
    query = wire.query(request, c.CompositesQuery)
    if query.account_id is not None:
        seen.account(query.account_id)

    def take(composite_id: str) -> c.CompositeOut | None:
        one = seen.state.composites.find(composite_id)
        if one is None or query.account_id not in (None, one.account_id) or not seen.owns(one.account_id):
            return None
        return c.composite(seen.state, one) if _fits(one, query.status) else None

    names = list(seen.state.composites.names.values())
    return wire.Json(page(names, take, limit=query.limit, cursor=query.cursor))


def _fits(one: Composite, status: str | None) -> bool:
    if status in ("live", "ended"):
        return one.state.is_live is (status == "live")
    return status in (None, one.state)


async def get_composite(composite_id: str, seen: Tenant = Depends(tenant)) -> Response:
    """One composite order as it stands, with the orders that were placed for it."""
    return wire.Json(c.whole(seen.state, composite_of(seen, composite_id)))


async def change_composite(
    composite_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Changes prices of exits, entry or slices, the part an iceberg shows, or the pace of what is left. 409 for one
    that has ended or is on its way out."""
    one = composite_of(seen, composite_id)
    change = await composing.read_change(parts, one.terms, given=await wire.body(request, c.CompositeChange))
    provenance = seen.provenance(time.time_ns())
    await parts.runner.submit(ModifyComposite(composite_id=one.id, change=change, provenance=provenance))
    return wire.Json(c.whole(parts.runner.state, _found(parts, one.id)))


async def cancel_composite(
    composite_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Cancels a composite order: 202 while its orders have not all been cancelled. Exits of what a bracket or cover has
    entered stay, unless `close=true` has it closed at the market. 409 where there is nothing to cancel."""
    one, query = composite_of(seen, composite_id), wire.query(request, c.Cancelling)
    command = CancelComposite(composite_id=one.id, close=query.close, provenance=seen.provenance(time.time_ns()))
    await parts.runner.submit(command)
    after = c.whole(parts.runner.state, _found(parts, one.id))
    return wire.Json(after, 202 if CompositeState(after.state).is_live else 200)


_LINKS = (Link("get_composite", "composite_id"), Link("cancel_composite", "composite_id"))
ENDPOINTS = (
    Endpoint(method="POST", path=_PATH, handler=place_composite, needs=Permission.TRADE,
             summary="Place a composite order", tag="trading", body=c.NewComposite,
             answers={201: c.WholeComposite, 200: c.WholeComposite}, errors=(409,), links=_LINKS, journalled=True),
    Endpoint(method="GET", path=_PATH, handler=list_composites, needs=Permission.READ, summary="Composite orders",
             tag="trading", query=c.CompositesQuery, answers={200: s.Page[c.CompositeOut]}, errors=(404,)),
    Endpoint(method="GET", path=f"{_PATH}/{{composite_id}}", handler=get_composite, needs=Permission.READ,
             summary="A composite order", tag="trading", answers={200: c.WholeComposite}),
    Endpoint(method="PATCH", path=f"{_PATH}/{{composite_id}}", handler=change_composite, needs=Permission.TRADE,
             summary="Change a composite order", tag="trading", body=c.CompositeChange,
             answers={200: c.WholeComposite}, errors=(409,), journalled=True),
    Endpoint(method="DELETE", path=f"{_PATH}/{{composite_id}}", handler=cancel_composite, needs=Permission.REDUCE,
             summary="Cancel a composite order", tag="trading", query=c.Cancelling,
             answers={200: c.WholeComposite, 202: c.WholeComposite}, errors=(409,), journalled=True),
)  # fmt: skip
