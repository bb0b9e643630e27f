"""Copying: from a fill of the master's to the last follower's order accepted, on the simulated broker and SQLite.

`python benchmarks/copy.py --json` prints one object. The desk is the live one: its runner, its journal with synchronous
commits, its consumer and its broker. Each round the master's order fills, and every follower's copy is judged,
recorded, committed, sent and accepted; the clock runs from handing in the fill to the commit of the last acceptance.
Copied orders are timed from the order's being handed in. A figure is printed only after the result was checked: every
follower holds its share of what the master does, and no event was taken twice.
"""

import argparse
import asyncio
import gc
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.machine import facts, spread
from evenkeel.desk.copytrading.copier import Copier
from evenkeel.domain import commands as c
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Account, AccountType, FillTerms, Limits
from evenkeel.domain.copy_records import CopyTaken
from evenkeel.domain.copying import CopyLink, CopyMode, CopyTerms, Multiplier
from evenkeel.domain.ids import Random
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.domain.marketdata import Bar, MarketSlice
from evenkeel.domain.orders import OrderEvent, OrderKind, OrderSpec, Side
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.records import Batch
from evenkeel.storage.database import database
from evenkeel.storage.ownership import Owner
from evenkeel.storage.schema import upgrade
from evenkeel.trading.brokers.registry import BrokerSetup, build
from evenkeel.trading.live.runner import Clock, Runner
from evenkeel.trading.live.simulated import standing

WHO = Provenance("benchmark", Source.USER)
STOCK = Instrument("stock", "STOCK", "XNYS", AssetClass.EQUITY, "USD", Decimal("0.01"), Decimal(1))
LIMITS = Limits(max_position_share=None, daily_loss=None, max_trades_per_day=None, allow_short=True)
AIM_MS = 20.0
MICROSECOND = 1_000
SIZES = ("1", "0.5", "0.25", "2")
"""What followers multiply by, one after the other."""


class Watch:
    """Tells when the last of the followers' orders was accepted, once the master has filled or asked."""

    def __init__(self, runner: Runner, followers: int) -> None:
        self.runner, self.followers = runner, followers
        self.began = 0.0
        self.accepted = 0
        self.done: asyncio.Future[float] | None = None

    def start(self) -> "asyncio.Future[float]":
        self.accepted, self.began = 0, time.perf_counter()
        self.done = asyncio.get_running_loop().create_future()
        return self.done

    def committed(self, batch: Batch, records: tuple[r.AnyRecord, ...]) -> None:
        for record in records:
            if isinstance(record, r.OrderMoved) and record.event is OrderEvent.ACCEPT:
                self.accepted += self.runner.state.orders[record.order_id].spec.book.startswith("link-")
        if self.done is not None and not self.done.done() and self.accepted >= self.followers:
            self.done.set_result((time.perf_counter() - self.began) * 1e3)


