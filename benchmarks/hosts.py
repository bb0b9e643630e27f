"""Strategy hosts: what a process costs to start, what a bar costs 100 deployments, and when their orders are sent.

The desk is the live one with its durable journal, without HTTP: a feed of one-minute bars, 100 deployments of five
templates on it, and the simulated broker. The same is run with the strategies in the desk's own process.
"""

import asyncio
import resource
import tempfile
import time
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.machine import facts, spread
from benchmarks.workload import walk
from evenkeel.domain import commands as c
from evenkeel.domain.accounts import Account, Limits
from evenkeel.domain.ids import Random
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.strategies import Allocation, Deployment, Scalar
from evenkeel.market.feeds.replay import ReplayFeed
from evenkeel.market.stores.memory import MemoryStore
from evenkeel.storage.database import database
from evenkeel.storage.ownership import Owner
from evenkeel.storage.schema import upgrade
from evenkeel.trading.brokers.registry import BrokerSetup, build
from evenkeel.trading.live.feed import FeedControl
from evenkeel.trading.live.hosting.inline import InlineHosts
from evenkeel.trading.live.hosting.ports import Hosts
from evenkeel.trading.live.hosting.process import ProcessHosts
from evenkeel.trading.live.runner import Clock, Runner
from evenkeel.trading.live.simulated import standing
from evenkeel.trading.live.strategies import StrategyDesk
from evenkeel.trading.strategies.messages import Retire
from evenkeel.trading.strategies.registry import Registry

BY = Provenance(actor="benchmark", source=Source.USER)
FREE = Limits(max_position_share=None, daily_loss=None, max_trades_per_day=None, cash_check=False, allow_short=True)
TEMPLATES: tuple[tuple[str, str, int], ...] = (
    ("sma-crossover", "fast", 5),
    ("ema-crossover", "fast", 5),
    ("donchian-breakout", "entry", 15),
    ("momentum", "lookback", 5),
    ("rsi", "period", 5),
)
SYMBOLS = 5
BEFORE = 400
TARGET_MS = 20.0


class _Desk:
    """A live desk in this process, whose market is handed over bar by bar."""

    def __init__(self, folder: Path, hosts: Hosts, *, bars: int) -> None:
        where = database(folder, None)
        upgrade(where)
        self.owner = Owner(where)
        self.owner.__enter__()
        self.instruments = [
            Instrument(f"i{n}", f"S{n}", "24/7", AssetClass.CRYPTO, "USD", Decimal("0.0001"), Decimal(1))
            for n in range(SYMBOLS)
        ]
        lines = [walk(BEFORE + bars, seed=n).of_instrument(one) for n, one in enumerate(self.instruments)]
        start = int(lines[0].close_ts[BEFORE - 1])
        store = MemoryStore(self.instruments, lines, splits=())
        self.feed = ReplayFeed(store, timeframes=("1m",), start=start, end=None)
        self.sent: list[tuple[float, float]] = []
        self.runner = Runner(
            self.owner.journal("benchmark"),
            lambda state: {"simulated": build("simulated", BrokerSetup(standing=standing(state, "simulated")))},
            ids=lambda _: Random(),
            clock=Clock(replay=True),
            on_stage=self._stage,
        )
        self.runner.clock.at = start
        self.exchanges: list[float] = []
        self.answered = 0.0
        self.desk = StrategyDesk(hosts, self.feed, self.runner, on_exchange=self._exchanged)
        self.runner.subscribe(self.desk)
        self.control = FeedControl(self.runner, self.feed, self.desk, kind="replay", speed=Decimal(0))

    def _exchanged(self, seconds: float) -> None:
        self.exchanges.append(seconds)
        self.answered = time.perf_counter()

    def _stage(self, stage: str, seconds: float) -> None:
        if stage == "sent":
            now = time.perf_counter()
            self.sent.append((now, now - self.answered))

    async def start(self, deployments: int) -> None:
        await self.runner.start(run="benchmark", version="0")
        for one in self.instruments:
            await self.runner.submit(c.ListInstrument(provenance=BY, instrument=one))
        account = Account("account", "user", "Main", "simulated", "USD", costs="zero", limits=FREE)
        await self.runner.submit(c.OpenAccount(provenance=BY, account=account, initial_cash=Decimal(10**9)))
        await self.runner.post_all([c.Deploy(provenance=BY, deployment=one) for one in _deployments(deployments)])
        await self.runner.quiet()

    async def close(self) -> None:
        await self.control.stop()
        await self.runner.stop()
        self.runner.journal.close()
        self.owner.__exit__(None, None, None)


