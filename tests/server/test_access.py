"""Every route and every channel, for everybody who may come: what is not allowed is refused and says nothing.

The cases are made of the routes themselves: one that is added is asked by everybody, and one that says nothing of who
may ask for it is no route at all.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from evenkeel.desk.keys import SCOPES, KeyTerms
from evenkeel.desk.permissions import Permission, Principal, granted, person, up_to
from evenkeel.desk.ports import User
from evenkeel.server.app import ENDPOINTS, create_app
from evenkeel.server.contract import Endpoint, document
from evenkeel.server.streams.channel import CHANNELS
from tests.server.sessions import ACCOUNT as SESSION_ACCOUNT
from tests.server.test_routes import ECHOES, LEAKS, OF_THE_OWNER, _call, _url, _working_order
from tests.server.test_streams import hear, served, subscribe
from tests.server.world import OWN_ACCOUNT, PASSWORD, World, order, world

Headers = dict[str, str]
Way = Callable[[World], Awaitable[Headers]]
AMOUNT = "101234.56"
SECRET_WORDS = (*LEAKS, AMOUNT, OWN_ACCOUNT)
ADMINS = frozenset({"list_audit", "metrics"})
"""What tells of everybody to whoever keeps the installation."""
ROLES = ("admin", "trader", "viewer")


async def somebody(desk: World, role: str) -> User:
    if role == "trader":
        return desk.other
    return await desk.people.create(f"some-{role}", PASSWORD, role=role)


async def key_of(desk: World, user: User, **terms: Any) -> Headers:
    made = await desk.parts.keys.create(person(user), KeyTerms(**{"name": "robot", **terms}))
    return {"x-api-key": made.secret}


async def signed_in(desk: World, user: User) -> Headers:
    return {"authorization": f"Bearer {await desk.token(user)}"}


def by_role(role: str) -> Way:
    async def way(desk: World) -> Headers:
        return await signed_in(desk, await somebody(desk, role))

    return way


def by_key(role: str, scope: Permission) -> Way:
    async def way(desk: World) -> Headers:
        return await key_of(desk, await somebody(desk, role), scope=scope)

    return way


async def nobody(desk: World) -> Headers:
    return {}


async def confined(desk: World) -> Headers:
    """A key of the owner's, for another account than the one it is asked about."""
    return await key_of(desk, desk.owner, scope=Permission.MANAGE, accounts=(SESSION_ACCOUNT,))


STRANGERS: dict[str, tuple[Way, frozenset[Permission]]] = {
    "nobody": (nobody, frozenset()),
    **{role: (by_role(role), granted(role)) for role in ROLES},
    **{f"key-{scope}": (by_key("trader", scope), up_to(scope)) for scope in SCOPES if scope in granted("trader")},
    "admin-key": (by_key("admin", Permission.ADMIN), up_to(Permission.ADMIN)),
}


@asynccontextmanager
async def furnished() -> AsyncIterator[tuple[World, str]]:
    """A desk with something of everything of the owner's, and an order that works."""
    async with world() as desk:
        order_id = await _working_order(desk)
        async with await desk.signed_in() as owner:
            await owner.post(f"/api/v2/accounts/{OWN_ACCOUNT}/cash", json={"kind": "deposit", "amount": "1234.56"})
        yield desk, order_id


def leaks(answer: httpx.Response, asked: str) -> list[str]:
    return [word for word in SECRET_WORDS if word in answer.text and word not in asked]


async def owners_view(desk: World) -> list[Any]:
    async with await desk.signed_in() as owner:
        paths = ("accounts", "trading/orders", "trading/composites", "trading/routes", "risk/panic", "strategies")
        found = [(await owner.get(f"/api/v2/{path}")).json() for path in (*paths, "risk/limits?scope=account")]
        return [[one for one in page["items"] if one.get("accounts") != []] for page in found]


@pytest.mark.parametrize("who", STRANGERS)
async def test_a_stranger_is_refused_and_told_nothing(who: str) -> None:
    way, allowed = STRANGERS[who]
    async with furnished() as (desk, order_id):
        before = await owners_view(desk)
        async with desk.client(headers=await way(desk)) as client:
            for endpoint in sorted(
                ENDPOINTS, key=lambda one: "{" not in one.path
            ):  # before they have some of their own
                desk.parts.costly._left.clear()
                answer = await _call(client, endpoint, order_id)
                _check_stranger(endpoint, answer, allowed, _url(endpoint, order_id))
        assert await owners_view(desk) == before


