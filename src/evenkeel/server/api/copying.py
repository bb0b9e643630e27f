"""Copy links: proposing and accepting them, their terms, how followers stand, and bringing them in step."""

import time
from collections.abc import Sequence

from fastapi import Depends, Request, Response

from evenkeel.desk.copytrading.targets import targets
from evenkeel.desk.permissions import Permission
from evenkeel.domain import copying as d
from evenkeel.domain.commands import AlignCopy, ChangeCopyLink, OpenCopyLink
from evenkeel.domain.copying import CopyChange, CopyFilter, CopyLink, SymbolRule
from evenkeel.domain.errors import Forbidden, NotFound
from evenkeel.domain.ids import Random
from evenkeel.domain.money import ONE
from evenkeel.domain.positions import Position
from evenkeel.server import copy_requests as q
from evenkeel.server import copying as c
from evenkeel.server import schemas as s
from evenkeel.server import wire
from evenkeel.server.api.trading import find_instrument
from evenkeel.server.contract import PREFIX, Endpoint, Link
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import Tenant, parts_of, tenant
from evenkeel.trading.engine.copying.aligning import alignments
from evenkeel.trading.engine.copying.links import LinkState

_PATH = f"{PREFIX}/accounts/copy"
_LINK = f"{_PATH}/{{link_id}}"


def link_of(seen: Tenant, link_id: str) -> LinkState:
    """A link of this person's. Raises NotFound."""
    one = seen.state.copying.links.get(link_id)
    if one is None or one.link.removed or not c.sees(seen, one):
        raise NotFound(f"there is no copy link {link_id!r}")
    return one


def _as_follower(seen: Tenant, link_id: str) -> LinkState:
    """Raises Forbidden for whoever has the master's account only: what the follower does is for its own side."""
    one = link_of(seen, link_id)
    if not seen.owns(one.link.follower_id):
        raise Forbidden("only whoever has the follower account may do this")
    return one


