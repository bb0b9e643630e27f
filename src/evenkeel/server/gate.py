"""The one gate before every operation: who asks, whether they may, how often, how lately they signed in, and a line in
the audit log where something changes. Routes are mounted behind it; nothing else lets a request through.
"""

import time
from collections.abc import Awaitable, Callable, Coroutine
from ipaddress import ip_network
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from msgspec.structs import replace

from evenkeel.desk.keys import PREFIX, is_signed, is_within
from evenkeel.desk.permissions import Door, Permission, Principal, person
from evenkeel.desk.signing import Asking
from evenkeel.domain.audit import Entry
from evenkeel.domain.errors import EvenkeelError, Forbidden, NotFresh, Unauthenticated
from evenkeel.server import wire
from evenkeel.server.contract import Endpoint
from evenkeel.server.parts import AppParts
from evenkeel.server.problems import status_of
from evenkeel.server.scope import LOCAL, NEEDS, PRINCIPAL, parts_of

Work = Callable[[Request], Awaitable[Response]]
_FIRM = frozenset({Permission.MANAGE, Permission.SELF, Permission.ADMIN})
_SAFE = frozenset({"GET", "HEAD"})


def mount(app: FastAPI, endpoints: tuple[Endpoint, ...]) -> None:
    """Adds the endpoints' routes, each behind the gate."""
    for one in endpoints:
        app.router.add_api_route(
            one.path,
            one.handler,
            methods=[one.method],
            response_model=None,
            name=one.name,
            include_in_schema=False,
            route_class_override=_gated(one),
        )


def _gated(one: Endpoint) -> type[APIRoute]:
    class Gated(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            work = super().get_route_handler()

            async def handle(request: Request) -> Response:
                return await through(one, request, parts=await parts_of(request), work=work)

            return handle

    return Gated


async def through(one: Endpoint, request: Request, *, parts: AppParts, work: Work) -> Response:
    """Does the work of an operation for whoever may have it done.

    Raises Unauthenticated, Forbidden, NotFresh, TooManyRequests, and what the work raises.
    """
    if one.needs is None:
        return await work(request)
    by, request = await identified(request, parts)
    if one.needs not in by.permissions:
        raise Forbidden(_missing(one.needs, by))
    if one.fresh:
        require_fresh(by, parts)
    if one.cost:
        parts.costly.take(by.user.id, one.cost)
    request.scope[PRINCIPAL], request.scope[NEEDS] = by, one.needs
    if one.projected:
        await parts.answered.wait(by.user.id, parts.history)
    if one.method in _SAFE:
        return await work(request)
    try:
        return await _changing(one, request, by=by, parts=parts, work=work)
    finally:
        parts.answered.note(by.user.id, parts.runner.committed_seq)


async def _changing(one: Endpoint, request: Request, *, by: Principal, parts: AppParts, work: Work) -> Response:
    if one.journalled or one.needs is Permission.READ:
        return await work(request)
    entry = _entry(one, request, by=by)
    async with parts.trail.under(entry, firm=one.needs in _FIRM) as asked:
        asked.entry = replace(entry, outcome="500")
        try:
            response = await work(request)
        except EvenkeelError as error:
            asked.entry = replace(entry, outcome=str(status_of(error)))
            raise
        asked.entry = replace(entry, outcome=str(response.status_code))
        return response


async def identified(request: Request, parts: AppParts) -> tuple[Principal, Request]:
    """Whoever asks, and their request: a signed one with its body read. Raises Unauthenticated."""
    if request.scope.get(LOCAL):
        return person(await parts.auth.owner(), Door.HOME), request
    token = _token(request)
    if token and not token.startswith(PREFIX):
        return await parts.auth.principal(token, address=address_of(request)), request
    key = token or request.headers.get("x-api-key", "")
    if not key:
        hint = "Send the access token as `Authorization: Bearer …`, or an API key as `X-API-Key`."
        raise Unauthenticated("sign in first", hint=hint)
    return await _by_key(request, parts, key=key)


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def _by_key(request: Request, parts: AppParts, *, key: str) -> tuple[Principal, Request]:
    asked = None
    if is_signed(request.headers):
        body = await wire.whole(request)
        request = Request(request.scope, _again(body), request._send)
        scope = request.scope
        path, query = scope.get("raw_path") or scope["path"].encode(), scope["query_string"]
        asked = Asking(scope["method"], path.decode("latin-1"), query.decode("latin-1"), body)
    return await parts.keys.principal(key, asked, headers=request.headers, address=address_of(request)), request


def _again(body: bytes) -> Callable[[], Awaitable[dict[str, Any]]]:
    """A body that was read, to be read once more."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _missing(needs: Permission, by: Principal) -> str:
    has = ", ".join(sorted(by.permissions)) or "none"
    if by.door is Door.KEY:
        return f"this needs the permission {needs}, which this API key does not have; it has: {has}"
    return f"this needs the permission {needs}, which a {by.user.role} does not have; you have: {has}"


def require_fresh(by: Principal, parts: AppParts) -> None:
    """For what is sensitive: raises NotFresh but for a sign-in of a moment ago, a signed request, or the home."""
    if by.door is Door.KEY and not by.is_signed:
        raise NotFresh("this needs a signed request of an API key", hint="Sign it with the key's signing secret.")
    if by.door is Door.SESSION and not parts.auth.is_fresh(by.session_id):
        raise NotFresh("this needs a sign-in of a moment ago", hint="Enter your password again, then ask once more.")


def address_of(request: Request) -> str:
    """The peer's address; nobody can claim another by a header."""
    if request.scope.get(LOCAL):
        return "local"
    return request.client.host if request.client else ""


def peer_of(request: Request, proxies: tuple[str, ...]) -> str:
    """As `address_of`; where that is a trusted proxy's, what it says of who asked it: the last address of
    `X-Forwarded-For` that is no such proxy itself. What stands before that, anybody may have written."""
    address, trusted = address_of(request), tuple(map(ip_network, proxies))
    told = ",".join(request.headers.getlist("x-forwarded-for") if trusted else ()).split(",")
    hops = [hop.strip()[:64] for hop in told if hop.strip()]
    while hops and is_within(address, trusted):
        address = hops.pop()
    return address


def _entry(one: Endpoint, request: Request, *, by: Principal) -> Entry:
    names = request.path_params
    return Entry(
        at=time.time_ns(),
        actor=by.user.id,
        action=one.name,
        door=by.door,
        key_id=by.key_id or "",
        address=address_of(request),
        agent=request.headers.get("user-agent", "")[:200],
        request_id=str(request.scope.get("evenkeel.request_id", "")),
        subject=",".join(str(value)[:64] for value in names.values()),
    )
