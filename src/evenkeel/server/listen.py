"""Serving an application with uvicorn inside a loop that somebody else owns, signals included."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from evenkeel.domain.errors import InvalidInput, NotReady

GRACE_SECONDS = 2
LONGEST_MESSAGE = 64 * 1024


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The process has its own handlers."""
        yield


@contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """A socket bound to a port of this machine. Raises InvalidInput where it is taken or not ours to take."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            why = f"cannot listen on {host}:{port}: {error.strerror}"
            raise InvalidInput(why, hint="Choose another port with --port, or stop what uses this one.") from error
        yield listener


@asynccontextmanager
async def listening(
    app: ASGIApp, *, sockets: list[socket.socket] | None = None, path: Path | None = None
) -> AsyncIterator[None]:
    """Serves `app` on bound `sockets`, or on the unix socket `path` for this user alone, until the context ends. The
    application's lifespan is its owner's: it may have several doors."""
    private = _private(path) if path is not None else None
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws_max_size=LONGEST_MESSAGE,
        ws="websockets-sansio",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[private] if private is not None else sockets), name="http")
    try:
        while not server.started:
            if task.done():
                raise NotReady("the HTTP server did not start") from task.exception()
            await asyncio.sleep(0.005)
        yield
    finally:
        server.should_exit = True
        await task
        if path is not None:
            _remove(path)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _private(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    return listener
