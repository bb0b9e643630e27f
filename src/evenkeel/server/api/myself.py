"""What people change of their own sign-in: password, second factor, sessions, and identities elsewhere."""

from fastapi import Depends, Request, Response

from evenkeel.desk.own_sign_in import Self
from evenkeel.desk.permissions import Permission
from evenkeel.domain.clock import iso
from evenkeel.server import people as p
from evenkeel.server import schemas as s
from evenkeel.server import wire
from evenkeel.server.api.auth import caller, depart
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.parts import AppParts
from evenkeel.server.requests import PageQuery
from evenkeel.server.scope import parts_of, principal

_PATH = f"{PREFIX}/auth"


async def change_password(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """A new password; it takes the present one, and ends one's other sessions."""
    given = await wire.body(request, p.PasswordIn)
    await parts.household.own_sign_in.change_password(_me(request), present=given.present, new=given.password)
    return Response(status_code=204)


async def confirm_myself(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """Shows once more who one is; what asks for a fresh sign-in is open for ten minutes."""
    given = await wire.body(request, p.ConfirmIn)
    await parts.household.own_sign_in.confirm(_me(request), password=given.password, code=given.code)
    return Response(status_code=204)


async def get_two_factor(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """Whether two factors are on, since when, and how many recovery codes are left."""
    return wire.Json(p.standing_out(await parts.household.own_sign_in.standing(_me(request))))


async def begin_two_factor(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """A secret for a device, of no effect until its first code has switched it on."""
    return wire.Json(p.setup_out(await parts.household.own_sign_in.begin(_me(request))))


async def switch_on_two_factor(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """Switches two factors on by the device's first code, ends one's other sessions, and answers the recovery codes."""
    given = await wire.body(request, p.OwnCodeIn)
    codes = await parts.household.own_sign_in.switch_on(_me(request), given.code)
    return wire.Json(p.CodesOut(list(codes)))


async def renew_recovery_codes(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """Ten new recovery codes for a code; those there were work no more."""
    given = await wire.body(request, p.OwnCodeIn)
    codes = await parts.household.own_sign_in.renew_codes(_me(request), given.code)
    return wire.Json(p.CodesOut(list(codes)))


async def switch_off_two_factor(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """Switches two factors off; it takes the password and a code."""
    given = await wire.body(request, p.SwitchOffIn)
    await parts.household.own_sign_in.switch_off(_me(request), password=given.password, code=given.code)
    return Response(status_code=204)


async def list_my_sessions(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """One's sign-ins that go on, the one seen last first."""
    query, me = wire.query(request, PageQuery), _me(request)
    found, after = await parts.household.own_sign_in.sessions(me.user.id, limit=query.limit, cursor=query.cursor)
    return wire.Json(s.Page([p.session_out(one, me.session_id) for one in found], after))


async def end_session(request: Request, session_id: str, *, parts: AppParts = Depends(parts_of)) -> Response:
    """Ends one of one's sessions."""
    await parts.household.own_sign_in.end_session(_me(request).user.id, session_id)
    return Response(status_code=204)


async def end_other_sessions(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """Ends all of one's sessions but the one that asks."""
    me = _me(request)
    await parts.household.people.end_sessions(me.user.id, but=me.session_id or None)
    return Response(status_code=204)


async def list_identities(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """The identities elsewhere by which one may sign in."""
    elsewhere = parts.household.elsewhere
    names = {client.issuer: client.name for client in elsewhere.clients}
    found = await elsewhere.of(_me(request).user.id)
    items = [
        p.IdentityOut(one.issuer, one.issuer, names.get(one.issuer), one.email, iso(one.linked_at)) for one in found
    ]
    return wire.Json(s.Page(items))


async def begin_link(request: Request, provider: str, *, parts: AppParts = Depends(parts_of)) -> Response:
    """Where to send the browser, to sign in by that identity from now on."""
    return await depart(request, parts, provider=provider, links_to=_me(request).user)


async def unlink(request: Request, provider: str, *, parts: AppParts = Depends(parts_of)) -> Response:
    """Takes an identity elsewhere off; 409 where it is the only way one can sign in."""
    await parts.household.elsewhere.unlink(_me(request).user, provider, **caller(request))
    return Response(status_code=204)


def _me(request: Request) -> Self:
    by = principal(request)
    return Self(by.user, by.session_id, **caller(request))


ENDPOINTS = (
    Endpoint(method="POST", path=f"{_PATH}/password", handler=change_password, needs=Permission.SELF, tag="auth",
             summary="Change one's password", body=p.PasswordIn, answers={204: None}),
    Endpoint(method="POST", path=f"{_PATH}/confirm", handler=confirm_myself, needs=Permission.SELF, tag="auth",
             summary="Show once more who one is", body=p.ConfirmIn, answers={204: None}),
    Endpoint(method="GET", path=f"{_PATH}/two-factor", handler=get_two_factor, needs=Permission.SELF, tag="auth",
             summary="One's second factor", answers={200: p.StandingOut}),
    Endpoint(method="POST", path=f"{_PATH}/two-factor/device", handler=begin_two_factor, needs=Permission.SELF,
             fresh=True, tag="auth", summary="Begin a second factor", answers={200: p.SetupOut}, errors=(409,)),
    Endpoint(method="POST", path=f"{_PATH}/two-factor/on", handler=switch_on_two_factor, needs=Permission.SELF,
             fresh=True, tag="auth", summary="Switch two factors on", body=p.OwnCodeIn, answers={200: p.CodesOut},
             errors=(404, 409)),
    Endpoint(method="POST", path=f"{_PATH}/two-factor/recovery-codes", handler=renew_recovery_codes,
             needs=Permission.SELF, tag="auth", summary="New recovery codes", body=p.OwnCodeIn,
             answers={200: p.CodesOut}),
    Endpoint(method="POST", path=f"{_PATH}/two-factor/off", handler=switch_off_two_factor, needs=Permission.SELF,
             tag="auth", summary="Switch two factors off", body=p.SwitchOffIn, answers={204: None}),
    Endpoint(method="GET", path=f"{_PATH}/sessions", handler=list_my_sessions, needs=Permission.SELF, tag="auth",
             summary="One's sessions", query=PageQuery, answers={200: s.Page[p.AuthSessionOut]}),
    Endpoint(method="DELETE", path=f"{_PATH}/sessions", handler=end_other_sessions, needs=Permission.SELF,
             tag="auth", summary="End one's other sessions", answers={204: None}),
    Endpoint(method="DELETE", path=f"{_PATH}/sessions/{{session_id}}", handler=end_session, needs=Permission.SELF,
             tag="auth", summary="End one of one's sessions", answers={204: None}),
    Endpoint(method="GET", path=f"{_PATH}/identities", handler=list_identities, needs=Permission.SELF, tag="auth",
             summary="One's identities elsewhere", answers={200: s.Page[p.IdentityOut]}),
    Endpoint(method="POST", path=f"{_PATH}/identities/{{provider}}", handler=begin_link, needs=Permission.SELF,
             fresh=True, tag="auth", summary="Link an identity elsewhere", answers={200: p.DepartureOut}),
    Endpoint(method="DELETE", path=f"{_PATH}/identities/{{provider}}", handler=unlink, needs=Permission.SELF,
             tag="auth", summary="Unlink an identity elsewhere", answers={204: None}, errors=(409,)),
)  # fmt: skip
