"""The engine alone: orders through risk, fold and encoding, and their fills; no disk, no loop, no server."""

import time
from collections import Counter
from datetime import time as clock
from decimal import Decimal
from typing import Any, Self

from benchmarks.machine import facts, spread
from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain.accounts import Account, Limits
from evenkeel.domain.ids import Hashed
from evenkeel.domain.instruments import AssetClass, Instrument
from evenkeel.domain.marketdata import Bar, MarketSlice
from evenkeel.domain.orders import OrderKind, OrderSpec, Side
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.records import AnyRecord, OrderDecided, decode, encode
from evenkeel.trading.engine.engine import Engine, Input
from evenkeel.trading.engine.fold import apply
from evenkeel.trading.engine.state import State

START = 1_704_207_600_000_000_000
WHO = Provenance("benchmark", Source.USER)
LIMITS = Limits(max_position_share=Decimal("0.9"), daily_loss=Decimal("0.5"), max_trades_per_day=10**9)
BATCH = 64


class World:
    """One ready account and some instruments with a price; keeps every record."""

    def __init__(self, state: State, account_id: str, names: list[str]) -> None:
        self.state, self.account_id, self.names = state, account_id, names
        self.engine = Engine(state, Hashed("benchmark"))
        self.records: list[AnyRecord] = []
        self.start = max(START, state.time)

    @classmethod
    def fresh(cls, instruments: int) -> Self:
        """An empty shard with one account, and that many instruments."""
        self = cls(State(), "A", [f"I{number}" for number in range(instruments)])
        account = Account("A", "user", "Benchmark", "simulated", "USD", limits=LIMITS, roll=clock(17))
        self.step(c.OpenAccount(provenance=WHO, account=account, initial_cash=Decimal(10**12)))
        for name in self.names:
            self.step(c.ListInstrument(provenance=WHO, instrument=instrument(name)))
        self.step(e.BrokerSnapshot(account_id="A", complete=True))
        self.quote()
        return self

    def quote(self) -> None:
        """Gives every instrument the price 100."""
        at = self.start
        bars = tuple(Bar(name, at, at + 60, 100.0, 101.0, 99.0, 100.0, 1e6) for name in self.names)
        self.step(MarketSlice(at + 60, bars))

    def step(self, event: Input) -> tuple[AnyRecord, ...]:
        records = self.engine.step(event, self.start + 61, 1).records
        self.records += records
        return records

    def submit(self, number: int, *, limit: str | None = None) -> tuple[AnyRecord, ...]:
        spec = OrderSpec(
            account_id=self.account_id,
            book="manual",
            instrument_id=self.names[number % len(self.names)],
            side=Side.BUY,
            quantity=Decimal(1),
            kind=OrderKind.MARKET if limit is None else OrderKind.LIMIT,
            client_order_id=f"c{number}",
            limit_price=None if limit is None else Decimal(limit),
        )
        return self.step(c.SubmitOrder(provenance=WHO, spec=spec))

    def fill(self, number: int, order_id: str) -> None:
        order = self.state.orders[order_id]
        names: dict[str, Any] = {
            "account_id": self.account_id,
            "venue_client_id": order.venue_client_id,
            "venue_order_id": f"V{number}",
            "at": self.start + 62,
        }
        self.step(e.VenueAccepted(**names))
        self.step(
            e.VenueFilled(
                **names,
                execution_id=f"X{number}",
                instrument_id=order.spec.instrument_id,
                side=order.spec.side,
                quantity=order.quantity,
                price=Decimal(100),
            )
        )


def order_of(records: tuple[AnyRecord, ...]) -> str:
    """The id of the order that a command's records decided. Raises RuntimeError where it was refused."""
    match records:
        case (OrderDecided(approved=True, order_id=order_id),):
            return order_id
    raise RuntimeError(f"an order was not taken: {records}")


def instrument(name: str) -> Instrument:
    return Instrument(
        id=name,
        symbol=name,
        venue="XNYS",
        asset_class=AssetClass.EQUITY,
        currency="USD",
        tick_size=Decimal("0.01"),
        lot_size=Decimal(1),
    )


def engine(*, orders: int = 20_000, instruments: int = 50, working: int = 5_000) -> dict[str, Any]:
    """CPU of one order through the engine: judged, recorded, folded, encoded, accepted, filled, folded again.

    `working` orders stand in the account while as many more are judged, to show what a crowd costs.
    """
    world = World.fresh(instruments)
    begun, bodies = time.process_time(), []
    for first in range(0, orders, BATCH):
        before = len(world.records)
        numbers = range(first, min(first + BATCH, orders))
        placed = [(number, order_of(world.submit(number))) for number in numbers]
        for number, order_id in placed:
            world.fill(number, order_id)
        bodies.append(encode(tuple(world.records[before:])))
    whole = time.process_time() - begun
    crowded = _crowded(World.fresh(instruments), working)
    begun = time.process_time()
    again = State()
    for record in world.records[: 3 + instruments]:
        apply(again, record)
    for body in bodies:
        for record in decode(body):
            apply(again, record)
    folded = time.process_time() - begun
    _check(world.state, again, orders)
    return {
        "benchmark": "engine",
        "what": f"orders in batches of {BATCH}, {instruments} instruments held; one core, CPU time",
        "result": {"filled": orders, "the fold of the records equals the state": True},
        "cpu_us_per_order": round(whole / orders * 1e6, 1),
        "orders_per_cpu_second": round(orders / whole),
        "fold_us_per_order": round(folded / orders * 1e6, 1),
        "cpu_us_per_order_judged": crowded,
        "machine": facts(),
    }


def _crowded(world: World, working: int) -> dict[str, Any]:
    """Microseconds to judge and record one order, by how many already work."""
    taken: list[float] = []
    for number in range(2 * working):
        begun = time.perf_counter()
        world.submit(number, limit="90")
        taken.append((time.perf_counter() - begun) * 1e6)
    if len(world.state.accounts["A"].working) != 2 * working:
        raise RuntimeError("an order was refused")
    tenth = max(1, working // 10)
    return {
        "with_few_working": spread(taken[:tenth], digits=1),
        f"with_{working}_and_more": spread(taken[working:], digits=1),
    }


def _check(state: State, again: State, orders: int) -> None:
    states = Counter(str(order.state) for order in state.orders.values())
    if states != {"FILLED": orders} or len(state.fills) != orders:
        raise RuntimeError(f"not every order filled: {dict(states)}, {len(state.fills)} fills")
    if (again.orders, again.fills, again.seq) != (state.orders, state.fills, state.seq):
        raise RuntimeError("the fold of the records is another state")
    if again.accounts["A"].cash != state.accounts["A"].cash:
        raise RuntimeError("the fold of the records gives other cash")
