"""Backtests over HTTP and the stream: asked for, watched, looked at, compared, cancelled and removed."""

import asyncio
import stat
from typing import Any

import httpx
import numpy as np
import pytest

import evenkeel as ek
from evenkeel.domain.errors import NotReady
from evenkeel.research.backtest.run import backtest as run
from evenkeel.server.jobs.queue import MOST_WAITING
from tests.server.backtests import BACKTEST, PARAMETERS, backtest
from tests.server.test_streams import hear, open_stream, served, subscribe
from tests.server.world import World, stored_bars
from tests.trading.live.desk import STOCK

PATH = "/api/v2/backtesting"
BODY: dict[str, Any] = {"strategy": "sma-crossover", "symbols": ["STK"], "parameters": PARAMETERS}
STUCK = {"strategy": "stuck", "symbols": ["STK"]}
SECONDS = 60


async def ask(client: httpx.AsyncClient, **changes: Any) -> str:
    """Queues a backtest; its id."""
    answer = await client.post(PATH, json=BODY | changes)
    assert answer.status_code == 202, answer.text
    found: str = answer.json()["id"]
    assert answer.headers["location"] == f"{PATH}/{found}"
    return found


async def get(client: httpx.AsyncClient, path: str, status: int = 200) -> Any:
    answer = await client.get(f"{PATH}{path}")
    assert answer.status_code == status, answer.text
    return answer.json()


async def until(client: httpx.AsyncClient, backtest_id: str, *states: str) -> Any:
    """The backtest, once it is in one of these states."""
    async with asyncio.timeout(SECONDS):
        while True:
            found = await get(client, f"/{backtest_id}")
            if found["state"] in states:
                return found
            await asyncio.sleep(0.02)


async def test_what_comes_out_is_what_the_library_gives(desk: World, owner: httpx.AsyncClient) -> None:
    terms = {"cash": "5000", "fees_bps": 5, "size": 10, "slippage_bps": "1.5", "risk_free": "0.01", "credit": "0.02"}
    found = await until(owner, await ask(owner, **terms), "done", "failed")
    assert found["error"] is None
    bars = stored_bars().of_instrument(STOCK)
    splits = desk.parts.bars.splits(STOCK.id)
    gone_ex = {"splits": splits, "dividends": desk.parts.bars.dividends(STOCK.id)}
    fee = {"fees": fees(), "slippage": 1.5, "size": 10, "cash": 5000, "credit": 0.02, **gone_ex}
    expected = run("sma-crossover", bars, params=PARAMETERS, risk_free=0.01, **fee)
    assert float(found["final_equity"]) == pytest.approx(expected.final_equity, abs=1e-8)
    assert found["summary"]["terms"] == expected.summary()["terms"]
    assert found["fingerprint"] == expected.fingerprint
    summary = found["summary"]
    assert summary["metrics"] == expected.metrics
    assert (summary["fills"], summary["trades"]) == (len(expected.fills), len(expected.trades))
    assert len(expected.fills) > 4
    said = expected.summary()
    carried = ("interest", "borrow_fees", "dividends")
    assert [float(summary[name]) for name in carried] == pytest.approx([said[name] for name in carried], abs=1e-8)
    assert any(said[name] for name in carried)
    assert summary["warnings"] == said["warnings"]
    assert [float(one["equity"]) for one in await pages(owner, found["id"], "equity")] == pytest.approx(expected.equity)
    fills = await pages(owner, found["id"], "fills")
    assert [(one["side"], float(one["quantity"])) for one in fills] == [
        ("BUY" if one.side > 0 else "SELL", one.quantity) for one in expected.fills
    ]
    assert sum(float(one["fee"]) for one in fills) == pytest.approx(expected.fills.fee.sum())
    trades = await pages(owner, found["id"], "trades")
    assert [float(one["net"]) for one in trades] == pytest.approx(expected.trades.net)
    assert {one["symbol"] for one in (*fills, *trades)} == {"STK"}


def fees() -> Any:
    from evenkeel.quant.costs import PercentFee

    return PercentFee("0.0005")


