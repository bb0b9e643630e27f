"""A correlation limit in a replay: measured before each day from what was known, and the same each time."""

from decimal import Decimal

from evenkeel.desk.risk.closes import DailyCloses
from evenkeel.desk.risk.watch import RiskWatch
from evenkeel.domain import commands as c
from evenkeel.domain.accounts import Account, Limits
from evenkeel.domain.clock import parse_iso
from evenkeel.domain.marketdata import MarketSlice
from evenkeel.domain.records import OrderDecided
from evenkeel.domain.strategies import Allocation, Deployment
from evenkeel.market.feeds.replay import ReplayFeed
from evenkeel.market.sample import sample_market
from evenkeel.market.stores.memory import MemoryStore
from evenkeel.trading.live.feed import FeedControl
from evenkeel.trading.live.hosting.inline import InlineHosts
from evenkeel.trading.live.strategies import StrategyDesk
from evenkeel.trading.strategies.registry import Registry
from tests.trading.live.desk import BY, MemoryJournal, make_runner

INSTRUMENTS, BARS, SPLITS = sample_market()
LIMIT = Decimal("0.2")


async def replayed() -> MemoryJournal:
    """Six weeks of a strategy on all four instruments, in an account whose positions may be alike by 0.2 at most."""
    journal, store = MemoryJournal(), MemoryStore(INSTRUMENTS, BARS.values(), splits=SPLITS)
    source = ReplayFeed(store, start=parse_iso("2005-02-01"), end=parse_iso("2005-03-15"))
    runner = make_runner(journal, start=source.start)
    strategies = StrategyDesk(InlineHosts(Registry()), source, runner)
    runner.subscribe(strategies)
    await runner.start(run="test", version="0")
    for instrument in INSTRUMENTS:
        await runner.submit(c.ListInstrument(provenance=BY, instrument=instrument))
    account = Account("one", "user", "one", "simulated", "USD", limits=Limits(max_correlation=LIMIT))
    await runner.submit(c.OpenAccount(provenance=BY, account=account, initial_cash=Decimal(100_000)))
    ids, shares = tuple(one.id for one in INSTRUMENTS), (Allocation("one", Decimal("0.3")),)
    for name in ("rsi", "donchian-breakout", "support-resistance"):
        deployment = Deployment(name, name, name, "1", {}, ids, shares)
        await runner.submit(c.Deploy(provenance=BY, deployment=deployment))
    control = FeedControl(runner, source, strategies, kind="replay", speed=Decimal(0))
    watch = RiskWatch(runner, DailyCloses(store))

    async def before(market: MarketSlice) -> None:
        await watch.prepare(market)
        known = runner.state.correlations
        assert known is not None
        assert known.inputs.as_of < market.at
        assert len(known.inputs.instruments) >= 3, "GOOG is new to the market"

    control.before = before
    for market in source.slices():
        await control.hand_over(market)
    await runner.stop()
    return journal


async def test_orders_are_refused_by_what_was_measured_and_the_same_each_time() -> None:
    journal = await replayed()
    decided = [one for one in journal.records() if isinstance(one, OrderDecided)]
    checks = [check for one in decided for check in one.checks if check.rule == "max-correlation"]
    refused = [check for check in checks if check.reason is not None]
    assert refused
    assert len(checks) > len(refused)
    for check in checks:
        if check.value[0].isdigit():
            assert (Decimal(check.value) > LIMIT) is (check.reason is not None)
    again = await replayed()
    assert [batch.body for batch in again.batches] == [batch.body for batch in journal.batches]
