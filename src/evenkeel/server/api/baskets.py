"""Many orders in one request: placed as a basket, cancelled by filter, changed one by one or all that fit."""

import time
from collections.abc import Mapping
from decimal import Decimal

from fastapi import Depends, Request, Response

from evenkeel.desk.accounts import AccountDirectory
from evenkeel.desk.permissions import Permission
from evenkeel.domain.commands import CancelOrders, EditOrders, SubmitBasket
from evenkeel.domain.errors import FieldError, InvalidInput, NotFound
from evenkeel.domain.money import mul
from evenkeel.domain.orders import OrderSpec, OrderState
from evenkeel.domain.selections import Edit, Selection
from evenkeel.server import many, views, wire
from evenkeel.server import schemas as s
from evenkeel.server.account_scope import ids_of
from evenkeel.server.api.accounts import unknown_account
from evenkeel.server.api.trading import ORDERS, find_book, find_instrument, order_spec
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.order_terms import completed, read_moment, read_trail
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant, parts_of, tenant
from evenkeel.trading.engine.effects import Part
from evenkeel.trading.engine.state import State

BASKETS = f"{PREFIX}/trading/baskets"
_PERCENT = Decimal("0.01")
_CAME_TO_NOTHING = (OrderState.REFUSED, OrderState.REJECTED, OrderState.EXPIRED_UNSENT)
_FILTERS = tuple(name for name in many.OrdersFilter.__struct_fields__ if name != "all")
MOST_ATTEMPTS = 10


