"""Webhooks over HTTP: whose they are, and alerts that become one order, however often, late or out of order."""

import asyncio
import io
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
import structlog
from msgspec.structs import replace

from evenkeel.desk.keys import KeyTerms
from evenkeel.desk.permissions import Permission, person
from evenkeel.domain.errors import CommitFailed
from evenkeel.domain.provenance import Source
from evenkeel.domain.webhooks import KEPT_DAYS, TOKEN_PREFIX, TRADINGVIEW
from evenkeel.telemetry import logs
from evenkeel.telemetry.unspoken import HIDDEN
from tests.server.sending import PATH, TEXT, ago, alert, fields, make, orders, send, store
from tests.server.world import OTHER_ACCOUNT, OWN_ACCOUNT, World, decided


@pytest.fixture
async def sender(desk: World) -> AsyncIterator[httpx.AsyncClient]:
    """TradingView, which brings no sign-in."""
    async with desk.client() as client:
        yield client


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What is written to the log, as a process writes it."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure(level="debug", style="json", stream=stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


async def test_an_alert_becomes_an_order_on_the_one_path(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient
) -> None:
    hook = await make(owner)
    answer = await send(sender, hook, alert(timestamp=ago(1), alert_name="Crossed", strategy_id="sma"))
    assert answer["decision"] == "ordered"
    placed = (await owner.get(f"/api/v2/trading/orders/{answer['order_id']}")).json()
    assert (placed["side"], placed["quantity"], placed["kind"], placed["source"]) == ("BUY", "10", "MARKET", "webhook")
    assert placed["client_order_id"] == answer["client_order_id"]
    provenance = decided(desk, answer["order_id"])
    assert (provenance.source, provenance.actor) == (Source.WEBHOOK, desk.owner.id)
    assert provenance.cause_id == hook["webhook"]["id"]
    [line] = (await owner.get(f"{PATH}/{hook['webhook']['id']}/deliveries")).json()["items"]
    assert line["id"] == provenance.parent_id
    assert (line["decision"], line["order_id"], line["symbol"]) == ("ordered", answer["order_id"], "STK")
    assert (line["address"], json.loads(line["body"])["alert_name"]) == ("127.0.0.1", "Crossed")


