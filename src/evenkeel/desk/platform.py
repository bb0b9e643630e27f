"""The whole installation in figures, for whoever keeps it: sums over all accounts, from totals that are kept as rows.

Nothing of it is one person's. Market values are the last prices times what all accounts together hold of an instrument.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Protocol

from msgspec import Struct

from evenkeel.desk.consolidated import Figures
from evenkeel.domain.money import ZERO, add, mul, neg, sub
from evenkeel.trading.engine.state import State


class PlatformTotal(Protocol):
    """The platform's total in one currency, as it is kept."""

    @property
    def currency(self) -> str: ...

    @property
    def accounts(self) -> int: ...

    @property
    def active_accounts(self) -> int: ...

    @property
    def positions(self) -> int: ...

    @property
    def cash(self) -> Decimal: ...

    @property
    def contributed(self) -> Decimal: ...

    @property
    def realised(self) -> Decimal: ...

    @property
    def charges(self) -> Decimal: ...


class InstrumentSum(Protocol):
    """What all accounts hold of an instrument, as it is kept."""

    @property
    def instrument_id(self) -> str: ...

    @property
    def currency(self) -> str: ...

    @property
    def positions(self) -> int: ...

    @property
    def long_quantity(self) -> Decimal: ...

    @property
    def short_quantity(self) -> Decimal: ...

    @property
    def total_cost(self) -> Decimal: ...


class PlatformFigures(Struct):
    """By currency: figures, and how many accounts are in use. `unpriced` instruments are valued at what they cost."""

    by_currency: dict[str, Figures]
    active: dict[str, int]
    unpriced: int = 0


def platform(state: State, totals: Iterable[PlatformTotal], *, instruments: Iterable[InstrumentSum]) -> PlatformFigures:
    """The sums of all accounts, valued at the last prices. There is no day's result: every account has a day of its
    own, and the totals keep none of them."""
    found = PlatformFigures({}, {})
    for one in totals:
        found.active[one.currency] = one.active_accounts
        found.by_currency[one.currency] = Figures(
            cash=one.cash,
            contributed=one.contributed,
            day_pnl=None,
            realised=sub(one.realised, one.charges),
            accounts=one.accounts,
            positions=one.positions,
        )
    for each in instruments:
        if each.positions or each.total_cost:  # what an account's books hold against each other has cost something, too
            _value(state, found, one=each)
    for figures in found.by_currency.values():
        figures.equity = add(figures.cash, figures.net)
    return found


def _value(state: State, found: PlatformFigures, *, one: InstrumentSum) -> None:
    figures = found.by_currency.setdefault(one.currency, Figures(day_pnl=None))
    mark = state.mark(one.instrument_id)
    if mark is None:
        found.unpriced += 1
        figures.long = add(figures.long, max(ZERO, one.total_cost))
        figures.short = add(figures.short, max(ZERO, neg(one.total_cost)))
        return
    each = mul(mark, state.instruments[one.instrument_id].multiplier)
    long, short = mul(one.long_quantity, each), mul(one.short_quantity, each)
    figures.long, figures.short = add(figures.long, long), add(figures.short, short)
    figures.unrealised = add(figures.unrealised, sub(sub(long, short), one.total_cost))
