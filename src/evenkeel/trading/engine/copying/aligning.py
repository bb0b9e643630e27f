"""Bringing a follower to where it is to be, all of it or chosen positions: shown first, done when asked."""

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from evenkeel.domain.commands import AlignCopy
from evenkeel.domain.copying import CopyKind, CopyTarget, Held, in_lots
from evenkeel.domain.errors import Conflict, FieldError, InvalidInput
from evenkeel.domain.money import ZERO, neg, rounded, sub
from evenkeel.trading.engine.copying.links import LinkState
from evenkeel.trading.engine.copying.placing import Placer, held_of, record_of
from evenkeel.trading.engine.copying.setting import link_of
from evenkeel.trading.engine.effects import Outcome, Part
from evenkeel.trading.engine.state import State
from evenkeel.trading.engine.turn import Turn


class Alignment(Struct, frozen=True):
    """One position as it is and as it is to be: what is closed and opened (unsigned) by orders of `side` (1, -1)."""

    instrument_id: str
    follower_instrument_id: str
    master: Decimal
    held: Held
    wanted: Decimal
    aim: Decimal
    side: int
    close: Decimal
    open: Decimal

    @property
    def change(self) -> Decimal:
        """The signed quantity that is ordered."""
        size = self.close + self.open
        return size if self.side > 0 else neg(size)


def alignments(state: State, one: LinkState, *, targets: Iterable[CopyTarget]) -> list[Alignment]:
    """What bringing a follower to its targets would order now; what works at the market, or copies a fill, counts."""
    found = []
    for target in targets:
        name, held = target.instrument_id, held_of(state, one, instrument_id=target.instrument_id)
        other = one.link.rule(name).instrument_id
        lot = state.instruments[other].lot_size
        aim = in_lots(target.wanted, lot)
        change = sub(aim, held.expected)
        side = 1 if change > 0 else -1
        close = rounded(min(change.copy_abs(), held.closable(side)), lot, "ROUND_DOWN")
        rest = sub(change.copy_abs(), close)
        beyond = aim.copy_abs() if aim and (aim > 0) == (side > 0) else ZERO
        opening = rounded(min(rest, beyond), lot, "ROUND_DOWN")
        held_by_master = one.leg(name).held
        found.append(Alignment(name, other, held_by_master, held, target.wanted, aim, side, close, opening))
    return found


def align(turn: Turn, command: AlignCopy) -> Outcome:
    """Brings a follower to its targets by orders at the market, whatever the link's age and slippage.

    Raises NotFound, InvalidInput for a target that is not listed, and Conflict for a link that does not copy now.
    """
    one = link_of(turn.state, command.link_id)
    if not one.follows or one.link.paused:
        raise Conflict("the link does not copy now", hint="Have it accepted, or resume it, first.")
    _check_listed(turn.state, one, targets=command.targets)
    parts: list[Part] = []
    for found in alignments(turn.state, one, targets=command.targets):
        placer = Placer(turn, one, name=f"r{turn.state.seq + 1}", instrument_id=found.instrument_id)
        placer.at_market(found.side, found.close)
        placer.at_market(found.side, found.open)
        turn.emit(
            record_of(
                turn,
                one,
                instrument_id=found.instrument_id,
                source=0,
                kind=CopyKind.RESYNC,
                wanted=found.wanted,
                carry=sub(found.wanted, found.aim),
                owed=ZERO,
                orders=tuple(placer.placed),
                quantity=placer.quantity,
                skipped=placer.skipped(),
            )
        )
        parts += [Part(order_id, created=True) for order_id in placer.placed]
    return Outcome(one.link.id, created=False, parts=tuple(parts))


def _check_listed(state: State, one: LinkState, *, targets: Iterable[CopyTarget]) -> None:
    unknown = [
        FieldError("instrument_id", f"no such instrument: {target.instrument_id}")
        for target in targets
        if one.link.rule(target.instrument_id).instrument_id not in state.instruments
    ]
    if unknown:
        raise InvalidInput("the targets are not valid", errors=tuple(unknown))
