"""The order path: posts over HTTP, risk-checked, journalled durably, filled by the simulated broker.

`throughput` keeps many connections posting; `latency` posts on one and watches the stream for the fills. A market
order fills at the open of the next simulated bar, so the time to fill holds the pace of the feed, which is printed.
"""

import asyncio
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import websockets

from benchmarks.desk import Desk, doctor, evenkeel, used
from benchmarks.machine import facts, spread
from benchmarks.posting import Load, Poster
from benchmarks.prices import write_csv
from evenkeel.storage.database import database
from evenkeel.storage.journal import open_reader, shards_of
from evenkeel.trading.engine.state import State
from evenkeel.trading.live.recovery import recover

SYMBOLS = ("ALFA", "BRAVO", "CHARLIE", "DELTA", "ECHO")
BARS_A_SECOND = 20
MARKET_ORDER = {"side": "BUY", "quantity": "1", "kind": "MARKET"}
SETTLED = frozenset({"FILLED", "ACCEPTED", "PARTIALLY_FILLED", "EXPIRED", "REFUSED"})
SETTLE_SECONDS = 60.0
IDLE_SECONDS = 2.0


def desk_of(home: Path, database_url: str | None = None, **settings: str) -> Desk:
    """A desk on a simulated market of one-minute bars, its daily limit of orders out of the way."""
    for symbol in SYMBOLS if not (home / "data").exists() else ():
        write_csv(home.parent / f"{symbol}.csv", symbol, rows=10)
        evenkeel("data", "import", str(home.parent / f"{symbol}.csv"), "--home", str(home))
    feed = ("--feed", "simulated", "--timeframe", "1m", "--speed", str(BARS_A_SECOND))
    return Desk(home, *feed, database_url=database_url, max_daily_trades="1000000000", log_level="info", **settings)


def symbols_of(desk: Desk) -> list[str]:
    """The symbols that have been quoted; waits for the first bars."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        items = desk.call("GET", "/market/symbols")["items"]
        if items and all(item["last_price"] for item in items):
            return [item["symbol"] for item in items]
        time.sleep(0.05)
    raise RuntimeError("no price was quoted")


def fold(home: Path, database_url: str | None) -> tuple[State, dict[str, str]]:
    """The state that the journal alone gives, and the journal's settings as read back."""
    where = database(home, database_url)
    (shard,) = shards_of(where)
    with open_reader(where, shard) as reader:
        return recover(reader), reader.durability()  # type: ignore[arg-type]


def background(desk: Desk) -> float:
    """CPU milliseconds a second of the process (its projection writer apart) while only the feed runs."""
    before = desk.cpu()
    time.sleep(IDLE_SECONDS)
    return round(used(before, desk.cpu())[0] / IDLE_SECONDS * 1000, 1)


def settle(desk: Desk, account_id: str) -> float:
    """Seconds until no order of the account is working."""
    started = time.monotonic()
    while time.monotonic() - started < SETTLE_SECONDS:
        if desk.call("GET", f"/accounts/{account_id}")["open_orders"] == 0:
            return time.monotonic() - started
        time.sleep(0.1)
    raise RuntimeError("orders are still working")


def checked(home: Path, load: Load, database_url: str | None) -> dict[str, Any]:
    """Proves the result: every order answered 201 is in the journal, in a state that may be, and the books agree.

    Raises RuntimeError where one is missing, in doubt or refused.
    """
    report = doctor(home, database_url)
    state, durability = fold(home, database_url)
    missing = [order_id for order_id in load.orders if order_id not in state.orders]
    states = Counter(str(state.orders[order_id].state) for order_id in load.orders if order_id in state.orders)
    fills = sum(1 for fill in state.fills.values() if fill.reverses is None)
    refused = {answer: count for answer, count in load.answers.items() if not answer.startswith("201 ")}
    doubled = len(load.orders) - len(set(load.orders)) + max(0, fills - len(state.orders))
    if missing or doubled or refused or set(states) - {"FILLED"} or fills != states["FILLED"]:
        said = f"missing {len(missing)}, doubled {doubled}, states {dict(states)}, fills {fills}, answers {refused}"
        raise RuntimeError(said)
    return {
        "lost": len(missing),
        "doubled": doubled,
        "orders": len(load.orders),
        "states": dict(states),
        "fills": fills,
        "doctor_ok": report["ok"],
        "doctor_lag": report["lag"],
        "durability": {name: value for name, value in durability.items() if name != "file"},
    }