def _check_stranger(endpoint: Endpoint, answer: httpx.Response, allowed: frozenset[Permission], url: str) -> None:
    name, told = endpoint.name, answer.text
    assert answer.status_code < 500 or answer.status_code == 503, (name, told)
    if not (name in ADMINS and (Permission.ADMIN in allowed or name == "metrics")):
        assert leaks(answer, url + (answer.request.content.decode() if name in ECHOES else "")) == [], name
    if endpoint.public:
        return
    if not allowed:
        assert answer.status_code == 401, name
    elif endpoint.needs not in allowed:
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), name
        assert f"the permission {endpoint.needs}" in answer.json()["detail"]
    elif any(f"{{{field}}}" in endpoint.path for field in (*OF_THE_OWNER, "order_id")):
        assert answer.status_code in (403, 404, *((415, 422) if endpoint.body else ())), (name, told)


@pytest.mark.parametrize("scope", SCOPES)
async def test_the_owners_key_may_what_its_scope_says_and_no_more(scope: Permission) -> None:
    async with furnished() as (desk, order_id):
        headers = await key_of(desk, desk.owner, scope=scope)
        async with desk.client(headers=headers) as client:
            for endpoint in ENDPOINTS:
                desk.parts.costly._left.clear()
                _check_key(endpoint, await _call(client, endpoint, order_id), up_to(scope))


def _check_key(endpoint: Endpoint, answer: httpx.Response, allowed: frozenset[Permission]) -> None:
    if endpoint.public:
        return
    if endpoint.needs not in allowed:
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), endpoint.name
        assert leaks(answer, str(answer.request.url)) == []
    elif endpoint.fresh:
        assert (answer.status_code, answer.json()["code"]) == (403, "sign-in-again"), endpoint.name
    else:
        assert answer.status_code in endpoint.statuses(), (endpoint.name, answer.text)
        assert answer.status_code not in (401, 403) or answer.json()["code"] == "sign-in-again", endpoint.name


async def test_a_confined_key_sees_its_accounts_and_does_nothing_for_all_of_them() -> None:
    async with furnished() as (desk, order_id), desk.client(headers=await confined(desk)) as client:
        found = (await client.get("/api/v2/accounts")).json()["items"]
        assert [one["id"] for one in found] == [SESSION_ACCOUNT]
        for endpoint in ENDPOINTS:
            answer = await _call(client, endpoint, order_id)
            if any(f"{{{field}}}" in endpoint.path for field in ("account_id", "order_id", "deployment_id")):
                assert answer.status_code in (403, 404, 415), endpoint.name
            if endpoint.name not in ECHOES:
                words = [one for one in (OWN_ACCOUNT, AMOUNT, "Crossing") if one in answer.text]
                assert [one for one in words if one not in _url(endpoint, order_id)] == [], endpoint.name
        for path, body in (
            ("risk/panic", {"scope": "user"}),
            ("accounts", {"name": "Another", "cash": "1"}),
            ("trading/routes", {"name": "r", "accounts": [SESSION_ACCOUNT]}),
        ):
            assert (await client.post(f"/api/v2/{path}", json=body)).status_code == 403, path


def test_a_route_that_says_nothing_of_who_may_ask_is_no_route() -> None:
    async def handler() -> Any:
        return None

    for needs, public in ((None, False), (Permission.READ, True)):
        with pytest.raises(ValueError, match="either `needs` or `public`"):
            Endpoint(
                method="GET", path="/x", handler=handler, summary="", tag="", answers={}, needs=needs, public=public
            )


async def test_nothing_is_mounted_but_behind_the_gate(desk: World) -> None:
    app = create_app(desk.parts)
    routes = {(route.path, *(route.methods or ())) for route in app.routes if isinstance(route, APIRoute)}
    assert routes == {(one.path, one.method) for one in ENDPOINTS}
    assert {type(route).__name__ for route in app.routes if isinstance(route, APIRoute)} == {"Gated"}


def test_the_document_says_what_each_operation_needs() -> None:
    paths = document(ENDPOINTS, "0")["paths"]
    for one in ENDPOINTS:
        told = paths[one.path][one.method.lower()]
        assert told.get("x-permission") == one.needs
        if one.needs is not None:
            assert f"`{one.needs}`" in told["description"]
            assert {"401", "403"} <= set(told["responses"])


