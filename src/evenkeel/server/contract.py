"""Routes as data, and the OpenAPI document made from them: what a route says it takes and answers is declared once.

A handler is a plain coroutine with FastAPI dependencies; its Endpoint names the Structs it reads and writes. The
document is complete enough to generate a client from, and costs nothing until it is asked for.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from fastapi import Response
from msgspec import Struct

from evenkeel.desk.permissions import Permission
from evenkeel.server import schemas
from evenkeel.server.problems import MEDIA_TYPE

PREFIX = "/api/v2"
_REF = "#/components/schemas/{name}"
_PATH_PARAMETER = re.compile(r"{(\w+)}")
_MEANING = {
    200: "Success", 201: "Created", 202: "Accepted", 204: "Done, nothing to say",
    400: "Not JSON", 401: "Not signed in", 403: "Not allowed", 404: "Not found", 405: "Wrong method",
    408: "Body too slow", 409: "Conflict", 413: "Body too large", 415: "Body of another type",
    421: "Another host's name", 422: "Invalid, with the fields at fault", 423: "The vault is locked",
    429: "Too many for now; Retry-After says when", 503: "Not ready",
}  # fmt: skip
_ONLY_FRESH = ", just after signing in, or a signed request"
_BODY_FAULTS = (400, 408, 413, 415, 422)


class Html:
    """Stands for a whole page as an answer, where a Struct would stand for JSON."""


_TEXTS = {str: "text/plain", Html: "text/html"}
Handler = Callable[..., Awaitable[Response]]


class Link(Struct, frozen=True):
    """From an answer to another operation: its path parameter takes the answer's field."""

    operation: str
    parameter: str
    field: str = "id"


class Endpoint(Struct, frozen=True, kw_only=True):
    """One operation. `answers` maps status to what the body is (None: no body; a tuple: one of these); `errors` adds
    to the usual ones.

    Who may ask for it is said by `needs`, or that anybody may by `public`; one without either raises ValueError.
    `fresh`: only just after signing in, or signed. `cost`: tokens it takes of what a person may ask for in a while.
    `journalled`: its commands stand in the journal with who gave them, and not in the audit log once more.
    `projected`: it reads what is projected from the journal, and waits a moment for what its person has just done.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    answers: Mapping[int, Any]
    body: type[Struct] | None = None
    query: type[Struct] | None = None
    errors: tuple[int, ...] = ()
    public: bool = False
    needs: Permission | None = None
    fresh: bool = False
    cost: float = 0.0
    journalled: bool = False
    projected: bool = False
    links: tuple[Link, ...] = ()

    def __post_init__(self) -> None:
        if self.public is (self.needs is not None):
            raise ValueError(f"{self.method} {self.path} must say either `needs` or `public`")

    @property
    def name(self) -> str:
        return self.handler.__name__.strip("_")

    def statuses(self) -> list[int]:
        """Every status that this operation may answer with."""
        found = {*self.answers, *self.errors, 421}
        if not self.public:
            found |= {401, 403, 429, 503}
        if self.body is not None:
            found |= set(_BODY_FAULTS)
        if self.query is not None:
            found.add(422)
        if _PATH_PARAMETER.search(self.path):
            found.add(404)
        return sorted(found)


def document(endpoints: tuple[Endpoint, ...], version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    types = _types(endpoints)
    shapes, components = msgspec.json.schema_components(types, ref_template=_REF)
    shape_of = dict(zip(map(repr, types), shapes, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for one in endpoints:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, shape_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Evenkeel",
            "version": version,
            "description": "Decimals are strings, times are UTC. Errors are problem details (RFC 9457).",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"key": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(one.tag for one in endpoints)],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "session": {"type": "apiKey", "in": "cookie", "name": "evenkeel_session"},
            },
        },
    }


def _types(endpoints: tuple[Endpoint, ...]) -> list[Any]:
    found: dict[str, Any] = {repr(schemas.ProblemBody): schemas.ProblemBody}
    for one in endpoints:
        for said in (*one.answers.values(), one.body):
            found |= {repr(kind): kind for kind in _each(said) if kind is not None and kind not in _TEXTS}
    return list(found.values())


def _each(said: Any) -> tuple[Any, ...]:
    """What an answer may be: one thing, or one of several."""
    return said if isinstance(said, tuple) else (said,)


def _operation(one: Endpoint, shape_of: Mapping[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "tags": [one.tag],
        "parameters": [*_path_parameters(one.path), *_query_parameters(one.query)],
        "responses": {str(status): _response(one, status, shape_of=shape_of) for status in one.statuses()},
    }
    told = [" ".join((one.handler.__doc__ or "").split())]
    if one.needs is not None:
        operation["x-permission"] = one.needs
        told.append(f"Needs the permission `{one.needs}`{_ONLY_FRESH if one.fresh else ''}.")
    if one.public:
        operation["security"] = []
    operation["description"] = " ".join(filter(None, told))
    if one.body is not None:
        content = {"application/json": {"schema": shape_of[repr(one.body)]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _path_parameters(path: str) -> list[dict[str, Any]]:
    shape = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[A-Za-z0-9._:-]+$"}
    return [{"name": name, "in": "path", "required": True, "schema": shape} for name in _PATH_PARAMETER.findall(path)]


def _query_parameters(query: type[Struct] | None) -> list[dict[str, Any]]:
    if query is None:
        return []
    (shape,), components = msgspec.json.schema_components([query], ref_template=_REF)
    found = components[shape["$ref"].rsplit("/", 1)[1]]
    required = found.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _without_null(kind)}
        for name, kind in found["properties"].items()
    ]


def _without_null(kind: dict[str, Any]) -> dict[str, Any]:
    """A query parameter is absent or has a value: null is not written."""
    if "anyOf" in kind:
        left = [choice for choice in kind["anyOf"] if choice.get("type") != "null"]
        rest = {key: value for key, value in kind.items() if key not in ("anyOf", "default")}
        return {**left[0], **rest}
    if None in kind.get("enum", ()):
        return {"type": "string", "enum": [value for value in kind["enum"] if value is not None]}
    return kind


def _response(one: Endpoint, status: int, *, shape_of: Mapping[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": _MEANING[status]}
    if status not in one.answers:
        answer["content"] = {MEDIA_TYPE: {"schema": shape_of[repr(schemas.ProblemBody)]}}
        if status == 401:
            answer["headers"] = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}
        return answer
    kind = one.answers[status]
    if kind in _TEXTS:
        answer["content"] = {_TEXTS[kind]: {"schema": {"type": "string"}}}
    elif kind is not None:
        shapes = [shape_of[repr(each)] for each in _each(kind)]
        answer["content"] = {"application/json": {"schema": shapes[0] if len(shapes) == 1 else {"oneOf": shapes}}}
        if one.links:
            answer["links"] = {
                link.operation: {
                    "operationId": link.operation,
                    "parameters": {link.parameter: f"$response.body#/{link.field}"},
                }
                for link in one.links
            }
    return answer
