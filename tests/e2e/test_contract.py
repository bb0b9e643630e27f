"""The web application was made from the API that the server has now."""

import json

import msgspec

from evenkeel.server.app import ENDPOINTS
from evenkeel.server.contract import document
from tests.services import ROOT


def test_the_saved_api_document_is_the_servers() -> None:
    saved = json.loads((ROOT / "web" / "openapi.json").read_text(encoding="utf-8"))
    served = msgspec.json.decode(msgspec.json.encode(document(ENDPOINTS, saved["info"]["version"])))
    assert saved == served, (
        "save /api/v2/openapi.json of a running server as web/openapi.json, then `npm run api` in web/"
    )
