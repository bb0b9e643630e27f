"""The rules that every layer may have. Each reads one view of the order and returns what it allowed and saw.

None is a rule that is off. What a rule may not exceed passes at equality; a loss, a drawdown, a number of orders or
trades that has reached its limit does not: see docs/limits.md.
"""

from decimal import Decimal

from evenkeel.domain.clock import SECOND
from evenkeel.domain.limits import Layer, RuleSet, Tier
from evenkeel.domain.money import ZERO, mul, plain, ratio, rounded, sub
from evenkeel.domain.orders import OrderKind
from evenkeel.domain.records import Check
from evenkeel.trading.risk.view import RiskCheck, Seen

SHARE_STEP = Decimal("0.0001")
_CENT = Decimal("0.01")
_HUNDRED = Decimal(100)
_DRAWDOWN = {tier: f"drawdown-{tier}" for tier in Tier}
_OF = {
    Layer.INSTRUMENT: " for the instrument",
    Layer.STRATEGY: " for the strategy",
    Layer.PORTFOLIO: " for the portfolio",
    Layer.ACCOUNT: "",
    Layer.USER: " for all accounts of the user",
    Layer.PLATFORM: " for the whole platform",
}


def said(seen: Seen, rule: str, *, limit: object, value: object, reason: str | None) -> Check:
    """The check of a rule of this layer; where it refuses, the reason says whose limit it is."""
    whole = None if reason is None else reason + _OF[seen.layer]
    return Check(rule, str(limit), str(value), whole, seen.layer)


def _no_equity(seen: Seen, rule: str, *, limit: Decimal) -> Check:
    whose = "account" if seen.layer is Layer.ACCOUNT else seen.layer
    reason = f"the {whose} has no equity to take risk with"
    return Check(rule, str(limit), str(seen.equity), reason, seen.layer)


def _value(seen: Seen, quantity: Decimal) -> Decimal:
    """What a quantity is worth at the price that the order is judged at."""
    return ZERO if seen.price is None else mul(mul(quantity, seen.price), seen.instrument.multiplier)


def _shown(value: Decimal, step: Decimal, *, limit: Decimal) -> Decimal:
    """A value to the step, or as finely as it takes for what is beyond the limit not to look like the limit."""
    shown = rounded(value, step)
    while shown <= limit < value:
        step = step.scaleb(-1)
        shown = rounded(value, step)
    return shown


def _share_of_equity(
    seen: Seen, rule: str, *, limit: Decimal | None, value: Decimal, what: str, in_percent: bool = True
) -> Check | None:
    """Refuses a value that is more than `limit` times equity."""
    if limit is None:
        return None
    if seen.equity <= 0:
        return _no_equity(seen, rule, limit=limit)
    share = ratio(value, seen.equity)
    shown, reason = _shown(share, SHARE_STEP, limit=limit), None
    if share > limit:
        now, most = (percent(shown), percent(limit)) if in_percent else (f"{plain(shown)} times", f"{plain(limit)}")
        reason = f"{what} would be {now} of equity, the limit is {most}"
    return said(seen, rule, limit=limit, value=shown, reason=reason)


def _amount(seen: Seen, rule: str, *, limit: Decimal | None, value: Decimal, what: str) -> Check | None:
    """Refuses money beyond `limit`."""
    if limit is None:
        return None
    currency, shown = seen.instrument.currency, _shown(value, _CENT, limit=limit)
    reason = f"{what} would be {shown} {currency}, the limit is {plain(limit)}" if value > limit else None
    return said(seen, rule, limit=limit, value=shown, reason=reason)


def _quantity(seen: Seen, rule: str, *, limit: Decimal | None, value: Decimal, what: str) -> Check | None:
    if limit is None:
        return None
    reason = f"{what} {plain(value)}, the limit is {plain(limit)}" if value > limit else None
    return said(seen, rule, limit=limit, value=value, reason=reason)


def percent(share: Decimal) -> str:
    return f"{plain(mul(share, _HUNDRED))} %"


def trades_per_day(seen: Seen) -> Check | None:
    limit = seen.rules.max_trades_per_day
    if limit is None:
        return None
    reason = None if seen.trades_today < limit else f"{seen.trades_today} orders today, the limit is {limit}"
    return said(seen, "max-trades-per-day", limit=limit, value=seen.trades_today, reason=reason)


def daily_loss(seen: Seen) -> Check | None:
    limit = seen.rules.daily_loss
    if limit is None or seen.day_start_equity <= 0:
        return None
    lost = ratio(seen.lost_today, seen.day_start_equity)
    shown = rounded(lost, SHARE_STEP)
    reason = None if lost < limit else f"today's loss is {percent(shown)} of equity, the limit is {percent(limit)}"
    return said(seen, "daily-loss", limit=limit, value=shown, reason=reason)


def daily_loss_amount(seen: Seen) -> Check | None:
    limit = seen.rules.daily_loss_amount
    if limit is None:
        return None
    lost = seen.lost_today
    shown, currency = rounded(lost, _CENT), seen.instrument.currency
    reason = None if lost < limit else f"today's loss is {shown} {currency}, the limit is {plain(limit)}"
    return said(seen, "daily-loss-amount", limit=limit, value=shown, reason=reason)