async def submit_basket(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Places up to 200 orders, committed in one batch, and answers with the verdict on each. What is not complete
    declines the basket as a whole, with every fault: nothing is placed. Sent again with the same ids it places nothing
    new and answers 200. An `Idempotency-Key` header stands in for a missing client_basket_id. 429 as for an order."""
    received = time.time_ns()
    given = await wire.body(request, many.NewBasket, most=wire.MAX_MANY)
    specs = await _specs(request, seen, parts=parts, given=given, received=received)
    parts.metrics.observe_stage("received", (time.time_ns() - received) / 1e9)
    command = SubmitBasket(orders=specs, together=given.mode == "all", provenance=seen.provenance(received))
    outcome = await parts.runner.submit(command)
    state = parts.runner.state
    orders = [many.verdict(state, part) for part in outcome.parts]
    refused = sum(1 for one in orders if one.state is OrderState.REFUSED)
    answer = many.BasketOut(outcome.id if outcome.created else None, given.mode, len(orders) - refused, refused, orders)
    return wire.Json(answer, 201 if outcome.created else 200)


async def _specs(
    request: Request, seen: Tenant, *, parts: AppParts, given: many.NewBasket, received: int
) -> tuple[OrderSpec, ...]:
    """The orders of a basket. Raises InvalidInput with the faults of all of them."""
    whole, known = wire.Fields(), dict[tuple[str, str | None], str]()
    if given.retry and given.mode == "all":
        whole.fault("retry", "goes with mode each: orders placed together come to nothing together")
    basket, owned, specs = given.client_basket_id, seen.account_ids(), list[OrderSpec]()
    if basket is None:
        basket = wire.idempotency_key(request, whole, most=56)
    for place, order in enumerate(given.orders):
        fields = wire.Fields()
        if order.client_order_id is None and basket is not None:
            order.client_order_id = f"{basket}:{place}"
        if given.retry and order.client_order_id is not None:
            order.client_order_id = _attempt(seen.state, order.account_id, order.client_order_id)
        if order.account_id not in owned:
            fault = unknown_account(seen, "account_id", order.account_id)
            fields.fault(fault.field, fault.message)
        spec = order_spec(request, seen, order, order.account_id, fields=fields, received=received, known=known)
        known.setdefault((order.symbol, order.venue), spec.instrument_id)
        spec = await completed(parts, spec, fields, after_market=order.after_market)
        specs.append(spec)
        for fault in fields.faults:
            whole.fault(f"orders.{place}.{fault.field}", fault.message)
    whole.check("the basket is not valid")
    return tuple(specs)


def _attempt(state: State, account_id: str, name: str) -> str:
    """The name of an order's last attempt, or of the next one where nothing came of the last, and nothing ever will."""
    names = [name, *(f"{name}:r{number}" for number in range(1, MOST_ATTEMPTS))]
    for tried in names:
        known = state.client_ids.get((account_id, tried))
        if known is None or state.orders[known].state not in _CAME_TO_NOTHING or state.orders[known].filled:
            return tried
    return names[-1]


def selection(
    seen: Tenant,
    directory: AccountDirectory,
    given: many.OrdersFilter | many.NewFlattening,
    *,
    fields: wire.Fields,
    at: str = "",
) -> Selection:
    """The user's orders, or positions, that a filter names. What names nothing is a fault, unless it says `all`."""
    found, named = wire.Fields(), given.account_id
    if given.all is any(getattr(given, name, None) is not None for name in _FILTERS):
        said = "goes alone" if given.all else "name what is meant, or say `all: true` for all there is of yours"
        found.fault("all", said)
    if named is not None and not seen.owns(named):
        found.faults.append(unknown_account(seen, "account_id", named))
    instrument_id = None
    if given.symbol is not None:
        instrument_id = find_instrument(seen.state, given.symbol, given.venue, fields=found)
    elif given.venue is not None:
        found.fault("venue", "goes with a symbol")
    book = None if given.book is None else find_book(seen, given.book, found)
    meant: tuple[str, ...] = ()
    try:
        meant = ids_of(seen, directory, account_id=None if found.faults else named, group=given.group)
    except NotFound as error:
        found.fault("group", error.message)
    for fault in found.faults:
        fields.fault(at + fault.field, fault.message)
    return Selection(
        account_ids=meant,
        book=book,
        instrument_id=instrument_id,
        side=given.side,
        kind=given.kind if isinstance(given, many.OrdersFilter) else None,
        product=given.product,
    )


async def cancel_orders(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Asks for every working order that fits to be cancelled, and has composite orders place no more of them; the
    answer names each. Every order of yours only with `all`."""
    received, fields = time.time_ns(), wire.Fields()
    given = await wire.body(request, many.OrdersFilter)
    chosen = selection(seen, parts.directory, given, fields=fields)
    fields.check("the filter is not valid")
    outcome = await parts.runner.submit(CancelOrders(selection=chosen, provenance=seen.provenance(received)))
    return wire.Json(many.many(parts.runner.state, outcome.parts, stopped=outcome.stopped))


async def change_orders(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Changes working orders, each as its own entry says, or all that a filter fits in the same way. Each is judged by
    risk as it would then stand, and answered for itself: what is wrong with one keeps nothing from the others."""
    received, fields = time.time_ns(), wire.Fields()
    given = await wire.body(request, many.OrdersChange, most=wire.MAX_MANY)
    edits = {one.order_id: _edit(one, fields, at=f"orders.{place}.") for place, one in enumerate(given.orders)}
    if len(edits) < len(given.orders):
        fields.fault("orders", "each order is named once")
    chosen = (
        None if given.select is None else selection(seen, parts.directory, given.select, fields=fields, at="select.")
    )
    edit = None if given.change is None else _edit(given.change, fields, at="change.")
    fields.check("the changes are not valid")
    unknown = [order_id for order_id in edits if not _is_theirs(seen, order_id)]
    command = EditOrders(
        edits=tuple((order_id, one) for order_id, one in edits.items() if order_id not in unknown),
        selection=chosen,
        edit=edit,
        provenance=seen.provenance(received),
    )
    found = tuple(Part(order_id, error=NotFound(f"there is no order {order_id!r}")) for order_id in unknown)
    if command.edits or chosen is not None or not unknown:
        found = (*(await parts.runner.submit(command)).parts, *found)
    return wire.Json(many.many(parts.runner.state, found))


def _is_theirs(seen: Tenant, order_id: str) -> bool:
    order = seen.state.orders.get(order_id)
    return order is not None and seen.owns(order.spec.account_id)


def _edit(given: many.Change, fields: wire.Fields, *, at: str = "") -> Edit:
    percent = fields.number(f"{at}percent", given.percent, "signed")
    ends = None if given.expires_at is None else read_moment(f"{at}expires_at", given.expires_at, fields=fields)
    return Edit(
        quantity=fields.number(f"{at}quantity", given.quantity),
        factor=fields.number(f"{at}factor", given.factor),
        limit_price=fields.number(f"{at}limit_price", given.limit_price),
        stop_price=fields.number(f"{at}stop_price", given.stop_price),
        ticks=given.ticks,
        percent=None if percent is None else mul(percent, _PERCENT),
        at_market=given.at_market,
        trigger_price=fields.number(f"{at}trigger_price", given.trigger_price),
        trail=read_trail(
            fields,
            amount=fields.number(f"{at}trail_amount", given.trail_amount),
            percent=fields.number(f"{at}trail_percent", given.trail_percent),
            offset=fields.number(f"{at}trail_limit_offset", given.trail_limit_offset, "not-negative"),
        ),
        expires_at=ends,
    )


async def change_order(
    order_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Asks the broker to change a working order, once risk has judged it as it would then stand. 202: the answer shows
    it as it stands, and it changes when the broker says so. 409 where it works no more, or risk refuses the change."""
    received, fields = time.time_ns(), wire.Fields()
    given = await wire.body(request, many.Change)
    order, edit = seen.order(order_id), _edit(given, fields)
    fields.check("the change is not valid")
    command = EditOrders(edits=((order.id, edit),), provenance=seen.provenance(received))
    try:
        (part,) = (await parts.runner.submit(command)).parts
    except InvalidInput as error:
        mended = tuple(FieldError(one.field.removeprefix("orders.0").lstrip("."), one.message) for one in error.errors)
        raise InvalidInput("the change is not valid", errors=mended) from error
    if part.error is not None:
        raise part.error
    return wire.Json(views.order(parts.runner.state, parts.runner.state.order(order.id)), 202)


_ANSWERS: Mapping[int, type] = {200: many.ManyOut}
ENDPOINTS = (
    Endpoint(method="POST", path=BASKETS, handler=submit_basket, needs=Permission.TRADE,
             summary="Place a basket of orders", tag="trading", body=many.NewBasket,
             answers={201: many.BasketOut, 200: many.BasketOut}, errors=(409, 429), journalled=True),
    Endpoint(method="POST", path=f"{ORDERS}/cancel", handler=cancel_orders, needs=Permission.REDUCE,
             summary="Cancel all that fits", tag="trading", body=many.OrdersFilter, answers=_ANSWERS, journalled=True),
    Endpoint(method="PATCH", path=ORDERS, handler=change_orders, needs=Permission.TRADE, summary="Change many orders",
             tag="trading", body=many.OrdersChange, answers=_ANSWERS, journalled=True),
    Endpoint(method="PATCH", path=f"{ORDERS}/{{order_id}}", handler=change_order, needs=Permission.TRADE,
             summary="Change an order", tag="trading", body=many.Change, answers={202: s.OrderOut}, errors=(409,),
             journalled=True),
)  # fmt: skip
