"""Puts the doors together: routes, errors, guard, streams, documentation and the web desk around the given parts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI, WebSocket
from starlette.requests import Request
from starlette.responses import Response

from evenkeel.desk.portfolios.trips import Trips
from evenkeel.desk.risk.closes import DailyCloses
from evenkeel.desk.taxes.books import LotBooks
from evenkeel.domain.errors import EvenkeelError
from evenkeel.server import docs, problems, wire
from evenkeel.server.api import (
    account_groups,
    accounts,
    audit,
    auth,
    backtesting,
    backups,
    baskets,
    composites,
    consolidated,
    copying,
    credentials,
    keys,
    limits,
    market,
    mtm,
    myself,
    order_templates,
    portfolio,
    portfolio_history,
    positions,
    rebalance_schedules,
    rebalancing,
    risk,
    risk_metrics,
    routing,
    searches,
    shares,
    strategies,
    system,
    taxes,
    trading,
    users,
    vault,
    walkforward,
    watchlists,
    webhooks,
)
from evenkeel.server.contract import PREFIX, document
from evenkeel.server.counting import OrderCounter, hosts, panics, portfolios, senders, silence
from evenkeel.server.gate import mount
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

log = structlog.get_logger(__name__)
USES_EVERY = 60.0
ENDPOINTS = (
    *auth.ENDPOINTS,
    *myself.ENDPOINTS,
    *users.ENDPOINTS,
    *keys.ENDPOINTS,
    *shares.ENDPOINTS,
    *audit.ENDPOINTS,
    *vault.ENDPOINTS,
    *credentials.ENDPOINTS,  # before the paths with an account's id
    *consolidated.ENDPOINTS,  # before the paths with an account's id, as is the next
    *account_groups.GROUPS,
    *copying.ENDPOINTS,  # before the paths with an account's id
    *accounts.ENDPOINTS,
    *account_groups.ENDPOINTS,
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
    *portfolio_history.ENDPOINTS,  # before the paths with a portfolio's id, as is the next
    *rebalance_schedules.ENDPOINTS,
    *rebalancing.ENDPOINTS,
    *taxes.ENDPOINTS,
    *portfolio.ENDPOINTS,
    *watchlists.ENDPOINTS,
    *webhooks.ENDPOINTS,
    *market.ENDPOINTS,
    *backups.ENDPOINTS,
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
    app.add_middleware(Guard, hosts=parts.doors.hosts, secure=parts.doors.secure_cookie)
    _bind(app, parts)
    return app


def _bind(app: FastAPI, parts: AppParts) -> None:
    hub, listing = Hub(parts), Listing(parts.runner.state)
    app.state.hub, app.state.listing, app.state.fifo = hub, listing, Fifo()
    app.state.trips, app.state.lots = Trips(), LotBooks()
    app.state.closes = DailyCloses(parts.bars)
    app.state.gauges = RiskGauges(parts, app.state.closes)
    app.state.streams = Streams(parts, hub, listing)
    for subscriber in (listing, hub, OrderCounter(parts.metrics)):
        parts.runner.subscribe(subscriber)
    parts.backtests.on_change = hub.backtest_changed
    parts.shares.on_change = app.state.streams.show_anew
    parts.metrics.watch_portfolios(lambda: portfolios(parts.runner.state))
    parts.metrics.watch_risks(lambda: app.state.gauges.risks)
    parts.metrics.watch_feed(lambda: silence(parts.runner.state))
    parts.metrics.watch_sending(lambda: senders(parts.runner), lambda: panics(parts.runner.state))
    parts.metrics.watch_hosts(lambda: hosts(parts.feed))
    parts.metrics.watch_journal(lambda: (parts.runner.committed_seq, hub.lag))


async def rebind(app: FastAPI) -> None:
    """After `parts.runner` or `parts.feed` have been exchanged: every stream starts anew (1012) on the new ones."""
    await app.state.streams.stop()
    app.state.parts.answered.forget()
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
    upkeep = asyncio.create_task(_write_uses(parts), name="key-uses")
    app.state.streams.start()
    try:
        yield
    finally:
        await app.state.streams.stop()
        upkeep.cancel()
        await _write_uses_now(parts)
        await parts.trail.settled()
        await parts.backtests.stop()
        await lag.stop()


async def _write_uses(parts: AppParts) -> None:
    """When and from where API keys were last used, now and then; and the log of webhooks keeps what is recent."""
    while True:
        await asyncio.sleep(USES_EVERY)
        await _write_uses_now(parts)
        try:
            await parts.webhooks.tidy()
        except EvenkeelError as error:
            log.warning("old deliveries to webhooks could not be removed", reason=error.message)


async def _write_uses_now(parts: AppParts) -> None:
    try:
        await parts.keys.write_uses()
    except EvenkeelError as error:
        log.warning("the last uses of API keys could not be written", reason=error.message)


async def _stream(socket: WebSocket) -> None:
    streams = socket.app.state.streams
    assert isinstance(streams, Streams)
    await streams.serve(socket)


async def _openapi(request: Request) -> Response:
    return wire.Json(document(ENDPOINTS, request.app.version))
