"""The installation: status, the feed's controls, events; and health, readiness and metrics outside /api."""

from ipaddress import ip_address

from fastapi import Depends, Request, Response

from evenkeel.desk.permissions import Permission
from evenkeel.domain.errors import Conflict, Forbidden
from evenkeel.server import requests, status, wire
from evenkeel.server import schemas as s
from evenkeel.server.contract import PREFIX, Endpoint
from evenkeel.server.gate import identified
from evenkeel.server.listing import page
from evenkeel.server.parts import AppParts
from evenkeel.server.scope import LOCAL, Tenant, parts_of, tenant
from evenkeel.server.streams.hub import Hub
from evenkeel.telemetry.metrics import CONTENT_TYPE

_PATH = f"{PREFIX}/system"


async def get_status(request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """Version, clock, feed, journal and how many accounts are ready."""
    wire.query(request, requests.NoQuery)
    return wire.Json(status.status(parts, await parts.history.lag()))


async def list_hosts(request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)) -> Response:
    """Where strategies run: processes, what is in them, how often they were started again, and how fast they answer."""
    wire.query(request, requests.NoQuery)
    return wire.Json(s.Page(status.hosts(parts.feed, seen)))


async def change_feed(
    request: Request, seen: Tenant = Depends(tenant), parts: AppParts = Depends(parts_of)
) -> Response:
    """Pauses, resumes, speeds up or slows down the feed. `restart` starts the demo over from its first day."""
    given = await wire.body(request, requests.FeedChange)
    fields = wire.Fields()
    speed = fields.number("speed", given.speed, "not-negative")
    if not fields.faults and given.action is None and speed is None:
        fields.fault("action", "give an action, a speed, or both")
    if speed is not None and speed > 1000:
        fields.fault("speed", "at most 1000 slices a second")
    fields.check("the feed stays as it is")
    await _steer(parts, given.action)
    if speed is not None:
        parts.feed.set_speed(speed)
    return wire.Json(status.feed(parts.feed, parts.runner.state))


async def _steer(parts: AppParts, action: str | None) -> None:
    feed = parts.feed
    if action is not None and feed.kind == "none":
        raise Conflict("there is no feed here")
    if action == "restart" and parts.identity.mode != "demo":
        raise Conflict("only the demo can be started over")
    match action:
        case "pause" if feed.state != "paused":
            feed.pause()
        case "resume" if feed.state != "running":
            feed.resume()
        case "restart":
            await feed.restart()


async def list_events(request: Request, seen: Tenant = Depends(tenant)) -> Response:
    """What happened, in words, newest first: fills, refusals, alerts, splits, days. The newest few thousand."""
    query = wire.query(request, requests.PageQuery)
    hub = request.app.state.hub
    assert isinstance(hub, Hub)
    found = page_of_events(hub, seen, limit=query.limit, cursor=query.cursor)
    return wire.Json(found)


def page_of_events(hub: Hub, seen: Tenant, *, limit: int, cursor: str | None) -> s.Page[s.EventOut]:
    log = hub.log
    keys = range(log.first, log.first + len(log.events))

    def take(place: int) -> s.EventOut | None:
        event = log.events[place - log.first]
        return event if seen.sees_event(event) else None

    if cursor is not None and cursor.isdigit() and len(cursor) < 18:
        cursor = str(max(0, int(cursor) - log.first))
    found = page(keys, take, limit=limit, cursor=cursor)
    if found.next_cursor is not None:
        found.next_cursor = str(int(found.next_cursor) + log.first)
    return found


async def healthz() -> Response:
    """Alive: the process answers."""
    return wire.Json(status.Health("ok"))


async def readyz(parts: AppParts = Depends(parts_of)) -> Response:
    """Ready: the journal takes commits, every account is reconciled, projections follow."""
    found = await status.readiness(parts)
    return wire.Json(found, 200 if found.ready else 503)


async def metrics(request: Request, parts: AppParts = Depends(parts_of)) -> Response:
    """Prometheus metrics: without a sign-in from this machine only."""
    if not _is_near(request):
        by, _ = await identified(request, parts)
        if not by.is_admin:
            raise Forbidden(f"reading the metrics from elsewhere needs the permission {Permission.ADMIN}")
    await request.app.state.gauges.refresh()
    return Response(parts.metrics.render(), media_type=CONTENT_TYPE)


def _is_near(request: Request) -> bool:
    if request.scope.get(LOCAL):
        return True
    try:
        near = request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False
    return near and "x-forwarded-for" not in request.headers


ENDPOINTS = (
    Endpoint(method="GET", path=f"{_PATH}/status", handler=get_status, needs=Permission.READ, summary="Status",
             tag="system", query=requests.NoQuery, answers={200: status.StatusOut}),
    Endpoint(method="GET", path=f"{_PATH}/hosts", handler=list_hosts, needs=Permission.READ, summary="Strategy hosts",
             tag="system", query=requests.NoQuery, answers={200: s.Page[status.HostOut]}),
    Endpoint(method="POST", path=f"{_PATH}/feed", handler=change_feed, needs=Permission.ADMIN,
             summary="Steer the feed", tag="system", body=requests.FeedChange, answers={200: s.FeedOut},
             errors=(403, 409)),
    Endpoint(method="GET", path=f"{_PATH}/events", handler=list_events, needs=Permission.READ, summary="Events",
             tag="system", query=requests.PageQuery, answers={200: s.Page[s.EventOut]}),
    Endpoint(method="GET", path="/healthz", handler=healthz, summary="Alive", tag="health",
             answers={200: status.Health}, public=True),
    Endpoint(method="GET", path="/readyz", handler=readyz, summary="Ready", tag="health",
             answers={200: status.ReadyOut, 503: status.ReadyOut}, public=True),
    Endpoint(method="GET", path="/metrics", handler=metrics, summary="Metrics", tag="health",
             answers={200: str}, errors=(401, 403), public=True),
)  # fmt: skip
