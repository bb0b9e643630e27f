"""API keys of whoever is signed in: making, listing, rotating and revoking them. No key may do any of it."""

import time

from fastapi import Depends, Request, Response
from msgspec.structs import asdict

from evenkeel.desk.keys import KeyTerms
from evenkeel.desk.permissions import Permission
from evenkeel.domain.errors import InvalidInput
from evenkeel.server import access, requests, wire
from evenkeel.server import schemas as s
from evenkeel.server.api.accounts import unknown_account
from evenkeel.server.contract import PREFIX, Endpoint, Link
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant, parts_of, tenant
from evenkeel.server.streams.socket import Streams

_PATH = f"{PREFIX}/auth/keys"


async def list_keys(request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """Your API keys, the newest first, those that have ended too; and when and from where each was last used."""
    wire.query(request, requests.NoQuery)
    now = time.time_ns()
    return wire.Json(s.Page([access.key_out(one, now) for one in await parts.keys.of(seen.user.id)]))


async def create_key(request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """Makes an API key. Its secrets are in this answer and nowhere else: keep them now."""
    given = await wire.body(request, access.NewKeyIn)
    reading = seen.to(Permission.READ)
    faults = tuple(
        unknown_account(reading, f"accounts.{place}", account_id)
        for place, account_id in enumerate(given.accounts)
        if not reading.owns(account_id)
    )
    if faults:
        raise InvalidInput("the key cannot be made", errors=faults)
    terms = KeyTerms(
        name=given.name,
        scope=Permission(given.scope),
        days=given.days,
        accounts=tuple(dict.fromkeys(given.accounts)),
        networks=tuple(given.networks),
        signed=given.signed,
    )
    made = await parts.keys.create(seen.by, terms)
    shown = access.new_key_out(made, time.time_ns())
    await _note(parts, seen, action="key.create", key_id=made.key.id, after=shown.key)
    return wire.Json(shown, 201)


async def rotate_key(
    key_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Makes a new key on the terms of this one, which ends now or after an overlap. 409 for one that has ended."""
    given = await wire.body(request, access.RotationIn)
    made = await parts.keys.rotate(seen.user.id, key_id, overlap_hours=given.overlap_hours)
    shown = access.new_key_out(made, time.time_ns())
    await _note(parts, seen, action="key.rotate", key_id=key_id, after=shown.key)
    if not given.overlap_hours:
        _streams(request).end_key(key_id)
    return wire.Json(shown, 201)


async def revoke_key(
    key_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Ends a key at once, and the streams that it has opened."""
    ended = await parts.keys.revoke(seen.user.id, key_id)
    _streams(request).end_key(key_id)
    await _note(parts, seen, action="key.revoke", key_id=key_id)
    return wire.Json(access.key_out(ended, time.time_ns()))


async def _note(parts: AppParts, seen: Tenant, *, action: str, key_id: str, after: access.KeyOut | None = None) -> None:
    await parts.trail.note(seen.user.id, action, subject=key_id, after=None if after is None else asdict(after))


def _streams(request: Request) -> Streams:
    found = request.app.state.streams
    assert isinstance(found, Streams)
    return found


_LINKS = (Link("rotate_key", "key_id", "key/id"), Link("revoke_key", "key_id", "key/id"))
ENDPOINTS = (
    Endpoint(method="GET", path=_PATH, handler=list_keys, needs=Permission.SELF, summary="Your API keys", tag="auth",
             query=requests.NoQuery, answers={200: s.Page[access.KeyOut]}),
    Endpoint(method="POST", path=_PATH, handler=create_key, needs=Permission.SELF, fresh=True,
             summary="Make an API key", tag="auth", body=access.NewKeyIn, answers={201: access.NewKeyOut},
             errors=(409,), links=_LINKS),
    Endpoint(method="POST", path=f"{_PATH}/{{key_id}}/rotate", handler=rotate_key, needs=Permission.SELF, fresh=True,
             summary="Rotate an API key", tag="auth", body=access.RotationIn, answers={201: access.NewKeyOut},
             errors=(409,)),
    Endpoint(method="DELETE", path=f"{_PATH}/{{key_id}}", handler=revoke_key, needs=Permission.SELF,
             summary="Revoke an API key", tag="auth", answers={200: access.KeyOut}),
)  # fmt: skip
