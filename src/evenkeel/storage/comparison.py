"""Compares the stored projections with the fold of the journal up to the projections' own cursor, row by row."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from msgspec import to_builtins
from sqlalchemy import ColumnElement, Connection, RowMapping, Table, func, select

from evenkeel.domain.fills import Fill
from evenkeel.domain.money import ZERO, add, plain
from evenkeel.domain.orders import Order
from evenkeel.storage import kept, kept_portfolios
from evenkeel.storage.audit import Audit
from evenkeel.storage.projections.orders import kept_of
from evenkeel.storage.tables import accounts as a
from evenkeel.storage.tables import (
    composites,
    copying,
    mtm,
    portfolios,
    reference,
    strategies,
    system,
    totals,
    trading,
    walkforward,
)
from evenkeel.trading.engine.state import State

_COUNTED = (
    ("SignalRecorded", strategies.strategy_signals),
    ("AlertRaised", system.alerts),
    ("RunStarted", system.runs),
    ("DayClosed", a.performance_history),
    ("PortfolioDayClosed", portfolios.portfolio_performance),
    ("MtmRulesSet", mtm.mtm_rules),
    ("MtmBreached", mtm.mtm_breaches),
    ("CopyTaken", copying.copies),
)


def differences(connection: Connection, shard: str, state: State, audit: Audit) -> Iterator[str]:
    """In words, what each table holds otherwise than `state`, the fold up to the tables' cursor."""
    rows = _Rows(connection, shard)
    yield from rows.against(trading.orders, ("id",), {(o.id,): _order(o) for o in state.orders.values()})
    yield from rows.against(composites.composites, ("id",), _composites(state))
    yield from rows.against(copying.copy_links, ("id",), _copy_links(state))
    yield from rows.against(trading.fills, ("id",), {(f.id,): _fill(f) for f in state.fills.values()})
    yield from rows.against(trading.positions, _POSITION, _positions(state))
    yield from rows.against(trading.position_totals, ("account_id", "instrument_id"), _sums(state))
    yield from rows.against(a.balances, ("account_id", "currency"), _balances(state, audit))
    yield from rows.against(a.accounts, ("id",), _accounts(state))
    yield from rows.against(portfolios.portfolios, ("id",), kept_portfolios.of_portfolios(state))
    yield from rows.against(portfolios.book_balances, kept_portfolios.BOOK, dict(audit.books))
    open_books = portfolios.portfolio_books.c.until_seq.is_(None)
    owners = kept_portfolios.of_owners(state)
    yield from rows.against(portfolios.portfolio_books, kept_portfolios.MEMBERSHIP, owners, only=open_books)
    yield from rows.against(totals.kept_totals, ("scope", "id", "currency"), kept.of_accounts(state))
    yield from rows.against(totals.instrument_totals, ("instrument_id",), kept.of_instruments(state))
    yield from rows.against(totals.fx_rates, ("base", "quote", "date"), audit.rates)
    yield from rows.against(reference.instruments, ("id",), {(i.id,): {"symbol": i.symbol, "venue": i.venue,
                            "multiplier": i.multiplier} for i in state.instruments.values()})  # fmt: skip
    yield from rows.against(reference.splits, ("instrument_id", "ex_date"), {key: {} for key in state.splits_applied})
    yield from rows.against(strategies.strategies, ("id",), _strategies(state))
    yield from rows.against(walkforward.walkforward_sessions, ("id",), _sessions(state))
    yield from rows.against(system.feed_cursor, (), {} if state.cursor is None else {(): {"cursor": state.cursor}})
    yield from _ledger(rows, audit)
    for record, table in _COUNTED:
        if (stored := rows.count(table)) != audit.counts[record]:
            yield f"{table.name} holds {stored} rows, the journal gives {audit.counts[record]}"


class _Rows:
    def __init__(self, connection: Connection, shard: str) -> None:
        self._connection = connection
        self._shard = shard

    def each(
        self, table: Table, names: Iterable[str], *, only: ColumnElement[bool] | None = None
    ) -> Iterator[RowMapping]:
        query = select(*(table.c[name] for name in names)).where(table.c.shard == self._shard)
        query = query if only is None else query.where(only)
        return iter(self._connection.execution_options(yield_per=1000).execute(query).mappings())

    def count(self, table: Table) -> int:
        query = select(func.count()).select_from(table).where(table.c.shard == self._shard)
        return int(self._connection.execute(query).scalar_one())

    def against(
        self,
        table: Table,
        key: tuple[str, ...],
        expected: dict[Any, dict[str, Any]],
        *,
        only: ColumnElement[bool] | None = None,
    ) -> Iterator[str]:
        """Takes `expected` apart as its rows are found; what is left is missing."""
        names = next(iter(expected.values()), {})
        for row in self.each(table, ["shard", *key, *names], only=only):
            where = f"{table.name} {'/'.join(str(row[name]) for name in key)}".rstrip()
            due = expected.pop(tuple(row[name] for name in key), None)
            if due is None:
                yield f"{where}: the journal knows no such row"
                continue
            for name, value in due.items():
                if row[name] != value:
                    yield f"{where}: {name} is {row[name]}, the journal gives {value}"
        for missing in expected:
            yield f"{table.name} {'/'.join(map(str, missing))}: the row is missing".replace("  ", " ")


