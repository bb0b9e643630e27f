"""The audit log over HTTP: what changes something is in it, before it is done where it is administrative; orders are
in the journal, and cost what they did."""

import httpx
import pytest

from evenkeel.domain.audit import Head, Row, check
from tests.desk.access import MemoryAudit
from tests.server.world import OWN_ACCOUNT, PASSWORD, World, decided, order

AUDIT, ACCOUNT = "/api/v2/system/audit", f"/api/v2/accounts/{OWN_ACCOUNT}"


def log_of(desk: World) -> MemoryAudit:
    assert isinstance(desk.parts.trail.rows, MemoryAudit)
    return desk.parts.trail.rows


async def rows(desk: World, action: str) -> list[Row]:
    await desk.parts.trail.settled()
    return [row for row in log_of(desk).rows if row.action == action]


async def test_a_change_of_limits_is_there_before_and_after_with_who_and_from_where(
    desk: World, owner: httpx.AsyncClient
) -> None:
    headers = {"x-request-id": "the-request", "user-agent": "a browser"}
    assert (await owner.patch(f"{ACCOUNT}/limits", json={"daily_loss": "0.02"}, headers=headers)).status_code == 200
    asked, done = await rows(desk, "change_limits")
    assert (asked.outcome, done.outcome) == ("asked", "200")
    for row in (asked, done):
        assert (row.actor, row.door, row.address) == (desk.owner.id, "session", "127.0.0.1")
        assert (row.request_id, row.agent, row.subject) == ("the-request", "a browser", OWN_ACCOUNT)
    assert '"daily_loss":null' in done.before
    assert '"daily_loss":"0.02"' in done.after


async def test_who_it_was_is_named(desk: World, owner: httpx.AsyncClient) -> None:
    await owner.patch(f"{ACCOUNT}/limits", json={"daily_loss": "0.02"})
    await desk.parts.trail.note("home", "by.hand", subject="x")
    found = (await owner.get(AUDIT)).json()["items"]
    assert {(one["actor"], one["actor_name"]) for one in found} == {(desk.owner.id, desk.owner.username), ("home", "")}


async def test_nothing_administrative_is_done_that_cannot_be_written_down(
    desk: World, owner: httpx.AsyncClient
) -> None:
    log_of(desk).down = True
    before = desk.runner.committed_seq
    answer = await owner.patch(f"{ACCOUNT}/limits", json={"daily_loss": "0.02"})
    assert answer.status_code == 503
    assert (await owner.post("/api/v2/auth/keys", json={"name": "x", "scope": "read"})).status_code == 503
    assert (await owner.get("/api/v2/auth/keys")).json()["items"] == []
    assert desk.runner.committed_seq == before
    halted = await owner.post("/api/v2/risk/panic", json={"scope": "account", "id": OWN_ACCOUNT})
    assert halted.status_code == 202, "what reduces risk is never held back"


async def test_orders_are_journalled_with_who_gave_them_and_not_written_twice(
    desk: World, owner: httpx.AsyncClient
) -> None:
    before = len(log_of(desk).rows)
    placed = (await owner.post("/api/v2/trading/orders", json=order(kind="LIMIT", limit_price="5"))).json()
    await owner.delete(f"/api/v2/trading/orders/{placed['id']}")
    await owner.post("/api/v2/trading/baskets", json={"orders": [order()]})
    await owner.get("/api/v2/accounts")
    await desk.parts.trail.settled()
    assert len(log_of(desk).rows) == before
    assert decided(desk, placed["id"]).actor == desk.owner.id


async def test_what_people_command_otherwise_is_there_too(desk: World, owner: httpx.AsyncClient) -> None:
    await owner.post("/api/v2/risk/panic", json={"scope": "account", "id": OWN_ACCOUNT})
    [row] = await rows(desk, "panic")
    assert (row.outcome, row.actor) == ("202", desk.owner.id)


async def test_what_is_refused_is_there_with_its_status(desk: World, owner: httpx.AsyncClient) -> None:
    await owner.patch(f"{ACCOUNT}/limits", json={"daily_loss": "nonsense"})
    assert [row.outcome for row in await rows(desk, "change_limits")] == ["asked", "422"]


async def test_secrets_are_never_in_it(desk: World, owner: httpx.AsyncClient) -> None:
    made = (await owner.post("/api/v2/auth/keys", json={"name": "robot", "scope": "read"})).json()
    await owner.post(f"/api/v2/auth/keys/{made['key']['id']}/rotate", json={})
    token = owner.headers["authorization"].partition(" ")[2]
    await desk.parts.trail.settled()
    kept = repr(log_of(desk).rows)
    assert made["key"]["id"] in kept
    for secret in (made["secret"], made["signing_secret"], token, PASSWORD):
        assert secret not in kept
    assert [one for one in check(log_of(desk).rows, None) if not isinstance(one, Head)] == []


async def test_the_keeper_of_the_home_reads_it_in_pages_and_nobody_else(desk: World, owner: httpx.AsyncClient) -> None:
    for loss in ("0.02", "0.03", "0.04"):
        await owner.patch(f"{ACCOUNT}/limits", json={"daily_loss": loss})
    page = (await owner.get(f"{AUDIT}?limit=4&action=change_limits")).json()
    assert [row["outcome"] for row in page["items"]] == ["200", "asked", "200", "asked"]
    rest = (await owner.get(f"{AUDIT}?limit=4&action=change_limits&cursor={page['next_cursor']}")).json()
    assert (len(rest["items"]), rest["next_cursor"]) == (2, None)
    assert (await owner.get(f"{AUDIT}?actor={desk.other.id}&action=change_limits")).json()["items"] == []
    assert (await owner.get(f"{AUDIT}?start=2099-01-01T00:00:00Z")).json()["items"] == []
    assert (await owner.get(f"{AUDIT}?start=yesterday")).status_code == 422
    async with await desk.signed_in(desk.other) as other:
        assert (await other.get(AUDIT)).status_code == 403


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST"])
async def test_nobody_changes_it(owner: httpx.AsyncClient, method: str) -> None:
    assert (await owner.request(method, AUDIT)).status_code == 405
