"""Several instruments on the live desk: the orders, fills and equity of a backtest, over a split and after stops."""

import asyncio
from decimal import Decimal

import numpy as np
import pytest

from evenkeel import PercentOfEquity, backtest
from evenkeel.domain import commands as c
from evenkeel.domain import records as r
from evenkeel.domain.accounts import Account, AccountType, Limits
from evenkeel.domain.clock import parse_iso
from evenkeel.domain.records import CursorMoved, DayClosed, FillBooked, SignalRecorded
from evenkeel.domain.strategies import Allocation, Deployment, Scalar
from evenkeel.market.bars import Bars
from evenkeel.market.feeds.replay import ReplayFeed
from evenkeel.market.sample import sample_market
from evenkeel.market.stores.memory import MemoryStore
from evenkeel.trading.live.feed import FeedControl
from evenkeel.trading.live.hosting.inline import InlineHosts
from evenkeel.trading.live.runner import Runner
from evenkeel.trading.live.strategies import StrategyDesk
from evenkeel.trading.strategies.registry import Registry
from tests.trading.live.desk import BY, MemoryJournal, make_runner

INSTRUMENTS, BARS, SPLITS = sample_market()
TRADED = [one for one in INSTRUMENTS if one.symbol in ("AAPL", "IBM", "MSFT")]
FIRST, LAST = parse_iso("2004-12-20"), parse_iso("2005-05-02")
FREE = Limits(max_position_share=None, daily_loss=None, max_trades_per_day=None, cash_check=False, allow_short=True)
WEEKLY: dict[str, Scalar] = {"every": "week", "weights": "0.5, 0.3, -0.1"}
TREND: dict[str, Scalar] = {"timeframe": "1w", "trend": 60, "slow": 20, "fast": 5, "allow_short": True}


def some(name: str, start: int = 0) -> Bars:
    of = next(one for one in INSTRUMENTS if one.symbol == name)
    return BARS[of.id].between(start, LAST).of_instrument(of)


async def live(journal: MemoryJournal, template: str, values: dict[str, Scalar]) -> Runner:
    lines = [BARS[one.id] for one in TRADED]
    source = ReplayFeed(MemoryStore(TRADED, lines, splits=SPLITS), start=FIRST, end=LAST)
    runner = make_runner(journal, start=source.start)
    is_new = runner.state.seq == 0
    strategies = StrategyDesk(InlineHosts(Registry()), source, runner)
    runner.subscribe(strategies)
    await runner.start(run="test", version="0")
    if is_new:
        for one in TRADED:
            await runner.submit(c.ListInstrument(provenance=BY, instrument=one))
        account = Account("one", "user", "one", "simulated", "USD", costs="zero", limits=FREE, type=AccountType.MARGIN)
        await runner.submit(c.OpenAccount(provenance=BY, account=account, initial_cash=Decimal(1_000_000)))
        ids = tuple(one.id for one in TRADED)
        deployment = Deployment("d", "d", template, "1", values, ids, (Allocation("one", Decimal(1)),))
        await runner.submit(c.Deploy(provenance=BY, deployment=deployment))
        await runner.quiet()
    control = FeedControl(runner, source, strategies, kind="replay", speed=Decimal(0))
    control.launch()
    async with asyncio.timeout(120):
        while control.state == "running":  # noqa: ASYNC110 - the control has no event to wait for
            await asyncio.sleep(0.01)
    await control.stop()
    await runner.stop()
    assert control.state == "ended"
    return runner


def fills_of(journal: MemoryJournal) -> list[tuple[str, int, float, float]]:
    """(instrument, moment, signed quantity, price), those of one moment in no order of their own."""
    fills = [one.fill for one in journal.records() if isinstance(one, FillBooked)]
    return sorted((one.instrument_id, one.executed_at, float(one.signed), float(one.price)) for one in fills)


@pytest.fixture(scope="module")
def whole() -> MemoryJournal:
    journal = MemoryJournal()
    asyncio.run(live(journal, "rebalanced-weights", WEEKLY))
    return journal


def test_live_fills_and_equity_are_those_of_the_backtest(whole: MemoryJournal) -> None:
    """The backtest begins one bar earlier: live, that one is history, and enough to decide on the first."""
    lines = {one.symbol: some(one.symbol, parse_iso("2004-12-17")) for one in TRADED}
    found = backtest("rebalanced-weights", lines, params=WEEKLY, cash=1_000_000, size=PercentOfEquity(), engine="event",
                     splits=SPLITS)  # fmt: skip
    ids = {one.symbol: one.id for one in TRADED}
    expected = sorted((ids[fill.symbol], fill.at, fill.side * fill.quantity, fill.price) for fill in found.fills)
    assert fills_of(whole) == expected
    assert len(expected) > 40
    days = [one for one in whole.records() if isinstance(one, DayClosed)]
    closes = {int(at): value for at, value in zip(found.outcome.at, found.equity, strict=True)}
    known = [at for at in sorted(closes) if at >= FIRST]
    np.testing.assert_allclose(
        [float(day.equity) for day in days], [closes[at] for at in known][: len(days)], atol=0.01
    )


def test_every_signal_is_of_the_whole_and_says_where_it_rebalances(whole: MemoryJournal) -> None:
    signals = [one for one in whole.records() if isinstance(one, SignalRecorded)]
    moments = {one.at for one in signals}
    assert len(signals) == 3 * len(moments)
    assert all(one.whole for one in signals)
    restored = {one.at for one in signals if one.rebalance}
    assert len(restored) == pytest.approx(len(moments) / 5, abs=2)


def test_after_a_stop_it_goes_on_as_if_there_had_been_none(whole: MemoryJournal) -> None:
    for kept in (len(whole.batches) // 4, len(whole.batches) // 2, 3 * len(whole.batches) // 4):
        journal = MemoryJournal(whole.batches[:kept])
        assert max(one.cursor for one in journal.records() if isinstance(one, CursorMoved)) > FIRST
        asyncio.run(live(journal, "rebalanced-weights", WEEKLY))
        assert fills_of(journal) == fills_of(whole)


def test_a_warm_up_in_a_higher_timeframe_is_loaded_before_the_first_bar() -> None:
    """Sixty weeks are more than the usual history: the first bar is decided on all the same."""
    journal = MemoryJournal()
    asyncio.run(live(journal, "trend-filter", TREND))
    signals = [one for one in journal.records() if isinstance(one, SignalRecorded)]
    assert not [one for one in journal.records() if isinstance(one, r.DeploymentChanged) and one.deployment.paused]
    assert all(one.target is not None for one in signals[:3])
    assert not any(one.whole for one in signals)
    lines = {one.symbol: some(one.symbol) for one in TRADED}
    ids = {one.symbol: one.id for one in TRADED}
    found = backtest("trend-filter", lines, params=TREND, engine="event", splits=SPLITS)
    last = {one.instrument_id: one.folded for one in signals}
    held = found.outcome.positions[:, -1]
    assert [np.sign(last[ids[symbol]]) for symbol in lines] == np.sign(held).tolist()
