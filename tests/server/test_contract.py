"""The OpenAPI document: complete, valid, and about the routes that exist."""

from typing import Any

import httpx
import msgspec
from jsonschema_rs import Draft202012Validator
from starlette.routing import Route

from evenkeel.server import schemas
from evenkeel.server.app import ENDPOINTS
from evenkeel.server.contract import document
from tests.server.world import World

DOCUMENT = document(ENDPOINTS, "1.2.3")


def _refs(node: Any) -> list[str]:
    if isinstance(node, dict):
        here = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return here + [ref for value in node.values() for ref in _refs(value)]
    return [ref for value in node for ref in _refs(value)] if isinstance(node, list) else []


def test_every_route_is_in_the_document_once(desk: World) -> None:
    routed = {
        (route.path, method)
        for route in desk.app.routes
        if isinstance(route, Route)
        for method in route.methods or ()
        if route.path.startswith("/api/v2/") and route.path != "/api/v2/openapi.json"
    }
    documented = {(one.path, one.method) for one in ENDPOINTS if one.path.startswith("/api/")}
    assert routed == documented
    assert len({one.name for one in ENDPOINTS}) == len(ENDPOINTS)


def test_every_reference_leads_somewhere_and_every_schema_is_one() -> None:
    for ref in _refs(DOCUMENT):
        name = ref.removeprefix("#/components/schemas/")
        assert name in DOCUMENT["components"]["schemas"]
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def test_every_operation_says_what_it_takes_and_answers() -> None:
    for operations in DOCUMENT["paths"].values():
        for operation in operations.values():
            assert operation["operationId"]
            assert operation["summary"]
            assert operation["description"]
            for status, answer in operation["responses"].items():
                if int(status) >= 400 and "problem+json" not in str(answer):
                    assert "application/json" in answer["content"], "only readiness answers otherwise"


def test_every_object_has_an_id() -> None:
    lists = {name for name in DOCUMENT["components"]["schemas"] if name.startswith("Page_")}
    assert len(lists) >= 12
    for name in lists:
        item = DOCUMENT["components"]["schemas"][name]["properties"]["items"]["items"]["$ref"].rsplit("/", 1)[1]
        assert "id" in DOCUMENT["components"]["schemas"][item]["properties"]


def test_money_is_never_a_number_in_an_answer() -> None:
    order = DOCUMENT["components"]["schemas"][schemas.OrderOut.__name__]["properties"]
    for name in ("quantity", "filled_quantity"):
        assert order[name]["type"] == "string"


async def test_the_document_is_served_and_the_pages_load_nothing_from_elsewhere(nobody: httpx.AsyncClient) -> None:
    served = (await nobody.get("/api/v2/openapi.json")).json()
    assert served["openapi"] == "3.1.0"
    assert served == msgspec.json.decode(msgspec.json.encode(document(ENDPOINTS, "0")))
    for page in ("/docs", "/redoc"):
        answer = await nobody.get(page)
        assert answer.status_code == 200
        assert "http://" not in answer.text
        assert "https://" not in answer.text
        for asset in (part.split('"')[0] for part in answer.text.split('src="')[1:]):
            found = await nobody.get(asset)
            assert found.status_code == 200
            assert "javascript" in found.headers["content-type"]
            assert "cdn." not in found.text
        assert '<link rel="icon" href="/icon.svg"' in answer.text
    assert (await nobody.get("/docs/assets/swagger-ui.css")).status_code == 200
    for name in ("nothing.js", "..%2f..%2fapp.py", "__init__.py"):
        assert (await nobody.get(f"/docs/assets/{name}")).status_code == 404
