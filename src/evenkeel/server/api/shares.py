"""Accounts lent to other people: lending one, listing what was lent and received, and ending it on either side."""

from fastapi import Depends, Request, Response

from evenkeel.desk.permissions import Permission
from evenkeel.desk.shares import Share
from evenkeel.server import access, requests, wire
from evenkeel.server import schemas as s
from evenkeel.server.contract import PREFIX, Endpoint, Link
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant, parts_of, tenant

_PATH = f"{PREFIX}/shares"


async def list_shares(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """The accounts that you have lent to others, and those that were lent to you."""
    wire.query(request, requests.NoQuery)
    found = [one for one in parts.shares.of(seen.user.id) if seen.owns(one.account_id)]
    return wire.Json(s.Page([await _shown(parts, seen, share=one) for one in found]))


async def share_account(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Lends an account of yours to another person, to read, to reduce, or to trade; asked again for the same person, it
    changes what they may do. Nobody can be lent more than their role allows: a viewer only reads. Limits, cash and
    credentials stay yours alone."""
    given = await wire.body(request, access.NewShare)
    account = seen.account(given.account_id).account
    permission = Permission(given.permission)
    share = await parts.shares.lend(account.id, account.user_id, to=given.username, permission=permission)
    after = {"account_id": account.id, "user_id": share.user_id, "permission": permission}
    await parts.trail.note(seen.user.id, "share.lend", subject=share.id, after=after)
    return wire.Json(await _shown(parts, seen, share=share), 201)


async def end_share(share_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """Ends a share at once, whether you lent the account or received it."""
    share = await parts.shares.end(seen.user.id, share_id)
    before = {"account_id": share.account_id, "user_id": share.user_id, "permission": share.permission}
    await parts.trail.note(seen.user.id, "share.end", subject=share.id, before=before)
    return Response(status_code=204)


async def _shown(parts: AppParts, seen: Tenant, *, share: Share) -> access.ShareOut:
    owner, to = [await parts.shares.users.by_id(one) for one in (share.owner_id, share.user_id)]
    account = seen.state.accounts[share.account_id].account.name
    mine, owner_name = share.owner_id == seen.user.id, owner.username if owner is not None else ""
    return access.share_out(share, account=account, owner=owner_name, to=to, mine=mine)


_LINKS = (Link("end_share", "share_id"),)
ENDPOINTS = (
    Endpoint(method="GET", path=_PATH, handler=list_shares, needs=Permission.READ, summary="Shared accounts",
             tag="accounts", query=requests.NoQuery, answers={200: s.Page[access.ShareOut]}),
    Endpoint(method="POST", path=_PATH, handler=share_account, needs=Permission.MANAGE, fresh=True,
             summary="Share an account", tag="accounts", body=access.NewShare, answers={201: access.ShareOut},
             errors=(404, 409), links=_LINKS),
    Endpoint(method="DELETE", path=f"{_PATH}/{{share_id}}", handler=end_share, needs=Permission.SELF,
             summary="End a share", tag="accounts", answers={204: None}),
)  # fmt: skip
