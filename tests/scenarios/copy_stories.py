"""Stories of copying, told in the words of a trader: what the master does, and what its follower holds and has working.

The master is M with 100,000, the follower F with as much, or what `equity` says; prices are 100 at first. A story is
a list of steps, parted by `;`:

    buy 100, sell 40                 at the market; with `limit 99`, `stop 95`, `trail 2`, `as exit` as they apply
    bracket 100 stop 90 target 120   an entry at the market with its exits
    bar 100 101 99 100 [20000]       the next session: open, high, low, close and volume
    change quantity=50 limit_price=98    of the newest order;  cancel
    bust                             the venue takes the newest execution of the master back
    split 2:1 [BOLT]
    pause, resume, remove, resync
    wait 60                          so many seconds pass between the master's fill and its copy
    refuse                           the follower is not ready: what opens is refused from now on;  ready
    crash                            a kill -9 and a start
    holds 60, works 40, skips too old, wants 62.5, orders 3    what is so now of the follower; of its last skip a part

`told` says the same in a line: what the follower holds, what it is to hold, and what works.
"""

from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain.accounts import AccountType, FillTerms, Limits, Readiness
from evenkeel.domain.composites import Bracket
from evenkeel.domain.copying import CopyChange, CopyLink, CopyMode, CopyTarget
from evenkeel.domain.marketdata import MarketSlice, Split
from evenkeel.domain.money import plain
from evenkeel.domain.orders import Order, OrderKind, Side, TimeInForce, Trail
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.records import ReadinessChanged
from evenkeel.quant.costs import FillModel
from evenkeel.trading.engine.copying.links import LinkState
from tests.desk.copytrading.reading import Copies
from tests.scenarios.desk import OPENS, Desk, closes, session
from tests.trading.engine.world import ACME, BOLT, OPEN, WHO, D, assert_sound

LINK = "link-1"


class CopyDesk(Copies, Desk):
    """A desk with a venue that copies."""

    def __init__(self, *instruments: Any) -> None:
        super().__init__(*instruments, model=FillModel(participation=0.10))

    def crash(self) -> "CopyDesk":
        """The desk after a kill: it reads on from where the journal says it has read to."""
        after = self.restarted()
        assert isinstance(after, CopyDesk)
        after.taken = after.state.copying.cursor
        after.copy()
        after.deliver()
        return after

    def restarted(self) -> "CopyDesk":
        desk = super().restarted()
        copy = CopyDesk.__new__(CopyDesk)
        copy.__dict__ |= desk.__dict__
        return copy


