"""Positions moved in one request: closed, reversed, brought to a target, flattened. Nothing is halted by it."""

import time
from decimal import Decimal

from fastapi import Depends, Request, Response

from evenkeel.desk.permissions import Permission
from evenkeel.domain.commands import AnyCommand, ClosePosition, Flatten, ReversePosition, TargetPosition
from evenkeel.domain.ids import Random
from evenkeel.domain.money import plain
from evenkeel.domain.selections import Selection
from evenkeel.server import many, pnl, views, wire
from evenkeel.server import schemas as s
from evenkeel.server.api.accounts import unknown_account
from evenkeel.server.api.baskets import selection
from evenkeel.server.api.trading import find_book, find_instrument
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant, parts_of, tenant
from evenkeel.trading.engine.effects import Outcome
from evenkeel.trading.engine.state import State

_PATH = f"{PREFIX}/trading/positions"
_One = many.NewClosing | many.NewReversal | many.NewTarget


async def close_position(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Closes what an account holds of a symbol, all or a part. 201 with the orders; 202 where cancels have to be
    confirmed first, and the rest follows by itself; 200 where there is nothing left to do. Sent again with the same
    client_order_id, it answers with the orders it has placed."""
    received, fields = time.time_ns(), wire.Fields()
    given = await wire.body(request, many.NewClosing)
    instrument_id, name = _named(request, seen, given=given, fields=fields, received=received)
    quantity, share = fields.number("quantity", given.quantity), fields.number("share", given.share, "share")
    fields.check()
    command = ClosePosition(
        account_id=given.account_id,
        instrument_id=instrument_id,
        client_order_id=name,
        book=given.book,
        product=given.product,
        quantity=quantity,
        share=share,
        cancel=given.cancel,
        provenance=seen.provenance(received),
    )
    return await _moved(parts, command, name=name, where=_here(given, instrument_id))


async def reverse_position(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Turns a long position into a short of the same size, or a short into a long, by two orders. What works there is
    cancelled first. Answers as closing does; 409 where nothing is held, or in several books and none is named."""
    received, fields = time.time_ns(), wire.Fields()
    given = await wire.body(request, many.NewReversal)
    instrument_id, name = _named(request, seen, given=given, fields=fields, received=received)
    fields.check()
    command = ReversePosition(
        account_id=given.account_id,
        instrument_id=instrument_id,
        client_order_id=name,
        book=given.book,
        product=given.product,
        provenance=seen.provenance(received),
    )
    return await _moved(parts, command, name=name, where=_here(given, instrument_id))


async def target_position(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Brings a position to a signed quantity, counting what works and what composite orders have yet to place; what
    goes the wrong way is cancelled. 200 without an order where it is there, or on its way, already."""
    received, fields = time.time_ns(), wire.Fields()
    given = await wire.body(request, many.NewTarget)
    instrument_id, name = _named(request, seen, given=given, fields=fields, received=received)
    quantity = fields.required("quantity", given.quantity, "signed")
    limit_price = fields.number("limit_price", given.limit_price)
    fields.check()
    command = TargetPosition(
        account_id=given.account_id,
        instrument_id=instrument_id,
        client_order_id=name,
        quantity=Decimal(plain(quantity)),
        book=given.book,
        product=given.product,
        limit_price=limit_price,
        provenance=seen.provenance(received),
    )
    return await _moved(parts, command, name=name, where=_here(given, instrument_id))


async def flatten_positions(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Closes every position that fits, each book by an order of its own, and lets trading go on: unlike a panic it
    halts nothing. What works there is cancelled first, unless that is turned off. Answers as closing does."""
    received, fields = time.time_ns(), wire.Fields()
    given = await wire.body(request, many.NewFlattening)
    chosen = selection(seen, parts.directory, given, fields=fields)
    fields.check("the filter is not valid")
    command = Flatten(selection=chosen, cancel=given.cancel, provenance=seen.provenance(received))
    return await _moved(parts, command, name=None, where=chosen)


def _named(request: Request, seen: Tenant, *, given: _One, fields: wire.Fields, received: int) -> tuple[str, str]:
    """The instrument, and the id by which the request is known again."""
    if not seen.owns(given.account_id):
        fields.faults.append(unknown_account(seen, "account_id", given.account_id))
    if given.book is not None:
        find_book(seen, given.book, fields)
    instrument_id = find_instrument(seen.state, given.symbol, given.venue, fields=fields)
    name = given.client_order_id or wire.idempotency_key(request, fields, most=60)
    return instrument_id, name or Random().public(received, 0, "client")


def _here(given: _One, instrument_id: str) -> Selection:
    return Selection((given.account_id,), given.book, instrument_id, None, None, given.product)


async def _moved(parts: AppParts, command: AnyCommand, *, name: str | None, where: Selection) -> Response:
    outcome = await parts.runner.submit(command)
    answer = _answer(parts.runner.state, outcome, name=name, where=where)
    return wire.Json(answer, 201 if outcome.created else 202 if answer.waiting else 200)


def _answer(state: State, outcome: Outcome, *, name: str | None, where: Selection) -> many.MovedOut:
    """What was placed, now or by the same request before, and what is being cancelled and stopped."""
    orders, cancelling = list[s.OrderOut](), list[str]()
    for part in outcome.parts:
        order = state.orders[part.order_id]
        client = order.spec.client_order_id
        if part.created or (name is not None and (client == name or client.startswith(f"{name}:"))):
            orders.append(views.order(state, order))
        else:
            cancelling.append(order.id)
    waiting = [one for one in state.follow_ups.values() if one.key.account_id in where.account_ids]
    follow = sum(1 for one in waiting if where.holds(one.key))
    return many.MovedOut(orders, cancelling, follow, list(outcome.stopped))


async def profit_and_loss(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """What has been made, by instrument, strategy, account, group of accounts or user, at average cost or first in,
    first out. The rows add up to what the accounts have made, equity less what was paid in; by group, those do where no
    account is in several."""
    query = wire.query(request, pnl.PnlQuery)
    fifo = None
    if query.cost == "fifo":
        fifo = request.app.state.fifo
        assert isinstance(fifo, pnl.Fifo)
        await fifo.follow(seen.state)
    return wire.Json(pnl.report(seen, parts.directory, query, fifo=fifo))


_ANSWERS = {200: many.MovedOut, 201: many.MovedOut, 202: many.MovedOut}
ENDPOINTS = (
    Endpoint(method="POST", path=f"{_PATH}/close", handler=close_position, needs=Permission.REDUCE,
             summary="Close a position", tag="trading", body=many.NewClosing, answers=_ANSWERS, errors=(409,),
             journalled=True),
    Endpoint(method="POST", path=f"{_PATH}/reverse", handler=reverse_position, needs=Permission.TRADE,
             summary="Reverse a position", tag="trading", body=many.NewReversal, answers=_ANSWERS, errors=(409,),
             journalled=True),
    Endpoint(method="POST", path=f"{_PATH}/target", handler=target_position, needs=Permission.TRADE,
             summary="Bring a position to a target", tag="trading", body=many.NewTarget, answers=_ANSWERS,
             errors=(409,), journalled=True),
    Endpoint(method="POST", path=f"{_PATH}/flatten", handler=flatten_positions, needs=Permission.REDUCE,
             summary="Flatten positions", tag="trading", body=many.NewFlattening, answers=_ANSWERS, journalled=True),
    Endpoint(method="GET", path=f"{PREFIX}/trading/pnl", handler=profit_and_loss, needs=Permission.READ, cost=1,
             summary="Profit and loss", tag="trading", query=pnl.PnlQuery, answers={200: pnl.PnlReport},
             errors=(404,)),
)  # fmt: skip
