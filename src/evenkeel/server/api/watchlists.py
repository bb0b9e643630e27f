"""Watchlists: a person's own lists of instruments, with quotes beside them."""

import time

from fastapi import Depends, Request, Response
from msgspec import UnsetType
from msgspec.structs import replace

from evenkeel.desk.permissions import Permission
from evenkeel.domain.errors import Conflict, NotFound
from evenkeel.domain.ids import Random
from evenkeel.domain.watchlists import MOST_LISTS, Watched, Watchlist
from evenkeel.server import schemas as s
from evenkeel.server import watchlists as w
from evenkeel.server import wire
from evenkeel.server.api.trading import find_instrument
from evenkeel.server.contract import PREFIX, Endpoint, Link
from evenkeel.server.parts import AppParts
from evenkeel.server.requests import NoQuery
from evenkeel.server.scope import Tenant, parts_of, tenant

_PATH = f"{PREFIX}/watchlists"
_ONE = f"{_PATH}/{{watchlist_id}}"
_ENTRY = f"{_ONE}/{{instrument_id}}"


async def list_watchlists(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Your lists, by name."""
    wire.query(request, NoQuery)
    now = parts.runner.clock.now()
    found = await parts.watchlists.all(seen.user.id)
    return wire.Json(s.Page([w.watchlist(seen.state, one, now=now) for one in found]))


async def get_watchlist(
    watchlist_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """One list with the quotes of now."""
    return _shown(seen, parts, await _found(seen, parts, watchlist_id))


def _shown(seen: Tenant, parts: AppParts, this: Watchlist, status: int = 200) -> Response:
    headers = {"location": f"{_PATH}/{this.id}"} if status == 201 else None
    return wire.Json(w.watchlist(seen.state, this, now=parts.runner.clock.now()), status, headers)


async def _found(seen: Tenant, parts: AppParts, watchlist_id: str) -> Watchlist:
    """Raises NotFound."""
    found = await parts.watchlists.find(seen.user.id, watchlist_id)
    if found is None:
        raise NotFound(f"there is no watchlist {watchlist_id!r}", hint=f"GET {_PATH} lists them.")
    return found


async def create_watchlist(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """A new list, with its first instruments in this order."""
    given, fields, now = await wire.body(request, w.NewWatchlist), wire.Fields(), time.time_ns()
    found = [
        find_instrument(seen.state, symbol, None, fields=fields, field=f"symbols.{place}")
        for place, symbol in enumerate(given.symbols)
    ]
    fields.check("the list is not valid")
    if len(await parts.watchlists.all(seen.user.id)) >= MOST_LISTS:
        raise Conflict(f"you have {MOST_LISTS} watchlists, and no more are kept", hint="Remove one first.")
    empty = Watchlist(Random().public(now, 0, "watchlist"), seen.user.id, given.name, (), now, now)
    made = empty.adding([Watched(one) for one in found], at=now)
    await parts.watchlists.add(made)
    return _shown(seen, parts, made, 201)


async def rename_watchlist(
    watchlist_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Gives a list another name."""
    given = await wire.body(request, w.WatchlistChange)
    known = await _found(seen, parts, watchlist_id)
    return await _saved(seen, parts, replace(known, name=given.name, updated_at=time.time_ns()), known=known)


async def _saved(seen: Tenant, parts: AppParts, now: Watchlist, *, known: Watchlist, status: int = 200) -> Response:
    await parts.watchlists.replace(now, known=known)
    return _shown(seen, parts, now, status)


async def remove_watchlist(
    watchlist_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Forgets a list."""
    if not await parts.watchlists.remove(seen.user.id, watchlist_id):
        await _found(seen, parts, watchlist_id)
    return Response(status_code=204)


async def watch_instrument(
    watchlist_id: str, request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Adds an instrument at the end of a list. 409 for one that it has."""
    given, fields = await wire.body(request, w.WatchIn), wire.Fields()
    known = await _found(seen, parts, watchlist_id)
    instrument_id = find_instrument(seen.state, given.symbol, given.venue, fields=fields)
    fields.check("the instrument is not valid")
    now = known.adding([Watched(instrument_id, given.note)], at=time.time_ns())
    return await _saved(seen, parts, now, known=known, status=201)


async def change_watched(
    watchlist_id: str,
    instrument_id: str,
    request: Request,
    seen: Tenant = Depends(tenant),
    parts: AppParts = Depends(parts_of),
) -> Response:
    """Changes the note on an instrument, or moves it to another place of its list."""
    given, at = await wire.body(request, w.WatchChange), time.time_ns()
    known = now = await _found(seen, parts, watchlist_id)
    now.place_of(instrument_id)
    if not isinstance(given.note, UnsetType):
        now = now.with_note(instrument_id, given.note, at=at)
    if not isinstance(given.place, UnsetType):
        now = now.moved(instrument_id, given.place, at=at)
    return await _saved(seen, parts, now, known=known)


async def unwatch_instrument(
    watchlist_id: str, instrument_id: str, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Takes an instrument off a list."""
    known = await _found(seen, parts, watchlist_id)
    return await _saved(seen, parts, known.without(instrument_id, at=time.time_ns()), known=known)


ENDPOINTS = (
    Endpoint(method="GET", path=_PATH, handler=list_watchlists, needs=Permission.READ, summary="Watchlists",
             tag="watchlists", query=NoQuery, answers={200: s.Page[w.WatchlistOut]}),
    Endpoint(method="POST", path=_PATH, handler=create_watchlist, needs=Permission.SELF, summary="Make a watchlist",
             tag="watchlists", body=w.NewWatchlist, answers={201: w.WatchlistOut}, errors=(409,),
             links=(Link("get_watchlist", "watchlist_id"),)),
    Endpoint(method="GET", path=_ONE, handler=get_watchlist, needs=Permission.READ, summary="A watchlist",
             tag="watchlists", answers={200: w.WatchlistOut}),
    Endpoint(method="PATCH", path=_ONE, handler=rename_watchlist, needs=Permission.SELF, summary="Rename a watchlist",
             tag="watchlists", body=w.WatchlistChange, answers={200: w.WatchlistOut}, errors=(409,)),
    Endpoint(method="DELETE", path=_ONE, handler=remove_watchlist, needs=Permission.SELF, summary="Forget a watchlist",
             tag="watchlists", answers={204: None}),
    Endpoint(method="POST", path=_ONE, handler=watch_instrument, needs=Permission.SELF, summary="Watch an instrument",
             tag="watchlists", body=w.WatchIn, answers={201: w.WatchlistOut}, errors=(409,)),
    Endpoint(method="PATCH", path=_ENTRY, handler=change_watched, needs=Permission.SELF,
             summary="Note on, or move, an instrument", tag="watchlists", body=w.WatchChange,
             answers={200: w.WatchlistOut}, errors=(409,)),
    Endpoint(method="DELETE", path=_ENTRY, handler=unwatch_instrument, needs=Permission.SELF,
             summary="Watch an instrument no more", tag="watchlists", answers={200: w.WatchlistOut}, errors=(409,)),
)  # fmt: skip