class Story:
    """One master and one follower. What the follower has is told of the instrument it trades in ACME's place."""

    def __init__(
        self, link: CopyLink, *, equity: str = "100000", limits: Limits = OPEN, of: Any = ACME, **more: Any
    ) -> None:
        self.desk: Any = CopyDesk(ACME, BOLT, *more.pop("instruments", ()))
        self.of, self.day = of, 1
        self.newest: Any = None
        kind = {"type": AccountType.MARGIN, "terms": FillTerms()}  # each fills by itself
        self.desk.open("M", "100000", limits=OPEN, **kind)
        self.desk.open("F", equity, limits=limits, **kind)
        self.bar("100", "100", "100", "100")
        for step in more.pop("before", ()):
            self.take(step)
        self.desk.step(c.OpenCopyLink(provenance=WHO, link=link))

    @property
    def one(self) -> LinkState:
        return self.desk.state.copying.links[LINK]  # type: ignore[no-any-return]

    @property
    def held(self) -> Decimal:
        position = self.desk.state.position(PositionKey("F", LINK, self.of.id))
        return position.quantity  # type: ignore[no-any-return]

    def working(self) -> list[Order]:
        return [o for o in self.desk.state.accounts["F"].open_orders() if o.spec.book == LINK]

    def tell(self, steps: str) -> str:
        """Goes through the steps, and says how the follower stands."""
        for step in filter(None, map(str.strip, steps.split(";"))):
            self.take(step)
        if self.desk.compares:
            self.desk.assert_agreed()
        assert_sound(self.desk)
        return self.told()

    def told(self) -> str:
        words = [plain(self.held)]
        wanted = self.one.leg(ACME.id).wanted
        if wanted != self.held:
            words.append(f"of {plain(round(wanted, 6))}")
        words += [_terms(order) for order in self.working()]
        return ", ".join(words)

    def take(self, step: str) -> None:
        what, *words = step.split()
        do = getattr(self, what if what not in ("buy", "sell") else "order")
        if what in ("buy", "sell"):
            do(what, *words)
        else:
            do(*words)
        self.desk.deliver()

    def order(self, side: str, quantity: str, *words: str) -> None:
        given, terms = list(words), dict[str, Any]()
        while given:
            word = given.pop(0)
            value = given.pop(0)
            if word == "trail":
                terms["trail"] = Trail(amount=D(value))
            elif word == "as":
                terms["link"] = value
            else:
                terms[f"{word}_price"] = D(value)
        kind = _kind(terms)
        lasts = TimeInForce.DAY if kind is OrderKind.MARKET else TimeInForce.GTC
        more = {"kind": kind, "time_in_force": lasts, "account_id": "M", **terms}
        self.newest = self.desk.submit(Side[side.upper()], quantity, **more)

    def bracket(self, quantity: str, *words: str) -> None:
        exits = dict(zip(words[::2], map(D, words[1::2]), strict=True))
        entry = self.desk.spec(Side.BUY, quantity, account_id="M")
        terms = Bracket(entry, stop_loss=exits.get("stop"), take_profit=exits.get("target"))
        self.desk.step(c.SubmitComposite(provenance=WHO, client_order_id="bracket", terms=terms))

    def bar(self, *prices: str) -> None:
        bar = session(self.day, *map(float, prices))
        self.desk.day(*(replace(bar, instrument_id=name) for name in dict.fromkeys((ACME.id, self.of.id))))
        self.day += 1

    def change(self, *words: str) -> None:
        given: dict[str, Any] = {name: D(value) for name, value in (word.split("=") for word in words)}
        if "trail" in given:
            given["trail"] = Trail(amount=given["trail"])
        self.desk.step(c.ModifyOrder(provenance=WHO, order_id=self.newest.id, **given))

    def cancel(self) -> None:
        self.desk.step(c.CancelOrder(provenance=WHO, order_id=self.newest.id))

    def bust(self) -> None:
        fill = [f for f in self.desk.state.fills.values() if f.account_id == "M"][-1]
        order = self.desk.state.orders[fill.order_id]
        names = {"venue_client_id": order.venue_client_id, "venue_order_id": order.venue_order_id}
        busted = e.VenueBusted(account_id="M", execution_id=fill.venue_execution_id, reason="in error", **names)
        self.desk.compares = False
        self.desk.step(busted)

    def split(self, ratio: str, name: str = "ACME") -> None:
        new, old = map(Decimal, ratio.split(":"))
        day = (OPENS.date()).fromordinal(OPENS.date().toordinal() + self.day)
        splits = (Split({"ACME": ACME, "BOLT": BOLT}[name].id, day, new, old),)
        price = float(100 * old / new)
        self.desk.day(session(self.day, price, price, price, price), splits=splits)
        self.day += 1

    def _change(self, **change: Any) -> None:
        self.desk.step(c.ChangeCopyLink(provenance=WHO, link_id=LINK, change=CopyChange(**change)))

    def pause(self) -> None:
        self._change(paused=True)

    def resume(self) -> None:
        self._change(paused=False)

    def remove(self) -> None:
        self._change(removed=True)

    def resync(self, factor: str = "1") -> None:
        wanted = self.one.leg(ACME.id).held * D(factor)
        self.desk.step(c.AlignCopy(provenance=WHO, link_id=LINK, targets=(CopyTarget(ACME.id, wanted),)))

    def wait(self, seconds: str) -> None:
        self.desk.delay = int(seconds)

    def refuse(self) -> None:
        self._readiness(Readiness.BLOCKED)

    def ready(self) -> None:
        self.desk.step(self.desk.picture("F"))
        self._readiness(Readiness.READY)

    def _readiness(self, readiness: Readiness) -> None:
        from evenkeel.trading.engine.fold import apply

        record = ReadinessChanged(at=self.desk.now, account_id="F", readiness=readiness, reason="told so")
        apply(self.desk.state, record)
        self.desk.records.append(record)

    def crash(self) -> None:
        self.desk = self.desk.crash()

    def holds(self, quantity: str) -> None:
        assert self.held == D(quantity), self.told()

    def wants(self, quantity: str) -> None:
        assert self.one.leg(ACME.id).wanted == D(quantity), self.told()

    def works(self, *terms: str) -> None:
        assert [_terms(order) for order in self.working()] == ([" ".join(terms)] if terms else []), self.told()

    def skips(self, *words: str) -> None:
        assert self.one.last_skip is not None, "nothing was skipped"
        assert " ".join(words) in self.one.last_skip.skipped, self.one.last_skip.skipped


def link(mode: str = "fills", **more: Any) -> CopyLink:
    """A link from M to F, accepted."""
    base: dict[str, Any] = {"id": LINK, "master_id": "M", "follower_id": "F", "proposed_by": "u", "accepted": True}
    return CopyLink(mode=CopyMode(mode), **base | more)


def _kind(terms: dict[str, Any]) -> OrderKind:
    prices = "limit_price" in terms, "stop_price" in terms
    if "trail" in terms and not any(prices):
        return OrderKind.TRAILING_STOP
    return {(0, 0): OrderKind.MARKET, (1, 0): OrderKind.LIMIT, (0, 1): OrderKind.STOP, (1, 1): OrderKind.STOP_LIMIT}[
        prices
    ]


def _terms(order: Order) -> str:
    words = [order.spec.side.lower(), plain(order.remaining)]
    if order.limit_price is not None:
        words += ["limit", plain(order.limit_price)]
    if order.stop_price is not None:
        words += ["stop", plain(order.stop_price)]
    return " ".join(words)


__all__ = ["LINK", "CopyDesk", "MarketSlice", "Story", "closes", "link"]
