"""The short way for posted orders: past the framework's routing and dependencies, to the very same handler.

The route is mounted like every other and documented from there; only the way to it is shorter.
"""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from evenkeel.domain.errors import EvenkeelError
from evenkeel.server import problems
from evenkeel.server.api.trading import ORDERS, place_order
from evenkeel.server.scope import parts_of, signed_in, tenant


class ShortWay:
    """ASGI middleware inside the guard."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != ORDERS:
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            parts = await parts_of(request)
            seen = await tenant(await signed_in(request, parts), parts)
            response = await place_order(request, seen, parts)
        except EvenkeelError as error:
            response = await problems.answer(request, error)
        await response(scope, receive, send)