def _deployments(count: int) -> Iterable[Deployment]:
    """No two alike: five templates in turn, each with a parameter of its own, on five symbols."""
    share = (Allocation("account", Decimal("0.001")),)
    for n in range(count):
        template, name, least = TEMPLATES[n % len(TEMPLATES)]
        values: dict[str, Scalar] = {name: least + n // len(TEMPLATES)}
        symbol = f"i{(n // len(TEMPLATES)) % SYMBOLS}"
        yield Deployment(f"d{n}", f"d{n}", template, "1", values, (symbol,), share, timeframe="1m")


async def _measured(folder: Path, hosts: Hosts, *, deployments: int, bars: int) -> dict[str, Any]:
    desk = _Desk(folder, hosts, bars=bars)
    await desk.start(deployments)
    try:
        return await _run(desk, deployments=deployments, bars=bars)
    finally:
        await desk.close()


async def _run(desk: _Desk, *, deployments: int, bars: int) -> dict[str, Any]:
    slices = desk.feed.slices()
    begun = time.perf_counter()
    await desk.control.hand_over(next(slices))
    await desk.desk.caught_up()
    first = time.perf_counter() - begun
    desk.exchanges.clear()
    desk.sent.clear()
    from_bar: list[float] = []
    from_signal: list[float] = []
    cpu = time.process_time()
    for _ in range(bars - 1):
        at = time.perf_counter()
        await desk.control.hand_over(next(slices))
        await desk.runner.quiet()
        from_bar += [moment - at for moment, _ in desk.sent]
        from_signal += [waited for _, waited in desk.sent]
        desk.sent.clear()
        await asyncio.sleep(0)
    used = time.process_time() - cpu
    status = desk.desk.hosts()[0]
    if len(status.deployments) < deployments or not from_bar:
        raise RuntimeError(f"{len(status.deployments)} deployments are at work, and sent {len(from_bar)} orders")
    return {
        "result": {"deployments": len(status.deployments), "orders": len(from_bar), "restarts": status.restarts},
        "first_bar_with_start_s": round(first, 2),
        "exchange_ms": spread(desk.exchanges, scale=1000),
        "signal_to_order_sent_ms": spread(from_signal, scale=1000),
        "bar_to_order_sent_ms": spread(from_bar, scale=1000),
        "cpu_ms_per_bar_of_the_desk": round(used / (bars - 1) * 1000, 3),
    }


async def _start(registry: Registry) -> dict[str, float]:
    """Seconds from opening a host to its first answer, and the processor time of its process until it ends."""

    class Silent:
        def said(self, slot: int, line: str) -> None:
            raise RuntimeError(line)

        def died(self) -> None:
            raise RuntimeError("the host has died")

    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    host = ProcessHosts(registry).open(Silent())
    await host.ask(Retire("nobody"))
    taken = time.perf_counter() - begun
    if not host.is_alive:
        raise RuntimeError("the host did not answer")
    resident = _resident_mib(host.pid)
    await host.close()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": taken, "cpu_s": cpu, "resident_mib": resident}


def _resident_mib(pid: int | None) -> float:
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize() / 2**20


def strategy_hosts(*, deployments: int = 100, bars: int = 400) -> dict[str, Any]:
    """100 deployments on one feed, in a process of their own and in the desk's; and what a process costs to start."""
    registry = Registry()
    starts = [asyncio.run(_start(registry)) for _ in range(5)]
    found, disk = dict[str, Any](), dict[str, Any]()
    for name, hosts in (("process", ProcessHosts(registry)), ("inline", InlineHosts(registry))):
        with tempfile.TemporaryDirectory(prefix="evenkeel-bench-") as folder:
            found[name] = asyncio.run(_measured(Path(folder), hosts, deployments=deployments, bars=bars))
            disk = facts(Path(folder))
    waits = ("signal_to_order_sent_ms", "bar_to_order_sent_ms")
    return {
        "benchmark": "strategy-hosts",
        "result": {name: one.pop("result") for name, one in found.items()},
        "start": {name: round(sorted(one[name] for one in starts)[2], 3) for name in starts[0]},
        **found,
        "target_p95_ms": TARGET_MS,
        "reached": {name: found["process"][name]["p95"] <= TARGET_MS for name in waits},
        "machine": disk,
    }
