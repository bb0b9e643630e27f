"""Smart routing: declaring where orders may go and what is preferred, and placing one where that leads."""

import time
from typing import Annotated

from fastapi import Depends, Request, Response
from msgspec import Meta, Struct, field

from evenkeel.desk.permissions import Permission
from evenkeel.domain.commands import RemoveRoute, RouteOrder, SetRoute
from evenkeel.domain.configurations import LONGEST_NAME, NAME
from evenkeel.domain.errors import NotFound
from evenkeel.domain.routing import Candidate, Route, RouteRule
from evenkeel.server import requests, views, wire
from evenkeel.server import schemas as s
from evenkeel.server.api.accounts import unknown_account
from evenkeel.server.api.trading import ORDERS, order_spec, submitted
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.order_terms import completed
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant, parts_of, tenant
from evenkeel.trading.engine.state import State

_PATH = f"{PREFIX}/trading"


RouteName = Annotated[
    str,
    Meta(
        max_length=LONGEST_NAME,
        pattern=NAME,
        description=f"at most {LONGEST_NAME} small letters and digits, in words joined by - or _",
    ),
]


class RoutedOrder(requests.OrderTerms, forbid_unknown_fields=True, kw_only=True):
    """An order for whichever account the named route prefers."""

    route: RouteName


class NewRoute(Struct, forbid_unknown_fields=True):
    """`accounts` are ids, preferred in this order where the rule finds no difference; no `venues`: any."""

    name: RouteName
    accounts: Annotated[list[requests.Reference], Meta(min_length=1, max_length=50)]
    rule: RouteRule = RouteRule.CHEAPEST
    venues: Annotated[list[requests.Symbol], Meta(max_length=50)] = field(default_factory=list)


class RouteOut(Struct):
    """A declared route; its id is its name. `venues` empty: any."""

    id: str
    name: str
    accounts: list[s.Id]
    rule: RouteRule
    venues: list[str]


class CandidateOut(Struct):
    """A place the order could have gone. `cost` is what it would pay in all, negative where it receives; `refused` is
    the rule that kept it out; `reduces`: it would only close what is held there, which goes before the route's rule;
    `taken`: the order went there."""

    account_id: s.Id
    account: str
    venue: str
    cost: s.Amount | None
    refused: str | None
    reason: str | None
    reduces: bool
    taken: bool


class RoutedOut(Struct):
    """Where an order went, and what was made of every place that its route leads to."""

    order: s.OrderOut
    route: str
    rule: RouteRule
    candidates: list[CandidateOut]


async def list_routes(request: Request, seen: Tenant = Depends(tenant)) -> Response:
    """The routes you have declared, by name."""
    wire.query(request, requests.NoQuery)
    mine = (
        route
        for (user_id, _), route in seen.state.routes.items()
        if user_id == seen.user.id and all(map(seen.owns, route.account_ids))
    )
    return wire.Json(s.Page([_shown(route) for route in sorted(mine, key=lambda one: one.name)]))


