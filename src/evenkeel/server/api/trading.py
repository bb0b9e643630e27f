"""Orders, fills and positions. An order is answered once it is committed, a refused one too."""

import time
from collections.abc import Mapping
from decimal import Decimal

from fastapi import Depends, Request, Response

from evenkeel.desk.permissions import Permission
from evenkeel.domain.accounts import MANUAL, UNASSIGNED
from evenkeel.domain.commands import CancelOrder, ResolveOrder, RouteOrder, SubmitOrder
from evenkeel.domain.errors import EvenkeelError, FieldError, InvalidInput, MoneyError, QueueFull
from evenkeel.domain.ids import Random
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.orders import OrderKind, OrderSpec, OrderState
from evenkeel.domain.positions import Position
from evenkeel.server import requests, views, wire
from evenkeel.server import schemas as s
from evenkeel.server.account_scope import ids_of
from evenkeel.server.api.accounts import unknown_account
from evenkeel.server.bars import moment_of
from evenkeel.server.contract import PREFIX, Endpoint, Link
from evenkeel.server.listing import Listing, page
from evenkeel.server.order_filters import Wanted
from evenkeel.server.order_history import OrderEventOut, event_out
from evenkeel.server.order_terms import completed, later_terms
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant, parts_of, tenant
from evenkeel.trading.engine.effects import Outcome
from evenkeel.trading.engine.orders import wait_for_room
from evenkeel.trading.engine.state import State

_PATH = f"{PREFIX}/trading"
ORDERS = f"{_PATH}/orders"
_PRICES = {
    "limit_price": frozenset({OrderKind.LIMIT, OrderKind.STOP_LIMIT}),
    "stop_price": frozenset({OrderKind.STOP, OrderKind.STOP_LIMIT}),
}