async def open_copy_link(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Links a follower account to a master account. Between two accounts of yours it copies at once; where one is
    somebody else's, once they have accepted. 409 for a circle, and for what another link of the two copies already."""
    given = await wire.body(request, q.NewCopyLink, most=wire.MAX_MANY)
    fields, received = wire.Fields(), time.time_ns()
    mine = [seen.owns(account_id) for account_id in (given.master_id, given.follower_id)]
    if not any(mine):
        fields.fault("follower_id", "one of the two accounts must be yours")
    elif not all(name in seen.state.accounts for name in (given.master_id, given.follower_id)):
        fields.fault("master_id" if mine[1] else "follower_id", "there is no such account")
    link = CopyLink(
        id=Random().public(received, 0, "copy"),
        master_id=given.master_id,
        follower_id=given.follower_id,
        mode=given.mode,
        proposed_by=seen.user.id,
        filter=CopyFilter(
            instrument_ids=_instruments(seen, given.symbols, fields=fields),
            asset_classes=tuple(given.asset_classes),
            books=tuple(given.books),
            side=given.side,
            windows=q.windows(given.windows),
        ),
        symbols=_symbols(seen, given.symbol_map, fields=fields),
        product=given.product,
        terms=q.terms(given, d.CopyTerms(), fields=fields),
        accepted=all(mine),
    )
    fields.check("the copy link is not valid")
    await parts.runner.submit(OpenCopyLink(link=link, provenance=seen.provenance(received)))
    return await _answer(parts, seen, link_id=link.id, status=201)


def _instruments(seen: Tenant, names: Sequence[str], *, fields: wire.Fields) -> tuple[str, ...]:
    """Instruments by their symbols, or by their ids."""
    known = seen.state.instruments
    return tuple(
        name if name in known else find_instrument(seen.state, name, None, fields=fields, field=f"symbols.{place}")
        for place, name in enumerate(names)
    )


def _symbols(seen: Tenant, given: Sequence[q.SymbolRuleIn], *, fields: wire.Fields) -> dict[str, SymbolRule]:
    found = {}
    for place, one in enumerate(given):
        at = f"symbol_map.{place}"
        name = find_instrument(seen.state, one.symbol, one.venue, fields=fields, field=f"{at}.symbol")
        other = find_instrument(seen.state, one.to, one.to_venue, fields=fields, field=f"{at}.to")
        quantity, price = fields.number(f"{at}.quantity", one.quantity), fields.number(f"{at}.price", one.price)
        found[name] = SymbolRule(other, quantity or ONE, price or ONE)
    return found


async def _answer(parts: AppParts, seen: Tenant, *, link_id: str, status: int = 200) -> Response:
    now = seen.at(parts.runner.state).to(Permission.READ)
    headers = {"location": f"{_PATH}/{link_id}"} if status == 201 else None
    [told] = await _shown(parts, now, [now.state.copying.links[link_id]])
    return wire.Json(told, status, headers)


async def _shown(parts: AppParts, seen: Tenant, found: Sequence[LinkState]) -> list[c.CopyLinkOut]:
    """Links with the names of who has made them."""
    people = [await parts.shares.users.by_id(name) for name in {one.link.proposed_by for one in found}]
    names = {one.id: one.username for one in people if one is not None}
    return [c.link(seen, one, names) for one in found]


async def list_copy_links(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Every link from or to an account of yours, with how its follower stands, also those that were proposed."""
    query = wire.query(request, q.CopiesQuery)
    found = [one for one in c.links_of(seen) if query.account_id in (None, one.link.master_id, one.link.follower_id)]
    return wire.Json(s.Page(await _shown(parts, seen, found)))


async def get_copy_link(link_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """One link: its terms, who has made it, and each of the master's positions beside its copy."""
    [told] = await _shown(parts, seen, [link_of(seen, link_id)])
    return wire.Json(told)


async def change_copy_link(
    link_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Changes sizing, risk, slippage or age from the next event on. For the follower's side."""
    one, fields = _as_follower(seen, link_id), wire.Fields()
    changed = q.terms(await wire.body(request, q.CopyTermsChange, most=wire.MAX_MANY), one.link.terms, fields=fields)
    fields.check("the terms are not valid")
    return await _change(parts, seen, link_id=link_id, change=CopyChange(terms=changed))


async def _change(parts: AppParts, seen: Tenant, *, link_id: str, change: CopyChange) -> Response:
    provenance = seen.provenance(time.time_ns())
    await parts.runner.submit(ChangeCopyLink(link_id=link_id, change=change, provenance=provenance))
    return await _answer(parts, seen, link_id=link_id)


async def accept_copy_link(
    link_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Accepts a link that somebody else has proposed to an account of yours. It copies what the master does from then
    on. 403 for whoever proposed it."""
    one = link_of(seen, link_id)
    if not one.link.accepted and one.link.proposed_by == seen.user.id:
        raise Forbidden("you have proposed this link: the owner of the other account accepts it")
    return await _change(parts, seen, link_id=link_id, change=CopyChange(accepted=True))


async def pause_copy_link(
    link_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Has a link open nothing until it is resumed. What the master closes, changes and cancels is still copied."""
    link_of(seen, link_id)
    return await _change(parts, seen, link_id=link_id, change=CopyChange(paused=True))


async def resume_copy_link(
    link_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Has a link copy everything again from now on. What it has missed shows as drift; resync makes up for it."""
    _as_follower(seen, link_id)
    return await _change(parts, seen, link_id=link_id, change=CopyChange(paused=False))


async def remove_copy_link(
    link_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Ends a link for good, or declines one that was proposed. Positions and working orders of the follower stay."""
    link_of(seen, link_id)
    return await _change(parts, seen, link_id=link_id, change=CopyChange(removed=True))


async def resync_copy_link(
    link_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Brings a follower to where it would be had it followed from the beginning, sized as of now, by orders at the
    market; with `preview` only says what would be ordered."""
    one, fields = _as_follower(seen, link_id), wire.Fields()
    given = await wire.body(request, q.ResyncIn, most=wire.MAX_MANY)
    only = _instruments(seen, given.symbols, fields=fields) if given.symbols else None
    fields.check("the request is not valid")
    return wire.Json(await _aligned(parts, seen, one=one, only=only, preview=given.preview))


async def _aligned(
    parts: AppParts, seen: Tenant, *, one: LinkState, only: Sequence[str] | None, preview: bool
) -> c.ResyncOut:
    wanted, unsized = targets(seen.state, one, volatility=parts.volatility, only=only)
    found, order_ids = alignments(seen.state, one, targets=wanted), list[str]()
    if not preview:
        command = AlignCopy(link_id=one.link.id, targets=tuple(wanted), provenance=seen.provenance(time.time_ns()))
        outcome = await parts.runner.submit(command)
        order_ids = [part.order_id for part in outcome.parts]
    return c.resync(seen, one, found=found, order_ids=order_ids, unsized=unsized)


async def replicate_position(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Has followers hold one position of a master as it is now: every follower of yours, or those of some links."""
    given = await wire.body(request, q.ReplicateIn, most=wire.MAX_MANY)
    fields = wire.Fields()
    name = find_instrument(seen.state, given.symbol, given.venue, fields=fields)
    fields.check("the request is not valid")
    chosen = [_as_follower(seen, link_id) for link_id in given.link_ids] or [
        one for one in c.links_of(seen) if one.follows and not one.link.paused and seen.owns(one.link.follower_id)
    ]
    asset_class = seen.state.instruments[name].asset_class
    held = {position.key.book for position in _positions(seen, given.master_id, instrument_id=name)}
    found = [
        one
        for one in chosen
        if one.link.master_id == given.master_id
        and (name in one.legs or any(one.link.filter.covers(book, name, asset_class=asset_class) for book in held))
    ]
    if not found:
        raise NotFound("no link of yours copies this position", hint="GET /api/v2/accounts/copy lists the links.")
    answers = [await _aligned(parts, seen, one=one, only=[name], preview=given.preview) for one in found]
    return wire.Json(s.Page(answers))


def _positions(seen: Tenant, account_id: str, *, instrument_id: str) -> list[Position]:
    held = seen.state.accounts.get(account_id)
    return [] if held is None else list(held.positions.of(instrument_id))


async def list_copy_events(
    link_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """What a link has made of each event of its master, newest first, with the reason of every skip."""
    one, query = _as_follower(seen, link_id), wire.query(request, q.CopyEventsQuery)
    rows, cursor = await parts.history.copies(
        one.link.id, skipped=query.skipped, limit=query.limit, cursor=query.cursor
    )
    return wire.Json(s.Page([c.event(seen.state, row) for row in rows], cursor))


_LINKS = (Link("get_copy_link", "link_id"), Link("pause_copy_link", "link_id"), Link("remove_copy_link", "link_id"))
_READ, _REDUCE, _TRADE, _MANAGE = Permission.READ, Permission.REDUCE, Permission.TRADE, Permission.MANAGE
ENDPOINTS = (
    Endpoint(method="POST", path=_PATH, handler=open_copy_link, summary="Link a follower to a master", tag="accounts",
             body=q.NewCopyLink, answers={201: c.CopyLinkOut}, errors=(404, 409), links=_LINKS, needs=_MANAGE),
    Endpoint(method="GET", path=_PATH, handler=list_copy_links, summary="Copy links", tag="accounts",
             query=q.CopiesQuery, answers={200: s.Page[c.CopyLinkOut]}, needs=_READ),
    Endpoint(method="POST", path=f"{_PATH}/replicate", handler=replicate_position,
             summary="Have followers hold one position", tag="accounts", body=q.ReplicateIn,
             answers={200: s.Page[c.ResyncOut]}, errors=(403, 404, 409), needs=_TRADE),
    Endpoint(method="GET", path=_LINK, handler=get_copy_link, summary="A copy link", tag="accounts",
             answers={200: c.CopyLinkOut}, needs=_READ),
    Endpoint(method="PATCH", path=_LINK, handler=change_copy_link, summary="Change a copy link's terms",
             tag="accounts", body=q.CopyTermsChange, answers={200: c.CopyLinkOut}, errors=(403,), needs=_MANAGE),
    Endpoint(method="DELETE", path=_LINK, handler=remove_copy_link, summary="Remove a copy link", tag="accounts",
             answers={200: c.CopyLinkOut}, needs=_REDUCE),
    Endpoint(method="POST", path=f"{_LINK}/accept", handler=accept_copy_link, summary="Accept a copy link",
             tag="accounts", answers={200: c.CopyLinkOut}, errors=(403,), needs=_MANAGE),
    Endpoint(method="POST", path=f"{_LINK}/pause", handler=pause_copy_link, summary="Pause a copy link",
             tag="accounts", answers={200: c.CopyLinkOut}, needs=_REDUCE),
    Endpoint(method="POST", path=f"{_LINK}/resume", handler=resume_copy_link, summary="Resume a copy link",
             tag="accounts", answers={200: c.CopyLinkOut}, errors=(403,), needs=_TRADE),
    Endpoint(method="POST", path=f"{_LINK}/resync", handler=resync_copy_link, summary="Bring a follower in step",
             tag="accounts", body=q.ResyncIn, answers={200: c.ResyncOut}, errors=(403, 409), needs=_TRADE),
    Endpoint(method="GET", path=f"{_LINK}/events", handler=list_copy_events, summary="What a copy link has done",
             tag="accounts", query=q.CopyEventsQuery, answers={200: s.Page[c.CopyEventOut]}, errors=(403,),
             needs=_READ, projected=True),
)  # fmt: skip