def _order(order: Order) -> dict[str, Any]:
    spec = order.spec
    return {
        "account_id": spec.account_id,
        "book": spec.book,
        "instrument_id": spec.instrument_id,
        "side": spec.side,
        "kind": spec.kind,
        "product": spec.product,
        "time_in_force": spec.time_in_force,
        "link": spec.link,
        "parent": spec.parent,
        "leg": spec.leg,
        "since": order.since,
        "client_order_id": spec.client_order_id,
        "asked_quantity": spec.quantity,
        "asked_limit_price": spec.limit_price,
        "asked_stop_price": spec.stop_price,
        **{name: getattr(order, name) for name in _ORDER},
        "is_open": order.is_open,
        "trigger_price": None if spec.trigger is None else spec.trigger.price,
        "trail": None if spec.trail is None else to_builtins(spec.trail),
        "expires_at": spec.expires_at,
        "not_before": spec.not_before,
        "kept": kept_of(order.kept),
    }


_ORDER = (
    "venue_client_id", "venue_order_id", "state", "session_date", "created_at", "updated_at", "quantity", "limit_price",
    "stop_price", "filled", "notional", "reason", "rule", "limit", "value", "layer", "source", "send_by", "triggered",
    "has_venue_event",
)  # fmt: skip
_FILL = (
    "order_id", "account_id", "book", "instrument_id", "side", "quantity", "price", "currency", "executed_at",
    "session_date", "venue_execution_id", "reverses", "synthetic",
)  # fmt: skip
_POSITION = ("account_id", "book", "instrument_id", "product", "side")
_FIGURES = ("quantity", "total_cost", "realised", "charges")


def _fill(fill: Fill) -> dict[str, Any]:
    return {name: getattr(fill, name) for name in _FILL}


def _positions(state: State) -> dict[Any, dict[str, Any]]:
    return {
        (key.account_id, key.book, key.instrument_id, key.product, key.side or ""): {
            name: getattr(position, name) for name in _FIGURES
        }
        for account in state.accounts.values()
        for key, position in account.positions.items()
    }


def _sums(state: State) -> dict[Any, dict[str, Any]]:
    return {key: dict(whole) for key, whole in kept.totals_of(state).items()}


def _balances(state: State, audit: Audit) -> dict[Any, dict[str, Any]]:
    return {
        (account.account.id, currency): {
            "amount": amount,
            "entries": audit.entries[account.account.id, currency],
        }
        for account in state.accounts.values()
        for currency, amount in account.cash.items()
    }


def _accounts(state: State) -> dict[Any, dict[str, Any]]:
    return {
        (held.account.id,): {
            "user_id": held.account.user_id,
            "account_name": held.account.name,
            "is_active": not held.retired,
            "mode": held.account.mode,
            "is_live": held.custody is not None and not held.is_off,
            "custody": held.custody,
            "currency": held.account.currency,
            "readiness": held.readiness,
            "readiness_reason": held.readiness_reason,
            "limits_version": held.limits_version,
            "contributed": held.contributed,
            "current_balance": held.cash_in(held.account.currency),
        }
        for held in state.accounts.values()
    }


def _strategies(state: State) -> dict[Any, dict[str, Any]]:
    return {
        (held.deployment.id,): {
            "name": held.deployment.name,
            "template": held.deployment.template,
            "parameter_hash": held.deployment.parameter_hash,
            "enabled": held.deployment.enabled,
            "paused": held.deployment.paused,
            "configuration": held.deployment.configuration,
            "removed": held.deployment.removed,
            "orders": held.orders,
            "fills": held.fills,
            "refusals": held.refusals,
        }
        for held in state.deployments.values()
    }


def _sessions(state: State) -> dict[Any, dict[str, Any]]:
    return {
        (held.session.id,): {
            "name": held.session.name,
            "account_id": held.session.account_id,
            "status": held.status,
            "closing": held.closing,
            "capital": held.session.capital,
            "started_at": held.started_at or None,
            "stopped_at": held.stopped_at or None,
            "completed_at": held.completed_at or None,
            "final_equity": held.figures.equity if held.figures else None,
        }
        for held in state.walkforwards.values()
    }


def _copy_links(state: State) -> dict[Any, dict[str, Any]]:
    names = ("master_id", "follower_id", "mode", "proposed_by", "accepted", "paused", "removed")
    return {(one.link.id,): {name: getattr(one.link, name) for name in names} for one in state.copying.links.values()}


def _composites(state: State) -> dict[Any, dict[str, Any]]:
    return {
        (one.id,): {
            "client_order_id": one.client_order_id,
            "account_id": one.account_id,
            "state": one.state,
            "reason": one.reason,
            "quantity": one.lead.quantity,
            "filled": {leg: plain(quantity) for leg, quantity in one.filled.items()},
            "created_at": one.created_at,
            "ended_at": one.ended_at or None,
        }
        for one in state.composites.each()
    }


def _ledger(rows: _Rows, audit: Audit) -> Iterator[str]:
    """The stored ledger adds up, entry by entry, to what the journal books."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    for row in rows.each(a.ledger_entries, ("account_id", "currency", "amount")):
        key = (row["account_id"], row["currency"])
        sums[key] = add(sums[key], row["amount"])
    for key in sorted(sums.keys() | audit.cash.keys()):
        stored, due = sums.get(key, ZERO), audit.cash.get(key, ZERO)
        if stored != due:
            yield f"ledger_entries of {key[0]} add up to {stored} {key[1]}, the journal gives {due}"
    if (count := rows.count(a.ledger_entries)) != audit.entries.total():
        yield f"ledger_entries holds {count} rows, the journal gives {audit.entries.total()}"
