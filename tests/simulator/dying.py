"""Worlds made for dying: one that dies at a chosen turn of the loop, and one that dies again and again.

A turn is what runs between two moments at which the loop looks whether something is due; every `await` that waits ends
one. To die at each of them, one run after another, is to die at every await point there is.
"""

from collections.abc import Callable
from decimal import Decimal

from evenkeel.domain import commands as c
from evenkeel.domain.copying import CopyLink, CopyMode, CopyTerms, Multiplier
from evenkeel.domain.orders import OrderKind, OrderSpec, Side, TimeInForce
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.strategies import Signal
from tests.simulator.faults import Fault
from tests.simulator.life import Life
from tests.simulator.market import ACME, BOLT
from tests.simulator.trader import BOOK, WHO, Asked
from tests.simulator.world import World

SEED = 6


class Small(World):
    """One of each: an order that fills, one that rests, is changed and cancelled, a strategy's with exits, a panic.

    The first process dies at turn `killed_at`; 0: it does not, and `turns` says how many there were.
    """

    copied: bool | tuple[CopyLink, ...] = False

    def __init__(self, killed_at: int = 0, *, aloud: bool = False) -> None:
        super().__init__(SEED, without=Fault, copies=self.copied, aloud=aloud)
        self.duration = 1.4
        self.killed_at = killed_at
        self.turns = 0
        self._first: Life | None = None
        steps: tuple[tuple[float, Callable[[], None]], ...] = (
            (0.30, lambda: self._buy("filled", ACME.id, OrderKind.MARKET)),
            (0.45, lambda: self._buy("resting", BOLT.id, OrderKind.LIMIT)),
            (0.60, self._change),
            (0.75, self._cancel),
            (0.90, self._signal),
            (1.32, self._panic),
        )
        for when, step in steps:
            self.timeline.after(when, step)

    def born(self, life: Life) -> None:
        if self._first is None:
            self._first = life
            life.loop.killed_at = self.killed_at or None

    def died(self, life: Life) -> None:
        if life is self._first:
            self.turns = life.loop.turns

    def act(self) -> None:
        """Nobody trades beside the plan."""

    def _buy(self, name: str, instrument_id: str, kind: OrderKind) -> None:
        limit = Decimal("15") if kind is OrderKind.LIMIT else None
        spec = OrderSpec(
            "A", "manual", instrument_id, Side.BUY, Decimal(100), kind, name, limit, time_in_force=TimeInForce.GTC
        )
        self.trader.orders[name] = Asked(spec)
        self.trader.send(spec)

    def _change(self) -> None:
        if order_id := self.trader.orders["resting"].id:
            command = c.ModifyOrder(provenance=WHO, order_id=order_id, quantity=Decimal(60), limit_price=Decimal(16))
            self.ask(command, "change the resting order")

    def _cancel(self) -> None:
        if order_id := self.trader.orders["resting"].id:
            self.ask(c.CancelOrder(provenance=WHO, order_id=order_id), "cancel the resting order")

    def _signal(self) -> None:
        signal = Signal(BOOK, ACME.id, self.timeline.now, 0.5)
        self.ask(c.TakeSignal(provenance=Provenance(BOOK, Source.DEPLOYMENT), signal=signal), "the strategy buys")

    def _panic(self) -> None:
        self.ask(c.Panic(provenance=WHO, scope=Scope(ScopeKind.ACCOUNT, "A"), cooldown=0), "PANIC of account A")


def _link(follower: str, mode: CopyMode, factor: str) -> CopyLink:
    return CopyLink(
        id=f"A{follower}",
        master_id="A",
        follower_id=follower,
        mode=mode,
        proposed_by="user",
        accepted=True,
        terms=CopyTerms(Multiplier(Decimal(factor))),
    )


class SmallCopied(Small):
    """The same story with three followers: two of the fills, of which one has the half, and one of the orders."""

    copied = (
        _link("F", CopyMode.FILLS, "1"),
        _link("G", CopyMode.FILLS, "0.5"),
        _link("H", CopyMode.ORDERS, "0.3"),
    )


class Mortal(World):
    """A trader's world in fair weather, in which process after process dies at a random turn, `deaths` times."""

    def __init__(self, seed: int, deaths: int, *, copies: bool = False) -> None:
        super().__init__(seed, without=Fault, copies=copies)
        self.deaths = deaths
        self.duration = 10_000.0
        self._turns = self.random("turns")

    def born(self, life: Life) -> None:
        if self.lives <= self.deaths:
            life.loop.killed_at = self._turns.randrange(1, 400)
        elif not self.weather.is_clear:
            self.clear()