async def test_f30_four_sends_of_one_body_are_one_order_and_one_answer(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F30: as TradingView sends again, 3 s cut-off and 5 s pause included; with a timestamp, an id, and neither."""
    hook, begun = await make(owner), time.time_ns()
    for place, body in enumerate((alert(), alert(id="a1", quantity="2"), alert(timestamp=ago(0), quantity="3"))):
        answers = []
        for second in (0, 8, 16, 24):
            monkeypatch.setattr(desk.parts.webhooks, "wall", lambda at=second: begun + at * 10**9)
            answers.append(await sender.post(hook["path"], json=body))
        assert {one.status_code for one in answers} == {200}
        assert len({one.content for one in answers}) == 1
        assert len(orders(desk)) == place + 1
    made = [row.decision for row in store(desk).rows.values()]
    assert made == ["ordered", "repeated", "repeated", "repeated"] * 3
    monkeypatch.setattr(desk.parts.webhooks, "wall", lambda: begun + 31 * 10**9)
    await send(sender, hook, alert())
    assert len(orders(desk)) == 4, "beyond the window it is another alert"


async def test_f30_at_the_very_same_moment(desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient) -> None:
    """F30: twenty sends at once, across the edge of a second, are one order."""
    hook = await make(owner)
    answers = await asyncio.gather(*(sender.post(hook["path"], json=alert()) for _ in range(20)))
    assert {one.status_code for one in answers} == {200}
    assert len({one.content for one in answers}) == 1
    assert len(orders(desk)) == 1


async def test_f30_the_journal_refuses_the_second_without_the_log(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient
) -> None:
    """F30: the log of deliveries only explains; without it the answer is the same, and there is no second order."""
    hook = await make(owner)
    for body in (alert(), alert(id="a1"), alert(timestamp=ago(0))):
        first = await sender.post(hook["path"], json=body)
        store(desk).rows.clear()
        again = await sender.post(hook["path"], json=body)
        assert first.content == again.content
    assert len(orders(desk)) == 3


async def test_f30_what_is_late_or_early_is_not_taken(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient
) -> None:
    """F30: older than the webhook allows, or ahead of this clock: refused by the field's name, and no order."""
    hook = await make(owner, max_age=20)
    for late in (ago(21), ago(-30), str(int(time.time()) - 22), int(time.time() * 1000) - 22_000):
        assert fields(await send(sender, hook, alert(timestamp=late), 422)) == ["timestamp"]
    assert orders(desk) == []
    await send(sender, hook, alert(timestamp=ago(19)))
    await send(sender, hook, alert(timestamp=int(time.time() * 1000)))
    assert len(orders(desk)) == 2
    told = [row.reason for row in store(desk).rows.values()]
    assert "at most 20 s are allowed" in told[0]


async def test_f30_out_of_order(desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient) -> None:
    """F30: what is older than the last alert taken for its symbol is refused; a repeat of one taken is answered."""
    hook = await make(owner)
    first, second = alert(timestamp=ago(10)), alert(timestamp=ago(5), action="sell")
    answer = await send(sender, hook, first)
    await send(sender, hook, second)
    problem = await send(sender, hook, alert(timestamp=ago(7)), 422)
    assert fields(problem) == ["timestamp"]
    assert problem["detail"] == "the alert is out of order"
    assert await send(sender, hook, first) == answer
    await owner.patch(f"{PATH}/{hook['webhook']['id']}", json={"in_order": False})
    await send(sender, hook, alert(timestamp=ago(6)))
    assert len(orders(desk)) == 3


async def test_the_same_id_with_another_body_is_a_conflict(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient
) -> None:
    hook = await make(owner)
    await send(sender, hook, alert(id="a1"))
    assert (await send(sender, hook, alert(id="a1", quantity="11"), 409))["code"] == "idempotency-conflict"
    store(desk).rows.clear()
    assert (await send(sender, hook, alert(id="a1", quantity="11"), 409))["code"] == "idempotency-conflict"
    assert len(orders(desk)) == 1


async def test_f31_the_answer_waits_for_no_broker(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F31: the order is committed and answered while the broker has not even taken it."""
    hook, asked, release = await make(owner), asyncio.Event(), asyncio.Event()
    broker = desk.runner.brokers["simulated"]
    place = broker.place

    async def slowly(ticket: Any) -> None:
        asked.set()
        await release.wait()
        await place(ticket)

    monkeypatch.setattr(broker, "place", slowly)
    answer = await send(sender, hook, alert())
    order = desk.runner.state.orders[answer["order_id"]]
    assert order.state == "SUBMITTED"
    assert desk.runner.committed_seq == desk.runner.state.seq
    await asked.wait()
    assert order.state == "SUBMITTED"
    release.set()
    await desk.runner.quiet()
    assert desk.runner.state.orders[answer["order_id"]].state != "SUBMITTED"


async def test_f31_how_long_it_takes(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """F31: printed, not asserted: see `benchmarks/orders.py` for databases on a disk."""
    hook, taken = await make(owner, per_minute=6000), []
    for number in range(200):
        began = time.perf_counter()
        await send(sender, hook, alert(id=f"n{number}", quantity="1"))
        taken.append(time.perf_counter() - began)
    taken.sort()
    with capsys.disabled():
        print(f"\nwebhook to 2xx: p50 {taken[100] * 1000:.1f} ms, p99 {taken[197] * 1000:.1f} ms")


async def test_a_refusal_by_risk_is_an_answer_with_its_rule(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient
) -> None:
    hook = await make(owner)
    answer = await send(sender, hook, alert(quantity="9000"))
    assert answer["decision"] == "refused"
    assert answer["rule"] == "max-position-share"
    assert answer["limit"]
    assert answer["value"]
    assert await send(sender, hook, alert(quantity="9000")) == answer
    assert len(orders(desk)) == 1


async def test_nothing_written_is_503_and_sent_again_it_is_done(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = await make(owner)
    store(desk).down = True
    assert (await send(sender, hook, alert(), 503))["code"] == "not-ready"
    assert orders(desk) == []
    store(desk).down = False

    async def refused(*args: Any) -> Any:
        raise CommitFailed("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(desk.runner, "submit", refused)
        assert (await send(sender, hook, alert(), 503))["code"] == "commit-failed"
    assert [row.decision for row in store(desk).rows.values()] == ["failed"]
    assert (await send(sender, hook, alert()))["decision"] == "ordered"
    assert len(orders(desk)) == 1


async def test_an_order_is_answered_for_even_where_the_log_fails_after_it(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook, submit = await make(owner), desk.runner.submit

    async def and_then_it_fails(command: Any) -> Any:
        outcome = await submit(command)
        store(desk).down = True
        return outcome

    monkeypatch.setattr(desk.runner, "submit", and_then_it_fails)
    answer = await send(sender, hook, alert())
    store(desk).down = False
    assert [row.decision for row in store(desk).rows.values()] == ["received"], "as after a crash between the two"
    assert await send(sender, hook, alert()) == answer
    assert [row.decision for row in store(desk).rows.values()] == ["ordered"]
    assert len(orders(desk)) == 1


@pytest.mark.parametrize(
    "body", [alert(), alert(id="a1"), alert(signal_type="exit", action="sell")], ids=["body", "id", "exit"]
)
async def test_f30_what_was_cut_off_before_the_journal_is_done_when_it_is_sent_again(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, body: Any
) -> None:
    """F30: as after a death between the log and the journal: one line, one order, and the clock has gone on."""
    hook = await make(owner)
    await send(sender, hook, alert(id="held", quantity="10"))
    await desk.next_bar(10.0)
    before = len(orders(desk))

    async def dies(command: Any) -> Any:
        raise RuntimeError("the process is gone")

    with monkeypatch.context() as patched:
        patched.setattr(desk.runner, "submit", dies)
        assert (await sender.post(hook["path"], json=body)).status_code == 500
    assert [str(row.decision) for row in store(desk).rows.values()] == ["ordered", "received"]
    later = time.time_ns() + 7 * 10**9
    monkeypatch.setattr(desk.parts.webhooks, "wall", lambda: later)
    first = await sender.post(hook["path"], json=body)
    again = await sender.post(hook["path"], json=body)
    assert (first.status_code, first.json()["decision"]) == (200, "ordered")
    assert first.content == again.content
    assert [str(row.decision) for row in store(desk).rows.values()] == ["ordered", "ordered", "repeated"]
    assert len(orders(desk)) == before + 1


async def test_a_clock_that_was_set_back_far_loses_no_alert(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook, now = await make(owner), time.time_ns()
    for at, decision in ((now, "ordered"), (now - 3_600 * 10**9, "ordered"), (now - 3_590 * 10**9, "repeated")):
        monkeypatch.setattr(desk.parts.webhooks, "wall", lambda at=at: at)
        await send(sender, hook, alert())
        assert str([*store(desk).rows.values()][-1].decision) == decision
    assert len(orders(desk)) == 2


async def test_kinds_symbols_and_defaults(desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient) -> None:
    hook = await make(owner, quantity="7", symbols={"nasdaq:stk": "STK"}, allowed=["STK"])
    assert hook["webhook"]["symbols"] == {"NASDAQ:STK": "STK"}
    plain = await send(sender, hook, alert(symbol="NASDAQ:STK", quantity=None))
    limit = await send(sender, hook, alert(price="limit", limit_price="9.5"))
    stop = await send(sender, hook, alert(trigger_price="11.5"))
    both = await send(sender, hook, alert(limit_price=12, trigger_price="11.5"))
    specs = {one.order_id: one.spec for one in orders(desk)}
    assert str(specs[plain["order_id"]].quantity) == "7"
    kinds = [specs[one["order_id"]].kind for one in (plain, limit, stop, both)]
    assert kinds == ["MARKET", "LIMIT", "STOP", "STOP_LIMIT"]
    assert fields(await send(sender, hook, alert(symbol="NONE"), 422)) == ["symbol"]
    assert fields(await send(sender, hook, alert(account_id=OTHER_ACCOUNT), 422)) == ["account_id"]
    await send(sender, hook, alert(account_id=OWN_ACCOUNT))
    bare = await make(owner, name="Bare")
    assert fields(await send(sender, bare, alert(quantity=None), 422)) == ["quantity"]


async def test_bodies_of_other_types_and_sizes(owner: httpx.AsyncClient, sender: httpx.AsyncClient) -> None:
    hook = await make(owner)
    answer = await sender.post(hook["path"], content=b"<alert/>", headers={"content-type": "text/xml"})
    assert answer.status_code == 415
    answer = await sender.post(hook["path"], content=b"{" + b" " * 9000 + b"}", headers=TEXT)
    assert answer.status_code == 413
    answer = await sender.post(hook["path"], content=b"STK crossing 10", headers=TEXT)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-body")
    [line] = (await owner.get(f"{PATH}/{hook['webhook']['id']}/deliveries")).json()["items"]
    assert (line["decision"], line["body"]) == ("declined", "STK crossing 10")


async def test_a_wrong_token_is_nobodys_and_soon_too_many(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient
) -> None:
    hook = await make(owner)
    for _ in range(30):
        answer = await sender.post(f"{PATH}/in/{TOKEN_PREFIX}{'x' * 43}", json=alert())
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert (await sender.post(f"{PATH}/in/{TOKEN_PREFIX}{'x' * 43}", json=alert())).status_code == 429
    await send(sender, hook, alert())
    assert len(orders(desk)) == 1


async def test_rotated_switched_off_and_removed(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient
) -> None:
    hook = await make(owner)
    one = f"{PATH}/{hook['webhook']['id']}"
    new = (await owner.post(f"{one}/rotate")).json()
    assert new["token"] != hook["token"]
    await send(sender, hook, alert(), 404)
    assert (await owner.patch(one, json={"enabled": False})).json()["enabled"] is False
    await send(sender, new, alert(), 409)
    await owner.patch(one, json={"enabled": True})
    await send(sender, new, alert())
    assert (await owner.delete(one)).status_code == 204
    await send(sender, new, alert(id="after"), 404)
    assert (await owner.get(one)).status_code == 404
    assert len(orders(desk)) == 1


async def test_what_ends_a_webhook_while_a_body_is_on_its_way_holds(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient
) -> None:
    hook = await make(owner)
    one = f"{PATH}/{hook['webhook']['id']}"

    async def slowly(then: Callable[[], Awaitable[httpx.Response]]) -> AsyncIterator[bytes]:
        text = json.dumps(alert()).encode()
        yield text[:9]
        assert (await then()).status_code == 200
        yield text[9:]

    changes = [lambda: owner.patch(one, json={"enabled": False}), lambda: owner.patch(one, json={"enabled": True})]
    for change, status in ((changes[0], 409), (lambda: owner.post(f"{one}/rotate"), 404)):
        answer = await sender.post(hook["path"], content=slowly(change), headers=TEXT)
        assert answer.status_code == status, answer.text
        await changes[1]()
    assert orders(desk) == []


async def test_only_from_its_networks_and_what_a_trusted_proxy_says(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient
) -> None:
    hook = await make(owner, networks=["tradingview", "192.0.2.0/24"])
    assert hook["webhook"]["networks"] == [*TRADINGVIEW, "192.0.2.0/24"]
    for claim in (TRADINGVIEW[0], "192.0.2.7"):
        answer = await sender.post(hook["path"], json=alert(), headers={"x-forwarded-for": claim})
        assert answer.status_code == 403, "nobody says who they are"
    desk.parts.doors = type(desk.parts.doors)(proxies=("127.0.0.1", "10.0.0.0/8"))
    for claim, status in (
        (f"{TRADINGVIEW[0]}, 198.51.100.9", 403),
        ("198.51.100.9", 403),
        ("nonsense", 403),
        ("", 403),
        (f"198.51.100.9, {TRADINGVIEW[1]}, 10.1.2.3", 200),
    ):
        answer = await sender.post(hook["path"], json=alert(), headers={"x-forwarded-for": claim})
        assert answer.status_code == status, claim
    [line] = (await owner.get(f"{PATH}/{hook['webhook']['id']}/deliveries")).json()["items"]
    assert line["address"] == TRADINGVIEW[1]


async def test_so_many_a_minute(owner: httpx.AsyncClient, sender: httpx.AsyncClient) -> None:
    hook = await make(owner, per_minute=3)
    for number in range(3):
        await send(sender, hook, alert(id=f"{number}"))
    answer = await sender.post(hook["path"], json=alert(id="one more"))
    assert (answer.status_code, answer.json()["code"]) == (429, "too-many-requests")
    assert int(answer.headers["retry-after"]) >= 1


async def test_what_the_owner_may_no_longer_do_the_webhook_may_not(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient
) -> None:
    hook = await make(owner)
    users = desk.people.users
    known = users.rows[desk.owner.id]  # type: ignore[attr-defined]
    for changed, status in ((replace(known, role="viewer"), 403), (replace(known, is_active=False), 404)):
        users.rows[desk.owner.id] = changed  # type: ignore[attr-defined]
        desk.parts.webhooks.forget()
        await send(sender, hook, alert(), status)
    assert orders(desk) == []


async def test_viewers_and_others_have_none(desk: World, owner: httpx.AsyncClient) -> None:
    hook = await make(owner)
    one = f"{PATH}/{hook['webhook']['id']}"
    async with await desk.signed_in(desk.other) as stranger:
        assert fields(await make(stranger, 422)) == ["account_id"]
        assert (await stranger.get(PATH)).json()["items"] == []
        for method, path in (("GET", one), ("GET", f"{one}/deliveries"), ("DELETE", one), ("POST", f"{one}/rotate")):
            assert (await stranger.request(method, path)).status_code == 404
        assert (await stranger.patch(one, json={"enabled": False})).status_code == 404
    viewer = await desk.people.create("looker", "correct horse battery", role="viewer")
    async with await desk.signed_in(viewer) as looker:
        assert (await looker.post(PATH, json={"name": "x", "account_id": OWN_ACCOUNT})).status_code == 403


async def test_a_confined_key_sees_the_webhooks_of_its_accounts(desk: World, owner: httpx.AsyncClient) -> None:
    await make(owner)
    for accounts, count in (((OWN_ACCOUNT,), 1), ((OTHER_ACCOUNT,), 0)):
        terms = KeyTerms(name="robot", scope=Permission.READ, accounts=accounts)
        key = await desk.parts.keys.create(person(desk.owner), terms)
        async with desk.client(headers={"x-api-key": key.secret}) as robot:
            assert len((await robot.get(PATH)).json()["items"]) == count


async def test_making_one_needs_a_sign_in_of_a_moment_ago_and_switching_it_off_does_not(
    desk: World, owner: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = await make(owner)
    one = f"{PATH}/{hook['webhook']['id']}"
    monkeypatch.setattr(desk.auth, "is_fresh", lambda session_id: False)
    assert (await make(owner, 403, name="Other"))["code"] == "sign-in-again"
    for method, path, body in (
        ("POST", f"{one}/rotate", None),
        ("PATCH", one, {"max_age": 600}),
        ("PATCH", one, {"enabled": True}),
        ("PATCH", one, {"quantity": None}),
    ):
        answer = await owner.request(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "sign-in-again"), body
    assert (await owner.patch(one, json={"enabled": False})).status_code == 200
    assert (await owner.delete(one)).status_code == 204


async def test_terms_are_checked_and_names_taken_once(owner: httpx.AsyncClient) -> None:
    wrong = {"networks": ["nowhere"], "book": "none", "symbols": {"x": "NONE"}, "allowed": ["NONE"]}
    assert set(fields(await make(owner, 422, **wrong))) == {"book", "symbols.x", "allowed.0"}
    assert fields(await make(owner, 422, networks=["nowhere"])) == ["networks.0"]
    assert fields(await make(owner, 422, window=1, max_age=0, per_minute=0, quantity="-1")) != []
    await make(owner)
    assert (await make(owner, 409, name="cROSSING"))["detail"] == "there is already a webhook 'cROSSING'"


async def test_the_token_is_nowhere_but_in_the_first_answer(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient, written: io.StringIO
) -> None:
    """Planted, used well and badly, and searched for in answers, logs, audit log, deliveries and journal."""
    hook = await make(owner)
    token, one = hook["token"], f"{PATH}/{hook['webhook']['id']}"
    seen = [(await sender.post(f"{hook['path']}/", json=alert())).text]
    seen += [(await sender.get(hook["path"])).text, (await sender.post(hook["path"], json={"symbol": token})).text]
    await send(sender, hook, alert(note=token, x_secret="hunter2"))
    await send(sender, hook, {"url": f"https://desk.example{hook['path']}"}, 422)
    await sender.post(hook["path"], content=f"crossed {token}".encode(), headers=TEXT)
    store(desk).down = True
    seen.append((await sender.post(hook["path"], json=alert(id="down"))).text)
    store(desk).down = False
    seen += [(await owner.get(path)).text for path in (PATH, one, f"{one}/deliveries", "/api/v2/system/audit")]
    seen += [repr(row) for row in store(desk).rows.values()]
    seen += [repr(record) for record in desk.journal.records()]
    seen.append(written.getvalue())
    assert store(desk).rows
    assert f"{PATH}/in/{HIDDEN}" in seen[-1]
    assert [text for text in seen if token in text or "hunter2" in text] == []


async def test_changes_are_in_the_audit_log(owner: httpx.AsyncClient) -> None:
    hook = await make(owner)
    await owner.patch(f"{PATH}/{hook['webhook']['id']}", json={"max_age": 30})
    rows = (await owner.get("/api/v2/system/audit", params={"subject": hook["webhook"]["id"]})).json()["items"]
    noted = {row["action"]: row for row in rows}
    assert {"webhook.create", "webhook.change"} <= set(noted)
    assert json.loads(noted["webhook.change"]["before"])["max_age"] == 60
    assert json.loads(noted["webhook.change"]["after"])["max_age"] == 30


async def test_deliveries_are_paged_and_forgotten_in_time(
    desk: World, owner: httpx.AsyncClient, sender: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = await make(owner)
    for number in range(3):
        await send(sender, hook, alert(id=f"{number}"))
    await send(sender, hook, alert(symbol="NONE"), 422)
    path = f"{PATH}/{hook['webhook']['id']}/deliveries"
    page = (await owner.get(path, params={"limit": 2})).json()
    rest = (await owner.get(path, params={"limit": 5, "cursor": page["next_cursor"]})).json()
    found = [one["identity"] for one in page["items"] + rest["items"]]
    assert found[1:] == ["id:2", "id:1", "id:0"]
    [declined] = (await owner.get(path, params={"decision": "declined"})).json()["items"]
    assert "symbol" in declined["reason"]
    later = time.time_ns() + (KEPT_DAYS + 1) * 86_400 * 10**9
    monkeypatch.setattr(desk.parts.webhooks, "wall", lambda: later)
    await desk.parts.webhooks.tidy()
    assert (await owner.get(path)).json()["items"] == []


async def test_the_metrics_count_what_was_made_of_them(owner: httpx.AsyncClient, sender: httpx.AsyncClient) -> None:
    hook = await make(owner)
    await send(sender, hook, alert())
    await send(sender, hook, alert())
    await send(sender, hook, alert(symbol="NONE"), 422)
    text = (await owner.get("/metrics")).text
    for outcome in ("ordered", "repeated", "declined"):
        assert f'evenkeel_webhook_seconds_count{{outcome="{outcome}"}} 1.0' in text
