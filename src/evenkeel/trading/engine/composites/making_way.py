"""Composites that make way: told to enter nothing more, before what they are about is cancelled or closed.

One that is between two of its orders has none at work, and would go on all the same.
"""

from collections.abc import Iterable
from contextlib import suppress

from evenkeel.domain.commands import CancelComposite
from evenkeel.domain.composites import CompositeState, Legs
from evenkeel.domain.errors import Conflict
from evenkeel.domain.orders import OrderSpec
from evenkeel.domain.positions import PositionKey, key_of
from evenkeel.domain.provenance import Provenance
from evenkeel.domain.selections import Selection
from evenkeel.trading.engine.composites import children, following, legs
from evenkeel.trading.engine.composites.standing import Composite
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn


def stop(turn: Turn, composites: Iterable[Composite], *, provenance: Provenance) -> tuple[str, ...]:
    """Has them place nothing more, and cancels what works of them; of what has been entered the exits stay.

    The ids of those that had something to stop.
    """
    stopped = []
    for one in tuple(composites):
        with suppress(Conflict):  # of what has been entered, only the exits are left
            following.cancel(turn, CancelComposite(composite_id=one.id, provenance=provenance))
            stopped.append(one.id)
    return tuple(stopped)


def fitting(state: State, account_id: str, selection: Selection) -> list[Composite]:
    """Those of an account with an order that fits and is at work, or not placed yet; exits go by what they close.

    Legs that take back what they filled, only where all of it fits: the rest would stay as it is.
    """
    return [
        one
        for one in state.composites.values()
        if one.account_id == account_id
        and (all if legs.takes_back(one) else any)([selection.fits(spec) for spec in _meant(state, one)])
    ]


def _meant(state: State, one: Composite) -> list[OrderSpec]:
    return [*_entering(state, one), *([one.lead] if one.closes else ())]


def _entering(state: State, one: Composite) -> list[OrderSpec]:
    at_work = [order.spec for order in children.of_leg(state, one) if not order.spec.is_exit]
    return [*following.to_come(state, one), *at_work]


def moving(state: State, key: PositionKey) -> list[Composite]:
    """Those that may still change a position other than by exits: by what works, is to come, or would be taken back.

    Not legs that are taking back: stopped as a whole, they would leave what they hold of others as it is.
    """
    return [
        one
        for one in state.composites.values()
        if (one.account_id, one.book) == (key.account_id, key.book)
        and one.state is not CompositeState.STOPPING
        and not legs.takes_back(one)
        and any(key_of(spec) == key for spec in (*_entering(state, one), *to_take_back(one)))
    ]


def to_take_back(one: Composite) -> list[OrderSpec]:
    """The orders that would close what it has filled, should the rest of it fail."""
    return legs.to_take_back(one, terms=one.terms) if isinstance(one.terms, Legs) else []
