"""Every route, as nobody, as another user and as the owner: what is somebody else's does not exist."""

import re
from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import httpx
import pytest

from evenkeel.desk.permissions import granted
from evenkeel.server.app import ENDPOINTS, create_app, local_app
from evenkeel.server.contract import Endpoint
from tests.server import account_routes, belongings, people
from tests.server.backtests import BACKTEST
from tests.server.composites import bracket
from tests.server.configurations import CONFIGURATION
from tests.server.order_templates import TEMPLATE
from tests.server.sessions import SESSION, opening
from tests.server.world import DEPLOYMENT, OWN_ACCOUNT, World, order, world


class Told:
    """A port whose reads are told, but for how far it is."""

    def __init__(self, port: Any, read: Mock) -> None:
        self._port, self._read = port, read

    def __getattr__(self, name: str) -> Any:
        if name not in ("lag", "fault", "passed"):
            self._read()
        return getattr(self._port, name)


BODIES: dict[str, dict[str, Any]] = {
    "login": {"username": "demo", "password": "wrong"},
    "login_by_link": {"token": "none"},
    "open_account": {"name": "Another", "cash": "1000"},
    "change_limits": {"max_position_share": "0.2", "daily_loss": None},
    "move_cash": {"kind": "deposit", "amount": "100"},
    "place_order": order(),
    "submit_basket": {"orders": [order()]},
    "place_composite": bracket(),
    "change_composite": {"stop_loss": "3.5"},
    "cancel_orders": {"account_id": OWN_ACCOUNT},
    "change_orders": {"select": {"account_id": OWN_ACCOUNT}, "change": {"ticks": 1}},
    "change_order": {"ticks": 1},
    "close_position": {"account_id": OWN_ACCOUNT, "symbol": "STK"},
    "reverse_position": {"account_id": OWN_ACCOUNT, "symbol": "STK"},
    "target_position": {"account_id": OWN_ACCOUNT, "symbol": "STK", "quantity": "-5"},
    "flatten_positions": {"account_id": OWN_ACCOUNT},
    "save_order_template": {"name": "own-template", "size": "5"},
    "order_from_template": {"template": TEMPLATE, "account_id": OWN_ACCOUNT},
    "check_order": order(),
    "set_limits": {"scope": "account", "id": OWN_ACCOUNT, "rules": {"max_position": "500"}},
    "lift_halt": {"scope": "account", "id": OWN_ACCOUNT},
    "set_route": {"name": "anew", "accounts": [OWN_ACCOUNT]},
    "route_order": {key: value for key, value in order().items() if key != "account_id"} | {"route": "best"},
    "deploy_strategy": {"name": "Second", "template": "sma-crossover", "symbols": ["STK"]},
    "run_backtest": {"strategy": "sma-crossover", "symbols": ["STK"]},
    "run_sweep": {"strategy": "sma-crossover", "symbols": ["STK"], "space": {"fast": [2, 3]}},
    "run_walk_forward": {
        "strategy": "sma-crossover",
        "symbols": ["STK"],
        "space": {"fast": [2, 3]},
        "train": 10,
        "test": 5,
    },
    "change_strategy": {"allocation": "0.1"},
    "panic": {"scope": "account", "id": OWN_ACCOUNT},
    "resume": {"scope": "account", "id": OWN_ACCOUNT},
    "set_mtm_rules": {"scope": "account", "id": OWN_ACCOUNT, "rules": {"stop_loss": "500"}},
    "re_arm_mtm_level": {"scope": "account", "id": OWN_ACCOUNT},
    "open_session": {"name": "Walking", "strategies": [{"template": "sma-crossover", "symbols": ["STK"]}]},
    "stop_session": {"close": True},
    "save_template": {"name": "own-trend", "template": "sma-crossover", "parameters": {"fast": 7}},
    "change_feed": {"speed": "3"},
    "create_key": {"name": "robot", "scope": "read"},
    "rotate_key": {},
    "share_account": {"account_id": OWN_ACCOUNT, "username": "somebody", "permission": "read"},
}
QUERIES = {"list_bars": "?symbol=STK", "compare_backtests": f"?ids={BACKTEST}"}
OF_THE_OWNER = {
    "account_id": OWN_ACCOUNT,
    "deployment_id": DEPLOYMENT,
    "backtest_id": BACKTEST,
    "template": CONFIGURATION,
    "order_template": TEMPLATE,
    "session_id": SESSION,
    "name": "best",
    **belongings.OF_THE_OWNER,
}
NONE = "0190ffff-0000-7000-8000-000000000009"
# What another user gets from a route without an object of the owner's in its path.
OTHERS = {
    "open_account": 201,
    "open_session": 201,
    "create_key": 201,
    "share_account": 404,
    "combine_sessions": 422,
    "place_order": 422,
    "submit_basket": 422,
    "place_composite": 422,
    "cancel_orders": 422,
    "change_orders": 422,
    "close_position": 422,
    "reverse_position": 422,
    "target_position": 422,
    "flatten_positions": 422,
    "save_order_template": 201,
    "order_from_template": 422,
    "check_order": 422,
    "set_limits": 404,
    "lift_halt": 404,
    "set_route": 422,
    "route_order": 422,
    "deploy_strategy": 422,
    "run_backtest": 202,
    "run_sweep": 202,
    "run_walk_forward": 202,
    "save_template": 201,
    "compare_backtests": 404,
    "panic": 404,
    "resume": 404,
    "set_mtm_rules": 404,
    "re_arm_mtm_level": 404,
    "readyz": 200,
    "login": 401,
    "login_by_link": 401,
    "refresh": 401,
    "logout": 204,
}
# What the order of these tests, which works, and their backtest, which is no search, are in no state for.
DECLINED = {
    "end_share", "reverse_position", "resolve_order", "lift_halt", "explain_route", "resume", "re_arm_mtm_level",
    "list_combinations", "list_windows", "get_heat_map", "resume_search",
}  # fmt: skip
BODIES |= people.BODIES | account_routes.BODIES | belongings.BODIES
OTHERS |= people.OTHERS | account_routes.OTHERS | belongings.OTHERS
DECLINED |= people.DECLINED | account_routes.DECLINED | belongings.DECLINED
# What says again what was sent.
ECHOES = {
    "share_account",
    "metrics", "place_order", "check_order", "set_limits", "lift_halt", "set_route", "panic", "resume", "submit_basket",
    "set_mtm_rules", "re_arm_mtm_level",
    "cancel_orders", "change_orders", "close_position", "reverse_position", "target_position", "flatten_positions",
    "order_from_template", "place_composite", *belongings.ECHOES,
}  # fmt: skip
LEAKS = (OWN_ACCOUNT, DEPLOYMENT, BACKTEST, SESSION, "Main", "Crossing", "My own trend", *belongings.LEAKS)