async def place_order(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Places an order. 201 means that it is committed, with its verdict: a refusal has state REFUSED and says why.
    The same client_order_id with the same body answers 200 with the order it made; with another body, 409.
    An `Idempotency-Key` header stands in for a missing client_order_id. 429 where more orders wait for the account's
    broker than can be sent in time: nothing is recorded, and `Retry-After` says when there may be room."""
    received = time.time_ns()
    given = await wire.body(request, requests.NewOrder)
    fields = wire.Fields()
    if not seen.owns(given.account_id):
        fault = unknown_account(seen, "account_id", given.account_id)
        fields.fault(fault.field, fault.message)
    spec = order_spec(request, seen, given, given.account_id, fields=fields, received=received)
    spec = await completed(parts, spec, fields, after_market=given.after_market)
    fields.check("the order is not valid")
    wait = wait_for_room(seen.state, spec)
    if wait:
        rate = seen.state.rate_of(seen.state.accounts[spec.account_id])
        most = 0 if rate is None else rate.most_waiting
        raise QueueFull(f"{most} orders wait for the broker already: no more can be sent in time", retry_after=wait)
    parts.metrics.observe_stage("received", (time.time_ns() - received) / 1e9)
    outcome = await submitted(parts, SubmitOrder(spec=spec, provenance=seen.provenance(received)))
    order = views.order(parts.runner.state, parts.runner.state.order(outcome.id))
    headers = {"location": f"{_PATH}/orders/{order.id}"}
    return wire.Json(order, 201 if outcome.created else 200, headers)


async def submitted(parts: AppParts, command: SubmitOrder | RouteOrder) -> Outcome:
    """Submits an order; one that was declined is counted. Raises what the engine declined it by."""
    try:
        return await parts.runner.submit(command)
    except EvenkeelError as error:
        parts.metrics.orders_placed += 1
        parts.metrics.order_errors += 1
        if isinstance(error, MoneyError):
            fault = FieldError("quantity", f"too large to be booked at this price: {error.message}")
            raise InvalidInput("the order is not valid", errors=(fault,)) from error
        raise


def order_spec(
    request: Request,
    seen: Tenant,
    given: requests.OrderTerms,
    account_id: str,
    *,
    fields: wire.Fields,
    received: int,
    known: Mapping[tuple[str, str | None], str] | None = None,
) -> OrderSpec:
    """The order that a body asks for in an account; what is wrong with it is gathered in `fields`.

    `known` are instruments that have been found before, by symbol and venue.
    """
    found = known.get((given.symbol, given.venue)) if known is not None else None
    quantity = fields.required("quantity", given.quantity)
    return OrderSpec(
        account_id=account_id,
        book=find_book(seen, given.book, fields),
        instrument_id=found or find_instrument(seen.state, given.symbol, given.venue, fields=fields),
        side=given.side,
        quantity=quantity,
        kind=given.kind,
        client_order_id=_client_order_id(request, given, fields, received),
        limit_price=_price("limit_price", given, fields),
        stop_price=_price("stop_price", given, fields),
        time_in_force=given.time_in_force,
        product=given.product,
        reduce_only=given.reduce_only,
        **later_terms(given, fields),
    )


def _price(name: str, given: requests.OrderTerms, fields: wire.Fields) -> Decimal | None:
    before = len(fields.faults)
    price = fields.number(name, getattr(given, name))
    if len(fields.faults) == before:
        if given.kind in _PRICES[name] and price is None:
            fields.fault(name, f"a {given.kind} order needs one")
        elif given.kind not in _PRICES[name] and price is not None:
            fields.fault(name, f"a {given.kind} order has none")
    return price


def find_book(seen: Tenant, book: str, fields: wire.Fields) -> str:
    """The book itself; one that is not the user's is a fault."""
    if book not in (MANUAL, UNASSIGNED) and not _sees_book(seen, book):
        fields.fault("book", f"must be {MANUAL}, {UNASSIGNED}, or the id of one of your strategies or portfolios")
    return book


def _sees_book(seen: Tenant, book: str) -> bool:
    held, portfolio = seen.state.deployments.get(book), seen.state.portfolios.get(book)
    if held is not None:
        return seen.sees(held)
    return portfolio is not None and seen.sees_portfolio(portfolio)


def _client_order_id(request: Request, given: requests.OrderTerms, fields: wire.Fields, received: int) -> str:
    if given.client_order_id is not None:
        return given.client_order_id
    return wire.idempotency_key(request, fields) or Random().public(received, 0, "client")


def find_instrument(state: State, symbol: str, venue: str | None, *, fields: wire.Fields, field: str = "symbol") -> str:
    """The id of the instrument of that symbol; where there is none, or more than one, a fault and ''."""
    found = listed(state, symbol, venue)
    if len(found) == 1:
        return found[0].id
    if found:
        fields.fault(field, f"{symbol!r} is listed at {', '.join(one.venue for one in found)}: say which as `venue`")
    else:
        fields.fault(field, _unlisted(symbol, venue))
    return ""


def listed(state: State, symbol: str | None, venue: str | None) -> list[Instrument]:
    """The instruments of a symbol in any case, of a venue, or of both."""
    wanted = None if symbol is None else symbol.upper()
    return [
        one
        for one in state.instruments.values()
        if (wanted is None or one.symbol.upper() == wanted) and venue in (None, one.venue)
    ]


def _unlisted(symbol: str | None, venue: str | None) -> str:
    what = "instrument" if symbol is None else f"instrument {symbol!r}"
    at = f" at {venue!r}" if venue is not None else ""
    return f"there is no {what}{at}; GET /api/v2/market/symbols lists them"


async def list_orders(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Orders, newest first. `status` is a state, or open, or closed."""
    query = wire.query(request, requests.OrdersQuery)
    wanted = _wanted(seen, parts, query)

    def take(order_id: str) -> s.OrderOut | None:
        order = seen.state.orders[order_id]
        return views.order(seen.state, order) if wanted.has_order(order) else None

    listing = _listing(request)
    return wire.Json(page(listing.orders, take, limit=query.limit, cursor=query.cursor))


def _wanted(seen: Tenant, parts: AppParts, query: requests.TradedQuery) -> Wanted:
    """Raises NotFound for an account or a group that is not there, InvalidInput for what else names nothing."""
    accounts = ids_of(seen, parts.directory, account_id=query.account_id, group=query.group)
    fields = wire.Fields()
    found = Wanted(
        accounts=frozenset(accounts),
        status=query.status,
        books=_books(seen, query, fields),
        instruments=_instruments(seen.state, query, fields),
        side=query.side,
        kind=query.kind,
        product=query.product,
        start=moment_of("start", query.start, fields),
        end=moment_of("end", query.end, fields),
    )
    fields.check("the query is not valid")
    return found


def _books(seen: Tenant, query: requests.TradedQuery, fields: wire.Fields) -> frozenset[str] | None:
    named = None if query.book is None else frozenset((find_book(seen, query.book, fields),))
    if query.strategy is None:
        return named
    held = [one for one in seen.state.deployments.values() if seen.sees(one)]
    meant = {one.deployment.id for one in held if query.strategy in (one.deployment.id, one.deployment.name)}
    if not meant:
        fields.fault("strategy", f"there is no strategy {query.strategy!r}; GET /api/v2/strategies lists them")
    return frozenset(meant) if named is None else named & meant


def _instruments(state: State, query: requests.TradedQuery, fields: wire.Fields) -> frozenset[str] | None:
    if query.symbol is None and query.venue is None:
        return None
    found = frozenset(one.id for one in listed(state, query.symbol, query.venue))
    if not found:
        name = "venue" if query.symbol is None else "symbol"
        fields.fault(name, _unlisted(query.symbol, query.venue))
    return found


def _listing(request: Request) -> Listing:
    listing = request.app.state.listing
    assert isinstance(listing, Listing)
    return listing


async def get_order(order_id: str, seen: Tenant = Depends(tenant)) -> Response:
    """One order as it stands."""
    return wire.Json(views.order(seen.state, seen.order(order_id)))


async def list_order_history(
    order_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """What has happened to an order, oldest first: its verdict with every check and what that saw, each state it went
    through, changes, fills."""
    query = wire.query(request, requests.PageQuery)
    order = seen.order(order_id)
    rows, cursor = await parts.history.order_lines(order.id, limit=query.limit, cursor=query.cursor)
    names = await _names(seen, parts, {row.actor for row in rows if row.actor})
    return wire.Json(s.Page([event_out(row, names) for row in rows], cursor))


async def _names(seen: Tenant, parts: AppParts, actors: set[str]) -> dict[str, str]:
    """What actors are called, by id: people, and deployments."""
    held = seen.state.deployments
    people = [await parts.shares.users.by_id(one) for one in actors if one not in held]
    names = {one: held[one].deployment.name for one in actors if one in held}
    return names | {one.id: one.username for one in people if one is not None}


async def cancel_order(order_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """Asks for a working order to be cancelled: 202 while the venue has not answered. 409 when it works no more."""
    order = seen.order(order_id)
    command = CancelOrder(order_id=order.id, provenance=seen.provenance(time.time_ns()))
    await parts.runner.submit(command)
    after = views.order(parts.runner.state, parts.runner.state.order(order.id))
    return wire.Json(after, 202 if after.state in (OrderState.CANCEL_PENDING, OrderState.IN_DOUBT) else 200)


async def resolve_order(order_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """Ends an order in doubt on the user's word that the broker never had it. 409 for an order in no doubt."""
    order = seen.order(order_id)
    await parts.runner.submit(ResolveOrder(order_id=order.id, provenance=seen.provenance(time.time_ns())))
    return wire.Json(views.order(parts.runner.state, parts.runner.state.order(order.id)))


async def list_fills(request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """Executions, newest first."""
    query = wire.query(request, requests.FillsQuery)
    wanted = _wanted(seen, parts, query)
    order_id = None if query.order_id is None else seen.order(query.order_id).id

    def take(key: tuple[str, str]) -> s.FillOut | None:
        fill = seen.state.fills[key]
        if order_id not in (None, fill.order_id):
            return None
        return views.fill(seen.state, fill) if wanted.has_fill(fill, seen.state.orders[fill.order_id]) else None

    return wire.Json(page(_listing(request).fills, take, limit=query.limit, cursor=query.cursor))


async def list_positions(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Positions by account, book, instrument and product, valued at the last prices."""
    query = wire.query(request, requests.PositionsQuery)
    meant = ids_of(seen, parts.directory, account_id=query.account_id, group=query.group)
    found = [position for one in meant for position in seen.state.accounts[one].positions.values()]

    def take(position: Position) -> s.PositionOut | None:
        is_open = "open" if position.quantity else "closed"
        return views.position(seen.state, position) if query.status in ("all", is_open) else None

    return wire.Json(page(found[::-1], take, limit=query.limit, cursor=query.cursor))


_LINKS = (Link("get_order", "order_id"), Link("cancel_order", "order_id"), Link("list_order_history", "order_id"))
ENDPOINTS = (
    Endpoint(method="POST", path=f"{_PATH}/orders", handler=place_order, needs=Permission.TRADE,
             summary="Place an order", tag="trading", body=requests.NewOrder,
             answers={201: s.OrderOut, 200: s.OrderOut}, errors=(409, 429), links=_LINKS, journalled=True),
    Endpoint(method="GET", path=f"{_PATH}/orders", handler=list_orders, needs=Permission.READ, summary="Orders",
             tag="trading", query=requests.OrdersQuery, answers={200: s.Page[s.OrderOut]}, errors=(404,)),
    Endpoint(method="GET", path=f"{_PATH}/orders/{{order_id}}", handler=get_order, needs=Permission.READ,
             summary="An order", tag="trading", answers={200: s.OrderOut}),
    Endpoint(method="GET", path=f"{_PATH}/orders/{{order_id}}/history", handler=list_order_history,
             needs=Permission.READ, summary="An order's history", tag="trading", query=requests.PageQuery,
             answers={200: s.Page[OrderEventOut]}, projected=True),
    Endpoint(method="DELETE", path=f"{_PATH}/orders/{{order_id}}", handler=cancel_order, needs=Permission.REDUCE,
             summary="Cancel an order", tag="trading", answers={200: s.OrderOut, 202: s.OrderOut}, errors=(409,),
             journalled=True),
    Endpoint(method="POST", path=f"{_PATH}/orders/{{order_id}}/resolve", handler=resolve_order,
             needs=Permission.TRADE, summary="Settle an order in doubt", tag="trading", answers={200: s.OrderOut},
             errors=(409,), journalled=True),
    Endpoint(method="GET", path=f"{_PATH}/fills", handler=list_fills, needs=Permission.READ, summary="Fills",
             tag="trading", query=requests.FillsQuery, answers={200: s.Page[s.FillOut]}, errors=(404,)),
    Endpoint(method="GET", path=f"{_PATH}/positions", handler=list_positions, needs=Permission.READ,
             summary="Positions", tag="trading", query=requests.PositionsQuery, answers={200: s.Page[s.PositionOut]},
             errors=(404,)),
)  # fmt: skip
