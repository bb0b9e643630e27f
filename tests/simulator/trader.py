"""A trader who does anything at any time, remembers what was promised, and asks again where no answer came."""

from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct

from evenkeel.domain import commands as c
from evenkeel.domain.accounts import LedgerKind
from evenkeel.domain.errors import EvenkeelError, IdempotencyConflict, NotReady
from evenkeel.domain.orders import NEEDS, OrderKind, OrderSpec, Side, TimeInForce
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.domain.provenance import Provenance, Source
from evenkeel.domain.strategies import Signal
from evenkeel.trading.engine.effects import Outcome
from tests.simulator.intentions import Intentions
from tests.simulator.market import ACME, BOLT
from tests.simulator.observer import Broken
from tests.simulator.words import spec_in_words

if TYPE_CHECKING:
    from tests.simulator.world import World

WHO = Provenance("trader", Source.USER)
BOOK = "trend"
KINDS = (OrderKind.MARKET, OrderKind.LIMIT, OrderKind.STOP, OrderKind.STOP_LIMIT)
LASTING = (TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK, TimeInForce.BAR)
SCOPES = (Scope(ScopeKind.ACCOUNT, "A"), Scope(ScopeKind.STRATEGY, BOOK), Scope(ScopeKind.PLATFORM))


class Asked(Struct):
    """One order that was asked for; `id` is what was promised, empty while nothing was."""

    spec: OrderSpec
    id: str = ""
    is_open: bool = True