def test_public_routes_are_these() -> None:
    """Whatever is added here is open to everybody."""
    found = {one.name for one in ENDPOINTS if one.public}
    signing_in = {one for one in found if one in {"login", "login_by_link", "refresh", "logout"}}
    assert signing_in | {"healthz", "readyz", "metrics"} <= found
    assert found - {"take_alert"} == {one.name for one in ENDPOINTS if one.public and one.tag in {"auth", "health"}}


def test_sensitive_routes_are_these() -> None:
    """Whatever is taken away here needs no more than a page that was left open."""
    fresh = {one.name for one in ENDPOINTS if one.fresh}
    assert fresh == {
        "create_key", "rotate_key", "share_account", "purge_account", "purge_user", "make_backup",
        "create_vault", "forget_vault", "change_vault_secret", "renew_vault_codes", "rotate_vault",
        "open_live_account", "save_credentials", "remove_credentials", "ask_live", "switch_live",
        "create_person", "invite_person", "change_person", "deactivate_person", "reactivate_person", "reset_person",
        "take_away_two_factor", "begin_two_factor", "switch_on_two_factor", "begin_link",
        "create_webhook", "rotate_webhook",
    }  # fmt: skip


def test_reading_changes_nothing_and_what_changes_is_no_reading() -> None:
    for one in ENDPOINTS:
        if one.needs is Permission.READ:
            assert (
                one.method == "GET"
                or one.name in {"check_order", "stream_ticket", "optimize_weights", "find_frontier"}
                or "preview" in one.name
            ), one.name


def tickets(desk: World) -> Iterator[tuple[str, Principal]]:
    yield "trader", person(desk.other)
    yield "nothing", Principal(desk.other, frozenset())
    yield "confined", Principal(desk.owner, up_to(Permission.READ), accounts=frozenset({SESSION_ACCOUNT}))


async def test_every_channel_tells_a_stranger_nothing() -> None:
    async with furnished() as (desk, _), served(desk) as address:
        for who, by in tickets(desk):
            async with connect(f"ws://{address}/api/v2/stream?ticket={desk.auth.ticket_for(by)}", proxy=None) as stream:
                for name in CHANNELS:
                    message = await subscribe(stream, name)
                    assert message["type"] == ("error" if who == "nothing" else "snapshot"), name
                    assert [
                        word for word in (OWN_ACCOUNT, AMOUNT, "Main", "Crossing") if word in json.dumps(message)
                    ] == []
                async with await desk.signed_in() as owner:
                    await owner.post("/api/v2/trading/orders", json=order())
                await desk.next_bar()
                await stream.send('{"op": "ping"}')
                heard = ""
                while '"heartbeat"' not in heard[-200:]:
                    heard += str(await stream.recv())
                assert [word for word in (OWN_ACCOUNT, "Main", "Crossing") if word in heard] == [], who


async def test_a_stream_needs_a_ticket_and_each_of_them_is_for_one() -> None:
    async with furnished() as (desk, _), served(desk) as address:
        used = desk.auth.ticket_for(person(desk.owner))
        async with connect(f"ws://{address}/api/v2/stream?ticket={used}", proxy=None) as stream:
            assert (await subscribe(stream, "accounts"))["items"]
        for ticket in ("", "x", used):
            async with connect(f"ws://{address}/api/v2/stream?ticket={ticket}", proxy=None) as stream:
                with pytest.raises(ConnectionClosed):
                    await stream.recv()
                assert stream.close_code == 4401


async def test_what_a_key_has_opened_ends_with_it() -> None:
    async with furnished() as (desk, _), served(desk) as address:
        made = await desk.parts.keys.create(person(desk.owner), KeyTerms(name="robot", scope=Permission.READ))
        async with desk.client(headers={"authorization": f"Bearer {made.secret}"}) as robot:
            ticket = (await robot.post("/api/v2/auth/stream-ticket")).json()["ticket"]
        async with connect(f"ws://{address}/api/v2/stream?ticket={ticket}", proxy=None) as stream:
            assert (await subscribe(stream, "accounts"))["items"]
            async with await desk.signed_in() as owner:
                assert (await owner.delete(f"/api/v2/auth/keys/{made.key.id}")).status_code == 200
            with pytest.raises(ConnectionClosed):
                await hear(stream, "never")
            assert stream.close_code == 4401
