"""Malformed requests: each gets a problem that names the field, never a 500."""

import asyncio
from typing import Any

import httpx
import pytest

from evenkeel.domain import errors as e
from evenkeel.server import problems, wire
from tests.server.world import DEPLOYMENT, OTHER_ACCOUNT, OWN_ACCOUNT, World, order

ORDERS = "/api/v2/trading/orders"
JSON = {"content-type": "application/json"}


def check_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The body, after checking what all problems have in common."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code", "errors"} <= body.keys()
    assert body["status"] == status
    assert body["detail"]
    assert answer.headers["x-request-id"] == body["request_id"]
    return body


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"quantity": "0"}, "quantity"),
        ({"quantity": "-1"}, "quantity"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": "NaN"}, "quantity"),
        ({"quantity": "Infinity"}, "quantity"),
        ({"quantity": "1e3"}, "quantity"),
        ({"quantity": "1_000"}, "quantity"),
        ({"quantity": " 1"}, "quantity"),
        ({"quantity": "١"}, "quantity"),
        ({"quantity": "1" * 39}, "quantity"),
        ({"quantity": "9" * 400}, "quantity"),
        ({"quantity": True}, "quantity"),
        ({"quantity": []}, "quantity"),
        ({"quantity": {}}, "quantity"),
        ({"quantity": None}, "quantity"),
        ({"quantity": ""}, "quantity"),
        ({"kind": "LIMIT"}, "limit_price"),
        ({"kind": "STOP"}, "stop_price"),
        ({"kind": "STOP_LIMIT", "limit_price": "1"}, "stop_price"),
        ({"limit_price": "1"}, "limit_price"),
        ({"stop_price": "1"}, "stop_price"),
        ({"kind": "LIMIT", "limit_price": "abc"}, "limit_price"),
        ({"kind": "TRAILING"}, "kind"),
        ({"kind": 3}, "kind"),
        ({"side": "buy"}, "side"),
        ({"side": None}, "side"),
        ({"symbol": "NOPE"}, "symbol"),
        ({"symbol": ""}, "symbol"),
        ({"symbol": "A\0B"}, "symbol"),
        ({"symbol": "A" * 65}, "symbol"),
        ({"symbol": 7}, "symbol"),
        ({"venue": "XNYS"}, "symbol"),
        ({"account_id": "nobody"}, "account_id"),
        ({"account_id": OTHER_ACCOUNT}, "account_id"),
        ({"account_id": "\0"}, "account_id"),
        ({"book": "someone-else"}, "book"),
        ({"book": ""}, "book"),
        ({"client_order_id": ""}, "client_order_id"),
        ({"client_order_id": "x" * 65}, "client_order_id"),
        ({"client_order_id": "a\nb"}, "client_order_id"),
        ({"time_in_force": "GTX"}, "time_in_force"),
        ({"time_in_force": "GTD"}, "expires_at"),
        ({"product": "X"}, "product"),
        ({"surprise": 1}, "surprise"),
    ],
)
async def test_a_faulty_field_of_an_order_is_named(
    owner: httpx.AsyncClient, desk: World, changes: dict[str, Any], field: str
) -> None:
    body = order() | changes
    answer = await owner.post(ORDERS, json=body)
    found = check_problem(answer, 422)
    assert field in [fault["field"] for fault in found["errors"]]
    assert all(fault["message"] for fault in found["errors"])
    assert not desk.runner.state.orders


async def test_all_faults_are_listed_at_once(owner: httpx.AsyncClient) -> None:
    answer = await owner.post(ORDERS, json={"side": "UP", "quantity": "x", "kind": "LIMIT", "extra": 1})
    fields = [fault["field"] for fault in check_problem(answer, 422)["errors"]]
    assert set(fields) >= {"side", "account_id", "symbol", "extra"}
    answer = await owner.post(ORDERS, json=order(quantity="x", symbol="NOPE", kind="LIMIT", book="b"))
    fields = [fault["field"] for fault in check_problem(answer, 422)["errors"]]
    assert set(fields) == {"quantity", "symbol", "limit_price", "book"}


