"""Records of walk-forward sessions, as rows that say where each stands."""

from evenkeel.domain.walkforward import SessionCompleted, SessionMoved, SessionOpened, SessionStatus
from evenkeel.storage.projections.unit import Place, Unit
from evenkeel.storage.tables.walkforward import walkforward_sessions

_LATER = ("started_at", "stopped_at", "completed_at", "final_equity", "final_cash", "growth", "orders", "fills",
          "charges")  # fmt: skip


def opened(unit: Unit, place: Place, record: SessionOpened) -> None:
    session = record.session
    row = {
        "id": session.id,
        "name": session.name,
        "user_id": session.user_id,
        "account_id": session.account_id,
        "status": SessionStatus.STOPPED.value,
        "closing": False,
        "reason": "",
        "capital": session.capital,
        "costs": session.costs,
        "brokerage_rate": session.brokerage_rate,
        "actor": record.provenance.actor,
        "opened_at": record.at,
    }
    unit.put(walkforward_sessions, (session.id,), row | dict.fromkeys(_LATER))


def moved(unit: Unit, place: Place, record: SessionMoved) -> None:
    row = unit.get(walkforward_sessions, record.session_id)
    before, now = row["status"], record.status.value
    if now != before:
        if record.status is SessionStatus.RUNNING:
            row["started_at"], row["stopped_at"] = row["started_at"] or record.at, None
        elif before == SessionStatus.RUNNING:
            row["stopped_at"] = record.at
    row["status"], row["closing"], row["reason"] = now, record.close, record.reason


def completed(unit: Unit, place: Place, record: SessionCompleted) -> None:
    row, figures = unit.get(walkforward_sessions, record.session_id), record.figures
    row |= {
        "status": SessionStatus.COMPLETED.value,
        "closing": False,
        "completed_at": record.at,
        "stopped_at": row["stopped_at"] or record.at,
        "final_equity": figures.equity,
        "final_cash": figures.cash,
        "growth": figures.growth,
        "orders": figures.orders,
        "fills": figures.fills,
        "charges": figures.charges,
    }