def throughput(
    *,
    connections: int = 64,
    seconds: float = 60.0,
    orders: int = 1_000_000,
    basket: int = 0,
    database_url: str | None = None,
) -> dict[str, Any]:
    """Posts on many connections for `seconds` or until `orders` are answered; `basket`: so many in each, 0 for one."""
    with tempfile.TemporaryDirectory(prefix="evenkeel-bench-") as folder:
        home = Path(folder) / "home"
        with desk_of(home, database_url) as desk:
            account_id, symbols = desk.open_account(), symbols_of(desk)
            names: dict[str, Any] = {"account_id": account_id, "symbols": symbols, "run": "many"}
            poster = Poster(desk.port, desk.token, basket=basket, **names)
            idle = background(desk)
            before = desk.cpu()
            load = asyncio.run(poster.run(MARKET_ORDER, connections=connections, orders=orders, seconds=seconds))
            during = desk.cpu()
            lag = desk.status()["journal"]["lag"]
            working = desk.call("GET", f"/accounts/{account_id}")["open_orders"]
            settled = settle(desk, account_id)
            after = desk.cpu()
            caught_up = desk.catch_up()
            memory = desk.memory_mib()
            projected = desk.cpu()
        result = checked(home, load, database_url)
        count = len(load.orders)
        main, _ = used(before, after)
        return {
            "benchmark": "posts",
            "what": f"{f'baskets of {basket}' if basket else 'single posts'} on {connections} connections: orders "
            f"that fill at the next of {BARS_A_SECOND} one-minute bars a second",
            "result": result,
            "seconds": round(load.seconds, 2),
            "orders_per_minute": round(count / load.seconds * 60),
            "cpu_ms_per_order": round(main / count * 1000, 4),
            "cpu_ms_per_order_while_posting": round(used(before, during)[0] / count * 1000, 4),
            "projector_cpu_ms_per_order": round(used(before, projected)[1] / count * 1000, 4),
            "cpu_ms_a_second_without_orders": idle,
            "cpu_by_thread_s": {name: round(after[name] - before.get(name, 0.0), 2) for name in after},
            "post_to_201_ms": spread(load.latencies, scale=1000),
            "working_when_posting_ended": working,
            "all_filled_after_s": round(settled, 2),
            "projection_lag_records": lag,
            "caught_up_after_s": round(settled + caught_up, 2),
            "memory_mib": memory,
            "machine": facts(Path(folder)),
        }


async def _filled(desk: Desk, news: asyncio.Event, filled: dict[str, float]) -> None:
    """Notes when the stream says that an order has filled."""
    ticket = desk.call("POST", "/auth/stream-ticket")["ticket"]
    url = f"ws://127.0.0.1:{desk.port}/api/v2/stream?ticket={ticket}"
    async with websockets.connect(url, max_size=None) as socket:
        await socket.send(json.dumps({"op": "subscribe", "channel": "orders"}))
        news.set()
        async for text in socket:
            message = json.loads(text)
            if message["type"] == "delta" and message["item"]["state"] == "FILLED":
                filled[message["item"]["client_order_id"]] = time.perf_counter()
                news.set()


async def _post_and_watch(desk: Desk, poster: Poster, *, orders: int, seconds: float) -> tuple[Load, list[float]]:
    news, filled = asyncio.Event(), dict[str, float]()
    watcher = asyncio.create_task(_filled(desk, news, filled))
    await asyncio.wait([asyncio.create_task(news.wait()), watcher], return_when=asyncio.FIRST_COMPLETED)
    load = await poster.run(MARKET_ORDER, connections=1, orders=orders, seconds=seconds)
    async with asyncio.timeout(SETTLE_SECONDS):
        while len(filled) < len(load.orders):
            news.clear()
            await news.wait()
    watcher.cancel()
    await asyncio.gather(watcher, return_exceptions=True)
    waits = [filled[name] - sent for name, sent in poster.sent.items() if name in filled]
    return load, waits


def latency(*, seconds: float = 30.0, orders: int = 3_000, database_url: str | None = None) -> dict[str, Any]:
    """One connection: from the post to its 201, and to the stream's word that the order has filled."""
    with tempfile.TemporaryDirectory(prefix="evenkeel-bench-") as folder:
        home = Path(folder) / "home"
        with desk_of(home, database_url) as desk:
            account_id, symbols = desk.open_account(), symbols_of(desk)
            poster = Poster(desk.port, desk.token, account_id=account_id, symbols=symbols, run="one")
            before = desk.cpu()
            load, waits = asyncio.run(_post_and_watch(desk, poster, orders=orders, seconds=seconds))
            settle(desk, account_id)
            main, projector = used(before, desk.cpu())
            desk.catch_up()
        result = checked(home, load, database_url)
        count = len(load.orders)
        return {
            "benchmark": "latency",
            "what": "single posts on one connection, one after the other",
            "result": result,
            "post_to_201_ms": spread(load.latencies, scale=1000),
            "post_to_fill_on_stream_ms": spread(waits, scale=1000),
            "fills_seen": len(waits),
            "bars_a_second": BARS_A_SECOND,
            "orders_per_minute": round(count / load.seconds * 60),
            "cpu_ms_per_order": round(main / count * 1000, 4),
            "projector_cpu_ms_per_order": round(projector / count * 1000, 4),
            "machine": facts(Path(folder)),
        }