@pytest.mark.parametrize("quantity", [b"1e400", b"-1e400", b"1e-400", b"1" * 5000, b"0." + b"0" * 5000 + b"1"])
async def test_huge_numbers_are_faults_of_their_field(owner: httpx.AsyncClient, quantity: bytes) -> None:
    body = b'{"account_id": "%s", "symbol": "STK", "side": "BUY", "quantity": %s}' % (OWN_ACCOUNT.encode(), quantity)
    found = check_problem(await owner.post(ORDERS, content=body, headers=JSON), 422)
    assert [fault["field"] for fault in found["errors"]] == ["quantity"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"   ", 400),
        (b"{", 400),
        (b"{]", 400),
        (b"nonsense", 400),
        (b"[]", 422),
        (b"null", 422),
        (b'"text"', 422),
        (b"1", 422),
        (b"\xff\xfe", 400),
        (b'{"symbol": "\xff"}', 422),
        (b'{"symbol": "\\ud800"}', 400),
        (b"[" * 20_000, 422),
        (b'{"quantity":' * 2_000, 400),
        (b'{"symbol": "A"} {"symbol": "B"}', 400),
        (b"\0", 400),
    ],
)
async def test_what_is_not_json_is_told_so(owner: httpx.AsyncClient, content: bytes, status: int) -> None:
    check_problem(await owner.post(ORDERS, content=content, headers=JSON), status)


async def test_a_large_body_is_refused_with_and_without_its_length(owner: httpx.AsyncClient) -> None:
    check_problem(await owner.post(ORDERS, content=b" " * 70_000, headers=JSON), 413)

    async def pieces() -> Any:
        for _ in range(100):
            yield b" " * 1_000

    check_problem(await owner.post(ORDERS, content=pieces(), headers=JSON), 413)


