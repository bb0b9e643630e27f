"""The vault's routes: made, opened and closed by its owner; credentials go in and never come out; two acts go live."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from evenkeel.domain.accounts import AccountMode
from evenkeel.domain.live import LiveSwitched
from evenkeel.domain.records import AlertRaised
from tests.desk.vault.memory import VALUES
from tests.server.safekeeping import Acme
from tests.server.world import OTHER_ACCOUNT, OWN_ACCOUNT, PASSWORD, World, world

NEW_ACCOUNT = {"name": "Real", "broker": "acme", "number": "AB1234", "cash": "100000"}


@pytest.fixture
async def desk() -> AsyncIterator[World]:
    async with world() as found:
        yield found


@pytest.fixture
async def owner(desk: World) -> httpx.AsyncClient:
    return await desk.signed_in()


async def ask(client: httpx.AsyncClient, method: str, path: str, body: Any = None, *, code: int = 200) -> Any:
    """The answer of an operation, whose status is as expected."""
    answer = await client.request(method, f"/api/v2{path}", **({} if body is None else {"json": body}))
    assert answer.status_code == code, answer.text
    return answer.json() if answer.content else None


async def made(client: httpx.AsyncClient) -> list[str]:
    found = await ask(client, "POST", "/vault", {"secret": PASSWORD}, code=201)
    return list(found["codes"])


async def live_account(client: httpx.AsyncClient) -> str:
    """A live account with its credentials saved, switched off."""
    opened = await ask(client, "POST", "/accounts/live", NEW_ACCOUNT, code=201)
    await ask(client, "PUT", f"/accounts/{opened['id']}/credentials", {"values": VALUES})
    return str(opened["id"])


async def test_a_vault_is_made_shown_locked_and_opened(owner: httpx.AsyncClient) -> None:
    assert (await ask(owner, "GET", "/vault"))["secret"] is None
    await ask(owner, "POST", "/vault", {"secret": "not my password"}, code=422)
    codes = await made(owner)
    assert len(codes) == 8
    await ask(owner, "POST", "/vault", {"secret": PASSWORD}, code=409)
    shown = await ask(owner, "GET", "/vault")
    assert (shown["secret"], shown["unlocked"], shown["codes_left"], shown["accounts"]) == ("password", True, 8, [])
    await ask(owner, "POST", "/vault/lock", code=204)
    assert not (await ask(owner, "GET", "/vault"))["unlocked"]
    await ask(owner, "POST", "/vault/codes", code=423)
    for body in ({"secret": "wrong"}, {"code": "ABCD"}, {"code": codes[0][::-1]}, {}):
        await ask(owner, "POST", "/vault/unlock", body, code=422)
    await ask(owner, "POST", "/vault/unlock", {"secret": PASSWORD}, code=204)
    await ask(owner, "POST", "/vault/lock", code=204)
    await ask(owner, "POST", "/vault/unlock", {"code": codes[0]}, code=204)
    assert (await ask(owner, "GET", "/vault"))["codes_left"] == 7
    assert len((await ask(owner, "POST", "/vault/codes", code=201))["codes"]) == 8
    await ask(owner, "POST", "/vault/rotate", {"secret": "wrong"}, code=422)
    assert len((await ask(owner, "POST", "/vault/rotate", {"secret": PASSWORD}, code=201))["codes"]) == 8
    passphrase = {"present": PASSWORD, "new": "a phrase of its own", "kind": "passphrase"}
    await ask(owner, "POST", "/vault/secret", passphrase | {"present": "wrong"}, code=422)
    await ask(owner, "POST", "/vault/secret", passphrase, code=204)
    assert (await ask(owner, "GET", "/vault"))["secret"] == "passphrase"
    await ask(owner, "DELETE", "/vault", code=204)
    await ask(owner, "DELETE", "/vault", code=404)


@pytest.mark.parametrize(
    ("door", "body"),
    [
        ("unlock", {"secret": "wrong"}),
        ("rotate", {"secret": "wrong"}),
        ("secret", {"present": "wrong", "new": "a phrase of its own", "kind": "passphrase"}),
    ],
)
async def test_guesses_at_a_vault_are_counted_like_guesses_at_the_door(
    owner: httpx.AsyncClient, door: str, body: dict[str, str]
) -> None:
    await made(owner)
    seen = {(await owner.post(f"/api/v2/vault/{door}", json=body)).status_code for _ in range(30)}
    assert seen == {422, 429}


async def test_signing_in_opens_it(desk: World, owner: httpx.AsyncClient) -> None:
    await made(owner)
    await ask(owner, "POST", "/vault/lock", code=204)
    again = await desk.signed_in()
    assert (await ask(again, "GET", "/vault"))["unlocked"]


async def test_credentials_go_in_and_never_come_out(desk: World, owner: httpx.AsyncClient) -> None:
    await made(owner)
    account_id = (await ask(owner, "POST", "/accounts/live", NEW_ACCOUNT, code=201))["id"]
    path = f"/accounts/{account_id}/credentials"
    shown = await ask(owner, "GET", path)
    assert [(one["name"], one["is_secret"], one["saved_at"]) for one in shown["fields"]] == [
        ("api_key", True, None),
        ("api_secret", True, None),
        ("host", False, None),
    ]
    wrong = await ask(owner, "PUT", path, {"values": {"api_key": "NO GOOD", "pin": "1"}}, code=422)
    assert sorted(one["field"] for one in wrong["errors"]) == ["values.api_key", "values.api_secret", "values.pin"]
    saved = await ask(owner, "PUT", path, {"values": VALUES})
    assert all(one["saved_at"] for one in saved["fields"][:2])
    assert (saved["locked"], saved["due"], saved["age_days"], saved["custody"]) == (False, False, 0, None)
    for answer in (saved, await ask(owner, "GET", path), await ask(owner, "GET", "/vault"), wrong):
        assert not any(value in str(answer) for value in (*VALUES.values(), "NO GOOD"))
    await ask(owner, "POST", "/vault/lock", code=204)
    assert (await ask(owner, "GET", path))["locked"]
    await ask(owner, "PUT", path, {"values": VALUES}, code=423)
    await ask(owner, "DELETE", path, code=204)
    await ask(owner, "DELETE", path, code=404)


async def test_a_simulated_account_takes_none_and_stays_paper(owner: httpx.AsyncClient) -> None:
    await made(owner)
    path = f"/accounts/{OWN_ACCOUNT}"
    assert (await ask(owner, "GET", f"{path}/credentials"))["fields"] == []
    refused = await ask(owner, "PUT", f"{path}/credentials", {"values": VALUES}, code=422)
    assert "takes no credentials" in refused["detail"]
    assert "stays one" in (await ask(owner, "POST", f"{path}/live/ask", code=409))["detail"]
    await ask(owner, "DELETE", f"{path}/live", code=409)
    unknown = await ask(owner, "POST", "/accounts/live", NEW_ACCOUNT | {"broker": "simulated"}, code=403)
    assert "cannot trade live" in unknown["detail"]


async def test_two_acts_switch_an_account_live(desk: World, owner: httpx.AsyncClient) -> None:
    await made(owner)
    account_id = await live_account(owner)
    path = f"/accounts/{account_id}/live"
    account = await ask(owner, "GET", f"/accounts/{account_id}")
    assert (account["mode"], account["live"]) == ("live", False)
    asked = await ask(owner, "POST", f"{path}/ask")
    assert set(asked["meaning"]) == {"attended", "unattended"}
    body = {"token": asked["token"], "name": "Real", "custody": "unattended"}
    for change, field in (({"name": "real"}, "name"), ({"token": "guessed"}, "token")):
        refused = await ask(owner, "POST", path, body | change, code=422)
        assert refused["errors"][0]["field"] == field
    switched = await ask(owner, "POST", path, body)
    assert switched["live"] is True
    assert (await ask(owner, "GET", "/system/status"))["live_trading"] is True
    await ask(owner, "POST", path, body, code=422)
    await desk.runner.quiet()
    assert desk.runner.state.account(account_id).account.mode is AccountMode.LIVE
    acme = desk.runner.brokers["acme"]
    assert isinstance(acme, Acme)
    assert acme.seen == [VALUES]
    shown = (await ask(owner, "GET", "/vault"))["accounts"]
    assert [(one["name"], one["custody"], one["locked"]) for one in shown] == [("Real", "unattended", False)]
    off = await ask(owner, "DELETE", path)
    assert off["live"] is False
    assert (await ask(owner, "GET", "/system/status"))["live_trading"] is False
    records = desk.journal.records()
    switches = [one for one in records if isinstance(one, LiveSwitched)]
    assert [(one.on, one.provenance.actor) for one in switches] == [(True, desk.owner.id), (False, desk.owner.id)]
    assert [one.kind for one in records if isinstance(one, AlertRaised)].count("live-switch") == 2


async def test_without_credentials_or_an_open_vault_nothing_goes_live(owner: httpx.AsyncClient) -> None:
    await made(owner)
    opened = await ask(owner, "POST", "/accounts/live", NEW_ACCOUNT, code=201)
    path = f"/accounts/{opened['id']}"
    lacking = await ask(owner, "POST", f"{path}/live/ask", code=409)
    assert "API key, API secret" in lacking["detail"]
    await ask(owner, "PUT", f"{path}/credentials", {"values": VALUES})
    token = (await ask(owner, "POST", f"{path}/live/ask"))["token"]
    await ask(owner, "POST", "/vault/lock", code=204)
    await ask(owner, "POST", f"{path}/live/ask", code=423)
    body = {"token": token, "name": "Real", "custody": "unattended"}
    await ask(owner, "POST", f"{path}/live", body, code=423)
    assert not (await ask(owner, "GET", f"/accounts/{opened['id']}"))["live"]


async def test_another_persons_accounts_do_not_exist(desk: World, owner: httpx.AsyncClient) -> None:
    await made(owner)
    account_id = await live_account(owner)
    other = await desk.signed_in(desk.other)
    assert (await ask(other, "GET", "/vault"))["secret"] is None
    for method, path, body in (
        ("GET", "credentials", None),
        ("PUT", "credentials", {"values": VALUES}),
        ("DELETE", "credentials", None),
        ("POST", "live/ask", None),
        ("POST", "live", {"token": "x", "name": "Real", "custody": "attended"}),
        ("DELETE", "live", None),
    ):
        await ask(other, method, f"/accounts/{account_id}/{path}", body, code=404)
        await ask(owner, method, f"/accounts/{OTHER_ACCOUNT}/{path}", body, code=404)


async def test_what_is_sensitive_needs_a_sign_in_of_a_moment_ago(desk: World, owner: httpx.AsyncClient) -> None:
    await made(owner)
    account_id = await live_account(owner)
    desk.auth._confirmed.clear()
    for method, path, body in (
        ("DELETE", "/vault", None),
        ("POST", "/vault/codes", None),
        ("POST", "/vault/rotate", {"secret": PASSWORD}),
        ("PUT", f"/accounts/{account_id}/credentials", {"values": VALUES}),
        ("POST", f"/accounts/{account_id}/live/ask", None),
        ("POST", "/system/backups", None),
    ):
        assert (await ask(owner, method, path, body, code=403))["code"] == "sign-in-again"


async def test_backups_are_listed_and_made_by_whoever_keeps_the_home(desk: World, owner: httpx.AsyncClient) -> None:
    assert (await ask(owner, "GET", "/system/backups"))["items"] == []
    one = await ask(owner, "POST", "/system/backups", code=201)
    assert (one["records"], one["server_keys"], one["has_keys"]) == (7, ["abcd"], False)
    assert (await ask(owner, "GET", "/system/backups"))["items"] == [one]
    other = await desk.signed_in(desk.other)
    for method in ("GET", "POST"):
        await ask(other, method, "/system/backups", code=403)
