"""Records of everything else: instruments, strategies, signals, alerts, runs and the feed's cursor."""

from math import isfinite

from msgspec import structs, to_builtins

from evenkeel.domain import records as r
from evenkeel.domain.followups import FollowUpDone, FollowUpSet
from evenkeel.storage.projections import accounts
from evenkeel.storage.projections.orders import measured
from evenkeel.storage.projections.unit import Place, Unit
from evenkeel.storage.tables.reference import instruments, symbol_aliases
from evenkeel.storage.tables.strategies import strategies, strategy_signals
from evenkeel.storage.tables.system import alerts, feed_cursor, runs

_RULES = ("sizing", "rules", "switch", "entry", "protection")


def run_started(unit: Unit, place: Place, record: r.RunStarted) -> None:
    unit.add(
        runs,
        {"seq": place.seq, "run": record.run, "version": record.version, "at": record.at, "wall": record.wall},
    )
    accounts.run_started(unit)


def instrument_listed(unit: Unit, place: Place, record: r.InstrumentListed) -> None:
    listed = record.instrument
    row = structs.asdict(listed) | {
        "asset_class": listed.asset_class.value,
        "right": listed.right.value if listed.right else None,
        "listed_at": record.at,
    }
    unit.put(instruments, (listed.id,), row)
    for alias in record.aliases:
        key = (alias.source, alias.symbol, alias.valid_from, alias.instrument_id)
        unit.put(symbol_aliases, key, structs.asdict(alias))


def deployment_changed(unit: Unit, place: Place, record: r.DeploymentChanged) -> None:
    deployment = record.deployment
    row = unit.find_or(
        strategies,
        (deployment.id,),
        lambda: {
            "id": deployment.id,
            "orders": 0,
            "fills": 0,
            "refusals": 0,
            "actor": record.provenance.actor,
            "created_at": record.at,
        },
    )
    row |= {
        "name": deployment.name,
        "template": deployment.template,
        "version": deployment.version,
        "parameters": to_builtins(deployment.parameters),
        "parameter_hash": deployment.parameter_hash,
        "instrument_ids": list(deployment.instrument_ids),
        "allocations": [{"account_id": part.account_id, "share": str(part.share)} for part in deployment.accounts],
        "timeframe": deployment.timeframe,
        "enabled": deployment.enabled,
        "paused": deployment.paused,
        "configuration": deployment.configuration,
        **{name: to_builtins(getattr(deployment, name)) for name in _RULES},
        "removed": deployment.removed,
        "updated_at": record.at,
    }


def signal_recorded(unit: Unit, place: Place, record: r.SignalRecorded) -> None:
    unit.add(
        strategy_signals,
        {
            "id": record.id,
            "deployment_id": record.deployment_id,
            "instrument_id": record.instrument_id,
            "at": record.at,
            "target": measured(record.target),
            "folded": record.folded,
            "action": record.action.value,
            "confidence": record.confidence,
            "details": {name: _storable(value) for name, value in record.details.items()},
            "seq": place.seq,
        },
    )


def _storable(value: float | str) -> float | str:
    """JSON has no NaN and no infinity; such a value is kept as its name."""
    return str(value) if isinstance(value, float) and not isfinite(value) else value


def alert_raised(unit: Unit, place: Place, record: r.AlertRaised) -> None:
    unit.add(alerts, structs.asdict(record) | {"seq": place.seq})


def cursor_moved(unit: Unit, place: Place, record: r.CursorMoved) -> None:
    unit.put(feed_cursor, (), {"cursor": record.cursor, "updated_at": record.at})


def routed(unit: Unit, place: Place, record: r.RouteSet | r.RouteRemoved | r.OrderRouted) -> None:
    """Routes, and why orders went where they went, are told by the API; the orders themselves have their rows."""


def follow_up(unit: Unit, place: Place, record: FollowUpSet | FollowUpDone) -> None:
    """Has no table: what waits is live state, and the orders that come of it have rows of their own."""


def panic(unit: Unit, place: Place, record: r.PanicStarted | r.PanicMoved | r.PanicEnded) -> None:
    """Has no table: what is halted is live state, and the alerts that come with it tell its history."""
