"""The checks, in order: instrument first, then account. Each reads a RiskView and returns what it allowed and saw.

A check that refuses carries a reason a trader can act on. An order that only reduces a position is never held
back by the limits meant for entries; those are the checks below `ENTRY_CHECKS`.
"""

from collections.abc import Callable
from decimal import Decimal

from evenkeel.domain.accounts import AccountType, Readiness
from evenkeel.domain.money import ONE, ZERO, add, is_multiple, mul, plain, ratio, rounded, sub
from evenkeel.domain.orders import OrderKind
from evenkeel.domain.records import Check
from evenkeel.domain.risk import Approved, Refused, Verdict
from evenkeel.trading.risk.view import RiskView

MARKET_BUFFER = Decimal("1.01")
_SHARE_STEP = Decimal("0.0001")


def buffer_of(kind: OrderKind) -> Decimal:
    """How much more than its price an order may cost: what fills at the market may fill above the last price."""
    return MARKET_BUFFER if kind in (OrderKind.MARKET, OrderKind.STOP) else ONE


def assess(view: RiskView) -> Verdict:
    """The verdict on one order: the first failing check refuses it."""
    passed: list[Check] = []
    for check in ORDER_CHECKS if view.reduces else CHECKS:
        result = check(view)
        if result is None:
            continue
        if result.reason is not None:
            return Refused(result, tuple(passed))
        passed.append(result)
    return Approved(tuple(passed))


def lot_size(view: RiskView) -> Check:
    lot = view.instrument.lot_size
    fits = view.quantity > 0 and is_multiple(view.quantity, lot)
    reason = None if fits else f"quantity {view.quantity} is not a positive multiple of the lot size {lot}"
    return Check("lot-size", str(lot), str(view.quantity), reason)


def tick_size(view: RiskView) -> Check | None:
    tick = view.instrument.tick_size
    for price in (view.spec.limit_price, view.spec.stop_price):
        if price is not None and not (price > 0 and is_multiple(price, tick)):
            reason = f"price {price} is not a positive multiple of the tick size {tick}"
            return Check("tick-size", str(tick), str(price), reason)
    return Check("tick-size", str(tick), "ok") if view.spec.kind is not OrderKind.MARKET else None


def currency(view: RiskView) -> Check:
    ours, theirs = view.account_currency, view.instrument.currency
    reason = None if ours == theirs else f"the account holds {ours}, and {view.instrument.symbol} trades in {theirs}"
    return Check("currency", ours, theirs, reason)


def priced(view: RiskView) -> Check:
    reason = None if view.price is not None else f"no price of {view.instrument.symbol} has been seen yet"
    return Check("price-known", "a price", str(view.price), reason)


def not_halted(view: RiskView) -> Check | None:
    """Only what takes risk off passes a halt, and of strategies not even that."""
    if not view.halted:
        return None
    is_spared = view.may_reduce and view.reduces
    reason = None if is_spared else f"trading is halted by a panic of {view.halted}; resume it first"
    return Check("halted", "reductions" if view.may_reduce else "nothing", view.halted, reason)


def queue_full(view: RiskView) -> Check | None:
    """What cannot be sent in time is refused at once, and asked of the venue not at all."""
    limit = view.most_waiting
    if limit is None:
        return None
    reason = None
    if view.waiting >= limit:
        reason = f"{view.waiting} orders wait for the broker already, the limit is {limit}"
    return Check("queue-full", str(limit), str(view.waiting), reason)


def account_ready(view: RiskView) -> Check:
    state = view.readiness
    why = view.readiness_reason or "it has not been reconciled"
    reason = None if state is Readiness.READY else f"the account is {state}: {why}"
    return Check("account-ready", Readiness.READY, state, reason)


def nothing_in_doubt(view: RiskView) -> Check:
    """Until it is known what became of an order, its instrument takes no more risk in this account."""
    symbol = view.instrument.symbol
    reason = None
    if view.in_doubt is not None:
        reason = f"it is not known what became of order {view.in_doubt} in {symbol}; look it up or cancel it first"
    return Check("nothing-in-doubt", "none", view.in_doubt or "none", reason)


def trades_per_day(view: RiskView) -> Check | None:
    limit = view.limits.max_trades_per_day
    if limit is None:
        return None
    reason = None if view.trades_today < limit else f"{view.trades_today} orders today, the limit is {limit}"
    return Check("max-trades-per-day", str(limit), str(view.trades_today), reason)


def daily_loss(view: RiskView) -> Check | None:
    limit = view.limits.daily_loss
    if limit is None or view.day_start_equity <= 0:
        return None
    lost = ratio(max(ZERO, sub(view.day_start_equity, view.equity)), view.day_start_equity)
    shown = rounded(lost, _SHARE_STEP)
    reason = None if lost < limit else f"today's loss is {_percent(shown)} of equity, the limit is {_percent(limit)}"
    return Check("daily-loss", str(limit), str(shown), reason)


def short_selling(view: RiskView) -> Check | None:
    if view.spec.side.sign > 0:
        return None
    short = sub(add(view.working_sells, view.quantity), view.held)
    allowed = view.limits.allow_short and view.account_type is AccountType.MARGIN
    reason = None
    if short > 0 and not allowed:
        why = "a cash account cannot sell short" if view.limits.allow_short else "short selling is off"
        reason = f"this would leave the account {short} short, and {why}"
    return Check("short-selling", "on" if allowed else "off", str(max(ZERO, short)), reason)


def position_share(view: RiskView) -> Check | None:
    limit = view.limits.max_position_share
    if limit is None or view.price is None:
        return None
    if view.equity <= 0:
        return Check("max-position-share", str(limit), str(view.equity), "the account has no equity to take risk with")
    value = mul(mul(view.worst_position, view.price), view.instrument.multiplier)
    share = ratio(value, view.equity)
    shown = rounded(share, _SHARE_STEP)
    reason = None
    if share > limit:
        reason = f"{view.instrument.symbol} would be {_percent(shown)} of equity, the limit is {_percent(limit)}"
    return Check("max-position-share", str(limit), str(shown), reason)


def cash(view: RiskView) -> Check | None:
    if not view.limits.cash_check or view.spec.side.sign < 0 or view.price is None:
        return None
    price = mul(view.price, buffer_of(view.spec.kind))
    needed = add(mul(mul(view.quantity, price), view.instrument.multiplier), view.charges)
    free = sub(view.cash, view.reserved)
    needed_shown, free_shown = rounded(needed, Decimal("0.01")), rounded(free, Decimal("0.01"))
    reason = None
    if needed > free:
        reason = f"needs {needed_shown} {view.account_currency}, and {free_shown} is free"
    return Check("cash", str(free_shown), str(needed_shown), reason)


def _percent(share: Decimal) -> str:
    return f"{plain(mul(share, Decimal(100)))} %"


RiskCheck = Callable[[RiskView], Check | None]
ORDER_CHECKS: tuple[RiskCheck, ...] = (lot_size, tick_size, currency, not_halted)
ENTRY_CHECKS: tuple[RiskCheck, ...] = (
    priced,
    queue_full,
    account_ready,
    nothing_in_doubt,
    trades_per_day,
    daily_loss,
    short_selling,
    position_share,
    cash,
)
CHECKS: tuple[RiskCheck, ...] = (*ORDER_CHECKS, *ENTRY_CHECKS)
