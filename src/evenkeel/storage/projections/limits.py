"""Records of layered limits: what changed them, and how drawdowns moved between tiers."""

from msgspec import to_builtins

from evenkeel.domain.limit_records import DrawdownMoved, RejectsHalted, ScopeDayClosed, ScopeLimitsChanged
from evenkeel.domain.limits import Layer
from evenkeel.storage.projections import portfolios
from evenkeel.storage.projections.unit import Place, Unit
from evenkeel.storage.tables.limits import drawdown_moves, limit_changes


def scope_changed(unit: Unit, place: Place, record: ScopeLimitsChanged) -> None:
    if record.scope.kind is Layer.PORTFOLIO:
        portfolios.limited(unit, record.scope.id, record.rules.max_position_share, at=record.at)
    unit.add(
        limit_changes,
        {
            "seq": place.seq,
            "layer": record.scope.kind.value,
            "scope_id": record.scope.id,
            "user_id": record.scope.user_id,
            "version": record.version,
            "at": record.at,
            "rules": to_builtins(record.rules),
            "actor": record.provenance.actor,
            "source": record.provenance.source.value,
        },
    )


def day_closed(unit: Unit, place: Place, record: ScopeDayClosed) -> None:
    """Has no table: it is where the engine counts from, and follows from positions and marks."""


def drawdown_moved(unit: Unit, place: Place, record: DrawdownMoved) -> None:
    unit.add(
        drawdown_moves,
        {
            "seq": place.seq,
            "layer": record.scope.kind.value,
            "scope_id": record.scope.id,
            "user_id": record.scope.user_id,
            "at": record.at,
            "tier": record.tier.value,
            "drawdown": record.drawdown,
            "threshold": record.limit,
            "lifted": record.lifted,
            "actor": None if record.provenance is None else record.provenance.actor,
        },
    )


def rejects_halted(unit: Unit, place: Place, record: RejectsHalted) -> None:
    """Has no table: it is told as an alert."""
