"""Every error a client sees, as RFC 9457 problem details: one table from the error tree to HTTP.

A detail says what was wrong; `errors` names each field at fault; `hint` says what to do. Nothing that a client sends
ends as a 500, and a 500 tells the client nothing but its request id.
"""

from collections.abc import Mapping
from http import HTTPStatus
from math import ceil
from typing import Any

import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from evenkeel.desk.throttle import TooManyAttempts
from evenkeel.domain import errors as e
from evenkeel.server import schemas
from evenkeel.server.refusals import refusal_of

log = structlog.get_logger(__name__)
MEDIA_TYPE = "application/problem+json"


class MalformedBody(e.InvalidInput):
    """What was sent is no JSON at all."""

    code = "malformed-body"


class PayloadTooLarge(e.InvalidInput):
    code = "payload-too-large"


class BodyTooSlow(e.InvalidInput):
    """The rest of a body does not come."""

    code = "body-too-slow"


class UnsupportedMediaType(e.InvalidInput):
    code = "unsupported-media-type"


STATUS: dict[type[e.EvenkeelError], int] = {
    MalformedBody: 400,
    BodyTooSlow: 408,
    PayloadTooLarge: 413,
    UnsupportedMediaType: 415,
    TooManyAttempts: 429,
    e.QueueFull: 429,
    e.InvalidInput: 422,
    e.NotFound: 404,
    e.Unauthenticated: 401,
    e.Forbidden: 403,
    e.Conflict: 409,
    e.NotReady: 503,
    e.MoneyError: 422,
    e.IllegalTransition: 409,
    e.SealBroken: 409,
    e.VaultLocked: 423,
    e.BrokerError: 502,
    e.JournalError: 503,
}


def status_of(error: e.EvenkeelError) -> int:
    """The HTTP status of an error: that of the nearest class in the table."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def problem_of(error: e.EvenkeelError, request_id: str | None = None) -> Response:
    """The response for one error of the tree."""
    status = status_of(error)
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="evenkeel"'
    if status == 503:
        headers["Retry-After"] = "1"
    if isinstance(error, BodyTooSlow):
        headers["Connection"] = "close"  # what else may come of the body is not waited for
    if isinstance(error, TooManyAttempts | e.QueueFull):
        headers["Retry-After"] = str(ceil(error.retry_after))
    faults = getattr(error, "errors", ())
    return _render(
        status,
        code=error.code,
        detail=error.message,
        faults=[schemas.FieldFault(fault.field, fault.message) for fault in faults],
        hint=error.hint,
        headers=headers,
        request_id=request_id,
        refusal=refusal_of(error),
    )


def plain_problem(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, request_id: str | None = None
) -> Response:
    """The response for a status without an error of ours behind it."""
    code = HTTPStatus(status).phrase.lower().replace(" ", "-")
    return _render(status, code=code, detail=detail, headers=headers, request_id=request_id)


def _render(
    status: int,
    *,
    code: str,
    detail: str,
    faults: list[schemas.FieldFault] | None = None,
    hint: str | None = None,
    headers: Mapping[str, str] | None = None,
    request_id: str | None = None,
    refusal: Mapping[str, Any] | None = None,
) -> Response:
    content = schemas.ProblemBody(
        type=f"urn:evenkeel:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        errors=faults or [],
        hint=hint,
        request_id=request_id,
        **(refusal or {}),
    )
    return Response(msgspec.json.encode(content), status, dict(headers or {}), media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answers every error of the tree and of the framework with problem details."""
    app.add_exception_handler(e.EvenkeelError, answer)
    app.add_exception_handler(HTTPException, _http_error)


def _request_id(request: Request) -> str | None:
    found = request.scope.get("evenkeel.request_id")
    return found if isinstance(found, str) else None


async def answer(request: Request, error: Exception) -> Response:
    """The response for one error of the tree, met by a request; what is our own fault is logged."""
    assert isinstance(error, e.EvenkeelError)
    if status_of(error) >= 500:
        log.warning("request failed", path=request.url.path, code=error.code, reason=error.message)
    return problem_of(error, _request_id(request))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    detail = str(error.detail)
    if error.status_code == 405:
        headers["Allow"] = ", ".join(methods_of(request)) or headers.get("Allow", "")
        detail = f"{request.method} is not possible here; use one of {headers['Allow']}"
    elif error.status_code == 404:
        detail = "there is nothing at this address"
    return plain_problem(error.status_code, detail, headers=headers, request_id=_request_id(request))


def methods_of(request: Request) -> list[str]:
    """The methods of the first path that fits the request's."""
    fitting = [
        route
        for route in request.app.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
    ]
    return sorted({method for route in fitting if route.path == fitting[0].path for method in route.methods or ()})
