"""Signing in and out. The access token goes to the page; the refresh token stays in a cookie no script can read."""

from fastapi import Depends, Request, Response

from evenkeel.desk.auth import ACCESS_SECONDS, TICKET_SECONDS, SignIn
from evenkeel.desk.ports import User
from evenkeel.server import requests, wire
from evenkeel.server import schemas as s
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import LOCAL, parts_of, signed_in

COOKIE = "evenkeel_session"
_PATH = f"{PREFIX}/auth"
_KEPT = 14 * 24 * 3600


async def login(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """Signs in by user name and password."""
    given = await wire.body(request, requests.Login)
    found = await parts.auth.login(given.username, given.password, **_caller(request))
    return _signed_in(parts, found)


async def login_by_link(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """Signs in by the token of a one-time link."""
    given = await wire.body(request, requests.LinkLogin)
    found = await parts.auth.login_by_link(given.token, **_caller(request))
    return _signed_in(parts, found)


async def refresh(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """Trades the session cookie for a new access token."""
    return _signed_in(parts, await parts.auth.refresh(request.cookies.get(COOKIE)))


async def logout(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """Ends the session of the cookie."""
    await parts.auth.logout(request.cookies.get(COOKIE))
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, path=_PATH, httponly=True, samesite="strict", secure=parts.doors.secure_cookie)
    return answer


async def me(user: User = Depends(signed_in)) -> Response:
    """The signed-in user."""
    return wire.Json(_user(user))


async def stream_ticket(
    request: Request, user: User = Depends(signed_in), parts: AppParts = Depends(parts_of)
) -> Response:
    """A single-use ticket with which the page opens its stream."""
    token = None if request.scope.get(LOCAL) else request.headers["authorization"].partition(" ")[2].strip()
    return wire.Json(s.StreamTicket(await parts.auth.ticket_for(user, token), TICKET_SECONDS))


def _caller(request: Request) -> dict[str, str]:
    return {
        "address": request.client.host if request.client else "local",
        "agent": request.headers.get("user-agent", ""),
    }


def _user(user: User) -> s.UserOut:
    return s.UserOut(id=user.id, username=user.username, role=user.role)


def _signed_in(parts: AppParts, found: SignIn) -> Response:
    answer = wire.Json(s.SignedIn(found.access_token, "bearer", ACCESS_SECONDS, _user(found.user)))
    if found.refresh is not None:
        answer.set_cookie(
            COOKIE,
            found.refresh,
            max_age=_KEPT,
            path=_PATH,
            httponly=True,
            samesite="strict",
            secure=parts.doors.secure_cookie,
        )
    return answer


ENDPOINTS = (
    Endpoint(
        method="POST", path=f"{_PATH}/login", handler=login, summary="Sign in", tag="auth",
        body=requests.Login, answers={200: s.SignedIn}, errors=(401, 429, 503), public=True,
    ),
    Endpoint(
        method="POST", path=f"{_PATH}/link", handler=login_by_link, summary="Sign in by a one-time link", tag="auth",
        body=requests.LinkLogin, answers={200: s.SignedIn}, errors=(401, 429, 503), public=True,
    ),
    Endpoint(
        method="POST", path=f"{_PATH}/refresh", handler=refresh, summary="Renew the access token", tag="auth",
        answers={200: s.SignedIn}, errors=(401, 503), public=True,
    ),
    Endpoint(
        method="POST", path=f"{_PATH}/logout", handler=logout, summary="Sign out", tag="auth",
        answers={204: None}, errors=(503,), public=True,
    ),
    Endpoint(method="GET", path=f"{_PATH}/me", handler=me, summary="Who is signed in", tag="auth",
             answers={200: s.UserOut}),
    Endpoint(
        method="POST", path=f"{_PATH}/stream-ticket", handler=stream_ticket, summary="A ticket for the stream",
        tag="auth", answers={200: s.StreamTicket},
    ),
)  # fmt: skip
