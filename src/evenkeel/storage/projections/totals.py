"""Totals kept as rows: of each account, each user and the platform by currency, and of each instrument over all.

They move by the difference that a record makes, so that nothing is ever added up anew.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from evenkeel.domain.account_records import FxRatesSet
from evenkeel.domain.money import ZERO, add, neg, sub
from evenkeel.storage.projections.unit import Place, Unit
from evenkeel.storage.projections.writing import Row
from evenkeel.storage.tables.accounts import accounts
from evenkeel.storage.tables.totals import fx_rates, instrument_totals, kept_totals

MONEY = ("cash", "contributed", "total_cost", "realised", "charges")
_COUNTS = ("accounts", "active_accounts", "positions")
_FIGURES = ("total_cost", "realised", "charges")


def opened(unit: Unit, account: Row, *, at: int) -> None:
    """Counts a new account, in use."""
    _move(unit, account, currency=account["currency"], moved={"accounts": 1, "active_accounts": 1}, at=at)


def switched(unit: Unit, account: Row, *, active: bool, at: int) -> None:
    """Counts an account out, or in again."""
    if account["is_active"] is not active:
        _move(unit, account, currency=account["currency"], moved={"active_accounts": 1 if active else -1}, at=at)


def paid(unit: Unit, account: Row, *, currency: str, amount: Decimal, outside: Decimal, at: int) -> None:
    """Takes a movement of cash; `outside` is what of it came from, or went to, outside."""
    _move(unit, account, currency=currency, moved={"cash": amount, "contributed": outside}, at=at)


def held(unit: Unit, total: Row, *, before: Mapping[str, Decimal], at: int) -> None:
    """Takes what an account's position in an instrument, all books together, has become."""
    moved: dict[str, Any] = {name: sub(total[name], before[name]) for name in _FIGURES}
    moved["positions"] = bool(total["quantity"]) - bool(before["quantity"])
    _move(unit, unit.get(accounts, total["account_id"]), currency=total["currency"], moved=moved, at=at)
    row = unit.find_or(instrument_totals, (total["instrument_id"],), lambda: _empty_instrument(total))
    moved["long_quantity"] = sub(max(ZERO, total["quantity"]), max(ZERO, before["quantity"]))
    moved["short_quantity"] = sub(max(ZERO, neg(total["quantity"])), max(ZERO, neg(before["quantity"])))
    _add(row, moved, at=at)


def _move(unit: Unit, account: Row, *, currency: str, moved: Mapping[str, Any], at: int) -> None:
    for row in _rows(unit, account, currency=currency):
        _add(row, moved, at=at)


def _rows(unit: Unit, account: Row, *, currency: str) -> Iterator[Row]:
    for scope, name in (("account", account["id"]), ("user", account["user_id"]), ("platform", "")):
        key = (scope, name, currency)
        yield unit.find_or(kept_totals, key, partial(_empty, key))


def _add(row: Row, moved: Mapping[str, Any], *, at: int) -> None:
    for name, by in moved.items():
        row[name] = add(row[name], by) if isinstance(by, Decimal) else row[name] + by
    row["updated_at"] = at


def _empty(key: tuple[str, str, str]) -> Row:
    scope, name, currency = key
    counts = dict.fromkeys(_COUNTS, 0)
    return {"scope": scope, "id": name, "currency": currency, **counts, **dict.fromkeys(MONEY, ZERO), "updated_at": 0}


def _empty_instrument(total: Row) -> Row:
    amounts = dict.fromkeys(("long_quantity", "short_quantity", *_FIGURES), ZERO)
    about = {"instrument_id": total["instrument_id"], "currency": total["currency"]}
    return {**about, "positions": 0, **amounts, "updated_at": 0}


def rates_set(unit: Unit, place: Place, record: FxRatesSet) -> None:
    """Every rate by its day; a later word on the same day takes the place of the earlier one."""
    for one in record.rates:
        row = {"base": one.base, "quote": one.quote, "date": one.day, "rate": one.rate, "source": one.source.value}
        row |= {"actor": record.provenance.actor, "at": record.at}
        unit.put(fx_rates, (one.base, one.quote, one.day), row)
