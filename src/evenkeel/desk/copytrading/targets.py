"""What a follower would hold had it followed its master from the beginning, sized as of now: where a resync leads."""

from collections.abc import Iterable
from decimal import Decimal

from evenkeel.desk.copytrading.factors import Volatility, factor
from evenkeel.domain.copying import STEP, CopySide, CopyTarget, Fixed
from evenkeel.domain.money import ONE, ZERO, mul, neg, portion
from evenkeel.trading.engine.copying.links import LinkState
from evenkeel.trading.engine.state import State

_SIGNS = {CopySide.BOTH: 0, CopySide.LONG: 1, CopySide.SHORT: -1}


def targets(
    state: State, one: LinkState, *, volatility: Volatility, only: Iterable[str] | None = None
) -> tuple[list[CopyTarget], dict[str, str]]:
    """Targets of all of the master's positions, or of some instruments; and of those that have none, why."""
    found, unsized = list[CopyTarget](), dict[str, str]()
    for name in one.legs if only is None else only:
        held = one.leg(name).held
        sign = _SIGNS[one.link.filter.side]
        if one.link.rule(name).instrument_id not in state.instruments:
            unsized[name] = "the instrument is not listed"
        elif not held or (sign and (held > 0) != (sign > 0)):
            found.append(CopyTarget(name, ZERO))
        elif isinstance(one.link.terms.sizing, Fixed):
            found.append(CopyTarget(name, _fixed(one, name, sizing=one.link.terms.sizing)))
        else:
            ordered = held.copy_abs()
            value = state.notional(name, ordered, state.mark(name) or ZERO)
            size, why = factor(state, one.link, instrument_id=name, ordered=ordered, value=value, volatility=volatility)
            if size is None:
                unsized[name] = why
            else:
                found.append(CopyTarget(name, portion(held, size, of=ONE, step=STEP)))
    return found, unsized


def _fixed(one: LinkState, instrument_id: str, *, sizing: Fixed) -> Decimal:
    """What its orders have come to, where they were of the position's side; else one order's."""
    leg = one.leg(instrument_id)
    if leg.wanted and (leg.wanted > 0) == (leg.held > 0):
        return leg.wanted
    quantity = mul(sizing.quantity, one.link.terms.risk)
    return quantity if leg.held > 0 else neg(quantity)
