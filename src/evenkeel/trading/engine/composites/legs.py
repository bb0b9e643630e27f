"""Legs: orders one after the other. A leg that does not fill in full ends it, unwinds it, or is passed over."""

from evenkeel.domain.composites import CompositeChange, CompositeState, Legs, OnFailure
from evenkeel.domain.money import sub
from evenkeel.domain.orders import OrderSpec
from evenkeel.trading.engine.composites import children
from evenkeel.trading.engine.composites.standing import Composite
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn

_UNWIND = "unwind-"


def go_on(turn: Turn, one: Composite, *, terms: Legs) -> None:
    """Places the first leg that has not been placed, once all before it have filled or may be passed over."""
    for number, spec in enumerate(terms.orders, start=1):
        leg = f"leg-{number}"
        if leg not in one.legs:
            if not children.may_enter(turn.state, one, spec=spec):
                return
            children.place(turn, one, leg=leg, spec=spec)
        if children.of_leg(turn.state, one, leg):
            return
        if one.filled_of(leg) >= spec.quantity or terms.on_failure is OnFailure.CONTINUE:
            continue
        reason = f"leg {number} did not fill in full: {children.why(turn.state, one)}"
        if terms.on_failure is OnFailure.STOP or _is_unwound(turn, one, terms=terms):
            children.end(turn, one, ending=CompositeState.FAILED, reason=reason)
        return
    _conclude(turn, one, terms=terms)


def _conclude(turn: Turn, one: Composite, *, terms: Legs) -> None:
    missed = [
        number for number, spec in enumerate(terms.orders, start=1) if one.filled_of(f"leg-{number}") < spec.quantity
    ]
    if len(missed) == len(terms.orders):
        children.end(turn, one, ending=CompositeState.FAILED, reason=children.why(turn.state, one))
    else:
        names = ", ".join(map(str, missed))
        children.end(
            turn, one, ending=CompositeState.DONE, reason=f"not filled in full: leg {names}" if missed else None
        )


def _is_unwound(turn: Turn, one: Composite, *, terms: Legs) -> bool:
    """Closes what the legs have filled, the last first; whether that is done, or cannot be."""
    stuck = []
    for number, spec in reversed(tuple(enumerate(terms.orders, start=1))):
        leg, back = f"leg-{number}", f"{_UNWIND}{number}"
        left = sub(one.filled_of(leg), one.filled_of(back))
        while left > 0 and not children.of_leg(turn.state, one, back):
            if back in one.by_hand or len(one.legs.get(back, ())) >= children.MOST_FAILURES:
                stuck.append(str(number))
                break
            children.place(turn, one, leg=back, spec=children.at_market(spec, left))
    if not one.working and stuck:
        message = f"could not close what was filled of leg {', '.join(stuck)}"
        children.alert(turn, one, level="critical", kind="unwind-failed", message=message)
    return not one.working


def takes_back(one: Composite) -> bool:
    """Whether what was filled is being closed: nothing more is entered, and what closes it is placed already."""
    return any(leg.startswith(_UNWIND) for leg in one.legs)


def to_come(state: State, one: Composite, *, terms: Legs) -> list[OrderSpec]:
    """The legs not placed yet; none once what was filled is being taken back."""
    if takes_back(one):
        return []
    return [spec for number, spec in enumerate(terms.orders, start=1) if f"leg-{number}" not in one.legs]


def to_take_back(one: Composite, *, terms: Legs) -> list[OrderSpec]:
    """The orders that would close what has filled, should a later leg fail."""
    if terms.on_failure is not OnFailure.UNWIND:
        return []
    filled = [
        (spec, sub(one.filled_of(f"leg-{number}"), one.filled_of(f"{_UNWIND}{number}")))
        for number, spec in enumerate(terms.orders, start=1)
    ]
    return [children.at_market(spec, left) for spec, left in filled if left > 0]


def changed(terms: Legs, change: CompositeChange) -> Legs:
    """Legs are placed as they were asked for."""
    return terms
