"""The short way for posted orders and baskets: past the framework's routing and dependencies, to the same handlers.

The routes are mounted like every other and documented from there; only the way to them is shorter.
"""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from evenkeel.domain.errors import EvenkeelError
from evenkeel.server import problems
from evenkeel.server.api.baskets import BASKETS, submit_basket
from evenkeel.server.api.trading import ORDERS, place_order
from evenkeel.server.scope import parts_of, signed_in, tenant

_HANDLERS = {ORDERS: place_order, BASKETS: submit_basket}


class ShortWay:
    """ASGI middleware inside the guard."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = _HANDLERS.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if handler is None:
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            parts = await parts_of(request)
            seen = await tenant(await signed_in(request, parts), parts)
            response = await handler(request, seen, parts)
        except EvenkeelError as error:
            response = await problems.answer(request, error)
        await response(scope, receive, send)
