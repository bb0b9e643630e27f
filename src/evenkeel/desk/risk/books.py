"""What a scope holds, by currency: positions netted by instrument, valued as accounts are, and the capital behind them.

Currencies are kept apart, since no rate between them is recorded. Of a strategy the capital is what it is allotted of
the accounts it trades; of accounts, their equity.
"""

from collections.abc import Iterable
from decimal import Decimal

import numpy as np
from msgspec import Struct

from evenkeel.domain.instruments import Instrument
from evenkeel.domain.money import ZERO, add, mul, neg
from evenkeel.domain.positions import Position
from evenkeel.quant.analytics.series import Floats
from evenkeel.quant.risk import Exposure, exposure
from evenkeel.trading.engine.portfolios.worth import worth_of
from evenkeel.trading.engine.state import AccountState, State


class Holding(Struct, frozen=True):
    """One instrument, all of the scope's accounts together; `last` is (time, last price), None before the first."""

    instrument: Instrument
    quantity: Decimal
    value: Decimal
    last: tuple[int, float] | None


class Book(Struct, frozen=True):
    """What is held in one currency. `exposure` counts each account's position by its own side: a long in one account
    and a short in another are both exposed, though their prices cancel out in `holdings`."""

    currency: str
    accounts: tuple[str, ...]
    capital: Decimal
    exposure: Exposure
    holdings: tuple[Holding, ...]

    @property
    def values(self) -> Floats:
        """(k,): signed value of each holding."""
        return np.array([float(one.value) for one in self.holdings], dtype=np.float64)


def books_of(state: State, accounts: Iterable[AccountState]) -> list[Book]:
    """What these accounts hold, one book for each of their currencies."""
    parts = [(held, list(held.positions.values()), state.equity(held)) for held in accounts]
    return _by_currency(state, parts)


def books_of_strategy(state: State, deployment_id: str) -> list[Book]:
    """What one deployment holds in the accounts that it trades. Raises NotFound."""
    parts = []
    shares = {one.account_id: one.share for one in state.deployment(deployment_id).deployment.accounts}
    for held in state.accounts.values():
        positions = [one for key, one in held.positions.items() if key.book == deployment_id]
        if held.account.id in shares or any(one.quantity for one in positions):
            share = shares.get(held.account.id, ZERO)
            parts.append((held, positions, mul(share, state.equity(held)) if share else ZERO))
    return _by_currency(state, parts)


def books_of_portfolio(state: State, portfolio_id: str) -> list[Book]:
    """What a portfolio holds in all of its accounts; the capital is what it is worth. Raises NotFound."""
    held = state.portfolio(portfolio_id)
    parts = []
    for account_id in held.portfolio.account_ids:
        account = state.accounts[account_id]
        own = [book for name, book in held.books if name == account_id]
        positions = [position for book in own for position in account.positions.in_book(book)]
        parts.append((account, positions, worth_of(state, held, account_id=account_id).value))
    return _by_currency(state, parts)


_Part = tuple[AccountState, list[Position], Decimal]


def _by_currency(state: State, parts: list[_Part]) -> list[Book]:
    currencies = dict.fromkeys(held.account.currency for held, _, _ in parts)
    return [
        _book(state, name, parts=[part for part in parts if part[0].account.currency == name]) for name in currencies
    ]


def _book(state: State, currency: str, *, parts: list[_Part]) -> Book:
    whole: dict[str, tuple[Decimal, Decimal]] = {}
    sides: list[float] = []
    capital = ZERO
    for _, positions, own in parts:
        capital = add(capital, own)
        net = _net(state, positions)
        sides += [float(value) for _, value in net.values()]
        for name, (quantity, value) in net.items():
            known = whole.get(name, (ZERO, ZERO))
            whole[name] = add(known[0], quantity), add(known[1], value)
    holdings = [_holding(state, name, sums=sums) for name, sums in whole.items() if sums[0]]
    return Book(
        currency,
        tuple(held.account.id for held, _, _ in parts),
        capital,
        exposure(np.array(sides, dtype=np.float64)),
        tuple(sorted(holdings, key=lambda one: (neg(one.value.copy_abs()), one.instrument.symbol))),
    )


def _net(state: State, positions: list[Position]) -> dict[str, tuple[Decimal, Decimal]]:
    """(quantity, value) of one account by instrument, all of these books and products together."""
    net: dict[str, tuple[Decimal, Decimal]] = {}
    for one in positions:
        if one.quantity:
            name = one.key.instrument_id
            value = one.market_value(state.price_of(one), state.instruments[name].multiplier)
            quantity, known = net.get(name, (ZERO, ZERO))
            net[name] = add(quantity, one.quantity), add(known, value)
    return net


def _holding(state: State, name: str, *, sums: tuple[Decimal, Decimal]) -> Holding:
    mark = state.marks.get(name)
    return Holding(state.instruments[name], *sums, None if mark is None else (mark.at, mark.price))