def _url(endpoint: Endpoint, order_id: str) -> str:
    given = OF_THE_OWNER | {"order_id": order_id} | belongings.INSTEAD.get(endpoint.name, {})
    return re.sub(r"{(\w+)}", lambda match: given.get(match[1], NONE), endpoint.path) + QUERIES.get(endpoint.name, "")


async def _call(client: httpx.AsyncClient, endpoint: Endpoint, order_id: str) -> httpx.Response:
    return await client.request(endpoint.method, _url(endpoint, order_id), json=BODIES.get(endpoint.name))


async def _working_order(desk: World) -> str:
    async with await desk.signed_in() as client:
        body = order(kind="LIMIT", limit_price="5")
        placed: str = (await client.post("/api/v2/trading/orders", json=body)).json()["id"]
        made = await client.post("/api/v2/trading/composites", json=bracket())
        OF_THE_OWNER["composite_id"] = made.json()["id"]
        made = await client.post("/api/v2/auth/keys", json=BODIES["create_key"])
        OF_THE_OWNER["group_id"] = await account_routes.group_of(client, OWN_ACCOUNT)
        OF_THE_OWNER["key_id"] = made.json()["key"]["id"]
        await client.post("/api/v2/trading/routes", json={"name": "best", "accounts": [OWN_ACCOUNT]})
        await desk.runner.submit(opening(desk.owner))
        await belongings.given_to(desk)
        await desk.runner.quiet()
        return placed


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: one.name)
async def test_nobody_gets_in(desk: World, nobody: httpx.AsyncClient, endpoint: Endpoint) -> None:
    order_id = await _working_order(desk)
    before = desk.runner.committed_seq
    answer = await _call(nobody, endpoint, order_id)
    if endpoint.public:
        assert answer.status_code in endpoint.statuses()
    else:
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"]
    if endpoint.name != "metrics":
        assert not [leak for leak in LEAKS if leak in answer.text]
    assert desk.runner.committed_seq == before


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: one.name)
async def test_another_user_finds_nothing_of_the_owners(desk: World, endpoint: Endpoint) -> None:
    order_id = await _working_order(desk)
    before = desk.runner.committed_seq
    async with await desk.signed_in(desk.other) as client:
        answer = await _call(client, endpoint, order_id)
    if endpoint.needs not in (None, *granted("trader")):
        assert answer.status_code == 403
    elif "{" in endpoint.path and not (endpoint.body and endpoint.name not in BODIES):
        assert answer.status_code == 404
        assert answer.json()["code"] == "not-found"
    elif endpoint.name in OTHERS or (endpoint.method == "GET" and endpoint.query is None):
        assert answer.status_code == OTHERS.get(endpoint.name, 200)
    else:
        assert answer.status_code in endpoint.statuses(), answer.text
    if endpoint.name not in ECHOES:
        found = [leak for leak in LEAKS if leak in answer.text and leak not in _url(endpoint, order_id)]
        assert not found
    if endpoint.name not in ("open_account", "open_session", *belongings.COMMITS):
        assert desk.runner.committed_seq == before


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: one.name)
async def test_the_owner_gets_what_the_contract_says(desk: World, endpoint: Endpoint) -> None:
    order_id = await _working_order(desk)
    async with await desk.signed_in() as client:
        answer = await _call(client, endpoint, order_id)
    assert answer.status_code in endpoint.statuses(), answer.text
    if not endpoint.public and endpoint.name not in DECLINED:
        assert answer.status_code in endpoint.answers, answer.text


