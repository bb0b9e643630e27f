"""The web desk: files of a static export. Pages end in a slash, hashed assets never change, and may come gzipped.

Without a built desk, the address says how to build it. Other addresses get the desk's 404 page, or problem details
where a program asks.
"""

import gzip
import mimetypes
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

_ZIPPED = (".html", ".js", ".css", ".svg", ".json", ".txt", ".map", ".webmanifest")
_SMALL = 1024
_KEPT = 64 * 1024 * 1024
_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Evenkeel</title>
<h1>Evenkeel is running</h1><p>The web desk has not been built yet. Run <code>make web</code> in the checkout, then
reload this page.</p>
<p>The API is at <a href="/docs">/docs</a>; <code>evenkeel --help</code> works meanwhile.</p></html>
"""


class _File(NamedTuple):
    body: bytes
    zipped: bytes | None
    etag: str
    media_type: str


class StaticDesk:
    """ASGI application over a folder; a file is read once and kept while it is unchanged on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._files: dict[Path, tuple[int, _File]] = {}
        self._kept = 0
        self._policy: tuple[int, str] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 4404, "reason": "no stream here"})
            return
        if scope["type"] == "http":
            await self.answer(Request(scope))(scope, receive, send)

    def answer(self, request: Request) -> Response:
        """The response for one request. Raises HTTPException 404 under /api, 405 for other than GET and HEAD."""
        path = request.scope["path"]
        if path.startswith("/api/") or path == "/api":
            raise HTTPException(404)
        if request.method not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        if not (self.root / "index.html").is_file():
            return self._unbuilt(request)
        found = self._find(path)
        if found is None:
            return self._missing(request)
        if found.name == "index.html" and not path.endswith("/") and found.parent != self.root:
            return RedirectResponse(_with_slash(request), status_code=308)
        return self._file(request, found)

    def _find(self, path: str) -> Path | None:
        """The file for a path: itself, its index page, or the page of that name. Never outside the folder."""
        if "\0" in path or "\\" in path or len(path) > 1024:
            return None
        parts = [part for part in path.split("/") if part]
        if any(part.startswith(".") for part in parts) or parts == ["csp.json"]:
            return None
        plain = self.root.joinpath(*parts)
        candidates = (plain / "index.html", plain) if path.endswith("/") else (plain, plain / "index.html")
        for candidate in (*candidates, plain.with_name(plain.name + ".html") if parts else plain):
            try:
                if candidate.is_file() and candidate.resolve().is_relative_to(self.root.resolve()):
                    return candidate
            except OSError:
                return None
        return None

    def _file(self, request: Request, path: Path, *, status: int = 200) -> Response:
        held = self._load(path)
        headers = {"etag": held.etag, "cache-control": _caching(request.scope["path"])}
        if path.suffix == ".html":
            headers["content-security-policy"] = self._csp()
        if status == 200 and request.headers.get("if-none-match") == held.etag:
            return Response(status_code=304, headers=headers)
        body = held.body
        if held.zipped is not None:
            headers["vary"] = "accept-encoding"
            if "gzip" in request.headers.get("accept-encoding", ""):
                body, headers["content-encoding"] = held.zipped, "gzip"
        return Response(body, status, headers, media_type=held.media_type)

    def _load(self, path: Path) -> _File:
        stamp = path.stat().st_mtime_ns
        known = self._files.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        body = path.read_bytes()
        zipped = gzip.compress(body, 6, mtime=0) if path.suffix in _ZIPPED and len(body) > _SMALL else None
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        held = _File(body, zipped, f'"{sha256(body).hexdigest()[:32]}"', media_type)
        if known is None and self._kept + len(body) <= _KEPT:
            self._kept += len(body)
            self._files[path] = (stamp, held)
        elif known is not None:
            self._files[path] = (stamp, held)
        return held

    def _csp(self) -> str:
        """The policy of pages: own files, and the inline scripts and styles whose hashes the build wrote down."""
        path = self.root / "csp.json"
        stamp = path.stat().st_mtime_ns if path.is_file() else 0
        if self._policy is None or self._policy[0] != stamp:
            hashes = msgspec.json.decode(path.read_bytes(), type=dict[str, list[str]]) if stamp else {}
            self._policy = (stamp, policy(hashes))
        return self._policy[1]

    def _missing(self, request: Request) -> Response:
        page = self.root / "404.html"
        if "text/html" in request.headers.get("accept", "") and page.is_file():
            return self._file(request, page, status=404)
        raise HTTPException(404)

    def _unbuilt(self, request: Request) -> Response:
        if request.scope["path"] != "/" and "text/html" not in request.headers.get("accept", ""):
            raise HTTPException(404)
        status = 200 if request.scope["path"] == "/" else 404
        return Response(_NOT_BUILT, status, {"cache-control": "no-store"}, media_type="text/html")


def policy(hashes: dict[str, list[str]]) -> str:
    """The Content-Security-Policy of the desk's pages."""
    scripts = " ".join(["'self'", *(f"'{one}'" for one in hashes.get("script-src", ()))])
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src {scripts}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def _caching(path: str) -> str:
    return "public, max-age=31536000, immutable" if path.startswith("/_next/static/") else "no-cache"


def _with_slash(request: Request) -> str:
    query = request.scope.get("query_string", b"").decode("latin-1")
    path = f"/{request.scope['path'].strip('/')}/"
    return path + (f"?{query}" if query else "")
