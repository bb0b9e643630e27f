"""What must hold of copy links once everything has come to rest: C2 and C4 of `copywatch`, by its own model of them."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from evenkeel.domain.copying import CopyMode
from evenkeel.domain.orders import OrderState, Side
from evenkeel.domain.positions import PositionKey
from evenkeel.server.copying import standing
from evenkeel.trading.engine.copying.aligning import Alignment
from evenkeel.trading.engine.state import State
from tests.simulator.copywatch import OVER, ZERO, CopyWatch, Leg, Watched
from tests.simulator.market import ACME, BOLT, CORK
from tests.simulator.observer import ENDED

LOTS = {one.id: one.lot_size for one in (ACME, BOLT, CORK)}
LASTS = frozenset({OrderState.FILLED, OrderState.ANOMALY, OrderState.IN_DOUBT})


def at_rest(watch: CopyWatch, state: State) -> Iterator[tuple[str, str]]:
    """Every rule that does not hold, with what is wrong."""
    for one in watch.links.values():
        if one.follows:
            yield from _taken(watch, one)
            shown = {found.instrument_id: found for found in standing(state, state.copying.links[one.link.id])}
            for name, leg in one.legs.items():
                if name not in watch.stood_in(one):
                    yield from _stands(watch, one, name, leg=leg, shown=shown.get(name))
            if one.link.mode is CopyMode.ORDERS:
                yield from _copies(watch, one)


def _taken(watch: CopyWatch, one: Watched) -> Iterator[tuple[str, str]]:
    """C2: nothing is left over, and the master holds what the link thinks it does."""
    if one.dues:
        yield "C2", f"{one.link.id} has never taken {sorted(one.dues)}"
    held: dict[str, Decimal] = defaultdict(Decimal)
    for key, quantity in watch.held.items():
        if one.covers(key):
            held[key.instrument_id] += quantity
    for name in held.keys() | one.legs.keys():
        thinks = one.legs[name].held if name in one.legs else ZERO
        if held[name] != thinks:
            yield "C2", f"{one.link.id} thinks its master holds {thinks} {name}, and it is {held[name]}"


def _stands(
    watch: CopyWatch, one: Watched, name: str, *, leg: Leg, shown: Alignment | None
) -> Iterator[tuple[str, str]]:
    """C4 of one position: what is shown of it is so, and it is what it should be, or the reason is known."""
    other = one.link.rule(name).instrument_id
    lot, aim = LOTS[other], _whole(leg.wanted, LOTS[other])
    has = watch.held[PositionKey(one.link.follower_id, one.link.id, other, one.link.product)]
    working = [(own.spec.side, own.remaining) for _, own in watch.book(one, other) if own.remaining]
    if shown is None or (shown.aim, shown.held.quantity) != (aim, has):
        yield "C4", f"{one.link.id} shows {shown} of {name}; it has {has} of {aim} {other}"
        return
    if one.link.mode is CopyMode.ORDERS:
        if working or leg.why or watch.masters_open(one, name) or _fills_differ(watch, one, name):
            return
        if abs(Fraction(has) - leg.wanted) >= lot * (1 + leg.closings):
            yield "C4", f"{one.link.id} has {has} {other}, {float(leg.wanted)} is wanted, and nothing says why"
        return
    buys = sum((left for side, left in working if side is Side.BUY), ZERO)
    sells = sum((left for side, left in working if side is Side.SELL), ZERO)
    words = f"{one.link.id} has {has} of {aim} {other}, +{buys} -{sells} work, because of {dict(leg.why)}"
    if shown.held.expected != has + buys - sells:
        yield "C4", f"{one.link.id} shows {shown}: {words}"
    # What is bought beyond it, and has not filled yet, is sold once it has.
    is_over = has - sells > max(aim, ZERO) or has + buys < min(aim, ZERO)
    if is_over and not any("refused" in why or "halted" in why for why in leg.why):
        yield "C4", f"too much: {words}"
    waits = leg.owed if working else ZERO
    if has + buys - sells + waits != aim and not leg.why:
        yield "C4", f"not in step: {words}"


def _fills_differ(watch: CopyWatch, one: Watched, name: str) -> bool:
    """Whether the venue has not filled a copy as it has the master's order; then both hold what they hold."""
    for order_id, (copy_id, _) in one.copies.items():
        theirs, own = watch.world.observer.orders[order_id], watch.own[copy_id]
        if theirs.spec.instrument_id != name:
            continue
        is_same = own.spec.quantity * theirs.filled == theirs.spec.quantity * own.filled
        if not is_same or theirs.filled != theirs.quantity or own.filled != own.quantity:
            return True
    return False


def _copies(watch: CopyWatch, one: Watched) -> Iterator[tuple[str, str]]:
    """C2 of orders: a copy works no longer than the master's order does, unless that has filled."""
    for order_id, (copy_id, _) in one.copies.items():
        theirs, own = watch.world.observer.orders[order_id], watch.own[copy_id]
        if own.state not in OVER and theirs.state in ENDED and theirs.state not in LASTS:
            yield "C2", f"{one.link.id}: the master's {order_id} is {theirs.state}, its copy is {own.state}"


def _whole(wanted: Fraction, lot: Decimal) -> Decimal:
    """Whole lots towards zero, but for what division has left."""
    lots, step = abs(wanted) / Fraction(lot), Fraction(1, 10**9) / Fraction(lot)
    return int(lots + step) * lot * (1 if wanted >= 0 else -1)
