"""Records of schedules of rebalancing: what each portfolio's is, and what became of each time that it was due."""

from msgspec import to_builtins

from evenkeel.domain.rebalance_schedules import Mode, RunClosed, RunOpened, RunState, ScheduleSet
from evenkeel.storage.projections.unit import Place, Unit
from evenkeel.storage.tables.rebalancing import rebalance_runs, rebalance_schedules


def been_set(unit: Unit, place: Place, record: ScheduleSet) -> None:
    now = record.schedule
    row = {
        "portfolio_id": record.portfolio_id,
        "is_active": now is not None,
        "auto_rebalance": now is not None and now.mode is Mode.TRADE,
        "rebalance_frequency": None if now is None else now.timing.cadence.value,
        "schedule": None if now is None else to_builtins(now),
        "actor": record.provenance.actor,
        "updated_at": record.at,
    }
    unit.put(rebalance_schedules, (record.portfolio_id,), row)


def opened(unit: Unit, place: Place, record: RunOpened) -> None:
    run, waits = record.run, record.run.state is RunState.PROPOSED
    row = {
        "id": run.id,
        "portfolio_id": run.portfolio_id,
        "due": run.due,
        "at": record.at,
        "state": run.state.value,
        "reason": run.reason,
        "actor": record.provenance.actor,
        "expires_at": run.expires if waits else None,
        "ended_at": None if waits else record.at,
        "trades": [] if run.rebalance is None else to_builtins(run.rebalance.trades),
    }
    unit.put(rebalance_runs, (run.id,), row)


def closed(unit: Unit, place: Place, record: RunClosed) -> None:
    row = unit.get(rebalance_runs, record.id)
    row |= {"state": record.state.value, "reason": record.reason, "ended_at": record.at}
