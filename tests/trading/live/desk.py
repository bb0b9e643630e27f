"""A small live desk for the tests of this room: a journal in memory that can fail, one account, a made-up market."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from evenkeel.domain import commands as c
from evenkeel.domain.accounts import Account, Limits
from evenkeel.domain.clock import to_ns
from evenkeel.domain.errors import CommitFailed, CommitUnknown, StaleEpoch
from evenkeel.domain.ids import Hashed
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.domain.marketdata import Bar, MarketSlice
from evenkeel.domain.orders import OrderKind, OrderSpec, Side
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.records import GENESIS, AnyRecord, Batch, chain_hash, decode
from evenkeel.trading.brokers.ports import Broker
from evenkeel.trading.brokers.registry import BrokerSetup, build
from evenkeel.trading.engine.state import State
from evenkeel.trading.live.runner import Clock, Runner
from evenkeel.trading.live.simulated import standing

BY = Provenance(actor="tester", source=Source.USER)
START = to_ns(datetime(2005, 9, 1, 20, tzinfo=UTC))
DAY = 86_400 * 10**9
STOCK = Instrument("stock", "STK", "XNAS", AssetClass.EQUITY, "USD", Decimal("0.01"), Decimal(1))
ACCOUNT = Account("acct", "user", "Main", "simulated", "USD", limits=Limits(max_position_share=None, daily_loss=None))


class MemoryJournal:
    """A journal that keeps batches in a list. `faults` are raised by the next appends, one each.

    CommitUnknown is raised after the batch was kept when `keeps` is true.
    """

    shard = "user"
    epoch = 1

    def __init__(self, batches: Sequence[Batch] = (), *, keeps: bool = True) -> None:
        self.batches = list(batches)
        self.faults: list[type[CommitFailed | CommitUnknown | StaleEpoch]] = []
        self.keeps = keeps

    def read(self, after_seq: int = 0) -> Iterator[Batch]:
        return iter([batch for batch in self.batches if batch.first_seq > after_seq])

    def append(self, body: bytes, first_seq: int, last_seq: int) -> Batch:
        fault = self.faults.pop(0) if self.faults else None
        if fault in (CommitFailed, StaleEpoch) or (fault is CommitUnknown and not self.keeps):
            raise fault("told to fail")
        previous = chain_hash(self.batches[-1]) if self.batches else GENESIS
        assert first_seq == self.last_seq() + 1
        batch = Batch(self.shard, self.epoch, first_seq, last_seq, previous, body)
        self.batches.append(batch)
        if fault is CommitUnknown:
            raise CommitUnknown("the connection broke while committing")
        return batch

    def last_seq(self) -> int:
        return self.batches[-1].last_seq if self.batches else 0

    def durability(self) -> dict[str, str]:
        return {"journal": "memory"}

    def close(self) -> None:
        self.batches.clear()

    def records(self) -> list[AnyRecord]:
        return [record for batch in self.batches for record in decode(batch.body)]


def in_process(state: State) -> Mapping[str, Broker]:
    return {"simulated": build("simulated", BrokerSetup(standing=standing(state, "simulated")))}


def make_runner(
    journal: MemoryJournal,
    brokers: Callable[[State], Mapping[str, Broker]] = in_process,
    *,
    deterministic: bool = True,
    start: int = START,
) -> Runner:
    clock = Clock(replay=True)
    runner = Runner(journal, brokers, ids=lambda _state: Hashed("test"), clock=clock, deterministic=deterministic)
    clock.at = max(clock.at, start)
    return runner


async def opened(runner: Runner, cash: str = "100000") -> Runner:
    """Starts a runner on a fresh journal with one instrument, one account, and a price of 10."""
    await runner.start(run="test", version="0")
    await runner.submit(c.ListInstrument(provenance=BY, instrument=STOCK))
    await runner.submit(c.OpenAccount(provenance=BY, account=ACCOUNT, initial_cash=Decimal(cash)))
    await runner.post_all([MarketSlice(START, (bar(0),))])
    await runner.quiet()
    return runner


def bar(day: int, price: float = 10.0) -> Bar:
    close = START + day * DAY
    return Bar(STOCK.id, close - 6 * 3600 * 10**9, close, price, price + 1, price - 1, price, 1e6)


def market(day: int, price: float = 10.0) -> MarketSlice:
    return MarketSlice(START + day * DAY, (bar(day, price),))


def buy(name: str = "one", quantity: int = 10, side: Side = Side.BUY) -> c.SubmitOrder:
    spec = OrderSpec(ACCOUNT.id, "manual", STOCK.id, side, Decimal(quantity), OrderKind.MARKET, name)
    return c.SubmitOrder(provenance=BY, spec=spec)