class Desk:
    """The live runner on a journal of its own, a master, and followers that are linked to it."""

    def __init__(self, home: Path, *, followers: int, mode: CopyMode) -> None:
        home.mkdir()
        where = database(home, None)
        upgrade(where)
        self.owner = Owner(where)
        self.journal = self.owner.journal("shard")
        self.runner = Runner(
            self.journal,
            lambda state: {"simulated": build("simulated", BrokerSetup(standing=standing(state, "simulated")))},
            ids=lambda state: Random(),
            clock=Clock(),
        )
        self.runner.subscribe(Copier(self.runner, volatility=lambda name, window: None))
        self.watch = Watch(self.runner, followers)
        self.runner.subscribe(self.watch)
        self.names = [f"follower {number:03}" for number in range(followers)]
        self.mode, self.serial = mode, 0

    async def open(self) -> None:
        await self.runner.start(run="benchmark", version="0")
        await self.runner.submit(c.ListInstrument(provenance=WHO, instrument=STOCK))
        for name in ("master", *self.names):
            account = Account(
                name, "user", name, "simulated", "USD", type=AccountType.MARGIN, limits=LIMITS, terms=FillTerms()
            )
            await self.runner.submit(c.OpenAccount(provenance=WHO, account=account, initial_cash=Decimal(10**9)))
        await self.market()
        for number, name in enumerate(self.names):
            link = CopyLink(
                id=f"link-{number}",
                master_id="master",
                follower_id=name,
                mode=self.mode,
                proposed_by="user",
                accepted=True,
                terms=CopyTerms(Multiplier(Decimal(SIZES[number % len(SIZES)]))),
            )
            await self.runner.submit(c.OpenCopyLink(provenance=WHO, link=link))
        await self.runner.quiet()

    async def market(self) -> None:
        """The next bar, at which everything that works fills."""
        begins = max(self.runner.clock.now(), self.runner.state.time) + 1
        bar = Bar(STOCK.id, begins, begins + MICROSECOND, 100.0, 100.0, 100.0, 100.0, 1e9)
        slice_ = MarketSlice(bar.close_ts, (bar,))
        await self.runner.post_all([slice_])
        await self.runner.brokers["simulated"].observe(slice_)  # type: ignore[attr-defined]

    async def round(self, side: Side, quantity: int) -> float:
        """The master trades, and every follower's order is accepted; then they fill. Milliseconds of the first."""
        self.serial += 1
        spec = OrderSpec(
            "master", "manual", STOCK.id, side, Decimal(quantity), OrderKind.MARKET, f"order-{self.serial}"
        )
        if self.mode is CopyMode.ORDERS:
            done = self.watch.start()
            await self.runner.submit(c.SubmitOrder(provenance=WHO, spec=spec))
        else:
            await self.runner.submit(c.SubmitOrder(provenance=WHO, spec=spec))
            await self.runner.quiet()
            done = self.watch.start()
            await self.market()
        took = await asyncio.wait_for(done, 30)
        await self.runner.quiet()
        await self.market()
        await self.runner.quiet()
        return took

    def check(self) -> dict[str, int]:
        """Raises RuntimeError where a follower does not hold its share, or an event was taken twice."""
        state = self.runner.state
        held = state.position(PositionKey("master", "manual", STOCK.id)).quantity
        for number, name in enumerate(self.names):
            has = state.position(PositionKey(name, f"link-{number}", STOCK.id)).quantity
            if has != held * Decimal(SIZES[number % len(SIZES)]):
                raise RuntimeError(f"{name} holds {has} where the master holds {held}")
        taken = [one for one in self._records() if isinstance(one, CopyTaken)]
        if len({(one.link_id, one.source) for one in taken}) != len(taken):
            raise RuntimeError("an event was taken twice")
        copies = sum(len(one.orders) for one in taken)
        orders = sum(order.spec.book.startswith("link-") for order in state.orders.values())
        if copies != orders:
            raise RuntimeError(f"{orders} orders were placed for {copies} copies")
        return {"copies": copies, "lost": 0, "doubled": 0}

    def _records(self) -> Sequence[r.AnyRecord]:
        return [record for batch in self.journal.read() for record in r.decode(batch.body)]

    async def close(self) -> None:
        await self.runner.stop()
        self.journal.close()
        self.owner.release()


async def _measured(home: Path, *, followers: int, rounds: int, mode: CopyMode) -> dict[str, Any]:
    desk = Desk(home, followers=followers, mode=mode)
    try:
        await desk.open()
        for number in range(5):  # what is done for the first time takes longer
            await desk.round(Side.BUY if number % 2 else Side.SELL, 4)
        gc.freeze()
        took = [await desk.round(Side.BUY if number % 3 else Side.SELL, 8) for number in range(rounds)]
        return {"ms": spread(took, digits=2), "result": desk.check()}
    finally:
        await desk.close()


def copy(*, followers: int = 100, rounds: int = 200) -> dict[str, Any]:
    """Milliseconds from a fill of the master's to the last follower's accepted order, and the same of copied orders."""
    import uvloop

    found = {}
    with (
        tempfile.TemporaryDirectory(prefix="ek-copy-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop,
    ):
        for mode in CopyMode:
            home = Path(folder) / mode.value
            found[mode] = loop.run(_measured(home, followers=followers, rounds=rounds, mode=mode))
    fills = found[CopyMode.FILLS]
    return {
        "benchmark": "copy",
        "what": f"a master and {followers} followers, {rounds} rounds each of copied fills and of copied orders",
        "result": {mode.value: one["result"] for mode, one in found.items()},
        "fill_to_last_accepted_ms": fills["ms"],
        "order_to_last_accepted_ms": found[CopyMode.ORDERS]["ms"],
        "wanted": {"p99_ms": AIM_MS},
        "reached": fills["ms"]["p99"] <= AIM_MS,
        "machine": facts(),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one object, else a line for each figure")
    parser.add_argument("--followers", type=int, default=100, help="how many accounts follow (100)")
    parser.add_argument("--rounds", type=int, default=200, help="how many fills are copied (200)")
    given = parser.parse_args()
    found = copy(followers=given.followers, rounds=given.rounds)
    if given.json:
        print(json.dumps(found, indent=2))
    else:
        for name in ("fill_to_last_accepted_ms", "order_to_last_accepted_ms", "result"):
            print(f"{name}  {found[name]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
