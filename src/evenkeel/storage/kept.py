"""What the kept totals must hold, added up from the state: the other side of the doctor's comparison."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from evenkeel.domain.money import ZERO, add, neg
from evenkeel.trading.engine.state import AccountState, State

_FIGURES = ("quantity", "total_cost", "realised", "charges")
Rows = dict[Any, dict[str, Any]]


def totals_of(state: State) -> dict[tuple[str, str], dict[str, Decimal]]:
    """Positions by account and instrument, all books together."""
    sums: dict[Any, dict[str, Decimal]] = defaultdict(lambda: dict.fromkeys(_FIGURES, ZERO))
    for account in state.accounts.values():
        for key, position in account.positions.items():
            whole = sums[key.account_id, key.instrument_id]
            for name in _FIGURES:
                whole[name] = add(whole[name], getattr(position, name))
    return dict(sums)


def of_accounts(state: State) -> Rows:
    """The totals of every account, user and of the platform, by currency."""
    rows: Rows = defaultdict(_empty)
    for held in state.accounts.values():
        _count(rows, held)
    for (account_id, instrument_id), whole in totals_of(state).items():
        currency = state.instruments[instrument_id].currency
        moved: dict[str, Any] = {name: whole[name] for name in _FIGURES[1:]}
        _add(
            rows,
            state.accounts[account_id],
            currency=currency,
            moved=moved | {"positions": int(bool(whole["quantity"]))},
        )
    return dict(rows)


def _count(rows: Rows, held: AccountState) -> None:
    counts = {"accounts": 1, "active_accounts": int(not held.retired), "contributed": held.contributed}
    _add(rows, held, currency=held.account.currency, moved=counts)
    for currency, amount in held.cash.items():
        _add(rows, held, currency=currency, moved={"cash": amount})


def _add(rows: Rows, held: AccountState, *, currency: str, moved: dict[str, Any]) -> None:
    account = held.account
    for scope, name in (("account", account.id), ("user", account.user_id), ("platform", "")):
        row = rows[scope, name, currency]
        for figure, by in moved.items():
            row[figure] = add(row[figure], by) if isinstance(by, Decimal) else row[figure] + by


def _empty() -> dict[str, Any]:
    counts = dict.fromkeys(("accounts", "active_accounts", "positions"), 0)
    return counts | dict.fromkeys(("cash", "contributed", "total_cost", "realised", "charges"), ZERO)


def of_instruments(state: State) -> Rows:
    """The totals of every instrument over all accounts."""
    rows: Rows = defaultdict(lambda: {"positions": 0} | dict.fromkeys(_INSTRUMENT, ZERO))
    for (_, instrument_id), whole in totals_of(state).items():
        row, quantity = rows[instrument_id,], whole["quantity"]
        row["positions"] += int(bool(quantity))
        row["long_quantity"] = add(row["long_quantity"], max(ZERO, quantity))
        row["short_quantity"] = add(row["short_quantity"], max(ZERO, neg(quantity)))
        for name in _FIGURES[1:]:
            row[name] = add(row[name], whole[name])
    return dict(rows)


_INSTRUMENT = ("long_quantity", "short_quantity", "total_cost", "realised", "charges")