async def pages(client: httpx.AsyncClient, backtest_id: str, kind: str) -> list[Any]:
    """All rows, three at a time."""
    items: list[Any] = []
    cursor = ""
    while True:
        found = await get(client, f"/{backtest_id}/{kind}?limit=3{cursor}")
        items += found["items"]
        assert len(found["items"]) <= 3
        if found["next_cursor"] is None:
            assert [one["id"] for one in items] == [str(place) for place in range(len(items))]
            return items
        cursor = f"&cursor={found['next_cursor']}"


async def test_equity_can_be_thinned_out(owner: httpx.AsyncClient) -> None:
    every = await pages(owner, BACKTEST, "equity")
    few = (await get(owner, f"/{BACKTEST}/equity?points=5"))["items"]
    assert [one["id"] for one in few] == ["0", "8", "15", "22", "30"]
    assert few == [every[int(one["id"])] for one in few]
    assert (await get(owner, f"/{BACKTEST}/equity?points=5000"))["items"] == every
    assert any(one["positions"] for one in every)
    fault = await get(owner, f"/{BACKTEST}/equity?points=5&cursor=3", 422)
    assert fault["errors"][0]["field"] == "points"


@pytest.mark.parametrize("cursor", ["x", "999", "-1", "9" * 30])
@pytest.mark.parametrize("kind", ["equity", "fills", "trades"])
async def test_what_is_no_cursor_is_refused(owner: httpx.AsyncClient, kind: str, cursor: str) -> None:
    fault = await get(owner, f"/{BACKTEST}/{kind}?cursor={cursor}", 422)
    assert fault["errors"][0]["field"] == "cursor"


async def test_the_report_is_a_page_that_can_load_and_run_nothing(desk: World, owner: httpx.AsyncClient) -> None:
    answer = await owner.get(f"{PATH}/{BACKTEST}/report")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text.startswith("<!doctype html>")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "style-src 'unsafe-inline'" in policy
    assert "script" not in policy
    assert "sandbox" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


BAD = [
    ({"strategy": "nothing"}, ["strategy"]),
    ({"strategy": "mine.py"}, ["strategy"]),
    ({"strategy": "../mine.py:Mine"}, ["strategy"]),
    ({"parameters": {"fast": 0}}, ["parameters.fast"]),
    ({"parameters": {"nothing": 1}}, ["parameters.nothing"]),
    ({"symbols": []}, ["symbols"]),
    ({"symbols": ["NONE", "STK"]}, ["symbols.0"]),
    ({"symbols": ["STK", "stk"]}, ["symbols"]),
    ({"timeframe": "1h"}, ["symbols.0"]),
    ({"timeframe": "soon"}, ["timeframe"]),
    ({"start": "yesterday"}, ["start"]),
    ({"start": "2005-08-20", "end": "2005-08-20"}, ["end"]),
    ({"start": "2030-01-01"}, ["start"]),
    ({"end": "1999-01-01"}, ["end"]),
    ({"cash": "0"}, ["cash"]),
    ({"cash": "a lot"}, ["cash"]),
    ({"fees": "nothing"}, ["fees"]),
    ({"fees": "zero", "fees_bps": 1}, ["fees_bps"]),
    ({"fees_bps": 20000}, ["fees_bps"]),
    ({"size": -1}, ["size"]),
    ({"size": {"type": "units", "quantity": "0"}}, ["size.quantity"]),
    ({"size": {"type": "units", "quantity": "many"}}, ["size"]),
    ({"size": {"type": "everything"}}, ["size"]),
    ({"size": {"quantity": "1"}}, ["size"]),
    ({"size": {"type": "kelly", "window": 1}}, ["size.window"]),
    ({"fill": "yesterday"}, ["fill"]),
    ({"slippage_bps": -1}, ["slippage_bps"]),
    ({"stop_loss": "1.5"}, ["stop_loss"]),
    ({"trailing_stop": 0}, ["trailing_stop"]),
    ({"take_profit": "far"}, ["take_profit"]),
    ({"engine": "steam"}, ["engine"]),
    ({"mtm": {"NONE": {"stop_loss": "5"}}}, ["mtm"]),
    ({"mtm": {"account": {}}}, ["mtm"]),
    ({"mtm": {"account": {"stop_loss": "-5"}}}, ["mtm.account.stop_loss"]),
    ({"mtm": {"account": {"stop": "5"}}}, ["mtm.account"]),
    ({"mtm": {"STK": {"stop_loss": "5"}, "stk": {"target": "5"}}}, ["mtm.stk"]),
    (
        {"mtm": {"STK": {"stop_loss": "0.001", "lock_in": [{"reached": "5", "floor": "9"}]}}},
        ["mtm.STK.stop_loss", "mtm.STK.lock_in.0.floor"],
    ),
    ({"mtm": {"STK": {"stop_loss": "5", "action": "halt"}}}, ["mtm.STK.action"]),
    ({"mtm": {"strategy": {"stop_loss": "5", "carry": "all"}}}, ["mtm.strategy.carry"]),
    ({"mtm": {"strategy": {"square_off_at": "15:00", "carry": "all"}}}, ["mtm.strategy.carry"]),
    ({"risk_free": "2"}, ["risk_free"]),
    ({"surprise": 1}, ["surprise"]),
    ({"cash": "-1", "symbols": ["NONE"], "start": "?"}, ["cash", "start", "symbols.0"]),
]


