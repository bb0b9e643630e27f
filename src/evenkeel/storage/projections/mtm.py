"""Records of mark-to-market control: what set the rules of levels, and what breached them."""

from msgspec import to_builtins

from evenkeel.domain import mtm_records as m
from evenkeel.domain.panics import Scope, ScopeKind
from evenkeel.storage.projections.unit import Place, Unit
from evenkeel.storage.projections.writing import Row
from evenkeel.storage.tables.mtm import mtm_breaches, mtm_rules


def rules_set(unit: Unit, place: Place, record: m.MtmRulesSet) -> None:
    row = {
        "seq": place.seq,
        "version": record.version,
        "at": record.at,
        "rules": to_builtins(record.rules, str_keys=True),
        "currency": record.currency,
        "equity": record.equity,
        "actor": record.provenance.actor,
        "source": record.provenance.source.value,
    }
    unit.add(mtm_rules, row | _scope(record.scope))


def breached(unit: Unit, place: Place, record: m.MtmBreached) -> None:
    row = {
        "id": record.id,
        "at": record.at,
        "rule": record.rule.value,
        "threshold": record.limit,
        "value": record.value,
        "peak": record.peak,
        "equity": record.equity,
        "currency": record.currency,
        "action": record.action.value,
        "version": record.version,
        "seq": place.seq,
    }
    unit.add(mtm_breaches, row | _scope(record.scope))


def _scope(scope: Scope) -> Row:
    """A scope by its parts, with its key."""
    is_account = scope.kind is ScopeKind.ACCOUNT
    return {
        "scope": scope.key,
        "account_id": (scope.id if is_account else scope.account_id) or None,
        "deployment_id": scope.id if scope.kind is ScopeKind.STRATEGY else None,
        "instrument_id": scope.instrument_id or None,
    }


def moved(
    unit: Unit, place: Place, record: m.MtmBased | m.MtmPeak | m.MtmStopped | m.MtmPlanned | m.SessionsListed
) -> None:
    """Has no table: where a level counts from and what is due is live state, and alerts tell its history."""
