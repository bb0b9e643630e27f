"""Records of rebalances: what each was to do, and what came of it."""

from msgspec import to_builtins

from evenkeel.domain.rebalancing import RebalanceEnded, RebalanceStarted
from evenkeel.storage.projections.unit import Place, Unit
from evenkeel.storage.tables.rebalancing import rebalance_history


def started(unit: Unit, place: Place, record: RebalanceStarted) -> None:
    """The first attempt makes the row; those after it open it again."""
    this = record.rebalance
    row = unit.find_or(
        rebalance_history,
        (this.id,),
        lambda: {
            "id": this.id,
            "portfolio_id": this.portfolio_id,
            "name": this.name,
            "at": record.at,
            "actor": record.provenance.actor,
            "value": this.value,
            "old_weights": to_builtins(this.before),
            "new_weights": to_builtins(this.target),
            "trades": to_builtins(this.trades),
            "estimated_cost": this.cost,
        },
    )
    row |= {
        "attempts": record.attempt + 1,
        "ended_at": None,
        "reached_weights": None,
        "cost": None,
        "traded": None,
        "success": None,
        "reasons": [],
    }


def ended(unit: Unit, place: Place, record: RebalanceEnded) -> None:
    row = unit.get(rebalance_history, record.id)
    row |= {
        "ended_at": record.at,
        "reached_weights": to_builtins(record.after),
        "cost": record.cost,
        "traded": record.traded,
        "success": record.success,
        "reasons": list(record.reasons),
    }
