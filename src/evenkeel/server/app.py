"""Puts the doors together: routes, errors, guard, streams, documentation and the web desk around the given parts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, WebSocket
from starlette.requests import Request
from starlette.responses import Response

from evenkeel.desk.risk.closes import DailyCloses
from evenkeel.server import docs, problems, wire
from evenkeel.server.api import (
    accounts,
    auth,
    backtesting,
    baskets,
    composites,
    limits,
    market,
    mtm,
    order_templates,
    positions,
    risk,
    risk_metrics,
    routing,
    searches,
    strategies,
    system,
    trading,
    walkforward,
)
from evenkeel.server.contract import PREFIX, document, mount
from evenkeel.server.counting import OrderCounter, hosts, panics, portfolios, senders
from evenkeel.server.guard import Guard, local_app
from evenkeel.server.hot import ShortWay
from evenkeel.server.listing import Listing
from evenkeel.server.parts import AppParts
from evenkeel.server.pnl import Fifo
from evenkeel.server.risk_gauges import RiskGauges
from evenkeel.server.static import StaticDesk
from evenkeel.server.streams.hub import Hub
from evenkeel.server.streams.socket import PATH, Streams
from evenkeel.telemetry.loop import LoopLag

ENDPOINTS = (
    *auth.ENDPOINTS,
    *accounts.ENDPOINTS,
    *composites.ENDPOINTS,
    *routing.ENDPOINTS,  # before the paths with an order's id
    *order_templates.ENDPOINTS,  # before the paths with an order's id, as is the next
    *baskets.ENDPOINTS,
    *positions.ENDPOINTS,
    *trading.ENDPOINTS,
    *risk.ENDPOINTS,
    *limits.ENDPOINTS,
    *mtm.ENDPOINTS,
    *risk_metrics.ENDPOINTS,
    *strategies.ENDPOINTS,
    *searches.ENDPOINTS,  # before the paths with an id in the place of theirs
    *backtesting.ENDPOINTS,
    *walkforward.ENDPOINTS,
    *market.ENDPOINTS,
    *system.ENDPOINTS,
)

__all__ = ["ENDPOINTS", "create_app", "local_app", "rebind"]


def create_app(parts: AppParts) -> FastAPI:
    """The application over `parts`, subscribed to its runner. Call it on a runner that has recovered.

    `app.state.hub.market_moved` is to be given to the feed; the lifespan starts and stops heartbeat, streams and the
    queue of backtests.
    """
    app = FastAPI(
        title="Evenkeel",
        version=parts.identity.version,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.state.parts = parts
    problems.install(app)
    mount(app, ENDPOINTS)
    app.router.add_api_websocket_route(PATH, _stream)
    if parts.doors.docs:
        app.router.add_route(f"{PREFIX}/openapi.json", _openapi, methods=["GET"], include_in_schema=False)
        docs.install(app)
    app.router.default = StaticDesk(parts.doors.static)
    app.add_middleware(ShortWay)
    app.add_middleware(Guard, hosts=parts.doors.hosts)
    _bind(app, parts)
    return app


def _bind(app: FastAPI, parts: AppParts) -> None:
    hub, listing = Hub(parts), Listing(parts.runner.state)
    app.state.hub, app.state.listing, app.state.fifo = hub, listing, Fifo()
    app.state.closes = DailyCloses(parts.bars)
    app.state.gauges = RiskGauges(parts, app.state.closes)
    app.state.streams = Streams(parts, hub, listing)
    for subscriber in (listing, hub, OrderCounter(parts.metrics)):
        parts.runner.subscribe(subscriber)
    parts.backtests.on_change = hub.backtest_changed
    parts.metrics.watch_portfolios(lambda: portfolios(parts.runner.state))
    parts.metrics.watch_risks(lambda: app.state.gauges.risks)
    parts.metrics.watch_sending(lambda: senders(parts.runner), lambda: panics(parts.runner.state))
    parts.metrics.watch_hosts(lambda: hosts(parts.feed))
    parts.metrics.watch_journal(lambda: (parts.runner.committed_seq, hub.lag))


async def rebind(app: FastAPI) -> None:
    """After `parts.runner` or `parts.feed` have been exchanged: every stream starts anew (1012) on the new ones."""
    await app.state.streams.stop()
    _bind(app, app.state.parts)
    app.state.streams.start()


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    parts: AppParts = app.state.parts

    def report(seconds: float) -> None:
        parts.metrics.loop_lag = seconds

    lag = LoopLag(report)
    lag.start()
    await parts.backtests.start()
    app.state.streams.start()
    try:
        yield
    finally:
        await app.state.streams.stop()
        await parts.backtests.stop()
        await lag.stop()


async def _stream(socket: WebSocket) -> None:
    streams = socket.app.state.streams
    assert isinstance(streams, Streams)
    await streams.serve(socket)


async def _openapi(request: Request) -> Response:
    return wire.Json(document(ENDPOINTS, request.app.version))
