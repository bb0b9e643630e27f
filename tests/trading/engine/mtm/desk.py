"""A desk for mark-to-market tests: one account that is 100 ACME long from 100.00, so that a cent of price is 1.00."""

from decimal import Decimal
from typing import Any

from evenkeel.domain import commands as c
from evenkeel.domain import events as e
from evenkeel.domain.marketdata import MarketSlice, Quote
from evenkeel.domain.mtm import LockIn, Measure, MtmRules, Trail
from evenkeel.domain.orders import Order, OrderState
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.domain.provenance import Source
from evenkeel.trading.engine.mtm.levels import Gauge, Level
from tests.trading.engine.world import ACME, BOLT, WHO, D, World, instrument

MAIN = Scope(ScopeKind.ACCOUNT, "A")
TREND = Scope(ScopeKind.STRATEGY, "trend")
USER = Scope(ScopeKind.USER, "u")
IN_ACME = Scope(ScopeKind.ACCOUNT, "A", instrument_id=ACME.id)
FINE = instrument("FINE", tick="0.0001")


def amount(text: str) -> Measure:
    """`500` is money, `2%` of the equity."""
    return Measure(D(text[:-1]) / 100, of_equity=True) if text.endswith("%") else Measure(D(text))


def rules(**given: Any) -> MtmRules:
    """Rules in short: stop="500", target="2%", trail=("200", "300"), lock=[("500", "200")]; more as they are."""
    named: dict[str, Any] = {"cooldown": 0}
    if "stop" in given:
        named["stop_loss"] = amount(given.pop("stop"))
    if "target" in given:
        named["target"] = amount(given.pop("target"))
    if "trail" in given:
        distance, begins = given.pop("trail")
        named["trail"] = Trail(amount(distance), None if begins is None else amount(begins))
    if "lock" in given:
        named["lock_in"] = tuple(LockIn(amount(one), amount(other)) for one, other in given.pop("lock"))
    return MtmRules(**(named | given))


class Desk(World):
    """Opens flat at 100.00; `hold` buys, `earn` moves the price so that 100 ACME have made that much."""

    def __init__(self, *accounts: str, held: bool = True) -> None:
        super().__init__(ACME, BOLT, FINE)
        for name in accounts or ("A",):
            self.account(name, "1000000")
        for one in (ACME, BOLT):
            self.quote(one, "100")
        if held:
            self.holding("100", "100")

    def quote(self, of: Any, price: str, *, after: int = 1_000_000_000) -> None:
        """The next price, a second later."""
        self.now += after
        value = float(price)
        self.step(MarketSlice(self.now, quotes=(Quote(of.id, self.now, value, value, value),)), self.now)

    def earn(self, profit: str) -> None:
        self.quote(ACME, str(D(100) + D(profit) / 100))

    def set(self, scope: Scope = MAIN, **given: Any) -> Level | None:
        self.step(c.SetMtmRules(provenance=WHO, scope=scope, rules=rules(**given)))
        return self.state.mtm.get(scope.key)

    def level(self, scope: Scope = MAIN) -> Level:
        return self.state.mtm[scope.key]

    def profit(self, scope: Scope = MAIN) -> Decimal:
        """What the level has made, counted anew from all positions."""
        return self.level(scope).profit(Gauge.of(self.state, self.level(scope)).made)

    def closing(self) -> list[Order]:
        """The orders that close, first to last."""
        return [order for order in self.state.orders.values() if order.source == Source.PANIC]

    def settle(self, price: str) -> None:
        """The venue confirms every cancel and fills every order that closes."""
        for order in [one for one in self.state.orders.values() if one.state is OrderState.CANCEL_PENDING]:
            self.step(self.said(e.VenueCancelled, order))
        for order in [one for one in self.closing() if one.is_working]:
            self.step(self.said(e.VenueAccepted, order))
            self.fill(order, str(order.remaining), price)