@pytest.mark.parametrize(("changes", "fields"), BAD, ids=lambda value: str(value)[:50])
async def test_every_field_at_fault_is_named(
    desk: World, owner: httpx.AsyncClient, changes: dict[str, Any], fields: list[str]
) -> None:
    answer = await owner.post(PATH, json=BODY | changes)
    assert answer.status_code == 422, answer.text
    assert sorted({fault["field"] for fault in answer.json()["errors"]}) == sorted(fields)
    assert list(desk.backtests.rows) == [BACKTEST]


async def test_the_terms_come_back_as_they_can_be_sent_again(owner: httpx.AsyncClient) -> None:
    terms = {
        "cash": "5000", "fees": None, "fees_bps": "5", "size": {"type": "percent-of-equity", "share": "0.5"},
        "fill": "close", "slippage_bps": "2", "stop_loss": "0.05", "take_profit": "0.5", "trailing_stop": "0.1",
        "participation": None,
        "maintenance": "0.25", "spread_share": "0.5", "limit_offset": "0", "financing": "0.06", "credit": "0.01",
        "borrow": "0.03", "mtm": {}, "engine": "compiled", "risk_free": "0.02",
    }  # fmt: skip
    first = await get(owner, f"/{await ask(owner, **terms, start='2005-08-05', end='2005-08-25T00:00:00Z')}")
    assert first["asked"] == terms
    assert (first["start"], first["end"]) == ("2005-08-05T00:00:00Z", "2005-08-25T00:00:00Z")
    again = await ask(owner, **first["asked"], start=first["start"], end=first["end"])
    for one in (await until(owner, first["id"], "done"), await until(owner, again, "done")):
        assert (one["summary"]["bars"], one["summary"]["engine"]) == (20, "compiled")
    results = [await get(owner, f"/{one}") for one in (first["id"], again)]
    assert results[0]["fingerprint"] == results[1]["fingerprint"]


async def test_rules_of_mark_to_market_control_are_sent_as_a_desk_has_them(
    desk: World, owner: httpx.AsyncClient
) -> None:
    rules = {"target": "1%", "basis": "entry", "trail": {"distance": "900", "activates_at": None}}
    made = await ask(owner, mtm={"account": rules, "stk": {"no_entries_after": "15:00"}})
    found = await until(owner, made, "done", "failed")
    assert found["error"] is None
    assert found["summary"]["engine"] == "event"
    sent = found["asked"]["mtm"]
    assert {name: sent["account"][name] for name in rules} == rules
    assert sent["STK"]["no_entries_after"] == "15:00"
    terms = {
        "account": ek.mtm_rules(target="1%", basis="entry", trail=900),
        "STK": ek.mtm_rules(no_entries_after="15:00"),
    }
    actions: dict[str, Any] = {
        "splits": desk.parts.bars.splits(STOCK.id), "dividends": desk.parts.bars.dividends(STOCK.id)
    }  # fmt: skip
    bars = stored_bars().of_instrument(STOCK)
    expected = run("sma-crossover", {"STK": bars}, params=PARAMETERS, mtm=terms, size=ek.PercentOfEquity(), **actions)
    assert found["summary"]["terms"] == expected.summary()["terms"]
    assert found["fingerprint"] == expected.fingerprint
    fills = await pages(owner, made, "fills")
    assert "mtm" in {one["why"] for one in fills}
    again = await ask(owner, mtm=sent)
    assert (await until(owner, again, "done"))["fingerprint"] == found["fingerprint"]


