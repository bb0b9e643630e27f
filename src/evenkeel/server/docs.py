"""/docs and /redoc from local assets: the pages load nothing from the network and run no inline script."""

import asyncio
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/icon.svg" type="image/svg+xml">{style}</head>
<body><div id="page"></div><script src="/docs/assets/{bundle}"></script><script src="/docs/assets/{start}"></script>
</body></html>
"""
_STARTS = {
    "start-docs.js": (
        "SwaggerUIBundle({url: '/api/v2/openapi.json', dom_id: '#page', deepLinking: true, validatorUrl: null,"
        " tryItOutEnabled: true, persistAuthorization: false});"
    ),
    "start-redoc.js": "Redoc.init('/api/v2/openapi.json', {disableSearch: true}, document.getElementById('page'));",
}
_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "redoc.standalone.js": "text/javascript",
}
# ReDoc's own logo, which it leaves out where it cannot be shown.
_ELSEWHERE = (b"https://cdn.redoc.ly/redoc/logo-mini.svg", b"data:,")
_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
)
_MISSING = "the documentation's assets are missing: install the package fastapi-offline, which carries them"


@lru_cache(maxsize=1)
def assets() -> Path | None:
    """The folder of the Swagger UI and ReDoc bundles that an installed package carries."""
    spec = find_spec("fastapi_offline")
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    return Path(places[0]) / "static" if places else None


def install(app: FastAPI) -> None:
    """Adds the pages and their assets."""
    app.router.add_route("/docs", _docs, methods=["GET"], include_in_schema=False)
    app.router.add_route("/redoc", _redoc, methods=["GET"], include_in_schema=False)
    app.router.add_route("/docs/assets/{name}", _asset, methods=["GET"], include_in_schema=False)


async def _docs(request: Request) -> Response:
    style = '<link rel="stylesheet" href="/docs/assets/swagger-ui.css">'
    return _page(title="Evenkeel API", style=style, bundle="swagger-ui-bundle.js", start="start-docs.js")


async def _redoc(request: Request) -> Response:
    return _page(title="Evenkeel API", style="", bundle="redoc.standalone.js", start="start-redoc.js")


def _page(**parts: str) -> Response:
    if assets() is None:
        return Response(_MISSING, 503, media_type="text/plain")
    return Response(_PAGE.format(**parts), headers={"content-security-policy": _POLICY}, media_type="text/html")


async def _asset(request: Request) -> Response:
    name, folder = request.path_params["name"], assets()
    if name in _STARTS:
        return Response(_STARTS[name], media_type="text/javascript")
    if name not in _ASSETS or folder is None or not (folder / name).is_file():
        raise HTTPException(404)
    body = await asyncio.to_thread(_local, folder / name)
    return Response(body, media_type=_ASSETS[name], headers={"cache-control": "public, max-age=86400"})


@lru_cache(maxsize=len(_ASSETS))
def _local(path: Path) -> bytes:
    """The asset, asking for nothing from the network."""
    return path.read_bytes().replace(*_ELSEWHERE)