def drawdown(seen: Seen) -> Check | None:
    """The deepest tier that has been reached speaks; above the first that refuses, that one, which would be next."""
    rules, fallen = seen.rules, seen.drawdown
    first = Tier.HALT if rules.drawdown_reduce is None else Tier.REDUCE
    limit = rules.drawdown_halt if rules.drawdown_reduce is None else rules.drawdown_reduce
    if limit is None:
        first, limit = Tier.WARN, rules.drawdown_warn
    if limit is None:
        return None
    tier, is_halted = first, seen.tier is Tier.HALT
    if rules.drawdown_halt is not None and (is_halted or fallen >= rules.drawdown_halt):
        tier, limit = Tier.HALT, rules.drawdown_halt
    reason = _why(seen, tier, limit=limit) if is_halted or fallen >= limit else None
    return said(seen, _DRAWDOWN[tier], limit=limit, value=f"{fallen:.4f}", reason=reason)


def _why(seen: Seen, tier: Tier, *, limit: Decimal) -> str | None:
    if tier is Tier.WARN:
        return None
    if tier is Tier.HALT and seen.drawdown < limit:
        return f"entries have been halted since a drawdown of {percent(limit)}; lift the halt first"
    what = "entries are halted" if tier is Tier.HALT else "only what reduces may be ordered"
    return f"the drawdown is {percent(rounded(seen.drawdown, SHARE_STEP))}, from {percent(limit)} on {what}"


