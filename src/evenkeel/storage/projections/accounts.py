"""Records of accounts: opening, limits, readiness, cash, and the end of a day with its returns."""

from datetime import date
from decimal import Decimal

from msgspec import to_builtins

from evenkeel.domain import records as r
from evenkeel.domain.account_records import AccountRenamed, AccountSwitched
from evenkeel.domain.accounts import Account, Limits, Readiness
from evenkeel.domain.live import LiveSwitched
from evenkeel.domain.money import ZERO, add, ratio, sub
from evenkeel.domain.provenance import Provenance
from evenkeel.storage.projections import totals
from evenkeel.storage.projections.money import book_entries
from evenkeel.storage.projections.unit import Place, Unit
from evenkeel.storage.projections.writing import Row
from evenkeel.storage.tables.accounts import account_limits, accounts, daily_marks, performance_history


def account_opened(unit: Unit, place: Place, record: r.AccountOpened) -> None:
    account = record.account
    totals.opened(unit, unit.put(accounts, (account.id,), _account_row(account, record.at)), at=record.at)
    _add_limits(unit, account.id, account.limits, version=0, at=record.at, provenance=record.provenance)


def _account_row(account: Account, at: int) -> Row:
    return {
        "id": account.id,
        "user_id": account.user_id,
        "account_name": account.name,
        "broker": account.broker,
        "account_number": account.number,
        "account_type": account.type.value,
        "currency": account.currency,
        "mode": account.mode.value,
        "is_paper": account.is_simulated,
        "is_active": True,
        "is_live": False,
        "custody": None,
        "is_master": False,
        "costs": account.costs,
        "financing": to_builtins(account.financing),
        "terms": to_builtins(account.terms),
        "time_zone": account.time_zone,
        "roll": account.roll.isoformat(),
        "readiness": Readiness.NOT_READY.value,
        "readiness_reason": None,
        "reconciled_at": None,
        "limits_version": 0,
        "initial_balance": ZERO,
        "current_balance": ZERO,
        "contributed": ZERO,
        "opened_at": at,
        "updated_at": at,
    }


def switched(unit: Unit, place: Place, record: AccountSwitched) -> None:
    account = unit.get(accounts, record.account_id)
    totals.switched(unit, account, active=record.active, at=record.at)
    account["is_active"], account["updated_at"] = record.active, record.at


def renamed(unit: Unit, place: Place, record: AccountRenamed) -> None:
    account = unit.get(accounts, record.account_id)
    account["account_name"], account["updated_at"] = record.name, record.at


def live_switched(unit: Unit, place: Place, record: LiveSwitched) -> None:
    account = unit.get(accounts, record.account_id)
    account["is_live"], account["custody"], account["updated_at"] = record.on, record.custody.value, record.at


def limits_changed(unit: Unit, place: Place, record: r.LimitsChanged) -> None:
    account = unit.get(accounts, record.account_id)
    account["limits_version"], account["updated_at"] = record.version, record.at
    _add_limits(
        unit, record.account_id, record.limits, version=record.version, at=record.at, provenance=record.provenance
    )


def _add_limits(unit: Unit, account_id: str, limits: Limits, *, version: int, at: int, provenance: Provenance) -> None:
    unit.put(
        account_limits,
        (account_id, version),
        {
            "account_id": account_id,
            "version": version,
            "valid_from": at,
            "max_position_share": limits.max_position_share,
            "daily_loss": limits.daily_loss,
            "max_trades_per_day": limits.max_trades_per_day,
            "allow_short": limits.allow_short,
            "cash_check": limits.cash_check,
            "limits": to_builtins(limits),
            "actor": provenance.actor,
            "source": provenance.source.value,
        },
    )


def run_started(unit: Unit) -> None:
    """No account is ready after a start, until it has been reconciled."""
    for account in unit.each(accounts):
        account["readiness"] = Readiness.NOT_READY.value
        account["readiness_reason"] = "not reconciled since the start"


def readiness_changed(unit: Unit, place: Place, record: r.ReadinessChanged) -> None:
    account = unit.get(accounts, record.account_id)
    account["readiness"], account["readiness_reason"] = record.readiness.value, record.reason
    account["updated_at"] = record.at


def account_reconciled(unit: Unit, place: Place, record: r.AccountReconciled) -> None:
    account = unit.get(accounts, record.account_id)
    account["reconciled_at"] = account["updated_at"] = record.at
    if account["readiness"] != Readiness.BLOCKED:
        account["readiness"], account["readiness_reason"] = Readiness.READY.value, None


def cash_booked(unit: Unit, place: Place, record: r.CashBooked | r.DividendPaid | r.NightsCharged) -> None:
    book_entries(unit, place, record.entries, at=record.at)


def day_closed(unit: Unit, place: Place, record: r.DayClosed) -> None:
    account = unit.get(accounts, record.account_id)
    before = unit.newest(performance_history, "account_id", record.account_id)
    unit.add(performance_history, _performance(record, account["contributed"], before))
    for instrument_id, price in record.marks.items():
        _mark(unit, record, "mark", instrument_id, price)
    for currency, rate in record.fx.items():
        _mark(unit, record, "fx", currency, rate)


def _performance(record: r.DayClosed, contributed: Decimal, before: Row | None) -> Row:
    """The day's row, its returns time-weighted."""
    until = 1.0 + (before["cumulative_return"] if before else 0.0)
    index = until * _gained(record, contributed, before) if record.growth is None else record.growth
    drawdown = _fallen(index, until, before) if record.drawdown is None else record.drawdown
    return {
        "id": record.id,
        "account_id": record.account_id,
        "date": record.session_date,
        "at": record.at,
        "total_value": record.equity,
        "cash_value": record.cash,
        "positions_value": sub(record.equity, record.cash),
        "contributed": contributed,
        "daily_return": index / until - 1.0 if until else 0.0,
        "cumulative_return": index - 1.0,
        "drawdown": drawdown,
        "max_drawdown": max(drawdown, before["max_drawdown"] if before else 0.0),
        "num_positions": len(record.marks),
    }


def _gained(record: r.DayClosed, contributed: Decimal, before: Row | None) -> float:
    """The growth of a day where its record does not say: what was paid in counts as there from the day's start."""
    start = add(before["total_value"] if before else ZERO, sub(contributed, before["contributed"] if before else ZERO))
    return float(ratio(record.equity, start)) if start > 0 else 1.0


def _fallen(index: float, until: float, before: Row | None) -> float:
    """The fall from the highest close; where everything was lost before, it stays so."""
    if not until:
        return 1.0
    return 1.0 - index / max(index, until / (1.0 - before["drawdown"]) if before else 1.0)


def _mark(unit: Unit, record: r.DayClosed, kind: str, name: str, value: Decimal) -> None:
    day: date = record.session_date
    unit.put(
        daily_marks,
        (record.account_id, day, kind, name),
        {
            "account_id": record.account_id,
            "session_date": day,
            "kind": kind,
            "name": name,
            "value": value,
            "at": record.at,
        },
    )