async def test_a_body_that_does_not_come_is_not_waited_for(
    owner: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "BODY_SECONDS", 0.05)

    async def trickle() -> Any:
        while True:
            yield b" "
            await asyncio.sleep(0.02)

    answer = await owner.post(ORDERS, content=trickle(), headers=JSON)
    check_problem(answer, 408)
    assert (answer.json()["code"], answer.headers["connection"]) == ("body-too-slow", "close")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_body_of_another_type_is_refused(owner: httpx.AsyncClient, kind: str) -> None:
    """A form of another site could be sent without asking; JSON cannot."""
    check_problem(await owner.post(ORDERS, content=b"{}", headers={"content-type": kind}), 415)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (f"{ORDERS}?limit=0", "limit"),
        (f"{ORDERS}?limit=5001", "limit"),
        (f"{ORDERS}?limit=x", "limit"),
        (f"{ORDERS}?limit=1&limit=2", "limit"),
        (f"{ORDERS}?limit=99999999999999999999", "limit"),
        (f"{ORDERS}?cursor=x", "cursor"),
        (f"{ORDERS}?cursor=-1", "cursor"),
        (f"{ORDERS}?cursor=999999", "cursor"),
        (f"{ORDERS}?cursor=%00", "cursor"),
        (f"{ORDERS}?cursor=1%0A", "cursor"),
        (f"{ORDERS}?cursor=%D9%A1", "cursor"),
        (f"{ORDERS}?status=odd", "status"),
        (f"{ORDERS}?colour=red", "colour"),
        ("/api/v2/trading/fills?limit=-1", "limit"),
        (f"/api/v2/accounts/{OWN_ACCOUNT}/equity?cursor=zzz", "cursor"),
        ("/api/v2/market/bars", "symbol"),
        ("/api/v2/market/bars?symbol=NOPE", "symbol"),
        ("/api/v2/market/bars?symbol=STK&timeframe=7x", "timeframe"),
        ("/api/v2/market/bars?symbol=STK&timeframe=0d", "timeframe"),
        ("/api/v2/market/bars?symbol=STK&timeframe=2d", "timeframe"),
        ("/api/v2/market/bars?symbol=STK&timeframe=25h", "timeframe"),
        ("/api/v2/market/bars?symbol=STK&timeframe=1d%0A", "timeframe"),
        ("/api/v2/market/bars?symbol=STK&start=yesterday", "start"),
        ("/api/v2/market/bars?symbol=STK&end=0000-00-00", "end"),
        ("/api/v2/market/bars?symbol=STK&adjusted=perhaps", "adjusted"),
        ("/api/v2/market/quotes?symbols=STK,NOPE", "symbols"),
        ("/api/v2/system/events?cursor=-", "cursor"),
        ("/api/v2/accounts?x=1", "x"),
    ],
)
async def test_a_faulty_parameter_is_named(owner: httpx.AsyncClient, path: str, field: str) -> None:
    found = check_problem(await owner.get(path), 422)
    assert field in [fault["field"] for fault in found["errors"]]


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/api/v2/accounts", {"name": "x", "cash": "1.005"}, {"cash"}),
        ("/api/v2/accounts", {"name": "x", "cash": "-1"}, {"cash"}),
        ("/api/v2/accounts", {"name": " x", "cash": "1"}, {"name"}),
        ("/api/v2/accounts", {"name": "", "cash": "1"}, {"name"}),
        ("/api/v2/accounts", {"name": "Main", "cash": "1"}, {"name"}),
        ("/api/v2/accounts", {"name": "mAIN", "cash": "1"}, {"name"}),
        ("/api/v2/accounts", {"name": "x", "cash": "1", "currency": "usd"}, {"currency"}),
        ("/api/v2/accounts", {"name": "x", "cash": "1", "currency": "ZZZ"}, {"currency"}),
        ("/api/v2/accounts", {"name": "x", "cash": "1", "currency": "USD\n"}, {"currency"}),
        ("/api/v2/accounts", {"name": "x", "cash": "1", "fees": "free"}, {"fees"}),
        ("/api/v2/accounts", {"name": "x", "cash": "1", "type": "gift"}, {"type"}),
        ("/api/v2/strategies", {}, {"name", "template", "symbols"}),
        ("/api/v2/strategies", {"name": "n", "template": "none", "symbols": ["STK"]}, {"template"}),
        ("/api/v2/strategies", {"name": "n", "template": "sma-crossover", "symbols": []}, {"symbols"}),
        ("/api/v2/strategies", {"name": "n", "template": "sma-crossover", "symbols": ["X"]}, {"symbols.0"}),
        ("/api/v2/strategies", {"name": "n", "template": "sma-crossover", "symbols": ["STK", "STK"]}, {"symbols"}),
        (
            "/api/v2/strategies",
            {"name": "n", "template": "sma-crossover", "symbols": ["STK"], "parameters": {"fast": "x", "odd": 1}},
            {"parameters.fast", "parameters.odd"},
        ),
        (
            "/api/v2/strategies",
            {
                "name": "n", "template": "sma-crossover", "symbols": ["STK"],
                "accounts": [{"account_id": OTHER_ACCOUNT, "allocation": "2"}],
            },
            {"accounts.0.account_id", "accounts.0.allocation"},
        ),
        ("/api/v2/system/feed", {}, {"action"}),
        ("/api/v2/system/feed", {"action": "stop"}, {"action"}),
        ("/api/v2/system/feed", {"speed": "-1"}, {"speed"}),
        ("/api/v2/system/feed", {"speed": "1001"}, {"speed"}),
        ("/api/v2/auth/login", {"username": "demo"}, {"password"}),
        ("/api/v2/auth/login", {"username": 1, "password": []}, {"username", "password"}),
        ("/api/v2/auth/link", {"token": ""}, {"token"}),
    ],
)  # fmt: skip
async def test_a_faulty_body_names_its_fields(
    owner: httpx.AsyncClient, path: str, body: dict[str, Any], fields: set[str]
) -> None:
    found = check_problem(await owner.post(path, json=body), 422)
    assert {fault["field"] for fault in found["errors"]} == fields