def loss_streak(seen: Seen) -> Check | None:
    limit = seen.rules.max_losses
    if limit is None:
        return None
    reason = None
    if seen.losses >= limit and seen.paused > 0:
        left = -(-seen.paused // SECOND)
        reason = f"{seen.losses} closed trades in a row have lost: entries pause for another {left} seconds"
    return said(seen, "loss-streak", limit=limit, value=seen.losses, reason=reason)


def time_window(seen: Seen) -> Check | None:
    windows = seen.rules.windows
    if windows is None:
        return None
    hours = "; ".join(f"{one.start:%H:%M}–{one.end:%H:%M} {one.time_zone}" for one in windows)
    reason = None if seen.in_window else f"entries are for {hours} only"
    return said(seen, "time-window", limit=hours, value="inside" if seen.in_window else "outside", reason=reason)


def exchange_hours(seen: Seen) -> Check | None:
    if not seen.rules.exchange_hours:
        return None
    name = seen.instrument.calendar
    reason = None if seen.in_session else f"the exchange ({name}) is closed"
    return said(seen, "exchange-hours", limit="open", value="open" if seen.in_session else "closed", reason=reason)


def order_quantity(seen: Seen) -> Check | None:
    limit = seen.rules.max_order_quantity
    return _quantity(seen, "max-order-quantity", limit=limit, value=seen.quantity, what="the order is for")


def order_value(seen: Seen) -> Check | None:
    limit, value = seen.rules.max_order_value, _value(seen, seen.quantity)
    return _amount(seen, "max-order-value", limit=limit, value=value, what="the order")


def price_collar(seen: Seen) -> Check | None:
    """How far the price farthest from the last one lies from it, up or down."""
    limit = seen.rules.price_collar
    named = [price for price in (seen.spec.limit_price, seen.spec.stop_price) if price is not None]
    if limit is None or not named:
        return None
    if not seen.last:
        why = "there is no last price to measure the order's by"
        return said(seen, "price-collar", limit=limit, value="no last price", reason=why)
    away = max(ratio(sub(price, seen.last).copy_abs(), seen.last) for price in named)
    shown = _shown(away, SHARE_STEP, limit=limit)
    reason = None
    if away > limit:
        reason = f"the order's price is {percent(shown)} from the last, {seen.last}; the limit is {percent(limit)}"
    return said(seen, "price-collar", limit=limit, value=shown, reason=reason)


def quote_age(seen: Seen) -> Check | None:
    """Only an order that takes whatever price there is asks how old the last one is: at the market, or by a stop."""
    limit = seen.rules.max_quote_age
    if limit is None or seen.spec.kind not in (OrderKind.MARKET, OrderKind.STOP):
        return None
    if seen.quote_age is None:
        return said(seen, "max-quote-age", limit=limit, value="no quote", reason="there is no quote to go by")
    age = plain(Decimal(seen.quote_age) / SECOND)
    reason = None
    if seen.quote_age > limit * SECOND:
        reason = f"the last quote is {age} seconds old, such an order needs one of at most {limit}"
    return said(seen, "max-quote-age", limit=limit, value=age, reason=reason)


def open_orders(seen: Seen) -> Check | None:
    limit = seen.rules.max_open_orders
    if limit is None:
        return None
    reason = None if seen.open_orders < limit else f"{seen.open_orders} orders work already, the limit is {limit}"
    return said(seen, "max-open-orders", limit=limit, value=seen.open_orders, reason=reason)


def turnover(seen: Seen) -> Check | None:
    return _share_of_equity(
        seen,
        "max-turnover",
        limit=seen.rules.max_turnover,
        value=seen.turnover,
        what="today's turnover",
        in_percent=False,
    )


def position(seen: Seen) -> Check | None:
    what = f"{seen.instrument.symbol} would be"
    return _quantity(seen, "max-position", limit=seen.rules.max_position, value=seen.worst_position, what=what)


def position_value(seen: Seen) -> Check | None:
    limit = seen.rules.max_position_value
    if limit is None or seen.price is None:
        return None
    value = _value(seen, seen.worst_position)
    return _amount(seen, "max-position-value", limit=limit, value=value, what=seen.instrument.symbol)


def position_share(seen: Seen) -> Check | None:
    limit = seen.rules.max_position_share
    if limit is None or seen.price is None:
        return None
    value = _value(seen, seen.worst_position)
    return _share_of_equity(seen, "max-position-share", limit=limit, value=value, what=seen.instrument.symbol)


def gross_exposure(seen: Seen) -> Check | None:
    limit = seen.rules.max_gross_exposure
    return _amount(seen, "max-gross-exposure", limit=limit, value=seen.gross, what="gross exposure")


def net_exposure(seen: Seen) -> Check | None:
    limit = seen.rules.max_net_exposure
    return _amount(seen, "max-net-exposure", limit=limit, value=seen.net, what="net exposure")


def gross_leverage(seen: Seen) -> Check | None:
    limit = seen.rules.max_gross_leverage
    return _share_of_equity(
        seen, "max-gross-leverage", limit=limit, value=seen.gross, what="gross exposure", in_percent=False
    )


def net_leverage(seen: Seen) -> Check | None:
    limit = seen.rules.max_net_leverage
    return _share_of_equity(
        seen, "max-net-leverage", limit=limit, value=seen.net, what="net exposure", in_percent=False
    )


def margin_use(seen: Seen) -> Check | None:
    limit = seen.rules.max_margin_use
    return _share_of_equity(seen, "max-margin-use", limit=limit, value=seen.margin, what="margin in use")


def correlation(seen: Seen) -> Check | None:
    """What has not been measured is not guessed at: it passes, and the record says that it was not known."""
    limit, found = seen.rules.max_correlation, seen.closest
    if limit is None:
        return None
    if found is None or found.correlation is None:
        why = "nothing else is held" if found is not None and not found.unknown else "not measured"
        return said(seen, "max-correlation", limit=limit, value=why, reason=None)
    exactly = Decimal(repr(found.correlation))
    value, reason = _shown(exactly, SHARE_STEP, limit=limit), None
    if exactly > limit:
        reason = f"{seen.instrument.symbol} goes with a position that is held by {value}, the limit is {plain(limit)}"
    shown = f"{value}, {found.unknown} not measured" if found.unknown else value
    return said(seen, "max-correlation", limit=limit, value=shown, reason=reason)


def diversification(seen: Seen) -> Check | None:
    """How many equal positions what is held would amount to; what does not lower it always passes."""
    limit = seen.rules.min_diversification
    if limit is None or seen.diversification is None:
        return None
    before, after = seen.diversification
    value = rounded(Decimal(repr(after)), SHARE_STEP)
    reason = None
    if after < min(before, float(limit)):
        reason = f"what is held would amount to {value} equal positions, the least is {plain(limit)}"
    return said(seen, "min-diversification", limit=limit, value=value, reason=reason)


RULE_CHECKS: tuple[tuple[RiskCheck, tuple[str, ...]], ...] = (
    (trades_per_day, ("max_trades_per_day",)),
    (daily_loss, ("daily_loss",)),
    (daily_loss_amount, ("daily_loss_amount",)),
    (drawdown, ("drawdown_warn", "drawdown_reduce", "drawdown_halt")),
    (loss_streak, ("max_losses",)),
    (time_window, ("windows",)),
    (exchange_hours, ("exchange_hours",)),
    (order_quantity, ("max_order_quantity",)),
    (order_value, ("max_order_value",)),
    (price_collar, ("price_collar",)),
    (quote_age, ("max_quote_age",)),
    (open_orders, ("max_open_orders",)),
    (turnover, ("max_turnover",)),
    (position, ("max_position",)),
    (position_value, ("max_position_value",)),
    (position_share, ("max_position_share",)),
    (gross_exposure, ("max_gross_exposure",)),
    (net_exposure, ("max_net_exposure",)),
    (gross_leverage, ("max_gross_leverage",)),
    (net_leverage, ("max_net_leverage",)),
    (margin_use, ("max_margin_use",)),
    (correlation, ("max_correlation",)),
    (diversification, ("min_diversification",)),
)
"""Each rule's check with the fields that switch it on, in the order in which they are asked."""


def plan_of(rules: RuleSet) -> tuple[RiskCheck, ...]:
    """The checks of the rules that are on."""
    return tuple(check for check, names in RULE_CHECKS if any(getattr(rules, name) is not None for name in names))
