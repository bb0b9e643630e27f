"""The outermost layer: which host was asked for, a request id, security headers, one log line a request
(reads that went well only at level debug), no traceback.

A page that a browser loads from elsewhere cannot reach this server under a name of its own (DNS rebinding): only
loopback names and those configured are answered. The private socket's listener, and nothing else, marks requests local.
"""

import re
import secrets
import time
from ipaddress import ip_address
from itertools import count

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evenkeel.server.problems import plain_problem
from evenkeel.server.scope import LOCAL
from evenkeel.telemetry.logs import short_line

log = structlog.get_logger("evenkeel.access")
REQUEST_ID = "evenkeel.request_id"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PROCESS, _NUMBERS = secrets.token_hex(6), count()
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
}
_RAW_HEADERS = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
_NAMES = frozenset(name for name, _ in _RAW_HEADERS)


class Guard:
    """ASGI middleware around everything, streams included. `secure`: browsers come over TLS, which a proxy may end."""

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...], *, secure: bool = False) -> None:
        self.app, self.secure = app, secure
        self.hosts = LOOPBACK | {_written(host) for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        scope[REQUEST_ID] = given if _ID.fullmatch(given) else f"{_PROCESS}{next(_NUMBERS):08x}"
        if not scope.get(LOCAL) and not self._answers_to(headers.get("host", "")):
            await self._misdirected(scope, receive, send, headers.get("host", ""))
        elif scope["type"] == "websocket":
            await self.app(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    def _answers_to(self, host: str) -> bool:
        name = re.sub(r":\d{1,5}$", "", host).lower()
        return name in self.hosts or "*" in self.hosts

    async def _misdirected(self, scope: Scope, receive: Receive, send: Send, host: str) -> None:
        log.warning("unknown host", host=host[:100], request_id=scope[REQUEST_ID])
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 4400, "reason": "unknown host"})
            return
        detail = f"this server does not answer to {host[:100]!r}; add the name to EVENKEEL_HOSTS"
        answer = plain_problem(421, detail, headers=_HEADERS, request_id=scope[REQUEST_ID])
        await answer(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        status = 0

        async def dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _dress(scope, message, secure=self.secure or scope.get("scheme") == "https")
            await send(message)

        try:
            await self.app(scope, receive, dressed)
        except Exception as error:
            log.exception("unexpected error", path=scope["path"], request_id=scope[REQUEST_ID], error=repr(error))
            if status:
                raise
            detail = "an unexpected error; the log tells more under this request id"
            answer = plain_problem(500, detail, request_id=scope[REQUEST_ID])
            await answer(scope, receive, dressed)
        finally:
            self._report(scope, status=status, seconds=time.perf_counter() - started)

    def _report(self, scope: Scope, *, status: int, seconds: float) -> None:
        client = scope.get("client")
        told = {
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "ms": round(seconds * 1000, 2),
            "request_id": scope[REQUEST_ID],
            "client": "local" if scope.get(LOCAL) else (client[0] if client else None),
        }
        if scope["method"] in ("GET", "HEAD") and status < 400:
            log.debug("request", **told)
        elif not short_line("evenkeel.access", "request", **told):
            log.info("request", **told)


def _dress(scope: Scope, message: Message, *, secure: bool) -> None:
    """Adds the headers that the response does not set itself."""
    headers = list(message.get("headers", ()))
    present = {name for name, _ in headers}
    headers.append((b"x-request-id", scope[REQUEST_ID].encode("latin-1")))
    headers += _RAW_HEADERS if present.isdisjoint(_NAMES) else [one for one in _RAW_HEADERS if one[0] not in present]
    if scope["path"].startswith("/api/") and b"cache-control" not in present:
        headers.append((b"cache-control", b"no-store"))
    if secure and b"strict-transport-security" not in present:
        headers.append((b"strict-transport-security", b"max-age=31536000"))
    message["headers"] = headers


def _written(host: str) -> str:
    """A host as a browser writes it: IPv6 addresses in brackets."""
    try:
        return f"[{host}]" if ip_address(host).version == 6 else host
    except ValueError:
        return host.lower()


class _Local:
    """Marks every request as coming from the owner's own private socket."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            scope = {**scope, LOCAL: True}
        await self.app(scope, receive, send)


def local_app(app: ASGIApp) -> ASGIApp:
    """The door of the private unix socket: whoever can open it is the owner. Serve it on nothing else."""
    return _Local(app)