async def test_what_only_the_run_can_show_ends_as_failed(owner: httpx.AsyncClient) -> None:
    found = await until(owner, await ask(owner, strategy="raising", parameters={}), "failed")
    assert "ZeroDivisionError: of its own making" in found["error"]
    for kind in ("equity", "fills", "trades", "report"):
        problem = await get(owner, f"/{found['id']}/{kind}", 409)
        assert "of its own making" in problem["detail"]


async def test_one_at_a_time_in_the_order_they_came(desk: World, owner: httpx.AsyncClient) -> None:
    first, second = await ask(owner), await ask(owner)
    await until(owner, second, "done")
    one, other = desk.backtests.rows[first], desk.backtests.rows[second]
    assert one.finished_at is not None
    assert other.started_at is not None
    assert one.finished_at <= other.started_at


async def test_as_many_wait_as_may_and_no_more(desk: World, owner: httpx.AsyncClient) -> None:
    await until(owner, await ask(owner, **STUCK, parameters={}), "running")
    waiting = [await ask(owner) for _ in range(MOST_WAITING)]
    refused = await owner.post(PATH, json=BODY)
    assert refused.status_code == 409
    assert "cancel one" in refused.json()["hint"]
    async with await desk.signed_in(desk.other) as other:
        await ask(other)
    assert (await owner.delete(f"{PATH}/{waiting[3]}")).json()["state"] == "cancelled"
    await ask(owner)


async def test_the_list_is_newest_first_and_filtered(desk: World, owner: httpx.AsyncClient) -> None:
    await until(owner, await ask(owner, **STUCK, parameters={}), "running")
    ids = [await ask(owner) for _ in range(3)]
    first = await get(owner, "?limit=2")
    assert [one["id"] for one in first["items"]] == [ids[2], ids[1]]
    rest = await get(owner, f"?limit=10&cursor={first['next_cursor']}")
    assert [one["state"] for one in rest["items"]] == ["queued", "running", "done"]
    assert rest["next_cursor"] is None
    assert [one["id"] for one in (await get(owner, "?state=done"))["items"]] == [BACKTEST]
    assert [one["state"] for one in (await get(owner, "?strategy=stuck"))["items"]] == ["running"]
    assert (await get(owner, "?state=deleted", 422))["errors"][0]["field"] == "state"
    async with await desk.signed_in(desk.other) as other:
        assert (await get(other, ""))["items"] == []


async def test_results_stand_side_by_side(desk: World, owner: httpx.AsyncClient) -> None:
    waiting = backtest(desk.owner.id, "0190b000-0000-7000-8000-000000000002")
    await desk.backtests.add(waiting)
    found = await get(owner, f"/compare?ids={waiting.id},{BACKTEST},{waiting.id}")
    assert [one["id"] for one in found["backtests"]] == [waiting.id, BACKTEST]
    metrics = {one["name"]: one["values"] for one in found["metrics"]}
    summary = desk.backtests.rows[BACKTEST].summary
    assert summary is not None
    assert metrics == {name: [None, value] for name, value in summary["metrics"].items()}
    assert (await get(owner, f"/compare?ids={BACKTEST},nothing", 404))["detail"] == "there is no backtest 'nothing'"
    for ids in (",", ",".join(map(str, range(21)))):
        assert (await get(owner, f"/compare?ids={ids}", 422))["errors"][0]["field"] == "ids"


