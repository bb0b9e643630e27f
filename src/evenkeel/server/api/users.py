"""People, for whoever keeps the home: listed, invited, made, changed, deactivated and let in again; never deleted."""

from typing import Any

import msgspec
from fastapi import Depends, Request, Response

from evenkeel.desk.permissions import Permission
from evenkeel.desk.ports import Actor
from evenkeel.desk.users import Change
from evenkeel.domain.errors import FieldError, InvalidInput
from evenkeel.server import people as p
from evenkeel.server import schemas as s
from evenkeel.server import wire
from evenkeel.server.api.auth import caller, home
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.parts import AppParts
from evenkeel.server.requests import PageQuery
from evenkeel.server.scope import parts_of, principal

_PATH = f"{PREFIX}/users"
_ONE = f"{_PATH}/{{user_id}}"


async def list_people(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """Everybody, oldest first."""
    asked = wire.query(request, p.PeopleQuery)
    found = await parts.household.people.everyone()
    start = 0
    if asked.cursor is not None:
        places = {user.id: place for place, user in enumerate(found, 1)}
        if asked.cursor not in places:
            raise InvalidInput("the cursor cannot be used", errors=(FieldError("cursor", "is not of this list"),))
        start = places[asked.cursor]
    shown = found[start : start + asked.limit]
    following = shown[-1].id if shown and start + asked.limit < len(found) else None
    return wire.Json(s.Page(list(map(p.person_out, shown)), following))


async def get_person(user_id: str, parts: AppParts = Depends(parts_of)) -> Response:
    """One person."""
    return wire.Json(p.person_out(await parts.household.people.one(user_id)))


async def create_person(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """Makes a person. Without a password, the answer has a link by which they set one."""
    given, by = await wire.body(request, p.PersonIn), _by(request)
    user = await parts.household.people.create(
        given.username, given.password, role=given.role, email=given.email, full_name=given.full_name, by=by
    )
    if given.password is not None:
        return wire.Json(p.CreatedOut(p.person_out(user)), 201)
    handed = await parts.household.invitations.reset(user, by=by)
    return wire.Json(p.CreatedOut(p.person_out(user), p.link_out(handed, home(request, parts))), 201)


async def change_person(request: Request, user_id: str, *, parts: AppParts = Depends(parts_of)) -> Response:
    """Changes what is named: role, address, name, networks. A change of role or networks ends their sessions."""
    given: dict[str, Any] = msgspec.structs.asdict(await wire.body(request, p.PersonChange))
    if isinstance(given["networks"], list):
        given["networks"] = tuple(given["networks"])
    user = await parts.household.people.change(user_id, Change(**given), by=_by(request))
    return wire.Json(p.person_out(user))


async def deactivate_person(request: Request, user_id: str, *, parts: AppParts = Depends(parts_of)) -> Response:
    """Ends a person's sessions and refuses their sign-ins from this moment on."""
    return wire.Json(p.person_out(await parts.household.people.deactivate(user_id, by=_by(request))))


async def reactivate_person(request: Request, user_id: str, *, parts: AppParts = Depends(parts_of)) -> Response:
    """Lets a person sign in again."""
    return wire.Json(p.person_out(await parts.household.people.reactivate(user_id, by=_by(request))))


async def reset_person(request: Request, user_id: str, *, parts: AppParts = Depends(parts_of)) -> Response:
    """A link, for a day, by which a person sets their password anew. It does not take their second factor away."""
    user = await parts.household.people.one(user_id)
    handed = await parts.household.invitations.reset(user, by=_by(request))
    return wire.Json(p.link_out(handed, home(request, parts)), 201)


async def list_sessions_of(request: Request, user_id: str, *, parts: AppParts = Depends(parts_of)) -> Response:
    """A person's sign-ins that go on, the one seen last first."""
    query, user = wire.query(request, PageQuery), await parts.household.people.one(user_id)
    found, after = await parts.household.own_sign_in.sessions(user.id, limit=query.limit, cursor=query.cursor)
    return wire.Json(s.Page([p.session_out(one) for one in found], after))


async def end_sessions_of(request: Request, user_id: str, *, parts: AppParts = Depends(parts_of)) -> Response:
    """Ends all sessions of a person."""
    people, by = parts.household.people, _by(request)
    user = await people.one(user_id)
    people.check_rank(by, user.role)
    await people.end_sessions(user.id)
    return Response(status_code=204)


async def take_away_two_factor(request: Request, user_id: str, *, parts: AppParts = Depends(parts_of)) -> Response:
    """Takes a person's second factor away, whose device and codes are lost: for a super-admin alone."""
    user = await parts.household.people.one(user_id)
    await parts.household.own_sign_in.take_away(user, by=_by(request))
    return Response(status_code=204)


async def list_invitations(parts: AppParts = Depends(parts_of)) -> Response:
    """The invitations that can still be accepted, newest first."""
    found = await parts.household.invitations.pending()
    return wire.Json(s.Page(list(map(p.invitation_out, found))))


async def invite_person(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """A link, shown once, by which somebody becomes a person of that role."""
    given = await wire.body(request, p.InviteIn)
    invitations = parts.household.invitations
    handed = await invitations.invite(given.role, email=given.email, hours=given.hours, by=_by(request))
    link = p.link_out(handed, home(request, parts))
    return wire.Json(p.InvitedOut(p.invitation_out(handed.link), link), 201)


async def revoke_invitation(request: Request, invitation_id: str, *, parts: AppParts = Depends(parts_of)) -> Response:
    """Takes an invitation back."""
    await parts.household.invitations.revoke(invitation_id, by=_by(request))
    return Response(status_code=204)


def _by(request: Request) -> Actor:
    by = principal(request)
    return Actor(by.user.id, by.user.role, **caller(request))


_ADMIN: dict[str, Any] = {"needs": Permission.ADMIN, "tag": "users"}
ENDPOINTS = (
    Endpoint(method="GET", path=_PATH, handler=list_people, summary="People", query=p.PeopleQuery,
             answers={200: s.Page[p.PersonOut]}, **_ADMIN),
    Endpoint(method="POST", path=_PATH, handler=create_person, summary="Make a person", body=p.PersonIn, fresh=True,
             answers={201: p.CreatedOut}, errors=(403, 409), **_ADMIN),
    Endpoint(method="GET", path=f"{_PATH}/invitations", handler=list_invitations, summary="Open invitations",
             answers={200: s.Page[p.InvitationOut]}, **_ADMIN),
    Endpoint(method="POST", path=f"{_PATH}/invitations", handler=invite_person, summary="Invite somebody",
             body=p.InviteIn, fresh=True, answers={201: p.InvitedOut}, errors=(403,), **_ADMIN),
    Endpoint(method="DELETE", path=f"{_PATH}/invitations/{{invitation_id}}", handler=revoke_invitation,
             summary="Take an invitation back", answers={204: None}, errors=(403,), **_ADMIN),
    Endpoint(method="GET", path=_ONE, handler=get_person, summary="A person", answers={200: p.PersonOut}, **_ADMIN),
    Endpoint(method="PATCH", path=_ONE, handler=change_person, summary="Change a person", body=p.PersonChange,
             fresh=True, answers={200: p.PersonOut}, errors=(403, 409), **_ADMIN),
    Endpoint(method="POST", path=f"{_ONE}/deactivate", handler=deactivate_person, summary="Deactivate a person",
             fresh=True, answers={200: p.PersonOut}, errors=(403, 409), **_ADMIN),
    Endpoint(method="POST", path=f"{_ONE}/reactivate", handler=reactivate_person, summary="Reactivate a person",
             fresh=True, answers={200: p.PersonOut}, errors=(403,), **_ADMIN),
    Endpoint(method="POST", path=f"{_ONE}/reset", handler=reset_person, summary="A link to set a password anew",
             fresh=True, answers={201: p.LinkOut}, errors=(403,), **_ADMIN),
    Endpoint(method="GET", path=f"{_ONE}/sessions", handler=list_sessions_of, summary="A person's sessions",
             query=PageQuery, answers={200: s.Page[p.AuthSessionOut]}, **_ADMIN),
    Endpoint(method="DELETE", path=f"{_ONE}/sessions", handler=end_sessions_of, summary="End a person's sessions",
             answers={204: None}, errors=(403,), **_ADMIN),
    Endpoint(method="DELETE", path=f"{_ONE}/two-factor", handler=take_away_two_factor, fresh=True,
             summary="Take a person's second factor away", answers={204: None}, errors=(403,), **_ADMIN),
)  # fmt: skip