async def set_route(request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """Declares a route, or declares it anew: which accounts an order may go to and by which rule one is preferred.
    All of them are yours, and all paper or all live."""
    seen.require_everything()
    given = await wire.body(request, NewRoute)
    fields = wire.Fields()
    for account_id in given.accounts:
        if not seen.owns(account_id):
            fault = unknown_account(seen, "accounts", account_id)
            fields.fault(fault.field, fault.message)
    fields.check("the route is not valid")
    route = Route(seen.user.id, given.name, tuple(given.accounts), given.rule, tuple(given.venues))
    await parts.runner.submit(SetRoute(provenance=seen.provenance(time.time_ns()), route=route))
    return wire.Json(_shown(route))


async def remove_route(name: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """Forgets a route; orders that it has placed stay as they are."""
    seen.require_everything()
    provenance = seen.provenance(time.time_ns())
    await parts.runner.submit(RemoveRoute(provenance=provenance, user_id=seen.user.id, name=name))
    return Response(status_code=204)


async def route_order(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Places an order in the account, and at the venue, that its route prefers, and says why. Like any order it is
    committed with its verdict; where no account may take it, it is refused in the first."""
    received = time.time_ns()
    given = await wire.body(request, RoutedOrder)
    fields = wire.Fields()
    route = seen.state.routes.get((seen.user.id, given.route))
    if route is None or not all(map(seen.owns, route.account_ids)):
        fields.fault("route", f"there is no route {given.route!r}; POST {_PATH}/routes declares one")
        fields.check("the order is not valid")
    assert route is not None
    first = _listing(seen.state, route, given)
    spec = order_spec(request, seen, first, route.account_ids[0], fields=fields, received=received)
    spec = await completed(parts, spec, fields, after_market=given.after_market)
    fields.check("the order is not valid")
    command = RouteOrder(provenance=seen.provenance(received), user_id=seen.user.id, name=route.name, spec=spec)
    outcome = await submitted(parts, command)
    answer = _explained(parts.runner.state, outcome.id)
    return wire.Json(answer, 201 if outcome.created else 200, {"location": f"{ORDERS}/{outcome.id}"})


def _listing(state: State, route: Route, given: RoutedOrder) -> RoutedOrder:
    """The order with a venue of the route, so that a symbol listed at several need not be told apart by hand."""
    symbol = given.symbol.upper()
    listed = [one.venue for one in state.instruments.values() if one.symbol.upper() == symbol]
    if given.venue is None and len(listed) > 1:
        given.venue = next((venue for venue in listed if not route.venues or venue in route.venues), listed[0])
    return given


async def explain_route(order_id: str, seen: Tenant = Depends(tenant)) -> Response:
    """Why a routed order went where it went. 404 for an order that was not routed."""
    order = seen.order(order_id)
    if order.id not in seen.state.routed:
        raise NotFound(f"order {order.id} was not routed: it named its account")
    return wire.Json(_explained(seen.state, order.id))


def _shown(route: Route) -> RouteOut:
    return RouteOut(route.name, route.name, list(route.account_ids), route.rule, list(route.venues))


def _explained(state: State, order_id: str) -> RoutedOut:
    order, record = state.orders[order_id], state.routed[order_id]

    def shown(one: Candidate) -> CandidateOut:
        is_its_place = (one.account_id, one.instrument_id) == (order.spec.account_id, order.spec.instrument_id)
        return CandidateOut(
            account_id=one.account_id,
            account=state.accounts[one.account_id].account.name,
            venue=state.instruments[one.instrument_id].venue,
            cost=views.maybe(one.cost),
            refused=one.refused,
            reason=one.reason,
            reduces=one.reduces,
            taken=is_its_place and one.refused is None,
        )

    return RoutedOut(views.order(state, order), record.route, record.rule, [shown(one) for one in record.candidates])


ENDPOINTS = (
    Endpoint(method="GET", path=f"{_PATH}/routes", handler=list_routes, needs=Permission.READ, summary="Routes",
             tag="trading", query=requests.NoQuery, answers={200: s.Page[RouteOut]}),
    Endpoint(method="POST", path=f"{_PATH}/routes", handler=set_route, needs=Permission.TRADE,
             summary="Declare a route", tag="trading", body=NewRoute, answers={200: RouteOut}),
    Endpoint(method="DELETE", path=f"{_PATH}/routes/{{name}}", handler=remove_route, needs=Permission.TRADE,
             summary="Forget a route", tag="trading", answers={204: None}),
    Endpoint(method="POST", path=f"{_PATH}/orders/routed", handler=route_order, needs=Permission.TRADE,
             summary="Place an order by a route", tag="trading", body=RoutedOrder,
             answers={201: RoutedOut, 200: RoutedOut}, errors=(409, 429), journalled=True),
    Endpoint(method="GET", path=f"{_PATH}/orders/{{order_id}}/route", handler=explain_route, needs=Permission.READ,
             summary="Why an order went where it went", tag="trading", answers={200: RoutedOut}),
)  # fmt: skip
