"""The checks, in order: the order itself, its account, then the rules of each layer from instrument to platform.

A check that refuses carries a reason a trader can act on. An order that only reduces a position is never held
back by the limits meant for entries; those are the checks below `ENTRY_CHECKS` and the rules of all layers, which an
exit linked to a position passes, too.
"""

from collections.abc import Iterator
from decimal import Decimal
from functools import cache

from evenkeel.domain.accounts import AccountType, Readiness
from evenkeel.domain.limits import Layer
from evenkeel.domain.money import ONE, ZERO, add, is_multiple, mul, rounded, sub
from evenkeel.domain.orders import OrderKind
from evenkeel.domain.records import Check
from evenkeel.domain.risk import Approved, Refused, Verdict
from evenkeel.trading.risk.rules import plan_of
from evenkeel.trading.risk.view import RiskCheck, RiskView, Seen

MARKET_BUFFER = Decimal("1.01")
_READY = Check("account-ready", Readiness.READY, Readiness.READY)
_NO_DOUBT = Check("nothing-in-doubt", "none", "none")
_OF_BOOKS = (Layer.STRATEGY, Layer.PORTFOLIO)
_BEFORE_THE_ACCOUNT = (Layer.INSTRUMENT, *_OF_BOOKS)


def buffer_of(kind: OrderKind) -> Decimal:
    """How much more than its price an order may cost: what fills at the market may fill above the last price."""
    return MARKET_BUFFER if kind in (OrderKind.MARKET, OrderKind.STOP) else ONE


def assess(view: RiskView) -> Verdict:
    """The verdict on one order: the first failing check refuses it."""
    passed: list[Check] = []
    for seen, checks in _asked(view):
        for ask in checks:
            check = ask(seen)
            if check is None:
                continue
            if check.reason is not None:
                return Refused(check, tuple(passed))
            passed.append(check)
    return Approved(tuple(passed))


def judged(view: RiskView) -> Iterator[Check]:
    """Every check that concerns the order, one after another, whether those before it passed or not."""
    for seen, checks in _asked(view):
        for ask in checks:
            check = ask(seen)
            if check is not None:
                yield check


def _asked(view: RiskView) -> Iterator[tuple[Seen, tuple[RiskCheck, ...]]]:
    """What is asked, and of which view. What only closes what the books of a strategy or a portfolio hold is not held
    back by its own rules."""
    yield view, ORDER_CHECKS
    if view.reduces:
        return
    yield view, ENTRY_CHECKS
    for seen in () if view.spec.is_exit else _in_layers(view):
        if seen.layer not in _OF_BOOKS or not seen.reduces:
            yield seen, plan_of(seen.rules) if seen.plan is None else seen.plan
    yield view, CASH_CHECKS


def _in_layers(view: RiskView) -> tuple[Seen, ...]:
    """The order as every layer sees it, from instrument to platform."""
    if not view.layers:
        return (view,)
    first = [seen for seen in view.layers if seen.layer in _BEFORE_THE_ACCOUNT]
    return (*first, view, *view.layers[len(first) :])


def supported(view: RiskView) -> Check | None:
    """What the account's broker does not take, and nothing it takes can be made to stand for."""
    return view.cannot


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


def reduce_only(view: RiskView) -> Check | None:
    """A reduce-only order is over no more than there is to close; a cut of one always is right."""
    most = view.closable
    if most is None or view.eases:
        return None
    reason = None
    if view.quantity > most:
        verb, symbol = view.spec.side.lower(), view.instrument.symbol
        there = f"its book has only {most} {symbol} to close" if most else f"its book has no {symbol} to close"
        reason = f"it may only reduce a position, and to {verb} {view.quantity} would do more: {there}"
    return Check("reduce-only", str(most), str(view.quantity), reason)


def currency(view: RiskView) -> Check:
    ours, theirs = view.account_currency, view.instrument.currency
    if ours == theirs:
        return _same_currency(ours)
    return Check("currency", ours, theirs, f"the account holds {ours}, and {view.instrument.symbol} trades in {theirs}")


@cache
def _same_currency(code: str) -> Check:
    return Check("currency", code, code)


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


def in_use(view: RiskView) -> Check | None:
    """The same of an account out of use, and of a walk-forward session that does not run."""
    if not view.idle:
        return None
    reason = None if view.may_reduce and view.reduces else f"{view.idle}, and takes no orders"
    return Check(view.idle_rule, "reductions" if view.may_reduce else "nothing", view.idle, reason)


def stopped(view: RiskView) -> Check | None:
    """Where mark-to-market control has stopped a level, or its time for entries is over; and what else stops one."""
    stop = view.stopped
    if stop is None:
        return None
    is_spared = view.reduces and (stop.entries_only or view.may_reduce)
    return Check(stop.check, stop.limit, stop.rule, None if is_spared else stop.reason, stop.layer)


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
    if state is Readiness.READY:
        return _READY
    why = view.readiness_reason or "it has not been reconciled"
    return Check("account-ready", Readiness.READY, state, f"the account is {state}: {why}")


def nothing_in_doubt(view: RiskView) -> Check:
    """Until it is known what became of an order, its instrument takes no more risk in this account."""
    if view.in_doubt is None:
        return _NO_DOUBT
    symbol = view.instrument.symbol
    reason = f"it is not known what became of order {view.in_doubt} in {symbol}; look it up or cancel it first"
    return Check("nothing-in-doubt", "none", view.in_doubt, reason)


def short_selling(view: RiskView) -> Check | None:
    if view.spec.side.sign > 0:
        return None
    short = sub(add(view.working_sells, view.quantity), view.held)
    allowed = view.rules.allow_short and view.account_type is AccountType.MARGIN
    reason = None
    if short > 0 and not allowed:
        why = "a cash account cannot sell short" if view.rules.allow_short else "short selling is off"
        reason = f"this would leave the account {short} short, and {why}{_why_not_held(view, short)}"
    return Check("short-selling", "on" if allowed else "off", str(max(ZERO, short)), reason)


def _why_not_held(view: RiskView, short: Decimal) -> str:
    """What stands in the way where it is not that too little is held; of several things the first to look at."""
    symbol = view.instrument.symbol
    if view.working_sells > 0 and view.held >= view.quantity:
        sold = min(view.working_sells, view.held)
        return f": orders that work sell {sold} of the {view.held} {symbol} held; cancel one, or place both as an OCO"
    if view.working_buys >= short:
        return f": what is being bought of {symbol} counts once it has filled; a bracket waits for that"
    return ""


def cash(view: RiskView) -> Check | None:
    if not view.rules.cash_check or view.spec.side.sign < 0 or view.price is None:
        return None
    price = mul(view.price, buffer_of(view.spec.kind))
    needed = add(mul(mul(view.quantity, price), view.instrument.multiplier), view.charges)
    free = sub(view.cash, view.reserved)
    needed_shown, free_shown = rounded(needed, Decimal("0.01")), rounded(free, Decimal("0.01"))
    reason = None
    if needed > free:
        reason = f"needs {needed_shown} {view.account_currency}, and {free_shown} is free"
    return Check("cash", str(free_shown), str(needed_shown), reason)


ORDER_CHECKS: tuple[RiskCheck, ...] = (
    supported,
    lot_size,
    tick_size,
    reduce_only,
    currency,
    not_halted,
    stopped,
    in_use,
)
ENTRY_CHECKS: tuple[RiskCheck, ...] = (priced, queue_full, account_ready, nothing_in_doubt, short_selling)
CASH_CHECKS: tuple[RiskCheck, ...] = (cash,)
