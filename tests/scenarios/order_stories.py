"""Stories of one order, told in the words of a trader: what is asked, what happens then, what comes of it.

An order reads `sell 100 stop 45`, with `limit`, `stop`, `trail 2`, `trail 10%`, `offset 1`, `trigger` and `later`
(after-market) as they apply. A story is a list of steps, parted by `;`: `bar` with open, high, low, close and, where
it matters, volume of the next session; `cancel`; `change` with what is to be changed; `cut` and `back` for the link
to the broker; `crash` for a kill -9 and a start, `bar … crash` for one before anything that the bar has led to could
be sent; `unlist` and `list` for a venue that does not take orders for a while. It is asked at first, or where the
story says `ask`. What comes of it is how much has filled at which price, `100 at 45`, and the state where that was
not all.
"""

from decimal import Decimal
from typing import Any

import msgspec

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain.accounts import Limits
from evenkeel.domain.errors import Conflict
from evenkeel.domain.orders import Order, OrderKind, OrderState, Side, TimeInForce, Trail, Trigger
from evenkeel.quant.costs import FillModel
from evenkeel.trading.brokers.profiles import BrokerProfile
from evenkeel.trading.brokers.simulated.profile import IN_PROCESS
from evenkeel.trading.engine.effects import Effect, SendAmendment, SendCancel, SendOrder
from tests.scenarios.desk import Desk, closes, opens, session
from tests.trading.engine.world import ACME, OPEN, WHO, D, fold

FULL = IN_PROCESS
BARE = msgspec.structs.replace(
    FULL,
    order_kinds=frozenset({OrderKind.MARKET, OrderKind.LIMIT}),
    times_in_force=frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK}),
)
"""A venue as many exchanges of crypto currencies are: no stops, and nothing that ends with a day."""
CASH = msgspec.structs.replace(OPEN, allow_short=False)
UNTIL, HOUR = 3, 3_600_000_000_000
"""The day after whose close GTD orders of these stories end; the first bar of a story is that of day 2."""
_PRICES = {"limit": "limit_price", "stop": "stop_price"}


class OrderDesk(Desk):
    """A desk whose link to its broker may be cut, and which sees to it that the broker gets only what it takes."""

    def __init__(self, profile: BrokerProfile = FULL) -> None:
        self.is_cut = self.is_dying = False
        super().__init__(model=FillModel(participation=0.10))
        self.state.profiles["simulated"] = profile

    def _carry_out(self, effect: Effect) -> None:
        if self.is_dying:
            return
        if isinstance(effect, SendOrder):
            profile = self.state.profiles["simulated"]
            assert effect.ticket.spec.kind in profile.order_kinds
            assert effect.ticket.spec.time_in_force in profile.times_in_force
        if self.is_cut and isinstance(effect, SendOrder | SendCancel | SendAmendment):
            what = {SendOrder: "place", SendCancel: "cancel", SendAmendment: "modify"}[type(effect)]
            order_id = effect.ticket.order_id if isinstance(effect, SendOrder) else effect.order_id
            self.step(e.SendFailed(order_id, what, "the broker cannot be reached"))
        elif not self.is_cut:
            super()._carry_out(effect)

    def deliver(self) -> None:
        if self.is_cut:
            self.post.clear()
        super().deliver()

    def link(self, *, up: bool) -> None:
        self.is_cut, self.compares = not up, up
        self.step(e.BrokerLink("A", up))
        self.deliver()


