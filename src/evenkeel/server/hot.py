"""The short way for posted orders and baskets: past the framework's routing and dependencies, to the same handlers.

The routes are mounted like every other and documented from there; only the way to them is shorter, and the gate before
them is the same.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from evenkeel.domain.errors import EvenkeelError
from evenkeel.server import gate, problems
from evenkeel.server.api import baskets, trading
from evenkeel.server.contract import Endpoint
from evenkeel.server.scope import parts_of, tenant

_HANDLERS = {trading.ORDERS: trading.place_order, baskets.BASKETS: baskets.submit_basket}
_ENDPOINTS: dict[str, Endpoint] = {
    one.path: one
    for one in (*trading.ENDPOINTS, *baskets.ENDPOINTS)
    if one.method == "POST" and _HANDLERS.get(one.path) is one.handler
}


class ShortWay:
    """ASGI middleware inside the guard."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        one = _ENDPOINTS.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if one is None:
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            response = await gate.through(one, request, parts=await parts_of(request), work=_work)
        except EvenkeelError as error:
            response = await problems.answer(request, error)
        await response(scope, receive, send)


async def _work(request: Request) -> Response:
    parts = await parts_of(request)
    return await _HANDLERS[request.scope["path"]](request, await tenant(request, parts), parts)
