"""Order templates: orders saved under a name, sized and priced when they are used."""

import time

from fastapi import Depends, Request, Response
from msgspec.structs import replace

from evenkeel.desk.permissions import Permission
from evenkeel.domain.commands import SubmitComposite, SubmitOrder
from evenkeel.domain.composites import Bracket
from evenkeel.domain.errors import IdempotencyConflict, NotFound
from evenkeel.domain.ids import Random
from evenkeel.domain.order_templates import OrderTemplate, SavedTemplate, template_faults
from evenkeel.domain.orders import OrderSpec, Side
from evenkeel.server import order_templates as o
from evenkeel.server import requests, views, wire
from evenkeel.server import schemas as s
from evenkeel.server.api.accounts import unknown_account
from evenkeel.server.api.trading import ORDERS, find_book, find_instrument, submitted
from evenkeel.server.contract import PREFIX, Endpoint, Link
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant, parts_of, tenant
from evenkeel.trading.engine.composites.standing import Composite
from evenkeel.trading.engine.state import State

_PATH = f"{PREFIX}/trading/order-templates"
_ONE = f"{_PATH}/{{order_template}}"


async def list_order_templates(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """The templates you have saved, by name."""
    wire.query(request, requests.NoQuery)
    return wire.Json(s.Page([o.shown(one) for one in await parts.order_templates.all(seen.user.id)]))


async def get_order_template(
    order_template: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """One template."""
    return wire.Json(o.shown(await _found(seen, parts, name=order_template)))


async def _found(seen: Tenant, parts: AppParts, *, name: str) -> SavedTemplate:
    """Raises NotFound."""
    found = await parts.order_templates.find(seen.user.id, name)
    if found is None:
        raise NotFound(f"there is no order template {name!r}", hint=f"GET {_PATH} lists them.")
    return found


async def save_order_template(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Saves a template under a name: a new one, 201, or in the place of what the name stood for, 200."""
    given, fields, now = await wire.body(request, o.NewOrderTemplate), wire.Fields(), time.time_ns()
    template = o.read(given, fields)
    fields.faults += template_faults(template) if not fields.faults else []
    find_book(seen, template.book, fields)
    if template.symbol is not None:
        find_instrument(seen.state, template.symbol, template.venue, fields=fields)
    fields.check("the template is not valid")
    saved = await parts.order_templates.save(seen.user.id, given.name, template, at=now)
    headers = {"location": f"{_PATH}/{saved.name}"}
    return wire.Json(o.shown(saved), 201 if saved.created_at == now else 200, headers)


async def remove_order_template(
    order_template: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Forgets a template; orders made from it stay as they are."""
    if not await parts.order_templates.remove(seen.user.id, order_template):
        await _found(seen, parts, name=order_template)
    return Response(status_code=204)


async def order_from_template(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Places what a template comes to now, as an order, or as a bracket where it has a stop or a target. 201 means that
    it is committed with its verdict. Sent again with the same client_order_id it answers 200 with what was placed."""
    received, given, fields = time.time_ns(), await wire.body(request, o.TemplatedOrder), wire.Fields()
    template = await _meant(seen, parts, given=given, fields=fields)
    if not seen.owns(given.account_id):
        fields.faults.append(unknown_account(seen, "account_id", given.account_id))
    instrument_id = find_instrument(seen.state, template.symbol or "", template.venue, fields=fields)
    find_book(seen, template.book, fields)
    name = given.client_order_id or wire.idempotency_key(request, fields, most=60)
    fields.check("the order is not valid")
    assert template.side is not None
    state, account = seen.state, seen.state.accounts[given.account_id]
    sized = await o.sized(
        parts, template, account=account, instrument=state.instruments[instrument_id], side=template.side
    )
    if given.dry_run:
        return wire.Json(_answer(state, template, name=given.template, sized=sized, spec=None))
    name = name or Random().public(received, 0, "client")
    spec = _spec(
        template, template.side, sized=sized, account_id=given.account_id, instrument_id=instrument_id, name=name
    )
    created = await _placed(seen, parts, template=template, spec=spec, sized=sized, received=received)
    answer = _answer(parts.runner.state, template, name=given.template, sized=sized, spec=spec)
    return wire.Json(answer, 201 if created else 200)


async def _meant(seen: Tenant, parts: AppParts, *, given: o.TemplatedOrder, fields: wire.Fields) -> OrderTemplate:
    """The template with what the request adds to it; what is said twice, or not at all, is a fault."""
    saved = await parts.order_templates.find(seen.user.id, given.template)
    if saved is None:
        fields.fault("template", f"there is no order template {given.template!r}; GET {_PATH} lists them")
        fields.check("the order is not valid")
    assert saved is not None
    template = saved.template
    for name in ("symbol", "side"):
        ours, theirs = getattr(template, name), getattr(given, name)
        if ours is None and theirs is None:
            fields.fault(name, "is left open by the template: give it")
    if given.symbol is not None:
        template = replace(template, symbol=given.symbol, venue=given.venue)
    elif given.venue is not None:
        template = replace(template, venue=given.venue)
    return replace(template, side=given.side or template.side)


def _spec(
    template: OrderTemplate, side: Side, *, sized: o.Sized, account_id: str, instrument_id: str, name: str
) -> OrderSpec:
    return OrderSpec(
        account_id=account_id,
        book=template.book,
        instrument_id=instrument_id,
        side=side,
        quantity=sized.quantity,
        kind=template.kind,
        client_order_id=name,
        limit_price=sized.prices.limit,
        stop_price=sized.prices.stop,
        time_in_force=template.time_in_force,
        product=template.product,
    )


async def _placed(
    seen: Tenant, parts: AppParts, *, template: OrderTemplate, spec: OrderSpec, sized: o.Sized, received: int
) -> bool:
    """Whether it is new. What it comes to moves with the market: the same id again is the same order all the same."""
    if _known(seen.state, spec):
        return False
    provenance, prices = seen.provenance(received), sized.prices
    try:
        if not template.has_exits:
            return (await submitted(parts, SubmitOrder(spec=spec, provenance=provenance))).created
        terms = Bracket(spec, prices.stop_loss, prices.take_profit)
        command = SubmitComposite(client_order_id=spec.client_order_id, terms=terms, provenance=provenance)
        return (await parts.runner.submit(command)).created
    except IdempotencyConflict:
        if not _known(parts.runner.state, spec):
            raise
        return False


def _known(state: State, spec: OrderSpec) -> bool:
    """Whether the id names an order, or a bracket, of the same instrument and side."""
    name = spec.account_id, spec.client_order_id
    order, composite = state.orders.get(state.client_ids.get(name, "")), _bracket(state, spec)
    before = order.spec if order is not None else composite.lead if composite is not None else None
    return before is not None and (before.instrument_id, before.side) == (spec.instrument_id, spec.side)


def _bracket(state: State, spec: OrderSpec) -> Composite | None:
    return state.composites.find(state.composites.names.get((spec.account_id, spec.client_order_id), ""))


def _answer(
    state: State, template: OrderTemplate, *, name: str, sized: o.Sized, spec: OrderSpec | None
) -> o.TemplatedOut:
    """What it comes to now, or, where it has been placed, what it came to then."""
    order = composite = None
    prices, quantity = sized.prices, sized.quantity
    if spec is not None:
        order = state.orders.get(state.client_ids.get((spec.account_id, spec.client_order_id), ""))
        composite = _bracket(state, spec)
    if composite is not None and isinstance(composite.asked, Bracket):
        spec, terms = composite.asked.entry, composite.asked
        prices = replace(prices, stop_loss=terms.stop_loss, take_profit=terms.take_profit)
    elif order is not None:
        spec = order.spec
    if spec is not None:
        prices = replace(prices, limit=spec.limit_price, stop=spec.stop_price)
        quantity = spec.quantity
    assert template.side is not None
    made = composite if composite is not None else order
    return o.TemplatedOut(
        template=name,
        symbol=(template.symbol or "").upper(),
        side=template.side,
        kind=template.kind,
        quantity=views.text(quantity),
        last_price=views.text(sized.last),
        limit_price=views.maybe(prices.limit),
        stop_price=views.maybe(prices.stop),
        stop_loss=views.maybe(prices.stop_loss),
        take_profit=views.maybe(prices.take_profit),
        order=None if order is None else views.order(state, order),
        composite_id=None if composite is None else composite.id,
        state=None if made is None else made.state,
        rule=None if made is None else made.rule,
        reason=None if made is None else made.reason,
    )


_LINKS = tuple(Link(name, "order_template", "name") for name in ("get_order_template", "remove_order_template"))
ENDPOINTS = (
    Endpoint(method="GET", path=_PATH, handler=list_order_templates, needs=Permission.READ, summary="Order templates",
             tag="trading", query=requests.NoQuery, answers={200: s.Page[o.OrderTemplateOut]}),
    Endpoint(method="POST", path=_PATH, handler=save_order_template, needs=Permission.TRADE,
             summary="Save an order template", tag="trading", body=o.NewOrderTemplate,
             answers={200: o.OrderTemplateOut, 201: o.OrderTemplateOut}, errors=(409,), links=_LINKS),
    Endpoint(method="GET", path=_ONE, handler=get_order_template, needs=Permission.READ, summary="An order template",
             tag="trading", answers={200: o.OrderTemplateOut}),
    Endpoint(method="DELETE", path=_ONE, handler=remove_order_template, needs=Permission.TRADE,
             summary="Forget an order template", tag="trading", answers={204: None}),
    Endpoint(method="POST", path=f"{ORDERS}/from-template", handler=order_from_template, needs=Permission.TRADE,
             summary="Place an order from a template", tag="trading", body=o.TemplatedOrder,
             answers={200: o.TemplatedOut, 201: o.TemplatedOut}, errors=(409,), journalled=True),
)  # fmt: skip
