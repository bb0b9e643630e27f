"""Deployments are added, changed, switched and removed while the market goes on, and a restart finds the same."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from evenkeel.domain import commands as c
from evenkeel.domain.accounts import Account, Limits
from evenkeel.domain.clock import parse_iso
from evenkeel.domain.errors import Conflict
from evenkeel.domain.marketdata import Bar, MarketSlice
from evenkeel.domain.records import CursorMoved, DeploymentChanged, OrderDecided, SignalRecorded
from evenkeel.domain.strategies import Allocation, Deployment, Revision, Scalar, SwitchRules
from evenkeel.market.feeds.replay import ReplayFeed
from evenkeel.market.sample import sample_market
from evenkeel.market.stores.memory import MemoryStore
from evenkeel.trading.live.feed import FeedControl
from evenkeel.trading.live.hosting.inline import InlineHosts
from evenkeel.trading.live.runner import Runner
from evenkeel.trading.live.strategies import StrategyDesk
from evenkeel.trading.strategies import Context, Strategy
from evenkeel.trading.strategies.parameters import whole
from evenkeel.trading.strategies.registry import BUILT_IN, Registry
from tests.trading.engine.world import comparable, fold
from tests.trading.live.desk import BY, MemoryJournal, make_runner

INSTRUMENTS, BARS, _SPLITS = sample_market()
IBM = next(one for one in INSTRUMENTS if one.symbol == "IBM")
FREE = Limits(max_position_share=None, daily_loss=None, max_trades_per_day=None, cash_check=False)


class Counting(Strategy):
    """Buys `lot` on every bar, and counts its bars in its memory."""

    name = "counting"
    parameters = (whole("lot", 1, 1),)

    def __init__(self) -> None:
        self.bars = 0

    def on_bar(self, ctx: Context, bar: Bar) -> None:
        self.bars += 1
        ctx.buy(ctx.parameters.whole("lot"))

    def state(self) -> bytes | None:
        return bytes([self.bars])

    def restore(self, state: bytes) -> None:
        self.bars = state[0]


class Live:
    """A desk whose market a test moves on, bar by bar."""

    def __init__(self, journal: MemoryJournal) -> None:
        self.journal = journal
        self.source = ReplayFeed(
            MemoryStore([IBM], [BARS[IBM.id]], splits=()), start=parse_iso("2004-12-20"), end=parse_iso("2005-06-01")
        )
        self.runner: Runner = make_runner(journal, start=self.source.start)
        desk = StrategyDesk(InlineHosts(Registry((*BUILT_IN, Counting))), self.source, self.runner)
        self.runner.subscribe(desk)
        self.control = FeedControl(self.runner, self.source, desk, kind="replay")
        self.slices: Iterator[MarketSlice] = iter(())

    async def start(self) -> None:
        is_new = self.runner.state.seq == 0
        await self.runner.start(run="test", version="0")
        if is_new:
            await self.runner.submit(c.ListInstrument(provenance=BY, instrument=IBM))
            for name in ("one", "two"):
                account = Account(name, "user", name, "simulated", "USD", costs="zero", limits=FREE)
                await self.runner.submit(c.OpenAccount(provenance=BY, account=account, initial_cash=Decimal(100_000)))
        await self.runner.quiet()
        self.slices = self.source.slices(after=self.runner.state.cursor)

    async def go(self, bars: int) -> None:
        for _ in range(bars):
            await self.control.hand_over(next(self.slices))

    async def deploy(self, template: str, *accounts: str, **more: Any) -> None:
        shares = tuple(Allocation(name, Decimal("0.5")) for name in accounts)
        made = Deployment(template, template, template, "1", more.pop("parameters", {}), (IBM.id,), shares, **more)
        await self.runner.submit(c.Deploy(provenance=BY, deployment=made))

    async def change(self, deployment_id: str, **what: Any) -> None:
        await self.runner.submit(c.ChangeDeployment(provenance=BY, deployment_id=deployment_id, **what))

    def orders(self, book: str) -> list[tuple[str, int]]:
        decided = [one.spec for one in self.journal.records() if isinstance(one, OrderDecided)]
        return [(spec.account_id, int(spec.quantity)) for spec in decided if spec.book == book]

    def signals(self, book: str) -> list[SignalRecorded]:
        return [one for one in self.journal.records() if isinstance(one, SignalRecorded) and one.deployment_id == book]


@pytest.fixture
async def desk() -> Live:
    made = Live(MemoryJournal())
    await made.start()
    return made


def revision(template: str, parameters: dict[str, Scalar], **more: Any) -> Revision:
    return Revision(template, "1", parameters, **more)


async def test_parameters_change_while_it_runs(desk: Live) -> None:
    await desk.deploy("sma-crossover", "one", parameters={"fast": 5, "slow": 20})
    await desk.go(3)
    await desk.change("sma-crossover", revision=revision("sma-crossover", {"fast": 2, "slow": 10}))
    await desk.go(3)
    averages = [one.details for one in desk.signals("sma-crossover")]
    assert len(averages) == 6
    told = desk.signals("sma-crossover")[-1]
    last = [float(one) for one in BARS[IBM.id].as_of(told.at).close[-10:]]
    assert told.details["fast"] == pytest.approx(sum(last[-2:]) / 2)
    assert told.details["slow"] == pytest.approx(sum(last) / 10)


async def test_another_program_forgets_what_the_one_before_it_remembered(desk: Live) -> None:
    await desk.deploy("counting", "one")
    await desk.go(4)
    assert desk.runner.state.deployments["counting"].memory is not None
    await desk.change("counting", revision=revision("counting", {"lot": 3}))
    assert desk.runner.state.deployments["counting"].memory is None
    await desk.runner.post_all([desk.control._cursor(desk.runner.state.cursor or 0)])
    assert desk.runner.state.deployments["counting"].memory is None, "the cursor brings nothing of the old one back"
    await desk.go(2)
    assert desk.orders("counting") == [("one", 1)] * 4 + [("one", 3)] * 2


async def test_an_account_is_added_and_taken_away_and_its_memory_stays(desk: Live) -> None:
    await desk.deploy("counting", "one")
    await desk.go(2)
    both = tuple(Allocation(name, Decimal("0.1")) for name in ("one", "two"))
    await desk.change("counting", accounts=both)
    await desk.go(1)
    await desk.change("counting", accounts=both[1:])
    await desk.go(1)
    assert desk.orders("counting") == [("one", 1), ("one", 1), ("one", 1), ("two", 1), ("two", 1)]
    moved = [one for one in desk.journal.records() if isinstance(one, CursorMoved)]
    memory = msgspec.msgpack.decode(moved[-1].states["counting"])
    assert memory["strategy"] == bytes([4])


async def test_one_is_removed_while_others_go_on(desk: Live) -> None:
    await desk.deploy("sma-crossover", "one")
    await desk.deploy("rsi", "one")
    await desk.go(2)
    with pytest.raises(Conflict):
        await desk.deploy("rsi", "one")
    await desk.change("rsi", enabled=False)
    await desk.runner.submit(c.RemoveDeployment(provenance=BY, deployment_id="rsi"))
    await desk.go(2)
    assert (len(desk.signals("rsi")), len(desk.signals("sma-crossover"))) == (2, 4)
    again = Live(MemoryJournal(desk.journal.batches))
    await again.start()
    await again.go(1)
    assert again.runner.state.deployments["rsi"].deployment.removed
    assert (len(again.signals("rsi")), len(again.signals("sma-crossover"))) == (2, 5)


async def test_rules_switch_it_off_and_on_again_and_a_restart_finds_the_same(desk: Live) -> None:
    rules = SwitchRules(max_drawdown=0.03, recovery=0.01)
    await desk.deploy("buy-and-hold", "one", rules=rules)
    await desk.go(100)
    switches = [
        one.deployment.switch
        for one in desk.journal.records()
        if isinstance(one, DeploymentChanged) and one.deployment.switch is not None
    ]
    assert [one.rule for one in switches[:2]] == ["max-drawdown", "recovery"]
    assert len(desk.signals("buy-and-hold")) == 100, "signals go on while it is off"
    state = desk.runner.state
    assert comparable(fold(desk.journal.records())) == comparable(state)
    again = Live(MemoryJournal(desk.journal.batches))
    await again.start()
    held = again.runner.state.deployments["buy-and-hold"]
    assert held.track == state.deployments["buy-and-hold"].track
    assert held.deployment == state.deployments["buy-and-hold"].deployment