async def test_what_reads_projections_says_so(desk: World) -> None:
    order_id, read = await _working_order(desk), Mock()
    for name in ("history", "portfolios", "totals"):
        setattr(desk.parts, name, Told(getattr(desk.parts, name), read))
    found = set()
    async with await desk.signed_in() as client:
        for endpoint in (one for one in ENDPOINTS if one.method == "GET"):
            read.reset_mock()
            await _call(client, endpoint, order_id)
            found |= {endpoint.name} if read.called else set()
    said = {one.name for one in ENDPOINTS if one.projected}
    assert found <= said
    assert found >= {"list_ledger", "list_equity", "list_transactions", "list_performance", "get_platform"}


async def test_the_private_socket_is_the_owner_without_a_token(desk: World) -> None:
    transport = httpx.ASGITransport(app=local_app(desk.app))
    async with httpx.AsyncClient(transport=transport, base_url="http://anything") as client:
        assert (await client.get("/api/v2/auth/me")).json()["username"] == "demo"
        assert (await client.post("/api/v2/trading/orders", json=order())).status_code == 201
        assert (await client.post("/api/v2/auth/stream-ticket")).status_code == 200


async def test_nothing_a_client_sends_makes_it_local(nobody: httpx.AsyncClient) -> None:
    for name in ("evenkeel.local", "evenkeel-local", "x-evenkeel-local", "x-forwarded-for", "forwarded"):
        assert (await nobody.get("/api/v2/accounts", headers={name: "1"})).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.", "localhost:80:80"])
async def test_only_known_hosts_are_answered(desk: World, host: str) -> None:
    async with await desk.signed_in() as client:
        answer = await client.get("/api/v2/accounts", headers={"host": host})
        assert answer.status_code == 421
        assert "EVENKEEL_HOSTS" in answer.json()["detail"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "LOCALHOST", "[::1]:9", "desk.example:8443"])
async def test_loopback_and_configured_hosts_are(host: str) -> None:
    async with world(hosts=("desk.example",)) as desk, desk.client() as client:
        assert (await client.get("/healthz", headers={"host": host})).status_code == 200


async def test_metrics_are_for_this_machine_or_the_owner(desk: World) -> None:
    transport = httpx.ASGITransport(app=desk.app, client=("203.0.113.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        assert (await client.get("/metrics")).status_code == 401
        for user, status in ((desk.other, 403), (desk.owner, 200)):
            headers = {"authorization": f"Bearer {await desk.token(user)}"}
            assert (await client.get("/metrics", headers=headers)).status_code == status


async def test_every_answer_carries_the_security_headers(owner: httpx.AsyncClient) -> None:
    for path in ("/api/v2/accounts", "/api/v2/nothing", "/", "/docs", "/healthz"):
        headers = (await owner.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"]
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-request-id"]
    assert (await owner.get("/api/v2/accounts")).headers["cache-control"] == "no-store"


async def test_browsers_that_come_over_tls_are_told_to_stay_there() -> None:
    async with world() as desk, desk.client() as client:
        assert "strict-transport-security" not in (await client.get("/healthz")).headers
        desk.parts.doors = replace(desk.parts.doors, secure_cookie=True)
        transport = httpx.ASGITransport(app=create_app(desk.parts))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as behind:
            assert "max-age" in (await behind.get("/healthz")).headers["strict-transport-security"]


async def test_readiness_says_what_is_missing(desk: World, nobody: httpx.AsyncClient) -> None:
    answer = await nobody.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    desk.history.stuck = "the database does not answer"
    answer = await nobody.get("/readyz")
    assert answer.status_code == 503
    failing = [check for check in answer.json()["checks"] if not check["ok"]]
    assert [(check["name"], check["detail"]) for check in failing] == [("projections", desk.history.stuck)]
