"""What accounts have made, by instrument, strategy, account or user: rows that add up to the accounts, digit for digit.

Average cost is what positions are kept at. First in, first out is worked out from the fills as they were booked when it
is first asked for, and kept up with from then on.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, Struct

from evenkeel.desk.accounts import AccountDirectory
from evenkeel.desk.booked import Booked
from evenkeel.domain.fills import Fill
from evenkeel.domain.lots import Lots, Trade
from evenkeel.domain.money import ZERO, add, plain, sub
from evenkeel.domain.positions import PositionKey
from evenkeel.domain.records import PositionCorrected, SplitApplied
from evenkeel.server.account_scope import AccountsFilter, chosen
from evenkeel.server.requests import Name, Reference
from evenkeel.server.schemas import Amount
from evenkeel.server.scope import Tenant
from evenkeel.server.views import strategy_name
from evenkeel.trading.engine.state import AccountState, State

By = Literal["instrument", "strategy", "account", "group", "user"]
Cost = Literal["average", "fifo"]


class PnlQuery(Struct, forbid_unknown_fields=True):
    """`cost` says which purchase a sale closes: a share of all of them, or the oldest. By group, an account has a part
    in the row of every group it is in; `group` narrows the accounts to those of one group, by name or id."""

    by: By = "instrument"
    cost: Cost = "average"
    account_id: Reference | None = None
    group: Name | None = None


class PnlOut(Struct):
    """One row. `realised` is before `charges`; `other` is what no trade has made: dividends, interest, fees by hand and
    corrections. `total` is realised + unrealised - charges + other. Without an instrument, `id` is null."""

    id: str | None
    name: str
    currency: str
    realised: Amount
    unrealised: Amount
    charges: Amount
    other: Amount
    total: Amount


_Currency = Annotated[list[PnlOut], Meta(description="One row a currency.")]


class PnlReport(Struct):
    """Rows, and their sums by currency, each of which is equity less what was paid in."""

    by: By
    cost: Cost
    items: list[PnlOut]
    totals: _Currency


class _Sum(Struct):
    realised: Decimal = ZERO
    unrealised: Decimal = ZERO
    charges: Decimal = ZERO
    other: Decimal = ZERO

    def take(self, more: _Sum) -> None:
        for name in self.__struct_fields__:
            setattr(self, name, add(getattr(self, name), getattr(more, name)))

    @property
    def total(self) -> Decimal:
        return add(sub(add(self.realised, self.unrealised), self.charges), self.other)


class Fifo(Booked):
    """Lots of every position, from the fills and restatements that a state has seen so far."""

    def __init__(self) -> None:
        super().__init__()
        self.begin()

    def begin(self) -> None:
        self.lots: dict[PositionKey, Lots] = {}

    def _of(self, key: PositionKey) -> Lots:
        return self.lots.setdefault(key, Lots())

    def traded(self, state: State, key: PositionKey, fill: Fill) -> None:
        multiplier = state.instruments[fill.instrument_id].multiplier
        self._of(key).trade(Trade(fill.signed, fill.price), multiplier, undoes=fill.reverses is not None)

    def corrected(self, state: State, record: PositionCorrected) -> None:
        multiplier = state.instruments[record.key.instrument_id].multiplier
        self._of(record.key).trade(Trade(record.quantity, record.price), multiplier)

    def split(self, state: State, record: SplitApplied) -> None:
        change = record.split
        for part in record.positions:
            lots = self._of(part.key)
            lots.split(change.numerator, change.denominator, quantity=part.quantity, cash=part.cash_in_lieu)


def report(seen: Tenant, directory: AccountDirectory, query: PnlQuery, *, fifo: Fifo | None) -> PnlReport:
    """The rows of one user's accounts; with `fifo`, at first in, first out. Raises NotFound."""
    accounts = chosen(seen, directory, wanted=AccountsFilter(query.group, account_id=query.account_id))
    sums: dict[tuple[str | None, str], _Sum] = {}
    wholes: dict[str, _Sum] = {}
    for account in accounts:
        currency = account.account.currency
        for book, instrument_id, part in _parts(seen.state, account, fifo=fifo):
            for row in _rows(seen, directory, query.by, account=account, book=book, instrument_id=instrument_id):
                sums.setdefault((row, currency), _Sum()).take(part)
            wholes.setdefault(currency, _Sum()).take(part)
    items = [
        _shown(row, _name(seen, directory, query.by, row=row), currency=currency, part=part)
        for (row, currency), part in sums.items()
    ]
    totals = [_shown(None, "total", currency=currency, part=whole) for currency, whole in wholes.items()]
    return PnlReport(query.by, query.cost, sorted(items, key=lambda one: (one.name, one.currency)), totals)


def _parts(state: State, account: AccountState, *, fifo: Fifo | None) -> Iterator[tuple[str, str, _Sum]]:
    """(book, instrument or "", what was made) of everything that has changed what the account is worth."""
    for key, position in account.positions.items():
        realised, unrealised = position.realised, state.unrealised(position)
        if fifo is not None:
            lots = fifo.lots.get(key) or Lots()
            unrealised = sub(add(unrealised, position.total_cost), lots.cost)
            realised = lots.realised
        yield key.book, key.instrument_id, _Sum(realised, unrealised, position.charges)
    for (book, instrument_id), amount in account.earned.items():
        yield book, instrument_id, _Sum(other=amount)


def _rows(
    seen: Tenant, directory: AccountDirectory, by: By, *, account: AccountState, book: str, instrument_id: str
) -> tuple[str | None, ...]:
    """The ids of the rows that a part of an account's result goes to."""
    match by:
        case "instrument":
            return (instrument_id or None,)
        case "strategy":
            return (book,)
        case "account":
            return (account.account.id,)
        case "group":
            mine = directory.groups_of(account.account.id)
            return tuple(one.id for one in mine if one.user_id == seen.user.id) or (None,)
        case "user":
            return (account.account.user_id,)


def _name(seen: Tenant, directory: AccountDirectory, by: By, *, row: str | None) -> str:
    match by:
        case "group":
            return "no group" if row is None else directory.group(seen.user.id, row).name
        case "instrument":
            return "no instrument" if row is None else seen.state.instruments[row].symbol
        case "strategy":
            own = seen.state.portfolios.get(row or "")
            return strategy_name(seen.state, row or "") or (own.portfolio.name if own is not None else str(row))
        case "account":
            return seen.state.accounts[row or ""].account.name
        case "user":
            return seen.user.username if row == seen.user.id else str(row)


def _shown(row: str | None, name: str, *, currency: str, part: _Sum) -> PnlOut:
    figures = (part.realised, part.unrealised, part.charges, part.other, part.total)
    return PnlOut(row, name, currency, *(plain(figure) if figure else "0" for figure in figures))
