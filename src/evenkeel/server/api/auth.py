"""Signing in and out. The access token goes to the page; the refresh token stays in a cookie no script can read.

Every door here is open to anybody, so each address has a rate for its class of doors. What the cookie alone authorises
needs a second token in a header, and must not come from another origin: SameSite keeps other sites away, but not a
page of this machine on another port.
"""

from urllib.parse import urlsplit

from fastapi import Depends, Request, Response

from evenkeel.desk.auth import ACCESS_SECONDS, TICKET_SECONDS, SignIn, TwoFactorNeeded
from evenkeel.desk.elsewhere import home_of
from evenkeel.desk.permissions import Permission, Principal, Role, person
from evenkeel.desk.ports import Actor, User
from evenkeel.domain.clock import iso
from evenkeel.domain.errors import Forbidden
from evenkeel.server import people as p
from evenkeel.server import requests, wire
from evenkeel.server import schemas as s
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.gate import address_of
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import LOCAL, parts_of, principal

COOKIE, BROWSER = "evenkeel_session", "evenkeel_elsewhere"
CSRF_COOKIE, CSRF_HEADER = "evenkeel_csrf", "x-csrf-token"
_PATH = f"{PREFIX}/auth"
_KEPT = 14 * 24 * 3600
_AWAY = 10 * 60