class Trader:
    """Draws one action at a time. `orders` are by the client order id."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.orders: dict[str, Asked] = {}
        self._draw = world.random("trader")
        self._intentions = Intentions(world.random("intentions"), world.market.prices, WHO)
        self.composites: dict[str, str] = {}
        self._actions = (
            (self._order, 50),
            (self._cancel, 14),
            (self._change, 10),
            (self._again, 5),
            (self._other, 2),
            (self._nonsense, 2),
            (self._signal, 8),
            (self._panic, 2),
            (self._resume, 4),
            (self._cash, 3),
            (self._composite, 8),
            (self._end_composite, 2),
            (self._position, 5),
        )

    @property
    def pause(self) -> float:
        """Seconds until the next action: mostly soon, sometimes at once."""
        return 0.3 * self._draw.random() ** 2

    def act(self) -> None:
        actions, weights = zip(*self._actions, strict=True)
        self._draw.choices(actions, weights)[0]()

    def retry(self) -> None:
        """After a restart: what was not answered is asked once more, under the same name."""
        for asked in self.orders.values():
            if asked.is_open and not asked.id and self._draw.random() < 0.5:
                self.send(asked.spec)

    def _order(self) -> None:
        draw = self._draw
        instrument = draw.choice((ACME, BOLT))
        kind = draw.choices(KINDS, (5, 3, 2, 1))[0]
        price = self.world.market.prices[instrument.id]
        has_limit, has_stop = NEEDS[kind]
        spec = OrderSpec(
            account_id=draw.choice(("A", "B")),
            book="manual",
            instrument_id=instrument.id,
            side=draw.choice((Side.BUY, Side.BUY, Side.SELL)),
            quantity=Decimal(draw.choice((1, 10, 50, 100, 300))),
            kind=kind,
            client_order_id=f"t{len(self.orders) + 1}",
            time_in_force=draw.choices(LASTING, (6, 4, 1, 1, 1))[0],
            limit_price=self._near(price) if has_limit else None,
            stop_price=self._near(price) if has_stop else None,
        )
        if draw.random() < 0.15:
            spec = self._intentions.waiting(spec, self.world.timeline.now)
        self.orders[spec.client_order_id] = Asked(spec)
        self.send(spec)
        if draw.random() < 0.1:
            self.send(spec)

    def _near(self, price: float) -> Decimal:
        return Decimal(round(price * (1 + 0.01 * self._draw.uniform(-1, 1)) * 100)).scaleb(-2)

    def send(self, spec: OrderSpec) -> None:
        asked = self.orders[spec.client_order_id]

        def told(outcome: Outcome | None, error: EvenkeelError | None) -> None:
            if outcome is None:
                asked.is_open = isinstance(error, NotReady)
            elif asked.id not in ("", outcome.id):
                self.world.fail(Broken("I1", f"{spec.client_order_id} names {asked.id} and {outcome.id}"))
            else:
                asked.id = outcome.id

        self.world.ask(c.SubmitOrder(provenance=WHO, spec=spec), f"{spec.client_order_id}: {self._words(spec)}", told)

    def _words(self, spec: OrderSpec) -> str:
        return spec_in_words(self.world, spec)

    def _known(self) -> Asked | None:
        known = [asked for asked in self.orders.values() if asked.id]
        return self._draw.choice(known[-8:]) if known else None

    def _cancel(self) -> None:
        if asked := self._known():
            self.world.ask(c.CancelOrder(provenance=WHO, order_id=asked.id), f"cancel {asked.spec.client_order_id}")

    def _change(self) -> None:
        if asked := self._known():
            spec, price = asked.spec, self.world.market.prices[asked.spec.instrument_id]
            command = c.ModifyOrder(
                provenance=WHO,
                order_id=asked.id,
                quantity=Decimal(self._draw.choice((20, 60, 150))),
                limit_price=None if spec.limit_price is None else self._near(price),
                stop_price=None if spec.stop_price is None else self._near(price),
            )
            what = f"change {spec.client_order_id} to {command.quantity} at {command.limit_price or 'the market'}"
            self.world.ask(command, what)

    def _again(self) -> None:
        if asked := self._known():
            self.send(asked.spec)

    def _other(self) -> None:
        """Another order under a name that is taken: a conflict, and nothing happens."""
        asked = self._known()
        if asked is None:
            return
        spec = asked.spec
        changed = OrderSpec(
            account_id=spec.account_id,
            book=spec.book,
            instrument_id=spec.instrument_id,
            side=spec.side.other,
            quantity=spec.quantity,
            kind=OrderKind.MARKET,
            client_order_id=spec.client_order_id,
        )

        def told(outcome: Outcome | None, error: EvenkeelError | None) -> None:
            if not isinstance(error, IdempotencyConflict | NotReady):
                self.world.fail(Broken("I1", f"another order under {spec.client_order_id} gave {outcome} {error}"))

        self.world.ask(c.SubmitOrder(provenance=WHO, spec=changed), f"another order under {spec.client_order_id}", told)

    def _nonsense(self) -> None:
        quantity = Decimal(self._draw.choice(("0", "-5", "NaN", "Infinity", "1E+30", "0.5")))
        name = f"n{len(self.orders)}-{self._draw.randrange(10**6)}"
        spec = OrderSpec("A", "manual", ACME.id, Side.BUY, quantity, OrderKind.MARKET, name)
        self.world.ask(c.SubmitOrder(provenance=WHO, spec=spec), f"an order for {quantity}")

    def _signal(self) -> None:
        target = self._draw.choice((-0.5, 0.0, 0.0, 0.5, 1.0, None))
        name = self._draw.choice((ACME, BOLT)).id
        who = Provenance(BOOK, Source.DEPLOYMENT)
        signal = Signal(BOOK, name, self.world.timeline.now, target)
        self.world.ask(c.TakeSignal(provenance=who, signal=signal), f"the strategy wants {target} of {name}")

    def _panic(self) -> None:
        scope = self._draw.choices(SCOPES, (3, 2, 1))[0]
        keeps = self._draw.random() < 0.3
        command = c.Panic(provenance=WHO, scope=scope, keep_positions=keeps, cooldown=0)
        self.world.ask(command, f"PANIC of {scope.key}{', what is held is kept' if keeps else ''}")

    def _resume(self) -> None:
        scope = self._draw.choice(SCOPES)
        self.world.ask(c.Resume(provenance=WHO, scope=scope, abandon=self._draw.random() < 0.5), f"resume {scope.key}")

    def _cash(self) -> None:
        amount = Decimal(self._draw.choice((1000, -500, 250)))
        kind = LedgerKind.DEPOSIT if amount > 0 else LedgerKind.WITHDRAWAL
        account_id = self._draw.choice(("A", "B"))
        command = c.MoveCash(provenance=WHO, account_id=account_id, amount=amount, kind=kind)
        self.world.ask(command, f"{kind} of {amount} in account {account_id}")

    def _composite(self) -> None:
        command, words = self._intentions.composite(self.world.timeline.now)
        assert isinstance(command, c.SubmitComposite)
        name = command.client_order_id

        def told(outcome: Outcome | None, _error: EvenkeelError | None) -> None:
            if outcome is not None:
                self.composites[name] = outcome.id

        self.world.ask(command, words, told)

    def _end_composite(self) -> None:
        if self.composites:
            composite_id, close = self._draw.choice([*self.composites.values()]), self._draw.random() < 0.5
            command = c.CancelComposite(provenance=WHO, composite_id=composite_id, close=close)
            self.world.ask(command, f"end composite {composite_id[-6:]}{', and close it' if close else ''}")

    def _position(self) -> None:
        command, words = self._intentions.position()
        self.world.ask(command, words)
