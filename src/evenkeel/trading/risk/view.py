"""What risk may see of the world when it judges one order: plain numbers, gathered by the engine.

`Seen` is the order as one layer of limits sees it; `RiskView` is the same for its account, with what only accounts have
and with the views of the other layers.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from msgspec import Struct

from evenkeel.domain.accounts import AccountType, Limits, Readiness
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.limits import Layer, RuleSet, Tier
from evenkeel.domain.money import ZERO, add, neg, sub
from evenkeel.domain.orders import OrderSpec, Side
from evenkeel.domain.records import Check
from evenkeel.trading.risk.metrics import Closest

ACCOUNT_ACTIVE, LIVE_SWITCH, SESSION_RUNNING = "account-active", "live-switch", "session-running"
STRATEGY_RUNNING = "strategy-running"
RiskCheck = Callable[[Any], Check | None]


def does_reduce(side: Side, quantity: Decimal, *, held: Decimal, buys: Decimal, sells: Decimal) -> bool:
    """Whether an order only closes what is held and not already being closed by what works."""
    if not held or (held > 0) == (side.sign > 0):
        return False
    return quantity <= (sub(held, sells) if held > 0 else sub(neg(held), buys))


class Seen(Struct, frozen=True, kw_only=True, gc=False):
    """One order as a layer sees it, whose `rules` read the layer's reach: see `domain.limits`.

    `price` is what the order is judged at (limit, stop, or last); None when nothing has been quoted.
    `held` is the reach's signed position in the instrument; `working_buys` and `working_sells` the unsigned quantities
    already on their way in it. Of the figures below those are left at their defaults that no rule in force reads:
    `equity` and `day_start_equity`; `day_result` where the layer is a part of accounts, else None; `gross`, `margin`,
    `turnover` and, in the order's direction, `net`, all with this order; `open_orders`, `trades_today` and `losses` in
    a row without it; `drawdown` as a fraction, to nine places; `tier`, which stays HALT until it is lifted; `paused`
    and `quote_age` in ns; `last`; what the clocks say, None where nothing asks; how alike it is to what is held, None
    where nothing has been measured; and the number of equal positions that those held amount to, without the order and
    with it. `eases`: it is a change that only takes away from what works already.
    """

    layer: Layer = Layer.ACCOUNT
    rules: RuleSet
    plan: tuple[RiskCheck, ...] | None = None
    spec: OrderSpec
    quantity: Decimal
    instrument: Instrument
    price: Decimal | None
    held: Decimal
    working_buys: Decimal
    working_sells: Decimal
    equity: Decimal = ZERO
    day_start_equity: Decimal = ZERO
    day_result: Decimal | None = None
    trades_today: int = 0
    gross: Decimal = ZERO
    net: Decimal = ZERO
    margin: Decimal = ZERO
    turnover: Decimal = ZERO
    open_orders: int = 0
    drawdown: Decimal = ZERO
    tier: Tier = Tier.NONE
    losses: int = 0
    paused: int = 0
    last: Decimal | None = None
    quote_age: int | None = None
    in_window: bool | None = None
    in_session: bool | None = None
    closest: Closest | None = None
    diversification: tuple[float, float] | None = None
    eases: bool = False

    @property
    def signed(self) -> Decimal:
        return self.quantity if self.spec.side.sign > 0 else neg(self.quantity)

    @property
    def reduces(self) -> bool:
        """True when the order only closes what is held and not already being closed, or is a change that `eases`."""
        return self.eases or does_reduce(
            self.spec.side, self.quantity, held=self.held, buys=self.working_buys, sells=self.working_sells
        )

    @property
    def worst_position(self) -> Decimal:
        """The largest unsigned position this can lead to: working orders of its side fill, the others do not."""
        if self.signed > 0:
            after = add(add(self.held, self.working_buys), self.quantity)
        else:
            after = sub(sub(self.held, self.working_sells), self.quantity)
        return max(ZERO, after if self.signed > 0 else neg(after))

    @property
    def lost_today(self) -> Decimal:
        """What the reach has lost since its day began, zero or more."""
        if self.day_result is not None:
            return max(ZERO, neg(self.day_result))
        return max(ZERO, sub(self.day_start_equity, self.equity))


class Stop(Struct, frozen=True, gc=False):
    """A level that is let nothing in, such as by mark-to-market control: by which `rule`, and why. What reduces passes,
    of strategies only where it is `entries_only`. `check` is what refuses, by its `limit`."""

    layer: Layer
    rule: str
    reason: str
    entries_only: bool = False
    check: str = "mtm"
    limit: str = "reductions"


class RiskView(Seen, frozen=True, kw_only=True, gc=False):
    """One order and its account, all books together; `layers` are the views of the other layers, in their order.

    `reserved` is the cash that working buys of all instruments may still use. `in_doubt` is an order of this instrument
    whose fate is unknown, `cannot` why its broker does not take such an order. `closable` is the most that
    the order may be over as it is reduce-only, None where it is not. `halted` says by what trading is halted,
    empty where it is not, `idle` that the account is out of use or its session does not run, as the rule `idle_rule`
    has it; even then what `reduces` may pass, if `may_reduce`. `stopped` is a level of its that takes no entries.
    `waiting` orders have not been heard of by the venue yet, of which `most_waiting` may be there; None: any number.
    `charges` is the estimate of its own costs, zero where no limit in force reads it.
    """

    rules: Limits
    account_type: AccountType
    account_currency: str
    readiness: Readiness
    readiness_reason: str | None
    in_doubt: str | None = None
    cannot: Check | None = None
    closable: Decimal | None = None
    halted: str = ""
    idle: str = ""
    idle_rule: str = SESSION_RUNNING
    stopped: Stop | None = None
    may_reduce: bool = True
    waiting: int = 0
    most_waiting: int | None = None
    cash: Decimal
    reserved: Decimal
    charges: Decimal
    layers: tuple[Seen, ...] = ()