UNSEEN = (
    "\n",
    "a\n",
    "a\x85",
    "a\u00adb",
    "a\u200bb",
    "a\u2028b",
    "a\u2029",
    "a\u202eb",
    "\ufeffa",
    "a\U000e0041",
    "a\U0001d173",
)


@pytest.mark.parametrize("text", UNSEEN)
async def test_what_cannot_be_seen_is_in_no_name(owner: httpx.AsyncClient, text: str) -> None:
    placed = check_problem(await owner.post(ORDERS, json=order(client_order_id=text)), 422)
    assert [fault["field"] for fault in placed["errors"]] == ["client_order_id"]
    opened = check_problem(await owner.post("/api/v2/accounts", json={"name": text, "cash": "1"}), 422)
    assert [fault["field"] for fault in opened["errors"]] == ["name"]


@pytest.mark.parametrize("text", ["naïve", "日本 🙂", "x" * 64, "a\u00a0b"])
async def test_what_can_be_seen_may_be_a_name(owner: httpx.AsyncClient, text: str) -> None:
    assert (await owner.post(ORDERS, json=order(client_order_id=text))).status_code == 201
    assert (await owner.post("/api/v2/accounts", json={"name": text, "cash": "1"})).status_code == 201


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {""}),
        ({"allocation": "1.01"}, {"allocation"}),
        ({"allocation": "0.1", "accounts": []}, {"allocation"}),
        ({"accounts": [{"account_id": "x"}]}, {"accounts.0"}),
        ({"accounts": [{"account_id": OTHER_ACCOUNT, "allocation": "0.1"}]}, {"accounts.0.account_id"}),
        ({"accounts": [{"account_id": OWN_ACCOUNT, "allocation": "0.1"}] * 2}, {"accounts"}),
    ],
)
async def test_a_faulty_allocation_names_its_fields(
    owner: httpx.AsyncClient, body: dict[str, Any], fields: set[str]
) -> None:
    found = check_problem(await owner.patch(f"/api/v2/strategies/{DEPLOYMENT}", json=body), 422)
    assert {fault["field"] for fault in found["errors"]} == fields


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v2/nothing", "/api/v1/ping", "/nothing", "/%00", "/a\\b"])
async def test_nothing_there(nobody: httpx.AsyncClient, path: str) -> None:
    check_problem(await nobody.get(path), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/v2/accounts", "GET, POST"),
        ("PUT", f"{ORDERS}/x", "DELETE, GET, PATCH"),
        ("GET", "/api/v2/auth/login", "POST"),
        ("OPTIONS", ORDERS, "GET, PATCH, POST"),
        ("TRACE", "/healthz", "GET"),
        ("POST", "/", "GET, HEAD"),
        ("BREW", "/api/v2/strategies/x", "DELETE, GET, PATCH"),
    ],
)
async def test_another_method_is_told_which_are_possible(
    owner: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await owner.request(method, path)
    check_problem(answer, 405)
    assert answer.headers["allow"] == allowed


async def test_401_says_how_to_sign_in(nobody: httpx.AsyncClient) -> None:
    answer = await nobody.get("/api/v2/accounts")
    check_problem(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_an_unexpected_error_tells_the_client_only_its_request_id(
    desk: World, owner: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def explode(*args: object, **more: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(desk.history, "ledger", explode)
    answer = await owner.get(f"/api/v2/accounts/{OWN_ACCOUNT}/ledger", headers={"x-request-id": "mine-1"})
    body = check_problem(answer, 500)
    assert body["request_id"] == "mine-1"
    assert "secret" not in answer.text


def _all_errors(kind: type[e.EvenkeelError]) -> list[type[e.EvenkeelError]]:
    return [kind, *(deeper for one in kind.__subclasses__() for deeper in _all_errors(one))]


def test_every_error_of_the_tree_but_its_root_has_a_status() -> None:
    kinds = _all_errors(e.EvenkeelError)
    assert [kind for kind in kinds if problems.STATUS.keys().isdisjoint(kind.__mro__)] == [e.EvenkeelError]
