"""What a strategy knows at a bar: the fills before its close, live as in a backtest, and after a restart as well."""

import asyncio
from decimal import Decimal
from typing import ClassVar

import pytest

from evenkeel import backtest, sample_bars
from evenkeel.domain import commands as c
from evenkeel.domain.accounts import Account, Limits
from evenkeel.domain.clock import parse_iso
from evenkeel.domain.fills import Fill
from evenkeel.domain.marketdata import Bar
from evenkeel.domain.orders import Order
from evenkeel.domain.records import CursorMoved
from evenkeel.domain.strategies import Allocation, Deployment
from evenkeel.market.feeds.replay import ReplayFeed
from evenkeel.market.sample import sample_market
from evenkeel.market.stores.memory import MemoryStore
from evenkeel.trading.live.feed import FeedControl
from evenkeel.trading.live.hosting.inline import InlineHosts
from evenkeel.trading.live.runner import Runner
from evenkeel.trading.live.strategies import StrategyDesk
from evenkeel.trading.strategies import Context, Strategy
from evenkeel.trading.strategies.registry import Registry
from tests.trading.live.desk import BY, MemoryJournal, make_runner

INSTRUMENTS, BARS, SPLITS = sample_market()
IBM = next(one for one in INSTRUMENTS if one.symbol == "IBM")
FIRST, LAST = parse_iso("2004-12-20"), parse_iso("2005-02-01")
FREE = Limits(max_position_share=None, daily_loss=None, max_trades_per_day=None, cash_check=False)


class Watchful(Strategy):
    """Buys on every third bar while flat, answers a fill by a sale, and writes down all that it is told and sees."""

    name = "watchful"
    told: ClassVar[list[str]] = []

    def __init__(self) -> None:
        self.bars = 0

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.bars += 1
        Watchful.told.append(f"bar {bar.close_ts} at {ctx.position()}, {self.seen(ctx)}")
        if self.bars % 3 == 0 and not ctx.position():
            ctx.buy(2)

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        Watchful.told.append(f"fill {fill.side} at {ctx.position()}, {self.seen(ctx)}")
        if ctx.position() > 0:
            ctx.sell(fill.quantity, limit=Decimal(1))

    def on_order(self, ctx: Context, order: Order) -> None:
        Watchful.told.append(f"order {order.spec.side} {order.state} at {ctx.position()}, {self.seen(ctx)}")

    @staticmethod
    def seen(ctx: Context) -> str:
        return f"last bar {ctx.bars(1).close_ts[0]}"

    def state(self) -> bytes | None:
        return bytes([self.bars])

    def restore(self, state: bytes) -> None:
        self.bars = state[0]


async def live(journal: MemoryJournal) -> Runner:
    source = ReplayFeed(MemoryStore([IBM], [BARS[IBM.id]], splits=()), start=FIRST, end=LAST)
    runner = make_runner(journal, start=source.start)
    is_new = runner.state.seq == 0
    strategies = StrategyDesk(InlineHosts(Registry((Watchful,))), source, runner)
    runner.subscribe(strategies)
    await runner.start(run="test", version="0")
    if is_new:
        await runner.submit(c.ListInstrument(provenance=BY, instrument=IBM))
        account = Account("one", "user", "one", "simulated", "USD", costs="zero", limits=FREE)
        await runner.submit(c.OpenAccount(provenance=BY, account=account, initial_cash=Decimal(100_000)))
        deployment = Deployment("d", "d", "watchful", "1", {}, (IBM.id,), (Allocation("one", Decimal(1)),))
        await runner.submit(c.Deploy(provenance=BY, deployment=deployment))
        await runner.quiet()
    control = FeedControl(runner, source, strategies, kind="replay", speed=Decimal(0))
    control.launch()
    async with asyncio.timeout(60):
        while control.state == "running":  # noqa: ASYNC110 - the control has no event to wait for
            await asyncio.sleep(0.01)
    await control.stop()
    await runner.stop()
    assert control.state == "ended"
    return runner


def heard() -> list[str]:
    told, Watchful.told = Watchful.told, []
    return told


@pytest.fixture
async def whole() -> tuple[MemoryJournal, list[str]]:
    journal = MemoryJournal()
    heard()
    await live(journal)
    return journal, heard()


def test_a_fill_at_a_bar_is_known_when_the_bar_has_closed() -> None:
    heard()
    bars = sample_bars("IBM").rows(0, 8)
    backtest(Watchful, bars, cash=100_000, engine="event")
    told = [line.split(",")[0] for line in heard()]
    closes = bars.close_ts.tolist()
    assert told[:2] == [f"bar {closes[0]} at 0", f"bar {closes[1]} at 0"]
    asked = told.index(f"bar {closes[2]} at 0")
    filled, known = told.index("fill BUY at 2"), told.index(f"bar {closes[3]} at 2")
    assert asked < filled < known


async def test_live_and_backtest_tell_the_same_in_the_same_order(whole: tuple[MemoryJournal, list[str]]) -> None:
    backtest(Watchful, sample_bars("IBM").between(FIRST, LAST), cash=100_000, engine="event")
    assert sum(line.startswith("fill") for line in whole[1]) > 6
    assert heard() == whole[1]


async def test_after_a_stop_no_bar_is_missed_and_no_fill_counted_twice(whole: tuple[MemoryJournal, list[str]]) -> None:
    batches, told = whole[0].batches, whole[1]
    bars = [int(line.split()[1]) for line in told if line.startswith("bar")]
    for kept in range(8, len(batches), 3):
        journal = MemoryJournal(batches[:kept])
        cursor = max((r.cursor for r in journal.records() if isinstance(r, CursorMoved)), default=0)
        runner = await live(journal)
        again = heard()
        assert [int(line.split()[1]) for line in again if line.startswith("bar")] == [at for at in bars if at > cursor]
        held = runner.state.accounts["one"].net.get(IBM.id, 0)
        assert not again or f"at {held}," in again[-1], f"stopped after batch {kept}"
