"""How many units of the follower stand for one of the master's, by a link's sizing; or why that cannot be said."""

from collections.abc import Callable
from decimal import Decimal

from evenkeel.domain.copying import STEP, ByEquity, ByFreeMargin, ByVolatility, CopyLink, Equal, Fixed, Multiplier
from evenkeel.domain.instruments import Instrument
from evenkeel.domain.money import ONE, ZERO, add, mul, portion, rounded, sub
from evenkeel.trading.engine.figures import margin_rate
from evenkeel.trading.engine.risk_views import reserved_cash
from evenkeel.trading.engine.state import AccountState, State

Volatility = Callable[[str, int], float | None]
"""An instrument's volatility a year over a number of daily closes; None where it is not known (yet)."""
Factor = tuple[Decimal | None, str]
"""The factor, or None and why there is none."""


def factor(
    state: State, link: CopyLink, *, instrument_id: str, ordered: Decimal, value: Decimal, volatility: Volatility
) -> Factor:
    """The follower's units for one of the master's that opens, of an order for `ordered` units.

    The trade itself is worth `value`, and ties that up in the master's account already.
    """
    rule, terms = link.rule(instrument_id), link.terms
    each = mul(rule.quantity, terms.risk)
    match terms.sizing:
        case Equal():
            return each, ""
        case Multiplier(times):
            return mul(each, times), ""
        case Fixed(quantity):
            return (portion(quantity, terms.risk, of=ordered, step=STEP), "") if ordered else (None, "no order's size")
        case ByEquity():
            share, why = _share(state, link, worth=state.equity, what="equity")
            return (None if share is None else portion(share, each, of=ONE, step=STEP)), why
        case ByFreeMargin():
            share, why = _share(
                state,
                link,
                worth=lambda held: free_margin(state, held, without=value if _is_master(held, link) else ZERO),
                what="free margin",
            )
            return (None if share is None else portion(share, each, of=ONE, step=STEP)), why
        case ByVolatility() as sizing:
            return _by_volatility(state, link, instrument_id=instrument_id, sizing=sizing, volatility=volatility)


def _is_master(held: AccountState, link: CopyLink) -> bool:
    return held.account.id == link.master_id


def free_margin(state: State, held: AccountState, *, without: Decimal = ZERO) -> Decimal:
    """The equity that positions, by their margin, and what working buys may use do not tie up, but for a value that is
    left out; never below zero."""
    rate, tied = margin_rate(held), reserved_cash(state, held)
    for position in held.positions.values():
        if position.quantity:
            multiplier = state.instruments[position.key.instrument_id].multiplier
            tied = add(tied, position.market_value(state.price_of(position), multiplier).copy_abs())
    return max(ZERO, sub(state.equity(held), mul(rate, max(ZERO, sub(tied, without)))))


def _share(state: State, link: CopyLink, *, worth: Callable[[AccountState], Decimal], what: str) -> Factor:
    """What the follower's account is worth over what the master's is, in one currency."""
    master, follower = state.accounts[link.master_id], state.accounts[link.follower_id]
    theirs, ours = worth(master), worth(follower)
    if theirs <= 0:
        return None, f"the master's {what} is not above zero"
    if ours <= 0:
        return None, f"the follower's {what} is not above zero"
    way = state.rates.conversion(master.account.currency, follower.account.currency)
    if way is None:
        return None, f"no exchange rate from {master.account.currency} to {follower.account.currency} is known"
    return portion(ours, way.denominator, of=mul(theirs, way.numerator), step=STEP), ""


def _by_volatility(
    state: State, link: CopyLink, *, instrument_id: str, sizing: ByVolatility, volatility: Volatility
) -> Factor:
    share, why = _share(state, link, worth=state.equity, what="equity")
    if share is None:
        return None, why
    mine = link.rule(instrument_id).instrument_id
    own = volatility(mine, sizing.window)
    reference = sizing.reference or volatility(instrument_id, sizing.window)
    if not own or not reference:
        return None, f"the volatility over {sizing.window} days is not known"
    values = [_unit(state, state.instruments[name]) for name in (instrument_id, mine)]
    if None in values or not values[1]:
        return None, "no price has been seen yet"
    times = rounded(Decimal(repr(reference / own * (values[0] or 0.0) / values[1])), STEP)
    return portion(mul(share, link.terms.risk), times, of=ONE, step=STEP), ""


def _unit(state: State, instrument: Instrument) -> float | None:
    """What one unit is worth at the last price."""
    mark = state.marks.get(instrument.id)
    return None if mark is None else mark.price * float(instrument.multiplier)