async def login(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """Signs in by user name and password; where the person has a second factor, the answer is a ticket for it."""
    _take(request, parts)
    given = await wire.body(request, requests.Login)
    try:
        found = await parts.auth.login(given.username, given.password, **caller(request))
    except TwoFactorNeeded as needed:
        return _second(needed)
    return await signed(request, parts, found=found)


async def two_factor(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """The second step: a code of the person's device, or a recovery code."""
    _take(request, parts)
    given = await wire.body(request, p.CodeIn)
    return await signed(request, parts, found=await parts.auth.second_step(given.ticket, given.code, **caller(request)))


async def begin_at_sign_in(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """A secret for a device, where this sign-in may not go on without one; its first code is the second step."""
    _take(request, parts)
    given = await wire.body(request, p.TicketIn)
    found = await parts.household.own_sign_in.begin_at_sign_in(given.ticket, address_of(request))
    return wire.Json(p.setup_out(found))


async def login_by_link(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """Signs in by the token of a one-time link."""
    _take(request, parts)
    given = await wire.body(request, requests.LinkLogin)
    try:
        found = await parts.auth.login_by_link(given.token, **caller(request))
    except TwoFactorNeeded as needed:
        return _second(needed)
    return await signed(request, parts, found=found)


async def refresh(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """Trades the session cookie for a new access token; `X-CSRF-Token` has to come with it."""
    _take(request, parts, door="session")
    cookie = request.cookies.get(COOKIE)
    await _check_origin(request, parts, cookie=cookie)
    return _opened(parts, await parts.auth.refresh(cookie, **caller(request)))


async def logout(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """Ends the session of the cookie; `X-CSRF-Token` has to come with it."""
    _take(request, parts, door="session")
    cookie = request.cookies.get(COOKIE)
    await _check_origin(request, parts, cookie=cookie)
    await parts.auth.logout(cookie)
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, path=_PATH, httponly=True, samesite="strict", secure=parts.doors.secure_cookie)
    answer.delete_cookie(CSRF_COOKIE, path="/", samesite="strict", secure=parts.doors.secure_cookie)
    return answer


async def look_at_invitation(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """What an invitation invites to."""
    _take(request, parts)
    given = await wire.body(request, p.TokenIn)
    link = await parts.household.invitations.of_token(given.token, "invitation")
    return wire.Json(p.WelcomeOut(Role(str(link.role)), link.email, iso(link.expires_at)))


async def accept_invitation(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """Makes the person that an invitation invites, with a name and a password of their choice, and signs them in."""
    _take(request, parts)
    given = await wire.body(request, p.AcceptIn)
    invitations = parts.household.invitations
    link = await invitations.of_token(given.token, "invitation")
    by = Actor("", "", **caller(request))
    user = await invitations.become(link, given.username, password=given.password, full_name=given.full_name, by=by)
    try:
        found = await parts.auth.admit(user, how="invitation", **caller(request), password=given.password)
    except TwoFactorNeeded as needed:
        return _second(needed)
    return await signed(request, parts, found=found)


async def reset_password(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """Sets a password by the token of a reset link, and ends the person's sessions; then they sign in as always."""
    _take(request, parts)
    given = await wire.body(request, p.ResetIn)
    await parts.household.invitations.set_password(given.token, given.password, **caller(request))
    return Response(status_code=204)


async def list_providers(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """Where else one may sign in to come here."""
    clients = parts.household.elsewhere.clients
    return wire.Json(p.ProvidersOut([p.ProviderOut(one.name, one.title) for one in clients]))


async def begin_elsewhere(request: Request, provider: str, *, parts: AppParts = Depends(parts_of)) -> Response:
    """Where to send the browser to sign in elsewhere. Only the browser that asks can complete it."""
    _take(request, parts, door="provider")
    return await depart(request, parts, provider=provider)


async def complete_elsewhere(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """What the browser was sent back with. Signs in whoever is linked or invited; 204 where it was for a link."""
    _take(request, parts, door="provider")
    given = await wire.body(request, p.CompleteIn)
    browser = request.cookies.get(BROWSER, "")
    try:
        found = await parts.household.elsewhere.complete(given.state, given.code, browser=browser, **caller(request))
    except TwoFactorNeeded as needed:
        return _second(needed)
    return await signed(request, parts, found=found) if isinstance(found, SignIn) else Response(status_code=204)


async def me(request: Request) -> Response:
    """The signed-in user, and what they may do."""
    return wire.Json(_user(principal(request)))


async def stream_ticket(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """A single-use ticket with which a page or program opens its stream."""
    return wire.Json(s.StreamTicket(parts.auth.ticket_for(principal(request)), TICKET_SECONDS))


def caller(request: Request) -> dict[str, str]:
    """From where, and with what, a request comes."""
    return {"address": address_of(request), "agent": request.headers.get("user-agent", "")}


def home(request: Request, parts: AppParts) -> str:
    """The desk's own address."""
    if request.scope.get(LOCAL):
        return home_of(parts.household.public_url, parts.household.here)
    host = request.headers.get("host", "localhost")
    return home_of(parts.household.public_url, f"{request.url.scheme}://{host}")


async def depart(request: Request, parts: AppParts, *, provider: str, links_to: User | None = None) -> Response:
    """Sends a browser elsewhere, with a secret that it keeps."""
    found = await parts.household.elsewhere.begin(provider, home(request, parts), links_to=links_to)
    answer = wire.Json(p.DepartureOut(found.address))
    answer.set_cookie(
        BROWSER,
        found.browser,
        max_age=_AWAY,
        path=f"{_PATH}/elsewhere",
        httponly=True,
        samesite="strict",
        secure=parts.doors.secure_cookie,
    )
    return answer


async def signed(request: Request, parts: AppParts, *, found: SignIn) -> Response:
    """The answer to a sign-in: a new session, in the place of the one this browser had."""
    before = request.cookies.get(COOKIE)
    if before:
        await parts.auth.logout(before)
    return _opened(parts, found)


def _take(request: Request, parts: AppParts, *, door: str = "sign-in") -> None:
    parts.auth.throttle.take(door, address_of(request))


async def _check_origin(request: Request, parts: AppParts, *, cookie: str | None) -> None:
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower():
        raise Forbidden("this request did not come from the desk's own page")
    await parts.auth.check_csrf(cookie, request.headers.get(CSRF_HEADER, ""))


def _user(by: Principal) -> s.UserOut:
    may = [one for one in Permission if one in by.permissions]
    return s.UserOut(id=by.user.id, username=by.user.username, role=by.user.role, permissions=may)


def _second(needed: TwoFactorNeeded) -> Response:
    return wire.Json(p.SecondStep(needed.ticket, needed.enrols))


def _opened(parts: AppParts, found: SignIn) -> Response:
    codes = list(found.recovery_codes) or None
    body = s.SignedIn(found.access_token, "bearer", ACCESS_SECONDS, _user(person(found.user)), found.csrf, codes)
    answer, secure = wire.Json(body), parts.doors.secure_cookie
    if found.refresh is not None:
        answer.set_cookie(
            COOKIE, found.refresh, max_age=_KEPT, path=_PATH, httponly=True, samesite="strict", secure=secure
        )
    answer.set_cookie(CSRF_COOKIE, found.csrf, max_age=_KEPT, path="/", samesite="strict", secure=secure)
    return answer


_GUESSED = (401, 403, 409, 429, 503)
ENDPOINTS = (
    Endpoint(
        method="POST", path=f"{_PATH}/login", handler=login, summary="Sign in", tag="auth",
        body=requests.Login, answers={200: p.Opened}, errors=(401, 429, 503), public=True,
    ),
    Endpoint(
        method="POST", path=f"{_PATH}/two-factor", handler=two_factor, summary="Sign in: the second step", tag="auth",
        body=p.CodeIn, answers={200: s.SignedIn}, errors=(401, 429, 503), public=True,
    ),
    Endpoint(
        method="POST", path=f"{_PATH}/two-factor/begin", handler=begin_at_sign_in, tag="auth",
        summary="Enrol a device while signing in", body=p.TicketIn, answers={200: p.SetupOut}, errors=_GUESSED,
        public=True,
    ),
    Endpoint(
        method="POST", path=f"{_PATH}/link", handler=login_by_link, summary="Sign in by a one-time link", tag="auth",
        body=requests.LinkLogin, answers={200: p.Opened}, errors=(401, 429, 503), public=True,
    ),
    Endpoint(
        method="POST", path=f"{_PATH}/refresh", handler=refresh, summary="Renew the access token", tag="auth",
        answers={200: s.SignedIn}, errors=(401, 403, 429, 503), public=True,
    ),
    Endpoint(
        method="POST", path=f"{_PATH}/logout", handler=logout, summary="Sign out", tag="auth",
        answers={204: None}, errors=(403, 429, 503), public=True,
    ),
    Endpoint(
        method="POST", path=f"{_PATH}/invitation", handler=look_at_invitation, summary="Look at an invitation",
        tag="auth", body=p.TokenIn, answers={200: p.WelcomeOut}, errors=(401, 429, 503), public=True,
    ),
    Endpoint(
        method="POST", path=f"{_PATH}/accept", handler=accept_invitation, summary="Accept an invitation", tag="auth",
        body=p.AcceptIn, answers={200: p.Opened}, errors=_GUESSED, public=True,
    ),
    Endpoint(
        method="POST", path=f"{_PATH}/reset", handler=reset_password, summary="Set a password by a link", tag="auth",
        body=p.ResetIn, answers={204: None}, errors=(401, 404, 429, 503), public=True,
    ),
    Endpoint(
        method="GET", path=f"{_PATH}/providers", handler=list_providers, summary="Where else one may sign in",
        tag="auth", answers={200: p.ProvidersOut}, public=True,
    ),
    Endpoint(
        method="POST", path=f"{_PATH}/elsewhere", handler=complete_elsewhere, summary="Come back from elsewhere",
        tag="auth", body=p.CompleteIn, answers={200: p.Opened, 204: None}, errors=(404, *_GUESSED), public=True,
    ),
    Endpoint(
        method="POST", path=f"{_PATH}/elsewhere/{{provider}}", handler=begin_elsewhere, summary="Sign in elsewhere",
        tag="auth", answers={200: p.DepartureOut}, errors=(401, 404, 429, 503), public=True,
    ),
    Endpoint(method="GET", path=f"{_PATH}/me", handler=me, needs=Permission.READ, summary="Who is signed in",
             tag="auth", answers={200: s.UserOut}),
    Endpoint(method="POST", path=f"{_PATH}/stream-ticket", handler=stream_ticket, needs=Permission.READ,
             summary="A ticket for the stream", tag="auth", answers={200: s.StreamTicket}),
)  # fmt: skip
