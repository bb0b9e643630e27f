"""A lane over hosts of a test's making: deaths anywhere, answers to nobody, strategies that fall behind."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.domain import commands as c
from evenkeel.domain.commands import CancelOrder, SubmitOrder
from evenkeel.domain.orders import OrderKind, OrderSpec, Side
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.records import FillBooked, OrderDecided
from evenkeel.domain.strategies import Signal
from evenkeel.trading.live.hosting.inline import InlineHost, InlineHosts
from evenkeel.trading.live.hosting.ports import Death, Listener
from evenkeel.trading.live.hosting.process import Bounds
from evenkeel.trading.strategies.messages import Answer, AnyRequest, Output, SliceCame, Tell
from tests.trading.live.desk import BY, STOCK
from tests.trading.live.hosting.market import BEGINS, REGISTRY, UNLUCKY, Impatient, Market

LAST = 32
DAYS = list(range(BEGINS, LAST + 1))
Meddle = Callable[[AnyRequest, Answer], Answer | Death]


class Meddling(InlineHosts):
    """Hosts in this process whose every answer passes through `meddle`; one that dies stays dead."""

    def __init__(self, meddle: Meddle) -> None:
        super().__init__(REGISTRY)
        self.meddle = meddle
        self.opened = 0

    def open(self, listener: Listener) -> InlineHost:
        self.opened += 1
        return Meddled(super().open(listener), self.meddle)


class Meddled(InlineHost):
    """It has a process of its own as far as its lane can tell."""

    def __init__(self, host: InlineHost, meddle: Meddle) -> None:
        self._host, self._meddle, self._is_dead = host, meddle, False

    @property
    def pid(self) -> int | None:
        return 1

    @property
    def is_alive(self) -> bool:
        return not self._is_dead

    async def ask(self, request: AnyRequest) -> Answer | Death:
        assert not self._is_dead
        answer = await self._host.ask(request)
        assert isinstance(answer, Answer)
        found = self._meddle(request, answer)
        self._is_dead = isinstance(found, Death)
        return found


async def ran(hosts: InlineHosts | None) -> Market:
    """A market of two users, a split of whom has an event strategy with memory, and targets with and without."""
    async with Market(hosts or InlineHosts(REGISTRY), is_real=False) as market:
        await market.deploy("steady", "ann", "one")
        await market.deploy("ema-crossover", "ann", "two", parameters={"fast": 2, "slow": 5})
        await market.deploy("rsi", "ann", "three", parameters={"period": 3})
        await market.deploy("steady", "bob", "four")
        await market.until(LAST)
    return market


def figures(market: Market) -> tuple[object, ...]:
    """What was asked for by whom and when, what was filled, and what is remembered."""
    orders = [(one.at, one.spec) for one in market.journal.records() if isinstance(one, OrderDecided)]
    fills = [one.fill for one in market.journal.records() if isinstance(one, FillBooked)]
    filled = [(one.account_id, one.book, one.signed, one.price, one.executed_at) for one in fills]
    state = market.runner.state.deployments
    return orders, filled, {name: (held.targets, held.memory) for name, held in state.items()}


@pytest.fixture(scope="module")
def undisturbed() -> tuple[object, ...]:
    return figures(asyncio.run(ran(None)))


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32), rarely=st.sampled_from([3, 10, 40]))
def test_hosts_that_die_at_any_request_change_nothing(seed: int, rarely: int, undisturbed: tuple[object, ...]) -> None:
    """Dead before it did anything or after all of it: nobody knows, and it is asked again of the next."""
    chance = Random(seed)

    def meddle(request: AnyRequest, answer: Answer) -> Answer | Death:
        return Death("bad luck", None) if chance.randrange(rarely) == 0 else answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("evenkeel.trading.live.hosting.lane.DEATHS_WITHIN", -1.0)
        assert figures(asyncio.run(ran(Meddling(meddle)))) == undisturbed


def order(book: str, account: str, *, actor: str | None = None, source: Source = Source.DEPLOYMENT) -> Output:
    spec = OrderSpec(account, book, STOCK.id, Side.BUY, Decimal(7), OrderKind.MARKET, f"forged-{book}-{account}")
    return SubmitOrder(provenance=Provenance(actor or book, source), spec=spec)


FORGED: list[Output] = [
    order("four", "bob"),
    order("one", "bob"),
    order("one", "ann", source=Source.USER),
    order("one", "ann", actor="four"),
    order("nothing", "ann"),
    Signal("four", STOCK.id, 0, 1.0),
    CancelOrder(provenance=Provenance("one", Source.DEPLOYMENT), order_id="no-such-order"),
]


async def test_a_host_speaks_for_nobody_but_its_own_deployments() -> None:
    """Code that has taken over its worker may say anything; what is not its user's or not a deployment's is dropped."""

    def meddle(request: AnyRequest, answer: Answer) -> Answer:
        is_ann = isinstance(request, Tell) and any(
            isinstance(one, Signal) and one.deployment_id == "two" for one in answer.outputs
        )
        return Answer((*answer.outputs, *FORGED), answer.states) if is_ann else answer

    market = await ran(Meddling(meddle))
    assert figures(market) == figures(await ran(None))


async def test_those_who_cannot_keep_up_are_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenkeel.trading.live.hosting.lane.MOST_BEHIND", 3)
    async with Market(Impatient(REGISTRY, Bounds(deadline=30.0))) as market:
        await market.deploy("endless", "ann", "bad")
        await market.deploy("steady", "ann", "neighbour")
        await market.deploy("steady", "bob", "elsewhere")
        await market.until(BEGINS)
        await market.until(UNLUCKY - 1)
        for _ in range(6):
            await market.go()
            await asyncio.sleep(0.02)
        await market.caught_up()
        assert set(market.paused()) == {"bad", "neighbour"}
        assert "cannot keep up with the market: it is 4 moments behind" in market.paused()["neighbour"]
        assert market.decided("elsewhere") == list(range(BEGINS, UNLUCKY + 6))


async def test_a_market_that_can_wait_waits_for_those_far_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenkeel.trading.live.strategies.FAR_BEHIND", 1)
    async with Market(Impatient(REGISTRY, Bounds(deadline=5.0))) as market:
        await market.deploy("unhurried", "ann", "one")
        await market.until(UNLUCKY - 1)
        began = asyncio.get_running_loop().time()
        await market.go(4)
        assert asyncio.get_running_loop().time() - began > 3 * 0.05
        await market.caught_up()
        assert market.decided("one") == list(range(BEGINS, UNLUCKY + 4))


async def test_what_is_switched_off_before_it_has_begun_does_not_begin() -> None:
    async with Market(Impatient(REGISTRY, Bounds(deadline=5.0))) as market:
        await market.deploy("unhurried", "ann", "one")
        await market.until(UNLUCKY - 1)
        await market.go()
        await market.deploy("steady", "ann", "two")
        await market.go()
        assert market.desk.is_late
        await market.runner.submit(c.ChangeDeployment(provenance=BY, deployment_id="two", enabled=False))
        await market.go()
        await market.caught_up()
        assert market.decided("two") == []
        assert market.host().deployments == ("one",)


async def test_a_moment_is_told_once() -> None:
    seen: list[int] = []

    def meddle(request: AnyRequest, answer: Answer) -> Answer:
        if isinstance(request, Tell):
            seen.extend(one.market.at for one in request.news if isinstance(one, SliceCame))
        return answer

    async with Market(Meddling(meddle), is_real=False) as market:
        await market.deploy("steady", "ann", "one")
        await market.go(2)
        market.slices = market.feed.slices(after=market.feed.start)
        await market.go(3)
    assert seen == sorted(set(seen))
    assert len(seen) == 3


async def test_a_fault_of_the_lane_itself_pauses_what_it_runs_and_nothing_else() -> None:
    """Not the strategies' fault, but neither may it hold the market up."""
    broken: list[int] = []

    def meddle(request: AnyRequest, answer: Answer) -> Answer:
        if isinstance(request, Tell) and len(broken) < 1 and answer.outputs and market.decided("one")[-3:]:
            broken.append(1)
            raise RuntimeError("of its own making")
        return answer

    async with Market(Meddling(meddle), is_real=False) as market:
        await market.deploy("steady", "ann", "one")
        await market.deploy("steady", "bob", "two")
        await market.until(LAST)
        assert set(market.paused()) == {"one"}
        assert "its host cannot be used: of its own making" in market.paused()["one"]
        assert market.decided("two") == DAYS