async def test_files_are_the_owners_alone_and_go_with_their_result(desk: World, owner: httpx.AsyncClient) -> None:
    made = await ask(owner)
    await until(owner, made, "done")
    file = desk.research / f"{made}.npz"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (await owner.delete(f"{PATH}/{made}")).status_code == 204
    assert not file.exists()
    await get(owner, f"/{made}", 404)
    (desk.research / f"{BACKTEST}.npz").unlink()
    problem = await get(owner, f"/{BACKTEST}/fills", 404)
    assert "research folder" in problem["detail"]


async def test_a_running_one_is_cancelled_at_once_and_then_removed(desk: World, owner: httpx.AsyncClient) -> None:
    made = await ask(owner, **STUCK, parameters={})
    after = await ask(owner)
    await until(owner, made, "running")
    answer = await owner.delete(f"{PATH}/{made}")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    await until(owner, after, "done")
    assert (await owner.delete(f"{PATH}/{made}")).status_code == 204
    assert (await owner.delete(f"{PATH}/{made}")).status_code == 404


async def test_a_database_that_does_not_answer_leaves_the_queue_as_it_was(
    desk: World, owner: httpx.AsyncClient
) -> None:
    await until(owner, await ask(owner, **STUCK, parameters={}), "running")
    waiting = await ask(owner)
    desk.backtests.fault = NotReady("the database does not answer")
    assert (await owner.delete(f"{PATH}/{waiting}")).status_code == 503
    assert (await owner.delete(f"{PATH}/{waiting}")).json()["state"] == "cancelled"
    desk.backtests.fault = NotReady("the database does not answer")
    assert (await owner.post(PATH, json=BODY)).status_code == 503


async def test_the_stream_tells_every_state_of_the_users_own(desk: World) -> None:
    async with (
        served(desk) as address,
        await desk.signed_in() as owner,
        await open_stream(desk, address) as stream,
        await open_stream(desk, address, other=True) as strange,
    ):
        first = await subscribe(stream, "backtests")
        assert [one["id"] for one in first["items"]] == [BACKTEST]
        assert (await subscribe(strange, "backtests"))["items"] == []
        made = await ask(owner)
        told: list[Any] = []
        async with asyncio.timeout(SECONDS):
            while not told or told[-1]["item"]["state"] != "done":
                told.append(await hear(stream, "delta"))
        assert [one["seq"] for one in told] == list(range(first["seq"] + 1, first["seq"] + 1 + len(told)))
        assert {one["item"]["id"] for one in told} == {made}
        states = [one["item"]["state"] for one in told]
        assert list(dict.fromkeys(states)) == ["queued", "running", "done"]
        stages = [one["item"]["stage"] for one in told]
        assert stages == [None, "starting", "reading", "running", "figures", "report", None]
        assert told[-1]["item"]["final_equity"] == (await get(owner, f"/{made}"))["final_equity"]
        assert (await owner.delete(f"{PATH}/{made}")).status_code == 204
        assert (await hear(stream, "delta"))["item"]["state"] == "deleted"
        again = await subscribe(stream, "backtests")
        assert [one["id"] for one in again["items"]] == [BACKTEST]
        await strange.send('{"op": "subscribe", "channel": "backtests"}')
        assert (await hear(strange))["seq"] == 0, "nothing was told to another user"


async def test_nothing_later_than_the_clock_of_a_replay_is_seen(desk: World, owner: httpx.AsyncClient) -> None:
    class Replay:
        kind, cursor, start = "replay", int(stored_bars().close_ts[9]), 0

    desk.parts.feed = Replay()  # type: ignore[assignment]
    found = await until(owner, await ask(owner, end="2030-01-01"), "done")
    assert found["summary"]["bars"] == 10
    assert found["summary"]["end"] == np.datetime_as_string(np.datetime64(Replay.cursor, "ns"), "s") + "Z"
    Replay.cursor = 1
    refused = await owner.post(PATH, json=BODY)
    assert "has not reached" in refused.json()["errors"][0]["message"]