class Story:
    """One order at a venue. It begins with 100 held where it sells, and with a last price of 50."""

    def __init__(self, profile: BrokerProfile = FULL, *, limits: Limits = CASH) -> None:
        self.desk = OrderDesk(profile)
        self.desk.open("A", "100000", limits=limits)
        self.desk.day(session(0, 50, 50, 50, 50))
        self.day = 1
        self.order: Any = None

    def tell(self, asked: str, lasts: TimeInForce, steps: str) -> str:
        """Places the order, goes through the steps, and says what has become of it."""
        if asked.startswith("sell"):
            self.desk.order(Side.BUY, "100")
        self._bar("50", "50", "50", "50")
        asks = "ask" in steps
        if not asks:
            self.place(asked, lasts)
        for step in filter(None, map(str.strip, steps.split(";"))):
            if step == "ask":
                self.place(asked, lasts)
            else:
                self.take(step)
        self.desk.finish()
        return said(self.order)

    def place(self, asked: str, lasts: TimeInForce) -> Order:
        side, quantity, *words = asked.split()
        terms: dict[str, Any] = {}
        while words:
            word = words.pop(0)
            if word == "later":
                terms["not_before"] = opens(self.day + 1)
            elif word == "trail":
                distance = words.pop(0)
                is_share = distance.endswith("%")
                terms["trail"] = Trail(fraction=D(distance[:-1]) / 100) if is_share else Trail(amount=D(distance))
            elif word == "offset":
                terms["trail"] = msgspec.structs.replace(terms["trail"], limit_offset=D(words.pop(0)))
            elif word == "trigger":
                terms["trigger"] = Trigger(D(words.pop(0)))
            else:
                terms[_PRICES[word]] = D(words.pop(0))
        if lasts is TimeInForce.GTD:
            terms["expires_at"] = closes(UNTIL) + HOUR
        kind = _kind(terms)
        self.order = self.desk.submit(Side[side.upper()], quantity, kind=kind, time_in_force=lasts, **terms)
        self.desk.deliver()
        return self.order  # type: ignore[no-any-return]

    def take(self, step: str) -> None:
        """One thing that happens."""
        what, *words = step.split()
        if what == "bar":
            self._bar(*words)
        elif what == "cancel":
            self._ask(c.CancelOrder(provenance=WHO, order_id=self.order.id))
        elif what == "change":
            given = {name: D(value) for name, value in (word.split("=") for word in words)}
            self._ask(c.ModifyOrder(provenance=WHO, order_id=self.order.id, **given))  # type: ignore[arg-type]
        elif what in ("cut", "back"):
            self.desk.link(up=what == "back")
        elif what == "unlist":
            del self.desk.book.state.instruments[ACME.id]
        elif what == "list":
            self.desk.book.list_instrument(ACME)
        else:
            self._crash()

    def _ask(self, command: c.AnyCommand) -> None:
        """A command of a person; what has ended by then is not theirs to change."""
        try:
            self.desk.step(command)
        except Conflict:
            assert not self.order.is_open
        self.desk.deliver()

    def _bar(self, *words: str) -> None:
        dies = words[-1] == "crash"
        prices = [float(word) for word in words if word != "crash"]
        self.desk.is_dying, self.desk.compares = dies, not dies and not self.desk.is_cut
        self.desk.day(session(self.day, *prices))
        self.desk.is_dying = False
        self.day += 1
        if dies:
            self._crash()

    def _crash(self) -> None:
        self.desk = self.desk.restarted()  # type: ignore[assignment]
        self.desk.compares = True
        self.order = self.desk.state.orders[self.order.id]
        assert fold(self.desk.records).orders[self.order.id] == self.order
        self.desk.step(e.Started(run="again", version="1", at=self.desk.now))
        self.desk.step(self.desk.picture("A"))
        self.desk.deliver()


def said(order: Order) -> str:
    """An order's fate, as a cell of a table has it; of one that has filled, how much and at which price."""
    filled = f"{_plain(order.filled)} at {_plain(order.average_price)}" if order.filled else ""
    state = "" if order.state is OrderState.FILLED else order.state.lower().replace("_", " ")
    return ", ".join(filter(None, (state, filled)))


def _plain(number: Decimal | None) -> str:
    return "" if number is None else f"{number.normalize():f}"


def _kind(terms: dict[str, Any]) -> OrderKind:
    if "trail" in terms:
        has_limit = terms["trail"].limit_offset is not None
        return OrderKind.TRAILING_STOP_LIMIT if has_limit else OrderKind.TRAILING_STOP
    return {
        (False, False): OrderKind.MARKET,
        (True, False): OrderKind.LIMIT,
        (False, True): OrderKind.STOP,
        (True, True): OrderKind.STOP_LIMIT,
    }["limit_price" in terms, "stop_price" in terms]


__all__ = ["ACME", "BARE", "FULL", "OrderDesk", "Story", "said"]
